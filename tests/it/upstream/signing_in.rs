//! The good ways, and what people read when there is none.

use super::{TRUSTED, UNTRUSTED, action, events, half_way, linked};
use crate::support::authenticator::{self, Authenticator, challenge, person_with, present};
use crate::support::people::PASSWORD;
use crate::support::provider::{Mood, Provider, of};
use crate::support::{Answer, AuthRequest, Browser, Spec, TestServer, jwt};

on_both_upstream![
    who_is_believed_is_signed_in_with_two_factors,
    an_app_is_told_two_factors_and_when,
    who_is_not_believed_proves_a_factor_of_ours,
    a_recovery_code_does_too,
    a_security_key_of_hers_does_too,
    an_account_that_nobody_linked_is_told_how_to_link,
    a_provider_that_is_down_is_no_verdict,
    who_turns_back_there_is_back_at_the_sign_in,
    an_app_that_needs_more_asks_for_a_passkey_too,
    an_app_that_wants_no_page_is_told_so,
    two_tabs_go_on_where_they_were,
    a_binary_that_knows_no_provider_reads_the_rest,
];

const PHR: &str = "urn:countersign:acr:phr";

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
    let asked = to_provider(&server, &provider, (&mut browser, &request)).await;
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
    let factor = half_way(&server, &provider, &mut browser).await;
    assert!(!browser.is_signed_in().await);
    // The password is no second factor, and nothing is none.
    for wrong in ["", "000000", PASSWORD] {
        let page = browser.post(&factor, &[("code", wrong)]).await;
        assert_eq!(page.status, 400, "{wrong:?}: {}", page.body);
        assert!(!browser.is_signed_in().await);
    }
    let code = ada.next_code(&server);
    let page = browser.post(&factor, &[("code", &code)]).await;
    assert_eq!(page.location(), "/account", "{}", page.body);
    assert!(browser.is_signed_in().await);
    // It waits no more.
    let code = ada.next_code(&server);
    let page = browser.post(&factor, &[("code", &code)]).await;
    assert_eq!(page.status, 410);
}

async fn a_recovery_code_does_too(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    let factor = half_way(&server, &provider, &mut browser).await;
    let form = [("code", ada.recovery_codes[0].as_str())];
    browser.post(&factor, &form).await;
    assert!(browser.is_signed_in().await);
}

async fn a_security_key_of_hers_does_too(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let mut hers = Authenticator::new(&server);
    authenticator::bind(&mut browser, &server, &ada, ("security_key", &mut hers)).await;
    let (_, mut eves) = person_with(&server, "eve", "security_key").await;
    for (key, status) in [(&mut eves, 400), (&mut hers, 303)] {
        let mut browser = server.browser();
        let factor = half_way(&server, &provider, &mut browser).await;
        key.verifies = false;
        let asked = challenge(&mut browser, "key").await;
        let credential = key.answer(&asked.options);
        let form = [
            ("ceremony", asked.ceremony.as_str()),
            ("credential", &credential),
            ("proof", "key"),
        ];
        let page = browser.post(&factor, &form).await;
        assert_eq!(page.status, status, "{}", page.body);
        assert_eq!(browser.is_signed_in().await, status == 303);
        // An answer is good once.
        let page = browser.post(&factor, &form).await;
        assert_eq!(page.status, if status == 303 { 410 } else { 400 });
    }
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
    provider.mood(Mood::Down);
    let page = browser.open(&back).await;
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(page.body.contains("Nothing was decided"), "{}", page.body);
    server.advance(601);
    let page = browser.open("/sign-in/upstream").await;
    assert_eq!(page.status, 503, "{}", page.body);
    server.advance(10);
    provider.mood(Mood::Well);
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

/// An app's request, as far as the provider: the address that she is sent to.
async fn to_provider(
    server: &TestServer,
    provider: &Provider,
    (browser, request): (&mut Browser, &AuthRequest),
) -> String {
    let page = browser.begin(server, request).await;
    let action = page.form("/sign-in").unwrap();
    let from = action.replace("/sign-in", "/upstream");
    provider.sent(browser, &from).await
}

async fn an_app_that_needs_more_asks_for_a_passkey_too(server: TestServer, provider: Provider) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    authenticator::sign_in(&mut browser, &mut passkey).await;
    let asked = challenge(&mut browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    let form = [
        ("ceremony", asked.ceremony.as_str()),
        ("credential", &credential),
        ("proof", "passkey"),
    ];
    provider
        .link(&server, &mut browser, (&form, TRUSTED.0))
        .await;
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid").with("acr_values", PHR);
    let mut browser = server.browser();
    let asked = to_provider(&server, &provider, (&mut browser, &request)).await;
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    let page = browser.open(&back).await;
    assert!(page.body.contains("One more step"), "{}", page.body);
    assert_eq!(page.form("/consent"), None);
    let step = page.form("/sign-in").unwrap();
    let asked = challenge(&mut browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    let page = present(&mut browser, &step, &asked.ceremony, &credential).await;
    let page = browser.follow(page).await;
    let action = page
        .form("/consent")
        .unwrap_or_else(|| panic!("{}", page.body));
    let page = browser.post(&action, &[("decision", "allow")]).await;
    let code = Answer::of(&page).code();
    let tokens = request.redeem(&server, &app, &code).await;
    assert_eq!(jwt::verify(&server, &tokens.id).await.claims["acr"], PHR);
}

/// OpenID Connect Core §3.1.2.6: nobody is sent to the provider behind her back.
async fn an_app_that_wants_no_page_is_told_so(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid").with("prompt", "none");
    let asked = provider.asked();
    let page = server.browser().begin(&server, &request).await;
    assert_eq!(Answer::of(&page).error(), "login_required");
    assert_eq!(provider.asked(), asked);
}

async fn two_tabs_go_on_where_they_were(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let mut tabs = Vec::new();
    for id in ["one", "two"] {
        let app = server.register(Spec::confidential(id)).await;
        let request = AuthRequest::new(&app, "openid");
        tabs.push(to_provider(&server, &provider, (&mut browser, &request)).await);
    }
    // Both come back without being believed, the second first.
    let mut factors = Vec::new();
    for asked in tabs.iter().rev() {
        let back = provider.answer(&server, asked, UNTRUSTED, |_| ());
        let page = browser.open(&back).await;
        factors.push(action(&page, "/sign-in/upstream/").unwrap());
    }
    for (factor, app) in factors.iter().zip(["two", "one"]) {
        let code = ada.next_code(&server);
        let page = browser.post(factor, &[("code", &code)]).await;
        let page = browser.follow(page).await;
        assert!(
            page.body.contains(&format!("The app {app}")),
            "{app}: {}",
            page.body
        );
    }
}

/// What the previous binary does not know lies where it does not look.
async fn a_binary_that_knows_no_provider_reads_the_rest(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    provider.walk(&server, &mut browser, TRUSTED).await;
    let mut other = server.browser();
    let factor = half_way(&server, &provider, &mut other).await;
    let code = ada.next_code(&server);
    other.post(&factor, &[("code", &code)]).await;
    assert!(other.is_signed_in().await);
    let count = async |sql: &str| server.number(sql).await;
    let all = "SELECT COUNT(*) FROM sessions WHERE upstream_proofs IS NOT NULL";
    assert_eq!(count(all).await, 2);
    let known = "SELECT COUNT(*) FROM sessions WHERE LOWER(proofs) LIKE '%upstream%'";
    assert_eq!(count(known).await, 0);
    let nothing = "SELECT COUNT(*) FROM sessions WHERE proofs = '[]'";
    assert_eq!(count(nothing).await, 1);
}
