//! Redeeming an authorization code (RFC 6749 §4.1.3).

use serde::{Deserialize, Serialize};

use super::error::OAuthError;
use super::pkce::Challenge;
use super::proof::{Confirmation, Possession, Thumbprint};
use crate::time::Timestamp;

/// What a code was issued with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeBinding {
    /// The redirect URI it was sent to.
    pub redirect_uri: String,
    /// PKCE; none for a client of the profile `compat` that sent none.
    pub challenge: Option<Challenge>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// The key that a proof must be made with to redeem it (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<Thumbprint>,
}

/// A code, as it stands.
#[derive(Clone, Debug)]
pub struct CodeState<'a> {
    /// To whom it was issued.
    pub client_id: &'a str,
    /// What with.
    pub binding: &'a CodeBinding,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
    /// Whether it was redeemed.
    pub used: bool,
}

/// What a client presents.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The client that authenticated.
    pub client_id: &'a str,
    /// `redirect_uri`, when sent.
    pub redirect_uri: Option<&'a str>,
    /// `code_verifier`, when sent.
    pub verifier: Option<&'a str>,
    /// What it proved to hold.
    pub possession: Possession,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// The code may be consumed.
    Granted,
    /// Refused; nothing changes.
    Refused(OAuthError),
    /// The right client presented everything right, for the second time: what the code gave is
    /// revoked (RFC 6749 §4.1.2, RFC 9700 §4.5).
    Replayed(OAuthError),
}

/// The one answer for a code that is nobody's, so that codes cannot be told apart.
#[must_use]
pub fn unknown_code() -> OAuthError {
    OAuthError::invalid_grant(
        "the code is unknown, expired, already used or was issued to another client; start again \
         at the authorization endpoint",
    )
    .about("code")
}

/// Decides about a code. Whose it is comes before any consequence.
#[must_use]
pub fn redeem(code: &CodeState<'_>, presented: Presented<'_>, now: Timestamp) -> Redemption {
    // RFC 6749 §4.1.3: the code was issued to this client.
    if code.client_id != presented.client_id {
        return Redemption::Refused(unknown_code().detail("issued to another client"));
    }
    if let Err(error) = check_binding(code.binding, presented) {
        return Redemption::Refused(error);
    }
    if code.used {
        return Redemption::Replayed(unknown_code().detail("replayed by its own client"));
    }
    if now >= code.expires_at {
        return Redemption::Refused(unknown_code().detail("expired"));
    }
    Redemption::Granted
}

