//! Keys and sets of keys, for signatures and for encryption. What is taken survives being written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::jose::jwe::EncryptionJwk;
use rules::jose::{Alg, Jwk, JwkSet, MAX_KEYS};

fuzz_target!(|data: &[u8]| {
    if let Ok(set) = JwkSet::from_json(data) {
        assert!(set.keys().len() <= MAX_KEYS);
        let text = serde_json::to_vec(&set).expect("JSON");
        assert_eq!(JwkSet::published(data), Ok(set.clone()));
        assert_eq!(JwkSet::from_json(&text), Ok(set));
    }
    match Jwk::from_json(data) {
        Ok(key) => {
            let text = serde_json::to_vec(&key).expect("JSON");
            assert_eq!(Jwk::from_json(&text), Ok(key.clone()));
            assert_eq!(key.thumbprint().len(), 43);
            for alg in Alg::ALL {
                assert!(!key.verifies(alg, b"message", &[0; 64]));
            }
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\'));
        }
    }
    if let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(data) {
        let _ = EncryptionJwk::all_of(&members);
        if let Ok(key) = EncryptionJwk::from_members(&members) {
            let text = serde_json::to_vec(&key).expect("JSON");
            let again: EncryptionJwk = serde_json::from_slice(&text).expect("the same key");
            assert_eq!(again, key);
        }
    }
});
