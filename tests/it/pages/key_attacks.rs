//! Whoever is quicker than a key, or has everything of a person but her key.

use std::time::Duration;

use super::passkeys::{activated_with_passkey, count_events, key_path, refused};
use crate::support::authenticator::{
    Authenticator, bind, challenge, options, person_with, present, sign_in, sign_in_beside, to_new,
};
use crate::support::people::{self, PASSWORD};
use crate::support::{Browser, Page, Person, TestServer, race};

on_both![
    an_answer_that_was_overtaken_blocks_nothing,
    a_code_makes_and_removes_no_key_where_there_is_one,
    a_code_is_no_more_worth_when_the_key_was_disputed,
    a_code_renews_no_recovery_codes_where_there_is_a_key,
    a_code_changes_no_password_where_there_is_a_key,
    fifty_weaker_proofs_at_once_keep_nothing,
    of_a_first_key_and_codes_at_the_same_time_one_counts,
    a_key_says_who_renews_recovery_codes_and_changes_the_password,
    whoever_has_only_a_passkey_changes_her_password_by_it,
    where_no_key_resists_phishing_a_code_is_enough,
    a_password_that_was_ended_and_set_anew_stands,
];

async fn an_answer_that_was_overtaken_blocks_nothing(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    passkey.counter = 10;
    let mut slow = server.browser();
    let asked = challenge(&mut slow, "passkey").await;
    let early = passkey.answer(&asked.options);
    server.clock.advance(Duration::from_secs(1));
    let quick = sign_in(&mut server.browser(), &mut passkey).await;
    assert_eq!(quick.status, 303);
    refused(&present(&mut slow, "/sign-in", &asked.ceremony, &early).await);
    let page = sign_in(&mut slow, &mut passkey).await;
    assert_eq!(page.status, 303, "{}", page.body);
    assert_eq!(count_events(&server, "passkey.blocked").await, 0);
}

/// Somebody with her password and codes, from a false page.
async fn a_code_makes_and_removes_no_key_where_there_is_one(server: TestServer) {
    let (person, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &person).await;
    let path = key_path(&mut browser).await;
    for to in ["/account/passkeys/add", &format!("{path}/remove")] {
        let code = person.next_code(&server);
        let form = [
            ("kind", "passkey"),
            ("name", ""),
            ("current", person.password.as_str()),
            ("code", &code),
        ];
        let page = browser.post(to, &form).await;
        assert_eq!(page.status, 403, "{}", page.body);
        assert!(page.body.contains("a code is not enough"), "{}", page.body);
        let page = browser.get("/account/passkeys/new").await;
        assert_eq!(page.location(), "/account/passkeys/add", "nothing waits");
    }
    assert!(browser.is_signed_in().await);
    let page = sign_in(&mut server.browser(), &mut passkey).await;
    assert_eq!(page.status, 303, "{}", page.body);
}

async fn a_code_is_no_more_worth_when_the_key_was_disputed(server: TestServer) {
    let (person, mut passkey) = person_with(&server, "ada", "passkey").await;
    // By the first code that came through the false page her key is blocked.
    let mut browser = server.browser();
    browser.sign_in(&server, &person).await;
    let page = browser.get("/account/not-me").await;
    let key = page.body.split("name=\"block-").nth(1).unwrap();
    let key = format!("block-{}", key.split('"').next().unwrap());
    browser.post("/account/not-me", &[(&key, "yes")]).await;
    refused(&sign_in(&mut server.browser(), &mut passkey).await);
    // The second keeps nothing.
    browser.sign_in(&server, &person).await;
    for to in ["/account/passkeys/add", CODES, "/account/app"] {
        let code = person.next_code(&server);
        let page = by_code(&mut browser, to, &code).await;
        assert_eq!(page.status, 403, "{to}: {}", page.body);
        assert!(page.body.contains("a code is not enough"), "{}", page.body);
    }
    // She does what she is told to do.
    let code = person.next_code(&server);
    let page = by_code(&mut browser, PASSWORD_PAGE, &code).await;
    assert!(page.status < 400, "{}", page.body);
    // After a week nobody knows of the key any more.
    server.clock.advance(Duration::from_hours(8 * 24));
    let mut browser = server.browser();
    let own = Person {
        password: NEW.to_owned(),
        ..person
    };
    browser.sign_in(&server, &own).await;
    let code = own.next_code(&server);
    let form = [("current", NEW), ("code", &code)];
    let page = browser.post(CODES, &form).await;
    assert!(page.status < 400, "{}", page.body);
}

