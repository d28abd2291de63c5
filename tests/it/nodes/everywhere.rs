//! What one node does is so on all of them: sessions, keys, clients, the lockout, the ends of
//! sessions, the audit log. The clock is that of the tests; a node looks at what others changed
//! when its last look is too old.

use countersign::flows::seal_audit::{self, Verdict};
use countersign::flows::{clients, resources, rotate_keys};
use countersign::jobs::{audit_sealer, logouts};
use rules::jose::Alg;
use rules::protocol::Metadata;

use crate::support::people::PASSWORD;
use crate::support::receiver::Receiver;
use crate::support::server::{ACCOUNTS, caller};
use crate::support::{AuthRequest, Browser, Engine, Reply, Spec, TestServer, jwt, race};

async fn sign_out(browser: &mut Browser) {
    let page = browser.get("/end_session").await;
    let action = page.form("/end_session/confirm").unwrap();
    let page = browser.post(&action, &[]).await;
    assert!(page.status < 400, "{page:?}");
}

/// Three nodes.
async fn three() -> [TestServer; 3] {
    let a = TestServer::start(Engine::Postgres).await;
    let (b, c) = (a.node(2).await, a.node(3).await);
    [a, b, c]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journey_goes_on_at_any_node() {
    let [a, b, c] = three().await;
    let app = a.register(Spec::confidential("app")).await;
    let ada = a.person("ada").await;
    a.advance(1);
    let request = AuthRequest::new(&app, "openid offline_access accounts:read");
    // Pushed to A, opened at B, signed in at C, agreed at A, redeemed at B.
    let short = request.pushed(&a, &app).await;
    let mut browser = b.browser();
    let page = browser.begin(&b, &short).await;
    let mut browser = browser.led_to(&c);
    let code = ada.next_code(&c);
    let form = [
        ("username", "ada"),
        ("password", PASSWORD),
        ("code", code.as_str()),
    ];
    let page = browser.post(&page.form("/sign-in").unwrap(), &form).await;
    let mut browser = browser.led_to(&a);
    let answer = browser.go_on(&a, page, &ada).await;
    let tokens = request.redeem(&b, &app, &answer.code()).await;
    for node in [&a, &b, &c] {
        assert!(node.accounts.sees(node, &tokens.access).await);
        assert!(browser.led_to(node).is_signed_in().await);
    }
    let next = app.refresh(&c, &tokens.refresh).await.ok();
    assert!(next["access_token"].is_string());
    // Signed out at B.
    sign_out(&mut browser.led_to(&b)).await;
    a.advance(1);
    for node in [&a, &b, &c] {
        assert!(!browser.led_to(node).is_signed_in().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_at_one_is_void_at_all_a_second_later() {
    let [a, b, c] = three().await;
    let app = a.register(Spec::confidential("app")).await;
    a.advance(1);
    let reply = app.client_credentials(&b, "accounts:read").await;
    let token = reply.text("access_token");
    assert!(c.accounts.sees(&c, token).await);
    assert_eq!(app.revoke(&a, token).await.status, 200);
    assert!(
        !a.accounts.sees(&a, token).await,
        "at once where it was made"
    );
    a.advance(1);
    for node in [&b, &c] {
        assert!(!node.accounts.sees(node, token).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotated_at_one_sign_and_verify_at_all() {
    let [a, b, c] = three().await;
    let app = a.register(Spec::confidential("app")).await;
    a.advance(1);
    let token = async |node: &TestServer| {
        let reply = app.client_credentials(node, "cards:read").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.text("access_token").to_owned()
    };
    let kid = async |node: &TestServer, token: &str| {
        let verified = jwt::verify(node, token).await;
        verified.header.kid.unwrap()
    };
    let old = token(&b).await;
    rotate_keys::rotate(&a.app, Alg::Es256, &caller())
        .await
        .unwrap();
    // The key that signs now was published long before: nobody has to look for it.
    let new = token(&a).await;
    assert!(b.cards.sees(&b, &new).await);
    let kid_of_new = kid(&c, &new).await;
    assert_ne!(kid_of_new, kid(&a, &old).await);
    a.advance(1);
    for node in [&a, &b, &c] {
        assert_eq!(kid(node, &token(node).await).await, kid_of_new);
        assert!(node.cards.sees(node, &old).await, "its last tokens live on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_registered_changed_or_disabled_at_one_is_so_at_all() {
    let [a, b, c] = three().await;
    let app = a.register(Spec::confidential("app")).await;
    a.advance(1);
    let tokens: Vec<String> = {
        let mut all = Vec::new();
        for node in [&b, &c] {
            let reply = app.client_credentials(node, "accounts:read").await;
            all.push(reply.text("access_token").to_owned());
        }
        all
    };
    clients::disable(&b.app, "app", &caller()).await.unwrap();
    a.advance(1);
    for node in [&a, &b, &c] {
        let reply = app.client_credentials(node, "accounts:read").await;
        assert_eq!(reply.status, 401, "{}", reply.body);
        for token in &tokens {
            assert!(!node.accounts.sees(node, token).await);
        }
    }
    clients::enable(&c.app, "app", &caller()).await.unwrap();
    a.advance(10);
    for node in [&a, &b, &c] {
        let reply = app.client_credentials(node, "accounts:read").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(node.accounts.sees(node, reply.text("access_token")).await);
        for token in &tokens {
            assert!(!node.accounts.sees(node, token).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_at_several_nodes_block_the_name_at_all() {
    let nodes = three().await;
    let ada = nodes[0].person("ada").await;
    for n in 0..5 {
        let mut browser = nodes[n % 3].browser();
        browser
            .try_sign_in("ada", "wrong password entirely", "000000")
            .await;
    }
    nodes[0].advance(1);
    for node in &nodes {
        let mut browser = node.browser();
        let code = ada.code_at(u64::try_from(node.now()).unwrap() + 30);
        browser.try_sign_in("ada", PASSWORD, &code).await;
        assert!(
            !browser.is_signed_in().await,
            "the right password is not tried"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_guesses_at_three_nodes_are_five_guesses() {
    let nodes = three().await;
    nodes[0].person("ada").await;
    let before: usize = nodes.iter().map(hashed).sum();
    let browsers: Vec<_> = nodes.iter().map(TestServer::browser).collect();
    race(50, |n| {
        let mut browser = browsers[n % 3].clone();
        async move {
            let page = browser
                .try_sign_in("ada", "wrong password entirely", "000000")
                .await;
            assert!(page.status < 500, "{page:?}");
        }
    })
    .await;
    let after: usize = nodes.iter().map(hashed).sum();
    assert!(after - before <= 5, "{}", after - before);
}

fn hashed(node: &TestServer) -> usize {
    usize::try_from(node.app.hasher.made()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_step_and_a_recovery_code_sign_in_once_whoever_is_asked() {
    const EACH: usize = 4;
    let nodes = three().await;
    let ada = nodes[0].person("ada").await;
    nodes[0].advance(30);
    let step = ada.code(&nodes[0]);
    let codes = [step]
        .into_iter()
        .chain(ada.recovery_codes.iter().take(6).cloned());
    for code in codes {
        let browsers: Vec<_> = nodes.iter().map(TestServer::browser).collect();
        let done = race(EACH, |n| {
            let (mut browser, code) = (browsers[n % 3].clone(), code.clone());
            async move {
                browser.try_sign_in("ada", PASSWORD, &code).await;
                browser.is_signed_in().await
            }
        })
        .await;
        assert_eq!(done.into_iter().filter(|yes| *yes).count(), 1);
        // The losers counted as failures; a later success forgives them.
        nodes[0].advance(600);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_session_is_told_once_by_whichever_node() {
    let nodes = three().await;
    let [a, b, c] = &nodes;
    let receiver = Receiver::start().await;
    let app = a
        .register(Spec::confidential("app").metadata(Metadata {
            backchannel_logout_uri: Some(receiver.uri.clone()),
            backchannel_logout_session_required: true,
            ..Metadata::default()
        }))
        .await;
    let ada = a.person("ada").await;
    a.advance(1);
    for n in 1..=5 {
        let mut browser = b.browser();
        browser
            .code_flow(b, &app, &ada, "openid accounts:read")
            .await;
        sign_out(&mut browser).await;
        a.advance(1);
        let apps: Vec<_> = [a, b, c].map(|node| node.app.clone()).into();
        race(9, |n| {
            let app = apps[n % 3].clone();
            async move { logouts::tick(&app).await.unwrap() }
        })
        .await;
        assert_eq!(receiver.got().len(), n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_seal_one_audit_log() {
    let nodes = three().await;
    let app = nodes[0].register(Spec::confidential("app")).await;
    nodes[0].advance(1);
    for round in 0..5 {
        let apps: Vec<_> = nodes.iter().map(|node| node.app.clone()).collect();
        for node in &nodes {
            app.client_credentials(node, "accounts:read").await.ok();
        }
        race(9, |n| {
            let app = apps[n % 3].clone();
            async move {
                // Who meets another at it leaves it to that one.
                let _ = audit_sealer::tick(&app).await;
            }
        })
        .await;
        nodes[round % 3].advance(2);
    }
    audit_sealer::tick(&nodes[0].app).await.unwrap();
    let cluster = crate::support::postgres::Cluster::shared();
    let database = nodes[0].database.as_deref().unwrap();
    let ask = |sql: &str| cluster.execute(database, sql);
    assert_eq!(ask("SELECT COUNT(*) FROM audit_unsealed"), "0");
    let events: u64 = ask("SELECT COUNT(*) FROM audit_events").parse().unwrap();
    for node in &nodes {
        let verdict = seal_audit::verify(&node.app).await.unwrap();
        assert_eq!(verdict, Verdict::Intact { size: events });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_api_owns_at_one_the_hook_of_another_knows() {
    let a = TestServer::start(Engine::Postgres).await;
    let open = |file: &mut countersign::config::File| {
        file.hook.peers = vec!["127.0.0.1".to_owned()];
    };
    let b = a.node_with(2, open).await;
    let app = a.register(Spec::confidential("app")).await;
    a.advance(1);
    let reply = app.client_credentials(&b, "accounts:read").await;
    let token = reply.text("access_token").to_owned();
    let ask = async || {
        let request = b.http.get(b.at("/verify")).bearer_auth(&token);
        let request = request.header("x-countersign-resource", ACCOUNTS);
        Reply::of(request).await.status
    };
    assert_eq!(ask().await, 200);
    // The scope is taken from the API; the first who asks at B learns of it.
    let registered = a.app.registry.now();
    let mut accounts = registered.resource(ACCOUNTS).unwrap().clone();
    accounts
        .scopes
        .retain(|scope| scope.name != "accounts:read");
    resources::put(&a.app, accounts, &caller()).await.unwrap();
    a.advance(1);
    assert_eq!(ask().await, 401);
}
