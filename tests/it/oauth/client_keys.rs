//! Clients whose public keys are fetched from where they registered them (RFC 7591 §2).

use std::sync::Arc;

use countersign::flows::clients::{self, NewAuth, NewClient};
use rules::jose::{Alg, JwkSet, SigningKey};
use rules::protocol::{GrantType, Metadata, Profile, Scopes};
use serde_json::{Value, json};

use crate::support::receiver::{Manner, Receiver};
use crate::support::server::caller;
use crate::support::{Reply, TestServer, jwt, race};

on_both![
    keys_are_fetched_when_they_are_needed_and_kept,
    a_new_key_is_known_without_downtime,
    a_key_that_was_taken_away_ends_within_the_hour,
    fifty_requests_at_once_fetch_once,
    nobody_makes_the_server_fetch_more_than_twice_a_minute,
    what_is_no_key_set_lets_nobody_in,
    one_odd_key_locks_nobody_out,
    nobody_waits_for_keys_that_a_stranger_asks_for,
    whoever_hangs_up_ends_no_fetch,
    a_redirect_is_not_followed,
    a_set_that_is_too_large_is_not_read,
    keys_that_cannot_be_fetched_anew_serve_for_a_day,
    an_address_inside_is_never_called,
    a_signed_request_is_verified_with_keys_that_are_fetched,
];

const REDIRECT: &str = "https://remote.example/back";

/// A client and where its keys are.
struct Remote {
    server: TestServer,
    receiver: Receiver,
}

fn document(keys: &[&SigningKey]) -> String {
    let keys = keys.iter().map(|key| key.public_jwk().clone()).collect();
    serde_json::to_string(&JwkSet::new(keys).unwrap()).unwrap()
}

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(Alg::Es256).unwrap())
}

impl Remote {
    async fn start(server: TestServer, keys: &[&SigningKey]) -> Self {
        let receiver = Receiver::start().await;
        register(&server, &receiver.uri).await;
        let remote = Self { server, receiver };
        remote.publish(keys);
        remote
    }

    fn publish(&self, keys: &[&SigningKey]) {
        self.receiver.answer(Manner::Says(200, document(keys)));
    }

    /// How often the keys were fetched.
    fn fetched(&self) -> usize {
        let got = self.receiver.got();
        assert!(got.iter().all(|message| message.method == "GET"));
        got.len()
    }

    async fn ask(&self, key: &SigningKey) -> Reply {
        ask(&self.server, key).await
    }
}

async fn register(server: &TestServer, jwks_uri: &str) {
    register_with(server, jwks_uri, vec![GrantType::ClientCredentials]).await;
}

async fn register_with(server: &TestServer, jwks_uri: &str, grant_types: Vec<GrantType>) {
    let new = NewClient {
        id: Some("remote".to_owned()),
        name: "Remote".to_owned(),
        auth: NewAuth::Jwks(JwkSet::default()),
        redirect_uris: vec![REDIRECT.to_owned()],
        grant_types,
        scopes: Scopes::from_iter(["accounts:read"]),
        id_token_signed_response_alg: None,
        profile: Profile::default(),
        metadata: Metadata {
            jwks_uri: Some(jwks_uri.to_owned()),
            ..Metadata::default()
        },
    };
    clients::register(&server.app, new, &caller())
        .await
        .unwrap();
}

fn claims(server: &TestServer) -> Value {
    let now = server.now();
    json!({
        "iss": "remote", "sub": "remote", "aud": server.issuer, "jti": jwt::random_id(),
        "iat": now, "exp": now + 60,
    })
}

async fn ask(server: &TestServer, key: &SigningKey) -> Reply {
    let assertion = key.sign(Some("JWT"), &claims(server)).unwrap();
    send(&server.http, &server.at("/token"), &assertion).await
}

async fn send(http: &reqwest::Client, to: &str, assertion: &str) -> Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "accounts:read"),
        ("client_assertion_type", jwt::ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    Reply::of(http.post(to).form(&form)).await
}

