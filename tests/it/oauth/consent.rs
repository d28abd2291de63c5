//! A consent holds for what was shown, for as long as was said, and can be taken back in part.

use crate::support::{Answer, AuthRequest, Browser, ClientApp, Spec, TestServer};

const DAY: u64 = 24 * 3600;

on_both![
    a_scope_that_is_left_out_is_taken_back_at_once,
    a_token_made_at_the_same_moment_loses_it_too,
    a_code_on_its_way_gives_it_no_more,
    a_consent_that_is_over_is_asked_for_anew,
    a_session_that_is_over_does_not_come_back_with_a_new_sign_in,
];

async fn a_scope_that_is_left_out_is_taken_back_at_once(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read transactions:read";
    let before = browser.code_flow(&server, &app, &ada, scope).await;
    assert!(server.accounts.sees(&server, &before.access).await);
    server.advance(1);
    leaves_out(&server, &app, &mut browser, scope).await;
    server.advance(1);
    assert!(
        !server.accounts.sees(&server, &before.access).await,
        "it carries what was taken back"
    );
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", before.refresh.as_str()),
    ];
    // For a few seconds it is not sure what a refresh had read; then the rest is given.
    assert_eq!(app.token(&server, &form).await.status, 503);
    server.advance(5);
    let fresh = app.token(&server, &form).await.ok();
    assert_eq!(fresh["scope"], "accounts:read offline_access openid");
    let access = fresh["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, access).await);
    // And it does not come back without asking.
    let page = browser.begin(&server, &AuthRequest::new(&app, scope)).await;
    let page = browser.follow(page).await;
    assert!(page.form("/consent").is_some(), "{page:?}");
}

/// Asked again, she leaves the optional scope out.
async fn leaves_out(
    server: &TestServer,
    app: &ClientApp,
    browser: &mut Browser,
    scope: &str,
) -> (AuthRequest, String) {
    let again = AuthRequest::new(app, scope).with("prompt", "consent");
    let page = browser.begin(server, &again).await;
    let page = browser.follow(page).await;
    let action = page.form("/consent").unwrap();
    let page = browser.post(&action, &[("decision", "allow")]).await;
    let code = Answer::of(&page).code();
    (again, code)
}

async fn a_token_made_at_the_same_moment_loses_it_too(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read transactions:read";
    let before = browser.code_flow(&server, &app, &ada, scope).await;
    server.advance(1);
    let same = app.refresh(&server, &before.refresh).await.ok();
    let same = same["access_token"].as_str().unwrap();
    let (request, code) = leaves_out(&server, &app, &mut browser, scope).await;
    assert!(!server.accounts.sees(&server, same).await);
    // What she said yes to is good at once.
    let tokens = request.redeem(&server, &app, &code).await;
    assert_eq!(tokens.scope, "accounts:read offline_access openid");
    assert!(server.accounts.sees(&server, &tokens.access).await);
    let next = app.refresh(&server, &tokens.refresh).await.ok();
    let next = next["access_token"].as_str().unwrap();
    assert!(server.accounts.sees(&server, next).await);
    // And again in the next tab, without a question.
    let less = "openid offline_access accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, less).await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
}

async fn a_code_on_its_way_gives_it_no_more(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read transactions:read";
    let request = AuthRequest::new(&app, scope);
    let code = browser.walk(&server, &request, &ada).await.code();
    server.advance(1);
    leaves_out(&server, &app, &mut browser, scope).await;
    let early = request.try_redeem(&server, &app, &code).await;
    assert_eq!(early.status, 503, "it was not spent: {}", early.body);
    server.advance(6);
    let tokens = request.redeem(&server, &app, &code).await;
    assert_eq!(tokens.scope, "accounts:read offline_access openid");
    let told = server.accounts.introspect(&server, &tokens.access).await;
    assert_eq!(told["scope"], "accounts:read");
}

async fn a_consent_that_is_over_is_asked_for_anew(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    server.advance(181 * DAY);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    let reply = app.token(&server, &form).await;
    reply.refused(400, "invalid_grant");
    browser.sign_in(&server, &ada).await;
    server.advance(1);
    let page = browser.begin(&server, &AuthRequest::new(&app, scope)).await;
    let page = browser.follow(page).await;
    assert!(page.form("/consent").is_some(), "{page:?}");
}

async fn a_session_that_is_over_does_not_come_back_with_a_new_sign_in(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    app.token(&server, &form).await.ok();
    server.advance(DAY);
    let reply = app.token(&server, &form).await;
    reply.refused(400, "invalid_grant");
    // The same person, the same browser, the old cookie still in it.
    browser.sign_in(&server, &ada).await;
    assert!(browser.is_signed_in().await);
    let reply = app.token(&server, &form).await;
    reply.refused(400, "invalid_grant");
}
