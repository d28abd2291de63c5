//! What the account pages tell a person, and for how long they stay open.

use crate::support::{AuthRequest, Browser, Person, Spec, TestServer};

on_both![
    what_happened_is_told_in_sentences,
    it_is_told_in_german_too,
    nobody_reads_anothers_activity,
    activity_is_paged_and_small,
    what_is_older_than_ninety_days_is_not_shown,
    the_account_page_stays_small_however_much_there_is,
    five_idle_minutes_end_the_account_pages_and_nothing_else,
    using_them_keeps_them_open_and_using_apps_does_not,
    signing_in_again_leads_back_and_keeps_the_session,
    a_form_of_a_page_left_alone_does_nothing,
    signing_out_everywhere_ends_every_session,
    a_device_is_shown_with_its_address,
];

async fn signed_in(server: &TestServer, ada: &Person) -> Browser {
    let mut browser = server.browser();
    browser.sign_in(server, ada).await;
    browser
}

async fn what_happened_is_told_in_sentences(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut stranger = server.browser();
    stranger
        .try_sign_in("ada", "wrong password entirely", "000000")
        .await;
    let mut browser = server.browser();
    browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let page = browser.open("/account").await;
    let stop = page.form("/stop").unwrap();
    browser.post(&stop, &[]).await;
    let page = browser.open("/account/activity").await;
    assert_eq!(page.status, 200);
    for sentence in [
        "You set up your sign-in",
        "Someone tried to sign in with your name, and was refused",
        "You signed in with Firefox on Linux",
        "You let <bdi>The app app</bdi> do this:",
        "See your accounts",
        "You stopped sharing with <bdi>The app app</bdi>",
        "127.0.0.1",
        "This wasn’t me",
    ] {
        assert!(page.body.contains(sentence), "{sentence}: {}", page.body);
    }
    for raw in ["sign_in.", "consent.given", "accounts:read", "Mozilla/"] {
        assert!(!page.body.contains(raw), "{raw}");
    }
}

async fn it_is_told_in_german_too(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    browser
        .cookies
        .insert("cs-lang".to_owned(), "de".to_owned());
    let mut german = browser.clone();
    german.post("/language", &[("lang", "de")]).await;
    for (path, text) in [
        ("/account/activity", "Sie haben sich angemeldet"),
        ("/account/password", "Bisheriges Passwort"),
        ("/account/recovery-codes", "Neue Codes erstellen"),
        ("/account/not-me", "Das war ich nicht"),
        ("/account", "Überall abmelden"),
    ] {
        let page = german.get(path).await;
        assert!(page.body.contains("lang=\"de\""), "{path}");
        assert!(page.body.contains(text), "{path}: {}", page.body);
    }
}

async fn nobody_reads_anothers_activity(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut hers = server.browser();
    hers.code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let mut beas = signed_in(&server, &bea).await;
    let page = beas.open("/account/activity").await;
    assert!(page.body.contains("You signed in") && !page.body.contains("The app app"));
    let page = server.browser().get("/account/activity").await;
    assert!(page.location().starts_with("/sign-in"));
}

async fn activity_is_paged_and_small(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    for _ in 0..23 {
        let request = AuthRequest::new(&app, "openid accounts:read cards:read");
        let request = request.with("prompt", "consent");
        browser.walk(&server, &request, &ada).await;
        server.advance(1);
    }
    let mut path = "/account/activity".to_owned();
    let mut told = 0;
    for _ in 0..5 {
        let page = browser.get(&path).await;
        assert!(page.body.len() < 14 * 1024, "{} bytes", page.body.len());
        let rows = page.body.matches("<p class=\"muted\"><bdi>").count();
        assert!((1..=20).contains(&rows), "{rows}");
        told += rows;
        let Some(rest) = page.body.split("href=\"/account/activity?before=").nth(1) else {
            break;
        };
        path = format!(
            "/account/activity?before={}",
            rest.split('"').next().unwrap()
        );
    }
    // Invited, set up, signed in, and every consent.
    assert_eq!(told, 26);
    let page = browser.get("/account/activity?before=garbage").await;
    assert_eq!(page.status, 200);
}

async fn what_is_older_than_ninety_days_is_not_shown(server: TestServer) {
    let ada = server.person("ada").await;
    server.advance(91 * 24 * 3600);
    let mut browser = signed_in(&server, &ada).await;
    let page = browser.open("/account/activity").await;
    assert!(page.body.contains("You signed in"));
    assert!(!page.body.contains("You set up your sign-in"));
}

