//! Whoever is quicker than a key, or has everything of a person but her key.

use std::time::Duration;

use super::passkeys::{count_events, key_path, refused};
use crate::support::TestServer;
use crate::support::authenticator::{challenge, person_with, present, sign_in};
use crate::support::people::PASSWORD;

on_both![
    an_answer_that_was_overtaken_blocks_nothing,
    a_code_makes_and_removes_no_key_where_there_is_one,
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
