//! One form, one verdict (PSD2 RTS Art. 4(3)(a)).

use crate::support::people::{self, PASSWORD};
use crate::support::{Page, TestServer};

on_both![
    the_right_three_sign_in,
    whatever_was_wrong_the_page_is_the_same,
    somebody_unknown_costs_the_same_work,
    a_code_is_used_once,
    an_older_code_is_refused_after_a_newer_one,
    a_code_of_a_neighbouring_step_is_accepted,
    a_wrong_password_spends_no_code,
    a_recovery_code_takes_the_codes_place_once,
    a_wrong_password_spends_no_recovery_code,
    names_are_recognised_however_they_are_typed,
    codes_are_read_with_spaces_and_dashes,
    missing_fields_are_refused,
    what_was_typed_is_shown_again_escaped_and_secrets_are_not,
    the_page_for_signing_in_knows_where_to_go_when_signed_in,
];

async fn attempt(server: &TestServer, username: &str, password: &str, code: &str) -> Page {
    let mut browser = server.browser();
    let page = browser.try_sign_in(username, password, code).await;
    assert!(!browser.is_signed_in().await, "{username} {code}");
    page
}

async fn the_right_three_sign_in(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    assert!(!browser.is_signed_in().await);
    let page = browser.sign_in(&server, &ada).await;
    assert!(matches!(page.status, 302 | 303));
    let page = browser.follow(page).await;
    assert!(page.body.contains("ada Example"), "{}", page.body);
}

async fn whatever_was_wrong_the_page_is_the_same(server: TestServer) {
    let ada = server.person("ada").await;
    people::invite(&server, "bea").await;
    server.person("cleo").await;
    let caller = crate::support::server::caller();
    countersign::flows::users::disable(&server.app, "cleo", &caller)
        .await
        .unwrap();
    server.advance(30);
    let code = ada.code(&server);
    let mut pages = Vec::new();
    for (username, password, code) in [
        ("ada", "wrong password entirely", code.as_str()),
        ("ada", PASSWORD, "000000"),
        ("ada", PASSWORD, "nonsense"),
        ("bea", PASSWORD, code.as_str()),
        ("cleo", PASSWORD, code.as_str()),
        ("dora", PASSWORD, code.as_str()),
        ("ada", PASSWORD, "0000-0000-0000-0000"),
    ] {
        let page = attempt(&server, username, password, code).await;
        let body = page
            .without_reference()
            .replace(&format!("value=\"{username}\""), "");
        pages.push((page.status, body, format!("{username} {code}")));
    }
    for other in &pages[1..] {
        assert_eq!(
            (pages[0].0, &pages[0].1),
            (other.0, &other.1),
            "{}",
            other.2
        );
    }
}

async fn somebody_unknown_costs_the_same_work(server: TestServer) {
    server.person("ada").await;
    people::invite(&server, "bea").await;
    for code in ["123456", "0000-0000-0000-0000", "nonsense"] {
        let mut costs = Vec::new();
        for username in ["ada", "bea", "dora", "x".repeat(300).as_str(), "\u{202e}"] {
            let before = server.app.hasher.made();
            attempt(&server, username, "wrong password entirely", code).await;
            costs.push(server.app.hasher.made() - before);
        }
        assert!(
            costs.iter().all(|cost| *cost == costs[0] && *cost > 0),
            "{code}: {costs:?}"
        );
    }
}

async fn a_code_is_used_once(server: TestServer) {
    let ada = server.person("ada").await;
    // The ceremony spent its own step.
    attempt(&server, "ada", PASSWORD, &ada.code(&server)).await;
    server.advance(30);
    let code = ada.code(&server);
    let mut browser = server.browser();
    browser.try_sign_in("ada", PASSWORD, &code).await;
    assert!(browser.is_signed_in().await);
    attempt(&server, "ada", PASSWORD, &code).await;
}

async fn an_older_code_is_refused_after_a_newer_one(server: TestServer) {
    let ada = server.person("ada").await;
    server.advance(300);
    let older = ada.code(&server);
    server.advance(30);
    let mut browser = server.browser();
    browser
        .try_sign_in("ada", PASSWORD, &ada.code(&server))
        .await;
    assert!(browser.is_signed_in().await);
    attempt(&server, "ada", PASSWORD, &older).await;
}

