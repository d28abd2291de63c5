//! What a client may ask to happen with the person (OpenID Connect Core §3.1.2.1).

use crate::support::{Answer, AuthRequest, Browser, ClientApp, Person, Spec, TestServer, jwt};

on_both![
    none_without_a_session_needs_a_login,
    none_without_consent_needs_consent,
    none_with_both_answers_at_once,
    none_with_an_old_session_needs_a_login,
    login_asks_for_the_password_again,
    consent_asks_again,
    max_age_asks_for_a_newer_sign_in,
    max_age_zero_asks_every_time,
    consent_is_remembered_and_only_the_difference_is_asked,
    optional_scopes_may_be_left_out,
    an_idle_session_must_sign_in_again,
    a_session_ends_at_an_absolute_time,
];

struct Story {
    app: ClientApp,
    ada: Person,
    browser: Browser,
}

async fn story(server: &TestServer) -> Story {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.sign_in(server, &ada).await;
    Story { app, ada, browser }
}

async fn silent(
    server: &TestServer,
    browser: &mut Browser,
    app: &ClientApp,
    scope: &str,
) -> Answer {
    let request = AuthRequest::new(app, scope).with("prompt", "none");
    Answer::of(&browser.begin(server, &request).await)
}

async fn none_without_a_session_needs_a_login(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let answer = silent(&server, &mut server.browser(), &app, "openid").await;
    assert_eq!(answer.error(), "login_required");
}

async fn none_without_consent_needs_consent(server: TestServer) {
    let Story {
        app, mut browser, ..
    } = story(&server).await;
    let answer = silent(&server, &mut browser, &app, "openid accounts:read").await;
    assert!(matches!(
        answer.error(),
        "consent_required" | "interaction_required"
    ));
}

async fn none_with_both_answers_at_once(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    server.advance(60);
    silent(&server, &mut browser, &app, "openid accounts:read")
        .await
        .code();
    silent(&server, &mut browser, &app, "openid").await.code();
    let more = silent(&server, &mut browser, &app, "openid cards:read").await;
    assert!(matches!(
        more.error(),
        "consent_required" | "interaction_required"
    ));
}

async fn none_with_an_old_session_needs_a_login(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    browser.code_flow(&server, &app, &ada, "openid").await;
    server.advance(100);
    let request = AuthRequest::new(&app, "openid")
        .with("prompt", "none")
        .with("max_age", "60");
    let answer = Answer::of(&browser.begin(&server, &request).await);
    assert_eq!(answer.error(), "login_required");
    let request = request.with("max_age", "1000");
    Answer::of(&browser.begin(&server, &request).await).code();
}

async fn login_asks_for_the_password_again(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    let before = browser.code_flow(&server, &app, &ada, "openid").await;
    server.advance(120);
    for prompt in ["login", "login select_account"] {
        let request = AuthRequest::new(&app, "openid").with("prompt", prompt);
        let page = browser.begin(&server, &request).await;
        assert!(page.form("/sign-in").is_some(), "{prompt}: {}", page.body);
        let answer = browser.go_on(&server, page, &ada).await;
        let after = request.redeem(&server, &app, &answer.code()).await;
        let time = async |id: &str| {
            jwt::verify(&server, id).await.claims["auth_time"]
                .as_i64()
                .unwrap()
        };
        assert!(time(&after.id).await > time(&before.id).await);
    }
}

async fn consent_asks_again(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let request = AuthRequest::new(&app, "openid accounts:read").with("prompt", "consent");
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/consent").is_some(), "{}", page.body);
    browser.go_on(&server, page, &ada).await.code();
}

async fn max_age_asks_for_a_newer_sign_in(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    browser.code_flow(&server, &app, &ada, "openid").await;
    server.advance(61);
    let request = AuthRequest::new(&app, "openid").with("max_age", "60");
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/sign-in").is_some());
    let answer = browser.go_on(&server, page, &ada).await;
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    let claims = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(claims["auth_time"], server.now());
    let request = AuthRequest::new(&app, "openid").with("max_age", "10000");
    Answer::of(&browser.begin(&server, &request).await).code();
}

async fn max_age_zero_asks_every_time(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    server.advance(1);
    let request = AuthRequest::new(&app, "openid").with("max_age", "0");
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/sign-in").is_some());
    // Having just signed in for this very request is enough.
    browser.go_on(&server, page, &ada).await.code();
}

async fn consent_is_remembered_and_only_the_difference_is_asked(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let again = AuthRequest::new(&app, "openid accounts:read");
    Answer::of(&browser.begin(&server, &again).await).code();
    let more = AuthRequest::new(&app, "openid cards:read");
    let page = browser.begin(&server, &more).await;
    assert!(page.form("/consent").is_some());
    assert!(page.body.contains("See your cards"), "{}", page.body);
    let answer = browser.go_on(&server, page, &ada).await;
    let tokens = more.redeem(&server, &app, &answer.code()).await;
    assert_eq!(tokens.scope, "cards:read openid");
    // Another person's consent is her own.
    let bea = server.person("bea").await;
    let mut other = server.browser();
    other.sign_in(&server, &bea).await;
    let page = other
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    assert!(page.form("/consent").is_some());
}

async fn optional_scopes_may_be_left_out(server: TestServer) {
    let Story {
        app, mut browser, ..
    } = story(&server).await;
    let request = AuthRequest::new(&app, "openid accounts:read transactions:read");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/consent").unwrap();
    assert!(
        page.body.contains("value=\"transactions:read\""),
        "{}",
        page.body
    );
    let page = browser.post(&action, &[("decision", "allow")]).await;
    let tokens = request
        .redeem(&server, &app, &Answer::of(&page).code())
        .await;
    assert_eq!(tokens.scope, "accounts:read openid");
    // A form cannot give more than was asked, and unknown values deny.
    let request = AuthRequest::new(&app, "openid accounts:read").with("prompt", "consent");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/consent").unwrap();
    let form = [("decision", "allow"), ("scope", "cards:read")];
    let page = browser.post(&action, &form).await;
    let answer = Answer::of(&page);
    if answer.get("code").is_empty() {
        assert!(page.status >= 400 || answer.error() == "access_denied");
    } else {
        let tokens = request.redeem(&server, &app, &answer.code()).await;
        assert_eq!(tokens.scope, "accounts:read openid");
    }
}

async fn an_idle_session_must_sign_in_again(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    browser.code_flow(&server, &app, &ada, "openid").await;
    server.advance(29 * 60);
    assert!(goes_on(&server, &app, &mut browser).await);
    server.advance(29 * 60);
    assert!(
        goes_on(&server, &app, &mut browser).await,
        "it was used in between"
    );
    server.advance(30 * 60 + 1);
    assert!(!goes_on(&server, &app, &mut browser).await);
}

/// Whether an app gets its answer without a sign-in.
async fn goes_on(server: &TestServer, app: &ClientApp, browser: &mut Browser) -> bool {
    let request = AuthRequest::new(app, "openid");
    let page = browser.begin(server, &request).await;
    page.form("/sign-in").is_none()
}

async fn a_session_ends_at_an_absolute_time(server: TestServer) {
    let Story {
        app, mut browser, ..
    } = story(&server).await;
    for _ in 0..47 {
        server.advance(15 * 60);
        assert!(goes_on(&server, &app, &mut browser).await);
    }
    server.advance(15 * 60 + 1);
    assert!(!goes_on(&server, &app, &mut browser).await);
}
