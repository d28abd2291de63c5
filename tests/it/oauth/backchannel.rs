//! Clients are told that sessions ended (OpenID Connect Back-Channel Logout 1.0): whom, and of what. How
//! it goes on when it does not go well is in [`outbox`].

mod bound;
mod outbox;

use countersign::flows::{tell_logouts, users};
use countersign::jobs::logouts;
use rules::jose::Alg;
use rules::protocol::Metadata;
use rules::protocol::backchannel::EVENT;
use rules::protocol::client_metadata::SubjectType;
use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::server::caller;
use crate::support::{Browser, ClientApp, Person, Spec, TestServer, jwt};

on_both![
    the_token_says_which_session_ended_and_is_signed_like_id_tokens,
    each_client_of_the_session_is_told_once_and_no_other,
    every_end_of_a_session_is_told_once,
    a_pairwise_client_is_told_by_the_names_that_it_knows,
    a_client_without_openid_or_without_an_address_is_not_told,
];

/// A client with an endpoint.
async fn app(server: &TestServer, id: &str, alg: Option<Alg>) -> (ClientApp, Receiver) {
    let receiver = Receiver::start().await;
    let mut spec = Spec::confidential(id).metadata(Metadata {
        backchannel_logout_uri: Some(receiver.uri.clone()),
        backchannel_logout_session_required: true,
        ..Metadata::default()
    });
    spec.alg = alg;
    (server.register(spec).await, receiver)
}

/// Somebody signed in to it.
async fn signed_in(server: &TestServer, app: &ClientApp, person: &Person) -> (Browser, Value) {
    let mut browser = server.browser();
    let tokens = browser
        .code_flow(server, app, person, "openid accounts:read")
        .await;
    let claims = jwt::verify(server, &tokens.id).await.claims;
    (browser, claims)
}

async fn tick(server: &TestServer) {
    logouts::tick(&server.app).await.unwrap();
}

async fn pending(server: &TestServer, id: &str) -> i64 {
    standing(server, id).await.pending
}

async fn standing(server: &TestServer, id: &str) -> tell_logouts::Standing {
    let found = tell_logouts::standing(&server.app, id).await.unwrap();
    found.unwrap_or_default()
}

async fn the_token_says_which_session_ended_and_is_signed_like_id_tokens(server: TestServer) {
    let ada = server.person("ada").await;
    for (id, alg, name) in [
        ("rs", None, jsonwebtoken::Algorithm::RS256),
        ("es", Some(Alg::Es256), jsonwebtoken::Algorithm::ES256),
    ] {
        let (app, receiver) = app(&server, id, alg).await;
        let (mut browser, id_token) = signed_in(&server, &app, &ada).await;
        browser.post("/sign-out", &[]).await;
        assert!(receiver.got().is_empty(), "the person does not wait for it");
        tick(&server).await;
        let got = receiver.got();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].method, "POST");
        assert_eq!(got[0].content_type, "application/x-www-form-urlencoded");
        let verified = jwt::verify(&server, got[0].token()).await;
        assert_eq!(verified.header.alg, name);
        assert_eq!(verified.header.typ.as_deref(), Some("logout+jwt"));
        let claims = verified.claims;
        assert_eq!(claims["iss"], server.issuer.as_str());
        assert_eq!(claims["aud"], id);
        assert_eq!(
            (&claims["sub"], &claims["sid"]),
            (&id_token["sub"], &id_token["sid"])
        );
        assert_eq!(claims["iat"], server.now());
        assert_eq!(claims["exp"], server.now() + 120);
        assert_eq!(claims["events"], json!({ EVENT: {} }));
        assert!(!claims["jti"].as_str().unwrap().is_empty());
        assert!(claims.get("nonce").is_none());
        tick(&server).await;
        assert_eq!(receiver.got().len(), 1, "told once");
        assert_eq!(pending(&server, id).await, 0);
    }
}

