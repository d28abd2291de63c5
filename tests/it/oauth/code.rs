//! Redeeming authorization codes (RFC 6749 §4.1.3, RFC 7636, RFC 9700 §4.5).

use crate::support::server::{ACCOUNTS, CARDS};
use crate::support::{AuthRequest, Spec, TestServer, jwt};

on_both![
    a_code_becomes_tokens,
    a_replayed_code_revokes_what_it_gave,
    a_code_is_refused_to_another_client,
    a_strangers_attempt_does_not_destroy_the_code,
    a_wrong_verifier_is_refused_and_spends_nothing,
    a_wrong_verifier_on_a_spent_code_revokes_nothing,
    a_code_lives_for_a_minute,
    another_redirect_uri_is_refused,
    an_unknown_code_is_refused,
    a_missing_code_is_an_invalid_request,
    resource_narrows_the_token_and_not_the_grant,
    a_resource_that_was_not_granted_is_refused,
    resources_with_different_kinds_of_tokens_need_one_token_each,
    a_code_is_long_and_random,
    a_disabled_person_gets_no_tokens,
    without_openid_there_is_no_id_token,
    a_private_key_client_completes_the_flow,
];

async fn a_code_becomes_tokens(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    assert_eq!(tokens.scope, "accounts:read openid");
    let seen = server.accounts.introspect(&server, &tokens.access).await;
    assert_eq!(seen["active"], true);
    assert_eq!(seen["sub"], ada.id.to_string());
    assert_eq!(seen["client_id"], "app");
    assert_eq!(seen["scope"], "accounts:read", "an API sees its own scopes");
    assert_eq!(seen["aud"], ACCOUNTS);
    assert_eq!(seen["acr"], "urn:countersign:acr:2fa");
    assert_eq!(seen["auth_time"], server.now());
}

async fn a_replayed_code_revokes_what_it_gave(server: TestServer) {
    for spec in [Spec::confidential("app"), Spec::public("public-app")] {
        let app = server.register(spec).await;
        let ada = server.person(&format!("ada-{}", app.id)).await;
        let request = AuthRequest::new(&app, "openid accounts:read");
        let code = server.browser().walk(&server, &request, &ada).await.code();
        let tokens = request.redeem(&server, &app, &code).await;
        assert!(server.accounts.sees(&server, &tokens.access).await);
        server.advance(1);
        let again = request.try_redeem(&server, &app, &code).await;
        again.refused(400, "invalid_grant");
        assert!(!server.accounts.sees(&server, &tokens.access).await);
        app.refresh(&server, &tokens.refresh)
            .await
            .refused(400, "invalid_grant");
    }
}

async fn a_code_is_refused_to_another_client(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let other = server
        .register(Spec::confidential("other").redirect(&[&app.redirect_uri]))
        .await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let reply = request.try_redeem(&server, &other, &code).await;
    reply.refused(400, "invalid_grant");
}

