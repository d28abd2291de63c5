//! `Client-Cert` and `Client-Cert-Chain` (RFC 9440): how a proxy that ends TLS hands a client's
//! certificate on, as byte sequences of structured headers (RFC 9651 §3.3.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest certificate, in bytes.
pub const MAX_CERTIFICATE: usize = 16 * 1024;
/// The most certificates of a chain, the client's own left out.
pub const MAX_CHAIN: usize = 8;

/// Reads `Client-Cert`: one certificate in DER.
///
/// # Errors
/// A sentence for the operator of the proxy.
pub fn certificate(value: &str) -> Result<Vec<u8>, String> {
    item(trimmed(value)).ok_or_else(|| {
        "Client-Cert must be one certificate as a byte sequence, base64 between colons (RFC 9440 \
         section 2.2)"
            .to_owned()
    })
}

/// Reads `Client-Cert-Chain`: what certifies that certificate, step by step, in DER.
///
/// # Errors
/// A sentence for the operator of the proxy.
pub fn chain(value: &str) -> Result<Vec<Vec<u8>>, String> {
    let wrong = || {
        format!(
            "Client-Cert-Chain must be a list of at most {MAX_CHAIN} certificates as byte sequences \
             (RFC 9440 section 2.3)"
        )
    };
    // The alphabet of base64 has no comma.
    let items = value.split(',').take(MAX_CHAIN + 1).map(trimmed);
    let found: Option<Vec<_>> = items.map(item).collect();
    found
        .filter(|found| found.len() <= MAX_CHAIN)
        .ok_or_else(wrong)
}

fn item(text: &str) -> Option<Vec<u8>> {
    let encoded = text.strip_prefix(':')?.strip_suffix(':')?;
    if encoded.len() > MAX_CERTIFICATE * 4 / 3 + 4 {
        return None;
    }
    let decoded = STANDARD.decode(encoded).ok()?;
    (!decoded.is_empty() && decoded.len() <= MAX_CERTIFICATE).then_some(decoded)
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_sequence_is_read() {
        assert_eq!(certificate(":AQID:").unwrap(), [1, 2, 3]);
        assert_eq!(certificate(" :AQI=: ").unwrap(), [1, 2]);
        assert_eq!(
            chain(":AQID:, :AQI=:").unwrap(),
            [vec![1, 2, 3], vec![1, 2]]
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!(":{}:", "A".repeat(MAX_CERTIFICATE * 2));
        for wrong in [
            "",
            ":",
            "::",
            "AQID",
            ":AQID",
            "\"AQID\"",
            ":AQID:;a=1",
            ":AQID:, :AQID:",
            ":AQ_-:",
            ":AQ==:AQ==:",
            "-----BEGIN CERTIFICATE-----",
            ":A Q I D:",
            &long,
        ] {
            assert!(certificate(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", ",", ":AQID:,", ":AQID:,x", &[":AQID:"; 9].join(",")] {
            assert!(chain(wrong).is_err(), "{wrong}");
        }
    }
}
