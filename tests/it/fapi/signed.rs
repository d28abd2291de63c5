//! FAPI 2.0 Message Signing: signed requests (RFC 9101), answers (JARM) and introspection (RFC
//! 9701).

use rules::jose::{Alg, SigningKey};
use serde_json::{Value, json};

use super::{Partner, partner, partner_with, refused};
use crate::support::{Answer, AuthRequest, Reply, Spec, TestServer, jwt};

on_both![
    a_signed_request_leads_to_a_code,
    each_mistake_in_a_request_object_is_told_as_such,
    a_request_object_is_signed_by_its_own_client_under_an_accepted_algorithm,
    a_request_object_for_several_servers_or_a_little_ahead_is_taken,
    a_client_that_must_sign_cannot_leave_it,
    what_stands_beside_a_request_object_counts_for_nothing,
    a_signed_answer_is_the_only_parameter,
    a_signed_answer_is_signed_as_the_client_expects,
    a_signed_answer_comes_by_form_too,
    an_error_is_signed_where_the_answer_would_be,
    an_api_may_ask_for_a_signed_answer,
];

/// The request as claims of a request object.
pub(super) fn object(server: &TestServer, app: &Partner, request: &AuthRequest) -> Value {
    let now = server.now();
    let mut claims = json!({
        "iss": app.app.id, "aud": server.issuer, "nbf": now, "iat": now, "exp": now + 300,
        "jti": jwt::random_id(),
    });
    for (name, value) in request.pairs() {
        claims[name] = value.into();
    }
    claims
}

async fn push_signed(server: &TestServer, app: &Partner, claims: &Value) -> Reply {
    let signed = app.app.assertion(claims);
    app.bare(server, "/par", &[("request", &signed)]).await
}

async fn a_signed_request_leads_to_a_code(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let request = app
        .request("openid accounts:read")
        .with("dpop_jkt", &app.holder.jkt);
    let mut claims = object(&server, &app, &request);
    claims["max_age"] = 300.into();
    claims["claims"] = json!({"userinfo": {"email": null}});
    let reply = push_signed(&server, &app, &claims).await;
    let answer = app.walk(&server, (&request, &reply), &ada).await;
    assert_eq!(answer.get("state"), request.get("state"));
    let code = answer.code();
    let form = request.redemption(&app.app, &code);
    app.post(&server, "/token", &form).await.ok();
}

async fn each_mistake_in_a_request_object_is_told_as_such(server: TestServer) {
    let app = partner(&server, "app").await;
    let now = server.now();
    let good = object(&server, &app, &app.request("openid"));
    let table: [(&str, Value); 13] = [
        ("exp", Value::Null),
        ("nbf", Value::Null),
        ("exp", json!(now - 3600)),
        ("aud", json!("https://other.example")),
        ("exp", json!(now + 4200)),
        ("nbf", json!(now - 4200)),
        ("nbf", json!(now + 60)),
        ("exp", json!(i64::MAX)),
        ("iss", json!("other")),
        ("client_id", json!("other")),
        ("request_uri", json!("urn:ietf:params:oauth:request_uri:x")),
        ("request", json!("e30.e30.x")),
        ("sub", json!("app")),
    ];
    for (name, value) in table {
        let mut claims = good.clone();
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        let reply = push_signed(&server, &app, &claims).await;
        assert_eq!(reply.error(), "invalid_request_object", "{name} {value}");
        refused(&reply, &["invalid_request_object"]);
    }
    let mut claims = good;
    claims.as_object_mut().unwrap().remove("redirect_uri");
    let reply = push_signed(&server, &app, &claims).await;
    refused(&reply, &["invalid_request"]);
}