async fn keys_are_fetched_when_they_are_needed_and_kept(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    assert_eq!(remote.fetched(), 0);
    for _ in 0..3 {
        remote.ask(&own).await.ok();
    }
    assert_eq!(remote.fetched(), 1);
}

async fn a_new_key_is_known_without_downtime(server: TestServer) {
    let (old, new) = (key(), key());
    let remote = Remote::start(server, &[&old]).await;
    remote.ask(&old).await.ok();
    remote.publish(&[&old, &new]);
    remote.server.advance(30);
    // Its id is not known: the set is fetched anew, and the request succeeds.
    remote.ask(&new).await.ok();
    remote.ask(&old).await.ok();
    assert_eq!(remote.fetched(), 2);
}

async fn a_key_that_was_taken_away_ends_within_the_hour(server: TestServer) {
    let (old, new) = (key(), key());
    let remote = Remote::start(server, &[&old]).await;
    remote.ask(&old).await.ok();
    remote.publish(&[&new]);
    remote.server.advance(3600);
    remote.ask(&old).await.refused(401, "invalid_client");
    remote.ask(&new).await.ok();
}

async fn fifty_requests_at_once_fetch_once(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    let (http, to) = (remote.server.http.clone(), remote.server.at("/token"));
    let assertions: Arc<Vec<String>> = Arc::new(
        (0..50)
            .map(|_| own.sign(Some("JWT"), &claims(&remote.server)).unwrap())
            .collect(),
    );
    let replies = race(50, move |at| {
        let (http, to, assertions) = (http.clone(), to.clone(), Arc::clone(&assertions));
        async move { send(&http, &to, &assertions[at]).await.status }
    })
    .await;
    assert!(replies.iter().all(|status| *status == 200), "{replies:?}");
    assert_eq!(remote.fetched(), 1);
}

async fn nobody_makes_the_server_fetch_more_than_twice_a_minute(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    remote.ask(&own).await.ok();
    remote.server.advance(30);
    for _ in 0..5 {
        remote.ask(&key()).await.refused(401, "invalid_client");
    }
    assert_eq!(remote.fetched(), 2);
    remote.ask(&own).await.ok();
}

async fn what_is_no_key_set_lets_nobody_in(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    let private = json!({"keys": [{"kty": "oct", "k": "AQAB"}]}).to_string();
    for (status, body) in [
        (200, "nonsense".to_owned()),
        (200, "{\"keys\":[]}".to_owned()),
        (200, private),
        (500, document(&[&own])),
        (204, String::new()),
    ] {
        remote.receiver.answer(Manner::Says(status, body));
        let refused = remote.ask(&own).await;
        refused.refused(401, "invalid_client");
        assert!(
            refused.text("error_description").contains("jwks_uri"),
            "{}",
            refused.body
        );
        remote.server.advance(30);
    }
    remote.publish(&[&own]);
    remote.ask(&own).await.ok();
}

async fn a_redirect_is_not_followed(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    let other = Receiver::start().await;
    other.answer(Manner::Says(200, document(&[&own])));
    remote.receiver.answer(Manner::Redirects(other.uri.clone()));
    remote.ask(&own).await.refused(401, "invalid_client");
    assert!(other.got().is_empty());
}

async fn a_set_that_is_too_large_is_not_read(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    let padded = format!("{}{}", document(&[&own]), " ".repeat(64 * 1024));
    remote.receiver.answer(Manner::Says(200, padded));
    remote.ask(&own).await.refused(401, "invalid_client");
    remote.server.advance(30);
    remote.receiver.answer(Manner::Endless(200));
    remote.ask(&own).await.refused(401, "invalid_client");
}

async fn keys_that_cannot_be_fetched_anew_serve_for_a_day(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    remote.ask(&own).await.ok();
    remote.receiver.status(503);
    remote.server.advance(2 * 3600);
    remote.ask(&own).await.ok();
    remote.server.advance(23 * 3600);
    remote.ask(&own).await.refused(401, "invalid_client");
}

