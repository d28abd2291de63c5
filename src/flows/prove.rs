//! Proofs that a key is held (RFC 9449): verified, with a nonce where one is asked for, and used for
//! the first time.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::Kind;
use rules::protocol::dpop::{self, Expectation, ProofError, ProofId};
use rules::protocol::{Client, ErrorCode, OAuthError, Thumbprint};
use rules::time::Timestamp;

use super::Failure;
use crate::app::App;
use crate::store;

/// How long a nonce is good.
const NONCE_LIFETIME: Duration = Duration::from_mins(5);

/// How far the clocks of two nodes may lie apart.
const BETWEEN_NODES: Duration = Duration::from_secs(10);

/// How much longer than a proof its use is remembered: the clock of another node may be behind.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Where a request was sent, as its sender knows the address.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// To an endpoint of this server: its path.
    Own(&'static str),
    /// To an API whose proxy asks about it: the whole address.
    Elsewhere(&'a str),
}

impl Target<'_> {
    /// Its address, and the one where clients present certificates.
    fn addresses(self, app: &App) -> (String, Option<String>) {
        match self {
            Self::Own(path) => {
                let mtls = app.config.mtls.as_ref().map(|mtls| mtls.url.at(path));
                (app.config.issuer.at(path), mtls)
            }
            Self::Elsewhere(url) => (url.to_owned(), None),
        }
    }
}

/// A proof as it came with a request.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The proof.
    pub jwt: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// Where it was sent.
    pub target: Target<'a>,
    /// The access token that it goes with.
    pub access_token: Option<&'a str>,
}

/// What a proof showed.
#[derive(Clone, Debug)]
pub struct Proved {
    /// The key that is held.
    pub key: Thumbprint,
    /// A nonce for the next proof, when the present one will soon be too old (RFC 9449 §8.2).
    pub next_nonce: Option<String>,
}

/// A proof that was verified and not yet spent.
pub struct Held {
    id: ProofId,
    proved: Proved,
}

impl Held {
    /// Spends it.
    ///
    /// # Errors
    /// `invalid_dpop_proof` for one that was used before.
    pub async fn spend(self, app: &App, client: &Client) -> Result<Proved, Failure> {
        let until = self.id.expires_at.plus(REMEMBERED);
        let (key, id) = (self.proved.key, self.id);
        let spent = store::consume_proof(key, &id, until);
        if app.store.write_alone(spent).await? == 1 {
            return Ok(self.proved);
        }
        let error = ProofError::Replayed.into();
        Err(count(app, client, "replayed_proof", error).into())
    }
}

/// Verifies a proof of a client and spends it.
///
/// # Errors
/// `invalid_dpop_proof`, or `use_dpop_nonce` when a nonce is asked for and not there or too old.
pub async fn prove(app: &App, client: &Client, shown: Shown<'_>) -> Result<Proved, Failure> {
    hold(app, client, shown)?.spend(app, client).await
}

/// Verifies a proof of a client, its nonce too, and spends nothing.
///
/// # Errors
/// `invalid_dpop_proof`, or `use_dpop_nonce` when a nonce is asked for and not there or too old.
pub fn hold(app: &App, client: &Client, shown: Shown<'_>) -> Result<Held, OAuthError> {
    let now = app.clock.now();
    let (uri, aliased) = shown.target.addresses(app);
    let expectation = Expectation {
        method: shown.method,
        uri: &uri,
        access_token: shown.access_token,
        now,
        epoch: app.store.revocations().epoch(),
    };
    let proof = match (dpop::verify(shown.jwt, &expectation), &aliased) {
        (Err(ProofError::Uri { expected }), Some(uri)) => {
            let aliased = Expectation { uri, ..expectation };
            dpop::verify(shown.jwt, &aliased).map_err(|error| match error {
                ProofError::Uri { .. } => ProofError::Uri { expected },
                other => other,
            })
        }
        (verdict, _) => verdict,
    };
    let proof = proof.map_err(|error| count(app, client, "bad_proof", error.into()))?;
    let mut next_nonce = None;
    if client
        .metadata
        .dpop_nonces
        .unwrap_or(app.config.dpop.nonces)
    {
        let age = proof.nonce.as_deref().and_then(|one| age(app, one));
        match age {
            Some(age) if age < NONCE_LIFETIME => {
                next_nonce = (age >= NONCE_LIFETIME / 2).then(|| nonce(app));
            }
            // RFC 9449 §8: the answer brings one; nothing was wrong, so nothing is counted.
            _ => return Err(nonce_wanted()),
        }
    }
    let key = proof.key;
    Ok(Held {
        id: proof.id,
        proved: Proved { key, next_nonce },
    })
}

fn count(app: &App, client: &Client, reason: &'static str, error: OAuthError) -> OAuthError {
    app.refusals
        .count(Kind::ProofRefused, Some(&client.id), reason);
    error
}

fn nonce_wanted() -> OAuthError {
    OAuthError::new(
        ErrorCode::UseDpopNonce,
        "the DPoP proof needs the nonce in the DPoP-Nonce header of this answer; make a new proof \
         with it and send the request again",
    )
    .about("nonce")
}

/// A new nonce: the time, and a keyed hash of it under a key that every node has.
#[must_use]
pub fn nonce(app: &App) -> String {
    let now = app.clock.now();
    let time = now.millis().to_be_bytes();
    URL_SAFE_NO_PAD.encode([time.as_slice(), &tag(app, now)].concat())
}

/// How old a nonce of this server is; none for one that no node made.
fn age(app: &App, nonce: &str) -> Option<Duration> {
    let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
    let (time, tagged) = bytes.split_first_chunk::<8>()?;
    let at = Timestamp::from_millis(i64::from_be_bytes(*time));
    verify_slices_are_equal(tagged, &tag(app, at)).ok()?;
    let now = app.clock.now();
    (at.since(now) <= BETWEEN_NODES).then(|| now.since(at))
}

fn tag(app: &App, at: Timestamp) -> [u8; 16] {
    let whole = app.vault.lookup("dpop.nonce", &at.millis().to_string());
    let mut tag = [0; 16];
    tag.copy_from_slice(&whole[..16]);
    tag
}
