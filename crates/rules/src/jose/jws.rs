use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json::{self, JsonError};
use super::{Alg, JwkSet, printable};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The most keys tried for one token.
const MAX_TRIED: usize = 8;

/// A token whose signature holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// What the header says.
    pub header: Header,
    /// The claims.
    pub payload: Map<String, Value>,
    /// The RFC 7638 thumbprint of the key that signed.
    pub thumbprint: String,
}

/// The header of a verified token (RFC 7515 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The algorithm of the signature.
    pub alg: Alg,
    /// The id of the key, when it is named.
    pub kid: Option<String>,
    /// The token's type, when it is named. Which one is right is for the caller to check.
    pub typ: Option<String>,
    /// All members as sent. Keys and addresses among them (`jwk`, `jku`, `x5c`, `x5u`) were not
    /// used and prove nothing.
    pub members: Map<String, Value>,
}

/// What a token says, before anything is known about who wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unverified {
    /// The members of the header.
    pub header: Map<String, Value>,
    /// The claims.
    pub payload: Map<String, Value>,
}

/// Verifies a compact JWS (RFC 7515 §5.2) whose payload is a JSON object.
///
/// `allowed` are the algorithms accepted here; `keys` are all of the signer's. Without a `kid`, each
/// key that fits the algorithm is tried. Claims and `typ` are the caller's to check.
pub fn verify(token: &str, allowed: &[Alg], keys: &JwkSet) -> Result<Verified, JwsError> {
    let parts = Parts::split(token)?;
    let header = header(object(Part::Header, parts.header)?, allowed)?;
    let signature = decode(Part::Signature, parts.signature)?;
    check_length(header.alg, &signature)?;

    let candidates = keys.candidates(header.kid.as_deref(), header.alg);
    if candidates.is_empty() {
        return Err(JwsError::NoKey {
            kid: header.kid.as_deref().map(printable),
            alg: header.alg,
        });
    }
    if candidates.len() > MAX_TRIED {
        return Err(JwsError::AmbiguousKey(header.alg));
    }
    let key = candidates
        .into_iter()
        .find(|key| key.verifies(header.alg, parts.signed.as_bytes(), &signature))
        .ok_or(JwsError::Signature)?;

    Ok(Verified {
        payload: object(Part::Payload, parts.payload)?,
        thumbprint: key.thumbprint().to_owned(),
        header,
    })
}

/// Reads a token without verifying anything. Anyone can have written what it returns: use it to
/// find whose keys to verify the token with, and for nothing else.
pub fn dangerous_peek(token: &str) -> Result<Unverified, JwsError> {
    let parts = Parts::split(token)?;
    decode(Part::Signature, parts.signature)?;
    Ok(Unverified {
        header: object(Part::Header, parts.header)?,
        payload: object(Part::Payload, parts.payload)?,
    })
}

struct Parts<'t> {
    /// Header, dot and payload: what is signed.
    signed: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    fn split(token: &'t str) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwsError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::NotThreeParts)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::NotThreeParts)?;
        if payload.contains('.') {
            return Err(JwsError::NotThreeParts);
        }
        Ok(Self {
            signed,
            header,
            payload,
            signature,
        })
    }
}

fn header(members: Map<String, Value>, allowed: &[Alg]) -> Result<Header, JwsError> {
    // RFC 7515 §4.1.11: no extension is understood here. RFC 7797 §6: b64 comes with crit.
    for name in ["crit", "b64"] {
        if members.contains_key(name) {
            return Err(JwsError::Extension(name));
        }
    }
    let text = |name: &'static str| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwsError::HeaderMember(name)),
    };
    // RFC 8725 §3.1: only what the application expects.
    let name = text("alg")?.ok_or(JwsError::HeaderMember("alg"))?;
    let alg = name
        .parse()
        .ok()
        .filter(|alg| allowed.contains(alg))
        .ok_or_else(|| JwsError::NotAllowed {
            found: printable(name),
            allowed: allowed.to_vec(),
        })?;
    let kid = text("kid")?.cloned();
    let typ = text("typ")?.cloned();
    Ok(Header {
        alg,
        kid,
        typ,
        members,
    })
}

