//! Bound tokens at the hook that proxies in front of APIs ask: none passes on its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{Holder, Partner, partner, partner_with, text};
use crate::support::server::ACCOUNTS;
use crate::support::{Engine, Reply, Spec, TestServer, jwt};

macro_rules! on_both_with_a_proxy {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::support::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(super::start(Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(super::start(Engine::Postgres).await).await;
            }
        }
    )*};
}

on_both_with_a_proxy![
    a_bound_token_never_passes_as_a_bearer_token,
    a_bound_token_passes_with_a_proof_for_the_original_request,
    a_proof_for_another_request_is_refused,
    a_proof_is_good_once_at_the_hook,
    where_the_original_request_is_not_told_no_bound_token_passes,
    a_nonce_that_is_wanted_is_given_with_the_challenge,
];

/// The request that the proxy holds back.
const URL: &str = "https://api.bank.example/accounts/7";

const OWN: [(&str, &str); 2] = [
    ("grant_type", "client_credentials"),
    ("scope", "accounts:read"),
];

/// A server that this machine may ask in the place of a proxy.
pub async fn start(engine: Engine) -> TestServer {
    let open = |file: &mut countersign::config::File| {
        file.hook.peers = vec!["127.0.0.1".to_owned()];
    };
    TestServer::start_with(engine, open).await
}

/// A client of the profile, and a token of its own that is bound to its key.
pub async fn bound(server: &TestServer) -> (Partner, String) {
    let app = partner(server, "app").await;
    let token = app.post(server, "/token", &OWN).await.ok();
    assert_eq!(token["token_type"], "DPoP");
    let token = text(&token, "access_token").to_owned();
    (app, token)
}

/// The same of a client that is held to nonces.
pub async fn bound_with_nonces(server: &TestServer) -> (Partner, String) {
    let mut spec = Spec::with_key("nonces");
    spec.metadata.dpop_nonces = Some(true);
    let app = partner_with(server, spec).await;
    let first = app.post(server, "/token", &OWN).await;
    let mut claims = Holder::claims(server, "POST", "/token");
    claims["nonce"] = first.header("dpop-nonce").into();
    let proofs = [app.holder.sign(&app.holder.header(), &claims)];
    let assertion = app.assertion(server);
    let token = app.ask(server, ("/token", &OWN), &assertion, &proofs);
    let token = text(&token.await.ok(), "access_token").to_owned();
    (app, token)
}

/// The claims of a good proof for a token, by a method at an address.
pub fn claims(server: &TestServer, method: &str, url: &str, token: &str) -> Value {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    json!({
        "jti": jwt::random_id(), "htm": method, "htu": url, "iat": server.now(),
        "ath": URL_SAFE_NO_PAD.encode(hash),
    })
}

fn good(server: &TestServer, holder: &Holder, token: &str) -> String {
    holder.sign(&holder.header(), &claims(server, "GET", URL, token))
}

/// The proxy's question, without what it tells of the original request.
fn question(server: &TestServer, authorization: &str, proof: Option<&str>) -> RequestBuilder {
    let request = server
        .http
        .get(server.at("/verify"))
        .header("x-countersign-resource", ACCOUNTS)
        .header("x-countersign-scope", "accounts:read")
        .header("authorization", authorization);
    match proof {
        Some(proof) => request.header("dpop", proof),
        None => request,
    }
}

/// The whole question about a GET of [`URL`].
async fn ask(server: &TestServer, authorization: &str, proof: Option<&str>) -> Reply {
    let request = question(server, authorization, proof)
        .header("x-original-method", "GET")
        .header("x-original-url", format!("{URL}?page=2"));
    Reply::of(request).await
}

#[track_caller]
fn refused(reply: &Reply, error: &str) {
    assert_eq!(reply.status, 401, "{}", reply.body);
    assert_eq!(reply.error(), error, "{}", reply.body);
    let challenge = reply.header("www-authenticate");
    assert!(challenge.starts_with("DPoP "), "{challenge}");
    assert!(challenge.contains("algs=\"ES256"), "{challenge}");
    assert!(
        challenge.contains(&format!("error=\"{error}\"")),
        "{challenge}"
    );
    assert_eq!(reply.header("x-countersign-subject"), "");
}

