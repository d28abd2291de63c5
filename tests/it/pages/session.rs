//! Sessions: new at each sign-in, bound by cookies that scripts and other sites cannot use.

use crate::support::browser::consent;
use crate::support::{Answer, AuthRequest, Spec, TestServer, jwt};

on_both![
    cookies_are_for_this_server_alone,
    a_session_is_new_at_each_sign_in,
    a_planted_session_is_worth_nothing,
    signing_out_ends_the_session_everywhere,
    another_person_in_the_same_browser_gets_another_session,
    a_consent_is_not_given_in_anothers_name,
    not_you_signs_out_and_asks_again,
    a_garbage_cookie_is_nobody,
    a_disabled_persons_session_is_over,
];

async fn cookies_are_for_this_server_alone(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let page = browser
        .get(&AuthRequest::new(&app, "openid").url(&server))
        .await;
    let mut cookies = page.set_cookies();
    let page = browser.sign_in(&server, &ada).await;
    cookies.extend(page.set_cookies());
    assert!(cookies.len() >= 3, "{cookies:?}");
    for cookie in cookies {
        assert!(cookie.contains("; HttpOnly"), "{cookie}");
        assert!(
            cookie.contains("; SameSite=Lax") || cookie.contains("; SameSite=Strict"),
            "{cookie}"
        );
        assert!(cookie.contains("; Path=/"), "{cookie}");
        assert!(!cookie.contains("Domain="), "{cookie}");
        // Plain http on loopback: no prefix, no Secure. The prefix is tested where it is made.
        assert!(
            !cookie.starts_with("__Host-") && !cookie.contains("Secure"),
            "{cookie}"
        );
    }
    let session = &browser.cookies["cs-session"];
    assert!(session.len() >= 43);
}

async fn a_session_is_new_at_each_sign_in(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let mut old = browser.clone();
    assert!(old.is_signed_in().await);
    browser.sign_in(&server, &ada).await;
    assert_ne!(old.cookies["cs-session"], browser.cookies["cs-session"]);
    assert!(browser.is_signed_in().await);
    assert!(
        !old.is_signed_in().await,
        "what was known before signs nobody in"
    );
}

async fn a_planted_session_is_worth_nothing(server: TestServer) {
    let ada = server.person("ada").await;
    let mallory = server.person("mallory").await;
    let mut attacker = server.browser();
    attacker.sign_in(&server, &mallory).await;
    let planted = attacker.cookies["cs-session"].clone();
    let mut victim = server.browser();
    victim
        .cookies
        .insert("cs-session".to_owned(), planted.clone());
    victim.sign_in(&server, &ada).await;
    assert_ne!(victim.cookies["cs-session"], planted);
    let page = victim.get("/account").await;
    assert!(page.body.contains("ada Example") && !page.body.contains("mallory"));
    let page = attacker.get("/account").await;
    assert!(!page.body.contains("ada Example"));
}

async fn signing_out_ends_the_session_everywhere(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let mut copy = browser.clone();
    let page = browser.get("/sign-out").await;
    assert_eq!(page.status, 200);
    assert!(copy.is_signed_in().await, "asking ends nothing");
    browser.post("/sign-out", &[]).await;
    assert!(!browser.is_signed_in().await);
    assert!(!copy.is_signed_in().await);
}

async fn another_person_in_the_same_browser_gets_another_session(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut browser = server.browser();
    let first = browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let mut old = browser.clone();
    browser.sign_in(&server, &bea).await;
    assert!(!old.is_signed_in().await);
    let second = browser
        .code_flow(&server, &app, &bea, "openid accounts:read")
        .await;
    let (first, second) = (
        jwt::verify(&server, &first.id).await.claims,
        jwt::verify(&server, &second.id).await.claims,
    );
    assert_ne!(first["sub"], second["sub"]);
    assert_ne!(first["sid"], second["sid"]);
}

async fn a_consent_is_not_given_in_anothers_name(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/consent").unwrap();
    // In another tab of the same browser.
    browser.sign_in(&server, &bea).await;
    let page = browser.post(&action, &consent(&page)).await;
    let page = browser.follow(page).await;
    let answer = Answer::of(&page);
    assert!(answer.get("code").is_empty(), "{answer:?}");
    let account = browser.open("/account").await;
    assert!(
        !account.body.contains("The app app"),
        "nothing was granted in bea's name"
    );
}

async fn not_you_signs_out_and_asks_again(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let (ada, bea) = (server.person("ada").await, server.person("bea").await);
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/switch").unwrap();
    let page = browser.post(&action, &[]).await;
    let page = browser.follow(page).await;
    assert!(page.form("/sign-in").is_some(), "{}", page.body);
    let answer = browser.go_on(&server, page, &bea).await;
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    let claims = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(claims["sub"], bea.id.to_string());
}

async fn a_garbage_cookie_is_nobody(server: TestServer) {
    for garbage in ["x", "cs_se_", "a=b", "\"quoted\"", &"x".repeat(4000)] {
        let mut browser = server.browser();
        for name in ["cs-session", "cs-device", "cs-activation", "cs-ix-x"] {
            browser.cookies.insert(name.to_owned(), garbage.to_owned());
        }
        assert!(!browser.is_signed_in().await);
        for path in ["/account", "/activate", "/sign-in", "/interaction/x"] {
            assert!(browser.get(path).await.status < 500, "{path} {garbage}");
        }
    }
}

async fn a_disabled_persons_session_is_over(server: TestServer) {
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let caller = crate::support::server::caller();
    countersign::flows::users::disable(&server.app, "ada", &caller)
        .await
        .unwrap();
    assert!(!browser.is_signed_in().await);
    server.advance(60);
    countersign::flows::users::enable(&server.app, "ada", &caller)
        .await
        .unwrap();
    assert!(!browser.is_signed_in().await, "what ended stays ended");
    browser.sign_in(&server, &ada).await;
    assert!(browser.is_signed_in().await);
}
