//! Logout that an app asks for (OpenID Connect RP-Initiated Logout 1.0).

use rules::jose::{Alg, SigningKey};
use rules::protocol::Metadata;
use serde_json::{Value, json};
use url::Url;

use crate::support::{
    Answer, AuthRequest, Browser, ClientApp, Page, Person, Spec, TestServer, jwt,
};

on_both![
    the_hint_of_this_session_signs_out_at_once_and_only_state_comes_back,
    without_state_none_comes_back,
    after_signing_out_nobody_is_signed_in_silently,
    an_expired_hint_is_as_good,
    a_wrong_or_longer_uri_never_redirects,
    a_hint_that_is_none_never_redirects,
    another_clients_hint_is_not_its_own,
    an_unregistered_uri_of_another_client_never_redirects,
    a_uri_without_a_hint_never_redirects,
    no_parameters_ask_and_then_say_signed_out,
    a_hint_of_another_session_asks,
    a_strangers_link_signs_nobody_out,
    a_foreign_form_is_asked_about_and_then_carried_out,
    a_foreign_page_cannot_confirm,
    a_hint_replayed_ends_nothing_more,
    nobody_signed_in_is_sent_back_without_a_question,
    tokens_without_offline_access_end_with_the_session,
    a_disabled_client_redirects_nobody,
    the_question_is_asked_in_the_language_of_the_request,
    everything_strange_is_answered_with_a_page,
];

const OUT: &str = "https://app.example/out";

struct Scene {
    app: ClientApp,
    ada: Person,
    browser: Browser,
    hint: String,
    access: String,
}

/// Somebody signed in to an app that registered where to return to.
async fn scene(server: &TestServer) -> Scene {
    let app = server.register(spec("app", OUT)).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let tokens = browser
        .code_flow(server, &app, &ada, "openid accounts:read")
        .await;
    Scene {
        app,
        ada,
        browser,
        hint: tokens.id,
        access: tokens.access,
    }
}

fn spec(id: &str, out: &str) -> Spec {
    Spec::confidential(id).metadata(Metadata {
        post_logout_redirect_uris: vec![out.to_owned()],
        ..Metadata::default()
    })
}

fn address(server: &TestServer, pairs: &[(&str, &str)]) -> String {
    Url::parse_with_params(&server.at("/end_session"), pairs)
        .unwrap()
        .into()
}

/// The hidden fields of the page that asks.
fn hidden(page: &Page) -> Vec<(String, String)> {
    let inputs = page.body.split("<input type=\"hidden\" name=\"").skip(1);
    inputs
        .filter_map(|rest| rest.split_once("\" value=\""))
        .map(|(name, rest)| {
            let value = rest.split('"').next().unwrap_or_default();
            (name.to_owned(), crate::support::browser::unescape(value))
        })
        .collect()
}

/// Says yes.
pub async fn confirm(browser: &mut Browser, page: &Page) -> Page {
    let action = page
        .form("/end_session/confirm")
        .unwrap_or_else(|| panic!("nobody is asked: {} {}", page.status, page.body));
    let fields = hidden(page);
    let fields: Vec<_> = fields
        .iter()
        .filter(|(name, _)| name != "back")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    browser.post(&action, &fields).await
}

fn asks(page: &Page) -> bool {
    page.status == 200 && page.form("/end_session/confirm").is_some()
}

fn says_signed_out(page: &Page) -> bool {
    page.status == 200 && page.body.contains("You are signed out")
}

async fn the_hint_of_this_session_signs_out_at_once_and_only_state_comes_back(server: TestServer) {
    let mut scene = scene(&server).await;
    let state = "x&=+ä/".repeat(22);
    let state: String = state.chars().take(128).collect();
    let link = address(
        &server,
        &[
            ("id_token_hint", &scene.hint),
            ("post_logout_redirect_uri", OUT),
            ("state", &state),
            ("client_id", "app"),
            ("logout_hint", "ada"),
            ("unknown", "ignored"),
        ],
    );
    let page = scene.browser.get(&link).await;
    assert_eq!(page.status, 303, "{}", page.body);
    let answer = Answer::of(&page);
    assert_eq!(answer.to, OUT);
    assert_eq!(answer.params.len(), 1, "{answer:?}");
    assert_eq!(answer.get("state"), state);
    assert!(!scene.browser.cookies.contains_key("cs-session"));
    assert!(!scene.browser.is_signed_in().await);
}

