//! A signed-in person changes her password: with a fresh proof, and everybody else is out.

use crate::support::people::PASSWORD;
use crate::support::{Browser, Page, Person, Spec, TestServer, race};

on_both![
    a_new_password_takes_the_old_ones_place,
    every_other_device_is_signed_out_and_what_hangs_on_it_ends,
    the_session_goes_on_under_a_new_cookie,
    another_device_is_no_longer_known,
    wrong_password_and_wrong_code_look_the_same,
    a_wrong_password_spends_neither_step_nor_recovery_code,
    a_replayed_code_is_refused,
    a_recovery_code_proves_as_well_and_is_spent,
    a_weak_unequal_or_same_password_is_refused_and_nothing_is_spent,
    an_empty_field_is_refused,
    who_makes_one_makes_no_other_and_keeps_nobody_from_signing_in,
    five_failures_block_here_and_at_sign_in,
    fifty_changes_at_once_are_one,
    nobody_changes_it_from_another_site_or_without_a_session,
    the_new_password_counts_after_a_restart,
];

const NEW: &str = "eleven loud plovers 3 glide";

async fn submit(browser: &mut Browser, current: &str, code: &str, new: &str) -> Page {
    let form = [
        ("current", current),
        ("code", code),
        ("password", new),
        ("repeat", new),
    ];
    browser.post("/account/password", &form).await
}

async fn change(server: &TestServer, browser: &mut Browser, ada: &Person) -> Page {
    server.advance(30);
    submit(browser, PASSWORD, &ada.code(server), NEW).await
}

async fn enters(server: &TestServer, ada: &Person, password: &str) -> bool {
    server.advance(30);
    let mut browser = server.browser();
    browser
        .try_sign_in("ada", password, &ada.code(server))
        .await;
    browser.is_signed_in().await
}

async fn a_new_password_takes_the_old_ones_place(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let page = browser.get("/account/password").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.form("/account/password").is_some());
    let page = change(&server, &mut browser, &ada).await;
    assert_eq!(page.location(), "/account?password", "{}", page.body);
    let page = browser.follow(page).await;
    assert!(page.body.contains("Your password is changed"));
    assert!(!enters(&server, &ada, PASSWORD).await);
    assert!(enters(&server, &ada, NEW).await);
}

async fn every_other_device_is_signed_out_and_what_hangs_on_it_ends(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let other = server.register(Spec::confidential("other")).await;
    let ada = server.person("ada").await;
    let bea = server.person("bea").await;
    let (mut here, mut there, mut beas) = (server.browser(), server.browser(), server.browser());
    beas.sign_in(&server, &bea).await;
    let hangs = there
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let own = here
        .code_flow(&server, &other, &ada, "openid accounts:read")
        .await;
    assert!(there.is_signed_in().await);
    change(&server, &mut here, &ada).await;
    assert!(here.is_signed_in().await);
    assert!(!there.is_signed_in().await);
    assert!(beas.is_signed_in().await, "another person's session stays");
    assert!(!server.accounts.sees(&server, &hangs.access).await);
    assert!(server.accounts.sees(&server, &own.access).await);
}

async fn the_session_goes_on_under_a_new_cookie(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let mut copy = browser.clone();
    change(&server, &mut browser, &ada).await;
    assert_ne!(browser.cookies["cs-session"], copy.cookies["cs-session"]);
    assert!(browser.is_signed_in().await);
    assert!(
        !copy.is_signed_in().await,
        "a stolen cookie is worth nothing"
    );
}

async fn another_device_is_no_longer_known(server: TestServer) {
    let ada = server.person("ada").await;
    let (mut here, mut there) = (server.browser(), server.browser());
    there.sign_in(&server, &ada).await;
    here.sign_in(&server, &ada).await;
    change(&server, &mut here, &ada).await;
    here.post("/sign-out", &[]).await;
    for _ in 0..5 {
        let mut stranger = server.browser();
        stranger.try_sign_in("ada", "wrong", "000000").await;
    }
    // The name is blocked for strangers; the device that is known still enters, the other does not.
    let before = server.app.hasher.made();
    there.try_sign_in("ada", "wrong", "000000").await;
    assert_eq!(server.app.hasher.made(), before, "blocked as a stranger");
    here.try_sign_in("ada", "wrong", "000000").await;
    assert!(server.app.hasher.made() > before, "its own pool is open");
}

