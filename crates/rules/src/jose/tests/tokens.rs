//! What is refused in a token.

use jsonwebtoken as oracle;
use proptest::prelude::*;
use serde_json::Map;

use super::*;

#[test]
fn a_change_in_any_byte_of_a_token_is_noticed() {
    for alg in [Alg::Es256, Alg::EdDsa] {
        let token = key(alg)
            .sign(Some("JWT"), &json!({"sub": "anna", "n": 1}))
            .unwrap();
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(&changed, &[alg], &public(alg)).is_err(), "{changed}");
        }
    }
}

#[test]
fn a_change_in_any_part_is_noticed_for_rsa_too() {
    for alg in [Alg::Rs256, Alg::Ps256] {
        let one = key(alg).sign(Some("a"), &json!({"sub": "anna"})).unwrap();
        let two = key(alg).sign(Some("b"), &json!({"sub": "berta"})).unwrap();
        let one: Vec<&str> = one.split('.').collect();
        let two: Vec<&str> = two.split('.').collect();
        for part in 0..3 {
            let mut mixed = one.clone();
            mixed[part] = two[part];
            let result = verify(&mixed.join("."), &[alg], &public(alg));
            assert_eq!(result, Err(JwsError::Signature));
        }
    }
}

#[test]
fn a_token_with_none_or_an_hmac_is_refused() {
    let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"x"}"#);
    for name in ["none", "None", "", "HS256", "ES384", "es256"] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{name}"}}"#));
        let token = format!("{header}.{payload}.");
        let error = verify(&token, &Alg::ALL, &public(Alg::Es256)).unwrap_err();
        assert!(matches!(error, JwsError::NotAllowed { .. }), "{name}");
    }
    // The public key as an HMAC secret: the classic confusion (RFC 8725 §2.1).
    let jwk = serde_json::to_vec(key(Alg::Rs256).public_jwk()).unwrap();
    let secret = oracle::EncodingKey::from_secret(&jwk);
    let header = oracle::Header::new(oracle::Algorithm::HS256);
    let token = oracle::encode(&header, &json!({"sub": "x"}), &secret).unwrap();
    let error = verify(&token, &Alg::ALL, &public(Alg::Rs256)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the JWT alg HS256 is not accepted here; sign with ES256 or RS256 or PS256 or EdDSA"
    );
}

#[test]
fn an_algorithm_that_is_not_allowed_here_is_refused() {
    let token = key(Alg::Rs256).sign(None, &json!({})).unwrap();
    let error = verify(&token, &[Alg::Ps256, Alg::Es256], &public(Alg::Rs256)).unwrap_err();
    assert!(matches!(error, JwsError::NotAllowed { .. }));
    assert!(verify(&token, &[], &public(Alg::Rs256)).is_err());
}

#[test]
fn a_key_declared_for_rs256_does_not_verify_ps256() {
    let der = key(Alg::Rs256).to_pkcs8().unwrap();
    let pss = SigningKey::from_pkcs8(Alg::Ps256, &der).unwrap();
    let token = pss.sign(None, &json!({})).unwrap();
    let error = verify(&token, &Alg::ALL, &public(Alg::Rs256)).unwrap_err();
    assert!(matches!(
        error,
        JwsError::NoKey {
            alg: Alg::Ps256,
            ..
        }
    ));
    // The same key without a declaration serves both.
    let undeclared = set(&public_with(Alg::Rs256, &json!({"alg": null})));
    assert!(verify(&token, &Alg::ALL, &undeclared).is_ok());
    let token = key(Alg::Rs256).sign(None, &json!({})).unwrap();
    assert!(verify(&token, &Alg::ALL, &undeclared).is_ok());
}

#[test]
fn signatures_of_the_wrong_length_are_refused() {
    for alg in Alg::ALL {
        let token = key(alg).sign(None, &json!({"a": 1})).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let right = b64(signature);
        let wrong = [
            vec![],
            vec![0],
            right[..right.len() - 1].to_vec(),
            [right.as_slice(), &[0]].concat(),
            [&[0], right.as_slice()].concat(),
            vec![0; right.len()],
            vec![0xff; 1_000],
        ];
        for signature in wrong {
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature));
            let error = verify(&token, &[alg], &public(alg)).unwrap_err();
            assert!(matches!(
                error,
                JwsError::Signature | JwsError::SignatureLength { .. }
            ));
        }
    }
}

#[test]
fn a_der_signature_is_refused_and_the_message_says_how_to_encode_it() {
    let token = key(Alg::Es256).sign(None, &json!({})).unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0x30; 71]));
    let error = verify(&token, &[Alg::Es256], &public(Alg::Es256)).unwrap_err();
    assert!(error.to_string().contains("71 bytes instead of 64"));
}

