//! DPoP proofs (RFC 9449): a JWT, made for one request, that shows that its sender holds a key.
//!
//! Here is what a proof must say. That it is used only once is checked after, with the
//! [`ProofId`]; that its nonce is one of this server's, with [`Proof::nonce`].

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use url::{Host, Url};

use super::error::{ErrorCode, OAuthError};
use super::numeric_date;
use super::proof::Thumbprint;
use crate::jose::{self, Alg, Jwk, JwkSet, printable};
use crate::time::Timestamp;

/// What a proof may be signed with (FAPI 2.0 Security Profile §5.4.1); `EdDSA` has two names.
pub const ALGS: [&str; 4] = ["ES256", "PS256", "EdDSA", "Ed25519"];

const ACCEPTED: [Alg; 3] = [Alg::Es256, Alg::Ps256, Alg::EdDsa];

/// How old a proof may be.
pub const MAX_AGE: Duration = Duration::from_mins(1);

/// How far ahead of this server's clock it may be dated (FAPI 2.0 Security Profile §5.3.2.1).
pub const CLOCK_LEEWAY: Duration = Duration::from_secs(10);

/// The longest `jti`, in bytes.
pub const MAX_JTI_BYTES: usize = 256;

/// The request that a proof came with.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The address as clients know it: from the configuration, never from the request's own `Host`.
    pub uri: &'a str,
    /// The access token that the proof goes with.
    pub access_token: Option<&'a str>,
    /// The present.
    pub now: Timestamp,
    /// When this server was restored from a backup, if it ever was: it does not remember which proofs
    /// were used before.
    pub epoch: Option<Timestamp>,
}

/// A proof that holds what the standard asks of it; whether it was used before is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The key that was proved to be held.
    pub key: Thumbprint,
    /// What makes it unusable a second time.
    pub id: ProofId,
    /// `nonce`, as sent.
    pub nonce: Option<String>,
}

/// What makes a proof unusable a second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofId {
    /// `jti`: 1 to [`MAX_JTI_BYTES`] bytes, unique for one key only.
    pub jti: String,
    /// From when on the proof is refused for its age.
    pub expires_at: Timestamp,
}

/// Reads and verifies the proof of a request.
///
/// # Errors
/// [`ProofError`], which says what to change.
pub fn verify(jwt: &str, expect: &Expectation<'_>) -> Result<Proof, ProofError> {
    let peeked = jose::dangerous_peek(jwt).map_err(|error| ProofError::Jwt(error.to_string()))?;
    // RFC 9449 §4.3 (4): media types ignore case, and the prefix may be left out (RFC 7515 §4.1.9).
    let typ = peeked.header.get("typ").and_then(Value::as_str);
    let typ = typ.ok_or(ProofError::Missing("typ"))?;
    let lower = typ.to_ascii_lowercase();
    if lower.strip_prefix("application/").unwrap_or(&lower) != "dpop+jwt" {
        return Err(ProofError::Typ(printable(typ)));
    }
    // §4.3 (6), (7): the key is public and signed this very proof.
    let jwk = match peeked.header.get("jwk") {
        Some(Value::Object(members)) => Jwk::from_members(members),
        Some(_) => return Err(ProofError::Key("jwk must be a JSON object".to_owned())),
        None => return Err(ProofError::Missing("jwk")),
    };
    let jwk = jwk.map_err(|error| ProofError::Key(error.to_string()))?;
    let thumbprint = Thumbprint::parse(jwk.thumbprint())
        .ok_or_else(|| ProofError::Key("the key has no thumbprint".to_owned()))?;
    let verified = jose::verify(jwt, &ACCEPTED, &JwkSet::from(jwk))
        .map_err(|error| ProofError::Jwt(error.to_string()))?;
    let id = check_claims(&verified.payload, expect)?;
    let nonce = match verified.payload.get("nonce") {
        None => None,
        Some(Value::String(nonce)) => Some(nonce.clone()),
        Some(_) => return Err(ProofError::NotAString("nonce")),
    };
    Ok(Proof {
        key: thumbprint,
        id,
        nonce,
    })
}

/// RFC 9449 §4.3 (3), (8) to (12).
fn check_claims(
    claims: &Map<String, Value>,
    expect: &Expectation<'_>,
) -> Result<ProofId, ProofError> {
    let jti = string(claims, "jti")?;
    if jti.is_empty() || jti.len() > MAX_JTI_BYTES {
        return Err(ProofError::JtiLength);
    }
    // Methods are compared as they are (RFC 9110 §9.1).
    if string(claims, "htm")? != expect.method {
        return Err(ProofError::Method {
            expected: printable(expect.method),
        });
    }
    let htu = string(claims, "htu")?;
    if normalized(htu).is_none_or(|htu| Some(htu) != normalized(expect.uri)) {
        return Err(ProofError::Uri {
            expected: printable(expect.uri),
        });
    }
    let iat = claims.get("iat").ok_or(ProofError::Missing("iat"))?;
    let iat = numeric_date::read(iat).ok_or(ProofError::NotATime)?;
    if iat.since(expect.now) > CLOCK_LEEWAY {
        return Err(ProofError::Ahead(seconds(iat.since(expect.now))));
    }
    let expires_at = iat.plus(MAX_AGE);
    if expires_at <= expect.now {
        return Err(ProofError::Old(seconds(expect.now.since(iat))));
    }
    if expect
        .epoch
        .is_some_and(|epoch| iat.minus(CLOCK_LEEWAY) <= epoch)
    {
        return Err(ProofError::BeforeEpoch);
    }
    if let Some(token) = expect.access_token {
        let ath = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()));
        let sent = string(claims, "ath")?;
        if !bool::from(sent.as_bytes().ct_eq(ath.as_bytes())) {
            return Err(ProofError::Token);
        }
    }
    Ok(ProofId {
        jti: jti.to_owned(),
        expires_at,
    })
}

