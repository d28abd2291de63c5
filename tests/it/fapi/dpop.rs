//! Bound access tokens at userinfo (RFC 9449 §4.3, §7).

use serde_json::{Value, json};

use super::{Holder, Partner, partner, text, userinfo, with_ath};
use crate::support::{Engine, Reply, Spec, TestServer};

on_both![
    a_bound_token_with_its_proof_is_answered,
    each_mistake_in_a_proof_is_refused_and_challenged,
    a_bound_token_is_refused_without_its_proof_and_as_bearer,
    an_unbound_token_is_refused_as_bound,
    a_proof_is_good_for_one_call,
    a_proof_names_the_method_that_was_sent,
];

async fn with_token(server: &TestServer) -> (Partner, String) {
    let app = partner(server, "app").await;
    let ada = server.person("ada").await;
    let tokens = app.tokens(server, "openid email", &ada).await;
    let token = text(&tokens, "access_token").to_owned();
    (app, token)
}

async fn a_bound_token_with_its_proof_is_answered(server: TestServer) {
    let (app, token) = with_token(&server).await;
    for scheme in ["DPoP", "dpop", "DPOP"] {
        let proof = app.holder.with_token(&server, &token);
        let reply = userinfo(&server, &format!("{scheme} {token}"), &[proof]).await;
        assert_eq!(reply.ok()["email"], "ada@mail.example");
    }
    let address = server.at("/userinfo");
    let loud = address.replace("http://localhost", "HTTP://LOCALHOST");
    let changes = [
        ("htu", json!(format!("{address}?a=b#c"))),
        ("htu", json!(loud)),
        ("iat", json!(server.now() - 10)),
        ("iat", json!(server.now() + 8)),
        ("nbf", json!(server.now())),
        ("exp", json!(server.now() + 60)),
        ("what", json!("ever")),
    ];
    for (name, value) in changes {
        let mut claims = with_ath(&server, &token);
        claims[name] = value.clone();
        let proof = app.holder.sign(&app.holder.header(), &claims);
        let reply = userinfo(&server, &format!("DPoP {token}"), &[proof]).await;
        assert_eq!(reply.status, 200, "{name} {value}: {}", reply.body);
    }
    let mut header = app.holder.header();
    header["what"] = "ever".into();
    let proof = app.holder.sign(&header, &with_ath(&server, &token));
    userinfo(&server, &format!("DPoP {token}"), &[proof])
        .await
        .ok();
}

/// Asserts a refusal with a challenge of the scheme.
#[track_caller]
fn challenged(reply: &Reply, code: &str, shown: &str) {
    assert_eq!(reply.status, 401, "{shown}: {}", reply.body);
    assert_eq!(reply.error(), code, "{shown}: {}", reply.body);
    let challenge = reply.header("www-authenticate");
    assert!(challenge.starts_with("DPoP "), "{shown}: {challenge}");
    let named = format!("error=\"{code}\"");
    for part in [named.as_str(), "algs=\"ES256 PS256"] {
        assert!(challenge.contains(part), "{shown}: {challenge}");
    }
    reply.well_formed_error();
}

