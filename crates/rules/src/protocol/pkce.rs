//! Proof Key for Code Exchange (RFC 7636), S256 only.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::error::OAuthError;
use super::params::Params;

/// A `code_challenge` made by S256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Challenge(String);

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method`; `None` when neither was sent.
    ///
    /// # Errors
    /// `invalid_request` (RFC 7636 §4.4.1).
    pub fn parse(params: &Params) -> Result<Option<Self>, OAuthError> {
        let Some(challenge) = params.get("code_challenge") else {
            return match params.get("code_challenge_method") {
                None => Ok(None),
                Some(_) => Err(OAuthError::invalid_request(
                    "code_challenge is missing although code_challenge_method was sent",
                )
                .about("pkce")),
            };
        };
        // RFC 7636 §4.3: absent means `plain`, which is not accepted here (RFC 9700 §2.1.1).
        if params.get("code_challenge_method") != Some("S256") {
            return Err(
                OAuthError::invalid_request("code_challenge_method must be S256").about("pkce"),
            );
        }
        let decoded = URL_SAFE_NO_PAD.decode(challenge).ok();
        if decoded.is_none_or(|hash| hash.len() != 32) {
            return Err(OAuthError::invalid_request(
                "code_challenge must be the base64url SHA-256 of the verifier: 43 characters",
            )
            .about("pkce"));
        }
        Ok(Some(Self(challenge.to_owned())))
    }

    /// Whether `verifier` is the one this challenge was made from (RFC 7636 §4.6).
    #[must_use]
    pub fn matches(&self, verifier: &str) -> bool {
        let well_formed = (43..=128).contains(&verifier.len())
            && verifier
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        let hash = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        well_formed && bool::from(hash.as_bytes().ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_appendix_b_matches() {
        let params = Params::parse(
            b"code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        )
        .unwrap();
        let challenge = Challenge::parse(&params).unwrap().unwrap();
        assert!(challenge.matches("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.matches("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
        assert!(!challenge.matches(""));
    }

    #[test]
    fn plain_is_refused_whether_named_or_implied() {
        for form in [
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=plain",
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge=short&code_challenge_method=S256",
            "code_challenge_method=S256",
        ] {
            let params = Params::parse(form.as_bytes()).unwrap();
            assert!(Challenge::parse(&params).is_err(), "{form}");
        }
    }
}