const CODES: &str = "/account/recovery-codes";
const PASSWORD_PAGE: &str = "/account/password";
const NEW: &str = "eleven loud plovers 3 glide";

/// Posts a form with her password and a code; a kind of key and a new password, too, for whichever page
/// takes one.
async fn by_code(browser: &mut Browser, to: &str, code: &str) -> Page {
    let form = [
        ("kind", "passkey"),
        ("name", ""),
        ("current", PASSWORD),
        ("code", code),
        ("password", NEW),
        ("repeat", NEW),
    ];
    browser.post(to, &form).await
}

/// The same with a challenge that was answered: by a `passkey` alone, or a `key` beside her password.
async fn by_key(browser: &mut Browser, to: &str, (proof, key): (&str, &mut Authenticator)) -> Page {
    let asked = challenge(browser, proof).await;
    let credential = key.answer(&asked.options);
    let form = [
        ("current", PASSWORD),
        ("password", NEW),
        ("repeat", NEW),
        ("ceremony", &asked.ceremony),
        ("credential", &credential),
        ("proof", proof),
    ];
    browser.post(to, &form).await
}

/// It is said why, and what to do; the session goes on.
async fn weaker(browser: &mut Browser, page: &Page) {
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains("a code is not enough"), "{}", page.body);
    for proof in ["data-keys=\"passkey\"", "data-keys=\"key\""] {
        assert!(page.body.contains(proof), "{}", page.body);
    }
    assert!(!page.body.contains(NEW) && !page.body.contains(PASSWORD));
    assert!(browser.is_signed_in().await);
}

async fn enters(server: &TestServer, name: &str, password: &str, code: &str) -> bool {
    let mut browser = server.browser();
    browser.try_sign_in(name, password, code).await;
    browser.is_signed_in().await
}

async fn shows_codes(browser: &mut Browser) -> bool {
    !people::recovery_codes(&browser.open(CODES).await).is_empty()
}

async fn a_code_renews_no_recovery_codes_where_there_is_a_key(server: TestServer) {
    for kind in ["passkey", "security_key"] {
        let (ada, _) = person_with(&server, kind, kind).await;
        let mut browser = server.browser();
        browser.sign_in(&server, &ada).await;
        for code in [&ada.next_code(&server), &ada.recovery_codes[0]] {
            let page = by_code(&mut browser, CODES, code).await;
            weaker(&mut browser, &page).await;
            assert!(!shows_codes(&mut browser).await, "nothing waits");
        }
        browser
            .post(&format!("{CODES}/confirm"), &[("confirm", "")])
            .await;
        assert!(enters(&server, kind, PASSWORD, &ada.recovery_codes[1]).await);
    }
    assert_eq!(count_events(&server, "recovery_codes.replaced").await, 0);
}

async fn a_code_changes_no_password_where_there_is_a_key(server: TestServer) {
    for kind in ["passkey", "security_key"] {
        let (ada, _) = person_with(&server, kind, kind).await;
        let (mut browser, mut other) = (server.browser(), server.browser());
        browser.sign_in(&server, &ada).await;
        other.sign_in(&server, &ada).await;
        for code in [&ada.next_code(&server), &ada.recovery_codes[0]] {
            let page = by_code(&mut browser, PASSWORD_PAGE, code).await;
            weaker(&mut browser, &page).await;
        }
        assert!(other.is_signed_in().await, "nobody was signed out");
        assert!(!enters(&server, kind, NEW, &ada.recovery_codes[1]).await);
        assert!(enters(&server, kind, PASSWORD, &ada.recovery_codes[1]).await);
    }
    assert_eq!(count_events(&server, "password.changed").await, 0);
}

