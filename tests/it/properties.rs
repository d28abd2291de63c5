//! Whatever is thrown at any endpoint, the answer is bounded, well-formed, and no failure.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use tokio::runtime::Runtime;

use crate::support::{AuthRequest, Engine, Reply, Spec, TestServer};

/// What is sent.
#[derive(Clone, Debug)]
struct Shot {
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    body: Body,
    headers: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Form(Vec<(String, String)>),
    Bytes(Vec<u8>, &'static str),
    Json(String),
}

const MACHINE: [&str; 6] = [
    "/token",
    "/par",
    "/introspect",
    "/revoke",
    "/userinfo",
    "/jwks",
];
const PAGES: [&str; 20] = [
    "/authorize",
    "/interaction/x",
    "/interaction/x/sign-in",
    "/interaction/x/consent",
    "/interaction/x/cancel",
    "/interaction/x/switch",
    "/sign-in",
    "/sign-out",
    "/account",
    "/account/apps/x/stop",
    "/account/sessions/x/end",
    "/invite/x",
    "/activate",
    "/activate/password",
    "/activate/factor",
    "/activate/codes",
    "/about",
    "/static/x",
    "/",
    "/.well-known/openid-configuration",
];
const NAMES: [&str; 32] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "resource",
    "token",
    "token_type_hint",
    "access_token",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "request",
    "request_uri",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "username",
    "password",
    "repeat",
    "decision",
    "confirm",
    "claims",
    "id_token_hint",
];

/// Values that lead deeper than random text does.
fn knowing(server: &TestServer, runtime: &Runtime) -> Vec<String> {
    let (app, public, tokens, challenge, pushed) = runtime.block_on(async {
        let app = server.register(Spec::confidential("app")).await;
        let public = server.register(Spec::public("public-app")).await;
        let ada = server.person("ada").await;
        let tokens = server
            .browser()
            .code_flow(server, &public, &ada, "openid accounts:read")
            .await;
        let request = AuthRequest::new(&app, "openid");
        let pushed = request
            .pushed(server, &app)
            .await
            .get("request_uri")
            .to_owned();
        (
            app,
            public,
            tokens,
            request.get("code_challenge").to_owned(),
            pushed,
        )
    });
    let mut known: Vec<String> = [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "code",
        "query",
        "form_post",
        "S256",
        "none",
        "login",
        "consent",
        "openid accounts:read",
        "cards:read",
        "allow",
        "deny",
        "ada",
        "0",
        "-1",
        "99999999999999999999",
        "https://api.bank.example/accounts",
        "000000",
        "",
        "0000-0000-0000-0000",
        crate::support::jwt::ASSERTION_TYPE,
        "a.b.c",
        "eyJhbGciOiJub25lIn0.e30.",
        "cs_ac_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "\u{0}",
        "\u{202e}",
        "é\r\nSet-Cookie: x=y",
        "<script>alert(1)</script>",
        "' OR 1=1 --",
    ]
    .map(str::to_owned)
    .to_vec();
    known.extend([
        app.id,
        app.secret,
        app.redirect_uri,
        public.id,
        public.redirect_uri,
        tokens.access,
        tokens.refresh,
        tokens.id,
        challenge,
        pushed,
        "x".repeat(9000),
    ]);
    known
}

fn shots(
    known: Vec<String>,
    basic: String,
    issuer: String,
    access: String,
) -> impl Strategy<Value = Shot> {
    let name = prop_oneof![8 => select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,20}"];
    let value = prop_oneof![4 => select(known.clone()), 1 => ".{0,60}", 1 => "[ -~]{0,200}"];
    let pairs = vec((name, value.clone()), 0..12);
    let media = select(
        &[
            "application/x-www-form-urlencoded",
            "application/json",
            "text/plain",
            "x",
        ][..],
    );
    let body = prop_oneof![
        1 => Just(Body::None),
        6 => pairs.clone().prop_map(Body::Form),
        1 => (vec(any::<u8>(), 0..400), media).prop_map(|(bytes, media)| Body::Bytes(bytes, media)),
        1 => "\\{(\"[a-z_]{1,9}\":(1|null|\\[\\]|\"x\"),){0,3}\"grant_type\":(1|null|\"code\")\\}"
            .prop_map(Body::Json),
    ];
    let path = prop_oneof![
        3 => select(&MACHINE[..]).prop_map(str::to_owned),
        3 => select(&PAGES[..]).prop_map(str::to_owned),
        1 => "/[a-z%./?#-]{0,30}",
    ];
    let authorization = prop_oneof![
        3 => Just(String::new()),
        2 => Just(basic),
        1 => Just(format!("Bearer {access}")),
        1 => "[ -~]{0,80}",
        1 => value.prop_map(|text| format!("Bearer {}", text.replace(|c: char| !c.is_ascii_graphic(), "?"))),
    ];
    let cookie = prop_oneof![3 => Just(String::new()), 1 => "(cs-session|cs-ix-x|cs-device|cs-activation)=[!-~]{0,80}"];
    let origin = select(vec![
        issuer,
        String::new(),
        "null".to_owned(),
        "https://evil.example".to_owned(),
    ]);
    let method = select(&["GET", "POST", "POST", "POST", "PUT", "HEAD", "OPTIONS"][..]);
    (
        method,
        path,
        prop_oneof![2 => Just(Vec::new()), 1 => pairs],
        body,
        authorization,
        cookie,
        origin,
    )
        .prop_map(
            |(method, path, query, body, authorization, cookie, origin)| {
                let headers = [
                    ("authorization", authorization),
                    ("cookie", cookie),
                    ("origin", origin),
                ];
                let headers = headers
                    .into_iter()
                    .filter(|(_, value)| !value.is_empty())
                    .collect();
                Shot {
                    method,
                    path,
                    query,
                    body,
                    headers,
                }
            },
        )
}

