//! The ceremony that makes an account usable.

use crate::support::people::{self, PASSWORD};
use crate::support::{Browser, Page, TestServer};

on_both![
    looking_at_an_invitation_spends_nothing,
    an_invitation_is_used_once,
    an_invitation_expires,
    a_newer_invitation_ends_the_older,
    an_unknown_invitation_shows_a_page,
    nothing_counts_before_the_last_step,
    a_weak_password_is_refused_with_a_reason,
    two_different_passwords_are_refused,
    a_long_password_with_spaces_and_accents_is_fine,
    a_wrong_test_code_changes_nothing,
    a_wrong_recovery_code_changes_nothing,
    the_test_codes_step_is_spent,
    a_ceremony_belongs_to_its_browser,
    a_ceremony_expires,
    steps_cannot_be_skipped,
    a_disabled_person_cannot_activate,
];

async fn begin(server: &TestServer, username: &str) -> (Browser, Page) {
    let (_, link) = people::invite(server, username).await;
    let mut browser = server.browser();
    let page = browser.post(&link, &[]).await;
    let page = browser.follow(page).await;
    assert!(page.form("/activate/password").is_some(), "{page:?}");
    (browser, page)
}

async fn choose(browser: &mut Browser, password: &str, repeat: &str) -> Page {
    let form = [("password", password), ("repeat", repeat)];
    let page = browser.post("/activate/password", &form).await;
    browser.follow(page).await
}

async fn looking_at_an_invitation_spends_nothing(server: TestServer) {
    let (_, link) = people::invite(&server, "ada").await;
    for _ in 0..5 {
        let page = server.browser().get(&link).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("ada Example"));
        assert!(page.set_cookies().is_empty());
    }
    // Nor does opening it in a browser that then goes away.
    server.browser().post(&link, &[]).await;
    people::to_factor(&mut server.browser(), &link).await;
}

async fn an_invitation_is_used_once(server: TestServer) {
    let (id, link) = people::invite(&server, "ada").await;
    let mut almost = people::go_through(&server, "ada", id, &link).await;
    let asked = people::asked_code(&almost.page, &almost.person);
    let page = almost
        .browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    almost.browser.follow(page).await;
    for page in [
        server.browser().get(&link).await,
        server.browser().post(&link, &[]).await,
    ] {
        assert!((400..500).contains(&page.status), "{page:?}");
    }
    assert!(almost.browser.get("/activate").await.status >= 300);
    let mut browser = server.browser();
    browser.sign_in(&server, &almost.person).await;
    assert!(browser.is_signed_in().await);
}

async fn an_invitation_expires(server: TestServer) {
    let (_, link) = people::invite(&server, "ada").await;
    server.advance(24 * 3600 - 1);
    assert_eq!(server.browser().get(&link).await.status, 200);
    let mut open = server.browser();
    let page = open.post(&link, &[]).await;
    open.follow(page).await;
    server.advance(1);
    assert!(server.browser().get(&link).await.status >= 400);
    assert!(server.browser().post(&link, &[]).await.status >= 400);
    // A ceremony that it opened ends with it.
    let page = choose(&mut open, PASSWORD, PASSWORD).await;
    assert!(page.form("/activate/factor").is_none(), "{page:?}");
}

async fn a_newer_invitation_ends_the_older(server: TestServer) {
    let (_, older) = people::invite(&server, "ada").await;
    let caller = crate::support::server::caller();
    let newer = countersign::flows::users::reinvite(&server.app, "ada", &caller)
        .await
        .unwrap();
    let newer = newer
        .link
        .expose()
        .strip_prefix(&server.issuer)
        .unwrap()
        .to_owned();
    assert!(server.browser().get(&older).await.status >= 400);
    people::to_factor(&mut server.browser(), &newer).await;
}

async fn an_unknown_invitation_shows_a_page(server: TestServer) {
    for token in [
        "x",
        "cs_iv_unknown",
        "%00",
        &"x".repeat(4000),
        "..%2f..%2fetc",
    ] {
        let path = format!("/invite/{token}");
        for page in [
            server.browser().get(&path).await,
            server.browser().post(&path, &[]).await,
        ] {
            assert!(
                (400..500).contains(&page.status),
                "{token}: {}",
                page.status
            );
        }
    }
}

async fn nothing_counts_before_the_last_step(server: TestServer) {
    let almost = people::almost(&server, "ada").await;
    server.advance(30);
    let mut browser = server.browser();
    browser
        .try_sign_in("ada", PASSWORD, &almost.person.code(&server))
        .await;
    assert!(!browser.is_signed_in().await);
    browser
        .try_sign_in("ada", PASSWORD, &almost.person.recovery_codes[0])
        .await;
    assert!(!browser.is_signed_in().await);
    // The link is still good: the ceremony can be begun anew.
}

async fn a_weak_password_is_refused_with_a_reason(server: TestServer) {
    let (mut browser, _) = begin(&server, "ada").await;
    for weak in [
        "",
        "short",
        "password1234",
        "aaaaaaaaaaaaaaaa",
        "adaadaadaada",
    ] {
        let page = choose(&mut browser, weak, weak).await;
        assert!(
            page.form("/activate/password").is_some(),
            "{weak:?}: {}",
            page.body
        );
        assert!(page.body.contains("role=\"alert\""), "{weak:?}");
        assert!(weak.is_empty() || !page.body.contains(&format!("value=\"{weak}\"")));
    }
    let page = choose(&mut browser, PASSWORD, PASSWORD).await;
    assert!(page.form("/activate/factor").is_some());
}