async fn fifty_weaker_proofs_at_once_keep_nothing(server: TestServer) {
    let (ada, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let mut tries = ada.recovery_codes[..9].to_vec();
    tries.push(code);
    let pages = race(50, |n| {
        let (mut browser, code) = (browser.clone(), tries[n % tries.len()].clone());
        async move {
            let to = [PASSWORD_PAGE, CODES, "/account/app"][n % 3];
            by_code(&mut browser, to, &code).await
        }
    })
    .await;
    let gone_on = |page: &&Page| page.location().starts_with("/account");
    assert_eq!(pages.iter().filter(gone_on).count(), 0);
    assert!(pages.iter().any(|page| page.status == 403));
    let mut browser = server.browser();
    sign_in(&mut browser, &mut passkey).await;
    assert!(!shows_codes(&mut browser).await);
    server.advance(3600);
    assert!(!enters(&server, "ada", NEW, &ada.recovery_codes[9]).await);
    for kind in ["password.changed", "recovery_codes.replaced"] {
        assert_eq!(count_events(&server, kind).await, 0, "{kind}");
    }
}

/// She binds her first key while somebody with her codes changes her password: whichever is first ends
/// the session of the other.
async fn of_a_first_key_and_codes_at_the_same_time_one_counts(server: TestServer) {
    for name in ["ada", "bea", "eve"] {
        let person = server.person(name).await;
        let (mut hers, mut false_page) = (server.browser(), server.browser());
        hers.sign_in(&server, &person).await;
        false_page.sign_in(&server, &person).await;
        let code = person.next_code(&server);
        let page = by_code(&mut false_page, CODES, &code).await;
        assert_eq!(page.location(), CODES, "there is nothing stronger yet");
        let page = to_new(&mut hers, &server, &person, "passkey").await;
        let made = Authenticator::new(&server).create(&options(&page));
        let code = person.next_code(&server);
        let pages = race(50, |n| {
            let (mut hers, mut false_page) = (hers.clone(), false_page.clone());
            let (made, code) = (made.clone(), code.clone());
            async move {
                if n % 2 == 0 {
                    let form = [("credential", made.as_str())];
                    hers.post("/account/passkeys/new", &form).await
                } else {
                    by_code(&mut false_page, PASSWORD_PAGE, &code).await
                }
            }
        })
        .await;
        let counted = |to: &str| pages.iter().filter(|page| page.location() == to).count();
        let (bound, changed) = (counted("/account?passkey"), counted("/account?password"));
        assert_eq!(bound + changed, 1, "bound {bound}, changed {changed}");
        if bound == 1 {
            assert!(!false_page.is_signed_in().await);
            assert!(!shows_codes(&mut false_page).await, "with its session");
        }
    }
}

async fn a_key_says_who_renews_recovery_codes_and_changes_the_password(server: TestServer) {
    for (kind, proof) in [("passkey", "passkey"), ("security_key", "key")] {
        let (ada, mut key) = person_with(&server, kind, kind).await;
        let mut browser = server.browser();
        browser.sign_in(&server, &ada).await;
        let page = by_key(&mut browser, CODES, (proof, &mut key)).await;
        assert_eq!(page.location(), CODES, "{}", page.body);
        let page = browser.open(CODES).await;
        let new = Person {
            recovery_codes: people::recovery_codes(&page),
            ..ada.clone()
        };
        let asked = people::asked_code(&page, &new);
        let page = browser
            .post(&format!("{CODES}/confirm"), &[("confirm", &asked)])
            .await;
        assert_eq!(page.location(), "/account?codes");
        let typed = by_key(&mut browser, PASSWORD_PAGE, (proof, &mut key)).await;
        assert_eq!(typed.location(), "/account?password", "{}", typed.body);
        assert!(enters(&server, kind, NEW, &new.recovery_codes[0]).await);
    }
}

/// She has neither an app nor a code at hand; what she has on paper is weaker.
async fn whoever_has_only_a_passkey_changes_her_password_by_it(server: TestServer) {
    let mut passkey = activated_with_passkey(&server, "ada").await;
    let mut browser = server.browser();
    sign_in(&mut browser, &mut passkey).await;
    let page = browser.get(PASSWORD_PAGE).await;
    assert!(page.body.contains("data-keys=\"passkey\""), "{}", page.body);
    let page = by_code(&mut browser, PASSWORD_PAGE, "123456").await;
    refused(&page);
    let page = by_key(&mut browser, PASSWORD_PAGE, ("passkey", &mut passkey)).await;
    assert_eq!(page.location(), "/account?password", "{}", page.body);
    assert!(browser.is_signed_in().await);
    let mut other = server.browser();
    let page = sign_in_beside(&mut other, ("ada", NEW), &mut passkey).await;
    assert_eq!(page.status, 303, "{}", page.body);
}

/// A copy of a synchronised key may be anywhere, and the institution says so; a blocked key opens nothing.
async fn where_no_key_resists_phishing_a_code_is_enough(server: TestServer) {
    let (ada, mut passkey) = person_with(&server, "ada", "passkey").await;
    passkey.counter = 10;
    sign_in(&mut server.browser(), &mut passkey).await;
    server.clock.advance(Duration::from_secs(1));
    passkey.counter = 5;
    refused(&sign_in(&mut server.browser(), &mut passkey).await);
    assert_eq!(count_events(&server, "passkey.blocked").await, 1);
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let code = ada.next_code(&server);
    let page = by_code(&mut browser, CODES, &code).await;
    assert_eq!(page.location(), CODES, "{}", page.body);
    let code = ada.next_code(&server);
    let page = by_code(&mut browser, PASSWORD_PAGE, &code).await;
    assert_eq!(page.location(), "/account?password", "{}", page.body);

    let server = TestServer::start_with(server.engine, |file| {
        "2fa".clone_into(&mut file.passkeys.synced);
    })
    .await;
    let person = server.person("bea").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &person).await;
    let mut synced = Authenticator::new(&server);
    synced.synced = true;
    bind(&mut browser, &server, &person, ("passkey", &mut synced)).await;
    let code = person.next_code(&server);
    let page = by_code(&mut browser, CODES, &code).await;
    assert_eq!(page.location(), CODES, "{}", page.body);
}