async fn without_state_none_comes_back(server: TestServer) {
    let mut scene = scene(&server).await;
    let pairs = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", OUT),
    ];
    let page = scene.browser.get(&address(&server, &pairs)).await;
    assert_eq!((page.status, page.location()), (303, OUT));
}

async fn after_signing_out_nobody_is_signed_in_silently(server: TestServer) {
    let mut scene = scene(&server).await;
    let silent = AuthRequest::new(&scene.app, "openid accounts:read").with("prompt", "none");
    let mut copy = scene.browser.clone();
    let before = Answer::of(&copy.begin(&server, &silent).await);
    assert!(!before.get("code").is_empty(), "{before:?}");
    let pairs = [("id_token_hint", scene.hint.as_str())];
    let page = scene.browser.get(&address(&server, &pairs)).await;
    assert!(says_signed_out(&page), "{}", page.body);
    for mut browser in [scene.browser, copy] {
        let request = AuthRequest::new(&scene.app, "openid accounts:read").with("prompt", "none");
        let answer = Answer::of(&browser.begin(&server, &request).await);
        assert_eq!(answer.error(), "login_required");
    }
}

async fn an_expired_hint_is_as_good(server: TestServer) {
    let mut scene = scene(&server).await;
    server.advance(20 * 60);
    let expires = jwt::verify(&server, &scene.hint).await.claims["exp"].clone();
    assert!(expires.as_i64().unwrap() < server.now());
    let pairs = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", OUT),
    ];
    let page = scene.browser.get(&address(&server, &pairs)).await;
    assert_eq!(page.location(), OUT);
    assert!(!scene.browser.is_signed_in().await);
}

/// Nothing happened, and nobody was sent away.
async fn refused(browser: &mut Browser, link: &str) {
    let page = browser.get(link).await;
    assert_eq!(page.status, 400, "{link}: {}", page.body);
    assert!(page.header("location").is_empty());
    assert!(page.body.contains("href=\"/sign-out\""), "{}", page.body);
    assert!(browser.is_signed_in().await, "{link}");
}

async fn a_wrong_or_longer_uri_never_redirects(server: TestServer) {
    let mut scene = scene(&server).await;
    for uri in [
        "https://evil.example/",
        "https://app.example/out?x=1",
        "https://app.example/out/",
        "https://app.example/out#x",
        "https://app.example/OUT",
        "https://app.example:443/out",
        "https://app.example/cb",
        "javascript:alert(1)",
        "//app.example/out",
    ] {
        let pairs = [
            ("id_token_hint", scene.hint.as_str()),
            ("post_logout_redirect_uri", uri),
        ];
        refused(&mut scene.browser, &address(&server, &pairs)).await;
    }
}

async fn a_hint_that_is_none_never_redirects(server: TestServer) {
    let mut scene = scene(&server).await;
    let claims = jwt::verify(&server, &scene.hint).await.claims;
    let foreign = jwt::sign(&SigningKey::generate(Alg::Rs256).unwrap(), &claims);
    let encode = |json: Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
    };
    let none = format!(
        "{}.{}.",
        encode(json!({ "alg": "none" })),
        encode(claims.clone())
    );
    let (signed, _) = scene.hint.rsplit_once('.').unwrap();
    let (_, foreign_signature) = foreign.rsplit_once('.').unwrap();
    let (head, _) = scene.hint.split_once('.').unwrap();
    let (_, signature) = scene.hint.rsplit_once('.').unwrap();
    let mut other = claims.clone();
    other["aud"] = "other".into();
    // Signed with the same keys, and no ID token.
    let jwt_access = scene.app.client_credentials(&server, "cards:read").await;
    let jwt_access = jwt_access.text("access_token").to_owned();
    for hint in [
        foreign.clone(),
        none,
        format!("{signed}.{foreign_signature}"),
        format!("{head}.{}.{signature}", encode(other)),
        signed.to_owned(),
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        scene.access.clone(),
        jwt_access,
    ] {
        let pairs = [
            ("id_token_hint", hint.as_str()),
            ("post_logout_redirect_uri", OUT),
            ("state", "s"),
        ];
        refused(&mut scene.browser, &address(&server, &pairs)).await;
    }
}

