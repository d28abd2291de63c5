//! New recovery codes: a fresh proof, the set shown, one of it typed; until then the old ones count.

use crate::support::people::{self, PASSWORD};
use crate::support::{Browser, Page, Person, TestServer, race};

on_both![
    a_confirmed_set_replaces_the_old_one,
    the_old_codes_count_until_the_new_ones_are_confirmed,
    a_set_is_made_with_a_fresh_proof_only,
    a_wrong_code_confirms_nothing,
    confirming_without_a_set_does_nothing,
    a_set_is_shown_in_its_own_session_only,
    a_set_waits_ten_minutes_and_no_longer,
    keeping_the_old_codes_forgets_the_new_ones,
    a_password_change_forgets_the_set,
    a_confirmed_set_forgets_those_that_wait_in_other_browsers,
    fifty_confirmations_at_once_are_one,
    a_set_is_confirmed_after_a_restart,
    nothing_is_taken_from_another_site,
];

const HERE: &str = "/account/recovery-codes";
const CONFIRM: &str = "/account/recovery-codes/confirm";

/// Proves herself anew; gives the page with the new set.
async fn make(server: &TestServer, browser: &mut Browser, ada: &Person) -> Page {
    server.advance(30);
    let code = ada.code(server);
    let form = [("current", PASSWORD), ("code", code.as_str())];
    let page = browser.post(HERE, &form).await;
    assert_eq!(page.location(), HERE, "{}", page.body);
    browser.follow(page).await
}

/// Who she is with the codes of this page.
fn with_new(page: &Page, ada: &Person) -> Person {
    Person {
        recovery_codes: people::recovery_codes(page),
        ..ada.clone()
    }
}

async fn signed_in(server: &TestServer, ada: &Person) -> Browser {
    let mut browser = server.browser();
    browser.sign_in(server, ada).await;
    browser
}

async fn enters(server: &TestServer, code: &str) -> bool {
    let mut browser = server.browser();
    browser.try_sign_in("ada", PASSWORD, code).await;
    browser.is_signed_in().await
}

async fn a_confirmed_set_replaces_the_old_one(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    assert!(page.body.len() < 14 * 1024);
    let new = with_new(&page, &ada);
    assert_eq!(new.recovery_codes.len(), 10);
    assert!(
        new.recovery_codes
            .iter()
            .all(|code| !ada.recovery_codes.contains(code))
    );
    let asked = people::asked_code(&page, &new);
    let page = browser.post(CONFIRM, &[("confirm", &asked)]).await;
    assert_eq!(page.location(), "/account?codes", "{}", page.body);
    assert!(!enters(&server, &ada.recovery_codes[0]).await);
    assert!(enters(&server, &new.recovery_codes[0]).await);
    assert!(enters(&server, &asked).await || new.recovery_codes[0] == asked);
    let page = browser.open(HERE).await;
    assert!(
        people::recovery_codes(&page).is_empty(),
        "never shown again"
    );
}

async fn the_old_codes_count_until_the_new_ones_are_confirmed(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let new = with_new(&page, &ada);
    assert!(!enters(&server, &new.recovery_codes[1]).await);
    assert!(enters(&server, &ada.recovery_codes[1]).await);
    // Looked at again, it is the same set.
    let again = browser.open(HERE).await;
    assert_eq!(people::recovery_codes(&again), new.recovery_codes);
}

async fn a_confirmed_set_forgets_those_that_wait_in_other_browsers(server: TestServer) {
    let ada = server.person("ada").await;
    let mut forgotten = signed_in(&server, &ada).await;
    let early = make(&server, &mut forgotten, &ada).await;
    let early_set = with_new(&early, &ada);
    server.advance(30);
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let new = with_new(&page, &ada);
    let asked = people::asked_code(&page, &new);
    let page = browser.post(CONFIRM, &[("confirm", &asked)]).await;
    assert_eq!(page.location(), "/account?codes", "{}", page.body);
    let asked = people::asked_code(&early, &early_set);
    forgotten.post(CONFIRM, &[("confirm", &asked)]).await;
    assert!(!enters(&server, &early_set.recovery_codes[1]).await);
    assert!(enters(&server, &new.recovery_codes[1]).await);
}

async fn a_set_is_made_with_a_fresh_proof_only(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let spent = ada.code(&server);
    for (password, code) in [
        (PASSWORD, spent.as_str()),
        (PASSWORD, "000000"),
        (PASSWORD, ""),
        ("", spent.as_str()),
    ] {
        let form = [("current", password), ("code", code)];
        let page = browser.post(HERE, &form).await;
        assert_eq!(page.status, 400);
    }
    server.advance(30);
    let code = ada.code(&server);
    let form = [("current", "wrong password entirely"), ("code", &code)];
    assert_eq!(browser.post(HERE, &form).await.status, 400);
    let page = browser.open(HERE).await;
    assert!(people::recovery_codes(&page).is_empty());
    let form = [("current", PASSWORD), ("code", &code)];
    let page = browser.post(HERE, &form).await;
    assert_eq!(page.location(), HERE, "the wrong password spent nothing");
}