async fn fire(server: &TestServer, shot: &Shot) -> Reply {
    let method = Method::from_bytes(shot.method.as_bytes()).unwrap();
    let mut request = server.http.request(method, server.at(&shot.path));
    if !shot.query.is_empty() {
        request = request.query(&shot.query);
    }
    for (name, value) in &shot.headers {
        request = request.header(*name, value);
    }
    request = match &shot.body {
        Body::None => request,
        Body::Form(pairs) => request.form(pairs),
        Body::Bytes(bytes, media) => request.header("content-type", *media).body(bytes.clone()),
        Body::Json(text) => request
            .header("content-type", "application/json")
            .body(text.clone()),
    };
    Reply::of(request).await
}

fn judge(shot: &Shot, reply: &Reply) -> Result<(), TestCaseError> {
    prop_assert!(reply.status < 500, "{}: {}", reply.status, reply.body);
    prop_assert!(
        reply.body.len() < 64 * 1024,
        "an answer of {} bytes",
        reply.body.len()
    );
    prop_assert!(!reply.header("x-request-id").is_empty());
    prop_assert!(!reply.body.contains("<script>alert"), "{}", reply.body);
    let planted = reply.header("set-cookie").starts_with("x=");
    prop_assert!(!planted, "a header was injected");
    let machine = MACHINE.contains(&shot.path.as_str());
    if machine && reply.status >= 400 && reply.status != 405 && shot.method != "HEAD" {
        let permitted = |text: &str| {
            text.bytes()
                .all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        prop_assert!(
            reply.header("content-type").starts_with("application/json"),
            "{reply:?}"
        );
        prop_assert!(
            !reply.error().is_empty() && permitted(reply.error()),
            "{}",
            reply.body
        );
        prop_assert!(permitted(reply.text("error_description")), "{}", reply.body);
        prop_assert_eq!(
            reply.status == 401,
            matches!(reply.error(), "invalid_client" | "invalid_token")
                || reply.status == 401 && shot.path == "/userinfo"
        );
    }
    let location = reply.header("location");
    prop_assert!(
        location.is_empty()
            || location.starts_with('/')
            || [
                "http://localhost:",
                "https://app.example/cb",
                "https://public-app.example/cb"
            ]
            .iter()
            .any(|known| location.starts_with(known)),
        "redirected to {location}"
    );
    Ok(())
}

#[test]
fn nothing_thrown_at_any_endpoint_breaks_it_on_sqlite() {
    throw_at(Engine::Sqlite);
}

#[test]
fn nothing_thrown_at_any_endpoint_breaks_it_on_postgres() {
    throw_at(Engine::Postgres);
}

fn throw_at(engine: Engine) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::start(engine));
    let known = knowing(&server, &runtime);
    let app = runtime.block_on(server.register(Spec::confidential("thrower")));
    let tokens = runtime
        .block_on(app.client_credentials(&server, "accounts:read"))
        .ok();
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let config = Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let shots = shots(known, app.basic(), server.issuer.clone(), access);
    TestRunner::new(config)
        .run(&shots, |shot| {
            let reply = runtime.block_on(fire(&server, &shot));
            judge(&shot, &reply)
        })
        .unwrap();
    // And it still works.
    runtime
        .block_on(app.client_credentials(&server, "accounts:read"))
        .ok();
}