async fn a_bound_token_never_passes_as_a_bearer_token(server: TestServer) {
    let (app, token) = bound(&server).await;
    let bearer = format!("Bearer {token}");
    refused(&ask(&server, &bearer, None).await, "invalid_token");
    // Not with a good proof beside it either (RFC 9449 §7.2).
    let proof = good(&server, &app.holder, &token);
    refused(&ask(&server, &bearer, Some(&proof)).await, "invalid_token");
    let dpop = format!("DPoP {token}");
    refused(&ask(&server, &dpop, None).await, "invalid_dpop_proof");
    // One that is not bound does not pass as bound.
    let free = server.register(Spec::confidential("free")).await;
    let free = free.client_credentials(&server, "accounts:read").await.ok();
    let free = text(&free, "access_token");
    let proof = good(&server, &app.holder, free);
    let reply = ask(&server, &format!("DPoP {free}"), Some(&proof)).await;
    refused(&reply, "invalid_token");
}

async fn a_bound_token_passes_with_a_proof_for_the_original_request(server: TestServer) {
    let (app, token) = bound(&server).await;
    let dpop = format!("DPoP {token}");
    let proof = good(&server, &app.holder, &token);
    let reply = ask(&server, &dpop, Some(&proof)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("x-countersign-client"), "app");
    // As Traefik and Caddy tell it.
    let proof = good(&server, &app.holder, &token);
    let request = question(&server, &dpop, Some(&proof))
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "api.bank.example")
        .header("x-forwarded-uri", "/accounts/7?page=2");
    assert_eq!(Reply::of(request).await.status, 200);
}

async fn a_proof_for_another_request_is_refused(server: TestServer) {
    let (app, token) = bound(&server).await;
    let dpop = format!("DPoP {token}");
    let of = |method: &str, url: &str, token: &str| {
        let claims = claims(&server, method, url, token);
        app.holder.sign(&app.holder.header(), &claims)
    };
    for wrong in [
        of("POST", URL, &token),
        of("GET", "https://api.bank.example/accounts/8", &token),
        of("GET", "https://evil.example/accounts/7", &token),
        of("GET", &server.at("/verify"), &token),
        of("GET", URL, "another token"),
    ] {
        refused(
            &ask(&server, &dpop, Some(&wrong)).await,
            "invalid_dpop_proof",
        );
    }
    // By whoever has the token and a key of his own.
    let thief = good(&server, &Holder::new(), &token);
    refused(&ask(&server, &dpop, Some(&thief)).await, "invalid_token");
}

async fn a_proof_is_good_once_at_the_hook(server: TestServer) {
    let (app, token) = bound(&server).await;
    let dpop = format!("DPoP {token}");
    let proof = good(&server, &app.holder, &token);
    assert_eq!(ask(&server, &dpop, Some(&proof)).await.status, 200);
    refused(
        &ask(&server, &dpop, Some(&proof)).await,
        "invalid_dpop_proof",
    );
}

async fn where_the_original_request_is_not_told_no_bound_token_passes(server: TestServer) {
    let (app, token) = bound(&server).await;
    let dpop = format!("DPoP {token}");
    let original = [("x-original-method", "GET"), ("x-original-url", URL)];
    let forwarded = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "api.bank.example"),
        ("x-forwarded-uri", "/accounts/7"),
    ];
    let mut cases = vec![
        vec![],
        original[..1].to_vec(),
        original[1..].to_vec(),
        forwarded[..3].to_vec(),
        forwarded[1..].to_vec(),
    ];
    // The caller wrote one of them, or one twice.
    cases.push([&original[..], &forwarded[..]].concat());
    cases.push([&original[..], &forwarded[3..]].concat());
    cases.push([&original[..], &original[1..]].concat());
    let mut host = forwarded;
    host[2].1 = "evil.example/x?api.bank.example";
    cases.push(host.to_vec());
    for headers in cases {
        let proof = good(&server, &app.holder, &token);
        let mut request = question(&server, &dpop, Some(&proof));
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let reply = Reply::of(request).await;
        assert_eq!(reply.status, 401, "{headers:?}");
        refused(&reply, "invalid_dpop_proof");
    }
}

async fn a_nonce_that_is_wanted_is_given_with_the_challenge(server: TestServer) {
    let (app, token) = bound_with_nonces(&server).await;
    let dpop = format!("DPoP {token}");
    let proof = good(&server, &app.holder, &token);
    let reply = ask(&server, &dpop, Some(&proof)).await;
    refused(&reply, "use_dpop_nonce");
    let mut with_nonce = claims(&server, "GET", URL, &token);
    with_nonce["nonce"] = reply.header("dpop-nonce").into();
    let proof = app.holder.sign(&app.holder.header(), &with_nonce);
    assert_eq!(ask(&server, &dpop, Some(&proof)).await.status, 200);
}
