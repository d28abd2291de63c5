//! Subjects of certificates as they are registered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::protocol::distinguished_name::Name;

fuzz_target!(|text: &str| {
    let (one, two) = text.split_once('\n').unwrap_or((text, text));
    let (Ok(one), Ok(two)) = (Name::parse(one), Name::parse(two)) else {
        return;
    };
    assert!(one.matches(&one));
    assert_eq!(one.matches(&two), two.matches(&one));
});
