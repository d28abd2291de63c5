//! Access tokens that are JWTs (RFC 9068).

use serde_json::json;

use crate::support::server::CARDS;
use crate::support::{Reply, Spec, TestServer, jwt};

on_both![
    it_has_the_type_and_the_claims_of_the_standard,
    it_tells_how_the_person_was_authenticated,
    a_jwt_that_we_did_not_sign_is_inactive,
    an_id_token_is_not_taken_for_one,
    it_serves_at_userinfo,
];

async fn it_has_the_type_and_the_claims_of_the_standard(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "cards:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    let jwt::Verified { header, claims } = jwt::verify(&server, token).await;
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(claims["iss"], server.issuer.as_str());
    assert_eq!(claims["sub"], "app");
    assert_eq!(claims["aud"], CARDS);
    assert_eq!(claims["client_id"], "app");
    assert_eq!(claims["scope"], "cards:read");
    assert_eq!(claims["iat"], server.now());
    assert_eq!(claims["exp"], server.now() + 300);
    assert!(!claims["jti"].as_str().unwrap().is_empty());
}

async fn it_tells_how_the_person_was_authenticated(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid cards:read")
        .await;
    let claims = jwt::verify(&server, &tokens.access).await.claims;
    assert_eq!(claims["sub"], ada.id.to_string());
    assert_eq!(claims["acr"], "urn:countersign:acr:2fa");
    assert_eq!(claims["auth_time"], server.now());
    assert_eq!(claims["aud"], json!([CARDS, server.issuer]));
    let seen = server.cards.introspect(&server, &tokens.access).await;
    assert_eq!(
        (&seen["aud"], &seen["scope"]),
        (&json!(CARDS), &json!("cards:read"))
    );
}

async fn a_jwt_that_we_did_not_sign_is_inactive(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let reply = app.client_credentials(&server, "cards:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    let claims = jwt::verify(&server, token).await.claims;
    let forged = app.assertion(&claims);
    assert!(!server.cards.sees(&server, &forged).await);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let (_, payload) = forged.rsplit_once('.').unwrap().0.split_once('.').unwrap();
    for bad in [
        format!("{signed}."),
        format!("{header}.{payload}x.{signature}"),
        format!("eyJhbGciOiJub25lIn0.{payload}."),
        format!("{token}.{signature}"),
    ] {
        assert!(!server.cards.sees(&server, &bad).await, "{bad}");
    }
    assert!(server.cards.sees(&server, token).await);
}

async fn an_id_token_is_not_taken_for_one(server: TestServer) {
    let mut spec = Spec::confidential("app");
    spec.alg = Some(rules::jose::Alg::Es256);
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid cards:read")
        .await;
    assert!(!server.cards.sees(&server, &tokens.id).await);
}

async fn it_serves_at_userinfo(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid email cards:read")
        .await;
    let request = server
        .http
        .get(server.at("/userinfo"))
        .bearer_auth(&tokens.access);
    assert_eq!(Reply::of(request).await.ok()["email"], "ada@mail.example");
}
