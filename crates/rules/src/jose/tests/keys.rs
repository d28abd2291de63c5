//! Keys and sets of keys.

use super::*;

#[test]
fn a_private_key_survives_being_stored() {
    for alg in Alg::ALL {
        let der = key(alg).to_pkcs8().unwrap();
        let again = SigningKey::from_pkcs8(alg, &der).unwrap();
        assert_eq!(again.kid(), key(alg).kid());
        let token = again.sign(None, &json!({})).unwrap();
        assert!(verify(&token, &[alg], &public(alg)).is_ok());
        for other in Alg::ALL {
            let rsa = |alg| matches!(alg, Alg::Rs256 | Alg::Ps256);
            let fits = other == alg || rsa(other) && rsa(alg);
            assert_eq!(SigningKey::from_pkcs8(other, &der).is_ok(), fits);
        }
        assert!(SigningKey::from_pkcs8(alg, &der[..der.len() - 1]).is_err());
    }
}

#[test]
fn debug_shows_no_private_key() {
    let shown = format!("{:?}", key(Alg::EdDsa));
    let expected = format!(
        "SigningKey {{ alg: EdDsa, kid: {:?}, .. }}",
        key(Alg::EdDsa).kid()
    );
    assert_eq!(shown, expected);
}

#[test]
fn keys_may_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<SigningKey>();
    check::<JwkSet>();
}

#[test]
fn claims_that_are_no_object_are_not_signed() {
    assert_eq!(
        key(Alg::Es256).sign(None, &json!([1])),
        Err(SignError::Json)
    );
    assert_eq!(key(Alg::Es256).sign(None, &"x"), Err(SignError::Json));
}

#[test]
fn a_private_key_is_refused_wherever_it_is_sent() {
    for (alg, name) in [(Alg::Es256, "d"), (Alg::Rs256, "p"), (Alg::EdDsa, "d")] {
        let jwk = public_with(alg, &json!({ name: "AQAB" }));
        let error = Jwk::from_json(jwk.to_string().as_bytes()).unwrap_err();
        assert_eq!(error, KeyError::Private(name));
        let text = json!({ "keys": [jwk] }).to_string();
        let error = JwkSet::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error, KeyError::InSet(0, Box::new(KeyError::Private(name))));
    }
    let secret = json!({"kty": "oct", "k": "AQAB"}).to_string();
    assert_eq!(
        Jwk::from_json(secret.as_bytes()),
        Err(KeyError::Private("k"))
    );
}

#[test]
fn keys_of_unknown_kinds_are_skipped_in_a_set() {
    let good = public_with(Alg::Es256, &json!({"x-new": {"a": [1]}, "x5c": ["AA"]}));
    let set = json!({"keys": [
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        public_with(Alg::Rs256, &json!({"use": "enc", "alg": "RSA-OAEP-256"})),
        public_with(Alg::Rs256, &json!({"key_ops": ["encrypt"]})),
        good,
    ], "other": 1});
    let set = JwkSet::from_json(set.to_string().as_bytes()).unwrap();
    assert_eq!(set.keys(), [key(Alg::Es256).public_jwk().clone()]);
}

#[test]
fn one_odd_key_spoils_no_set_that_is_published() {
    let odd = [
        public_with(Alg::Es256, &json!({"x": "AAAA"})),
        public_with(Alg::Es256, &json!({"kid": 7})),
        public_with(Alg::Es256, &json!({"alg": "RS256"})),
        public_with(
            Alg::Rs256,
            &json!({"n": URL_SAFE_NO_PAD.encode([0xff; 128])}),
        ),
        public_with(Alg::Rs256, &json!({"e": "Aw"})),
        json!({"kty": "AKP", "pub": "AA"}),
        json!({"crv": "P-256"}),
        json!("nonsense"),
    ];
    let good = key(Alg::Es256).public_jwk();
    for one in odd {
        let text = json!({"keys": [one, good]}).to_string();
        let set = JwkSet::published(text.as_bytes()).unwrap();
        assert_eq!(set.keys(), std::slice::from_ref(good), "{text}");
    }
    // Whoever published that has no secret any more.
    let private = public_with(Alg::EdDsa, &json!({"d": "AQAB"}));
    let text = json!({"keys": [good, private]}).to_string();
    let error = KeyError::InSet(1, Box::new(KeyError::Private("d")));
    assert_eq!(JwkSet::published(text.as_bytes()), Err(error));
    assert_eq!(JwkSet::published(b"{}"), Err(KeyError::NoKeys));
}

