use std::borrow::Borrow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::super::json;
use super::super::jwk::Material;
use super::agree::Point;
use super::content::{self, IV_BYTES, TAG_BYTES};
use super::keys::{DecryptionKey, Handed};
use super::{Enc, KeyAlg};

/// The longest token that is looked at, in bytes: a signed one of the longest kind, encrypted.
pub const MAX_JWE_BYTES: usize = 32 * 1024;

/// The longest header, encoded, in bytes.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// The longest encrypted key, in bytes: RSA of 8192 bits.
const MAX_KEY_BYTES: usize = 1024;

/// The longest `apu` or `apv`, in bytes.
const MAX_PARTY_BYTES: usize = 256;

/// The most keys tried for one token.
const MAX_TRIED: usize = 4;

/// What was inside a token, and how it came. That it could be decrypted says nothing about who sent
/// it: anybody can encrypt to a public key.
#[derive(Clone, PartialEq, Eq)]
pub struct Decrypted {
    /// The contents.
    pub plaintext: Vec<u8>,
    /// How the key was handed over.
    pub alg: KeyAlg,
    /// How the contents were sealed.
    pub enc: Enc,
    /// What the sender says that it is.
    pub cty: Option<String>,
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decrypted")
            .field("alg", &self.alg)
            .field("enc", &self.enc)
            .finish_non_exhaustive()
    }
}

/// The token cannot be decrypted. Whether its form, its key or its contents are wrong is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JweError;

impl fmt::Display for JweError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the JWE cannot be decrypted; send it in compact form, encrypted to a key of this \
             server's jwks_uri by ECDH-ES, ECDH-ES+A256KW or RSA-OAEP-256 and with A256GCM or A128GCM",
        )
    }
}

impl std::error::Error for JweError {}

/// Whether a token has the five parts of a compact JWE (RFC 7516 §9).
#[must_use]
pub fn is_jwe(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').take(5).count() == 4
}

/// Decrypts a compact JWE (RFC 7516 §5.2) with that one of `keys` that its `kid` names; without one,
/// each that fits the algorithm is tried.
///
/// # Errors
/// [`JweError`], the same for everything.
pub fn decrypt(token: &str, keys: &[impl Borrow<DecryptionKey>]) -> Result<Decrypted, JweError> {
    read(token, keys).ok_or(JweError)
}

fn read(token: &str, keys: &[impl Borrow<DecryptionKey>]) -> Option<Decrypted> {
    if token.len() > MAX_JWE_BYTES || !is_jwe(token) {
        return None;
    }
    let mut parts = token.split('.');
    let mut next = || parts.next();
    let (header, encrypted_key) = (next()?, next()?);
    let (iv, ciphertext, tag) = (next()?, next()?, next()?);
    if header.len() > MAX_HEADER_BYTES || encrypted_key.len() > MAX_KEY_BYTES * 4 / 3 + 4 {
        return None;
    }
    let members = json::object(&decode(header)?).ok()?;
    // RFC 7516 §4.1.13 and §4.1.3: no extension is understood here, and nothing is unpacked.
    if ["crit", "zip"]
        .iter()
        .any(|name| members.contains_key(*name))
    {
        return None;
    }
    let encrypted_key = decode(encrypted_key)?;
    let handed = Handed {
        alg: text(&members, "alg")??.parse().ok()?,
        enc: text(&members, "enc")??.parse().ok()?,
        ephemeral: ephemeral(&members)?,
        parties: (party(&members, "apu")?, party(&members, "apv")?),
        encrypted_key: &encrypted_key,
    };
    let kid = text(&members, "kid")?;
    let iv: [u8; IV_BYTES] = decode(iv)?.try_into().ok()?;
    let tag: [u8; TAG_BYTES] = decode(tag)?.try_into().ok()?;
    let mut sealed = decode(ciphertext)?;
    sealed.extend_from_slice(&tag);

    let fitting = keys
        .iter()
        .map(Borrow::borrow)
        .filter(|key: &&DecryptionKey| {
            key.fits(handed.alg) && kid.is_none_or(|kid| kid == key.kid())
        });
    let plaintext = fitting.take(MAX_TRIED).find_map(|key| {
        let content_key = key.content_key(&handed)?;
        content::open(handed.enc, &content_key, iv, header, sealed.clone())
    })?;
    Some(Decrypted {
        plaintext,
        alg: handed.alg,
        enc: handed.enc,
        cty: text(&members, "cty")?.map(str::to_owned),
    })
}

/// RFC 7518 §4.6.1.1: a public key on P-256, of which nothing but the point is of interest.
/// `None` within for none.
#[expect(
    clippy::option_option,
    reason = "a malformed key is not the same as none"
)]
fn ephemeral(members: &Map<String, Value>) -> Option<Option<Point>> {
    match members.get("epk") {
        None => Some(None),
        Some(Value::Object(epk)) if !epk.contains_key("d") => {
            let Ok(Material::Ec { x, y }) = Material::from_members(epk) else {
                return None;
            };
            [&[4], x.as_slice(), &y].concat().try_into().ok().map(Some)
        }
        Some(_) => None,
    }
}

/// `apu` or `apv` (RFC 7518 §4.6.1.2).
fn party(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = decode(text(members, name)?.unwrap_or_default())?;
    (bytes.len() <= MAX_PARTY_BYTES).then_some(bytes)
}

/// A member that is a string or absent.
#[expect(clippy::option_option, reason = "a wrong type is not the same as none")]
fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<Option<&'m str>> {
    match members.get(name) {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text)),
        Some(_) => None,
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
