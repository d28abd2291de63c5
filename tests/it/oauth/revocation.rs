//! Revocation (RFC 7009).

use crate::support::{Reply, Spec, TestServer};

on_both![
    a_revoked_access_token_is_inactive_at_once,
    a_revoked_jwt_is_inactive_at_once,
    the_other_tokens_of_the_client_live_on,
    a_revoked_refresh_token_takes_its_access_tokens_along,
    a_public_client_revokes_its_own,
    another_clients_token_is_left_alone,
    unknown_tokens_are_nothing_to_worry_about,
    revoking_twice_is_fine,
    revoking_needs_authentication,
    a_missing_token_is_an_invalid_request,
];

async fn a_revoked_access_token_is_inactive_at_once(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, token).await);
    assert_eq!(app.revoke(&server, token).await.status, 200);
    assert!(!server.accounts.sees(&server, token).await);
}

async fn a_revoked_jwt_is_inactive_at_once(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "cards:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    assert!(server.cards.sees(&server, token).await);
    app.revoke(&server, token).await;
    assert!(!server.cards.sees(&server, token).await);
}

async fn the_other_tokens_of_the_client_live_on(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let reply = app.client_credentials(&server, "accounts:read").await.ok();
        tokens.push(reply["access_token"].as_str().unwrap().to_owned());
    }
    app.revoke(&server, &tokens[0]).await;
    assert!(server.accounts.sees(&server, &tokens[1]).await);
    app.client_credentials(&server, "accounts:read").await.ok();
}

async fn a_revoked_refresh_token_takes_its_access_tokens_along(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    assert_eq!(app.revoke(&server, &tokens.refresh).await.status, 200);
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
}

async fn a_public_client_revokes_its_own(server: TestServer) {
    let app = server.register(Spec::public("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    assert_eq!(app.revoke(&server, &tokens.access).await.status, 200);
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh).await.ok();
}

async fn another_clients_token_is_left_alone(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let other = server.register(Spec::confidential("other")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    for token in [&tokens.access, &tokens.refresh] {
        let reply = other.revoke(&server, token).await;
        assert!(matches!(reply.status, 200 | 400), "{}", reply.body);
    }
    assert!(server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh).await.ok();
}

async fn unknown_tokens_are_nothing_to_worry_about(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for token in ["x", "cs_at_garbage", "cs_rt_garbage", "a.b.c"] {
        let reply = app.revoke(&server, token).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    }
}

async fn revoking_twice_is_fine(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    for hint in ["refresh_token", "access_token", "nonsense"] {
        let form = [("token", token), ("token_type_hint", hint)];
        assert_eq!(app.post(&server, "/revoke", &form).await.status, 200);
    }
    assert!(!server.accounts.sees(&server, token).await);
}

async fn revoking_needs_authentication(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    let bare = Reply::of(
        server
            .http
            .post(server.at("/revoke"))
            .form(&[("token", token)]),
    )
    .await;
    bare.refused(401, "invalid_client");
    let named = [("token", token), ("client_id", "app")];
    let named = Reply::of(server.http.post(server.at("/revoke")).form(&named)).await;
    named.refused(401, "invalid_client");
    assert!(server.accounts.sees(&server, token).await);
}

async fn a_missing_token_is_an_invalid_request(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for form in [
        vec![],
        vec![("token", "")],
        vec![("token", "a"), ("token", "b")],
    ] {
        app.post(&server, "/revoke", &form)
            .await
            .refused(400, "invalid_request");
    }
}