async fn each_mistake_in_a_proof_is_refused_and_challenged(server: TestServer) {
    let (app, token) = with_token(&server).await;
    let authorization = format!("DPoP {token}");
    let now = server.now();
    let claims = [
        ("jti", Value::Null),
        ("htm", Value::Null),
        ("htu", Value::Null),
        ("iat", Value::Null),
        ("ath", Value::Null),
        ("htm", json!("PUT")),
        ("htu", json!("https://elsewhere.example/userinfo")),
        ("htu", json!(server.at("/token"))),
        ("iat", json!(now - 3600)),
        ("iat", json!(now + 3600)),
        ("iat", json!(i64::MAX)),
        ("iat", json!(i64::MIN)),
        ("ath", json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo")),
    ];
    for (name, value) in claims {
        let mut claims = with_ath(&server, &token);
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        let proof = app.holder.sign(&app.holder.header(), &claims);
        let reply = userinfo(&server, &authorization, &[proof]).await;
        challenged(&reply, "invalid_dpop_proof", &format!("{name} {value}"));
    }
    let mut private = app.holder.jwk.clone();
    private["d"] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI".into();
    let headers = [
        ("typ", Value::Null),
        ("alg", Value::Null),
        ("jwk", Value::Null),
        ("typ", json!("JWT")),
        ("alg", json!("RS256")),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("jwk", private),
        ("jwk", Holder::new().jwk),
    ];
    for (name, value) in headers {
        let mut header = app.holder.header();
        header[name] = value.clone();
        if value.is_null() {
            header.as_object_mut().unwrap().remove(name);
        }
        let proof = app.holder.sign(&header, &with_ath(&server, &token));
        let reply = userinfo(&server, &authorization, &[proof]).await;
        challenged(&reply, "invalid_dpop_proof", &format!("{name} {value}"));
    }
    let good = || app.holder.with_token(&server, &token);
    let mut broken = good();
    broken.truncate(broken.len() - 4);
    for proofs in [
        vec![good(), good()],
        vec!["x".to_owned()],
        vec![broken],
        vec![],
    ] {
        let reply = userinfo(&server, &authorization, &proofs).await;
        challenged(&reply, "invalid_dpop_proof", &format!("{proofs:?}"));
    }
    // A good proof, but of another key.
    let other = Holder::new().with_token(&server, &token);
    let reply = userinfo(&server, &authorization, &[other]).await;
    challenged(&reply, "invalid_token", "another key");
}

async fn a_bound_token_is_refused_without_its_proof_and_as_bearer(server: TestServer) {
    let (app, token) = with_token(&server).await;
    let proof = app.holder.with_token(&server, &token);
    for proofs in [vec![], vec![proof]] {
        let reply = userinfo(&server, &format!("Bearer {token}"), &proofs).await;
        challenged(&reply, "invalid_token", "as Bearer");
    }
    let form = server.http.post(server.at("/userinfo"));
    let reply = Reply::of(form.form(&[("access_token", &token)])).await;
    assert_eq!(reply.status, 401, "{}", reply.body);
    let query = format!("/userinfo?access_token={token}");
    assert_eq!(server.get(&query).await.status, 401);
}

async fn an_unbound_token_is_refused_as_bound(server: TestServer) {
    let app = server.register(Spec::confidential("plain")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser.code_flow(&server, &app, &ada, "openid").await;
    let proof = Holder::new().with_token(&server, &tokens.access);
    let reply = userinfo(&server, &format!("DPoP {}", tokens.access), &[proof]).await;
    challenged(&reply, "invalid_token", "not bound");
    userinfo(&server, &format!("Bearer {}", tokens.access), &[])
        .await
        .ok();
}

async fn a_proof_is_good_for_one_call(server: TestServer) {
    let (app, token) = with_token(&server).await;
    let proof = app.holder.with_token(&server, &token);
    let authorization = format!("DPoP {token}");
    userinfo(&server, &authorization, std::slice::from_ref(&proof))
        .await
        .ok();
    let reply = userinfo(&server, &authorization, &[proof]).await;
    challenged(&reply, "invalid_dpop_proof", "replayed");
    assert!(reply.text("error_description").contains("used before"));
}

/// Clients with certificates know another address of this server (RFC 8705 §5).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_may_name_the_address_for_certificates() {
    const ALIAS: &str = "https://mtls.bank.example";
    let server = TestServer::start_with(Engine::Sqlite, |file| {
        file.proxy.peers = vec!["127.0.0.1".to_owned()];
        file.mtls.from_proxy = true;
        file.mtls.url = Some(ALIAS.to_owned());
    })
    .await;
    let app = partner(&server, "app").await;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "accounts:read"),
    ];
    for (host, status) in [(ALIAS, 200), ("https://evil.example", 400)] {
        let mut claims = Holder::claims(&server, "POST", "/token");
        claims["htu"] = format!("{host}/token").into();
        let proof = app.holder.sign(&app.holder.header(), &claims);
        let assertion = app.assertion(&server);
        let reply = app
            .ask(&server, ("/token", &form), &assertion, &[proof])
            .await;
        assert_eq!(reply.status, status, "{}", reply.body);
    }
}

/// The route of GET answers HEAD as well (RFC 9110 §9.3.2), and a proof is for one of them.
async fn a_proof_names_the_method_that_was_sent(server: TestServer) {
    let (app, token) = with_token(&server).await;
    for method in ["GET", "HEAD", "POST"] {
        for named in ["GET", "HEAD", "POST"] {
            let mut claims = with_ath(&server, &token);
            claims["htm"] = named.into();
            let proof = app.holder.sign(&app.holder.header(), &claims);
            let request = server
                .http
                .request(method.parse().unwrap(), server.at("/userinfo"))
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", proof);
            let expected = if method == named { 200 } else { 401 };
            assert_eq!(
                Reply::of(request).await.status,
                expected,
                "{method} {named}"
            );
        }
    }
}
