//! Whatever was answered is still so after the process was killed.

use crate::support::{AuthRequest, Spec, TestServer};

on_both![
    everything_that_lived_lives_on,
    everything_that_ended_stays_ended,
    an_interaction_goes_on_after_a_restart,
];

async fn everything_that_lived_lives_on(server: TestServer) {
    let app = server.register(Spec::public("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    let request = AuthRequest::new(&app, scope);
    let code = browser.walk(&server, &request, &ada).await.code();
    let own = server.register(Spec::confidential("own")).await;
    let jwt = own.client_credentials(&server, "cards:read").await.ok();
    let server = server.restart().await;
    assert!(browser.is_signed_in().await);
    assert!(server.accounts.sees(&server, &tokens.access).await);
    assert!(
        server
            .cards
            .sees(&server, jwt["access_token"].as_str().unwrap())
            .await
    );
    request.redeem(&server, &app, &code).await;
    let next = app.refresh(&server, &tokens.refresh).await.ok();
    let server = server.restart().await;
    // The repeat after a lost answer works across a restart too.
    let again = app.refresh(&server, &tokens.refresh).await.ok();
    assert_eq!(next["refresh_token"], again["refresh_token"]);
    server.advance(30);
    let mut elsewhere = server.browser();
    elsewhere.sign_in(&server, &ada).await;
    assert!(elsewhere.is_signed_in().await);
}

async fn everything_that_ended_stays_ended(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let revoked = browser.code_flow(&server, &app, &ada, scope).await;
    app.revoke(&server, &revoked.access).await;
    let gone = browser.code_flow(&server, &app, &ada, scope).await;
    app.revoke(&server, &gone.refresh).await;
    let request = AuthRequest::new(&app, scope);
    let code = browser.walk(&server, &request, &ada).await.code();
    let live = request.redeem(&server, &app, &code).await;
    let mut ended = browser.clone();
    browser.post("/sign-out", &[]).await;
    let spent = ada.code(&server);
    for _ in 0..5 {
        server
            .browser()
            .try_sign_in("bea", "wrong password entirely", "000000")
            .await;
    }
    let server = server.restart().await;
    assert!(!server.accounts.sees(&server, &revoked.access).await);
    assert!(!server.accounts.sees(&server, &gone.access).await);
    app.refresh(&server, &gone.refresh)
        .await
        .refused(400, "invalid_grant");
    assert!(!ended.is_signed_in().await);
    let mut replay = server.browser();
    replay.try_sign_in("ada", &ada.password, &spent).await;
    assert!(!replay.is_signed_in().await, "the time step stays spent");
    assert!(server.accounts.sees(&server, &live.access).await);
    request
        .try_redeem(&server, &app, &code)
        .await
        .refused(400, "invalid_grant");
    assert!(
        !server.accounts.sees(&server, &live.access).await,
        "a replay is still one"
    );
    let before = server.app.hasher.made();
    server
        .browser()
        .try_sign_in("bea", "wrong password entirely", "000000")
        .await;
    assert_eq!(
        server.app.hasher.made(),
        before,
        "a block outlives the process"
    );
}

async fn an_interaction_goes_on_after_a_restart(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let short = request.pushed(&server, &app).await;
    let mut browser = server.browser();
    let page = browser.begin(&server, &short).await;
    let server = server.restart().await;
    let answer = browser.go_on(&server, page, &ada).await;
    request.redeem(&server, &app, &answer.code()).await;
}
