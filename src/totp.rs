//! Time-based codes (RFC 6238): SHA-1, six digits, thirty seconds, which every app understands.

use rules::identity::totp::{DIGITS, SKEW_STEPS, STEP_SECONDS};
use rules::time::Timestamp;
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::rng;

/// The length of a secret, in bytes: 160 bits (RFC 4226 §4).
pub const SECRET_BYTES: usize = 20;

/// A new secret.
///
/// # Errors
/// [`Fault::Randomness`].
pub fn new_secret() -> Result<Zeroizing<Vec<u8>>, Fault> {
    Ok(Zeroizing::new(rng::bytes::<SECRET_BYTES>()?.to_vec()))
}

/// The time step that `code` matches, the present one or a neighbour.
#[must_use]
pub fn matched_step(secret: &[u8], code: &str, now: Timestamp) -> Option<i64> {
    let step = generator(secret, "", "").check(code, seconds(now))?;
    i64::try_from(step).ok()
}

/// The code of this moment: what the demo's phone shows.
#[must_use]
pub fn code_at(secret: &[u8], now: Timestamp) -> String {
    generator(secret, "", "").generate(seconds(now)).to_string()
}

/// The address that an app reads from the QR code.
///
/// # Errors
/// [`Fault::Internal`] when a name cannot be part of it.
pub fn address(secret: &[u8], institution: &str, account: &str) -> Result<String, Fault> {
    // The label separates the two by a colon, so neither may have one.
    let clean = |text: &str| text.replace(':', " ");
    generator(secret, &clean(institution), &clean(account))
        .to_url()
        .map_err(|error| Fault::Internal(error.to_string()))
}

/// The secret as people type it: base32 in groups of four.
#[must_use]
pub fn key_groups(secret: &[u8]) -> Vec<String> {
    let text = Secret::from(secret.to_vec()).to_base32();
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect()
}

fn generator(secret: &[u8], institution: &str, account: &str) -> Totp {
    let issuer = (!institution.is_empty()).then(|| institution.to_owned());
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(u8::try_from(DIGITS).unwrap_or(6))
        .with_skew(u16::try_from(SKEW_STEPS).unwrap_or(1))
        .with_step_duration(STEP_SECONDS)
        .with_secret(secret.to_vec())
        .with_account_name(account.to_owned())
        .with_issuer(issuer)
        .build_noncompliant()
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_6238_match() {
        // RFC 6238 appendix B, SHA-1, the last six of eight digits.
        let secret = b"12345678901234567890";
        for (secs, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (20_000_000_000, "353130"),
        ] {
            let now = Timestamp::from_secs(secs);
            assert_eq!(code_at(secret, now), code);
            assert_eq!(matched_step(secret, code, now), Some(secs / 30));
            assert_eq!(
                matched_step(secret, code, Timestamp::from_secs(secs + 30)),
                Some(secs / 30)
            );
            assert_eq!(
                matched_step(secret, code, Timestamp::from_secs(secs + 90)),
                None
            );
        }
    }
}
