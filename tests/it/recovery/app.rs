//! Another authenticator app in the place of the one she has.

use crate::support::authenticator::person_with;
use crate::support::people::{self, PASSWORD, Person};
use crate::support::{Browser, TestServer, race};

use super::events;

on_both![
    the_new_app_takes_the_old_ones_place,
    a_wrong_code_binds_nothing,
    without_a_proof_nothing_is_shown,
    a_key_is_good_in_its_own_session_for_ten_minutes,
    fifty_confirmations_at_once_bind_once,
    a_lost_app_is_replaced_with_recovery_codes,
    a_code_binds_no_app_where_there_is_a_passkey,
];

const HERE: &str = "/account/app";
const CONFIRM: &str = "/account/app/confirm";

async fn signed_in(server: &TestServer, person: &Person) -> Browser {
    let mut browser = server.browser();
    browser.sign_in(server, person).await;
    browser
}

/// Proves who she is with a code, and gives her with the new key.
async fn begin(server: &TestServer, browser: &mut Browser, ada: &Person, code: &str) -> Person {
    let form = [("current", PASSWORD), ("code", code)];
    let page = browser.post(HERE, &form).await;
    assert_eq!(page.location(), HERE, "{}", page.body);
    let page = browser.follow(page).await;
    let _ = server;
    Person {
        totp_secret: people::secret(&page),
        ..ada.clone()
    }
}

async fn enters(server: &TestServer, person: &Person) -> bool {
    signed_in(server, person).await.is_signed_in().await
}

async fn the_new_app_takes_the_old_ones_place(server: TestServer) {
    let ada = server.person("ada").await;
    let mut other = signed_in(&server, &ada).await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let new = begin(&server, &mut browser, &ada, &code).await;
    assert!(enters(&server, &ada).await, "until then it counts");
    let form = [("code", new.code(&server))];
    let form = form.each_ref().map(|(name, code)| (*name, code.as_str()));
    let page = browser.post(CONFIRM, &form).await;
    assert_eq!(page.location(), "/account?app");
    assert!(browser.is_signed_in().await && !other.is_signed_in().await);
    assert!(!enters(&server, &ada).await);
    assert!(enters(&server, &new).await);
    assert_eq!(events(&server, "authenticator_app.replaced").await, 1);
    let page = browser.post(CONFIRM, &form).await;
    assert_eq!(page.location(), HERE, "it is bound once");
}

async fn a_wrong_code_binds_nothing(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let new = begin(&server, &mut browser, &ada, &code).await;
    for wrong in ["", "000000", &ada.code(&server)] {
        let page = browser.post(CONFIRM, &[("code", wrong)]).await;
        assert_eq!(page.status, 400, "{wrong:?}");
    }
    assert!(enters(&server, &ada).await);
    let code = new.code(&server);
    let page = browser.post(CONFIRM, &[("code", &code)]).await;
    assert_eq!(page.location(), "/account?app", "it still waits");
}

async fn without_a_proof_nothing_is_shown(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    for form in [
        vec![],
        vec![("current", PASSWORD)],
        vec![("current", PASSWORD), ("code", "000000")],
        vec![("current", "wrong password entirely"), ("code", "000000")],
    ] {
        let page = browser.post(HERE, &form).await;
        assert!(page.status >= 400, "{form:?}");
        assert!(!browser.get(HERE).await.body.contains("secret="));
    }
    let page = browser
        .post_from(HERE, &[], Some("https://evil.example"))
        .await;
    assert_eq!(page.status, 403);
}

async fn a_key_is_good_in_its_own_session_for_ten_minutes(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let mut second = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let new = begin(&server, &mut browser, &ada, &code).await;
    assert!(!second.get(HERE).await.body.contains("secret="));
    let code = new.code(&server);
    let page = second.post(CONFIRM, &[("code", &code)]).await;
    assert_eq!(page.location(), HERE);
    for _ in 0..3 {
        server.advance(201);
        browser.get("/account").await;
    }
    let code = new.code(&server);
    let page = browser.post(CONFIRM, &[("code", &code)]).await;
    assert_eq!(page.location(), HERE);
    assert!(enters(&server, &ada).await);
}

async fn fifty_confirmations_at_once_bind_once(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let new = begin(&server, &mut browser, &ada, &code).await;
    let code = new.code(&server);
    let pages = race(50, |_| {
        let (mut browser, code) = (browser.clone(), code.clone());
        async move { browser.post(CONFIRM, &[("code", &code)]).await }
    })
    .await;
    let done = pages
        .iter()
        .filter(|page| page.location() == "/account?app");
    assert_eq!(done.count(), 1);
    assert_eq!(events(&server, "authenticator_app.replaced").await, 1);
}

async fn a_lost_app_is_replaced_with_recovery_codes(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser
        .try_sign_in("ada", PASSWORD, &ada.recovery_codes[0])
        .await;
    assert!(browser.is_signed_in().await);
    let new = begin(&server, &mut browser, &ada, &ada.recovery_codes[1]).await;
    let code = new.code(&server);
    browser.post(CONFIRM, &[("code", &code)]).await;
    assert!(enters(&server, &new).await);
    assert!(!enters(&server, &ada).await);
}

/// Somebody with her password and codes, from a false page.
async fn a_code_binds_no_app_where_there_is_a_passkey(server: TestServer) {
    let (ada, _) = person_with(&server, "ada", "passkey").await;
    let mut browser = signed_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let page = browser
        .post(HERE, &[("current", PASSWORD), ("code", &code)])
        .await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains("a code is not enough"), "{}", page.body);
    assert!(!browser.get(HERE).await.body.contains("secret="));
    assert!(browser.is_signed_in().await);
}