#[test]
fn the_form_of_a_token_is_strict() {
    let keys = public(Alg::EdDsa);
    let token = key(Alg::EdDsa).sign(None, &json!({"a": 1})).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let check = |token: &str| verify(token, &[Alg::EdDsa], &keys);
    assert!(check(&token).is_ok());
    for wrong in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}="),
        format!("{token}=="),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}==.{}", parts[0], parts[1], parts[2]),
        format!("{}.{} .{}", parts[0], parts[1], parts[2]),
        format!("{}\r\n.{}.{}", parts[0], parts[1], parts[2]),
        format!("{token}."),
        format!(".{token}"),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}..{}", parts[0], parts[2]),
        String::new(),
        "..".to_owned(),
        "a.b.c.d.e".to_owned(),
        token.replace(['-', '_'], "+"),
    ] {
        if wrong != token {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}

#[test]
fn trailing_bits_must_be_zero() {
    // 64 bytes leave four unused bits in the last character of the signature.
    let token = key(Alg::EdDsa).sign(None, &json!({})).unwrap();
    let last = token.chars().last().unwrap();
    let other = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        _ => 'x',
    };
    let changed = format!("{}{other}", &token[..token.len() - 1]);
    let error = verify(&changed, &[Alg::EdDsa], &public(Alg::EdDsa));
    assert_eq!(error, Err(JwsError::Base64(Part::Signature)));
}

#[test]
fn an_overlong_token_is_refused_before_it_is_looked_at() {
    let claims = json!({"x": "y".repeat(MAX_TOKEN_BYTES)});
    let token = key(Alg::Es256).sign(None, &claims).unwrap();
    let result = verify(&token, &[Alg::Es256], &public(Alg::Es256));
    assert_eq!(result, Err(JwsError::TooLong));
    assert_eq!(dangerous_peek(&token), Err(JwsError::TooLong));
}