#[test]
fn the_numbers_of_a_key_that_signs_nothing_are_not_looked_at() {
    let weak = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let good = key(Alg::Es256).public_jwk();
    for purpose in [
        json!({"use": "enc", "n": weak}),
        json!({"key_ops": ["encrypt"], "n": weak}),
        json!({"alg": "RSA-OAEP", "n": weak}),
    ] {
        let text = json!({"keys": [public_with(Alg::Rs256, &purpose), good]}).to_string();
        let set = JwkSet::from_json(text.as_bytes()).unwrap();
        assert_eq!(set.keys(), std::slice::from_ref(good), "{text}");
    }
}

#[test]
fn malformed_keys_are_refused_with_the_member_named() {
    let refused = |alg, change: Value| {
        let text = public_with(alg, &change).to_string();
        Jwk::from_json(text.as_bytes()).unwrap_err().to_string()
    };
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    let n = serde_json::to_value(key(Alg::Rs256).public_jwk()).unwrap()["n"].clone();
    let with_zero = URL_SAFE_NO_PAD.encode([vec![0], b64(n.as_str().unwrap())].concat());
    let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let long = URL_SAFE_NO_PAD.encode([0xff; 1025]);
    let padded = format!("{zero}=");
    for (alg, change, expected) in [
        (Alg::Es256, json!({"kty": null}), "kty is missing"),
        (Alg::Es256, json!({"crv": null}), "crv is missing"),
        (Alg::Es256, json!({"crv": 1}), "crv is not a string"),
        (Alg::Es256, json!({"x": null}), "x is missing"),
        (Alg::Es256, json!({"x": "AAAA"}), "x is not 32 bytes"),
        (Alg::Es256, json!({"x": padded}), "x is not base64url"),
        (Alg::Es256, json!({"x": zero}), "not a point"),
        (Alg::Es256, json!({"alg": "RS256"}), "alg does not fit"),
        (Alg::Es256, json!({"kid": "k".repeat(257)}), "kid is longer"),
        (Alg::Rs256, json!({"n": ""}), "n is empty"),
        (Alg::Rs256, json!({"n": with_zero}), "zero byte"),
        (Alg::Rs256, json!({"n": short}), "1024 bits"),
        (Alg::Rs256, json!({"n": long}), "8200 bits"),
        (Alg::Rs256, json!({"e": "AQ"}), "use 65537"),
        (Alg::Rs256, json!({"e": "Aw"}), "use 65537"),
        (Alg::Rs256, json!({"e": "AQAA"}), "use 65537"),
        (Alg::Rs256, json!({"e": "AAEAAQ"}), "use 65537"),
        (Alg::EdDsa, json!({"x": "AAAA"}), "x is not 32 bytes"),
    ] {
        let message = refused(alg, change);
        assert!(message.contains(expected), "{message} / {expected}");
    }
    let twice = br#"{"kty":"EC","kty":"RSA"}"#;
    let error = Jwk::from_json(twice).unwrap_err();
    assert_eq!(error, KeyError::Duplicate("kty".to_owned()));
}

#[test]
fn a_set_has_at_most_32_keys() {
    let keys = vec![key(Alg::EdDsa).public_jwk().clone(); MAX_KEYS + 1];
    let text = json!({ "keys": keys }).to_string();
    assert_eq!(JwkSet::new(keys), Err(KeyError::TooManyKeys));
    let error = JwkSet::from_json(text.as_bytes()).unwrap_err();
    assert_eq!(error, KeyError::TooManyKeys);
    assert_eq!(JwkSet::from_json(b"{}"), Err(KeyError::NoKeys));
    assert_eq!(JwkSet::from_json(b"[]"), Err(KeyError::NotAnObject));
    assert!(JwkSet::from_json(br#"{"keys":[]}"#).unwrap().is_empty());
}

#[test]
fn a_public_key_survives_json() {
    for alg in Alg::ALL {
        let text = serde_json::to_string(key(alg).public_jwk()).unwrap();
        assert_eq!(
            &serde_json::from_str::<Jwk>(&text).unwrap(),
            key(alg).public_jwk()
        );
        let set = serde_json::to_string(&public(alg)).unwrap();
        assert_eq!(serde_json::from_str::<JwkSet>(&set).unwrap(), public(alg));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["use"], "sig");
        assert_eq!(value["alg"], alg.as_str());
        assert_eq!(value["kid"], key(alg).kid());
    }
}
