//! Passkeys and security keys over HTTP, with an authenticator in software that also lies.

use std::time::Duration;

use countersign::flows::Caller;
use countersign::flows::read_audit::{self, Wanted};
use serde_json::Value;

use crate::support::authenticator::{
    Authenticator, bind, challenge, options, person_with, present, sign_in, sign_in_beside, to_new,
};
use crate::support::people::{self, PASSWORD};
use crate::support::{Browser, Page, TestServer, race};

on_both![
    a_passkey_alone_signs_in,
    a_challenge_names_nobody_and_nothing,
    a_second_answer_to_a_challenge_is_refused,
    of_fifty_answers_to_one_challenge_one_counts,
    an_answer_is_good_in_the_browser_that_was_asked_only,
    an_answer_comes_too_late_after_five_minutes,
    an_answer_for_another_site_is_refused,
    an_answer_without_verification_is_refused,
    an_answer_for_another_person_is_refused,
    an_answer_under_another_key_is_refused,
    a_security_key_is_no_passkey,
    a_counter_that_goes_backwards_blocks_the_key,
    a_security_key_stands_beside_the_password,
    nobody_learns_whether_password_or_key_was_wrong,
    guesses_at_a_password_keep_no_passkey_out,
    a_passkey_proves_who_changes_the_password,
    adding_a_key_ends_other_sessions,
    a_key_is_made_once_and_in_its_own_session,
    nobody_binds_the_key_of_another_person,
    a_key_is_renamed_and_removed,
    the_last_strong_factor_stays,
    somebody_elses_key_is_not_found,
    an_activation_takes_a_passkey,
    a_passkey_that_was_bound_meanwhile_is_chosen_anew,
];

async fn a_passkey_alone_signs_in(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    let page = sign_in(&mut browser, &mut passkey).await;
    assert_eq!(
        (page.status, page.location()),
        (303, "/account"),
        "{}",
        page.body
    );
    let account = browser.get("/account").await;
    assert!(account.body.contains("My key"), "{}", account.body);
    assert!(account.body.contains("last used on"), "{}", account.body);
    // Again, in the same browser and in a new one: each with a challenge of its own.
    for mut browser in [browser, server.browser()] {
        assert_eq!(sign_in(&mut browser, &mut passkey).await.status, 303);
    }
}

async fn a_challenge_names_nobody_and_nothing(server: TestServer) {
    let (_, _) = person_with(&server, "ada", "passkey").await;
    for proof in ["passkey", "key"] {
        let asked = challenge(&mut server.browser(), proof).await;
        assert_eq!(asked.options["allowCredentials"], Value::Array(vec![]));
        assert_eq!(asked.options["rpId"], "localhost");
        let wanted = if proof == "passkey" {
            "required"
        } else {
            "discouraged"
        };
        assert_eq!(asked.options["userVerification"], wanted);
    }
    let page = server
        .browser()
        .post_from("/passkeys/ask", &[], Some("https://evil.example"))
        .await;
    assert_eq!(page.status, 403);
}

