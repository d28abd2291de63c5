//! Pushed authorization requests (RFC 9126).

use crate::support::{Answer, AuthRequest, Reply, Spec, TestServer};

on_both![
    a_pushed_request_is_answered_with_its_address,
    a_pushed_request_leads_to_a_code,
    what_stands_outside_changes_nothing,
    a_state_only_outside_is_not_returned,
    a_pushed_request_is_bound_to_its_client,
    a_pushed_request_expires,
    a_reload_before_completion_is_fine,
    a_completed_request_is_not_started_again,
    the_sibling_in_another_browser_dies_with_completion,
    a_refused_request_is_completed_too,
    pushing_needs_authentication,
    what_cannot_be_pushed_is_refused,
    an_unknown_request_uri_shows_a_page,
];

fn page_or(answer: &Answer, code: &str) -> bool {
    (answer.to.is_empty() && answer.page.status >= 400) || answer.error() == code
}

async fn a_pushed_request_is_answered_with_its_address(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = AuthRequest::new(&app, "openid").push(&server, &app).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let uri = reply.text("request_uri");
    assert!(
        uri.starts_with("urn:ietf:params:oauth:request_uri:"),
        "{uri}"
    );
    assert!(uri.len() >= 34 + 43);
    let life = reply.json["expires_in"].as_u64().unwrap();
    assert!((60..=90).contains(&life));
    assert!(reply.header("cache-control").contains("no-store"));
}

async fn a_pushed_request_leads_to_a_code(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let public = server.register(Spec::public("public-app")).await;
    let ada = server.person("ada").await;
    for app in [app, public] {
        let request = AuthRequest::new(&app, "openid accounts:read");
        let short = request.pushed(&server, &app).await;
        let answer = server.browser().walk(&server, &short, &ada).await;
        assert_eq!(answer.to, app.redirect_uri);
        assert_eq!(answer.get("state"), request.get("state"));
        assert_eq!(answer.get("iss"), server.issuer);
        request.redeem(&server, &app, &answer.code()).await;
    }
}

async fn what_stands_outside_changes_nothing(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid");
    let short = request
        .pushed(&server, &app)
        .await
        .with("state", "another")
        .with("scope", "openid accounts:read")
        .with("response_type", "code")
        .with("redirect_uri", "https://evil.example/cb");
    let answer = server.browser().walk(&server, &short, &ada).await;
    assert_eq!(answer.to, app.redirect_uri);
    assert_eq!(answer.get("state"), request.get("state"));
    let tokens = request.redeem(&server, &app, &answer.code()).await;
    assert_eq!(tokens.scope, "openid");
}

async fn a_state_only_outside_is_not_returned(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid")
        .without("state")
        .without("nonce");
    let short = request.pushed(&server, &app).await.with("state", "outside");
    let answer = server.browser().walk(&server, &short, &ada).await;
    answer.code();
    assert!(!answer.params.contains_key("state"));
}

async fn a_pushed_request_is_bound_to_its_client(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    server.register(Spec::confidential("other")).await;
    let short = AuthRequest::new(&app, "openid").pushed(&server, &app).await;
    let foreign = short.clone().with("client_id", "other");
    let page = server.browser().begin(&server, &foreign).await;
    assert_eq!(page.status, 400, "{}", page.body);
    let nameless = short.clone().without("client_id");
    assert_eq!(server.browser().begin(&server, &nameless).await.status, 400);
    // The stranger's attempt spent nothing.
    let page = server.browser().begin(&server, &short).await;
    assert!(page.form("/sign-in").is_some());
}

async fn a_pushed_request_expires(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let reply = AuthRequest::new(&app, "openid").push(&server, &app).await;
    let short = AuthRequest::new(&app, "openid").pushed(&server, &app).await;
    server.advance(reply.json["expires_in"].as_u64().unwrap());
    let page = server.browser().begin(&server, &short).await;
    assert!(
        page_or(&Answer::of(&page), "invalid_request_uri"),
        "{}",
        page.body
    );
    assert!(page.form("/sign-in").is_none());
}

async fn a_reload_before_completion_is_fine(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid");
    let short = request.pushed(&server, &app).await;
    let mut browser = server.browser();
    for _ in 0..3 {
        let page = browser.begin(&server, &short).await;
        assert!(page.form("/sign-in").is_some(), "{}", page.body);
    }
    // The interaction outlives the request's address.
    let page = browser.begin(&server, &short).await;
    server.advance(300);
    let answer = browser.go_on(&server, page, &ada).await;
    request.redeem(&server, &app, &answer.code()).await;
}