fn string<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, ProofError> {
    match claims.get(name) {
        None => Err(ProofError::Missing(name)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ProofError::NotAString(name)),
    }
}

/// RFC 9449 §4.3 (9): without query and fragment, after syntax- and scheme-based normalization (RFC
/// 3986 §6.2.2, §6.2.3): scheme and host ignore case, the usual port may be written or not, and an
/// empty path is `/`.
fn normalized(uri: &str) -> Option<(String, Host<String>, Option<u16>, String)> {
    let url = Url::parse(uri).ok()?;
    if !matches!(url.scheme(), "https" | "http")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return None;
    }
    let host = url.host()?.to_owned();
    let port = url.port_or_known_default();
    Some((url.scheme().to_owned(), host, port, unreserved(url.path())))
}

/// Decodes what need not be percent-encoded, and writes the rest in capitals (RFC 3986 §6.2.2.1,
/// §6.2.2.2).
fn unreserved(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let code = escape
            .get(1..3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = match code {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
                &escape[3..]
            }
            Some(_) => {
                out.push_str(&escape[..3].to_ascii_uppercase());
                &escape[3..]
            }
            None => {
                out.push('%');
                &escape[1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// Seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Why a proof is refused. The message is for the client's developer; it keeps to the characters
/// that RFC 6749 §5.2 allows. All of these mean `invalid_dpop_proof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// More than one `DPoP` header (RFC 9449 §4.3 (1)).
    SeveralHeaders,
    /// It is no JWT, its algorithm is not accepted, or its signature does not hold.
    Jwt(String),
    /// A member that must be there is missing.
    Missing(&'static str),
    /// The claim is not a string.
    NotAString(&'static str),
    /// `typ` is another.
    Typ(String),
    /// `jwk` is no key that may be used.
    Key(String),
    /// `jti` is empty or too long.
    JtiLength,
    /// `htm` is not the request's method.
    Method {
        /// Which one is; printable.
        expected: String,
    },
    /// `htu` is not the request's address.
    Uri {
        /// Which one is; printable.
        expected: String,
    },
    /// `iat` is no number of seconds.
    NotATime,
    /// `iat` is further ahead than [`CLOCK_LEEWAY`]: so many seconds.
    Ahead(u64),
    /// `iat` is longer ago than [`MAX_AGE`]: so many seconds.
    Old(u64),
    /// It may have been made before this server was restored from a backup.
    BeforeEpoch,
    /// `ath` is not the hash of the access token.
    Token,
    /// It was used before.
    Replayed,
}

impl ProofError {
    /// Which part of the page about `invalid_dpop_proof` explains it.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        match self {
            Self::Method { .. } | Self::Uri { .. } => "proof-target",
            Self::NotATime | Self::Ahead(_) | Self::Old(_) | Self::BeforeEpoch => "proof-time",
            Self::Token | Self::Missing("ath") => "proof-token",
            Self::Replayed => "proof-replay",
            _ => "proof",
        }
    }
}

impl From<ProofError> for OAuthError {
    fn from(error: ProofError) -> Self {
        Self::new(
            ErrorCode::InvalidDpopProof,
            format!("the DPoP proof: {error}"),
        )
        .about(error.topic())
    }
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralHeaders => f.write_str("more than one DPoP header; send one"),
            Self::Jwt(why) | Self::Key(why) => f.write_str(why),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::NotAString(name) => write!(f, "{name} must be a string"),
            Self::Typ(typ) => write!(f, "typ is {typ}; it must be dpop+jwt"),
            Self::JtiLength => write!(
                f,
                "jti must be 1 to {MAX_JTI_BYTES} bytes long, and new for each proof"
            ),
            Self::Method { expected } => {
                write!(f, "htm must be the method of the request, {expected}")
            }
            Self::Uri { expected } => write!(
                f,
                "htu must be the address of the request without query and fragment, {expected}"
            ),
            Self::NotATime => f.write_str(
                "iat must be a number of seconds since 1970 (not milliseconds, not a string)",
            ),
            Self::Ahead(seconds) => write!(
                f,
                "iat is {seconds} seconds ahead of this server's clock; check the clock of the \
                 client's machine"
            ),
            Self::Old(seconds) => write!(
                f,
                "iat is {seconds} seconds ago and may be at most {}; make a new proof for each \
                 request, and check the clock of the client's machine",
                MAX_AGE.as_secs()
            ),
            Self::BeforeEpoch => f.write_str(
                "it was made before this server was restored from a backup; make a new one",
            ),
            Self::Token => f.write_str(
                "ath must be the base64url SHA-256 of the access token that it is sent with",
            ),
            Self::Replayed => {
                f.write_str("this jti was used before; make a new proof for every request")
            }
        }
    }
}

impl std::error::Error for ProofError {}

#[cfg(test)]
mod tests;
