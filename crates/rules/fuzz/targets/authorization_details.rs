//! Authorization details.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::protocol::Details;
use rules::protocol::details::{MAX_BYTES, MAX_COUNT};

fuzz_target!(|text: &str| {
    if let Ok(details) = Details::read(text) {
        assert!(text.len() <= MAX_BYTES);
        assert!((1..=MAX_COUNT).contains(&details.iter().count()));
        assert!(details.iter().all(|(name, _)| !name.is_empty()));
        let json = serde_json::to_vec(&details).expect("JSON");
        let again: Details = serde_json::from_slice(&json).expect("the same details");
        assert_eq!(again, details);
        // What was granted may be asked for again, and nothing else.
        let whole = details.to_value().to_string();
        if whole.len() <= MAX_BYTES {
            assert_eq!(details.narrow(Some(&whole)).expect("no more"), details);
        }
    }
});
