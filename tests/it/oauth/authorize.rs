//! The authorization endpoint (RFC 6749 §4.1, RFC 9207, OAuth 2.0 Form Post Response Mode).

use crate::support::browser::unescape;
use crate::support::{Answer, AuthRequest, Browser, ClientApp, Page, Reply, Spec, TestServer};

on_both![
    a_success_carries_code_state_and_issuer,
    state_comes_back_exactly,
    without_state_none_is_invented,
    a_query_in_the_redirect_uri_is_kept,
    an_error_carries_state_and_issuer_and_nothing_else,
    each_mistake_has_its_own_code,
    an_unverified_redirect_uri_never_redirects,
    a_repeated_client_id_or_redirect_uri_shows_a_page,
    what_cannot_be_read_is_told_to_the_client,
    asking_for_the_head_alone_spends_nothing,
    a_disabled_client_shows_a_page,
    a_request_may_be_posted,
    unknown_parameters_are_ignored,
    an_unknown_scope_beside_openid_is_ignored,
    the_person_may_refuse,
    the_person_may_cancel_before_signing_in,
    form_post_answers_with_a_form,
    form_post_carries_errors_too,
    an_answer_of_one_interaction_is_given_once,
    an_interaction_belongs_to_its_browser,
    two_tabs_do_not_disturb_each_other,
    an_interaction_expires,
    the_loopback_port_is_free,
    pages_cannot_be_framed_or_cached,
];

async fn app(server: &TestServer) -> ClientApp {
    server.register(Spec::confidential("app")).await
}

async fn a_success_carries_code_state_and_issuer(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let answer = server.browser().walk(&server, &request, &ada).await;
    assert_eq!(answer.to, app.redirect_uri);
    assert_eq!(answer.get("state"), request.get("state"));
    assert_eq!(answer.get("iss"), server.issuer);
    assert_eq!(answer.params.len(), 3, "{answer:?}");
    assert!(matches!(answer.page.status, 302 | 303), "RFC 9700 §4.12");
}

async fn state_comes_back_exactly(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let long = "s".repeat(1000);
    for state in [
        "a b+c%20&d=e",
        "é ünï ✓",
        "-._~",
        "{\"x\":\"y\"}",
        "<script>",
        &long,
    ] {
        let request = AuthRequest::new(&app, "openid").with("state", state);
        let answer = browser.walk(&server, &request, &ada).await;
        assert_eq!(answer.get("state"), state);
        answer.code();
    }
}

async fn without_state_none_is_invented(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    for request in [
        AuthRequest::new(&app, "openid")
            .without("state")
            .without("nonce"),
        AuthRequest::new(&app, "openid").with("state", ""),
    ] {
        let answer = server.browser().walk(&server, &request, &ada).await;
        answer.code();
        assert!(!answer.params.contains_key("state"));
    }
}

async fn a_query_in_the_redirect_uri_is_kept(server: TestServer) {
    let uri = "https://app.example/cb?dummy1=lorem&dummy2=ipsum";
    let app = server
        .register(Spec::confidential("app").redirect(&[uri]))
        .await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid");
    let answer = server.browser().walk(&server, &request, &ada).await;
    assert!(
        answer.page.location().starts_with(&format!("{uri}&")),
        "{answer:?}"
    );
    assert_eq!(answer.get("dummy2"), "ipsum");
    request.redeem(&server, &app, &answer.code()).await;
}

async fn an_error_carries_state_and_issuer_and_nothing_else(server: TestServer) {
    let app = app(&server).await;
    let request = AuthRequest::new(&app, "openid").with("prompt", "none");
    let page = server.browser().begin(&server, &request).await;
    let answer = Answer::of(&page);
    assert_eq!(answer.to, app.redirect_uri);
    assert_eq!(answer.error(), "login_required");
    assert_eq!(answer.get("state"), request.get("state"));
    assert_eq!(answer.get("iss"), server.issuer);
    for name in answer.params.keys() {
        let known = ["error", "error_description", "error_uri", "state", "iss"];
        assert!(known.contains(&name.as_str()), "{name}");
    }
}