async fn wrong_password_and_wrong_code_look_the_same(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    server.advance(30);
    let code = ada.code(&server);
    let mut seen = Vec::new();
    for (password, code) in [
        ("wrong password entirely", code.as_str()),
        (PASSWORD, "000000"),
        (PASSWORD, "not a code"),
        ("wrong password entirely", "000000"),
    ] {
        let before = server.app.hasher.made();
        let page = submit(&mut browser, password, code, NEW).await;
        let work = server.app.hasher.made() - before;
        seen.push((page.status, page.without_reference(), work));
    }
    assert_eq!(seen[0].0, 400);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert!(!seen[0].1.contains(NEW) && !seen[0].1.contains(PASSWORD));
}

async fn a_wrong_password_spends_neither_step_nor_recovery_code(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    server.advance(30);
    let code = ada.code(&server);
    for code in [&code, &ada.recovery_codes[0]] {
        let page = submit(&mut browser, "wrong password entirely", code, NEW).await;
        assert_eq!(page.status, 400);
    }
    let page = submit(&mut browser, PASSWORD, &code, NEW).await;
    assert_eq!(page.location(), "/account?password", "{}", page.body);
    let page = submit(&mut browser, NEW, &ada.recovery_codes[0], PASSWORD_2).await;
    assert_eq!(page.location(), "/account?password", "{}", page.body);
}

const PASSWORD_2: &str = "seventy grey curlews 4 row";

async fn a_replayed_code_is_refused(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    // The code of the sign-in is spent.
    let page = submit(&mut browser, PASSWORD, &ada.code(&server), NEW).await;
    assert_eq!(page.status, 400);
    server.advance(30);
    let code = ada.code(&server);
    submit(&mut browser, PASSWORD, &code, NEW).await;
    let page = submit(&mut browser, NEW, &code, PASSWORD_2).await;
    assert_eq!(page.status, 400, "spent by the change");
    assert!(enters(&server, &ada, NEW).await);
}

async fn a_recovery_code_proves_as_well_and_is_spent(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let code = &ada.recovery_codes[3];
    let page = submit(&mut browser, PASSWORD, code, NEW).await;
    assert_eq!(page.location(), "/account?password", "{}", page.body);
    let page = submit(&mut browser, NEW, code, PASSWORD_2).await;
    assert_eq!(page.status, 400);
}

async fn a_weak_unequal_or_same_password_is_refused_and_nothing_is_spent(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    server.advance(30);
    let code = ada.code(&server);
    for weak in ["short", "password1234", "ada ada ada ada", PASSWORD] {
        let page = submit(&mut browser, PASSWORD, &code, weak).await;
        assert_eq!(page.status, 400, "{weak}");
        assert!(page.body.contains("id=\"password-error\""), "{weak}");
        assert!(!page.body.contains(&format!("value=\"{weak}\"")));
    }
    let form = [
        ("current", PASSWORD),
        ("code", &code),
        ("password", NEW),
        ("repeat", PASSWORD_2),
    ];
    let page = browser.post("/account/password", &form).await;
    assert_eq!(page.status, 400);
    assert!(page.body.contains("id=\"repeat-error\""));
    let page = submit(&mut browser, PASSWORD, &code, NEW).await;
    assert_eq!(page.location(), "/account?password", "{}", page.body);
}

async fn an_empty_field_is_refused(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    server.advance(30);
    let code = ada.code(&server);
    let whole = [
        ("current", PASSWORD),
        ("code", code.as_str()),
        ("password", NEW),
        ("repeat", NEW),
    ];
    for missing in 0..whole.len() {
        let mut form = whole.to_vec();
        form.remove(missing);
        let page = browser.post("/account/password", &form).await;
        assert_eq!(page.status, 400, "{missing}");
    }
    assert!(enters(&server, &ada, PASSWORD).await);
}