async fn a_request_object_is_signed_by_its_own_client_under_an_accepted_algorithm(
    server: TestServer,
) {
    let app = partner(&server, "app").await;
    let other = partner(&server, "other").await;
    let claims = object(&server, &app, &app.request("openid"));
    let good = app.app.assertion(&claims);
    let rsa = SigningKey::generate(Alg::Rs256).unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let unsigned = {
        let payload = signed.split('.').nth(1).unwrap();
        // {"alg":"none"}
        format!("eyJhbGciOiJub25lIn0.{payload}.")
    };
    let broken = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    for wrong in [
        other.app.assertion(&claims),
        jwt::sign(&rsa, &claims),
        unsigned,
        broken,
        "x".to_owned(),
    ] {
        let reply = app.bare(&server, "/par", &[("request", &wrong)]).await;
        refused(&reply, &["invalid_request_object"]);
    }
    let reply = app.bare(&server, "/par", &[("request", &good)]).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    // An assertion, though signed by the client, is no request.
    let assertion = app.assertion(&server);
    let reply = app.bare(&server, "/par", &[("request", &assertion)]).await;
    refused(&reply, &["invalid_request_object"]);
}

async fn a_request_object_for_several_servers_or_a_little_ahead_is_taken(server: TestServer) {
    let app = partner(&server, "app").await;
    let mut claims = object(&server, &app, &app.request("openid"));
    claims["aud"] = json!(["https://other.example", server.issuer]);
    claims["nbf"] = json!(server.now() + 8);
    let reply = push_signed(&server, &app, &claims).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

async fn a_client_that_must_sign_cannot_leave_it(server: TestServer) {
    let mut spec = Spec::with_key("app");
    spec.metadata.require_signed_request_object = true;
    let app = partner_with(&server, spec).await;
    let request = app.request("openid");
    let reply = app.push(&server, &request).await;
    reply.refused(400, "invalid_request");
    let claims = object(&server, &app, &request);
    let reply = push_signed(&server, &app, &claims).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
}

async fn what_stands_beside_a_request_object_counts_for_nothing(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let request = app.request("openid");
    let signed = app.app.assertion(&object(&server, &app, &request));
    let form = [
        ("request", signed.as_str()),
        ("scope", "openid accounts:read"),
        ("state", "outside"),
        ("redirect_uri", "https://evil.example/cb"),
    ];
    let reply = app.bare(&server, "/par", &form).await;
    let answer = app.walk(&server, (&request, &reply), &ada).await;
    assert_eq!(answer.to, app.app.redirect_uri);
    assert_eq!(answer.get("state"), request.get("state"));
    let form = [
        ("request", signed.as_str()),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
    ];
    refused(
        &app.bare(&server, "/par", &form).await,
        &["invalid_request", "invalid_request_object"],
    );
}

async fn answered(server: &TestServer, app: &Partner, response: &str) -> Value {
    let jwt = jwt::verify(server, response).await;
    assert_eq!(format!("{:?}", jwt.header.alg), "ES256");
    assert_eq!(jwt.claims["iss"], server.issuer.as_str());
    assert_eq!(jwt.claims["aud"], app.app.id.as_str());
    let left = jwt.claims["exp"].as_i64().unwrap() - server.now();
    assert!((10..=600).contains(&left), "{left}");
    jwt.claims
}

/// JARM §3: what is not registered is RS256, outside of the profile, which excludes it.
async fn a_signed_answer_is_signed_as_the_client_expects(server: TestServer) {
    let ada = server.person("ada").await;
    for (id, registered, expected) in [
        ("plain", None, "RS256"),
        ("chosen", Some(Alg::Es256), "ES256"),
    ] {
        let mut spec = crate::support::Spec::confidential(id);
        spec.metadata.authorization_signed_response_alg = registered;
        let app = server.register(spec).await;
        let request = crate::support::AuthRequest::new(&app, "openid");
        let request = request.with("response_mode", "jwt");
        let answer = server.browser().walk(&server, &request, &ada).await;
        let jwt = jwt::verify(&server, answer.get("response")).await;
        assert_eq!(format!("{:?}", jwt.header.alg), expected, "{id}");
        assert_eq!(jwt.claims["aud"], id);
    }
}

async fn a_signed_answer_is_the_only_parameter(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    for mode in ["jwt", "query.jwt"] {
        let request = app.request("openid").with("response_mode", mode);
        let reply = app.push(&server, &request).await;
        let answer = app.walk(&server, (&request, &reply), &ada).await;
        let names: Vec<_> = answer.params.keys().collect();
        assert_eq!(names, ["response"], "{mode}");
        let claims = answered(&server, &app, answer.get("response")).await;
        assert_eq!(claims["state"], request.get("state"));
        let code = claims["code"].as_str().unwrap();
        let form = request.redemption(&app.app, code);
        app.post(&server, "/token", &form).await.ok();
    }
    for mode in ["fragment.jwt", "fragment"] {
        let request = app.request("openid").with("response_mode", mode);
        refused(&app.push(&server, &request).await, &["invalid_request"]);
    }
}

async fn a_signed_answer_comes_by_form_too(server: TestServer) {
    let app = partner(&server, "app").await;
    let request = app
        .request("openid")
        .with("response_mode", "form_post.jwt")
        .with("prompt", "none");
    let reply = app.push(&server, &request).await;
    let short = super::short(&app.app, &request, reply.text("request_uri"));
    let page = server.browser().get(&short.url(&server)).await;
    for plain in ["error", "state", "iss"] {
        assert!(!page.body.contains(&format!("name=\"{plain}\"")), "{plain}");
    }
    let response = page.body.split("name=\"response\" value=\"").nth(1);
    let response = response.unwrap();
    let response = response.split('"').next().unwrap();
    let claims = answered(&server, &app, response).await;
    assert_eq!(claims["error"], "login_required");
}

async fn an_error_is_signed_where_the_answer_would_be(server: TestServer) {
    let app = partner(&server, "app").await;
    let request = app.request("openid").with("response_mode", "jwt");
    let reply = app.push(&server, &request).await;
    let short = super::short(&app.app, &request, reply.text("request_uri"));
    let mut browser = server.browser();
    let page = browser.begin(&server, &short).await;
    let cancel = page.form("/cancel").unwrap();
    let answer = Answer::of(&browser.post(&cancel, &[]).await);
    assert!(answer.error().is_empty());
    let claims = answered(&server, &app, answer.get("response")).await;
    assert_eq!(claims["error"], "access_denied");
    assert_eq!(claims["state"], request.get("state"));
}

async fn an_api_may_ask_for_a_signed_answer(server: TestServer) {
    let app = partner(&server, "app").await;
    let ada = server.person("ada").await;
    let tokens = app.tokens(&server, "openid accounts:read", &ada).await;
    let token = super::text(&tokens, "access_token");
    let ask = async |token: &str, accept: &str| {
        let request = server.http.post(server.at("/introspect"));
        let request = request
            .header("authorization", server.accounts.basic())
            .header("accept", accept);
        Reply::of(request.form(&[("token", token)])).await
    };
    let accept = "application/json;q=0.1, application/token-introspection+jwt";
    let reply = ask(token, accept).await;
    assert_eq!(
        reply.header("content-type"),
        "application/token-introspection+jwt"
    );
    let signed = jwt::verify(&server, &reply.body).await;
    assert_eq!(
        signed.header.typ.as_deref(),
        Some("token-introspection+jwt")
    );
    // RFC 9701 §6: what is not registered is RS256.
    assert_eq!(format!("{:?}", signed.header.alg), "RS256");
    assert_eq!(signed.claims["iss"], server.issuer.as_str());
    assert_eq!(signed.claims["aud"], server.accounts.id.as_str());
    assert_eq!(signed.claims["iat"], server.now());
    for name in ["sub", "exp"] {
        assert!(signed.claims.get(name).is_none(), "RFC 9701 §5: {name}");
    }
    let plain = ask(token, "application/json").await.ok();
    let unwanted = "application/token-introspection+jwt; Q=0.0, */*";
    assert_eq!(ask(token, unwanted).await.ok(), plain);
    let rather = "application/json, application/token-introspection+jwt;q=0.5";
    assert_eq!(ask(token, rather).await.ok(), plain);
    assert_eq!(signed.claims["token_introspection"], plain);
    assert_eq!(plain["cnf"]["jkt"], app.holder.jkt.as_str());
    let signed = jwt::verify(&server, &ask("x", accept).await.body).await;
    assert_eq!(
        signed.claims["token_introspection"],
        json!({"active": false})
    );
}