async fn an_address_inside_is_never_called(server: TestServer) {
    register(&server, "https://10.0.0.1/keys").await;
    let refused = ask(&server, &key()).await;
    refused.refused(401, "invalid_client");
    // What is wrong with the address is for the log alone.
    assert!(!refused.body.contains("10.0.0.1"), "{}", refused.body);
}

async fn a_signed_request_is_verified_with_keys_that_are_fetched(server: TestServer) {
    let (old, new, foreign) = (key(), key(), key());
    let receiver = Receiver::start().await;
    register_with(&server, &receiver.uri, vec![GrantType::AuthorizationCode]).await;
    receiver.answer(Manner::Says(200, document(&[&old])));
    let push = async |by: &SigningKey| {
        let now = server.now();
        let request = json!({
            "iss": "remote", "client_id": "remote", "aud": server.issuer, "nbf": now,
            "exp": now + 60, "response_type": "code", "redirect_uri": REDIRECT,
            "scope": "accounts:read", "code_challenge_method": "S256",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        });
        let request = by.sign(Some("oauth-authz-req+jwt"), &request).unwrap();
        let assertion = old.sign(Some("JWT"), &claims(&server)).unwrap();
        let form = [
            ("request", request.as_str()),
            ("client_assertion_type", jwt::ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        Reply::of(server.http.post(server.at("/par")).form(&form)).await
    };
    let pushed = push(&old).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    push(&foreign).await.refused(400, "invalid_request_object");
    // A new key is known at once when it is needed, as for assertions.
    server.advance(120);
    receiver.answer(Manner::Says(200, document(&[&old, &new])));
    let pushed = push(&new).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    push(&foreign).await.refused(400, "invalid_request_object");
}

async fn one_odd_key_locks_nobody_out(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    let mut set: Value = serde_json::from_str(&document(&[&own])).unwrap();
    let keys = set["keys"].as_array_mut().unwrap();
    keys.insert(0, json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}));
    keys.insert(0, json!({"kty": "EC", "crv": "P-256", "x": "AA"}));
    keys.push(json!(null));
    remote.receiver.answer(Manner::Says(200, set.to_string()));
    remote.ask(&own).await.ok();
}

async fn nobody_waits_for_keys_that_a_stranger_asks_for(server: TestServer) {
    let own = key();
    let remote = Remote::start(server, &[&own]).await;
    remote.ask(&own).await.ok();
    remote.server.advance(30);
    remote.receiver.answer(Manner::Hangs);
    let junk = key().sign(Some("JWT"), &claims(&remote.server)).unwrap();
    let (http, to) = (remote.server.http.clone(), remote.server.at("/token"));
    let stranger = tokio::spawn(async move { send(&http, &to, &junk).await });
    let asked = async {
        while remote.fetched() < 2 {
            tokio::task::yield_now().await;
        }
    };
    let bound = std::time::Duration::from_secs(20);
    tokio::time::timeout(bound, asked).await.unwrap();
    remote.ask(&own).await.ok();
    assert!(!stranger.is_finished(), "the fetch takes three seconds");
    stranger.await.unwrap().refused(401, "invalid_client");
}

async fn whoever_hangs_up_ends_no_fetch(server: TestServer) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let own = key();
    // Where the keys are, by hand: it answers when it is told to.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let there = listener.local_addr().unwrap();
    register(&server, &format!("http://{there}/keys")).await;
    let junk = key().sign(Some("JWT"), &claims(&server)).unwrap();
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={}&client_assertion={junk}",
        jwt::ASSERTION_TYPE
    );
    let port = server.port();
    let mut stranger = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    stranger.write_all(request.as_bytes()).await.unwrap();
    let (mut asked, _) = listener.accept().await.unwrap();
    let mut head = [0; 1024];
    assert!(asked.read(&mut head).await.unwrap() > 0);
    stranger.shutdown().await.unwrap();
    // The server hangs up as well, and asks no further in this request's name.
    assert_eq!(stranger.read(&mut head).await.unwrap(), 0);
    let keys = document(&[&own]);
    let length = keys.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{keys}");
    // Without a reader it is written all the same.
    let _ = asked.write_all(answer.as_bytes()).await;
    ask(&server, &own).await.ok();
}