async fn a_strangers_attempt_does_not_destroy_the_code(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let other = server.register(Spec::public("other")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    for _ in 0..3 {
        let reply = other.token(&server, &request.redemption(&app, &code)).await;
        reply.refused(400, "invalid_grant");
    }
    let tokens = request.redeem(&server, &app, &code).await;
    // Nor does it revoke anything afterwards.
    let reply = other.token(&server, &request.redemption(&app, &code)).await;
    reply.refused(400, "invalid_grant");
    assert!(server.accounts.sees(&server, &tokens.access).await);
}

async fn a_wrong_verifier_is_refused_and_spends_nothing(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    for verifier in [
        "",
        "short",
        &jwt::random_id().repeat(2),
        request.get("code_challenge"),
    ] {
        let mut wrong = request.clone();
        verifier.clone_into(&mut wrong.verifier);
        let reply = wrong.try_redeem(&server, &app, &code).await;
        reply.refused(400, "invalid_grant");
    }
    request.redeem(&server, &app, &code).await;
}

async fn a_wrong_verifier_on_a_spent_code_revokes_nothing(server: TestServer) {
    let app = server.register(Spec::public("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    let mut wrong = request.clone();
    wrong.verifier = jwt::random_id().repeat(2);
    wrong
        .try_redeem(&server, &app, &code)
        .await
        .refused(400, "invalid_grant");
    assert!(server.accounts.sees(&server, &tokens.access).await);
}

async fn a_code_lives_for_a_minute(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = browser.walk(&server, &request, &ada).await.code();
    server.advance(59);
    request.redeem(&server, &app, &code).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = browser.walk(&server, &request, &ada).await.code();
    server.advance(60);
    // No job has swept: expiry is judged at use.
    let reply = request.try_redeem(&server, &app, &code).await;
    reply.refused(400, "invalid_grant");
}

async fn another_redirect_uri_is_refused(server: TestServer) {
    let spec =
        Spec::confidential("app").redirect(&["https://app.example/a", "https://app.example/b"]);
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let mut moved = app.clone();
    moved.redirect_uri = "https://app.example/b".to_owned();
    let reply = request.try_redeem(&server, &moved, &code).await;
    reply.refused(400, "invalid_grant");
    request.redeem(&server, &app, &code).await;
}

async fn an_unknown_code_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid");
    for code in [
        "x",
        "cs_ac_",
        "cs_ac_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &"x".repeat(4000),
    ] {
        let reply = request.try_redeem(&server, &app, code).await;
        reply.refused(400, "invalid_grant");
    }
}

async fn a_missing_code_is_an_invalid_request(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let form = [("grant_type", "authorization_code"), ("code_verifier", "x")];
    let reply = app.token(&server, &form).await;
    reply.refused(400, "invalid_request");
    assert!(reply.text("error_description").contains("code"));
    let doubled = [
        ("grant_type", "authorization_code"),
        ("code", "a"),
        ("code", "b"),
    ];
    let reply = app.token(&server, &doubled).await;
    reply.refused(400, "invalid_request");
    assert!(reply.text("error_description").contains("code is repeated"));
}

async fn resource_narrows_the_token_and_not_the_grant(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read cards:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let mut form = request.redemption(&app, &code);
    form.push(("resource", ACCOUNTS));
    let tokens = app.token(&server, &form).await.ok();
    // The token is good at that API alone; who signed in is told all the same.
    assert_eq!(tokens["scope"], "accounts:read");
    assert!(tokens["id_token"].is_string());
    let access = tokens["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, access).await);
    assert!(!server.cards.sees(&server, access).await);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("resource", CARDS),
    ];
    let tokens = app.token(&server, &form).await.ok();
    let access = tokens["access_token"].as_str().unwrap();
    assert!(server.cards.sees(&server, access).await);
    assert!(!server.accounts.sees(&server, access).await);
}

async fn a_resource_that_was_not_granted_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let mut form = request.redemption(&app, &code);
    form.push(("resource", CARDS));
    app.token(&server, &form)
        .await
        .refused(400, "invalid_target");
    request.redeem(&server, &app, &code).await;
}

async fn resources_with_different_kinds_of_tokens_need_one_token_each(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read cards:read");
    let code = server.browser().walk(&server, &request, &ada).await.code();
    let reply = request.try_redeem(&server, &app, &code).await;
    reply.refused(400, "invalid_target");
    // Nothing was spent.
    let mut form = request.redemption(&app, &code);
    form.push(("resource", ACCOUNTS));
    app.token(&server, &form).await.ok();
}

async fn a_code_is_long_and_random(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let request = AuthRequest::new(&app, "openid accounts:read");
        let code = browser.walk(&server, &request, &ada).await.code();
        assert!(code.len() >= 43);
        assert!(seen.insert(code));
    }
}

async fn a_disabled_person_gets_no_tokens(server: TestServer) {
    use countersign::flows::users;
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let before = browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = browser.walk(&server, &request, &ada).await.code();
    let caller = crate::support::server::caller();
    users::disable(&server.app, "ada", &caller).await.unwrap();
    let reply = request.try_redeem(&server, &app, &code).await;
    reply.refused(400, "invalid_grant");
    assert!(!server.accounts.sees(&server, &before.access).await);
    app.refresh(&server, &before.refresh)
        .await
        .refused(400, "invalid_grant");
    assert!(!browser.is_signed_in().await);
}

async fn without_openid_there_is_no_id_token(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "accounts:read")
        .await;
    assert!(tokens.id.is_empty());
    let reply = server
        .http
        .get(server.at("/userinfo"))
        .bearer_auth(&tokens.access);
    let reply = crate::support::Reply::of(reply).await;
    assert_eq!(reply.status, 403);
}

async fn a_private_key_client_completes_the_flow(server: TestServer) {
    let app = server.register(Spec::with_key("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let short = request.pushed(&server, &app).await;
    let code = server.browser().walk(&server, &short, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh).await.ok();
}
