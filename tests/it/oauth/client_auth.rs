//! How clients prove who they are (RFC 6749 §2.3, RFC 7523).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::jose::{Alg, JwkSet, SigningKey};
use serde_json::{Value, json};

use crate::support::{ClientApp, Reply, Spec, TestServer, jwt};

on_both![
    a_secret_is_taken_from_the_header,
    id_and_secret_are_form_encoded_in_the_header,
    a_secret_is_taken_from_the_body,
    two_methods_at_once_are_refused,
    two_headers_at_once_are_refused,
    a_wrong_secret_and_an_unknown_client_get_the_same_answer,
    a_refused_header_is_answered_with_a_challenge,
    a_client_cannot_do_with_less_than_it_is_registered_for,
    a_public_client_that_sends_a_secret_is_refused,
    another_client_id_in_the_body_is_refused,
    an_assertion_is_taken_once,
    assertions_that_say_the_wrong_thing_are_refused,
    an_assertion_a_little_ahead_of_our_clock_is_taken,
    an_assertion_under_rs256_is_refused,
    an_assertion_under_another_clients_key_is_refused,
    an_assertion_without_a_signature_is_refused,
    an_assertion_of_a_wrong_type_is_refused,
    a_disabled_client_is_nobody,
    both_secrets_are_good_while_one_is_replaced,
];

const ASK: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

async fn with_header(server: &TestServer, header: &str, form: &[(&str, &str)]) -> Reply {
    let request = server.http.post(server.at("/token"));
    Reply::of(request.header("authorization", header).form(form)).await
}

async fn bare(server: &TestServer, form: &[(&str, &str)]) -> Reply {
    let form: Vec<_> = ASK.iter().chain(form).collect();
    Reply::of(server.http.post(server.at("/token")).form(&form)).await
}

async fn with_claims(server: &TestServer, client: &ClientApp, claims: &Value) -> Reply {
    with_jwt(server, &client.assertion(claims)).await
}

