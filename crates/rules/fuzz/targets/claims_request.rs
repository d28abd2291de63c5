//! The `claims` parameter.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::protocol::ClaimsRequest;
use rules::protocol::claims_request::Parsed;

fuzz_target!(|text: &str| {
    if let Ok(parsed) = Parsed::read(text) {
        let request = parsed.request;
        let json = serde_json::to_vec(&request).expect("JSON");
        let again: ClaimsRequest = serde_json::from_slice(&json).expect("the same request");
        assert_eq!(again, request);
    }
});
