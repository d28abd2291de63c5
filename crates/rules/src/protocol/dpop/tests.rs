//! Proofs of RFC 9449, and what is wrong with others.

use serde_json::json;

use super::*;
use crate::jose::SigningKey;

/// RFC 9449 §4.1, figure 2; §7.1, figure 13.
const TOKEN_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
const API_PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

const NOW: i64 = 1_562_262_616;

fn expect(now: i64) -> Expectation<'static> {
    Expectation {
        method: "POST",
        uri: "https://server.example.com/token",
        access_token: None,
        now: Timestamp::from_secs(now),
        epoch: None,
    }
}

#[test]
fn rfc_9449_4_1_a_proof_for_the_token_endpoint() {
    let proof = verify(TOKEN_PROOF, &expect(NOW)).unwrap();
    assert_eq!(proof.key.to_string(), JKT);
    assert_eq!(proof.id.jti, "-BwC3ESc6acc2lTc");
    assert_eq!(proof.id.expires_at, Timestamp::from_secs(NOW + 60));
    assert_eq!(proof.nonce, None);
}

#[test]
fn rfc_9449_7_1_a_proof_for_an_api_with_its_token() {
    let expect = |token| Expectation {
        method: "GET",
        uri: "https://resource.example.org/protectedresource",
        access_token: Some(token),
        now: Timestamp::from_secs(NOW + 2),
        epoch: None,
    };
    let proof = verify(API_PROOF, &expect(ACCESS_TOKEN)).unwrap();
    assert_eq!(proof.key.to_string(), JKT);
    let other = verify(API_PROOF, &expect("another"));
    assert_eq!(other.unwrap_err(), ProofError::Token);
}

/// Signs header and claims with a new key, whose `jwk` stands in the header unless it says
/// otherwise.
fn signed(alg: Alg, header: &Value, claims: &Value) -> String {
    let key = SigningKey::generate(alg).unwrap();
    let mut all = json!({ "typ": "dpop+jwt", "alg": alg.as_str(), "jwk": key.public_jwk() });
    for (name, value) in header.as_object().unwrap() {
        all[name] = value.clone();
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        }
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(&all), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign_message(input.as_bytes()).unwrap());
    format!("{input}.{signature}")
}