async fn with_jwt(server: &TestServer, assertion: &str) -> Reply {
    let form = [
        ("client_assertion_type", jwt::ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    bare(server, &form).await
}

async fn a_secret_is_taken_from_the_header(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    app.token(&server, &ASK).await.ok();
    let lower = app.basic().replace("Basic ", "bAsIc ");
    with_header(&server, &lower, &ASK).await.ok();
}

async fn id_and_secret_are_form_encoded_in_the_header(server: TestServer) {
    let app = server.register(Spec::confidential("pocket.budget-1")).await;
    // Every character may be written as %XX.
    let encode = |text: &str| {
        use std::fmt::Write as _;
        text.bytes().fold(String::new(), |mut out, byte| {
            write!(out, "%{byte:02X}").unwrap();
            out
        })
    };
    let pair = format!("{}:{}", encode(&app.id), encode(&app.secret));
    with_header(&server, &format!("Basic {}", STANDARD.encode(pair)), &ASK)
        .await
        .ok();
    let plain = format!("{}:{}", app.id, app.secret);
    with_header(&server, &format!("Basic {}", STANDARD.encode(plain)), &ASK)
        .await
        .ok();
}

async fn a_secret_is_taken_from_the_body(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    app.posting().token(&server, &ASK).await.ok();
}

async fn two_methods_at_once_are_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let form = [
        ASK[0],
        ASK[1],
        ("client_id", "app"),
        ("client_secret", &app.secret),
    ];
    let reply = with_header(&server, &app.basic(), &form).await;
    reply.refused(400, "invalid_request");
}

async fn a_wrong_secret_and_an_unknown_client_get_the_same_answer(server: TestServer) {
    server.register(Spec::confidential("app")).await;
    let wrong = bare(
        &server,
        &[("client_id", "app"), ("client_secret", "cs_sk_wrong")],
    )
    .await;
    let unknown = bare(
        &server,
        &[("client_id", "nobody"), ("client_secret", "cs_sk_wrong")],
    )
    .await;
    wrong.refused(401, "invalid_client");
    assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
}

async fn a_refused_header_is_answered_with_a_challenge(server: TestServer) {
    // RFC 6749 §5.2
    for header in ["Basic !!!", "Basic YTpi", "Bearer x", "Basic"] {
        let reply = with_header(&server, header, &ASK).await;
        reply.refused(401, "invalid_client");
        assert!(
            reply.header("www-authenticate").starts_with("Basic"),
            "{header}"
        );
    }
}

async fn a_client_cannot_do_with_less_than_it_is_registered_for(server: TestServer) {
    for spec in [Spec::confidential("secret-app"), Spec::with_key("key-app")] {
        let app = server.register(spec).await;
        bare(&server, &[("client_id", &app.id)])
            .await
            .refused(401, "invalid_client");
    }
    bare(&server, &[]).await.refused(401, "invalid_client");
}

async fn a_public_client_that_sends_a_secret_is_refused(server: TestServer) {
    let app = server.register(Spec::public("app")).await;
    let form = [
        ("client_id", app.id.as_str()),
        ("client_secret", "anything"),
    ];
    bare(&server, &form).await.refused(401, "invalid_client");
}

async fn another_client_id_in_the_body_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    server.register(Spec::confidential("other")).await;
    let form = [ASK[0], ASK[1], ("client_id", "other")];
    let reply = with_header(&server, &app.basic(), &form).await;
    assert!(
        matches!(reply.error(), "invalid_client" | "invalid_request"),
        "{}",
        reply.body
    );
    let key = server.register(Spec::with_key("key-app")).await;
    let assertion = key.assertion(&key.claims(&server));
    let form = [
        ("client_id", "other"),
        ("client_assertion_type", jwt::ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ];
    bare(&server, &form).await.refused(401, "invalid_client");
}

async fn an_assertion_is_taken_once(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let assertion = app.assertion(&app.claims(&server));
    with_jwt(&server, &assertion).await.ok();
    with_jwt(&server, &assertion)
        .await
        .refused(401, "invalid_client");
    // The same id in another client's assertion is another id.
    let other = server.register(Spec::with_key("other")).await;
    let mut claims = other.claims(&server);
    claims["jti"] = "shared".into();
    with_claims(&server, &other, &claims).await.ok();
    let mut claims = app.claims(&server);
    claims["jti"] = "shared".into();
    with_claims(&server, &app, &claims).await.ok();
}

async fn assertions_that_say_the_wrong_thing_are_refused(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    server.register(Spec::with_key("other")).await;
    let now = server.now();
    let par = server.at("/par");
    let token = server.at("/token");
    let table = [
        ("aud", json!("https://elsewhere.example")),
        ("aud", json!([server.issuer, "https://elsewhere.example"])),
        ("aud", json!(par)),
        ("aud", json!(token)),
        ("aud", json!(format!("{}/", server.issuer))),
        ("aud", Value::Null),
        ("iss", json!("other")),
        ("iss", Value::Null),
        ("sub", json!("other")),
        ("sub", json!("nobody")),
        ("sub", Value::Null),
        ("sub", json!(7)),
        ("exp", json!(now - 300)),
        ("exp", json!(now)),
        ("exp", json!(now + 3600)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("iat", json!(now + 62)),
        ("nbf", json!(now + 62)),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(300))),
    ];
    for (name, value) in table {
        let mut claims = app.claims(&server);
        let shown = format!("{name} = {value:.60}");
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        let reply = with_claims(&server, &app, &claims).await;
        assert_eq!(
            (reply.status, reply.error()),
            (401, "invalid_client"),
            "{shown}"
        );
        reply.well_formed_error();
    }
    app.token(&server, &ASK).await.ok();
}

async fn an_assertion_a_little_ahead_of_our_clock_is_taken(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let mut claims = app.claims(&server);
    claims["iat"] = json!(server.now() + 8);
    claims["nbf"] = json!(server.now() + 8);
    with_claims(&server, &app, &claims).await.ok();
}

