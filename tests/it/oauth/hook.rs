//! The hook that proxies in front of APIs ask (`/verify`).

use reqwest::RequestBuilder;

use crate::support::apps;
use crate::support::server::{ACCOUNTS, CARDS};
use crate::support::{Engine, Reply, Spec, TestServer};

macro_rules! on_both_with_a_proxy {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(super::start(Engine::Sqlite, "127.0.0.1").await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(super::start(Engine::Postgres, "127.0.0.1").await).await;
            }
        }
    )*};
}

on_both_with_a_proxy![
    a_good_token_passes_and_the_api_learns_whose_it_is,
    a_request_without_a_good_token_is_challenged,
    a_token_without_the_scope_is_refused_with_403,
    a_token_for_another_api_is_refused,
    a_revoked_token_passes_no_more,
    any_method_and_path_and_host_may_be_asked_about,
    what_a_caller_says_of_itself_is_replaced,
    what_is_said_twice_or_in_two_ways_is_refused,
    the_query_of_the_held_back_request_says_nothing,
];

on_both![
    there_is_nothing_for_anybody_else,
    no_client_is_taken_for_a_person,
    behind_a_front_proxy_it_is_open_to_hook_peers_alone,
];

async fn start(engine: Engine, peer: &str) -> TestServer {
    TestServer::start_with(engine, |file| file.hook.peers = vec![peer.to_owned()]).await
}

fn about(server: &TestServer, token: &str, scope: &str) -> RequestBuilder {
    server
        .http
        .get(server.at("/verify"))
        .header("x-countersign-resource", ACCOUNTS)
        .header("x-countersign-scope", scope)
        .header("authorization", format!("Bearer {token}"))
}

async fn token(server: &TestServer, scope: &str) -> String {
    let app = server.register(Spec::confidential("app")).await;
    let answer = app.client_credentials(server, scope).await.ok();
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn a_good_token_passes_and_the_api_learns_whose_it_is(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let scope = "openid accounts:read";
    let tokens = server.browser().code_flow(&server, &app, &ada, scope).await;
    let reply = Reply::of(about(&server, &tokens.access, "accounts:read")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("x-countersign-subject"), ada.id.to_string());
    assert_eq!(reply.header("x-countersign-client"), "app");
    assert_eq!(reply.header("x-countersign-scope"), "accounts:read");
    assert_eq!(reply.header("x-countersign-acr"), "urn:countersign:acr:2fa");
    assert_eq!(reply.body, "");
    // The same by the query, for proxies that cannot set a header.
    let query = server.at(&format!(
        "/verify?countersign_resource={ACCOUNTS}&countersign_scope=accounts:read"
    ));
    let request = server.http.get(query).bearer_auth(&tokens.access);
    assert_eq!(Reply::of(request).await.status, 200);
}

async fn a_request_without_a_good_token_is_challenged(server: TestServer) {
    let bare = server.http.get(server.at("/verify"));
    let bare = bare.header("x-countersign-resource", ACCOUNTS);
    let reply = Reply::of(bare.header("x-countersign-scope", "accounts:read")).await;
    assert_eq!(reply.status, 401);
    // RFC 6750 §3.1: without credentials no error is named.
    let challenge = "Bearer realm=\"countersign\", scope=\"accounts:read\"";
    assert_eq!(reply.header("www-authenticate"), challenge);
    for bad in ["rubbish", "cs_at_rubbish"] {
        let reply = Reply::of(about(&server, bad, "accounts:read")).await;
        assert_eq!(reply.status, 401, "{bad}");
        let challenge = reply.header("www-authenticate");
        assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""));
    }
    // Another scheme, and two tokens at once.
    let basic = about(&server, "x", "").header("authorization", "Basic YTpi");
    assert_eq!(Reply::of(basic).await.status, 401);
}

async fn a_token_without_the_scope_is_refused_with_403(server: TestServer) {
    let token = token(&server, "accounts:read").await;
    let wanted = "accounts:read transactions:read";
    let reply = Reply::of(about(&server, &token, wanted)).await;
    assert_eq!(reply.status, 403, "{}", reply.body);
    let challenge = reply.header("www-authenticate");
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(
        challenge.contains(&format!("scope=\"{wanted}\"")),
        "{challenge}"
    );
    assert_eq!(Reply::of(about(&server, &token, "")).await.status, 200);
}

