//! The profile `compat`: confidential OpenID Connect clients that cannot do PKCE (RFC 9700 §2.1.1).

use countersign::flows::clients::{self, ClientEdit};
use rules::protocol::client::Profile;
use serde_json::json;

use crate::support::apps::Method;
use crate::support::server::caller;
use crate::support::{Answer, AuthRequest, ClientApp, Spec, TestServer, jwt};

on_both![
    a_compat_client_goes_without_pkce,
    it_may_leave_out_the_nonce_too_and_the_audit_log_says_so,
    other_clients_never_go_without_pkce,
    without_openid_it_needs_pkce,
    a_public_client_cannot_be_compat,
    a_challenge_that_was_sent_needs_its_verifier,
    a_verifier_without_a_challenge_shows_a_downgrade,
    without_pkce_the_redirect_uri_must_be_sent_again,
    a_code_without_pkce_is_of_no_use_to_another_client,
    a_replayed_code_without_pkce_revokes_what_it_gave,
    an_assertion_for_the_token_endpoint_is_accepted_from_it_alone,
    its_registration_is_audited,
    a_request_without_pkce_does_not_outlive_the_profile,
];

fn compat(id: &str) -> Spec {
    let mut spec = Spec::confidential(id);
    spec.profile = Profile::Compat;
    spec
}

/// A request as such a client makes it.
fn plain(app: &ClientApp, scope: &str) -> AuthRequest {
    AuthRequest::new(app, scope)
        .without("code_challenge")
        .without("code_challenge_method")
}

fn redemption<'a>(app: &'a ClientApp, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &app.redirect_uri),
    ]
}

async fn code(server: &TestServer, request: &AuthRequest) -> String {
    let person = server.person("ada").await;
    server.browser().walk(server, request, &person).await.code()
}

async fn events(server: &TestServer, kind: &str) -> String {
    let newest = server
        .app
        .store
        .read(|tx| Box::pin(countersign::store::audit::newest(tx, 100)))
        .await
        .unwrap();
    let leaves = newest
        .into_iter()
        .map(|leaf| String::from_utf8(leaf).unwrap());
    let found: Vec<String> = leaves.filter(|leaf| leaf.contains(kind)).collect();
    found.join("\n")
}

async fn a_compat_client_goes_without_pkce(server: TestServer) {
    let app = server.register(compat("app")).await;
    let request = plain(&app, "openid accounts:read");
    let code = code(&server, &request).await;
    let tokens = app.token(&server, &redemption(&app, &code)).await.ok();
    let id = jwt::verify(&server, tokens["id_token"].as_str().unwrap()).await;
    assert_eq!(id.claims["nonce"], request.get("nonce"));
    // Pushed, it goes the same way.
    assert_eq!(request.push(&server, &app).await.status, 201);
}

async fn it_may_leave_out_the_nonce_too_and_the_audit_log_says_so(server: TestServer) {
    let app = server.register(compat("app")).await;
    let request = plain(&app, "openid").without("nonce");
    let code = code(&server, &request).await;
    let tokens = app.token(&server, &redemption(&app, &code)).await.ok();
    let id = jwt::verify(&server, tokens["id_token"].as_str().unwrap()).await;
    assert!(id.claims.get("nonce").is_none());
    let issued = events(&server, "code.issued").await;
    assert!(issued.contains("\"bound_by\":\"nothing\""), "{issued}");
}

async fn other_clients_never_go_without_pkce(server: TestServer) {
    for (n, spec) in [
        Spec::confidential("secret"),
        Spec::new("jwt", Method::Jwt),
        Spec::public("public"),
    ]
    .into_iter()
    .enumerate()
    {
        let app = server.register(spec).await;
        let request = plain(&app, "openid");
        let answer = Answer::of(&server.browser().begin(&server, &request).await);
        assert_eq!(answer.error(), "invalid_request", "{n}");
        assert!(answer.get("error_description").contains("code_challenge"));
    }
}

async fn without_openid_it_needs_pkce(server: TestServer) {
    let app = server.register(compat("app")).await;
    let request = plain(&app, "accounts:read");
    let answer = Answer::of(&server.browser().begin(&server, &request).await);
    assert_eq!(answer.error(), "invalid_request");
}

async fn a_public_client_cannot_be_compat(server: TestServer) {
    let mut spec = Spec::public("app");
    spec.profile = Profile::Compat;
    let refused = crate::support::apps::try_register(&server.app, spec).await;
    assert!(refused.is_err());
}

async fn a_challenge_that_was_sent_needs_its_verifier(server: TestServer) {
    let app = server.register(compat("app")).await;
    let request = AuthRequest::new(&app, "openid");
    let code = code(&server, &request).await;
    let bare = app.token(&server, &redemption(&app, &code)).await;
    bare.refused(400, "invalid_grant");
    let wrong = [
        redemption(&app, &code),
        vec![(
            "code_verifier",
            "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong",
        )],
    ]
    .concat();
    app.token(&server, &wrong)
        .await
        .refused(400, "invalid_grant");
    request.try_redeem(&server, &app, &code).await.ok();
}