fn claims() -> Value {
    json!({
        "jti": "a", "htm": "POST", "htu": "https://server.example.com/token", "iat": NOW,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn judge(jwt: &str) -> Result<Proof, ProofError> {
    verify(jwt, &expect(NOW))
}

#[test]
fn each_accepted_algorithm_by_each_of_its_names() {
    for alg in ACCEPTED {
        judge(&signed(alg, &json!({}), &claims())).unwrap();
    }
    judge(&signed(Alg::EdDsa, &json!({ "alg": "Ed25519" }), &claims())).unwrap();
    for name in ["RS256", "none", "HS256", "ES384", "Es256"] {
        let alg = if name == "RS256" {
            Alg::Rs256
        } else {
            Alg::Es256
        };
        let refused = judge(&signed(alg, &json!({ "alg": name }), &claims()));
        assert!(matches!(refused, Err(ProofError::Jwt(_))), "{name}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for name in ["typ", "jwk"] {
        let refused = judge(&signed(Alg::Es256, &json!({ name: null }), &claims()));
        assert_eq!(refused.unwrap_err(), ProofError::Missing(name));
    }
    for name in ["jti", "htm", "htu", "iat"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let refused = judge(&signed(Alg::Es256, &json!({}), &claims));
        assert_eq!(refused.unwrap_err(), ProofError::Missing(name));
    }
    let no_alg = judge(&signed(Alg::Es256, &json!({ "alg": null }), &claims()));
    assert!(no_alg.is_err());
    let no_ath = verify(
        &signed(Alg::Es256, &json!({}), &claims()),
        &Expectation {
            access_token: Some("x"),
            ..expect(NOW)
        },
    );
    assert_eq!(no_ath.unwrap_err(), ProofError::Missing("ath"));
}

#[test]
fn what_is_not_known_is_ignored() {
    let mut claims = with("what", "ever".into());
    claims["nbf"] = NOW.into();
    claims["exp"] = (NOW + 5).into();
    claims["nonce"] = "n".into();
    let proof = judge(&signed(
        Alg::Es256,
        &json!({ "what": 1, "typ": "DPoP+JWT" }),
        &claims,
    ));
    assert_eq!(proof.unwrap().nonce.as_deref(), Some("n"));
}

#[test]
fn a_private_key_and_a_wrong_signature_are_refused() {
    let key = SigningKey::generate(Alg::Es256).unwrap();
    let mut jwk = serde_json::to_value(key.public_jwk()).unwrap();
    let other = judge(&signed(Alg::Es256, &json!({ "jwk": jwk }), &claims()));
    assert!(matches!(other, Err(ProofError::Jwt(_))));
    jwk["d"] = "AQAB".into();
    let private = judge(&signed(Alg::Es256, &json!({ "jwk": jwk }), &claims()));
    assert!(matches!(private, Err(ProofError::Key(_))));
    for garbage in [
        "",
        "a.b.c",
        "..",
        "é",
        &TOKEN_PROOF[..TOKEN_PROOF.len() - 1],
    ] {
        assert!(judge(garbage).is_err(), "{garbage}");
    }
}

#[test]
fn the_address_is_compared_as_addresses_are() {
    let uri = |htu: &str| judge(&signed(Alg::Es256, &json!({}), &with("htu", htu.into()))).is_ok();
    for same in [
        "https://server.example.com/token",
        "https://server.example.com:443/token",
        "HTTPS://SERVER.example.com/token",
        "https://server.example.com/token?a=b#c",
        "https://server.example.com/%74oken",
    ] {
        assert!(uri(same), "{same}");
    }
    for other in [
        "https://server.example.com/Token",
        "https://server.example.com/token/",
        "https://server.example.com:444/token",
        "http://server.example.com/token",
        "https://server.example.com.evil.example/token",
        "https://server.example.com@evil.example/token",
        "https://user@server.example.com/token",
        "https://server.example.com/%2Ftoken",
        "//server.example.com/token",
        "/token",
        "",
    ] {
        assert!(!uri(other), "{other}");
    }
}

#[test]
fn the_method_is_compared_to_the_letter() {
    for htm in ["PUT", "post", ""] {
        let refused = judge(&signed(Alg::Es256, &json!({}), &with("htm", htm.into())));
        assert!(matches!(refused, Err(ProofError::Method { .. })), "{htm}");
    }
}

#[test]
fn a_proof_is_of_this_moment() {
    let at = |iat: Value| judge(&signed(Alg::Es256, &json!({}), &with("iat", iat))).err();
    for near in [NOW - 59, NOW - 10, NOW + 8, NOW + 10] {
        assert_eq!(at(near.into()), None, "{near}");
    }
    assert_eq!(at((NOW - 60).into()), Some(ProofError::Old(60)));
    assert_eq!(at((NOW - 3600).into()), Some(ProofError::Old(3600)));
    assert_eq!(at((NOW + 11).into()), Some(ProofError::Ahead(11)));
    assert_eq!(at((NOW + 3600).into()), Some(ProofError::Ahead(3600)));
    for strange in [
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!("1562262616"),
        json!(NOW * 1000),
    ] {
        assert_eq!(at(strange.clone()), Some(ProofError::NotATime), "{strange}");
    }
}

#[test]
fn a_proof_from_before_a_restore_is_refused() {
    let proof = signed(Alg::Es256, &json!({}), &claims());
    let at = |epoch| {
        let epoch = Some(Timestamp::from_secs(epoch));
        verify(
            &proof,
            &Expectation {
                epoch,
                ..expect(NOW)
            },
        )
        .is_ok()
    };
    assert!(at(NOW - 11));
    assert!(!at(NOW - 10));
    assert!(!at(NOW));
}

#[test]
fn an_id_is_short() {
    for jti in [String::new(), "x".repeat(MAX_JTI_BYTES + 1)] {
        let refused = judge(&signed(Alg::Es256, &json!({}), &with("jti", jti.into())));
        assert_eq!(refused.unwrap_err(), ProofError::JtiLength);
    }
    let number = judge(&signed(Alg::Es256, &json!({}), &with("jti", 1.into())));
    assert_eq!(number.unwrap_err(), ProofError::NotAString("jti"));
}

proptest::proptest! {
    #[test]
    fn anything_is_answered(text: String, iat: i64) {
        let _ = judge(&text);
        let _ = judge(&signed(Alg::Es256, &json!({}), &with("iat", iat.into())));
        let _ = normalized(&text);
    }
}
