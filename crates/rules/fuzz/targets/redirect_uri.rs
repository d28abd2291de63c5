//! Redirect URIs: what may be registered, and what then matches.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::protocol::redirect::{check_registrable, csp_source, matches};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (registered, requested) = text.split_once('\n').unwrap_or((text, text));
    let _ = csp_source(requested);
    if check_registrable(registered).is_err() {
        return;
    }
    assert!(matches(registered, registered));
    assert!(!registered.contains(['#', ' ', '\n']));
    let source = csp_source(registered).expect("it is a URL");
    assert!(!source.contains([' ', ';', ',', '\'', '"']), "{source}");
    if registered != requested && matches(registered, requested) {
        // RFC 8252 §7.3: nothing but the port of a loopback address is free.
        for one in [registered, requested] {
            assert!(one.starts_with("http://127.0.0.1") || one.starts_with("http://[::1]"), "{one}");
        }
        assert!(!requested.contains(['@', '\\', '#']));
    }
});
