//! Answers that are not the ones that were asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{TRUSTED, UNTRUSTED, events, half_way, linked, sessions};
use crate::support::provider::{Provider, of};
use crate::support::server::caller;
use crate::support::{TestServer, jwt, race};

on_both_upstream![
    an_answer_is_good_once,
    fifty_at_once_sign_in_once,
    another_browser_gains_nothing,
    an_answer_that_waited_too_long_is_over,
    a_token_that_is_not_right_opens_nothing,
    an_answer_of_another_provider_is_refused,
    another_site_sends_nobody_there,
    the_factor_is_guessed_no_more_often_than_any,
    fifty_factors_at_once_sign_in_once,
    a_link_removed_meanwhile_opens_nothing,
    what_waits_for_a_factor_is_nobody_elses,
    an_address_that_is_hers_opens_nothing,
    nobody_is_led_elsewhere,
    the_cookie_of_before_is_worth_nothing,
    an_account_that_is_stopped_is_opened_by_nothing,
];

async fn an_answer_is_good_once(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    assert_eq!(browser.get(&back).await.location(), "/account");
    assert_eq!(browser.get(&back).await.status, 410);
    // Nor is another code for the same request.
    let again = provider.answer(&server, &asked, TRUSTED, |_| ());
    assert_eq!(browser.get(&again).await.status, 410);
}

async fn fifty_at_once_sign_in_once(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let before = sessions(&server).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    let pages = race(50, |_| {
        let (mut browser, back) = (browser.clone(), back.clone());
        async move { browser.get(&back).await }
    })
    .await;
    let through = pages.iter().filter(|page| page.location() == "/account");
    assert_eq!(through.count(), 1);
    assert_eq!(sessions(&server).await, before + 1);
}

async fn another_browser_gains_nothing(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    let mut empty = server.browser();
    let mut busy = server.browser();
    provider.sent(&mut busy, "/sign-in/upstream").await;
    for other in [&mut empty, &mut busy] {
        assert_eq!(other.get(&back).await.status, 410);
        assert!(!other.is_signed_in().await);
    }
    // It disturbed nobody.
    assert_eq!(browser.get(&back).await.location(), "/account");
}

async fn an_answer_that_waited_too_long_is_over(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    server.advance(601);
    let back = provider.answer(&server, &asked, TRUSTED, |_| ());
    assert_eq!(browser.get(&back).await.status, 410);
}

async fn a_token_that_is_not_right_opens_nothing(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let before = sessions(&server).await;
    let now = server.now();
    let wrong: [(&str, Value); 9] = [
        ("nonce", json!("another")),
        ("aud", json!("another")),
        ("aud", json!(["countersign", "another"])),
        ("azp", json!("another")),
        ("iss", json!("https://another.example")),
        ("exp", json!(now - 61)),
        ("iat", json!(now + 61)),
        ("auth_time", json!(null)),
        ("sub", json!("")),
    ];
    let mut browser = server.browser();
    for (claim, value) in wrong {
        let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
        let shown = format!("{claim}: {value}");
        let back = provider.answer(&server, &asked, TRUSTED, |claims| claims[claim] = value);
        let page = browser.open(&back).await;
        assert_eq!(page.status, 400, "{shown}: {}", page.body);
        assert!(!browser.is_signed_in().await, "{shown}");
    }
    // Signed by nobody.
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let claims = json!({
        "iss": provider.issuer, "sub": TRUSTED.0, "aud": "countersign", "acr": TRUSTED.1,
        "nonce": of(&asked, "nonce"), "iat": now, "exp": now + 300, "auth_time": now,
    });
    let written = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!(
        "{}.{}.",
        written(&json!({ "alg": "none" })),
        written(&claims)
    );
    let page = browser.open(&provider.answer_with(&asked, &unsigned)).await;
    assert_eq!(page.status, 400);
    // Signed by somebody else.
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let key = rules::jose::SigningKey::generate(rules::jose::Alg::Es256).unwrap();
    let mut claims = claims;
    claims["nonce"] = of(&asked, "nonce").into();
    let page = browser
        .open(&provider.answer_with(&asked, &jwt::sign(&key, &claims)))
        .await;
    assert_eq!(page.status, 400);
    assert_eq!(sessions(&server).await, before);
    assert_eq!(events(&server, "upstream.used").await, 0);
}

/// RFC 9207 §2.4.
async fn an_answer_of_another_provider_is_refused(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    for other in ["", "&iss=https%3A%2F%2Fanother.example"] {
        let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
        let back = provider.answer(&server, &asked, TRUSTED, |_| ());
        let (bare, _) = back.split_once("&iss=").unwrap();
        let page = browser.open(&format!("{bare}{other}")).await;
        assert_eq!(page.status, 400, "{}", page.body);
        assert!(!browser.is_signed_in().await);
    }
}

