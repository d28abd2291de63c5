//! DPoP proofs: whole, and as claims that are signed here.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rules::jose::{Alg, SigningKey};
use rules::protocol::OAuthError;
use rules::protocol::dpop::{CLOCK_LEEWAY, Expectation, MAX_AGE, MAX_JTI_BYTES, Proof, verify};
use rules::time::Timestamp;
use serde_json::Value;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const URI: &str = "https://id.example/token";

static HOLDER: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Alg::Es256).expect("a key"));

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        look(text, None);
    }
    let Ok(claims @ Value::Object(_)) = serde_json::from_slice(data) else {
        return;
    };
    let jwt = HOLDER.sign_with_jwk("dpop+jwt", &claims).expect("a proof");
    if let Some(proof) = look(&jwt, None) {
        assert_eq!(proof.key.to_string(), HOLDER.kid());
        assert_eq!(claims["htm"], "POST");
        assert_eq!(claims["jti"], proof.id.jti);
    }
    // With a token, what is good without one is not: nobody knows its hash.
    assert!(claims.get("ath").is_some() || look(&jwt, Some("token")).is_none());
});

fn look(jwt: &str, access_token: Option<&str>) -> Option<Proof> {
    let expect = Expectation {
        method: "POST",
        uri: URI,
        access_token,
        now: NOW,
        epoch: None,
    };
    match verify(jwt, &expect) {
        Ok(proof) => {
            assert!((1..=MAX_JTI_BYTES).contains(&proof.id.jti.len()));
            let left = proof.id.expires_at.since(NOW);
            assert!(proof.id.expires_at > NOW && left <= MAX_AGE + CLOCK_LEEWAY);
            Some(proof)
        }
        Err(error) => {
            let told = OAuthError::from(error).description;
            // RFC 6749 §5.2
            assert!(told.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\'));
            None
        }
    }
}
