//! Forms and queries.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::protocol::Params;
use rules::protocol::params::MAX_VALUE;

fuzz_target!(|data: &[u8]| {
    match Params::parse(data) {
        Ok(params) => {
            for name in ["client_id", "redirect_uri", "state", "resource", ""] {
                for value in params.all(name) {
                    assert!(!value.is_empty() && value.len() <= MAX_VALUE);
                    assert!(!value.chars().any(char::is_control));
                }
            }
            assert!(params.all("client_id").len() <= 1);
        }
        Err(error) => assert!(!error.description.is_empty()),
    }
    let _ = Params::parse_repeating(data, &["scope"]);
});
