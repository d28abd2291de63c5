//! What the OpenID Connect Basic and Config plans of the conformance suite ask, where no other file
//! of these tests does.

use crate::support::{Answer, AuthRequest, Page, Spec, TestServer, jwt};

on_both![
    parameters_that_are_not_understood_are_ignored,
    a_request_may_be_posted,
    the_order_of_parameters_and_scopes_does_not_matter,
    a_missing_response_type_is_an_error,
    scopes_are_told_at_userinfo_and_not_in_the_id_token,
    select_account_lets_the_person_who_is_there_go_on,
    select_account_lets_somebody_else_sign_in,
    select_account_means_the_person_that_the_page_named,
    select_account_shows_the_sign_in_page_when_nobody_is_there,
    login_cannot_be_answered_by_choosing,
    a_client_may_register_a_default_max_age,
    a_sign_in_just_now_gives_a_later_auth_time,
    registration_by_parameter_is_not_supported,
    ui_locales_of_any_length_are_tolerated,
    a_person_has_a_time_of_last_change,
];

async fn parameters_that_are_not_understood_are_ignored(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    for (name, value) in [
        ("display", "page"),
        ("display", "wap"),
        ("display", "unknown"),
        ("ui_locales", "se fr-CA"),
        ("claims_locales", "se"),
        ("acr_values", "1 2"),
        ("login_hint", "buffy@umgdb.example"),
        ("extra", "foobar"),
    ] {
        let request = AuthRequest::new(&app, "openid").with(name, value);
        browser.walk(&server, &request, &ada).await.code();
    }
}

async fn a_request_may_be_posted(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let request = AuthRequest::new(&app, "openid");
    let page = browser.post("/authorize", &request.pairs()).await;
    let answer = browser.go_on(&server, page, &ada).await;
    request.redeem(&server, &app, &answer.code()).await;
}

async fn the_order_of_parameters_and_scopes_does_not_matter(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "email openid profile");
    let mut pairs = request.pairs();
    pairs.reverse();
    let mut browser = server.browser();
    let page = browser.post("/authorize", &pairs).await;
    let code = browser.go_on(&server, page, &ada).await.code();
    let tokens = request.redeem(&server, &app, &code).await;
    assert!(!tokens.id.is_empty());
}

async fn a_missing_response_type_is_an_error(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid").without("response_type");
    let answer = Answer::of(&server.browser().begin(&server, &request).await);
    assert_eq!(answer.error(), "invalid_request");
}

async fn scopes_are_told_at_userinfo_and_not_in_the_id_token(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid profile email address phone")
        .await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    for (name, _) in rules::protocol::claims::STANDARD {
        assert!(id.get(name).is_none(), "{name}");
    }
}

fn session_on(page: &Page) -> String {
    let field = page.body.split("name=\"session\" value=\"").nth(1);
    let value = field.and_then(|rest| rest.split('"').next());
    value.unwrap_or_default().to_owned()
}

async fn select_account_lets_the_person_who_is_there_go_on(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let before = browser.code_flow(&server, &app, &ada, "openid").await;
    server.advance(120);
    let request = AuthRequest::new(&app, "openid").with("prompt", "select_account");
    let page = browser.begin(&server, &request).await;
    assert!(page.body.contains("ada Example"), "{}", page.body);
    let action = page.form("/go-on").unwrap();
    let session = session_on(&page);
    let page = browser.post(&action, &[("session", &session)]).await;
    let answer = browser.go_on(&server, page, &ada).await;
    let after = request.redeem(&server, &app, &answer.code()).await;
    let before = jwt::verify(&server, &before.id).await.claims;
    let after = jwt::verify(&server, &after.id).await.claims;
    assert_eq!(before["sub"], after["sub"]);
    assert_eq!(before["auth_time"], after["auth_time"], "she only chose");
}

async fn select_account_lets_somebody_else_sign_in(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let bea = server.person("bea").await;
    let mut browser = server.browser();
    browser.sign_in(&server, &ada).await;
    let request = AuthRequest::new(&app, "openid").with("prompt", "select_account");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/switch").unwrap();
    let page = browser.post(&action, &[]).await;
    let page = browser.follow(page).await;
    assert!(page.form("/sign-in").is_some(), "{}", page.body);
    let answer = browser.go_on(&server, page, &bea).await;
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    let id = jwt::verify(&server, &tokens.id).await.claims;
    assert_eq!(id["sub"], bea.id.to_string());
}