async fn a_completed_request_is_not_started_again(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let short = AuthRequest::new(&app, "openid").pushed(&server, &app).await;
    let mut browser = server.browser();
    browser.walk(&server, &short, &ada).await.code();
    let page = browser.begin(&server, &short).await;
    assert!(
        page_or(&Answer::of(&page), "invalid_request_uri"),
        "{page:?}"
    );
}

async fn the_sibling_in_another_browser_dies_with_completion(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let bea = server.person("bea").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let short = request.pushed(&server, &app).await;
    let mut slow = server.browser();
    let waiting = slow.begin(&server, &short).await;
    let code = server.browser().walk(&server, &short, &ada).await.code();
    let answer = slow.go_on(&server, waiting, &bea).await;
    assert!(answer.get("code").is_empty(), "{answer:?}");
    request.redeem(&server, &app, &code).await;
}

async fn a_refused_request_is_completed_too(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let short = AuthRequest::new(&app, "openid").pushed(&server, &app).await;
    let mut browser = server.browser();
    let page = browser.begin(&server, &short).await;
    let cancel = page.form("/cancel").unwrap();
    let page = browser.post(&cancel, &[]).await;
    assert_eq!(Answer::of(&page).error(), "access_denied");
    let page = browser.begin(&server, &short).await;
    assert!(page_or(&Answer::of(&page), "invalid_request_uri"));
}

async fn pushing_needs_authentication(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let request = AuthRequest::new(&app, "openid");
    let form = server.http.post(server.at("/par")).form(&request.pairs());
    Reply::of(form).await.refused(401, "invalid_client");
    let mut wrong = app.clone();
    wrong.secret = "cs_sk_wrong".to_owned();
    request
        .push(&server, &wrong)
        .await
        .refused(401, "invalid_client");
}

async fn what_cannot_be_pushed_is_refused(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let good = || AuthRequest::new(&app, "openid accounts:read");
    let table = [
        (good().without("code_challenge"), "invalid_request"),
        (
            good().with("code_challenge_method", "plain"),
            "invalid_request",
        ),
        (good().without("code_challenge_method"), "invalid_request"),
        (good().with("code_challenge", "short"), "invalid_request"),
        (good().without("redirect_uri"), "invalid_request"),
        (
            good().with("redirect_uri", "https://app.example/cb/more"),
            "invalid_request",
        ),
        (
            good().with("redirect_uri", "https://evil.example/cb"),
            "invalid_request",
        ),
        (
            good().with("response_type", "code id_token"),
            "unsupported_response_type",
        ),
        (
            good().with("response_type", "token"),
            "unsupported_response_type",
        ),
        (good().without("response_type"), "invalid_request"),
        (
            good()
                .with("scope", "openid nothing:known")
                .with("scope", "payments:write"),
            "invalid_scope",
        ),
        (
            good().with("resource", "https://elsewhere.example"),
            "invalid_target",
        ),
        (
            good().with("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            "invalid_request",
        ),
        (good().with("response_mode", "fragment"), "invalid_request"),
        (good().with("prompt", "none login"), "invalid_request"),
        (good().with("max_age", "soon"), "invalid_request"),
        (good().and("state", "twice"), "invalid_request"),
        (good().with("state", &"x".repeat(9000)), "invalid_request"),
    ];
    for (request, code) in table {
        let reply = request.push(&server, &app).await;
        let shown = format!("{:?}: {}", request.pairs().last(), reply.body);
        let ok = reply.error() == code
            || code == "invalid_request" && reply.error().starts_with("request_");
        assert!(ok && reply.status == 400, "{shown}");
        reply.well_formed_error();
    }
    good().push(&server, &app).await;
}

async fn an_unknown_request_uri_shows_a_page(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    for uri in [
        "urn:ietf:params:oauth:request_uri:unknown",
        "https://app.example/request.jwt",
        "x",
    ] {
        let request = AuthRequest::new(&app, "openid").with("request_uri", uri);
        let page = server.browser().begin(&server, &request).await;
        let answer = Answer::of(&page);
        let refused = page_or(&answer, "invalid_request_uri")
            || answer.error() == "request_uri_not_supported";
        assert!(refused, "{uri}: {page:?}");
        assert!(page.form("/sign-in").is_none());
    }
}
