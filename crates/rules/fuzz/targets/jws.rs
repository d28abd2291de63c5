//! Signed tokens: whole, and as header, payload and signature that are encoded here.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use rules::jose::{Alg, JwkSet, SigningKey, dangerous_peek, verify};

static KEYS: LazyLock<JwkSet> = LazyLock::new(|| {
    let key = |alg| SigningKey::generate(alg).expect("a key").public_jwk().clone();
    JwkSet::new([Alg::Es256, Alg::EdDsa].map(key).to_vec()).expect("a set")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        look(text);
    }
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut next = || URL_SAFE_NO_PAD.encode(parts.next().unwrap_or_default());
    let (header, payload, signature) = (next(), next(), next());
    look(&format!("{header}.{payload}.{signature}"));
});

fn look(token: &str) {
    // Nobody signed it by a key that was just made.
    let error = verify(token, &Alg::ALL, &KEYS).expect_err("a forgery");
    let told = error.to_string();
    // RFC 6749 §5.2
    assert!(told.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\'), "{told}");
    let _ = dangerous_peek(token);
}
