//! Introspection (RFC 7662).

use serde_json::json;

use crate::support::{Reply, Spec, TestServer};

on_both![
    an_api_sees_only_tokens_for_its_own_resource,
    everything_else_is_inactive_and_says_nothing_more,
    an_expired_token_is_inactive,
    asking_needs_authentication,
    a_client_that_is_no_api_sees_nothing,
    a_refresh_token_is_no_access_token,
    a_missing_token_is_an_invalid_request,
    a_wrong_hint_does_not_matter,
    answers_are_never_cached,
    it_reads_no_row_about_garbage,
];

async fn an_api_sees_only_tokens_for_its_own_resource(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, token).await);
    assert!(!server.cards.sees(&server, token).await);
}

async fn everything_else_is_inactive_and_says_nothing_more(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    let mut changed = token.to_owned();
    changed.replace_range(20..21, if &token[20..21] == "A" { "B" } else { "A" });
    for garbage in [
        changed.as_str(),
        "x",
        "cs_at_",
        "a.b.c",
        "é",
        &"x".repeat(8000),
    ] {
        assert_eq!(
            server.accounts.introspect(&server, garbage).await,
            json!({"active": false})
        );
    }
}

async fn an_expired_token_is_inactive(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for scope in ["accounts:read", "cards:read"] {
        let reply = app.client_credentials(&server, scope).await.ok();
        let token = reply["access_token"].as_str().unwrap();
        let api = if scope == "cards:read" {
            &server.cards
        } else {
            &server.accounts
        };
        server.advance(299);
        assert!(api.sees(&server, token).await);
        server.advance(1);
        assert!(!api.sees(&server, token).await);
    }
}

async fn asking_needs_authentication(server: TestServer) {
    let public = server.register(Spec::public("public-app")).await;
    let form = [("token", "x")];
    let bare = Reply::of(server.http.post(server.at("/introspect")).form(&form)).await;
    bare.refused(401, "invalid_client");
    public
        .post(&server, "/introspect", &form)
        .await
        .refused(401, "invalid_client");
    let mut wrong = server.accounts.clone();
    wrong.secret = "cs_sk_wrong".to_owned();
    wrong
        .post(&server, "/introspect", &form)
        .await
        .refused(401, "invalid_client");
    server
        .accounts
        .posting()
        .post(&server, "/introspect", &form)
        .await
        .ok();
}

async fn a_client_that_is_no_api_sees_nothing(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    assert!(!app.sees(&server, token).await, "not even its own");
}

async fn a_refresh_token_is_no_access_token(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    for token in [&tokens.refresh, &tokens.id] {
        assert!(!server.accounts.sees(&server, token).await);
    }
}

async fn a_missing_token_is_an_invalid_request(server: TestServer) {
    for form in [
        vec![],
        vec![("token", "")],
        vec![("token", "a"), ("token", "b")],
    ] {
        let reply = server.accounts.post(&server, "/introspect", &form).await;
        reply.refused(400, "invalid_request");
    }
}

async fn a_wrong_hint_does_not_matter(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let form = [("token", token), ("token_type_hint", hint)];
        let seen = server
            .accounts
            .post(&server, "/introspect", &form)
            .await
            .ok();
        assert_eq!(seen["active"], true);
    }
}

async fn answers_are_never_cached(server: TestServer) {
    let reply = server
        .accounts
        .post(&server, "/introspect", &[("token", "x")])
        .await;
    assert!(reply.header("cache-control").contains("no-store"));
}

async fn it_reads_no_row_about_garbage(server: TestServer) {
    // With the database gone, what needs no row is still answered.
    if server.engine == crate::support::Engine::Postgres {
        return;
    }
    server.app.store.close().await;
    assert!(!server.accounts.sees(&server, "cs_at_garbage").await);
}
