//! Tokens that a client gets for itself (RFC 6749 §4.4).

use crate::support::server::{ACCOUNTS, CARDS};
use crate::support::{Spec, TestServer};

on_both![
    a_client_gets_a_token_for_what_it_asks,
    without_a_scope_it_gets_all_that_is_its_own,
    resource_narrows,
    there_is_no_refresh_token_and_no_id_token,
    a_scope_that_is_not_its_own_is_refused,
    scopes_about_people_are_refused,
    an_unknown_resource_is_refused,
    a_client_without_the_grant_is_refused,
    an_unknown_grant_type_is_refused,
    answers_are_never_cached,
    asking_again_writes_no_second_authorization,
];

async fn a_client_gets_a_token_for_what_it_asks(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    assert_eq!(reply["token_type"], "Bearer");
    assert_eq!(reply["expires_in"], 300);
    assert_eq!(reply["scope"], "accounts:read");
    let token = reply["access_token"].as_str().unwrap();
    assert!(token.starts_with("cs_at_"));
    let seen = server.accounts.introspect(&server, token).await;
    assert_eq!(seen["active"], true);
    assert_eq!(seen["client_id"], "app");
    assert_eq!(seen["sub"], "app");
    assert_eq!(seen["aud"], ACCOUNTS);
    assert_eq!(seen["scope"], "accounts:read");
    assert_eq!(seen["iss"], server.issuer.as_str());
    assert_eq!(seen["exp"], server.now() + 300);
    assert!(seen.get("acr").is_none(), "nobody signed in");
}

async fn without_a_scope_it_gets_all_that_is_its_own(server: TestServer) {
    let spec = Spec::confidential("app").scopes("openid accounts:read transactions:read");
    let app = server.register(spec).await;
    let reply = app
        .token(&server, &[("grant_type", "client_credentials")])
        .await
        .ok();
    assert_eq!(reply["scope"], "accounts:read transactions:read");
}

async fn resource_narrows(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let form = [("grant_type", "client_credentials"), ("resource", CARDS)];
    let reply = app.token(&server, &form).await.ok();
    assert_eq!(reply["scope"], "cards:read");
    let token = reply["access_token"].as_str().unwrap();
    assert!(server.cards.sees(&server, token).await);
    assert!(!server.accounts.sees(&server, token).await);
}

async fn there_is_no_refresh_token_and_no_id_token(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    assert!(reply.get("refresh_token").is_none() && reply.get("id_token").is_none());
}

async fn a_scope_that_is_not_its_own_is_refused(server: TestServer) {
    let app = server
        .register(Spec::confidential("app").scopes("accounts:read"))
        .await;
    for scope in [
        "cards:read",
        "accounts:read cards:read",
        "payments:write",
        "a\"b",
    ] {
        app.client_credentials(&server, scope)
            .await
            .refused(400, "invalid_scope");
    }
}

async fn scopes_about_people_are_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for scope in ["openid", "profile", "offline_access accounts:read"] {
        app.client_credentials(&server, scope)
            .await
            .refused(400, "invalid_scope");
    }
}

async fn an_unknown_resource_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for resource in [
        "https://elsewhere.example",
        "not a uri",
        "https://api.bank.example/accounts#x",
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "accounts:read"),
            ("resource", resource),
        ];
        app.token(&server, &form)
            .await
            .refused(400, "invalid_target");
    }
}

async fn a_client_without_the_grant_is_refused(server: TestServer) {
    let spec = Spec::confidential("app").grants(&[]).redirect(&[]);
    let app = server.register(spec).await;
    for grant in ["client_credentials", "authorization_code", "refresh_token"] {
        let reply = app.token(&server, &[("grant_type", grant)]).await;
        reply.refused(400, "unauthorized_client");
    }
}

async fn an_unknown_grant_type_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for grant in [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "Client_Credentials",
    ] {
        let reply = app.token(&server, &[("grant_type", grant)]).await;
        reply.refused(400, "unsupported_grant_type");
    }
    app.token(&server, &[])
        .await
        .refused(400, "invalid_request");
    let doubled = [
        ("grant_type", "client_credentials"),
        ("grant_type", "client_credentials"),
    ];
    app.token(&server, &doubled)
        .await
        .refused(400, "invalid_request");
}

async fn answers_are_never_cached(server: TestServer) {
    // RFC 6749 §5.1
    let app = server.register(Spec::confidential("app")).await;
    let good = app.client_credentials(&server, "accounts:read").await;
    let bad = app.client_credentials(&server, "nothing").await;
    for reply in [good, bad] {
        assert!(
            reply.header("cache-control").contains("no-store"),
            "{reply:?}"
        );
        assert!(reply.header("content-type").starts_with("application/json"));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

async fn asking_again_writes_no_second_authorization(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let reply = app.client_credentials(&server, "cards:read").await.ok();
        let token = reply["access_token"].as_str().unwrap().to_owned();
        let claims = crate::support::jwt::verify(&server, &token).await.claims;
        ids.push((claims["azn"].clone(), claims["jti"].clone()));
    }
    assert_eq!(ids[0].0, ids[1].0);
    assert_ne!(ids[0].1, ids[1].1);
}