async fn another_clients_hint_is_not_its_own(server: TestServer) {
    let mut scene = scene(&server).await;
    server
        .register(spec("other", "https://other.example/out"))
        .await;
    for uri in [OUT, "https://other.example/out"] {
        let pairs = [
            ("id_token_hint", scene.hint.as_str()),
            ("client_id", "other"),
            ("post_logout_redirect_uri", uri),
        ];
        refused(&mut scene.browser, &address(&server, &pairs)).await;
    }
}

async fn an_unregistered_uri_of_another_client_never_redirects(server: TestServer) {
    let mut scene = scene(&server).await;
    server
        .register(spec("other", "https://other.example/out"))
        .await;
    let pairs = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", "https://other.example/out"),
    ];
    refused(&mut scene.browser, &address(&server, &pairs)).await;
}

async fn a_uri_without_a_hint_never_redirects(server: TestServer) {
    let mut scene = scene(&server).await;
    for pairs in [
        vec![("post_logout_redirect_uri", OUT)],
        vec![("post_logout_redirect_uri", OUT), ("state", "s")],
        vec![("post_logout_redirect_uri", OUT), ("client_id", "app")],
    ] {
        let mut copy = scene.browser.clone();
        let page = copy.get(&address(&server, &pairs)).await;
        assert!(asks(&page), "{}", page.body);
        assert!(!page.body.contains("app asks"), "nobody knows who asks");
        assert!(
            !page
                .header("content-security-policy")
                .contains("app.example")
        );
    }
    let pairs = [("post_logout_redirect_uri", OUT), ("client_id", "app")];
    let page = scene.browser.get(&address(&server, &pairs)).await;
    let page = confirm(&mut scene.browser, &page).await;
    assert!(says_signed_out(&page), "{} {}", page.status, page.body);
    assert!(!scene.browser.is_signed_in().await);
    let mut nobody = server.browser();
    let page = nobody.get(&address(&server, &pairs)).await;
    assert!(says_signed_out(&page), "{} {}", page.status, page.body);
}

async fn no_parameters_ask_and_then_say_signed_out(server: TestServer) {
    let scene = scene(&server).await;
    for pairs in [vec![], vec![("state", "s")]] {
        let mut browser = server.browser();
        browser.sign_in(&server, &scene.ada).await;
        let page = browser.get(&address(&server, &pairs)).await;
        assert!(asks(&page), "{}", page.body);
        assert!(page.body.contains("ada Example"));
        assert!(browser.is_signed_in().await, "asking ends nothing");
        let page = confirm(&mut browser, &page).await;
        assert!(says_signed_out(&page), "{}", page.body);
        assert!(!browser.is_signed_in().await);
    }
}

async fn a_hint_of_another_session_asks(server: TestServer) {
    let scene = scene(&server).await;
    let bea = server.person("bea").await;
    let mut other = server.browser();
    other.sign_in(&server, &bea).await;
    let pairs = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", OUT),
        ("state", "s"),
    ];
    let page = other.get(&address(&server, &pairs)).await;
    assert!(asks(&page), "{}", page.body);
    assert!(page.body.contains("bea Example") && page.body.contains("app"));
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("form-action 'self' https://app.example"),
        "{policy}"
    );
    assert!(other.is_signed_in().await);
    let page = confirm(&mut other, &page).await;
    assert_eq!(page.location(), format!("{OUT}?state=s"));
    assert!(!other.is_signed_in().await);
    let mut ada = scene.browser;
    assert!(ada.is_signed_in().await, "only this browser's session ends");
}

async fn a_strangers_link_signs_nobody_out(server: TestServer) {
    let mut scene = scene(&server).await;
    let mallory = server.person("mallory").await;
    let mut stranger = server.browser();
    let theirs = stranger
        .code_flow(&server, &scene.app, &mallory, "openid accounts:read")
        .await;
    for pairs in [
        vec![("id_token_hint", theirs.id.as_str())],
        vec![("client_id", "app")],
        vec![],
    ] {
        let page = scene.browser.get(&address(&server, &pairs)).await;
        assert!(asks(&page), "{}", page.body);
        assert!(scene.browser.is_signed_in().await);
    }
}