async fn a_password_that_was_ended_and_set_anew_stands(server: TestServer) {
    let (mut person, mut passkey) = person_with(&server, "ada", "passkey").await;
    for _ in 0..100 {
        server.advance(3601);
        let page = server.browser().try_sign_in("ada", "wrong", "000000").await;
        assert_eq!(page.status, 400, "{}", page.body);
    }
    assert_eq!(count_events(&server, "password.ended").await, 1);
    let code = person.next_code(&server);
    server.advance(3601);
    refused(&server.browser().try_sign_in("ada", PASSWORD, &code).await);
    // By her passkey she sets another one; a slip of hers does not end that.
    let mut browser = server.browser();
    sign_in(&mut browser, &mut passkey).await;
    person.password = "seven loud geese 19 swim".to_owned();
    let asked = challenge(&mut browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    let form = [
        ("password", person.password.as_str()),
        ("repeat", &person.password),
        ("ceremony", &asked.ceremony),
        ("credential", &credential),
        ("proof", "passkey"),
    ];
    let page = browser.post("/account/password", &form).await;
    assert_eq!(page.status, 303, "{}", page.body);
    server.advance(3601);
    refused(&server.browser().try_sign_in("ada", "wrong", "000000").await);
    server.advance(3601);
    let page = server.browser().sign_in(&server, &person).await;
    assert_eq!(page.status, 303, "{}", page.body);
    assert_eq!(count_events(&server, "password.ended").await, 1);
}
