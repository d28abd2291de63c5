//! Guessing is stopped, and strangers cannot lock a person out of a device she uses.

use countersign::flows::sign_in::{Evidence, Held, Second, Typed, sign_in};
use countersign::flows::{reproof, users};
use countersign::secret::Secret;

use crate::support::people::PASSWORD;
use crate::support::server::caller;
use crate::support::{Browser, Engine, Page, TestServer, race};

on_both![
    five_failures_block_the_name,
    an_unknown_name_is_blocked_the_same,
    the_right_credentials_are_refused_during_a_block,
    a_block_grows,
    fifty_guesses_at_once_verify_five_at_most,
    a_known_device_is_not_blocked_by_strangers,
    a_known_device_has_a_limit_of_its_own,
    a_device_cookie_is_good_for_its_own_person_only,
    a_success_forgives_the_failures_before,
    a_block_counts_for_every_way_in,
    a_hundred_failures_in_a_row_end_the_password,
    a_success_from_a_known_device_ends_the_row,
    an_ended_password_is_bound_anew_with_new_factors,
    the_devices_of_a_disabled_account_are_strangers,
];

async fn fail(server: &TestServer, username: &str) -> Page {
    let mut browser = server.browser();
    browser
        .try_sign_in(username, "wrong password entirely", "000000")
        .await
}

