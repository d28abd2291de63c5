//! Refresh tokens (RFC 6749 §6, RFC 9700 §4.14).

use crate::support::{Browser, ClientApp, Person, Spec, TestServer, Tokens};

on_both![
    a_confidential_clients_token_does_not_rotate,
    a_public_clients_token_rotates,
    a_repeat_within_thirty_seconds_gets_the_same_successor,
    a_repeat_after_thirty_seconds_revokes_everything,
    a_token_older_than_the_last_revokes_everything,
    using_the_successor_ends_the_repeat,
    another_client_cannot_use_it,
    it_ends_at_an_absolute_time,
    scope_may_be_narrowed_and_comes_back,
    scope_cannot_grow,
    without_authentication_it_is_worth_nothing,
    garbage_is_refused,
    without_offline_access_it_ends_with_the_session,
    with_offline_access_it_outlives_the_session,
    without_the_grant_there_is_none,
    the_id_token_of_a_refresh_tells_of_the_same_sign_in,
];

struct Story {
    app: ClientApp,
    browser: Browser,
    tokens: Tokens,
    ada: Person,
}

async fn story(server: &TestServer, spec: Spec, scope: &str) -> Story {
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser.code_flow(server, &app, &ada, scope).await;
    assert!(!tokens.refresh.is_empty());
    Story {
        app,
        browser,
        tokens,
        ada,
    }
}

const SCOPE: &str = "openid offline_access accounts:read";

async fn rotate(server: &TestServer, app: &ClientApp, token: &str) -> Tokens {
    Tokens::of(&app.refresh(server, token).await.ok())
}

async fn a_confidential_clients_token_does_not_rotate(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::confidential("app"), SCOPE).await;
    for _ in 0..3 {
        server.advance(40);
        let next = rotate(&server, &app, &tokens.refresh).await;
        assert!(next.refresh.is_empty() || next.refresh == tokens.refresh);
        assert_ne!(next.access, tokens.access);
        assert!(server.accounts.sees(&server, &next.access).await);
    }
}

async fn a_public_clients_token_rotates(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let mut current = tokens;
    for _ in 0..4 {
        server.advance(60);
        let next = rotate(&server, &app, &current.refresh).await;
        assert_ne!(next.refresh, current.refresh);
        assert!(server.accounts.sees(&server, &next.access).await);
        current = next;
    }
}

async fn a_repeat_within_thirty_seconds_gets_the_same_successor(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let first = rotate(&server, &app, &tokens.refresh).await;
    server.advance(29);
    let second = rotate(&server, &app, &tokens.refresh).await;
    assert_eq!(first.refresh, second.refresh);
    assert!(server.accounts.sees(&server, &second.access).await);
    rotate(&server, &app, &first.refresh).await;
}

async fn a_repeat_after_thirty_seconds_revokes_everything(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let next = rotate(&server, &app, &tokens.refresh).await;
    server.advance(30);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    app.refresh(&server, &next.refresh)
        .await
        .refused(400, "invalid_grant");
    assert!(!server.accounts.sees(&server, &next.access).await);
    assert!(!server.accounts.sees(&server, &tokens.access).await);
}

async fn a_token_older_than_the_last_revokes_everything(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let one = rotate(&server, &app, &tokens.refresh).await;
    let two = rotate(&server, &app, &one.refresh).await;
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    app.refresh(&server, &two.refresh)
        .await
        .refused(400, "invalid_grant");
    assert!(!server.accounts.sees(&server, &two.access).await);
}

async fn using_the_successor_ends_the_repeat(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let one = rotate(&server, &app, &tokens.refresh).await;
    rotate(&server, &app, &one.refresh).await;
    server.advance(1);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    app.refresh(&server, &one.refresh)
        .await
        .refused(400, "invalid_grant");
}

async fn another_client_cannot_use_it(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let other = server.register(Spec::public("other")).await;
    other
        .refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    // The stranger's attempt changed nothing.
    let next = rotate(&server, &app, &tokens.refresh).await;
    server.advance(40);
    other
        .refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    rotate(&server, &app, &next.refresh).await;
}

async fn it_ends_at_an_absolute_time(server: TestServer) {
    const DAY: u64 = 24 * 3600;
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let mut current = tokens;
    for _ in 0..179 {
        server.advance(DAY);
        current = rotate(&server, &app, &current.refresh).await;
    }
    server.advance(DAY);
    app.refresh(&server, &current.refresh)
        .await
        .refused(400, "invalid_grant");
}

