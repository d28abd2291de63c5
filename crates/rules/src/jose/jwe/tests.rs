//! Round trips, attacks, and the RFCs' vectors as far as their algorithms exist here.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::LazyLock;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::jwk::Material;
use super::agree::{Info, Point, derive};
use super::*;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../tests/data/rfc.json")).unwrap());

/// One key for ECDH-ES and one for RSA, which is slow to make.
static KEYS: LazyLock<[DecryptionKey; 2]> = LazyLock::new(|| {
    [KeyAlg::EcdhEs, KeyAlg::RsaOaep256].map(|alg| DecryptionKey::generate(alg).unwrap())
});

fn key(alg: KeyAlg) -> &'static DecryptionKey {
    KEYS.iter().find(|key| key.fits(alg)).unwrap()
}

fn sealed(alg: KeyAlg, enc: Enc, text: &str) -> String {
    let to = key(alg).public_jwk();
    encrypt(text.as_bytes(), to, alg, enc, Some("JWT")).unwrap()
}

fn b64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn parts(token: &str) -> Vec<String> {
    token.split('.').map(str::to_owned).collect()
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&b64(token.split('.').next().unwrap())).unwrap()
}

fn with_header(token: &str, change: &Value) -> String {
    let mut members = header(token);
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            members.as_object_mut().unwrap().remove(name);
        } else {
            members[name] = value.clone();
        }
    }
    let mut all = parts(token);
    all[0] = URL_SAFE_NO_PAD.encode(members.to_string());
    all.join(".")
}

#[test]
fn whatever_is_encrypted_decrypts_to_the_same_with_a_new_key_each_time() {
    for alg in KeyAlg::ALL {
        for enc in Enc::ALL {
            let (one, two) = (sealed(alg, enc, "a.b.c"), sealed(alg, enc, "a.b.c"));
            let opened = decrypt(&one, KEYS.as_slice()).unwrap();
            assert_eq!(opened.plaintext, b"a.b.c");
            assert_eq!((opened.alg, opened.enc), (alg, enc));
            assert_eq!(opened.cty.as_deref(), Some("JWT"));
            for (a, b) in parts(&one).iter().zip(parts(&two)).skip(2) {
                assert_ne!(*a, b);
            }
        }
    }
}

#[test]
fn a_private_key_survives_being_stored() {
    for alg in KeyAlg::ALL {
        let der = key(alg).to_pkcs8().unwrap();
        let again = DecryptionKey::from_pkcs8(alg, &der).unwrap();
        assert_eq!(again.kid(), key(alg).kid());
        assert!(decrypt(&sealed(alg, Enc::A256Gcm, "x"), &[again]).is_ok());
        assert!(DecryptionKey::from_pkcs8(alg, &der[..der.len() - 1]).is_err());
        let shown = format!("{:?}", key(alg));
        assert!(!shown.contains(&URL_SAFE_NO_PAD.encode(&der[der.len() - 40..])));
    }
}

#[test]
fn a_public_key_survives_json_and_a_signature_key_is_none() {
    for alg in KeyAlg::ALL {
        let public = key(alg).public_jwk();
        let value = serde_json::to_value(public).unwrap();
        assert_eq!(value["use"], "enc");
        assert_eq!(value["kid"], key(alg).kid());
        let again: EncryptionJwk = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(&again, public);
        for change in [
            json!({"use": "sig"}),
            json!({"alg": "ES256"}),
            json!({"key_ops": ["verify"]}),
            json!({"kty": "OKP", "crv": "Ed25519"}),
            json!({"d": "AA"}),
        ] {
            let mut other = value.clone();
            for (name, value) in change.as_object().unwrap() {
                other[name] = value.clone();
            }
            assert!(serde_json::from_value::<EncryptionJwk>(other).is_err());
        }
    }
}

#[test]
fn a_key_declared_for_one_algorithm_is_used_for_no_other() {
    let mut value = serde_json::to_value(key(KeyAlg::EcdhEs).public_jwk()).unwrap();
    value["alg"] = json!("ECDH-ES+A256KW");
    let public: EncryptionJwk = serde_json::from_value(value).unwrap();
    assert!(encrypt(b"x", &public, KeyAlg::EcdhEsA256Kw, Enc::A256Gcm, None).is_ok());
    for alg in [KeyAlg::EcdhEs, KeyAlg::RsaOaep256] {
        let refused = encrypt(b"x", &public, alg, Enc::A256Gcm, None);
        assert_eq!(refused, Err(EncryptError));
    }
}