async fn the_account_page_stays_small_however_much_there_is(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    for n in 0..13 {
        let app = server
            .register(Spec::confidential(&format!("app-{n}")))
            .await;
        let scope = "openid profile email address phone offline_access accounts:read";
        browser.code_flow(&server, &app, &ada, scope).await;
    }
    for _ in 0..12 {
        signed_in(&server, &ada).await;
    }
    for path in ["/account/apps", "/account/sessions"] {
        let mut browser = signed_in(&server, &ada).await;
        let page = browser.get("/account").await;
        assert!(page.body.len() < 14 * 1024, "{} bytes", page.body.len());
        assert!(page.body.contains(&format!("href=\"{path}\"")));
        let first = browser.get(path).await;
        let second = browser.get(&format!("{path}?page=2")).await;
        for page in [&first, &second] {
            assert_eq!(page.status, 200);
            assert!(page.body.len() < 14 * 1024, "{} bytes", page.body.len());
        }
        let count = |page: &crate::support::Page| page.body.matches("<div class=\"what\">").count();
        assert_eq!(count(&first), 10, "{path}");
        assert!(count(&second) >= 3, "{path}");
    }
}

async fn five_idle_minutes_end_the_account_pages_and_nothing_else(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    server.advance(299);
    assert_eq!(browser.get("/account").await.status, 200);
    server.advance(300);
    for path in ["/account", "/account/activity", "/account/password"] {
        let page = browser.get(path).await;
        assert!(page.location().starts_with("/sign-in"), "{path}");
    }
    // For apps she is still signed in.
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    assert!(page.form("/consent").is_some(), "{}", page.body);
    let page = browser.open("/account").await;
    assert!(page.form("/sign-in").is_some());
    assert!(page.body.contains("You did not use your account pages"));
}

async fn using_them_keeps_them_open_and_using_apps_does_not(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    for _ in 0..10 {
        server.advance(250);
        assert_eq!(browser.get("/account").await.status, 200);
    }
    for _ in 0..4 {
        server.advance(100);
        browser
            .begin(&server, &AuthRequest::new(&app, "openid"))
            .await;
    }
    assert!(
        browser
            .get("/account")
            .await
            .location()
            .starts_with("/sign-in")
    );
}

async fn signing_in_again_leads_back_and_keeps_the_session(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let mut other = signed_in(&server, &ada).await;
    server.advance(301);
    let page = browser.open("/account/recovery-codes").await;
    let action = page
        .body
        .split("action=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|action| action.starts_with("/sign-in?"))
        .map(crate::support::browser::unescape)
        .unwrap();
    let code = ada.code(&server);
    let form = [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", code.as_str()),
    ];
    let page = browser.post(&action, &form).await;
    assert_eq!(page.location(), "/account/recovery-codes", "{}", page.body);
    assert_eq!(browser.get("/account/recovery-codes").await.status, 200);
    let page = browser.open("/account/sessions").await;
    assert_eq!(
        page.body.matches("/end\"").count(),
        3,
        "two, and everywhere"
    );
    assert!(!other.is_signed_in().await, "left alone as well");
}

async fn a_form_of_a_page_left_alone_does_nothing(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser
        .code_flow(&server, &app, &ada, "openid offline_access accounts:read")
        .await;
    let page = browser.open("/account").await;
    let stop = page.form("/stop").unwrap();
    server.advance(301);
    for address in [stop.as_str(), "/account/sessions/end"] {
        let page = browser.post(address, &[]).await;
        assert!(page.location().starts_with("/sign-in"), "{address}");
    }
    app.refresh(&server, &tokens.refresh).await.ok();
    browser.sign_in(&server, &ada).await;
    assert!(browser.is_signed_in().await);
}

async fn signing_out_everywhere_ends_every_session(server: TestServer) {
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let (mut here, mut there) = (
        signed_in(&server, &ada).await,
        signed_in(&server, &ada).await,
    );
    let mut beas = signed_in(&server, &bea).await;
    assert_eq!(here.get("/account/sessions/end").await.status, 405);
    let page = here
        .post_from("/account/sessions/end", &[], Some("https://evil.example"))
        .await;
    assert_eq!(page.status, 403);
    assert!(there.is_signed_in().await);
    let page = here.post("/account/sessions/end", &[]).await;
    assert_eq!(page.status, 200);
    assert!(!here.is_signed_in().await && !there.is_signed_in().await);
    assert!(beas.is_signed_in().await);
    let mut again = signed_in(&server, &ada).await;
    let page = again.open("/account/activity").await;
    assert!(page.body.contains("You signed out everywhere"));
}

async fn a_device_is_shown_with_its_address(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = signed_in(&server, &ada).await;
    let page = browser.open("/account/sessions").await;
    assert!(page.body.contains("Firefox on Linux"));
    assert!(page.body.contains("<bdi>127.0.0.1</bdi>"), "{}", page.body);
    assert!(page.body.contains("This device"));
}