async fn each_client_of_the_session_is_told_once_and_no_other(server: TestServer) {
    let ada = server.person("ada").await;
    let (one, to_one) = app(&server, "one", None).await;
    let (two, to_two) = app(&server, "two", None).await;
    let (_, to_other) = app(&server, "other", None).await;
    let (mut browser, _) = signed_in(&server, &one, &ada).await;
    for app in [&one, &two, &two] {
        browser
            .code_flow(&server, app, &ada, "openid accounts:read")
            .await;
    }
    // Another browser's session goes on.
    let (mut elsewhere, _) = signed_in(&server, &two, &ada).await;
    browser.post("/sign-out", &[]).await;
    tick(&server).await;
    assert_eq!((to_one.got().len(), to_two.got().len()), (1, 1));
    assert!(to_other.got().is_empty());
    assert!(elsewhere.is_signed_in().await);
    elsewhere.post("/sign-out", &[]).await;
    tick(&server).await;
    assert_eq!((to_one.got().len(), to_two.got().len()), (1, 2));
    let tokens: Vec<_> = to_two.got().iter().map(|m| m.token().to_owned()).collect();
    let mut ids = Vec::new();
    for token in tokens {
        let claims = jwt::verify(&server, &token).await.claims;
        ids.push((claims["jti"].to_string(), claims["sid"].to_string()));
    }
    assert!(ids[0].0 != ids[1].0 && ids[0].1 != ids[1].1);
}

async fn every_end_of_a_session_is_told_once(server: TestServer) {
    let ada = server.person("ada").await;
    let bea = server.person("bea").await;
    let (app, receiver) = app(&server, "app", None).await;
    let mut told = 0;
    let mut expect = async |why: &str| {
        told += 1;
        tick(&server).await;
        tick(&server).await;
        assert_eq!(receiver.got().len(), told, "{why}");
    };
    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    browser.post("/sign-out", &[]).await;
    browser.post("/sign-out", &[]).await;
    expect("her own page").await;

    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    let page = browser.get("/end_session").await;
    let action = page.form("/end_session/confirm").unwrap();
    browser.post(&action, &[]).await;
    expect("the app asked").await;

    let (_, id_token) = signed_in(&server, &app, &ada).await;
    let mut other = server.browser();
    other.sign_in(&server, &ada).await;
    let path = format!(
        "/account/sessions/{}/end",
        id_token["sid"].as_str().unwrap()
    );
    other.post(&path, &[]).await;
    expect("ended from another browser").await;

    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    browser.sign_in(&server, &ada).await;
    tick(&server).await;
    browser.sign_in(&server, &bea).await;
    expect("somebody else signed in; the same person goes on").await;

    let (mut browser, _) = signed_in(&server, &app, &ada).await;
    server.advance(31 * 60);
    assert!(!browser.is_signed_in().await);
    tick(&server).await;
    browser.sign_in(&server, &ada).await;
    expect("it stood unused, and a new one took its place").await;

    signed_in(&server, &app, &ada).await;
    signed_in(&server, &app, &ada).await;
    users::disable(&server.app, "ada", &caller()).await.unwrap();
    tick(&server).await;
    told += 1;
    assert!(users::disable(&server.app, "ada", &caller()).await.is_err());
    let mut expect = async |why: &str| {
        told += 1;
        tick(&server).await;
        assert_eq!(receiver.got().len(), told, "{why}");
    };
    expect("the account was disabled: both sessions").await;
}

async fn a_pairwise_client_is_told_by_the_names_that_it_knows(server: TestServer) {
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let app = server
        .register(Spec::confidential("pairwise").metadata(Metadata {
            subject_type: SubjectType::Pairwise,
            backchannel_logout_uri: Some(receiver.uri.clone()),
            ..Metadata::default()
        }))
        .await;
    let mut browser = server.browser();
    let tokens = browser
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    let id_token = jwt::verify(&server, &tokens.id).await.claims;
    assert_ne!(id_token["sub"], ada.id.to_string().as_str());
    let link = format!("/end_session?id_token_hint={}", tokens.id);
    let page = browser.get(&link).await;
    assert!(page.body.contains("You are signed out"), "{}", page.body);
    assert!(!browser.is_signed_in().await);
    tick(&server).await;
    let claims = jwt::verify(&server, receiver.got()[0].token()).await.claims;
    assert_eq!(
        (&claims["sub"], &claims["sid"]),
        (&id_token["sub"], &id_token["sid"])
    );
}

async fn a_client_without_openid_or_without_an_address_is_not_told(server: TestServer) {
    let ada = server.person("ada").await;
    let (app, receiver) = app(&server, "app", None).await;
    let plain = server.register(Spec::confidential("plain")).await;
    let mut browser = server.browser();
    browser
        .code_flow(&server, &app, &ada, "accounts:read")
        .await;
    browser
        .code_flow(&server, &plain, &ada, "openid accounts:read")
        .await;
    browser.post("/sign-out", &[]).await;
    tick(&server).await;
    assert!(receiver.got().is_empty(), "it never learned of the session");
    assert_eq!(
        tell_logouts::standing(&server.app, "plain").await.unwrap(),
        None
    );
}