async fn a_verifier_without_a_challenge_shows_a_downgrade(server: TestServer) {
    let app = server.register(compat("app")).await;
    // Somebody took the challenge out of the request on its way through the browser.
    let request = AuthRequest::new(&app, "openid");
    let stripped = request
        .clone()
        .without("code_challenge")
        .without("code_challenge_method");
    let code = code(&server, &stripped).await;
    let reply = request.try_redeem(&server, &app, &code).await;
    reply.refused(400, "invalid_grant");
    assert!(reply.text("error_description").contains("code_challenge"));
    // A method alone is no way around it either.
    let method_only = plain(&app, "openid").with("code_challenge_method", "S256");
    let answer = Answer::of(&server.browser().begin(&server, &method_only).await);
    assert_eq!(answer.error(), "invalid_request");
    let weak = AuthRequest::new(&app, "openid").with("code_challenge_method", "plain");
    let answer = Answer::of(&server.browser().begin(&server, &weak).await);
    assert_eq!(answer.error(), "invalid_request");
}

async fn without_pkce_the_redirect_uri_must_be_sent_again(server: TestServer) {
    let app = server.register(compat("app")).await;
    let code = code(&server, &plain(&app, "openid")).await;
    let without = [("grant_type", "authorization_code"), ("code", &*code)];
    app.token(&server, &without)
        .await
        .refused(400, "invalid_grant");
    let other = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", "https://other.example/cb"),
    ];
    app.token(&server, &other)
        .await
        .refused(400, "invalid_grant");
    app.token(&server, &redemption(&app, &code)).await.ok();
}

async fn a_code_without_pkce_is_of_no_use_to_another_client(server: TestServer) {
    let app = server.register(compat("app")).await;
    let thief = server.register(compat("thief")).await;
    let code = code(&server, &plain(&app, "openid")).await;
    let stolen = thief.token(&server, &redemption(&app, &code)).await;
    stolen.refused(400, "invalid_grant");
    app.token(&server, &redemption(&app, &code)).await.ok();
}

async fn a_replayed_code_without_pkce_revokes_what_it_gave(server: TestServer) {
    let app = server.register(compat("app")).await;
    let code = code(&server, &plain(&app, "openid accounts:read")).await;
    let tokens = app.token(&server, &redemption(&app, &code)).await.ok();
    let access = tokens["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, access).await);
    let again = app.token(&server, &redemption(&app, &code)).await;
    again.refused(400, "invalid_grant");
    assert!(!server.accounts.sees(&server, access).await);
}

async fn an_assertion_for_the_token_endpoint_is_accepted_from_it_alone(server: TestServer) {
    let mut spec = Spec::new("old", Method::Jwt);
    spec.profile = Profile::Compat;
    let old = server.register(spec).await;
    let new = server.register(Spec::new("new", Method::Jwt)).await;
    let ask = async |app: &ClientApp, audience: serde_json::Value| {
        let mut claims = app.claims(&server);
        claims["aud"] = audience;
        let assertion = app.assertion(&claims);
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "accounts:read"),
            ("client_assertion_type", jwt::ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        let request = server.http.post(server.at("/token")).form(&form);
        crate::support::Reply::of(request).await
    };
    ask(&old, json!(server.at("/token"))).await.ok();
    ask(&old, json!(server.issuer)).await.ok();
    // RFC 9126 §2: clients written for pushed requests name that endpoint, at each.
    ask(&old, json!(server.at("/par"))).await.ok();
    // And those of other endpoints where they authenticate.
    for endpoint in ["/introspect", "/revoke"] {
        ask(&old, json!(server.at(endpoint))).await.ok();
    }
    for wrong in [
        server.at("/userinfo"),
        "https://other.example/token".to_owned(),
    ] {
        ask(&old, json!(wrong)).await.refused(401, "invalid_client");
    }
    for endpoint in ["/token", "/par", "/introspect"] {
        let refused = ask(&new, json!(server.at(endpoint))).await;
        refused.refused(401, "invalid_client");
    }
}

async fn its_registration_is_audited(server: TestServer) {
    server.register(compat("app")).await;
    let created = events(&server, "client.created").await;
    assert!(created.contains("\"profile\":\"compat\""), "{created}");
}

async fn a_request_without_pkce_does_not_outlive_the_profile(server: TestServer) {
    let app = server.register(compat("app")).await;
    let ada = server.person("ada").await;
    let request = plain(&app, "openid");
    let pushed = request.pushed(&server, &app).await;
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    let edit = ClientEdit {
        profile: Some(Profile::Oauth21),
        ..ClientEdit::default()
    };
    clients::set(&server.app, "app", edit, &caller())
        .await
        .unwrap();
    let answer = browser.go_on(&server, page, &ada).await;
    assert!(
        answer.to.is_empty() && answer.page.status >= 400,
        "{answer:?}"
    );
    let page = server.browser().begin(&server, &pushed).await;
    assert_eq!(page.status, 400, "{}", page.body);
}
