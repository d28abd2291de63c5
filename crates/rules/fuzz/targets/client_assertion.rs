//! The claims of client assertions, signed or not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::protocol::client_assertion::{
    Audiences, CLOCK_LEEWAY, Expectation, MAX_JTI_BYTES, MAX_LIFETIME, check, check_epoch, check_typ,
};
use rules::time::Timestamp;
use serde_json::Value;

const NOW: i64 = 1_800_000_000;

fuzz_target!(|data: &[u8]| {
    let now = Timestamp::from_secs(NOW);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = check_typ(Some(text));
    }
    let Ok(Value::Object(claims)) = serde_json::from_slice(data) else {
        return;
    };
    let _ = check_epoch(&claims, now);
    let endpoints = ["https://id.example/token"];
    for accepted_audiences in
        [Audiences::IssuerString, Audiences::IssuerAlone, Audiences::IssuerOr(&endpoints)]
    {
        let expect = Expectation {
            client_id: "app",
            issuer: "https://id.example",
            accepted_audiences,
            now,
        };
        match check(&claims, &expect) {
            Ok(id) => {
                assert!((1..=MAX_JTI_BYTES).contains(&id.jti.len()));
                assert!(id.exp > now && id.exp.since(now) <= MAX_LIFETIME + CLOCK_LEEWAY);
                assert_eq!(claims.get("sub"), Some(&Value::from("app")));
            }
            Err(error) => {
                let told = error.to_string();
                assert!(told.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\'));
            }
        }
    }
});