/// RFC 7518 §3.4, RFC 8037 §3.1: two numbers of 32 bytes; a DER sequence is a common mistake.
fn check_length(alg: Alg, signature: &[u8]) -> Result<(), JwsError> {
    match alg {
        Alg::Es256 | Alg::EdDsa if signature.len() != 64 => Err(JwsError::SignatureLength {
            alg,
            found: signature.len(),
        }),
        _ => Ok(()),
    }
}

fn object(part: Part, encoded: &str) -> Result<Map<String, Value>, JwsError> {
    json::object(&decode(part, encoded)?).map_err(|error| match error {
        JsonError::Syntax | JsonError::NotAnObject => JwsError::NotAnObject(part),
        JsonError::Duplicate(name) => JwsError::Duplicate(part, printable(&name)),
    })
}

fn decode(part: Part, encoded: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| JwsError::Base64(part))
}

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// Why a token is refused. The message may be shown to whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwsError {
    /// More than [`MAX_TOKEN_BYTES`].
    TooLong,
    /// Not three parts with dots between them.
    NotThreeParts,
    /// The part is not base64url without padding.
    Base64(Part),
    /// The part is not a JSON object.
    NotAnObject(Part),
    /// A member occurs twice in the part.
    Duplicate(Part, String),
    /// This member of the header is not a string, or missing though required.
    HeaderMember(&'static str),
    /// The header asks for an extension.
    Extension(&'static str),
    /// The algorithm is not one of those allowed here.
    NotAllowed {
        /// What the header names; printable.
        found: String,
        /// What may be used instead.
        allowed: Vec<Alg>,
    },
    /// The signature has the wrong number of bytes for its algorithm.
    SignatureLength {
        /// The algorithm.
        alg: Alg,
        /// Bytes found; 64 are right.
        found: usize,
    },
    /// The signer has no key under that id for that algorithm.
    NoKey {
        /// The id that the header names; printable.
        kid: Option<String>,
        /// The algorithm.
        alg: Alg,
    },
    /// Too many keys fit to try them all.
    AmbiguousKey(Alg),
    /// The signature is not by any fitting key.
    Signature,
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(
                f,
                "the JWT is longer than {MAX_TOKEN_BYTES} bytes; send fewer claims"
            ),
            Self::NotThreeParts => f.write_str(
                "the JWT does not have three parts with dots between them; send a signed JWT in \
                 compact form (RFC 7515 section 7.1)",
            ),
            Self::Base64(part) => write!(
                f,
                "the {part} of the JWT is not base64url; encode it by RFC 7515 section 2, without \
                 padding, spaces or line breaks"
            ),
            Self::NotAnObject(part) => {
                write!(f, "the {part} of the JWT is not a JSON object in UTF-8")
            }
            Self::Duplicate(part, name) => write!(
                f,
                "the {part} of the JWT has the member {name} twice; send it once"
            ),
            Self::HeaderMember(name) => {
                write!(f, "the JWT header needs {name} as a string")
            }
            Self::Extension(name) => write!(
                f,
                "the JWT header has {name}, and no extensions are supported; remove it"
            ),
            Self::NotAllowed { found, allowed } => {
                write!(f, "the JWT alg {found} is not accepted here; sign with ")?;
                for (index, alg) in allowed.iter().enumerate() {
                    let separator = if index == 0 { "" } else { " or " };
                    write!(f, "{separator}{alg}")?;
                }
                Ok(())
            }
            Self::SignatureLength { alg, found } => write!(
                f,
                "the {alg} signature of the JWT has {found} bytes instead of 64; send the two \
                 numbers joined, not DER (RFC 7518 section 3.4)"
            ),
            Self::NoKey { kid, alg } => {
                write!(f, "no registered key fits alg {alg}")?;
                if let Some(kid) = kid {
                    write!(f, " and kid {kid}")?;
                }
                f.write_str("; register the public key, or sign with a registered one")
            }
            Self::AmbiguousKey(alg) => write!(
                f,
                "more than {MAX_TRIED} registered keys fit alg {alg}; name the key by kid in the \
                 JWT header"
            ),
            Self::Signature => f.write_str(
                "the signature of the JWT does not verify; check that it was made with the \
                 private half of a registered key",
            ),
        }
    }
}

impl std::error::Error for JwsError {}