async fn a_token_for_another_api_is_refused(server: TestServer) {
    let token = token(&server, "accounts:read").await;
    let request = server.http.get(server.at("/verify")).bearer_auth(&token);
    let reply = Reply::of(request.header("x-countersign-resource", CARDS)).await;
    assert_eq!(reply.status, 401);
    assert!(reply.header("www-authenticate").contains("invalid_token"));
    // One that is not registered is the operator's mistake, and no verdict on the token.
    let request = server.http.get(server.at("/verify")).bearer_auth(&token);
    let reply = Reply::of(request.header("x-countersign-resource", "https://x.example")).await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (400, ""));
    let request = server.http.get(server.at("/verify")).bearer_auth(&token);
    assert_eq!(Reply::of(request).await.status, 400);
}

async fn a_revoked_token_passes_no_more(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let answer = app.client_credentials(&server, "accounts:read").await.ok();
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(
        Reply::of(about(&server, token, "accounts:read"))
            .await
            .status,
        200
    );
    app.revoke(&server, token).await;
    assert_eq!(
        Reply::of(about(&server, token, "accounts:read"))
            .await
            .status,
        401
    );
}

/// Envoy asks with the method, path, query and host of the request that it holds back.
async fn any_method_and_path_and_host_may_be_asked_about(server: TestServer) {
    let token = token(&server, "accounts:read").await;
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        let at = server.at("/verify/accounts/1?resource=https://evil.example&x=%ff");
        let request = server.http.request(method.parse().unwrap(), at);
        let request = request
            .header("host", "api.bank.example")
            .header("x-countersign-resource", ACCOUNTS)
            .header("x-countersign-scope", "accounts:read")
            .bearer_auth(&token);
        assert_eq!(Reply::of(request).await.status, 200, "{method}");
    }
}

async fn what_a_caller_says_of_itself_is_replaced(server: TestServer) {
    let token = token(&server, "accounts:read").await;
    let request = about(&server, &token, "accounts:read");
    let request = request.header("x-countersign-subject", "mallory");
    let reply = Reply::of(request.header("x-countersign-acr", "high")).await;
    assert_eq!(reply.header("x-countersign-subject"), "app");
    // Set, and empty: a proxy that copies it overwrites what was sent.
    assert!(reply.headers.contains_key("x-countersign-acr"));
    assert_eq!(reply.header("x-countersign-acr"), "");
}

async fn there_is_nothing_for_anybody_else(server: TestServer) {
    let elsewhere = start(server.engine, "192.0.2.1").await;
    for server in [server, elsewhere] {
        let token = token(&server, "accounts:read").await;
        for path in ["/verify", "/verify/", "/verify/accounts"] {
            let request = server.http.get(server.at(path)).bearer_auth(&token);
            let request = request.header("x-countersign-resource", ACCOUNTS);
            let reply = Reply::of(request).await;
            assert_eq!((reply.status, reply.body.as_str()), (404, ""), "{path}");
        }
    }
}

/// Whoever comes through the proxy in front comes from its address, and is still nobody.
async fn behind_a_front_proxy_it_is_open_to_hook_peers_alone(server: TestServer) {
    let front = |hook: &'static str| {
        TestServer::start_with(server.engine, move |file| {
            file.proxy.peers = vec!["127.0.0.1".to_owned()];
            file.hook.peers = vec![hook.to_owned()];
        })
    };
    for (hook, forwarded, status) in [
        ("127.0.0.1", "203.0.113.9", 404),
        ("127.0.0.1", "127.0.0.1, 203.0.113.9", 404),
        ("10.0.0.7", "203.0.113.9", 404),
        // The caller wrote the first one.
        ("10.0.0.7", "10.0.0.7, 203.0.113.9", 404),
        ("10.0.0.7", "64:ff9b::a00:7", 404),
        ("10.0.0.7", "10.0.0.7", 200),
    ] {
        let server = front(hook).await;
        let token = token(&server, "accounts:read").await;
        let request = about(&server, &token, "accounts:read");
        let reply = Reply::of(request.header("x-forwarded-for", forwarded)).await;
        assert_eq!(reply.status, status, "{hook} {forwarded}: {}", reply.body);
        assert_eq!(
            reply.header("x-countersign-client").is_empty(),
            status == 404
        );
    }
}

