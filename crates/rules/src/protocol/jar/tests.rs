use serde_json::json;

use super::super::target::tests::app;
use super::*;
use crate::jose::{self, JwkSet, SigningKey};
use crate::protocol::client::ClientAuth;

const ISSUER: &str = "https://id.example";
const NOW: i64 = 1_800_000_000;

fn client(key: &SigningKey) -> Client {
    let mut client = app();
    client.auth = ClientAuth::PrivateKeyJwt {
        jwks: JwkSet::from(key.public_jwk().clone()),
    };
    client
}

/// As a server does that has the keys.
fn read(jwt: &str, client: &Client, issuer: &str, now: Timestamp) -> Result<Params, OAuthError> {
    let keys = client.own_keys().ok_or_else(|| invalid("no keys"))?;
    let verified = jose::verify(jwt, algs(client), keys);
    let verified = verified.map_err(|error| invalid(&error.to_string()))?;
    super::read(verified, client, issuer, now)
}

fn claims() -> Value {
    json!({
        "iss": "app", "client_id": "app", "aud": ISSUER, "nbf": NOW, "exp": NOW + 300,
        "scope": "openid", "max_age": 60, "claims": {"userinfo": {"email": null}},
        "resource": ["https://a.example", "https://b.example"],
    })
}

fn judge(typ: Option<&str>, claims: &Value) -> Result<Params, OAuthError> {
    let key = SigningKey::generate(Alg::Es256).unwrap();
    let jwt = key.sign(typ, claims).unwrap();
    read(&jwt, &client(&key), ISSUER, Timestamp::from_secs(NOW))
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

#[test]
fn what_is_signed_becomes_parameters() {
    let params = judge(Some("oauth-authz-req+jwt"), &claims()).unwrap();
    assert_eq!(params.get("scope"), Some("openid"));
    assert_eq!(params.get("max_age"), Some("60"));
    assert_eq!(params.get("claims"), Some(r#"{"userinfo":{"email":null}}"#));
    assert_eq!(params.resources().len(), 2);
    assert_eq!(params.get("iss"), None);
}

#[test]
fn the_type_ignores_case_and_may_be_left_out() {
    for typ in [
        None,
        Some("OAuth-Authz-Req+JWT"),
        Some("application/oauth-authz-req+jwt"),
        Some("JWT"),
    ] {
        assert!(judge(typ, &claims()).is_ok(), "{typ:?}");
    }
    for typ in ["at+jwt", "dpop+jwt", "client-authentication+jwt"] {
        assert!(judge(Some(typ), &claims()).is_err(), "{typ}");
    }
}

#[test]
fn each_mistake_is_an_invalid_request_object() {
    for (name, value) in [
        ("exp", json!(null)),
        ("nbf", json!(null)),
        ("exp", json!(NOW)),
        ("exp", json!(NOW - 3600)),
        ("exp", json!(NOW + 4200)),
        ("nbf", json!(NOW - 4200)),
        ("nbf", json!(NOW + 11)),
        ("nbf", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("iat", json!(NOW + 60)),
        ("aud", json!("https://other.example")),
        ("aud", json!(null)),
        ("aud", json!([])),
        ("iss", json!("other")),
        ("client_id", json!("other")),
        ("client_id", json!(null)),
        ("sub", json!("app")),
        ("request", json!("x")),
        ("request_uri", json!("x")),
        ("resource", json!([1])),
        ("state", json!("a\u{0}b")),
    ] {
        let error = judge(None, &with(name, value.clone())).unwrap_err();
        assert_eq!(
            error.code.as_str(),
            "invalid_request_object",
            "{name} {value}"
        );
    }
}

#[test]
fn an_audience_among_others_and_a_clock_a_little_ahead_are_fine() {
    let many = json!(["https://other.example", ISSUER]);
    assert!(judge(None, &with("aud", many)).is_ok());
    assert!(judge(None, &with("nbf", json!(NOW + 8))).is_ok());
    assert!(judge(None, &with("nbf", json!(NOW - 3000))).is_ok());
}

#[test]
fn only_a_registered_key_and_algorithm_sign_requests() {
    let key = SigningKey::generate(Alg::Es256).unwrap();
    let other = SigningKey::generate(Alg::Es256).unwrap();
    let rsa = SigningKey::generate(Alg::Rs256).unwrap();
    let at = Timestamp::from_secs(NOW);
    let jwt = other.sign(None, &claims()).unwrap();
    assert!(read(&jwt, &client(&key), ISSUER, at).is_err());
    let jwt = rsa.sign(None, &claims()).unwrap();
    assert!(read(&jwt, &client(&rsa), ISSUER, at).is_err());
    let mut strict = client(&key);
    strict.metadata.request_object_signing_alg = Some(Alg::Ps256);
    let jwt = key.sign(None, &claims()).unwrap();
    assert!(read(&jwt, &strict, ISSUER, at).is_err());
    assert!(read(&jwt, &app(), ISSUER, at).is_err(), "it has no keys");
}

proptest::proptest! {
    #[test]
    fn anything_is_answered(text: String, nbf: i64, exp: i64) {
        let key = SigningKey::generate(Alg::EdDsa).unwrap();
        let at = Timestamp::from_secs(NOW);
        let _ = read(&text, &client(&key), ISSUER, at);
        let mut claims = claims();
        claims["nbf"] = nbf.into();
        claims["exp"] = exp.into();
        let _ = read(&key.sign(None, &claims).unwrap(), &client(&key), ISSUER, at);
    }
}