async fn a_code_of_a_neighbouring_step_is_accepted(server: TestServer) {
    let ada = server.person("ada").await;
    server.advance(300);
    let now = u64::try_from(server.now()).unwrap();
    attempt(&server, "ada", PASSWORD, &ada.code_at(now - 60)).await;
    attempt(&server, "ada", PASSWORD, &ada.code_at(now + 60)).await;
    for at in [now - 30, now + 30] {
        let mut browser = server.browser();
        browser.try_sign_in("ada", PASSWORD, &ada.code_at(at)).await;
        assert!(browser.is_signed_in().await);
    }
}

async fn a_wrong_password_spends_no_code(server: TestServer) {
    let ada = server.person("ada").await;
    server.advance(30);
    let code = ada.code(&server);
    attempt(&server, "ada", "wrong password entirely", &code).await;
    let mut browser = server.browser();
    browser.try_sign_in("ada", PASSWORD, &code).await;
    assert!(browser.is_signed_in().await);
}

async fn a_recovery_code_takes_the_codes_place_once(server: TestServer) {
    let ada = server.person("ada").await;
    for code in &ada.recovery_codes[..2] {
        let mut browser = server.browser();
        browser
            .try_sign_in("ada", PASSWORD, &code.to_lowercase().replace('-', " "))
            .await;
        assert!(browser.is_signed_in().await);
        attempt(&server, "ada", PASSWORD, code).await;
    }
}

async fn a_wrong_password_spends_no_recovery_code(server: TestServer) {
    let ada = server.person("ada").await;
    let code = &ada.recovery_codes[0];
    attempt(&server, "ada", "wrong password entirely", code).await;
    let mut browser = server.browser();
    browser.try_sign_in("ada", PASSWORD, code).await;
    assert!(browser.is_signed_in().await);
}

async fn names_are_recognised_however_they_are_typed(server: TestServer) {
    let ada = server.person("ada").await;
    for typed in ["ADA", " ada ", "Ada"] {
        server.advance(30);
        let mut browser = server.browser();
        browser
            .try_sign_in(typed, PASSWORD, &ada.code(&server))
            .await;
        assert!(browser.is_signed_in().await, "{typed:?}");
    }
}

async fn codes_are_read_with_spaces_and_dashes(server: TestServer) {
    let ada = server.person("ada").await;
    for separator in [" ", "-", "  "] {
        server.advance(30);
        let code = ada.code(&server);
        let typed = format!(" {}{separator}{} ", &code[..3], &code[3..]);
        let mut browser = server.browser();
        browser.try_sign_in("ada", PASSWORD, &typed).await;
        assert!(browser.is_signed_in().await, "{typed:?}");
    }
}

async fn missing_fields_are_refused(server: TestServer) {
    let ada = server.person("ada").await;
    server.advance(30);
    let code = ada.code(&server);
    let full = [
        ("username", "ada"),
        ("password", PASSWORD),
        ("code", code.as_str()),
    ];
    for missing in 0..3 {
        let mut form = full.to_vec();
        form.remove(missing);
        let mut browser = server.browser();
        let page = browser.post("/sign-in", &form).await;
        assert!(page.status < 500 && page.location().is_empty(), "{page:?}");
        assert!(!browser.is_signed_in().await);
    }
    let mut browser = server.browser();
    browser.post("/sign-in", &full).await;
    assert!(browser.is_signed_in().await);
}

async fn what_was_typed_is_shown_again_escaped_and_secrets_are_not(server: TestServer) {
    let typed = "\"><script>alert(1)</script>";
    let page = attempt(&server, typed, "a secret that was typed", "654321").await;
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
    assert!(!page.body.contains("a secret that was typed"));
    assert!(!page.body.contains("654321"));
}

async fn the_page_for_signing_in_knows_where_to_go_when_signed_in(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let page = browser.get("/account").await;
    assert!(page.location().ends_with("/sign-in"), "{page:?}");
    let page = browser.sign_in(&server, &ada).await;
    assert!(page.location().ends_with("/account"), "{page:?}");
}