async fn another_site_sends_nobody_there(server: TestServer, provider: Provider) {
    let mut browser = server.browser();
    let request = server.http.get(server.at("/sign-in/upstream"));
    let page = browser
        .send(request.header("sec-fetch-site", "cross-site"))
        .await;
    assert!(
        page.location().starts_with("/sign-in"),
        "{}",
        page.location()
    );
    assert!(!page.location().contains(&provider.issuer));
}

async fn the_factor_is_guessed_no_more_often_than_any(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    let factor = half_way(&server, &provider, &mut browser).await;
    for _ in 0..5 {
        let page = browser.post(&factor, &[("code", "000000")]).await;
        assert_eq!(page.status, 400);
    }
    let code = ada.code_at(u64::try_from(server.now()).unwrap() + 30);
    let page = browser.post(&factor, &[("code", &code)]).await;
    assert_eq!(page.status, 429, "{}", page.body);
    assert!(!browser.is_signed_in().await);
}

async fn fifty_factors_at_once_sign_in_once(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let before = sessions(&server).await;
    let mut browser = server.browser();
    let factor = half_way(&server, &provider, &mut browser).await;
    let code = ada.next_code(&server);
    race(50, |_| {
        let (mut browser, code, factor) = (browser.clone(), code.clone(), factor.clone());
        async move { browser.post(&factor, &[("code", &code)]).await }
    })
    .await;
    assert!(sessions(&server).await <= before + 1);
}

async fn a_link_removed_meanwhile_opens_nothing(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    let factor = half_way(&server, &provider, &mut browser).await;
    server.behind("DELETE FROM upstream_links").await;
    let code = ada.next_code(&server);
    let page = browser.post(&factor, &[("code", &code)]).await;
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(!browser.is_signed_in().await);
}

/// Her link was removed, and what she had there is somebody else's now.
async fn what_waits_for_a_factor_is_nobody_elses(server: TestServer, provider: Provider) {
    let ada = linked(&server, &provider, "ada", UNTRUSTED.0).await;
    let mut browser = server.browser();
    let factor = half_way(&server, &provider, &mut browser).await;
    server.behind("DELETE FROM upstream_links").await;
    let bob = linked(&server, &provider, "bob", UNTRUSTED.0).await;
    for (person, status) in [(&bob, 400), (&ada, 400), (&ada, 410)] {
        let code = person.next_code(&server);
        let page = browser.post(&factor, &[("code", &code)]).await;
        assert_eq!(page.status, status, "{}", page.body);
        assert!(!browser.is_signed_in().await);
    }
    // Another browser has nothing of it.
    let page = server.browser().get(&factor).await;
    assert_eq!(page.status, 410, "{}", page.body);
}

/// What the provider says of a person besides her subject is nothing to go by.
async fn an_address_that_is_hers_opens_nothing(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let mut browser = server.browser();
    let asked = provider.sent(&mut browser, "/sign-in/upstream").await;
    let back = provider.answer(&server, &asked, ("eve-there", TRUSTED.1), |claims| {
        claims["email"] = "ada@mail.example".into();
        claims["email_verified"] = true.into();
        claims["preferred_username"] = "ada".into();
    });
    let page = browser.open(&back).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(!browser.is_signed_in().await);
}

async fn nobody_is_led_elsewhere(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    for to in [
        "https%3A%2F%2Fevil.example%2Faccount",
        "%2F%2Fevil.example",
        "%2Faccount%40evil.example",
        "%2F%5Cevil.example",
        "%2Faccount%2F..%2F%2Fevil.example",
    ] {
        let mut browser = server.browser();
        let from = format!("/sign-in/upstream?to={to}");
        let asked = provider.sent(&mut browser, &from).await;
        let back = provider.answer(&server, &asked, TRUSTED, |_| ());
        let page = browser.get(&back).await;
        assert_eq!(page.location(), "/account", "{to}");
    }
}

/// Whoever planted a session cookie, or holds the one of somebody before, has nothing of hers.
async fn the_cookie_of_before_is_worth_nothing(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    let bob = server.person("bob").await;
    let mut browser = super::signed_in(&server, &bob).await;
    let mut planted = browser.clone();
    server.advance(301);
    provider.walk(&server, &mut browser, TRUSTED).await;
    let page = browser.get("/account").await;
    assert!(page.body.contains("ada"), "{}", page.body);
    assert!(!planted.is_signed_in().await);
}

async fn an_account_that_is_stopped_is_opened_by_nothing(server: TestServer, provider: Provider) {
    linked(&server, &provider, "ada", TRUSTED.0).await;
    countersign::flows::users::disable(&server.app, "ada", &caller())
        .await
        .unwrap();
    let mut browser = server.browser();
    let page = provider.walk(&server, &mut browser, TRUSTED).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(!browser.is_signed_in().await);
    assert_eq!(sessions(&server).await, 0);
}
