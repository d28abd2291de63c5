//! The RFCs' own vectors, and another implementation as a witness.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod cookbook;
mod keys;
mod tokens;
mod vectors;
mod witness;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

/// One key an algorithm; making RSA keys is slow.
static KEYS: LazyLock<[SigningKey; 4]> =
    LazyLock::new(|| Alg::ALL.map(|alg| SigningKey::generate(alg).unwrap()));

fn key(alg: Alg) -> &'static SigningKey {
    KEYS.iter().find(|key| key.alg() == alg).unwrap()
}

fn set(value: &Value) -> JwkSet {
    serde_json::from_value(json!({ "keys": [value] })).unwrap()
}

fn public(alg: Alg) -> JwkSet {
    JwkSet::from(key(alg).public_jwk().clone())
}

/// The public key as JSON, changed by `change` (null removes a member).
fn public_with(alg: Alg, change: &Value) -> Value {
    let mut jwk = serde_json::to_value(key(alg).public_jwk()).unwrap();
    let members = jwk.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    jwk
}

/// A token with any header and payload text, soundly signed.
fn signed_text(alg: Alg, header: &str, payload: &str) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = key(alg).sign_message(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn b64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn describable(message: &str) -> bool {
    message
        .chars()
        .all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\')
}