/// Of two that differ, one was written by the caller.
async fn what_is_said_twice_or_in_two_ways_is_refused(server: TestServer) {
    let token = token(&server, "accounts:read").await;
    let ask = |query: &str, headers: Vec<(&'static str, &'static [u8])>| {
        let at = server.at(&format!("/verify{query}"));
        let mut request = server.http.get(at).bearer_auth(&token);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Reply::of(request)
    };
    let resource: (&str, &[u8]) = ("x-countersign-resource", ACCOUNTS.as_bytes());
    let scope: (&str, &[u8]) = ("x-countersign-scope", b"accounts:read");
    let more: (&str, &[u8]) = ("x-countersign-scope", b"transactions:read");
    let same = format!("?countersign_resource={ACCOUNTS}&countersign_scope=accounts:read");
    assert_eq!(ask(&same, vec![resource, scope]).await.status, 200);
    let in_query = format!("?countersign_resource={ACCOUNTS}");
    for (query, headers) in [
        ("", vec![resource, scope, more]),
        ("", vec![resource, more, scope]),
        ("", vec![resource, resource]),
        (
            "",
            vec![resource, ("x-countersign-scope", b"accounts:read\xff")],
        ),
        // Not a reason to believe the query.
        (&in_query, vec![("x-countersign-resource", b"\xff")]),
        (
            "?countersign_scope=transactions:read",
            vec![resource, scope],
        ),
        ("?countersign_scope=accounts:read", vec![resource, more]),
        ("?countersign_scope=", vec![resource, more]),
        ("?countersign_resource=https://x.example", vec![resource]),
        (
            "?countersign_scope=accounts:read&countersign_scope=transactions:read",
            vec![resource],
        ),
    ] {
        let reply = ask(query, headers.clone()).await;
        assert_eq!(reply.status, 400, "{query} {headers:?}: {}", reply.body);
        reply.refused(400, "invalid_request");
    }
}

async fn the_query_of_the_held_back_request_says_nothing(server: TestServer) {
    let token = token(&server, "accounts:read").await;
    let ask = |path: &str| {
        let request = server.http.get(server.at(path)).bearer_auth(&token);
        let request = request.header("x-countersign-resource", ACCOUNTS);
        Reply::of(request.header("x-countersign-scope", "accounts:read"))
    };
    // An API has parameters of these names, and repeats them.
    for path in [
        "/verify/",
        "/verify/?scope=transactions:read&scope=x",
        "/verify/accounts?resource=https://x.example&scope=%ff",
        "/verify?scope=transactions:read",
    ] {
        assert_eq!(ask(path).await.status, 200, "{path}");
    }
    // And whoever writes ours into it is refused.
    for path in [
        "/verify/?countersign_scope=accounts:read",
        "/verify/accounts?a=b&countersign%5Fresource=https://x.example",
    ] {
        ask(path).await.refused(400, "invalid_request");
    }
}

/// What an API is told as the subject is a person's UUID or a client's id.
async fn no_client_is_taken_for_a_person(server: TestServer) {
    let ada = server.person("ada").await;
    let hyphenated = ada.id.to_string();
    for id in [
        hyphenated.clone(),
        hyphenated.to_uppercase(),
        hyphenated.replace('-', ""),
        "00000000-0000-0000-0000-000000000000".to_owned(),
    ] {
        let refused = apps::try_register(&server.app, Spec::confidential(&id)).await;
        let told = format!("{:?}", refused.err().expect(&id));
        assert!(told.contains("UUID"), "{told}");
    }
    server.register(Spec::confidential(&hyphenated[1..])).await;
}
