//! JSON Web Keys, signatures and encryption (RFC 7515, 7516, 7517, 7518, 7638, 8037), as far as this
//! server needs them: compact JWS and JWE with asymmetric keys. `none`, the HMAC algorithms, `RSA1_5`
//! and passwords do not exist here, so nothing can be confused into using them.
//!
//! Messages of the errors are shown to the developers of partner apps: they name the rule and what
//! to change, and keep to the characters that RFC 6749 §5.2 allows in `error_description`.

use serde_json::{Map, Value};

mod alg;
mod half_hash;
mod json;
pub mod jwe;
mod jwk;
mod jwk_set;
mod jws;
mod key_error;
mod pkcs1;
mod purpose;
mod signing;
#[cfg(test)]
mod tests;

pub use alg::{Alg, UnknownAlg};
pub use half_hash::half_hash;
pub use jwk::Jwk;
pub use jwk_set::{JwkSet, MAX_KEYS};
pub use jws::{
    Header, JwsError, MAX_TOKEN_BYTES, Part, Unverified, Verified, dangerous_peek, verify,
};
pub use key_error::KeyError;
pub use purpose::{KeyPurpose, UnknownPurpose};
pub use signing::{RsaSize, SignError, SigningKey};

/// What a message may repeat of something a stranger sent: at most 80 characters, each one
/// outside of %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2) replaced by a question mark.
pub(crate) fn printable(text: &str) -> String {
    const LIMIT: usize = 80;
    let mut shown: String = text
        .chars()
        .take(LIMIT)
        .map(|c| match c {
            '"' | '\\' => '?',
            ' '..='~' => c,
            _ => '?',
        })
        .collect();
    if text.chars().nth(LIMIT).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Parses one JSON object without duplicate members; the error says what is wrong with it.
pub(crate) fn strict_value(text: &[u8]) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = json::value(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|_| "is not JSON, or has a member twice".to_owned())
}

/// The same for what must be an object.
pub(crate) fn strict_object(text: &[u8]) -> Result<Map<String, Value>, String> {
    json::object(text).map_err(|error| match error {
        json::JsonError::Syntax => "is not JSON".to_owned(),
        json::JsonError::NotAnObject => "must be a JSON object".to_owned(),
        json::JsonError::Duplicate(name) => format!("has {} twice", printable(&name)),
    })
}