#[test]
fn whatever_is_changed_the_error_is_the_same() {
    for alg in KeyAlg::ALL {
        let token = sealed(alg, Enc::A256Gcm, "contents");
        for part in 0..5 {
            for change in ["", "AAAA", "=", "*"] {
                let mut all = parts(&token);
                if all[part] != change {
                    all[part] = change.to_owned();
                    assert_eq!(decrypt(&all.join("."), KEYS.as_slice()), Err(JweError));
                }
            }
            let mut all = parts(&token);
            if !all[part].is_empty() {
                let flipped = if all[part].starts_with('A') { "B" } else { "A" };
                all[part].replace_range(..1, flipped);
                assert_eq!(decrypt(&all.join("."), KEYS.as_slice()), Err(JweError));
            }
        }
    }
}

#[test]
fn headers_that_ask_for_anything_else_are_refused() {
    for alg in KeyAlg::ALL {
        let token = sealed(alg, Enc::A256Gcm, "contents");
        for change in [
            json!({"alg": "RSA1_5"}),
            json!({"alg": "RSA-OAEP"}),
            json!({"alg": "dir"}),
            json!({"alg": "PBES2-HS256+A128KW", "p2c": 1_000_000_000, "p2s": "AA"}),
            json!({"alg": null}),
            json!({"enc": "A128CBC-HS256"}),
            json!({"enc": "A128GCM"}),
            json!({"enc": null}),
            json!({"zip": "DEF"}),
            json!({"crit": ["exp"], "exp": 1}),
            json!({"kid": 1}),
            json!({"kid": "another"}),
            json!({"epk": 1}),
            json!({"epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}),
            json!({"apu": "AA"}),
            json!({"apv": "A".repeat(1000)}),
        ] {
            let changed = with_header(&token, &change);
            assert_eq!(
                decrypt(&changed, KEYS.as_slice()),
                Err(JweError),
                "{change}"
            );
        }
    }
}

/// The attack of invalid curves: a point that lies on no P-256 would leak the private key bit by bit.
#[test]
fn a_point_off_the_curve_is_refused() {
    let token = sealed(KeyAlg::EcdhEs, Enc::A256Gcm, "contents");
    let coordinate = URL_SAFE_NO_PAD.encode([1; 32]);
    let epk = json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate});
    let changed = with_header(&token, &json!({"epk": epk}));
    assert_eq!(decrypt(&changed, KEYS.as_slice()), Err(JweError));
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    let key = json!({"kty": "EC", "crv": "P-256", "x": zero, "y": zero});
    assert!(serde_json::from_value::<EncryptionJwk>(key).is_err());
}

#[test]
fn a_stranger_cannot_read_it_and_no_key_reads_nothing() {
    for alg in KeyAlg::ALL {
        let token = sealed(alg, Enc::A256Gcm, "contents");
        let stranger = DecryptionKey::generate(alg).unwrap();
        let anonymous = with_header(&token, &json!({"kid": null}));
        assert_eq!(decrypt(&token, &[stranger]), Err(JweError));
        assert_eq!(decrypt(&token, &KEYS[..0]), Err(JweError));
        // The header is authenticated: without its kid it is another one.
        assert_eq!(decrypt(&anonymous, KEYS.as_slice()), Err(JweError));
    }
}

#[test]
fn a_direct_agreement_with_an_encrypted_key_is_refused() {
    let token = sealed(KeyAlg::EcdhEs, Enc::A256Gcm, "contents");
    let mut all = parts(&token);
    assert_eq!(all[1], "");
    all[1] = "AAAA".to_owned();
    assert_eq!(decrypt(&all.join("."), KEYS.as_slice()), Err(JweError));
}

#[test]
fn an_overlong_token_is_refused_before_it_is_looked_at() {
    let token = sealed(KeyAlg::EcdhEs, Enc::A256Gcm, &"x".repeat(MAX_JWE_BYTES));
    assert_eq!(decrypt(&token, KEYS.as_slice()), Err(JweError));
    let fits = sealed(KeyAlg::EcdhEs, Enc::A256Gcm, &"x".repeat(20 * 1024));
    assert!(decrypt(&fits, KEYS.as_slice()).is_ok());
}

#[test]
fn five_parts_make_a_jwe() {
    assert!(is_jwe("a.b.c.d.e"));
    for other in ["", "a.b.c", "a.b.c.d", "a.b.c.d.e.f", "....."] {
        assert!(!is_jwe(other), "{other}");
        assert_eq!(decrypt(other, KEYS.as_slice()), Err(JweError));
    }
}

