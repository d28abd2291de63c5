//! Another implementation as a witness, both ways.

use jsonwebtoken as oracle;

use super::*;

fn oracle_alg(alg: Alg) -> oracle::Algorithm {
    alg.as_str().parse().unwrap()
}

#[test]
fn another_implementation_verifies_what_is_signed_here() {
    for alg in Alg::ALL {
        let token = key(alg).sign(Some("at+jwt"), &json!({"sub": "ä"})).unwrap();
        let jwk = serde_json::to_value(key(alg).public_jwk()).unwrap();
        let jwk: oracle::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let mut validation = oracle::Validation::new(oracle_alg(alg));
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let decoding = oracle::DecodingKey::from_jwk(&jwk).unwrap();
        let data = oracle::decode::<Value>(&token, &decoding, &validation).unwrap();
        assert_eq!(data.claims, json!({"sub": "ä"}));
        assert_eq!(data.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(data.header.kid.as_deref(), Some(key(alg).kid()));
    }
}

#[test]
fn what_another_implementation_signs_verifies_here() {
    for alg in Alg::ALL {
        let der = key(alg).to_pkcs8().unwrap();
        let encoding = match alg {
            Alg::Es256 => oracle::EncodingKey::from_ec_der(&der),
            Alg::EdDsa => oracle::EncodingKey::from_ed_der(&der),
            // It wants PKCS#1, which is what PKCS#8 wraps in 26 bytes for this size.
            Alg::Rs256 | Alg::Ps256 => oracle::EncodingKey::from_rsa_der(&der[26..]),
        };
        let mut header = oracle::Header::new(oracle_alg(alg));
        header.kid = Some(key(alg).kid().to_owned());
        let token = oracle::encode(&header, &json!({"iss": "x"}), &encoding).unwrap();
        let verified = verify(&token, &[alg], &public(alg)).unwrap();
        assert_eq!(verified.payload["iss"], "x");
        assert_eq!(verified.header.typ.as_deref(), Some("JWT"));
    }
}

#[test]
fn the_thumbprints_agree_with_another_implementation() {
    for alg in Alg::ALL {
        let jwk = serde_json::to_value(key(alg).public_jwk()).unwrap();
        let jwk: oracle::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let other = jwk.thumbprint(oracle::jwk::ThumbprintHash::SHA256).unwrap();
        assert_eq!(other, key(alg).kid());
    }
}
