//! More of the RFCs' examples: those of RFC 7515, 7517 and 7520 whose algorithms exist here verify,
//! and all others are refused.

use super::*;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/rfc.json")).unwrap());

fn jwk(value: &Value) -> Result<Jwk, KeyError> {
    Jwk::from_json(value.to_string().as_bytes())
}

/// Whether a token's signature is by a key, whatever its payload is.
fn holds(token: &str, alg: Alg, key: &Jwk) -> bool {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    key.verifies(alg, signed.as_bytes(), &b64(signature))
}

#[test]
fn rfc_7515_a_4_and_a_5_are_refused() {
    let a4 = &VECTORS["rfc7515"]["A4"];
    // ES512 on P-521.
    assert!(matches!(
        jwk(&a4["key"]),
        Err(KeyError::Unsupported("crv", _))
    ));
    let unsigned = VECTORS["rfc7515"]["A5"].as_str().unwrap();
    for token in [a4["token"].as_str().unwrap(), unsigned] {
        let refused = verify(token, &Alg::ALL, &public(Alg::Es256)).unwrap_err();
        assert!(matches!(refused, JwsError::NotAllowed { .. }), "{refused}");
    }
}

#[test]
fn rfc_7515_a_6_each_signature_holds_by_its_own_key() {
    let whole = &VECTORS["rfc7515"]["A6"];
    // Both signatures are those of A.2 and A.3; what differs is that keys are named outside.
    let signatures = whole["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 2);
    let token = |at: usize| {
        let text = |name: &str| signatures[at][name].as_str().unwrap().to_owned();
        let payload = whole["payload"].as_str().unwrap();
        format!("{}.{payload}.{}", text("protected"), text("signature"))
    };
    let rsa = jwk(&json!({"kty": "RSA", "n": vectors::A2_N, "e": "AQAB"})).unwrap();
    let ec = Jwk::from_json(vectors::A3_KEY.as_bytes()).unwrap();
    assert!(holds(&token(0), Alg::Rs256, &rsa));
    assert!(holds(&token(1), Alg::Es256, &ec));
    assert!(!holds(&token(1), Alg::Rs256, &rsa));
    // The JSON serialization itself is not taken.
    let error = verify(&whole.to_string(), &Alg::ALL, &public(Alg::Es256));
    assert!(error.is_err());
}

#[test]
fn rfc_7517_a_1_only_the_key_for_signatures_is_one() {
    let set = JwkSet::from_json(VECTORS["rfc7517"]["public"].to_string().as_bytes()).unwrap();
    assert_eq!(set.keys().len(), 1);
    assert_eq!(set.keys()[0].alg(), Some(Alg::Rs256));
    let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(set.keys()[0].thumbprint(), expected);
}

#[test]
fn rfc_7517_a_2_and_a_3_private_and_symmetric_keys_are_refused() {
    for name in ["private", "symmetric"] {
        let set = VECTORS["rfc7517"][name].to_string();
        let refused = JwkSet::from_json(set.as_bytes()).unwrap_err();
        assert!(matches!(refused, KeyError::InSet(0, _)), "{refused}");
    }
}

#[test]
fn rfc_7520_4_1_rs256_holds_and_the_others_are_refused() {
    let cookbook = &VECTORS["rfc7520"];
    let key = jwk(&cookbook["keys"]["3.3"]).unwrap();
    let jws = |section: &str| cookbook["jws"][section].as_str().unwrap();
    assert!(holds(jws("4.1"), Alg::Rs256, &key));
    assert!(!holds(jws("4.1"), Alg::Ps256, &key));
    // Its payload is no JSON object, so that it is no token here.
    let set = JwkSet::from(key);
    let error = verify(jws("4.1"), &[Alg::Rs256], &set).unwrap_err();
    assert_eq!(error, JwsError::NotAnObject(Part::Payload));
    for section in ["4.2", "4.3", "4.4"] {
        let refused = verify(jws(section), &Alg::ALL, &set).unwrap_err();
        assert!(matches!(refused, JwsError::NotAllowed { .. }), "{section}");
    }
}

#[test]
fn rfc_7520_3_only_the_public_rsa_key_is_taken() {
    let keys = VECTORS["rfc7520"]["keys"].as_object().unwrap();
    assert_eq!(keys.len(), 6);
    for (section, value) in keys {
        assert_eq!(jwk(value).is_ok(), section == "3.3", "{section}");
    }
}

/// RFC 9449 §4.1: the proof of its figure 2, by the key in its own header.
#[test]
fn rfc_9449_4_proof_verifies_by_the_key_it_carries() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let peeked = dangerous_peek(proof).unwrap();
    let own = Jwk::from_json(peeked.header["jwk"].to_string().as_bytes()).unwrap();
    // RFC 9449 §6.1: the thumbprint that binds the token of figure 8.
    assert_eq!(
        own.thumbprint(),
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    );
    let verified = verify(proof, &[Alg::Es256], &JwkSet::from(own)).unwrap();
    assert_eq!(verified.header.typ.as_deref(), Some("dpop+jwt"));
    assert_eq!(verified.payload["htm"], "POST");
    assert_eq!(verified.payload["htu"], "https://server.example.com/token");
}