async fn works(server: &TestServer, browser: &mut Browser, code: &str) -> bool {
    let _ = server;
    browser.try_sign_in("ada", PASSWORD, code).await;
    browser.is_signed_in().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_nobody_waits_for_is_heard_all_the_same() {
    const FAILED: &str = "SELECT COALESCE(SUM(failures + consecutive), 0)::bigint FROM lockouts";
    let server = TestServer::start(Engine::Postgres).await;
    let ada = server.person("ada").await;
    fail(&server, "ada").await;
    let typed = Evidence::Typed(Typed {
        username: "ada".to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
        second: Second::Code(Secret::new(ada.next_code(&server))),
    });
    let held = Held {
        device: None,
        session: None,
    };
    let caller = caller();
    let mut counting = server.hold("LOCK TABLE lockouts IN EXCLUSIVE MODE").await;
    let signing_in = sign_in(&server.app, typed, held, &caller);
    tokio::select! {
        _ = signing_in => panic!("it was not counted yet"),
        () = counting.is_waited_for(1) => {}
    }
    // The browser is gone.
    counting.let_go().await;
    for _ in 0..3000 {
        if server.number(FAILED).await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it counts as a failure for ever");
}

async fn five_failures_block_the_name(server: TestServer) {
    let ada = server.person("ada").await;
    for _ in 0..4 {
        fail(&server, "ada").await;
    }
    server.advance(30);
    assert!(
        works(&server, &mut server.browser(), &ada.code(&server)).await,
        "four are forgiven"
    );
    for _ in 0..5 {
        fail(&server, "ada").await;
    }
    let before = server.app.hasher.made();
    let page = fail(&server, "ada").await;
    assert_eq!(
        server.app.hasher.made(),
        before,
        "nothing is verified during a block"
    );
    assert!(page.location().is_empty());
}

async fn an_unknown_name_is_blocked_the_same(server: TestServer) {
    server.person("ada").await;
    let mut pages: Vec<Vec<(u16, String)>> = Vec::new();
    for username in ["ada", "dora"] {
        let mut seen = Vec::new();
        for _ in 0..8 {
            let page = fail(&server, username).await;
            let body = page
                .without_reference()
                .replace(&format!("value=\"{username}\""), "");
            seen.push((page.status, body));
        }
        pages.push(seen);
    }
    for (n, (known, unknown)) in pages[0].iter().zip(&pages[1]).enumerate() {
        assert_eq!(known, unknown, "attempt {n}");
    }
    assert_ne!(pages[0][0], pages[0][7], "a block is told");
}

async fn the_right_credentials_are_refused_during_a_block(server: TestServer) {
    let ada = server.person("ada").await;
    for _ in 0..5 {
        fail(&server, "ada").await;
    }
    server.advance(29);
    let code = ada.code_at(u64::try_from(server.now()).unwrap() + 1);
    assert!(!works(&server, &mut server.browser(), &code).await);
    server.advance(1);
    // The refused attempt spent nothing.
    assert!(works(&server, &mut server.browser(), &code).await);
}

async fn a_block_grows(server: TestServer) {
    let ada = server.person("ada").await;
    for _ in 0..5 {
        fail(&server, "ada").await;
    }
    for block in [30, 60, 120, 240] {
        server.advance(block - 1);
        let code = ada.code(&server);
        assert!(
            !works(&server, &mut server.browser(), &code).await,
            "{block}"
        );
        server.advance(1);
        let before = server.app.hasher.made();
        fail(&server, "ada").await;
        assert!(
            server.app.hasher.made() > before,
            "the block of {block} s is over"
        );
    }
}

async fn fifty_guesses_at_once_verify_five_at_most(server: TestServer) {
    server.person("ada").await;
    for username in ["ada", "dora"] {
        let before = server.app.hasher.made();
        let pages = race(50, |_| {
            let (mut browser, username) = (server.browser(), username.to_owned());
            async move {
                browser
                    .try_sign_in(&username, "wrong password entirely", "000000")
                    .await
            }
        })
        .await;
        assert!(pages.iter().all(|page| page.status < 500));
        let made = server.app.hasher.made() - before;
        assert_eq!(made, 5, "{username}");
    }
}

async fn a_known_device_is_not_blocked_by_strangers(server: TestServer) {
    let ada = server.person("ada").await;
    let mut known = server.browser();
    known.sign_in(&server, &ada).await;
    known.post("/sign-out", &[]).await;
    assert!(!known.is_signed_in().await);
    for _ in 0..12 {
        fail(&server, "ada").await;
    }
    server.advance(29);
    let code = ada.code_at(u64::try_from(server.now()).unwrap() + 1);
    assert!(
        !works(&server, &mut server.browser(), &code).await,
        "a stranger's browser"
    );
    assert!(works(&server, &mut known, &code).await);
}

async fn a_known_device_has_a_limit_of_its_own(server: TestServer) {
    let ada = server.person("ada").await;
    let mut known = server.browser();
    known.sign_in(&server, &ada).await;
    known.post("/sign-out", &[]).await;
    for _ in 0..5 {
        known
            .try_sign_in("ada", "wrong password entirely", "000000")
            .await;
    }
    let before = server.app.hasher.made();
    known
        .try_sign_in("ada", "wrong password entirely", "000000")
        .await;
    assert_eq!(server.app.hasher.made(), before);
    // Others are not blocked by it.
    server.advance(29);
    let code = ada.code_at(u64::try_from(server.now()).unwrap() + 1);
    assert!(works(&server, &mut server.browser(), &code).await);
}

async fn a_device_cookie_is_good_for_its_own_person_only(server: TestServer) {
    let bea = server.person("bea").await;
    server.person("ada").await;
    let mut known = server.browser();
    known.sign_in(&server, &bea).await;
    known.post("/sign-out", &[]).await;
    for _ in 0..5 {
        fail(&server, "ada").await;
    }
    let before = server.app.hasher.made();
    known
        .try_sign_in("ada", "wrong password entirely", "000000")
        .await;
    assert_eq!(
        server.app.hasher.made(),
        before,
        "blocked like any stranger"
    );
}

async fn a_success_forgives_the_failures_before(server: TestServer) {
    let ada = server.person("ada").await;
    for _ in 0..3 {
        for _ in 0..4 {
            fail(&server, "ada").await;
        }
        server.advance(30);
        assert!(works(&server, &mut server.browser(), &ada.code(&server)).await);
    }
}

async fn a_block_counts_for_every_way_in(server: TestServer) {
    use crate::support::{AuthRequest, Spec};
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    for _ in 0..5 {
        fail(&server, "ada").await;
    }
    server.advance(20);
    let mut browser = server.browser();
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid"))
        .await;
    let action = page.form("/sign-in").unwrap();
    let code = ada.code_at(u64::try_from(server.now()).unwrap() + 10);
    let form = [
        ("username", "ada"),
        ("password", PASSWORD),
        ("code", code.as_str()),
    ];
    let page = browser.post(&action, &form).await;
    assert!(page.location().is_empty(), "{page:?}");
    assert!(!browser.is_signed_in().await);
}

async fn a_hundred_failures_in_a_row_end_the_password(server: TestServer) {
    if server.engine == Engine::Postgres {
        return; // The same code; once is enough for so many attempts.
    }
    let ada = server.person("ada").await;
    for _ in 0..100 {
        server.advance(3600);
        fail(&server, "ada").await;
    }
    server.advance(3600);
    assert!(!works(&server, &mut server.browser(), &ada.code(&server)).await);
}

async fn a_success_from_a_known_device_ends_the_row(server: TestServer) {
    if server.engine == Engine::Postgres {
        return;
    }
    let ada = server.person("ada").await;
    let mut known = server.browser();
    known.sign_in(&server, &ada).await;
    for _ in 0..2 {
        for _ in 0..60 {
            server.advance(3600);
            fail(&server, "ada").await;
        }
        server.advance(3600);
        assert!(works(&server, &mut known, &ada.code(&server)).await);
    }
    server.advance(3600);
    assert!(
        works(&server, &mut known, &ada.code(&server)).await,
        "the password lives"
    );
}

async fn an_ended_password_is_bound_anew_with_new_factors(server: TestServer) {
    use crate::support::people;
    use crate::support::server::caller;
    if server.engine == Engine::Postgres {
        return;
    }
    let app = server
        .register(crate::support::Spec::confidential("app"))
        .await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    for _ in 0..100 {
        server.advance(3600);
        fail(&server, "ada").await;
    }
    server.advance(3600);
    let app_of = &server.app;
    reproof::begin(app_of, "ada", "olga", &caller())
        .await
        .unwrap();
    server.advance(24 * 3600);
    let invited = reproof::approve(app_of, "ada", ("otto", false), &caller())
        .await
        .unwrap();
    let link = invited
        .invited
        .link
        .expose()
        .strip_prefix(&server.issuer)
        .unwrap()
        .to_owned();
    let mut almost = people::go_through(&server, "ada", ada.id, &link).await;
    let asked = people::asked_code(&almost.page, &almost.person);
    almost
        .browser
        .post("/activate/codes", &[("confirm", &asked)])
        .await;
    // The epoch of everything from before reaches a little ahead.
    server.advance(30);
    let mut fresh = server.browser();
    fresh.sign_in(&server, &almost.person).await;
    assert!(fresh.is_signed_in().await);
    server.advance(30);
    let old = server
        .browser()
        .try_sign_in("ada", PASSWORD, &ada.code(&server))
        .await;
    assert!(old.location().is_empty(), "the old authenticator is gone");
    assert!(!browser.is_signed_in().await);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
}

async fn the_devices_of_a_disabled_account_are_strangers(server: TestServer) {
    let ada = server.person("ada").await;
    let mut known = server.browser();
    known.sign_in(&server, &ada).await;
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    users::enable(&server.app, "ada", &caller()).await.unwrap();
    server.advance(30);
    for _ in 0..5 {
        fail(&server, "ada").await;
    }
    assert!(!works(&server, &mut known, &ada.code(&server)).await);
}