async fn a_second_answer_to_a_challenge_is_refused(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    let asked = challenge(&mut browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    let page = present(&mut browser, "/sign-in", &asked.ceremony, &credential).await;
    assert_eq!(page.status, 303);
    // The same once more; a new answer to it; the old answer to a new challenge.
    let page = present(&mut browser, "/sign-in", &asked.ceremony, &credential).await;
    refused(&page);
    let newer = passkey.answer(&asked.options);
    refused(&present(&mut browser, "/sign-in", &asked.ceremony, &newer).await);
    let fresh = challenge(&mut browser, "passkey").await;
    refused(&present(&mut browser, "/sign-in", &fresh.ceremony, &credential).await);
}

async fn of_fifty_answers_to_one_challenge_one_counts(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    let asked = challenge(&mut browser, "passkey").await;
    let credentials: Vec<_> = (0..50).map(|_| passkey.answer(&asked.options)).collect();
    let answers = race(50, |n| {
        let (mut browser, ceremony) = (browser.clone(), asked.ceremony.clone());
        let credential = credentials[n].clone();
        async move {
            present(&mut browser, "/sign-in", &ceremony, &credential)
                .await
                .status
        }
    })
    .await;
    let granted = answers.iter().filter(|status| **status == 303).count();
    assert_eq!(granted, 1, "{answers:?}");
}

async fn an_answer_is_good_in_the_browser_that_was_asked_only(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let asked = challenge(&mut server.browser(), "passkey").await;
    let credential = passkey.answer(&asked.options);
    let mut other = server.browser();
    refused(&present(&mut other, "/sign-in", &asked.ceremony, &credential).await);
    challenge(&mut other, "passkey").await;
    refused(&present(&mut other, "/sign-in", &asked.ceremony, &credential).await);
}

async fn an_answer_comes_too_late_after_five_minutes(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    for (wait, status) in [(299, 303), (300, 400)] {
        let mut browser = server.browser();
        let asked = challenge(&mut browser, "passkey").await;
        server.advance(wait);
        let credential = passkey.answer(&asked.options);
        let page = present(&mut browser, "/sign-in", &asked.ceremony, &credential).await;
        assert_eq!(page.status, status, "after {wait} s: {}", page.body);
        let said = page.body.contains("more than five minutes");
        assert_eq!(said, status == 400, "{}", page.body);
    }
}

async fn an_answer_for_another_site_is_refused(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let (origin, rp_id) = (passkey.origin.clone(), passkey.rp_id.clone());
    for elsewhere in [
        "https://localhost",
        "http://evil.localhost",
        "http://localhost:1",
    ] {
        passkey.origin = elsewhere.to_owned();
        refused(&sign_in(&mut server.browser(), &mut passkey).await);
    }
    passkey.origin = origin;
    passkey.rp_id = "evil.example".to_owned();
    refused(&sign_in(&mut server.browser(), &mut passkey).await);
    passkey.rp_id = rp_id;
    assert_eq!(
        sign_in(&mut server.browser(), &mut passkey).await.status,
        303
    );
}

async fn an_answer_without_verification_is_refused(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    passkey.verifies = false;
    refused(&sign_in(&mut server.browser(), &mut passkey).await);
    // Nor does such an answer become one by being asked for something less.
    let mut browser = server.browser();
    let asked = challenge(&mut browser, "key").await;
    let credential = passkey.answer(&asked.options);
    refused(&present(&mut browser, "/sign-in", &asked.ceremony, &credential).await);
}

async fn an_answer_for_another_person_is_refused(server: TestServer) {
    let (_, mut adas) = person_with(&server, "ada", "passkey").await;
    let (eve, mut eves) = person_with(&server, "eve", "passkey").await;
    // Eve's key, with the handle of ada; and without any.
    let own = eves.handle.clone();
    for handle in [adas.handle.clone(), None] {
        eves.handle = handle;
        refused(&sign_in(&mut server.browser(), &mut eves).await);
    }
    eves.handle = own;
    // Eve's key beside ada's password; ada's beside eve's.
    let mut browser = server.browser();
    refused(&sign_in_beside(&mut browser, ("ada", PASSWORD), &mut eves).await);
    refused(&sign_in_beside(&mut browser, (&eve.username, PASSWORD), &mut adas).await);
    assert!(!browser.is_signed_in().await);
}

async fn an_answer_under_another_key_is_refused(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut forged = Authenticator::new(&server);
    forged.handle = passkey.handle.clone();
    refused(&sign_in(&mut server.browser(), &mut forged).await);
    forged.id = passkey.id.clone();
    forged.counter = 0;
    refused(&sign_in(&mut server.browser(), &mut forged).await);
    // A wrong signature with an old counter blocks nothing: anybody could send it.
    assert_eq!(
        sign_in(&mut server.browser(), &mut passkey).await.status,
        303
    );
    for nonsense in ["{}", "[]", "null", "{\"id\":\"x\"}", "\"\""] {
        let mut browser = server.browser();
        let asked = challenge(&mut browser, "passkey").await;
        refused(&present(&mut browser, "/sign-in", &asked.ceremony, nonsense).await);
    }
}

async fn a_security_key_is_no_passkey(server: TestServer) {
    let (_, mut key) = person_with(&server, "ada", "security_key").await;
    refused(&sign_in(&mut server.browser(), &mut key).await);
}

async fn a_counter_that_goes_backwards_blocks_the_key(server: TestServer) {
    let (person, mut passkey) = person_with(&server, "ada", "passkey").await;
    passkey.counter = 10;
    assert_eq!(
        sign_in(&mut server.browser(), &mut passkey).await.status,
        303
    );
    server.clock.advance(Duration::from_secs(1));
    passkey.counter = 5;
    refused(&sign_in(&mut server.browser(), &mut passkey).await);
    // The original is of no use either, now.
    passkey.counter = 100;
    refused(&sign_in(&mut server.browser(), &mut passkey).await);
    let mut browser = server.browser();
    refused(&sign_in_beside(&mut browser, ("ada", PASSWORD), &mut passkey).await);
    browser.sign_in(&server, &person).await;
    let account = browser.get("/account").await;
    assert!(
        account.body.contains("blocked; it opens nothing"),
        "{}",
        account.body
    );
    assert_eq!(count_events(&server, "passkey.blocked").await, 1);
}

async fn a_security_key_stands_beside_the_password(server: TestServer) {
    let (_, mut key) = person_with(&server, "ada", "security_key").await;
    key.verifies = false;
    let mut browser = server.browser();
    let page = sign_in_beside(&mut browser, ("ada", PASSWORD), &mut key).await;
    assert_eq!(
        (page.status, page.location()),
        (303, "/account"),
        "{}",
        page.body
    );
    assert!(browser.is_signed_in().await);
    // And so does a passkey that did not verify anybody.
    let (_, mut passkey) = person_with(&server, "grace", "passkey").await;
    passkey.verifies = false;
    let mut browser = server.browser();
    let page = sign_in_beside(&mut browser, ("grace", PASSWORD), &mut passkey).await;
    assert_eq!(page.status, 303, "{}", page.body);
}

async fn nobody_learns_whether_password_or_key_was_wrong(server: TestServer) {
    let (_, mut key) = person_with(&server, "ada", "security_key").await;
    let mut stranger = Authenticator::new(&server);
    let mut seen = Vec::new();
    for (name, password, right) in [
        ("ada", "wrong", true),
        ("ada", PASSWORD, false),
        ("ada", "wrong", false),
        ("ghost", PASSWORD, true),
    ] {
        let mut browser = server.browser();
        let key = if right { &mut key } else { &mut stranger };
        let page = sign_in_beside(&mut browser, (name, password), key).await;
        refused(&page);
        seen.push(page.without_reference().replace(name, ""));
    }
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "{seen:#?}");
}