#[test]
fn headers_that_ask_for_extensions_are_refused() {
    let check = |header: &str| {
        let token = signed_text(Alg::EdDsa, header, "{}");
        verify(&token, &[Alg::EdDsa], &public(Alg::EdDsa))
    };
    assert!(check(r#"{"alg":"EdDSA"}"#).is_ok());
    assert!(check(r#"{"alg":"Ed25519"}"#).is_ok());
    let crit = check(r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#);
    assert_eq!(crit, Err(JwsError::Extension("crit")));
    let crit = check(r#"{"alg":"EdDSA","crit":[]}"#);
    assert_eq!(crit, Err(JwsError::Extension("crit")));
    let b64 = check(r#"{"alg":"EdDSA","b64":false}"#);
    assert_eq!(b64, Err(JwsError::Extension("b64")));
    assert_eq!(
        check(r#"{"typ":"JWT"}"#),
        Err(JwsError::HeaderMember("alg"))
    );
    let kid = check(r#"{"alg":"EdDSA","kid":1}"#);
    assert_eq!(kid, Err(JwsError::HeaderMember("kid")));
    let typ = check(r#"{"alg":"EdDSA","typ":null}"#);
    assert_eq!(typ, Err(JwsError::HeaderMember("typ")));
}

#[test]
fn duplicate_members_are_refused_in_header_and_payload() {
    let check = |header: &str, payload: &str| {
        let token = signed_text(Alg::EdDsa, header, payload);
        verify(&token, &[Alg::EdDsa], &public(Alg::EdDsa))
    };
    let header = check(r#"{"alg":"none","alg":"EdDSA"}"#, "{}");
    let expected = JwsError::Duplicate(Part::Header, "alg".to_owned());
    assert_eq!(header, Err(expected));
    let payload = check(r#"{"alg":"EdDSA"}"#, r#"{"sub":"a","sub":"b"}"#);
    let expected = JwsError::Duplicate(Part::Payload, "sub".to_owned());
    assert_eq!(payload, Err(expected));
    for text in ["[]", "1", "\"x\"", "null", "", "{}{}", "{"] {
        let payload = check(r#"{"alg":"EdDSA"}"#, text);
        assert_eq!(payload, Err(JwsError::NotAnObject(Part::Payload)));
    }
}

#[test]
fn a_key_in_the_header_is_never_used() {
    let stranger = SigningKey::generate(Alg::EdDsa).unwrap();
    let jwk = serde_json::to_value(stranger.public_jwk()).unwrap();
    let header = json!({
        "alg": "EdDSA", "jwk": jwk, "kid": key(Alg::EdDsa).kid(),
        "jku": "https://evil.example/jwks", "x5u": "https://evil.example", "x5c": ["AA"],
    });
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode("{}")
    );
    let signature = stranger.sign_message(input.as_bytes()).unwrap();
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
    let result = verify(&token, &[Alg::EdDsa], &public(Alg::EdDsa));
    assert_eq!(result, Err(JwsError::Signature));
    // A DPoP proof is verified by handing its key over on purpose.
    let peeked = dangerous_peek(&token).unwrap();
    let Value::Object(members) = &peeked.header["jwk"] else {
        panic!("the key is there");
    };
    let own = JwkSet::from(Jwk::from_members(&json_without_kid(members)).unwrap());
    assert!(verify(&token, &[Alg::EdDsa], &own).is_ok());
}

fn json_without_kid(members: &Map<String, Value>) -> Map<String, Value> {
    let mut members = members.clone();
    members.remove("kid");
    members
}

#[test]
fn keys_are_chosen_by_kid_and_without_one_all_are_tried() {
    let keys: Vec<SigningKey> = (0..3)
        .map(|_| SigningKey::generate(Alg::EdDsa).unwrap())
        .collect();
    let named = JwkSet::new(keys.iter().map(|key| key.public_jwk().clone()).collect()).unwrap();
    let token = keys[2].sign(None, &json!({})).unwrap();
    let verified = verify(&token, &[Alg::EdDsa], &named).unwrap();
    assert_eq!(verified.thumbprint, keys[2].kid());

    let body = format!("{}.e30", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#));
    let signature = keys[2].sign_message(body.as_bytes()).unwrap();
    let without_kid = format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert!(verify(&without_kid, &[Alg::EdDsa], &named).is_ok());

    let stranger = key(Alg::EdDsa).sign(None, &json!({})).unwrap();
    let error = verify(&stranger, &[Alg::EdDsa], &named).unwrap_err();
    assert!(matches!(error, JwsError::NoKey { kid: Some(_), .. }));

    let many = (0..9)
        .map(|_| {
            SigningKey::generate(Alg::EdDsa)
                .unwrap()
                .public_jwk()
                .clone()
        })
        .collect();
    let many = JwkSet::new(many).unwrap();
    let error = verify(&without_kid, &[Alg::EdDsa], &many);
    assert_eq!(error, Err(JwsError::AmbiguousKey(Alg::EdDsa)));
}

#[test]
fn a_peek_reads_without_verifying() {
    let token = key(Alg::Es256).sign(None, &json!({"iss": "app"})).unwrap();
    let forged = format!("{}.AAAA", token.rsplit_once('.').unwrap().0);
    let peeked = dangerous_peek(&forged).unwrap();
    assert_eq!(peeked.payload["iss"], "app");
    assert_eq!(peeked.header["alg"], "ES256");
}

#[test]
fn messages_repeat_only_printable_characters() {
    let nasty = "a\"\\\r\n\u{e9}\u{202e}<".repeat(50);
    let header = json!({"alg": "EdDSA", "kid": nasty}).to_string();
    let payload = json!({}).to_string();
    let token = signed_text(Alg::EdDsa, &header, &payload);
    let error = verify(&token, &[Alg::EdDsa], &public(Alg::EdDsa)).unwrap_err();
    assert!(matches!(error, JwsError::NoKey { .. }));
    assert!(describable(&error.to_string()), "{error}");
    assert!(error.to_string().len() < 250);
    let token = signed_text(Alg::EdDsa, &json!({ "alg": nasty }).to_string(), &payload);
    let error = verify(&token, &[Alg::EdDsa], &public(Alg::EdDsa)).unwrap_err();
    assert!(describable(&error.to_string()), "{error}");
    let text = json!({ "kty": nasty }).to_string();
    let error = Jwk::from_json(text.as_bytes()).unwrap_err();
    assert!(describable(&error.to_string()), "{error}");
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in "\\PC*", bytes: Vec<u8>) {
        let keys = public(Alg::Es256);
        for token in [text.clone(), format!("{text}.{text}.{text}")] {
            let error = verify(&token, &Alg::ALL, &keys).unwrap_err();
            prop_assert!(describable(&error.to_string()));
            let _ = dangerous_peek(&token);
        }
        let _ = Jwk::from_json(&bytes);
        let _ = JwkSet::from_json(&bytes);
        let _ = SigningKey::from_pkcs8(Alg::Es256, &bytes);
    }

    #[test]
    fn any_header_payload_and_signature_are_refused_without_a_panic(
        header: Vec<u8>, kid in "\\PC*", payload: Vec<u8>, signature: Vec<u8>, alg in 0..4_usize,
    ) {
        let alg = Alg::ALL[alg];
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let sound = json!({"alg": alg, "kid": kid}).to_string();
        for header in [header.as_slice(), sound.as_bytes()] {
            let token = format!("{}.{}.{}", encode(header), encode(&payload), encode(&signature));
            let error = verify(&token, &Alg::ALL, &public(alg)).unwrap_err();
            prop_assert!(describable(&error.to_string()));
        }
    }

    #[test]
    fn whatever_is_signed_verifies_to_the_same_claims(sub in ".*", n: i64) {
        let claims = json!({"sub": sub, "n": n});
        let token = key(Alg::EdDsa).sign(Some("JWT"), &claims).unwrap();
        let verified = verify(&token, &[Alg::EdDsa], &public(Alg::EdDsa)).unwrap();
        prop_assert_eq!(Value::Object(verified.payload), claims);
    }
}