#[test]
fn rfc_7518_appendix_c_key_is_derived() {
    let scalar = b64("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
    let alice = PrivateKey::from_private_key(&ECDH_P256, &scalar).unwrap();
    let bob = json!({
        "kty": "EC", "crv": "P-256",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    });
    let info = Info {
        algorithm: "A128GCM",
        producer: b"Alice",
        consumer: b"Bob",
    };
    let key = derive(&alice, &point(&bob), info, 16).unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(key.as_slice()),
        "VqqN6vgjbSBcIijNcacQGg"
    );
    // And from the other side.
    let scalar = b64("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    let bob = PrivateKey::from_private_key(&ECDH_P256, &scalar).unwrap();
    let alice = json!({
        "kty": "EC", "crv": "P-256",
        "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
    });
    assert_eq!(derive(&bob, &point(&alice), info, 16).unwrap(), key);
}

#[test]
fn rfc_7520_5_5_key_is_derived() {
    let vector = &VECTORS["rfc7520"]["jwe"]["5.5"];
    let scalar = b64(vector["key"]["d"].as_str().unwrap());
    let own = PrivateKey::from_private_key(&ECDH_P256, &scalar).unwrap();
    let epk = header(vector["token"].as_str().unwrap())["epk"].clone();
    let info = Info {
        algorithm: "A128CBC-HS256",
        producer: &[],
        consumer: &[],
    };
    let key = derive(&own, &point(&epk), info, 32).unwrap();
    let expected = vector["cek"].as_str().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(key.as_slice()), expected);
}

fn point(jwk: &Value) -> Point {
    let members = jwk.as_object().unwrap();
    let Ok(Material::Ec { x, y }) = Material::from_members(members) else {
        panic!("it is a point");
    };
    [&[4], x.as_slice(), &y].concat().try_into().unwrap()
}

/// The contents of those whose way to hand the key over does not exist here, with the key that the
/// RFCs give.
#[test]
fn rfc_7516_a_1_and_rfc_7520_5_2_5_6_5_8_contents_open_and_seal_likewise() {
    let cookbook = &VECTORS["rfc7520"];
    for (vector, enc, plaintext) in [
        (
            &VECTORS["rfc7516"]["A1"],
            Enc::A256Gcm,
            &VECTORS["rfc7516"]["A1"]["plaintext"],
        ),
        (
            &cookbook["jwe"]["5.2"],
            Enc::A256Gcm,
            &cookbook["plaintext"],
        ),
        (
            &cookbook["jwe"]["5.6"],
            Enc::A128Gcm,
            &cookbook["plaintext"],
        ),
        (
            &cookbook["jwe"]["5.8"],
            Enc::A128Gcm,
            &cookbook["plaintext"],
        ),
    ] {
        let all = parts(vector["token"].as_str().unwrap());
        let key = b64(vector["cek"].as_str().unwrap());
        let iv: [u8; 12] = b64(&all[2]).try_into().unwrap();
        let joined = [b64(&all[3]), b64(&all[4])].concat();
        let opened = content::open(enc, &key, iv, &all[0], joined.clone()).unwrap();
        assert_eq!(opened, plaintext.as_str().unwrap().as_bytes());
        let (sealed, tag) = content::seal(enc, &key, iv, &all[0], &opened).unwrap();
        assert_eq!([sealed, tag.to_vec()].concat(), joined);
    }
}

#[test]
fn the_rfcs_examples_of_what_does_not_exist_here_are_refused() {
    let cookbook = VECTORS["rfc7520"]["jwe"].as_object().unwrap();
    let basics = VECTORS["rfc7516"].as_object().unwrap();
    let all: Vec<_> = cookbook.values().chain(basics.values()).collect();
    assert_eq!(all.len(), 12);
    for vector in all {
        let token = vector["token"].as_str().unwrap();
        assert!(is_jwe(token));
        assert_eq!(decrypt(token, KEYS.as_slice()), Err(JweError));
    }
}

#[test]
fn rfc_7517_a_1_keys_are_told_apart_by_what_they_are_for() {
    let set = VECTORS["rfc7517"]["public"].as_object().unwrap();
    let keys = EncryptionJwk::all_of(set).unwrap();
    // The EC key is declared for encryption, the RSA key for RS256.
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].kid(), Some("1"));
    assert!(keys[0].fits(KeyAlg::EcdhEs));
    let private = VECTORS["rfc7517"]["private"].as_object().unwrap();
    assert!(EncryptionJwk::all_of(private).is_err());
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in "\\PC*", bytes: Vec<u8>) {
        let encoded = URL_SAFE_NO_PAD.encode(&bytes);
        for token in [text.clone(), format!("{text}.{text}.{text}.{text}.{text}"),
            format!("{encoded}.{encoded}.{encoded}.{encoded}.{encoded}")] {
            prop_assert_eq!(decrypt(&token, KEYS.as_slice()), Err(JweError));
        }
    }

    #[test]
    fn any_parts_after_a_sound_header_are_refused(
        key: Vec<u8>, iv: [u8; 12], text: Vec<u8>, tag: [u8; 16], which in 0..3_usize,
    ) {
        let token = sealed(KeyAlg::ALL[which], Enc::A256Gcm, "contents");
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut all = parts(&token);
        for (at, bytes) in [key.as_slice(), &iv, &text, &tag].into_iter().enumerate() {
            all[at + 1] = encode(bytes);
        }
        prop_assert_eq!(decrypt(&all.join("."), KEYS.as_slice()), Err(JweError));
    }
}