async fn a_foreign_form_is_asked_about_and_then_carried_out(server: TestServer) {
    let mut scene = scene(&server).await;
    let form = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", OUT),
        ("state", "a b"),
    ];
    // Browsers send no Lax cookie with another site's form.
    let mut bare = server.browser();
    let foreign = Some("https://app.example");
    let page = bare.post_from("/end_session", &form, foreign).await;
    assert!(asks(&page), "{} {}", page.status, page.body);
    assert!(scene.browser.is_signed_in().await);
    let page = confirm(&mut scene.browser, &page).await;
    assert_eq!(page.location(), format!("{OUT}?state=a+b"));
    assert!(!scene.browser.is_signed_in().await);
}

async fn a_foreign_page_cannot_confirm(server: TestServer) {
    let mut scene = scene(&server).await;
    for origin in [Some("https://app.example"), Some("null"), None] {
        let page = scene
            .browser
            .post_from("/end_session/confirm", &[("state", "s")], origin)
            .await;
        assert_eq!(page.status, 403, "{origin:?}");
        assert!(scene.browser.is_signed_in().await, "{origin:?}");
    }
}

async fn a_hint_replayed_ends_nothing_more(server: TestServer) {
    let mut scene = scene(&server).await;
    let pairs = [("id_token_hint", scene.hint.as_str())];
    let link = address(&server, &pairs);
    assert!(says_signed_out(&scene.browser.get(&link).await));
    assert!(says_signed_out(&scene.browser.get(&link).await));
    scene.browser.sign_in(&server, &scene.ada).await;
    let page = scene.browser.get(&link).await;
    assert!(
        asks(&page),
        "the old session's token does not end the new one"
    );
    assert!(scene.browser.is_signed_in().await);
}

async fn nobody_signed_in_is_sent_back_without_a_question(server: TestServer) {
    let scene = scene(&server).await;
    let pairs = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", OUT),
        ("state", "s"),
    ];
    let page = server.browser().get(&address(&server, &pairs)).await;
    assert_eq!(page.location(), format!("{OUT}?state=s"));
    let mut ada = scene.browser;
    assert!(ada.is_signed_in().await);
}

async fn tokens_without_offline_access_end_with_the_session(server: TestServer) {
    let mut scene = scene(&server).await;
    let lasting = scene
        .browser
        .code_flow(
            &server,
            &scene.app,
            &scene.ada,
            "openid accounts:read offline_access",
        )
        .await;
    assert!(server.accounts.sees(&server, &scene.access).await);
    let pairs = [("id_token_hint", scene.hint.as_str())];
    scene.browser.get(&address(&server, &pairs)).await;
    assert!(!scene.browser.is_signed_in().await);
    assert!(!server.accounts.sees(&server, &scene.access).await);
    assert!(server.accounts.sees(&server, &lasting.access).await);
}

async fn a_disabled_client_redirects_nobody(server: TestServer) {
    let mut scene = scene(&server).await;
    let caller = crate::support::server::caller();
    countersign::flows::clients::disable(&server.app, "app", &caller)
        .await
        .unwrap();
    let pairs = [
        ("id_token_hint", scene.hint.as_str()),
        ("post_logout_redirect_uri", OUT),
    ];
    refused(&mut scene.browser, &address(&server, &pairs)).await;
}

async fn the_question_is_asked_in_the_language_of_the_request(server: TestServer) {
    let mut scene = scene(&server).await;
    let page = scene
        .browser
        .get(&address(&server, &[("ui_locales", "xx de-CH en")]))
        .await;
    assert!(page.body.contains("Abmelden?"), "{}", page.body);
    let page = confirm(&mut scene.browser, &page).await;
    assert!(page.body.contains("Sie sind abgemeldet"), "{}", page.body);
}

async fn everything_strange_is_answered_with_a_page(server: TestServer) {
    let mut scene = scene(&server).await;
    let long = "x".repeat(9000);
    for query in [
        "state=a&state=b",
        "state=%ff",
        "client_id=nobody",
        "state=%00",
        &format!("state={long}"),
    ] {
        let page = scene.browser.get(&format!("/end_session?{query}")).await;
        assert_eq!(page.status, 400, "{query}");
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("location").is_empty());
    }
    let page = scene.browser.get("/end_session/confirm").await;
    assert_eq!(page.status, 405);
    let request = server
        .http
        .post(server.at("/end_session"))
        .body("not a form");
    let page = scene.browser.send(request).await;
    assert_eq!(page.status, 400);
    assert!(scene.browser.is_signed_in().await);
}