async fn each_mistake_has_its_own_code(server: TestServer) {
    let app = app(&server).await;
    let good = || AuthRequest::new(&app, "openid accounts:read");
    let table = [
        (good().without("response_type"), "invalid_request"),
        (
            good().with("response_type", "token"),
            "unsupported_response_type",
        ),
        (
            good().with("response_type", "id_token token"),
            "unsupported_response_type",
        ),
        (good().without("code_challenge"), "invalid_request"),
        (
            good().with("code_challenge_method", "plain"),
            "invalid_request",
        ),
        (good().without("code_challenge_method"), "invalid_request"),
        (good().with("code_challenge", "x"), "invalid_request"),
        (good().without("scope"), "invalid_scope"),
        (good().with("scope", "payments:write"), "invalid_scope"),
        (good().with("scope", "a\"b"), "invalid_scope"),
        (
            good().with("resource", "https://elsewhere.example"),
            "invalid_target",
        ),
        (good().with("prompt", "none login"), "invalid_request"),
        (good().with("prompt", "create"), "invalid_request"),
        (good().with("max_age", "-1"), "invalid_request"),
        (good().with("max_age", "x"), "invalid_request"),
        (good().with("response_mode", "fragment"), "invalid_request"),
        (good().with("request", "eyJ9.e30."), "request_not_supported"),
        (good().and("scope", "openid"), "invalid_request"),
        (
            good().and("prompt", "login").and("prompt", "none"),
            "invalid_request",
        ),
    ];
    for (request, code) in table {
        let page = server.browser().begin(&server, &request).await;
        let answer = Answer::of(&page);
        let shown = format!(
            "{:?} gave {:?} {}",
            request.pairs().last(),
            answer.params,
            page.status
        );
        if answer.to.is_empty() {
            // A doubled parameter leaves it open where the answer may go: a page is right too.
            assert_eq!((page.status, code), (400, "invalid_request"), "{shown}");
        } else {
            assert_eq!(answer.to, app.redirect_uri);
            assert_eq!(answer.error(), code, "{shown}");
            assert_eq!(answer.get("iss"), server.issuer, "{shown}");
            assert_eq!(answer.get("state"), request.get("state"), "{shown}");
            let description = answer.get("error_description");
            let permitted = |b| matches!(b, 0x20..=0x21_u8 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(description.bytes().all(permitted), "{shown}");
        }
    }
}

fn stays(page: &Page) {
    assert_eq!(page.status, 400, "{page:?}");
    assert!(page.location().is_empty() && page.header("refresh").is_empty());
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(!page.header("x-request-id").is_empty());
    assert!(
        page.body.contains(page.header("x-request-id")),
        "the page names the request"
    );
    assert!(!page.body.contains("href=\"https://evil"));
}

async fn an_unverified_redirect_uri_never_redirects(server: TestServer) {
    let app = app(&server).await;
    let good = || AuthRequest::new(&app, "openid");
    let mut bad = vec![
        good().without("redirect_uri"),
        good().without("client_id"),
        good().with("client_id", "nobody"),
        good().with("client_id", &"x".repeat(2000)),
        good().with("client_id", "<script>"),
    ];
    for uri in [
        "https://evil.example/cb",
        "https://app.example/cb/more",
        "https://app.example/cb?more=1",
        "https://app.example/cb#fragment",
        "https://app.example/CB",
        "https://APP.example/cb",
        "https://app.example:443/cb",
        "http://app.example/cb",
        "https://app.example@evil.example/cb",
        "https://app.example.evil.example/cb",
        "//evil.example/cb",
        "/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://app.example/cb\\",
        "https://app.example/cb\0",
        " https://app.example/cb",
        "\"><script>alert(1)</script>",
    ] {
        bad.push(good().with("redirect_uri", uri));
        // An error in the rest of the request must not make it redirect either.
        bad.push(
            good()
                .with("redirect_uri", uri)
                .without("response_type")
                .with("prompt", "none"),
        );
    }
    for request in bad {
        let page = server.browser().begin(&server, &request).await;
        stays(&page);
        assert!(!page.body.contains("<script>alert"), "escaped");
    }
}

async fn a_repeated_client_id_or_redirect_uri_shows_a_page(server: TestServer) {
    let app = app(&server).await;
    for (name, value) in [
        ("redirect_uri", "https://evil.example/cb"),
        ("redirect_uri", app.redirect_uri.as_str()),
        ("client_id", "other"),
    ] {
        let request = AuthRequest::new(&app, "openid").and(name, value);
        stays(&server.browser().begin(&server, &request).await);
    }
}

async fn what_cannot_be_read_is_told_to_the_client(server: TestServer) {
    let app = app(&server).await;
    let ok = AuthRequest::new(&app, "openid");
    let long = "x".repeat(9000);
    for (name, value) in [
        ("state", "another"),
        ("nonce", "another"),
        ("scope", "openid"),
        ("response_mode", "form_post"),
        ("extra", "\u{0}"),
        ("extra", "\u{fffd}"),
        ("extra", &long),
    ] {
        let request = ok.clone().and(name, value).and("response_mode", "query");
        let page = server.browser().begin(&server, &request).await;
        let answer = Answer::of(&page);
        assert_eq!(answer.to, app.redirect_uri, "{name}");
        assert_eq!(answer.error(), "invalid_request", "{name}");
        assert_eq!(answer.get("iss"), server.issuer);
        // Which of two states was meant is not known.
        let state = answer.params.get("state");
        assert_eq!(state.is_none(), name == "state", "{name}");
    }
}

async fn asking_for_the_head_alone_spends_nothing(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    browser.walk(&server, &request, &ada).await;
    let held = browser.cookies.iter();
    let held: Vec<String> = held
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let page = server.browser().begin(&server, &request).await;
    let (_, form) = page.body.split_once("action=\"/interaction/").unwrap();
    let interaction = format!("/interaction/{}", form.split('/').next().unwrap());
    for url in [
        request.url(&server),
        server.at(&interaction),
        server.at("/upstream/callback?code=x&state=y"),
    ] {
        let sent = server.http.head(&url).header("cookie", held.join("; "));
        let reply = Reply::of(sent).await;
        assert_eq!(reply.status, 405, "{url}");
        assert!(reply.header("allow").starts_with("GET"), "{url}");
        assert_eq!(reply.header("location"), "", "{url}");
    }
}

async fn a_disabled_client_shows_a_page(server: TestServer) {
    use countersign::flows::clients;
    let app = app(&server).await;
    let caller = crate::support::server::caller();
    clients::disable(&server.app, "app", &caller).await.unwrap();
    let request = AuthRequest::new(&app, "openid");
    stays(&server.browser().begin(&server, &request).await);
}

async fn a_request_may_be_posted(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid");
    let mut browser = server.browser();
    // It comes from the app's own page: another origin.
    let origin = Some("https://app.example");
    let page = browser
        .post_from("/authorize", &request.pairs(), origin)
        .await;
    let answer = browser.go_on(&server, page, &ada).await;
    request.redeem(&server, &app, &answer.code()).await;
}

async fn unknown_parameters_are_ignored(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid")
        .with("foo", "bar")
        .with("display", "page")
        .with("ui_locales", "sv en")
        .with("claims_locales", "sv")
        .with("acr_values", "1 2")
        .with("login_hint", "ada\"><b>");
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    assert!(!page.body.contains("\"><b>"), "escaped");
    browser.go_on(&server, page, &ada).await.code();
}

async fn an_unknown_scope_beside_openid_is_ignored(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid nothing:known")
        .await;
    assert_eq!(tokens.scope, "openid");
}

async fn to_consent(server: &TestServer, browser: &mut Browser, request: &AuthRequest) -> Page {
    let ada = server.person("ada").await;
    browser.sign_in(server, &ada).await;
    let page = browser.begin(server, request).await;
    assert!(page.form("/consent").is_some(), "{}", page.body);
    page
}

async fn the_person_may_refuse(server: TestServer) {
    let app = app(&server).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    let page = to_consent(&server, &mut browser, &request).await;
    let action = page.form("/consent").unwrap();
    let page = browser.post(&action, &[("decision", "deny")]).await;
    let answer = Answer::of(&page);
    assert_eq!(answer.error(), "access_denied");
    assert_eq!(answer.get("state"), request.get("state"));
    assert_eq!(answer.get("iss"), server.issuer);
}

async fn the_person_may_cancel_before_signing_in(server: TestServer) {
    let app = app(&server).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    let action = page.form("/cancel").unwrap();
    let page = browser.post(&action, &[]).await;
    assert_eq!(Answer::of(&page).error(), "access_denied");
}

fn posted(page: &Page) -> Answer {
    assert_eq!(page.status, 200, "{page:?}");
    let to = page.form("/cb").unwrap();
    let mut params = std::collections::HashMap::new();
    for input in page.body.split("<input type=\"hidden\" ").skip(1) {
        let value = |name: &str| {
            let rest = input.split(&format!("{name}=\"")).nth(1).unwrap();
            unescape(rest.split('"').next().unwrap())
        };
        params.insert(value("name"), value("value"));
    }
    Answer {
        to,
        params,
        page: page.clone(),
    }
}

async fn form_post_answers_with_a_form(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid")
        .with("response_mode", "form_post")
        .with("state", "\"><script>alert(1)</script>");
    let answer = server.browser().walk(&server, &request, &ada).await;
    let answer = posted(&answer.page);
    assert_eq!(answer.to, app.redirect_uri);
    assert_eq!(answer.get("state"), request.get("state"));
    assert_eq!(answer.get("iss"), server.issuer);
    assert!(!answer.page.body.contains("<script>alert"));
    let policy = answer.page.header("content-security-policy");
    assert!(
        policy.contains("form-action") && policy.contains("https://app.example"),
        "{policy}"
    );
    request.redeem(&server, &app, &answer.code()).await;
}

async fn form_post_carries_errors_too(server: TestServer) {
    let app = app(&server).await;
    let request = AuthRequest::new(&app, "openid")
        .with("response_mode", "form_post")
        .with("prompt", "none");
    let page = server.browser().begin(&server, &request).await;
    let answer = posted(&page);
    assert_eq!(answer.error(), "login_required");
    assert_eq!(answer.get("state"), request.get("state"));
}

async fn an_answer_of_one_interaction_is_given_once(server: TestServer) {
    let app = app(&server).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    let page = to_consent(&server, &mut browser, &request).await;
    let action = page.form("/consent").unwrap();
    let kept = browser.clone();
    let form = [("decision", "allow")];
    let first = browser.post(&action, &form).await;
    Answer::of(&first).code();
    let second = kept.clone().post(&action, &form).await;
    assert!(
        second.location().is_empty() && second.status >= 400,
        "{second:?}"
    );
}

async fn an_interaction_belongs_to_its_browser(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    let action = page.form("/sign-in").unwrap();
    let mut stranger = server.browser();
    server.advance(30);
    let code = ada.code(&server);
    let form = [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", code.as_str()),
    ];
    let refused = stranger.post(&action, &form).await;
    assert!(refused.status >= 400, "{refused:?}");
    assert!(
        stranger
            .get(action.trim_end_matches("/sign-in"))
            .await
            .status
            >= 400
    );
    assert!(!stranger.is_signed_in().await);
    browser.go_on(&server, page, &ada).await.code();
}

async fn two_tabs_do_not_disturb_each_other(server: TestServer) {
    let app = app(&server).await;
    let other = server.register(Spec::public("other")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let (one, two) = (
        AuthRequest::new(&app, "openid accounts:read"),
        AuthRequest::new(&other, "openid cards:read"),
    );
    let first = browser.begin(&server, &one).await;
    let second = browser.begin(&server, &two).await;
    let answer = browser.go_on(&server, second, &ada).await;
    assert_eq!(answer.to, other.redirect_uri);
    two.redeem(&server, &other, &answer.code()).await;
    let answer = browser.go_on(&server, first, &ada).await;
    assert_eq!(answer.to, app.redirect_uri);
    one.redeem(&server, &app, &answer.code()).await;
}

async fn an_interaction_expires(server: TestServer) {
    let app = app(&server).await;
    let ada = server.person("ada").await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    let page = browser.begin(&server, &request).await;
    let action = page.form("/sign-in").unwrap();
    server.advance(30 * 60);
    let code = ada.code(&server);
    let form = [
        ("username", "ada"),
        ("password", ada.password.as_str()),
        ("code", code.as_str()),
    ];
    let page = browser.post(&action, &form).await;
    assert!(page.status >= 400 && page.location().is_empty(), "{page:?}");
}

async fn the_loopback_port_is_free(server: TestServer) {
    let spec = Spec::public("app").redirect(&["http://127.0.0.1/cb"]);
    let mut app = server.register(spec).await;
    let ada = server.person("ada").await;
    app.redirect_uri = "http://127.0.0.1:49152/cb".to_owned();
    let request = AuthRequest::new(&app, "openid");
    let answer = server.browser().walk(&server, &request, &ada).await;
    assert_eq!(answer.to, app.redirect_uri);
    request.redeem(&server, &app, &answer.code()).await;
}

async fn pages_cannot_be_framed_or_cached(server: TestServer) {
    let app = app(&server).await;
    let request = AuthRequest::new(&app, "openid accounts:read");
    let mut browser = server.browser();
    let signing_in = browser.begin(&server, &request).await;
    let consenting = to_consent(&server, &mut browser, &request).await;
    for page in [signing_in, consenting] {
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        assert!(page.header("cache-control").contains("no-store"));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        let referrer = page.header("referrer-policy");
        assert!(
            matches!(referrer, "no-referrer" | "same-origin" | "strict-origin"),
            "{referrer}"
        );
    }
}