async fn who_makes_one_makes_no_other_and_keeps_nobody_from_signing_in(server: TestServer) {
    let ada = server.person("ada").await;
    let bob = server.person("bob").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let before = server.app.hasher.made();
    let turn = server.app.hasher.turn(ada.id).await.unwrap();
    server.advance(30);
    let code = ada.code(&server);
    let changing = submit(&mut browser, PASSWORD, &code, NEW);
    let meanwhile = async {
        server.browser().sign_in(&server, &bob).await;
        assert_eq!(server.app.hasher.made(), before + 1);
        drop(turn);
    };
    let (page, ()) = tokio::join!(changing, meanwhile);
    assert_eq!(page.location(), "/account?password", "{}", page.body);
    assert!(enters(&server, &ada, NEW).await);
}

async fn five_failures_block_here_and_at_sign_in(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    for _ in 0..5 {
        submit(&mut browser, "wrong password entirely", "000000", NEW).await;
    }
    server.advance(29);
    let before = server.app.hasher.made();
    let code = ada.code_at(u64::try_from(server.now()).unwrap() + 1);
    let page = submit(&mut browser, PASSWORD, &code, NEW).await;
    assert_eq!(page.status, 429, "{}", page.body);
    assert!(!page.header("retry-after").is_empty());
    assert_eq!(server.app.hasher.made(), before, "nothing was looked at");
    // The same pool: this browser's.
    let page = browser.try_sign_in("ada", PASSWORD, &code).await;
    assert_eq!(page.status, 429);
    server.advance(1);
    let page = submit(&mut browser, PASSWORD, &code, NEW).await;
    assert_eq!(page.location(), "/account?password", "nothing was spent");
}

async fn fifty_changes_at_once_are_one(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    server.advance(30);
    let code = ada.code(&server);
    let news: Vec<String> = (0..50)
        .map(|n| format!("{n} loud plovers in {n} glides"))
        .collect();
    let pages = race(50, |n| {
        let (mut browser, code, new) = (browser.clone(), code.clone(), news[n].clone());
        async move {
            let page = submit(&mut browser, PASSWORD, &code, &new).await;
            (n, page, browser)
        }
    })
    .await;
    let won: Vec<_> = pages
        .iter()
        .filter(|(_, page, _)| page.location() == "/account?password")
        .collect();
    assert_eq!(won.len(), 1, "exactly one wins");
    let (n, _, winner) = won[0];
    assert!(winner.clone().is_signed_in().await);
    assert!(!browser.is_signed_in().await);
    server.advance(3600);
    assert!(enters(&server, &ada, &news[*n]).await);
    assert!(!enters(&server, &ada, PASSWORD).await);
}

async fn nobody_changes_it_from_another_site_or_without_a_session(server: TestServer) {
    let ada = server.person("ada").await;
    let bea = server.person("bea").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    server.advance(30);
    let code = ada.code(&server);
    let form = [
        ("current", PASSWORD),
        ("code", code.as_str()),
        ("password", NEW),
        ("repeat", NEW),
    ];
    for origin in [Some("https://evil.example"), None] {
        let page = browser.post_from("/account/password", &form, origin).await;
        assert_eq!(page.status, 403);
    }
    let page = submit(&mut server.browser(), PASSWORD, &code, NEW).await;
    assert!(page.location().starts_with("/sign-in"), "{page:?}");
    // With another person's session, ada's credentials prove nothing.
    let mut beas = server.browser();
    beas.sign_in(&server, &bea).await;
    let page = submit(&mut beas, PASSWORD, &ada.code(&server), NEW).await;
    assert_eq!(page.status, 400);
    assert!(enters(&server, &ada, PASSWORD).await);
}

async fn the_new_password_counts_after_a_restart(server: TestServer) {
    let ada = server.person("ada").await;
    let (mut here, mut there) = (server.browser(), server.browser());
    there.sign_in(&server, &ada).await;
    here.sign_in(&server, &ada).await;
    change(&server, &mut here, &ada).await;
    let server = server.restart().await;
    assert!(here.is_signed_in().await);
    assert!(!there.is_signed_in().await);
    assert!(!enters(&server, &ada, PASSWORD).await);
    assert!(enters(&server, &ada, NEW).await);
}
