//! JWTs, made and read by another implementation than the server's own.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rules::jose::{Alg, SigningKey};
use serde_json::Value;

use super::TestServer;

/// RFC 7523 §2.2.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A text that was never used before.
pub fn random_id() -> String {
    use base64::Engine as _;
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs claims with ES256, or with RS256 when the key is an RSA one.
pub fn sign(key: &SigningKey, claims: &Value) -> String {
    let der = key.to_pkcs8().unwrap();
    let (alg, encoding) = match key.alg() {
        Alg::Es256 => (Algorithm::ES256, EncodingKey::from_ec_der(&der)),
        Alg::EdDsa => (Algorithm::EdDSA, EncodingKey::from_ed_der(&der)),
        // It wants PKCS#1, which is what PKCS#8 wraps in 26 bytes for this size.
        Alg::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_der(&der[26..])),
        Alg::Ps256 => (Algorithm::PS256, EncodingKey::from_rsa_der(&der[26..])),
    };
    let mut header = Header::new(alg);
    header.kid = Some(key.kid().to_owned());
    jsonwebtoken::encode(&header, claims, &encoding).unwrap()
}

/// A JWT of the server's, whose signature was verified with its published keys.
pub struct Verified {
    /// The header.
    pub header: Header,
    /// The claims.
    pub claims: Value,
}

/// Verifies a JWT with the keys that the server publishes.
pub async fn verify(server: &TestServer, token: &str) -> Verified {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let jwks = server.get("/jwks").await.ok();
    let kid = header.kid.clone().unwrap();
    let mut fitting = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["kid"] == kid.as_str());
    let key = fitting.next().unwrap();
    assert!(fitting.next().is_none(), "two keys with one kid");
    let jwk: Jwk = serde_json::from_value(key.clone()).unwrap();
    // Times are compared with the server's own clock, by the tests.
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoding = DecodingKey::from_jwk(&jwk).unwrap();
    let data = jsonwebtoken::decode::<Value>(token, &decoding, &validation).unwrap();
    Verified {
        header,
        claims: data.claims,
    }
}
