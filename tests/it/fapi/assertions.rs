//! Client authentication (FAPI 2.0 Security Profile §5.3.2.1, RFC 10070).

use rules::jose::{Alg, SigningKey};
use serde_json::{Value, json};

use super::{partner, refused, send};
use crate::support::{TestServer, jwt};

on_both![
    an_assertion_names_the_issuer_alone_and_as_a_string,
    an_assertion_eight_seconds_ahead_is_taken_and_one_a_minute_ahead_is_not,
    an_assertion_that_expired_or_names_nobody_is_refused,
    an_assertion_under_rs256_is_an_invalid_client,
    a_client_without_its_assertion_is_nobody,
    a_client_under_another_ones_key_is_refused,
];

const ASK: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

async fn an_assertion_names_the_issuer_alone_and_as_a_string(server: TestServer) {
    let app = partner(&server, "app").await;
    let request = app.request("openid");
    for aud in [
        json!([server.issuer]),
        json!([server.issuer, "https://other.example"]),
        json!(server.at("/par")),
        json!(server.at("/token")),
        json!(format!("{}/", server.issuer)),
        json!("https://other.example"),
        Value::Null,
    ] {
        let mut claims = app.app.claims(&server);
        claims["aud"] = aud.clone();
        let pairs = request.pairs();
        let assertion = app.app.assertion(&claims);
        let reply = app.ask(&server, ("/par", &pairs), &assertion, &[]).await;
        refused(&reply, &["invalid_client"]);
        let proof = app.holder.proof(&server, "/token");
        let reply = app
            .ask(&server, ("/token", &ASK), &assertion, &[proof])
            .await;
        refused(&reply, &["invalid_client"]);
    }
    assert_eq!(app.push(&server, &request).await.status, 201);
    app.post(&server, "/token", &ASK).await.ok();
}

async fn an_assertion_eight_seconds_ahead_is_taken_and_one_a_minute_ahead_is_not(
    server: TestServer,
) {
    let app = partner(&server, "app").await;
    let request = app.request("openid");
    let pairs = request.pairs();
    for (ahead, status) in [(8, 201), (62, 401)] {
        let now = server.now() + ahead;
        let mut claims = app.app.claims(&server);
        claims["iat"] = now.into();
        claims["nbf"] = now.into();
        claims["exp"] = (now + 60).into();
        let assertion = app.app.assertion(&claims);
        let reply = app.ask(&server, ("/par", &pairs), &assertion, &[]).await;
        assert_eq!(reply.status, status, "{}", reply.body);
    }
}

async fn an_assertion_that_expired_or_names_nobody_is_refused(server: TestServer) {
    let app = partner(&server, "app").await;
    let changes: [(&str, Value); 4] = [
        ("exp", json!(server.now() - 300)),
        ("aud", json!("https://other.example")),
        ("sub", Value::Null),
        ("iss", json!("other")),
    ];
    for (name, value) in changes {
        let mut claims = app.app.claims(&server);
        claims[name] = value;
        if claims[name].is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        let proof = app.holder.proof(&server, "/token");
        let reply = app
            .ask(
                &server,
                ("/token", &ASK),
                &app.app.assertion(&claims),
                &[proof],
            )
            .await;
        refused(&reply, &["invalid_client"]);
    }
}

async fn an_assertion_under_rs256_is_an_invalid_client(server: TestServer) {
    let app = partner(&server, "app").await;
    let rsa = SigningKey::generate(Alg::Rs256).unwrap();
    let assertion = jwt::sign(&rsa, &app.app.claims(&server));
    let proof = app.holder.proof(&server, "/token");
    let reply = app
        .ask(&server, ("/token", &ASK), &assertion, &[proof])
        .await;
    reply.refused(401, "invalid_client");
}

async fn a_client_without_its_assertion_is_nobody(server: TestServer) {
    let app = partner(&server, "app").await;
    let proof = app.holder.proof(&server, "/token");
    let form = [ASK[0], ASK[1], ("client_id", "app")];
    let reply = send(&server, "/token", &form, &[proof]).await;
    reply.refused(401, "invalid_client");
}

async fn a_client_under_another_ones_key_is_refused(server: TestServer) {
    let app = partner(&server, "app").await;
    partner(&server, "other").await;
    // The other one's name in the assertion, under this one's key.
    let mut claims = app.app.claims(&server);
    claims["iss"] = "other".into();
    claims["sub"] = "other".into();
    let assertion = app.app.assertion(&claims);
    let proof = app.holder.proof(&server, "/token");
    let reply = app
        .ask(&server, ("/token", &ASK), &assertion, &[proof])
        .await;
    reply.refused(401, "invalid_client");
    // The other one's name beside it.
    let form = [ASK[0], ASK[1], ("client_id", "other")];
    app.post(&server, "/token", &form)
        .await
        .refused(401, "invalid_client");
}