async fn scope_may_be_narrowed_and_comes_back(server: TestServer) {
    let scope = "openid offline_access accounts:read transactions:read";
    let Story { app, tokens, .. } = story(&server, Spec::confidential("app"), scope).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
        ("scope", "accounts:read"),
    ];
    let narrow = app.token(&server, &form).await.ok();
    assert_eq!(narrow["scope"], "accounts:read");
    assert!(narrow.get("id_token").is_none());
    let seen = server
        .accounts
        .introspect(&server, narrow["access_token"].as_str().unwrap())
        .await;
    assert_eq!(seen["scope"], "accounts:read");
    let whole = rotate(&server, &app, &tokens.refresh).await;
    assert_eq!(
        whole.scope,
        "accounts:read offline_access openid transactions:read"
    );
}

async fn scope_cannot_grow(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    for scope in [
        "cards:read",
        "accounts:read transactions:read",
        "nothing:known",
    ] {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh.as_str()),
            ("scope", scope),
        ];
        app.token(&server, &form)
            .await
            .refused(400, "invalid_scope");
    }
    // A refusal rotates nothing.
    rotate(&server, &app, &tokens.refresh).await;
}

async fn without_authentication_it_is_worth_nothing(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::confidential("app"), SCOPE).await;
    let mut nameless = app.clone();
    nameless.method = crate::support::apps::Method::None;
    let reply = nameless.refresh(&server, &tokens.refresh).await;
    reply.refused(401, "invalid_client");
}

async fn garbage_is_refused(server: TestServer) {
    let Story { app, tokens, .. } = story(&server, Spec::public("app"), SCOPE).await;
    let mut forged = tokens.refresh.clone();
    let at = forged.len() / 2;
    let other = if forged.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    forged.replace_range(at..=at, other);
    for garbage in [
        forged.as_str(),
        "cs_rt_",
        "x",
        &tokens.access,
        &"x".repeat(5000),
    ] {
        app.refresh(&server, garbage)
            .await
            .refused(400, "invalid_grant");
    }
    app.token(&server, &[("grant_type", "refresh_token")])
        .await
        .refused(400, "invalid_request");
    rotate(&server, &app, &tokens.refresh).await;
}

async fn without_offline_access_it_ends_with_the_session(server: TestServer) {
    let scope = "openid accounts:read";
    let Story {
        app,
        mut browser,
        tokens,
        ..
    } = story(&server, Spec::confidential("app"), scope).await;
    server.advance(60);
    let fresh = rotate(&server, &app, &tokens.refresh).await;
    browser.post("/sign-out", &[]).await;
    assert!(!browser.is_signed_in().await);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    assert!(!server.accounts.sees(&server, &fresh.access).await);
}

async fn with_offline_access_it_outlives_the_session(server: TestServer) {
    let Story {
        app,
        mut browser,
        tokens,
        ..
    } = story(&server, Spec::confidential("app"), SCOPE).await;
    browser.post("/sign-out", &[]).await;
    let next = rotate(&server, &app, &tokens.refresh).await;
    assert!(server.accounts.sees(&server, &next.access).await);
    server.advance(24 * 3600);
    rotate(&server, &app, &tokens.refresh).await;
}

async fn without_the_grant_there_is_none(server: TestServer) {
    use rules::protocol::GrantType;
    let spec = Spec::confidential("app").grants(&[GrantType::AuthorizationCode]);
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let tokens = server.browser().code_flow(&server, &app, &ada, SCOPE).await;
    assert!(tokens.refresh.is_empty());
}

async fn the_id_token_of_a_refresh_tells_of_the_same_sign_in(server: TestServer) {
    use crate::support::jwt::verify;
    let Story {
        app, tokens, ada, ..
    } = story(&server, Spec::confidential("app"), SCOPE).await;
    let first = verify(&server, &tokens.id).await.claims;
    server.advance(100);
    let next = rotate(&server, &app, &tokens.refresh).await;
    let second = verify(&server, &next.id).await.claims;
    // OpenID Connect Core §12.2
    for name in ["iss", "sub", "aud", "auth_time", "acr", "sid"] {
        assert_eq!(first[name], second[name], "{name}");
    }
    assert_eq!(second["sub"], ada.id.to_string());
    assert_eq!(second["iat"], server.now());
    assert!(
        second
            .get("nonce")
            .is_none_or(|nonce| nonce == &first["nonce"])
    );
}
