//! What happens between two steps of a flow counts: nothing is issued on yesterday's word.

use countersign::flows::{clients, users};

use crate::support::server::caller;
use crate::support::{Answer, AuthRequest, Browser, ClientApp, Person, Spec, TestServer};

on_both![
    a_code_is_worthless_after_the_person_stopped_the_app,
    a_code_is_worthless_after_the_person_signed_out,
    a_code_for_offline_access_outlives_the_session,
    a_client_that_was_disabled_meanwhile_gets_nothing,
    what_ended_with_an_account_does_not_come_back_with_it,
    a_person_who_was_disabled_meanwhile_consents_to_nothing,
    consent_cannot_replace_the_sign_in_that_was_asked_for,
    an_answer_for_somebody_who_never_signed_in_is_refused,
    a_consent_page_is_not_answered_after_signing_out,
    a_session_that_ended_consents_to_nothing,
    a_scope_taken_from_the_client_is_not_granted,
    parameters_in_the_address_of_the_token_endpoint_do_not_count,
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
    server.advance(1);
    Story { app, ada, browser }
}

async fn a_code_is_worthless_after_the_person_stopped_the_app(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    for scope in [
        "openid offline_access accounts:read",
        "openid offline_access cards:read",
    ] {
        let request = AuthRequest::new(&app, scope);
        let code = browser.walk(&server, &request, &ada).await.code();
        let action = browser.open("/account").await.form("/stop").unwrap();
        browser.post(&action, &[]).await;
        let reply = request.try_redeem(&server, &app, &code).await;
        reply.refused(400, "invalid_grant");
        server.advance(1);
    }
}

async fn a_code_is_worthless_after_the_person_signed_out(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = browser.walk(&server, &request, &ada).await.code();
    browser.post("/sign-out", &[]).await;
    let reply = request.try_redeem(&server, &app, &code).await;
    reply.refused(400, "invalid_grant");
}

async fn a_code_for_offline_access_outlives_the_session(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    let request = AuthRequest::new(&app, "openid offline_access accounts:read");
    let code = browser.walk(&server, &request, &ada).await.code();
    browser.post("/sign-out", &[]).await;
    request.redeem(&server, &app, &code).await;
}

async fn a_client_that_was_disabled_meanwhile_gets_nothing(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let page = browser.begin(&server, &request).await;
    clients::disable(&server.app, "app", &caller())
        .await
        .unwrap();
    let answer = browser.go_on(&server, page, &ada).await;
    assert!(answer.get("code").is_empty(), "{answer:?}");
    assert!(
        answer.page.status >= 400,
        "and nobody is sent there: {answer:?}"
    );
}

async fn a_person_who_was_disabled_meanwhile_consents_to_nothing(server: TestServer) {
    let Story {
        app, mut browser, ..
    } = story(&server).await;
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    let action = page.form("/consent").unwrap();
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    let page = browser.post(&action, &[("decision", "allow")]).await;
    let page = browser.follow(page).await;
    assert!(Answer::of(&page).get("code").is_empty(), "{page:?}");
}

async fn consent_cannot_replace_the_sign_in_that_was_asked_for(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    server.advance(100);
    for (name, value, step) in [
        ("prompt", "login", "/sign-in"),
        ("max_age", "60", "/sign-in"),
        ("prompt", "select_account", "/go-on"),
    ] {
        let request = AuthRequest::new(&app, "openid accounts:read").with(name, value);
        let page = browser.begin(&server, &request).await;
        let action = page.form(step).unwrap().replace(step, "/consent");
        let page = browser.post(&action, &[("decision", "allow")]).await;
        let page = browser.follow(page).await;
        assert!(
            Answer::of(&page).get("code").is_empty(),
            "{name}={value}: {page:?}"
        );
        assert!(page.form(step).is_some(), "{name}={value}: {page:?}");
        // Nor does loading the page again, however often.
        let shown = action.replace("/consent", "");
        for _ in 0..2 {
            assert!(browser.open(&shown).await.form(step).is_some());
        }
    }
}

async fn an_answer_for_somebody_who_never_signed_in_is_refused(server: TestServer) {
    let Story { app, .. } = story(&server).await;
    let mut browser = server.browser();
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    let action = page
        .form("/sign-in")
        .unwrap()
        .replace("/sign-in", "/consent");
    let page = browser.post(&action, &[("decision", "allow")]).await;
    let page = browser.follow(page).await;
    assert!(Answer::of(&page).get("code").is_empty(), "{page:?}");
    assert!(page.form("/sign-in").is_some(), "{page:?}");
}

async fn a_consent_page_is_not_answered_after_signing_out(server: TestServer) {
    let Story {
        app, mut browser, ..
    } = story(&server).await;
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    let action = page.form("/consent").unwrap();
    let mut copy = browser.clone();
    browser.post("/sign-out", &[]).await;
    for tab in [&mut browser, &mut copy] {
        let page = tab.post(&action, &[("decision", "allow")]).await;
        let page = tab.follow(page).await;
        assert!(Answer::of(&page).get("code").is_empty(), "{page:?}");
    }
}

async fn a_session_that_ended_consents_to_nothing(server: TestServer) {
    let Story {
        app, mut browser, ..
    } = story(&server).await;
    server.advance(11 * 60);
    let page = browser
        .begin(&server, &AuthRequest::new(&app, "openid accounts:read"))
        .await;
    let action = page.form("/consent").unwrap();
    // The interaction lives for thirty minutes from here, the idle session a second less.
    server.advance(30 * 60 - 1);
    assert!(browser.get("/jwks").await.status == 200);
    let mut late = browser.clone();
    server.advance(1);
    let page = late.post(&action, &[("decision", "allow")]).await;
    let page = late.follow(page).await;
    assert!(Answer::of(&page).get("code").is_empty(), "{page:?}");
}

async fn a_scope_taken_from_the_client_is_not_granted(server: TestServer) {
    let narrow = Spec::confidential("narrow").scopes("openid accounts:read");
    let narrow = server.register(narrow).await;
    let request = AuthRequest::new(&narrow, "openid cards:read");
    let page = server.browser().begin(&server, &request).await;
    assert_eq!(Answer::of(&page).error(), "invalid_scope");
}

async fn parameters_in_the_address_of_the_token_endpoint_do_not_count(server: TestServer) {
    // RFC 6749 §2.3.1, §3.2: never in the request URI.
    let Story { app, .. } = story(&server).await;
    let query = format!(
        "/token?grant_type=client_credentials&scope=accounts:read&client_id=app&client_secret={}",
        app.secret
    );
    let request = server.http.post(server.at(&query)).form(&[("x", "y")]);
    let reply = crate::support::Reply::of(request).await;
    assert!(matches!(reply.status, 400 | 401), "{}", reply.body);
    reply.well_formed_error();
}

async fn what_ended_with_an_account_does_not_come_back_with_it(server: TestServer) {
    let Story {
        app,
        ada,
        mut browser,
    } = story(&server).await;
    let scope = "openid offline_access accounts:read";
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    let request = AuthRequest::new(&app, scope);
    let code = browser.walk(&server, &request, &ada).await.code();
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    server.advance(1);
    users::enable(&server.app, "ada", &caller()).await.unwrap();
    assert!(!server.accounts.sees(&server, &tokens.access).await);
    app.refresh(&server, &tokens.refresh)
        .await
        .refused(400, "invalid_grant");
    let reply = request.try_redeem(&server, &app, &code).await;
    reply.refused(400, "invalid_grant");
}
