//! Encrypted tokens: whole, and as parts that are encoded here.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use rules::jose::jwe::{DecryptionKey, JweError, KeyAlg, decrypt, is_jwe};

static KEYS: LazyLock<[DecryptionKey; 2]> = LazyLock::new(|| {
    [KeyAlg::EcdhEs, KeyAlg::RsaOaep256].map(|alg| DecryptionKey::generate(alg).expect("a key"))
});

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        look(text);
    }
    let mut parts = data.splitn(5, |byte| *byte == 0);
    let mut next = || URL_SAFE_NO_PAD.encode(parts.next().unwrap_or_default());
    let token = [next(), next(), next(), next(), next()].join(".");
    assert!(is_jwe(&token));
    look(&token);
});

fn look(token: &str) {
    // Nobody has encrypted to a key that was just made.
    assert_eq!(decrypt(token, KEYS.as_slice()).expect_err("a forgery"), JweError);
}