async fn a_wrong_code_confirms_nothing(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let new = with_new(&page, &ada);
    let asked = people::asked_code(&page, &new);
    let other = new.recovery_codes.iter().find(|code| **code != asked);
    for wrong in ["", "x", other.unwrap(), &ada.recovery_codes[0]] {
        let page = browser.post(CONFIRM, &[("confirm", wrong)]).await;
        assert_eq!(page.status, 400, "{wrong}");
    }
    assert!(enters(&server, &ada.recovery_codes[2]).await);
    let typed = asked.to_lowercase().replace('-', " ");
    let page = browser.post(CONFIRM, &[("confirm", &typed)]).await;
    assert_eq!(page.location(), "/account?codes");
}

async fn confirming_without_a_set_does_nothing(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    for typed in [ada.recovery_codes[0].as_str(), ""] {
        let page = browser.post(CONFIRM, &[("confirm", typed)]).await;
        assert_eq!(page.location(), HERE);
    }
    assert!(enters(&server, &ada.recovery_codes[0]).await);
}

async fn a_set_is_shown_in_its_own_session_only(server: TestServer) {
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut browser = signed_in(&server, &ada).await;
    let mut second = signed_in(&server, &ada).await;
    let mut beas = signed_in(&server, &bea).await;
    let page = make(&server, &mut browser, &ada).await;
    let asked = people::asked_code(&page, &with_new(&page, &ada));
    for other in [&mut second, &mut beas, &mut server.browser()] {
        let page = other.open(HERE).await;
        assert!(people::recovery_codes(&page).is_empty());
        other.post(CONFIRM, &[("confirm", &asked)]).await;
    }
    assert!(
        enters(&server, &ada.recovery_codes[0]).await,
        "nothing was replaced"
    );
}

async fn a_set_waits_ten_minutes_and_no_longer(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let asked = people::asked_code(&page, &with_new(&page, &ada));
    for _ in 0..3 {
        server.advance(199);
        assert_eq!(people::recovery_codes(&browser.open(HERE).await).len(), 10);
    }
    server.advance(3);
    let page = browser.post(CONFIRM, &[("confirm", &asked)]).await;
    assert_eq!(page.location(), HERE);
    assert!(people::recovery_codes(&browser.open(HERE).await).is_empty());
    assert!(enters(&server, &ada.recovery_codes[0]).await);
}

async fn keeping_the_old_codes_forgets_the_new_ones(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let asked = people::asked_code(&page, &with_new(&page, &ada));
    let cancel = page.form("/cancel").unwrap();
    browser.post(&cancel, &[]).await;
    browser.post(&cancel, &[]).await;
    browser.post(CONFIRM, &[("confirm", &asked)]).await;
    assert!(people::recovery_codes(&browser.open(HERE).await).is_empty());
    assert!(enters(&server, &ada.recovery_codes[0]).await);
}

async fn a_password_change_forgets_the_set(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let asked = people::asked_code(&page, &with_new(&page, &ada));
    server.advance(30);
    let (code, new) = (ada.code(&server), "eleven loud plovers 3 glide");
    let form = [
        ("current", PASSWORD),
        ("code", code.as_str()),
        ("password", new),
        ("repeat", new),
    ];
    let page = browser.post("/account/password", &form).await;
    assert_eq!(page.location(), "/account?password");
    let page = browser.post(CONFIRM, &[("confirm", &asked)]).await;
    assert_eq!(page.location(), HERE);
}

async fn fifty_confirmations_at_once_are_one(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let new = with_new(&page, &ada);
    let asked = people::asked_code(&page, &new);
    let pages = race(50, |_| {
        let (mut browser, asked) = (browser.clone(), asked.clone());
        async move { browser.post(CONFIRM, &[("confirm", &asked)]).await }
    })
    .await;
    let done = pages
        .iter()
        .filter(|page| page.location() == "/account?codes");
    assert_eq!(done.count(), 1);
    assert!(pages.iter().all(|page| page.status == 303));
    assert!(enters(&server, &new.recovery_codes[5]).await);
    assert!(!enters(&server, &ada.recovery_codes[5]).await);
}

async fn a_set_is_confirmed_after_a_restart(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let new = with_new(&page, &ada);
    let asked = people::asked_code(&page, &new);
    let server = server.restart().await;
    let page = browser.post(CONFIRM, &[("confirm", &asked)]).await;
    assert_eq!(page.location(), "/account?codes");
    let server = server.restart().await;
    assert!(enters(&server, &new.recovery_codes[7]).await);
    assert!(!enters(&server, &ada.recovery_codes[7]).await);
}

async fn nothing_is_taken_from_another_site(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = make(&server, &mut browser, &ada).await;
    let asked = people::asked_code(&page, &with_new(&page, &ada));
    for address in [HERE, CONFIRM, "/account/recovery-codes/cancel"] {
        let form = [("confirm", asked.as_str())];
        for origin in [Some("https://evil.example"), None] {
            let page = browser.post_from(address, &form, origin).await;
            assert_eq!(page.status, 403, "{address}");
        }
    }
    assert_eq!(people::recovery_codes(&browser.open(HERE).await).len(), 10);
}
