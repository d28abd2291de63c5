//! What an authenticator app does with a key: take it in as people type it, and show codes that
//! run out (RFC 6238).

use rules::identity::totp::STEP_SECONDS;
use rules::time::Timestamp;
use totp_rs::Secret;
use zeroize::Zeroizing;

use crate::totp::{SECRET_BYTES, code_at, key_groups};

/// A key of an authenticator app.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// The key itself.
    #[must_use]
    pub const fn new(secret: Zeroizing<Vec<u8>>) -> Self {
        Self(secret)
    }

    /// Reads base32 (RFC 4648 §6) as people type it: spaces and dashes are left out, letters may
    /// be small. `None` when it is not a whole key.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let letters: Zeroizing<String> = Zeroizing::new(
            typed
                .chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .map(|c| c.to_ascii_uppercase())
                .collect(),
        );
        let secret = Secret::try_from_base32(letters.as_str()).ok()?;
        let whole = secret.as_bytes().len() == SECRET_BYTES;
        whole.then(|| Self(Zeroizing::new(secret.as_bytes().to_vec())))
    }

    /// In base32.
    #[must_use]
    pub fn to_base32(&self) -> String {
        key_groups(&self.0).concat()
    }

    /// The six digits at a time.
    #[must_use]
    pub fn code(&self, at: Timestamp) -> String {
        code_at(&self.0, at)
    }
}

/// The number of the time step.
#[must_use]
pub fn step(at: Timestamp) -> u64 {
    seconds(at) / STEP_SECONDS
}

/// How many seconds the step lasts on, 1 to 30.
#[must_use]
pub fn seconds_left(at: Timestamp) -> u64 {
    STEP_SECONDS - seconds(at) % STEP_SECONDS
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 6238 appendix B.
    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn a_key_is_read_as_people_type_it() {
        let key = Key::parse("gezd gnbv-gy3t qojq gezd gnbv gy3t qojq\n").unwrap();
        assert_eq!(key.to_base32(), RFC);
        assert_eq!(key.code(Timestamp::from_secs(59)), "287082");
        for wrong in [
            "",
            "GEZD",
            "0EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            &RFC.repeat(2),
        ] {
            assert!(Key::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_step_counts_down_from_thirty_to_one() {
        assert_eq!(seconds_left(Timestamp::from_secs(60)), 30);
        assert_eq!(seconds_left(Timestamp::from_secs(89)), 1);
        assert_eq!(step(Timestamp::from_secs(89)), 2);
    }
}
