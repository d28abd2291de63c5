//! Structured headers: a certificate and its chain as a proxy hands them on.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use rules::protocol::client_cert_header::{MAX_CERTIFICATE, MAX_CHAIN, certificate, chain};

fuzz_target!(|text: &str| {
    if let Ok(der) = certificate(text) {
        assert!(!der.is_empty() && der.len() <= MAX_CERTIFICATE);
        let again = format!(":{}:", STANDARD.encode(&der));
        assert_eq!(certificate(&again).as_ref(), Ok(&der));
    }
    if let Ok(all) = chain(text) {
        assert!((1..=MAX_CHAIN).contains(&all.len()));
    }
});