/// Whether the request for the code came from whoever redeems it now.
fn check_binding(binding: &CodeBinding, presented: Presented<'_>) -> Result<(), OAuthError> {
    // RFC 9449 §10
    if let Some(key) = binding.dpop_jkt
        && !presented.possession.confirms(&Confirmation::Jkt(key))
    {
        return Err(OAuthError::invalid_grant(
            "the code is bound to another key (dpop_jkt, or the proof sent with the pushed \
             request); send a DPoP proof made with that key",
        )
        .about("code-key"));
    }
    if presented
        .redirect_uri
        .is_some_and(|uri| uri != binding.redirect_uri)
    {
        return Err(OAuthError::invalid_grant(
            "redirect_uri is not the one of the authorization request",
        )
        .about("redirect-uri"));
    }
    match (&binding.challenge, presented.verifier) {
        // RFC 7636 §4.6
        (Some(challenge), Some(verifier)) if challenge.matches(verifier) => Ok(()),
        (Some(_), Some(_)) => Err(OAuthError::invalid_grant(
            "code_verifier does not belong to the code_challenge of the request",
        )
        .about("code-verifier")),
        (Some(_), None) => {
            Err(OAuthError::invalid_grant("code_verifier is missing").about("code-verifier"))
        }
        // RFC 9700 §2.1.1, §4.8.2: a verifier without a challenge is a sign that somebody took the
        // challenge out of the request on its way here.
        (None, Some(_)) => Err(OAuthError::invalid_grant(
            "code_verifier was sent, but the authorization request had no code_challenge",
        )
        .about("code-verifier")),
        // OAuth 2.1 §4.1.3 lets redirect_uri be left out because PKCE binds; here nothing else does
        // (RFC 6749 §4.1.3).
        (None, None) if presented.redirect_uri.is_none() => Err(OAuthError::invalid_grant(
            "redirect_uri is missing; without PKCE it must be sent again",
        )
        .about("redirect-uri")),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::params::Params;
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn binding() -> CodeBinding {
        let form =
            "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        CodeBinding {
            redirect_uri: "https://app.example/cb".into(),
            challenge: Challenge::parse(&Params::parse(form.as_bytes()).unwrap()).unwrap(),
            nonce: None,
            dpop_jkt: None,
        }
    }

    fn decide(client_id: &str, verifier: Option<&str>, used: bool, now: i64) -> Redemption {
        let binding = binding();
        let code = CodeState {
            client_id: "app",
            binding: &binding,
            expires_at: Timestamp::from_secs(60),
            used,
        };
        let presented = Presented {
            client_id,
            redirect_uri: Some("https://app.example/cb"),
            verifier,
            possession: Possession::default(),
        };
        redeem(&code, presented, Timestamp::from_secs(now))
    }

    #[test]
    fn everything_right_is_granted_until_the_last_moment() {
        assert_eq!(
            decide("app", Some(VERIFIER), false, 59),
            Redemption::Granted
        );
        assert!(matches!(
            decide("app", Some(VERIFIER), false, 60),
            Redemption::Refused(_)
        ));
    }

    #[test]
    fn a_challenge_cannot_be_taken_away_or_made_up() {
        let mut binding = binding();
        let decide = |binding: &CodeBinding, redirect_uri, verifier| {
            let code = CodeState {
                client_id: "app",
                binding,
                expires_at: Timestamp::from_secs(60),
                used: false,
            };
            let presented = Presented {
                client_id: "app",
                redirect_uri,
                verifier,
                possession: Possession::default(),
            };
            redeem(&code, presented, Timestamp::from_secs(1)) == Redemption::Granted
        };
        let uri = Some("https://app.example/cb");
        assert!(decide(&binding, None, Some(VERIFIER)));
        assert!(!decide(&binding, uri, None));
        binding.challenge = None;
        assert!(decide(&binding, uri, None));
        assert!(!decide(&binding, uri, Some(VERIFIER)));
        assert!(!decide(&binding, None, None));
    }

    #[test]
    fn a_code_bound_to_a_key_is_redeemed_with_that_key_only() {
        let key = Thumbprint::of_certificate(b"a key");
        let other = Thumbprint::of_certificate(b"another key");
        let mut binding = binding();
        binding.dpop_jkt = Some(key);
        let code = CodeState {
            client_id: "app",
            binding: &binding,
            expires_at: Timestamp::from_secs(60),
            used: false,
        };
        let with = |key, certificate| {
            let presented = Presented {
                client_id: "app",
                redirect_uri: None,
                verifier: Some(VERIFIER),
                possession: Possession { key, certificate },
            };
            redeem(&code, presented, Timestamp::from_secs(1)) == Redemption::Granted
        };
        assert!(with(Some(key), None));
        assert!(!with(Some(other), None));
        assert!(!with(None, None));
        assert!(!with(None, Some(key)));
    }

    #[test]
    fn only_the_right_client_with_the_right_verifier_can_replay() {
        assert!(matches!(
            decide("app", Some(VERIFIER), true, 1),
            Redemption::Replayed(_)
        ));
        assert!(matches!(
            decide("app", Some(VERIFIER), true, 999),
            Redemption::Replayed(_)
        ));
        for (client, verifier) in [("other", Some(VERIFIER)), ("app", None), ("app", Some("x"))] {
            assert!(matches!(
                decide(client, verifier, true, 1),
                Redemption::Refused(_)
            ));
            assert!(matches!(
                decide(client, verifier, false, 1),
                Redemption::Refused(_)
            ));
        }
    }
}