async fn two_different_passwords_are_refused(server: TestServer) {
    let (mut browser, _) = begin(&server, "ada").await;
    let page = choose(&mut browser, PASSWORD, "nineteen quiet herons 8 wade").await;
    assert!(page.form("/activate/password").is_some());
    let page = choose(&mut browser, PASSWORD, "").await;
    assert!(page.form("/activate/password").is_some());
}

async fn a_long_password_with_spaces_and_accents_is_fine(server: TestServer) {
    let (mut browser, _) = begin(&server, "ada").await;
    let composed = "Zwölf blaue Füchse — und noch viel mehr als vierundsechzig Zeichen, ja!";
    let page = choose(&mut browser, composed, composed).await;
    let secret = people::secret(&page);
    let now = || u64::try_from(server.now()).unwrap();
    let page = browser
        .post(
            "/activate/factor",
            &[("code", &people::code_at(&secret, now()))],
        )
        .await;
    let page = browser.follow(page).await;
    let person = crate::support::Person {
        username: "ada".to_owned(),
        // The same text, decomposed, as another keyboard would send it.
        password: composed.replace('ö', "o\u{308}").replace('ü', "u\u{308}"),
        totp_secret: secret,
        recovery_codes: people::recovery_codes(&page),
        id: uuid::Uuid::nil(),
    };
    let asked = people::asked_code(&page, &person);
    browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    let mut browser = server.browser();
    browser.sign_in(&server, &person).await;
    assert!(browser.is_signed_in().await);
}

async fn a_wrong_test_code_changes_nothing(server: TestServer) {
    let (mut browser, _) = begin(&server, "ada").await;
    let page = choose(&mut browser, PASSWORD, PASSWORD).await;
    let secret = people::secret(&page);
    for wrong in ["", "000000", "12345", "nonsense"] {
        let page = browser.post("/activate/factor", &[("code", wrong)]).await;
        let page = browser.follow(page).await;
        assert!(page.form("/activate/factor").is_some());
        assert_eq!(
            people::secret(&page),
            secret,
            "the secret that was scanned stays"
        );
    }
}

async fn a_wrong_recovery_code_changes_nothing(server: TestServer) {
    let mut almost = people::almost(&server, "ada").await;
    for wrong in ["", "0000-0000-0000-0000", "nonsense", "123456"] {
        let page = almost
            .browser
            .post("/activate/codes", &[("confirm", wrong)])
            .await;
        let page = almost.browser.follow(page).await;
        assert_eq!(
            people::recovery_codes(&page),
            almost.person.recovery_codes,
            "{}",
            page.body
        );
    }
    let asked = people::asked_code(&almost.page, &almost.person);
    almost
        .browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    let mut browser = server.browser();
    // The code that was typed stays usable.
    browser.try_sign_in("ada", PASSWORD, &asked).await;
    assert!(browser.is_signed_in().await);
}

async fn the_test_codes_step_is_spent(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser
        .try_sign_in("ada", PASSWORD, &ada.code(&server))
        .await;
    assert!(!browser.is_signed_in().await);
}

async fn a_ceremony_belongs_to_its_browser(server: TestServer) {
    let (mut browser, _) = begin(&server, "ada").await;
    let mut stranger = server.browser();
    let page = stranger.get("/activate").await;
    assert!(page.form("/activate/password").is_none());
    let page = choose(&mut stranger, PASSWORD, PASSWORD).await;
    assert!(page.form("/activate/factor").is_none());
    let page = browser.open("/activate").await;
    assert!(page.form("/activate/password").is_some());
}

async fn a_ceremony_expires(server: TestServer) {
    let (mut browser, _) = begin(&server, "ada").await;
    server.advance(30 * 60);
    let page = choose(&mut browser, PASSWORD, PASSWORD).await;
    assert!(page.form("/activate/factor").is_none(), "{page:?}");
}

async fn steps_cannot_be_skipped(server: TestServer) {
    let (mut browser, _) = begin(&server, "ada").await;
    for (path, form) in [
        ("/activate/factor", ("code", "000000")),
        ("/activate/codes", ("confirm", "0000-0000-0000-0000")),
    ] {
        let page = browser.post(path, &[form]).await;
        let page = browser.follow(page).await;
        assert!(page.status < 500);
        let page = browser.open("/activate").await;
        assert!(page.form("/activate/password").is_some());
    }
}

async fn a_disabled_person_cannot_activate(server: TestServer) {
    let mut almost = people::almost(&server, "ada").await;
    let caller = crate::support::server::caller();
    let disabled = countersign::flows::users::disable(&server.app, "ada", &caller).await;
    if disabled.is_err() {
        return; // Only active accounts are disabled; an invited one is simply not used.
    }
    let asked = people::asked_code(&almost.page, &almost.person);
    almost
        .browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    let mut browser = server.browser();
    browser.sign_in(&server, &almost.person).await;
    assert!(!browser.is_signed_in().await);
}