async fn select_account_means_the_person_that_the_page_named(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let bea = server.person("bea").await;
    let mut browser = server.browser();
    browser.code_flow(&server, &app, &bea, "openid").await;
    browser.sign_in(&server, &ada).await;
    browser.code_flow(&server, &app, &ada, "openid").await;
    let request = AuthRequest::new(&app, "openid").with("prompt", "select_account");
    let page = browser.begin(&server, &request).await;
    let action = page.form("/go-on").unwrap();
    let session = session_on(&page);
    // In another tab somebody else signs in meanwhile.
    browser.sign_in(&server, &bea).await;
    for form in [vec![("session", session.as_str())], vec![]] {
        let page = browser.post(&action, &form).await;
        let page = browser.follow(page).await;
        assert!(page.form("/go-on").is_some(), "the page is shown anew");
        assert!(page.body.contains("bea Example"));
    }
}

async fn select_account_shows_the_sign_in_page_when_nobody_is_there(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let request = AuthRequest::new(&app, "openid").with("prompt", "select_account");
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/sign-in").is_some());
    // Signing in is choosing.
    browser.go_on(&server, page, &ada).await.code();
}

async fn login_cannot_be_answered_by_choosing(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.code_flow(&server, &app, &ada, "openid").await;
    let choosing = AuthRequest::new(&app, "openid").with("prompt", "select_account");
    let page = browser.begin(&server, &choosing).await;
    let session = session_on(&page);
    server.advance(100);
    for (name, value) in [("prompt", "login select_account"), ("max_age", "60")] {
        let request = AuthRequest::new(&app, "openid")
            .with("prompt", "select_account")
            .with(name, value);
        let page = browser.begin(&server, &request).await;
        let action = page.form("/sign-in").unwrap();
        let action = action.replace("/sign-in", "/go-on");
        let page = browser.post(&action, &[("session", &session)]).await;
        let page = browser.follow(page).await;
        assert!(page.form("/sign-in").is_some(), "{}", page.body);
    }
}

async fn a_client_may_register_a_default_max_age(server: TestServer) {
    let mut spec = Spec::confidential("app");
    spec.metadata.default_max_age = Some(60);
    let app = server.register(spec).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    browser.code_flow(&server, &app, &ada, "openid").await;
    server.advance(61);
    let request = AuthRequest::new(&app, "openid");
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/sign-in").is_some());
    // What the request says counts.
    let request = request.with("max_age", "600");
    Answer::of(&browser.begin(&server, &request).await).code();
}

async fn a_sign_in_just_now_gives_a_later_auth_time(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let before = browser.code_flow(&server, &app, &ada, "openid").await;
    server.advance(2);
    let request = AuthRequest::new(&app, "openid").with("max_age", "1");
    let page = browser.begin(&server, &request).await;
    assert!(page.form("/sign-in").is_some());
    let code = browser.go_on(&server, page, &ada).await.code();
    let after = request.redeem(&server, &app, &code).await;
    let before = jwt::verify(&server, &before.id).await.claims;
    let after = jwt::verify(&server, &after.id).await.claims;
    assert_eq!(before["sub"], after["sub"]);
    assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64());
}

async fn registration_by_parameter_is_not_supported(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid").with("registration", "{}");
    let answer = Answer::of(&server.browser().begin(&server, &request).await);
    assert_eq!(answer.error(), "registration_not_supported");
}

async fn ui_locales_of_any_length_are_tolerated(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let many = format!("{} de-DE <script> \u{202e} en", "xx ".repeat(1000));
    let request = AuthRequest::new(&app, "openid").with("ui_locales", &many);
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    assert!(!page.body.contains("<script>"));
    browser.go_on(&server, page, &ada).await.code();
}

async fn a_person_has_a_time_of_last_change(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid profile")
        .await;
    let get = server.http.get(server.at("/userinfo"));
    let told = crate::support::Reply::of(get.bearer_auth(&tokens.access)).await;
    assert!(told.ok()["updated_at"].is_i64());
}
