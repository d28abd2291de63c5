//! How a client says who it is: the `Authorization` header and the form, apart by a line break.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use rules::protocol::Params;
use rules::protocol::credentials::Credentials;

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (head, form) = data.split_at(at);
    let Ok(params) = Params::parse(form) else {
        return;
    };
    let _ = Credentials::parse(None, &params);
    if let Ok(header) = std::str::from_utf8(head) {
        let _ = Credentials::parse(Some(header), &params);
    }
    let header = format!("Basic {}", STANDARD.encode(head));
    if let Ok(found) = Credentials::parse(Some(&header), &params) {
        // What comes in the header is one of the ways, and then the only one.
        assert!(matches!(found, Credentials::Secret { .. }));
        assert!(params.get("client_id").is_none_or(|named| named == found.id()));
    }
});