async fn guesses_at_a_password_keep_no_passkey_out(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut guesser = server.browser();
    for _ in 0..7 {
        guesser.try_sign_in("ada", "wrong", "000000").await;
    }
    let blocked = guesser.try_sign_in("ada", PASSWORD, "000000").await;
    assert_eq!(blocked.status, 429);
    assert_eq!(
        sign_in(&mut server.browser(), &mut passkey).await.status,
        303
    );
    // Wrong passkeys, in turn, bring no block upon the password.
    passkey.verifies = false;
    for _ in 0..7 {
        refused(&sign_in(&mut server.browser(), &mut passkey).await);
    }
    server.advance(3600);
    let page = server.browser().try_sign_in("ada", "wrong", "000000").await;
    assert_eq!(page.status, 400);
}

async fn a_passkey_proves_who_changes_the_password(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let (_, mut eves) = person_with(&server, "eve", "passkey").await;
    let mut browser = server.browser();
    sign_in(&mut browser, &mut passkey).await;
    let new = "seven loud geese 19 swim";
    for (key, status) in [(&mut eves, 400), (&mut passkey, 303)] {
        let asked = challenge(&mut browser, "passkey").await;
        let credential = key.answer(&asked.options);
        let form = [
            ("password", new),
            ("repeat", new),
            ("ceremony", &asked.ceremony),
            ("credential", &credential),
            ("proof", "passkey"),
        ];
        let page = browser.post("/account/password", &form).await;
        assert_eq!(page.status, status, "{}", page.body);
    }
    assert!(browser.is_signed_in().await);
}

async fn adding_a_key_ends_other_sessions(server: TestServer) {
    let person = server.person("ada").await;
    let (mut here, mut there) = (server.browser(), server.browser());
    here.sign_in(&server, &person).await;
    there.sign_in(&server, &person).await;
    let mut key = Authenticator::new(&server);
    bind(&mut here, &server, &person, ("passkey", &mut key)).await;
    assert!(here.is_signed_in().await);
    assert!(!there.is_signed_in().await);
    assert_eq!(count_events(&server, "passkey.added").await, 1);
}