async fn an_assertion_under_rs256_is_refused(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let rsa = SigningKey::generate(Alg::Rs256).unwrap();
    let set = json!({ "keys": [rsa.public_jwk()] });
    let mut set = set;
    // The key itself would do for PS256: only the algorithm of this signature is wrong.
    set["keys"][0].as_object_mut().unwrap().remove("alg");
    let set = JwkSet::from_json(set.to_string().as_bytes()).unwrap();
    countersign::flows::clients::set_jwks(
        &server.app,
        &app.id,
        set,
        &crate::support::server::caller(),
    )
    .await
    .unwrap();
    let assertion = jwt::sign(&rsa, &app.claims(&server));
    with_jwt(&server, &assertion)
        .await
        .refused(401, "invalid_client");
}

async fn an_assertion_under_another_clients_key_is_refused(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let other = server.register(Spec::with_key("other")).await;
    let assertion = other.assertion(&app.claims(&server));
    with_jwt(&server, &assertion)
        .await
        .refused(401, "invalid_client");
}

async fn an_assertion_without_a_signature_is_refused(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let assertion = app.assertion(&app.claims(&server));
    let (signed, _) = assertion.rsplit_once('.').unwrap();
    let encode =
        |json: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = encode(&app.claims(&server));
    let none = encode(&json!({"alg": "none"}));
    let hmac = encode(&json!({"alg": "HS256"}));
    for bad in [
        format!("{signed}."),
        signed.to_owned(),
        format!("{none}.{claims}."),
        format!("{hmac}.{claims}.AAAA"),
        "a.b.c".to_owned(),
        "garbage".to_owned(),
    ] {
        with_jwt(&server, &bad).await.refused(401, "invalid_client");
    }
}

async fn an_assertion_of_a_wrong_type_is_refused(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let assertion = app.assertion(&app.claims(&server));
    for kind in [
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        "",
    ] {
        let form = [
            ("client_assertion_type", kind),
            ("client_assertion", assertion.as_str()),
        ];
        let reply = bare(&server, &form).await;
        assert!(
            matches!(reply.error(), "invalid_client" | "invalid_request"),
            "{}",
            reply.body
        );
    }
    with_jwt(&server, &assertion).await.ok();
}

async fn a_disabled_client_is_nobody(server: TestServer) {
    use countersign::flows::clients;
    let app = server.register(Spec::confidential("app")).await;
    let caller = crate::support::server::caller();
    let token = app.client_credentials(&server, "accounts:read").await.ok();
    let token = token["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, token).await);
    clients::disable(&server.app, "app", &caller).await.unwrap();
    app.token(&server, &ASK)
        .await
        .refused(401, "invalid_client");
    assert!(
        !server.accounts.sees(&server, token).await,
        "its tokens end with it"
    );
    clients::enable(&server.app, "app", &caller).await.unwrap();
    // What is asked for at the very moment of disabling would be void: the server says to wait.
    app.token(&server, &ASK)
        .await
        .refused(503, "temporarily_unavailable");
    server.advance(6);
    let fresh = app.client_credentials(&server, "accounts:read").await.ok();
    let fresh = fresh["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, fresh).await);
    assert!(!server.accounts.sees(&server, token).await, "it stays void");
}

async fn both_secrets_are_good_while_one_is_replaced(server: TestServer) {
    use countersign::flows::clients;
    let app = server.register(Spec::confidential("app")).await;
    let caller = crate::support::server::caller();
    let mut newer = app.clone();
    let secret = clients::rotate_secret(&server.app, "app", &caller)
        .await
        .unwrap();
    secret.expose().clone_into(&mut newer.secret);
    app.token(&server, &ASK).await.ok();
    newer.token(&server, &ASK).await.ok();
    clients::rotate_secret(&server.app, "app", &caller)
        .await
        .unwrap();
    app.token(&server, &ASK)
        .await
        .refused(401, "invalid_client");
    newer.token(&server, &ASK).await.ok();
}

/// Of two headers a proxy may have judged the other one.
async fn two_headers_at_once_are_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let other = server.register(Spec::confidential("other")).await;
    for second in [app.basic(), other.basic(), "Bearer x".to_owned()] {
        for path in ["/token", "/par", "/introspect", "/revoke"] {
            let request = server.http.post(server.at(path)).form(&ASK);
            let request = request.header("authorization", app.basic());
            Reply::of(request.header("authorization", &second))
                .await
                .refused(400, "invalid_request");
        }
    }
}
