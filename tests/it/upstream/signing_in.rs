//! The good ways, and what people read when there is none.

use super::{TRUSTED, UNTRUSTED, events, linked};
use crate::support::people::PASSWORD;
use crate::support::provider::{Provider, of};
use crate::support::{Answer, AuthRequest, Spec, TestServer, jwt};

on_both_upstream![
    who_is_believed_is_signed_in_with_two_factors,
    an_app_is_told_two_factors_and_when,
    who_is_not_believed_proves_a_factor_of_ours,
    a_recovery_code_does_too,
    an_account_that_nobody_linked_is_told_how_to_link,
    a_provider_that_is_down_is_no_verdict,
    who_turns_back_there_is_back_at_the_sign_in,
];

const FACTOR: &str = "/sign-in/upstream/factor";

async fn who_is_believed_is_signed_in_with_two_factors(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let page = browser.open("/sign-in").await;
    assert!(page.body.contains("Staff Login"), "{}", page.body);
    let page = provider.walk(&server, &mut browser, TRUSTED).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(browser.is_signed_in().await);
    assert_eq!(events(&server, "upstream.used").await, 1);
}

async fn an_app_is_told_two_factors_and_when(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let app = server.register(Spec::confidential("app")).await;
    let mut browser = server.browser();
    let request = AuthRequest::new(&app, "openid").with("prompt", "login");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/sign-in").unwrap();
    let from = action.replace("/sign-in", "/upstream");
    let asked = provider.sent(&mut browser, &from).await;
    assert_eq!(of(&asked, "prompt"), "login");
    assert_eq!(of(&asked, "max_age"), "0");
    let back = provider.answer(&server, &asked, TRUSTED, |claims| {
        claims["auth_time"] = (server.now() - 5).into();
    });
    let page = browser.get(&back).await;
    let page = browser.follow(page).await;
    let action = page
        .form("/consent")
        .unwrap_or_else(|| panic!("{}", page.body));
    let page = browser.post(&action, &[("decision", "allow")]).await;
    let tokens = request
        .redeem(&server, &app, &Answer::of(&page).code())
        .await;
    let token = tokens.id;
    let claims = jwt::verify(&server, &token).await.claims;
    assert_eq!(claims["acr"], "urn:countersign:acr:2fa");
    assert_eq!(claims["amr"], serde_json::json!(["mfa"]));
    assert_eq!(claims["auth_time"], server.now() - 5);
}

async fn who_is_not_believed_proves_a_factor_of_ours(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    let page = provider.walk(&server, &mut browser, UNTRUSTED).await;
    assert_eq!(page.form(FACTOR).as_deref(), Some(FACTOR), "{}", page.body);
    assert!(!browser.is_signed_in().await);
    // The password is no second factor, and nothing is none.
    for wrong in ["", "000000", PASSWORD] {
        let page = browser.post(FACTOR, &[("code", wrong)]).await;
        assert_eq!(page.status, 400, "{wrong:?}: {}", page.body);
        assert!(!browser.is_signed_in().await);
    }
    let code = ada.next_code(&server);
    let page = browser.post(FACTOR, &[("code", &code)]).await;
    assert_eq!(page.location(), "/account", "{}", page.body);
    assert!(browser.is_signed_in().await);
    // It waits no more.
    let code = ada.next_code(&server);
    let page = browser.post(FACTOR, &[("code", &code)]).await;
    assert_eq!(page.status, 410);
}

async fn a_recovery_code_does_too(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    provider.walk(&server, &mut browser, UNTRUSTED).await;
    let form = [("code", ada.recovery_codes[0].as_str())];
    browser.post(FACTOR, &form).await;
    assert!(browser.is_signed_in().await);
}

async fn an_account_that_nobody_linked_is_told_how_to_link(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let page = provider
        .walk(&server, &mut browser, ("bob-at-the-bank", TRUSTED.1))
        .await;
    assert_eq!(page.status, 403);
    assert!(
        page.body.contains("link it in your account"),
        "{}",
        page.body
    );
    assert!(!browser.is_signed_in().await);
}

async fn a_provider_that_is_down_is_no_verdict(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    provider.down(true);
    let page = browser.open(&back).await;
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(page.body.contains("Nothing was decided"), "{}", page.body);
    server.advance(601);
    let page = browser.open("/sign-in/upstream").await;
    assert_eq!(page.status, 503, "{}", page.body);
    server.advance(10);
    provider.down(false);
    provider.walk(&server, &mut browser, TRUSTED).await;
    assert!(browser.is_signed_in().await);
}

async fn who_turns_back_there_is_back_at_the_sign_in(server: TestServer, provider: Provider) {
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let state = of(&asked, "state");
    let iss = &provider.issuer;
    let back = format!("/upstream/callback?error=access_denied&state={state}&iss={iss}");
    let page = browser.open(&back).await;
    assert_eq!(page.status, 400);
    assert!(
        page.form("/sign-in?to=%2Faccount").is_some(),
        "{}",
        page.body
    );
}