async fn a_key_is_made_once_and_in_its_own_session(server: TestServer) {
    let person = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &person).await;
    // Without a fresh proof nothing waits.
    let page = browser.get("/account/passkeys/new").await;
    assert_eq!(page.location(), "/account/passkeys/add");
    let code = person.next_code(&server);
    let form = [
        ("kind", "passkey"),
        ("name", ""),
        ("current", "wrong"),
        ("code", &code),
    ];
    let page = browser.post("/account/passkeys/add", &form).await;
    assert_eq!(page.status, 400);
    let page = to_new(&mut browser, &server, &person, "passkey").await;
    let asked = options(&page);
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(
        asked["authenticatorSelection"]["userVerification"],
        "required"
    );
    assert_eq!(asked["attestation"], "none");
    // Another session of hers has nothing that waits.
    let mut other = server.browser();
    other.sign_in(&server, &person).await;
    let mut key = Authenticator::new(&server);
    let made = key.create(&asked);
    let page = other
        .post("/account/passkeys/new", &[("credential", &made)])
        .await;
    assert_eq!(page.status, 400, "{}", page.body);
    // One without verification is no passkey; and then the question is spent.
    let mut lazy = Authenticator::new(&server);
    lazy.verifies = false;
    let unverified = lazy.create(&asked);
    let page = browser
        .post("/account/passkeys/new", &[("credential", &unverified)])
        .await;
    assert_eq!(page.status, 400, "{}", page.body);
    let page = browser
        .post("/account/passkeys/new", &[("credential", &made)])
        .await;
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(
        page.form("/account/passkeys/add").is_some(),
        "{}",
        page.body
    );
}

async fn nobody_binds_the_key_of_another_person(server: TestServer) {
    let (_, mut adas) = person_with(&server, "ada", "passkey").await;
    let eve = server.person("eve").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &eve).await;
    let page = to_new(&mut browser, &server, &eve, "passkey").await;
    let own = adas.handle.clone();
    let made = adas.create(&options(&page));
    let page = browser
        .post("/account/passkeys/new", &[("credential", &made)])
        .await;
    assert_eq!(page.status, 400, "{}", page.body);
    adas.handle = own;
    assert_eq!(sign_in(&mut server.browser(), &mut adas).await.status, 303);
}

async fn a_key_is_renamed_and_removed(server: TestServer) {
    let (_, mut passkey) = person_with(&server, "ada", "passkey").await;
    let mut browser = server.browser();
    sign_in(&mut browser, &mut passkey).await;
    let path = key_path(&mut browser).await;
    let page = browser
        .post(&format!("{path}/rename"), &[("name", "  ")])
        .await;
    assert_eq!(page.status, 400);
    let name = [("name", "Work <b>phone</b>")];
    let page = browser.post(&format!("{path}/rename"), &name).await;
    assert_eq!(page.location(), "/account?renamed");
    let account = browser.get("/account").await;
    assert!(
        account.body.contains("Work &#60;b&#62;phone"),
        "{}",
        account.body
    );

    let mut other = server.browser();
    sign_in(&mut other, &mut passkey).await;
    let page = remove(&mut browser, &path, &mut passkey).await;
    assert_eq!(page.location(), "/account?removed", "{}", page.body);
    assert!(browser.is_signed_in().await && !other.is_signed_in().await);
    refused(&sign_in(&mut server.browser(), &mut passkey).await);
    assert_eq!(count_events(&server, "passkey.removed").await, 1);
}

async fn the_last_strong_factor_stays(server: TestServer) {
    let mut passkey = activated_with_passkey(&server, "ada").await;
    let mut browser = server.browser();
    sign_in(&mut browser, &mut passkey).await;
    let path = key_path(&mut browser).await;
    let page = remove(&mut browser, &path, &mut passkey).await;
    assert_eq!(page.status, 409, "{}", page.body);
    assert!(page.body.contains("only strong factor"), "{}", page.body);
    assert!(browser.is_signed_in().await);
    assert_eq!(
        sign_in(&mut server.browser(), &mut passkey).await.status,
        303
    );
}

async fn somebody_elses_key_is_not_found(server: TestServer) {
    let (_, mut adas) = person_with(&server, "ada", "passkey").await;
    let (_, mut eves) = person_with(&server, "eve", "passkey").await;
    let mut browser = server.browser();
    sign_in(&mut browser, &mut adas).await;
    let path = key_path(&mut browser).await;
    let mut eve = server.browser();
    sign_in(&mut eve, &mut eves).await;
    assert_eq!(eve.get(&path).await.status, 404);
    let page = eve.post(&format!("{path}/rename"), &[("name", "x")]).await;
    assert_eq!(page.status, 404);
    let page = remove(&mut eve, &path, &mut eves).await;
    assert_eq!(page.status, 404);
    assert_eq!(sign_in(&mut server.browser(), &mut adas).await.status, 303);
}

async fn an_activation_takes_a_passkey(server: TestServer) {
    let mut passkey = activated_with_passkey(&server, "ada").await;
    let mut browser = server.browser();
    let page = sign_in(&mut browser, &mut passkey).await;
    assert_eq!(page.status, 303, "{}", page.body);
    let account = browser.get("/account").await;
    // There is no app to replace.
    assert!(account.body.contains("Connect an app"), "{}", account.body);
}

