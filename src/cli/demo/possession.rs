//! Whether whoever calls the accounts API holds what the access token is bound to, checked as any API
//! does that asks by introspection: `cnf` in the answer names the key (RFC 9449 §6.2) or the
//! certificate (RFC 8705 §3.2).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rules::protocol::dpop::{self, Expectation, ProofError};
use rules::protocol::{Thumbprint, TokenType};
use rules::time::Timestamp;
use serde_json::Value;

use crate::clock::Clock;

/// How many proofs are remembered; while so many are young, no further one is taken.
const REMEMBERED: usize = 10_000;

/// What came with a call.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The scheme of the token.
    pub scheme: TokenType,
    /// The access token.
    pub token: String,
    /// Every `DPoP` header.
    pub proofs: Vec<String>,
    /// The client certificate of the connection.
    pub certificate: Option<Thumbprint>,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproved {
    /// The token is bound to nothing, and the API takes no such token.
    Unbound,
    /// The token came under another scheme than it must (RFC 9449 §7.1), or with another certificate.
    Another,
    /// What is wrong with the proof.
    Proof(String),
}

/// Checks possession, and remembers which proofs were used.
pub struct Possessions {
    /// The API's origin, as clients know it.
    origin: String,
    /// Tokens that are bound to nothing are refused.
    bound_alone: bool,
    clock: Clock,
    /// Until when each used proof would be good, by key and `jti`.
    used: Mutex<BTreeMap<(String, String), Timestamp>>,
}

impl Possessions {
    /// For the API at `origin`.
    pub fn new(origin: &str, bound_alone: bool, clock: Clock) -> Self {
        Self {
            origin: origin.to_owned(),
            bound_alone,
            clock,
            used: Mutex::default(),
        }
    }

    /// Whether only bound tokens are taken.
    pub const fn are_demanded(&self) -> bool {
        self.bound_alone
    }

    /// Judges a call by the introspection answer about its token.
    ///
    /// # Errors
    /// [`Unproved`].
    pub fn judge(&self, answer: &Value, shown: &Shown) -> Result<(), Unproved> {
        let scheme = |wanted| {
            (shown.scheme == wanted)
                .then_some(())
                .ok_or(Unproved::Another)
        };
        match &answer["cnf"] {
            Value::Null if self.bound_alone => Err(Unproved::Unbound),
            Value::Null => scheme(TokenType::Bearer),
            cnf => match (cnf["jkt"].as_str(), cnf["x5t#S256"].as_str()) {
                (Some(jkt), None) => {
                    scheme(TokenType::Dpop)?;
                    self.prove(jkt, shown)
                        .map_err(|error| Unproved::Proof(error.to_string()))
                }
                (None, Some(thumbprint)) => {
                    scheme(TokenType::Bearer)?;
                    let held = shown.certificate.map(|own| own.to_string());
                    if held.as_deref() == Some(thumbprint) {
                        Ok(())
                    } else {
                        Err(Unproved::Another)
                    }
                }
                // A binding that is not understood is not held.
                _ => Err(Unproved::Another),
            },
        }
    }

    /// RFC 9449 §7.1: the proof is for this call and this token, by the key, and was not used before.
    fn prove(&self, jkt: &str, shown: &Shown) -> Result<(), ProofError> {
        let jwt = match shown.proofs.as_slice() {
            [one] => one,
            [] => return Err(ProofError::Jwt("there is none".to_owned())),
            _ => return Err(ProofError::SeveralHeaders),
        };
        let now = self.clock.now();
        let uri = format!("{}{}", self.origin, shown.path);
        let proof = dpop::verify(
            jwt,
            &Expectation {
                method: &shown.method,
                uri: &uri,
                access_token: Some(&shown.token),
                now,
                epoch: None,
            },
        )?;
        if proof.key.to_string() != jkt {
            return Err(ProofError::Key(
                "it is made with another key than the token is bound to".to_owned(),
            ));
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= REMEMBERED {
            used.retain(|_, expires_at| *expires_at > now);
        }
        let id = (jkt.to_owned(), proof.id.jti);
        if used.len() >= REMEMBERED || used.get(&id).is_some_and(|until| *until > now) {
            return Err(ProofError::Replayed);
        }
        used.insert(id, proof.id.expires_at);
        Ok(())
    }
}