/// Goes through an activation whose second factor is a passkey; lies on the way.
pub(super) async fn activated_with_passkey(server: &TestServer, name: &str) -> Authenticator {
    let (_, link) = people::invite(server, name).await;
    let mut browser = server.browser();
    let early = browser.post("/activate/passkey/ask", &[]).await;
    assert_eq!(
        early.status, 410,
        "nothing to ask before the invitation is opened"
    );
    people::to_factor(&mut browser, &link).await;
    let mut passkey = Authenticator::new(server);
    passkey.verifies = false;
    for verifies in [false, true] {
        let asked = browser.post("/activate/passkey/ask", &[]).await;
        let asked: Value = serde_json::from_str(&asked.body).unwrap();
        passkey.verifies = verifies;
        let made = passkey.create(&asked["publicKey"]);
        let page = browser
            .post("/activate/passkey", &[("credential", &made)])
            .await;
        if verifies {
            assert_eq!(page.location(), "/activate", "{}", page.body);
            let page = browser.follow(page).await;
            finish_activation(&mut browser, &page).await;
        } else {
            assert_eq!(page.status, 400, "{}", page.body);
        }
    }
    // The ceremony is over.
    let late = browser.post("/activate/passkey/ask", &[]).await;
    assert_eq!(late.status, 410);
    passkey
}

/// Two people at one device, at the same time.
async fn a_passkey_that_was_bound_meanwhile_is_chosen_anew(server: TestServer) {
    let mut one = Authenticator::new(&server);
    let mut waiting = Vec::new();
    for name in ["ada", "bea"] {
        let (_, link) = people::invite(&server, name).await;
        let mut browser = server.browser();
        people::to_factor(&mut browser, &link).await;
        let asked = browser.post("/activate/passkey/ask", &[]).await;
        let asked: Value = serde_json::from_str(&asked.body).unwrap();
        let made = one.create(&asked["publicKey"]);
        let page = browser
            .post("/activate/passkey", &[("credential", &made)])
            .await;
        let page = browser.follow(page).await;
        waiting.push((browser, page));
    }
    let (mut beas, late) = waiting.pop().unwrap();
    let (mut adas, first) = waiting.pop().unwrap();
    finish_activation(&mut adas, &first).await;
    let asked = confirmed(&late);
    let page = beas.post("/activate/codes", &[("confirm", &asked)]).await;
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.form("/activate/factor").is_some(), "{}", page.body);
    let code = people::code_at(&people::secret(&page), u64::try_from(server.now()).unwrap());
    let page = beas.post("/activate/factor", &[("code", &code)]).await;
    let page = beas.follow(page).await;
    finish_activation(&mut beas, &page).await;
}

async fn finish_activation(browser: &mut Browser, page: &Page) {
    let asked = confirmed(page);
    let page = browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    assert_eq!(page.status, 200, "{}", page.body);
}

/// The recovery code that a page asks for.
fn confirmed(page: &Page) -> String {
    let codes = people::recovery_codes(page);
    let number = page.body.split("Type code number ").nth(1).unwrap();
    let number: String = number.chars().take_while(char::is_ascii_digit).collect();
    codes[number.parse::<usize>().unwrap() - 1].clone()
}

/// Removes a key, with a passkey for the proof.
async fn remove(browser: &mut Browser, path: &str, passkey: &mut Authenticator) -> Page {
    let asked = challenge(browser, "passkey").await;
    let credential = passkey.answer(&asked.options);
    let to = format!("{path}/remove");
    present(browser, &to, &asked.ceremony, &credential).await
}

/// The page of the one key on the account page.
pub(super) async fn key_path(browser: &mut Browser) -> String {
    let account = browser.get("/account").await;
    let found = account.body.split("href=\"/account/passkeys/").skip(1);
    let mut ids = found.filter_map(|rest| rest.split('"').next());
    let id = ids.find(|id| *id != "add");
    format!(
        "/account/passkeys/{}",
        id.unwrap_or_else(|| panic!("{}", account.body))
    )
}

pub(crate) fn refused(page: &Page) {
    assert_eq!(page.status, 400, "{}", page.body);
    assert!(page.body.contains("role=\"alert\""), "{}", page.body);
}

pub(crate) async fn count_events(server: &TestServer, kind: &str) -> usize {
    let wanted = Wanted {
        kind: Some(kind.to_owned()),
        limit: 100,
        ..Wanted::default()
    };
    let caller = Caller::default();
    let found = read_audit::list(&server.app, wanted, &caller).await;
    found.unwrap().len()
}
