//! PostgreSQL is gone, silent or slow.

use std::time::Duration;

use super::cluster::OwnCluster;
use super::proxy::{Manner, Proxy};
use super::served::is_fault;
use crate::support::postgres::Cluster;
use crate::support::{
    AuthRequest, Browser, ClientApp, Engine, Page, Person, Reply, Spec, TestServer, people, race,
};

/// A server, and what it acknowledged.
struct Scene {
    server: std::sync::Arc<TestServer>,
    web: ClientApp,
    phone: ClientApp,
    ada: Person,
    browser: Browser,
    alive: String,
    ended: String,
    refresh: String,
    request: AuthRequest,
    code: String,
}

/// A database of the shared server, behind a network.
async fn behind() -> (Scene, Proxy) {
    let proxy = Proxy::start(Cluster::shared().socket()).await;
    let port = proxy.port;
    let scene = scene(|url| {
        let name = url.split(['/', '?']).nth(3).unwrap();
        format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable")
    });
    (scene.await, proxy)
}

async fn scene(url: impl FnOnce(&str) -> String) -> Scene {
    let server = TestServer::start_now_with(Engine::Postgres, |file| {
        file.database.url = url(&file.database.url);
    })
    .await;
    let web = server.register(Spec::confidential("web")).await;
    let phone = server.register(Spec::public("phone")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    let scope = "openid offline_access accounts:read";
    let refresh = browser
        .code_flow(&server, &phone, &ada, scope)
        .await
        .refresh;
    let request = AuthRequest::new(&web, scope);
    let code = browser.walk(&server, &request, &ada).await.code();
    let token = async || {
        let given = web.client_credentials(&server, "accounts:read").await.ok();
        given["access_token"].as_str().unwrap().to_owned()
    };
    let (alive, ended) = (token().await, token().await);
    assert_eq!(web.revoke(&server, &ended).await.status, 200);
    Scene {
        server: std::sync::Arc::new(server),
        web,
        phone,
        ada,
        browser,
        alive,
        ended,
        refresh,
        request,
        code,
    }
}

/// What everybody is told while the database does not answer: nothing but that, and before a client
/// gives up, which these do after half a minute.
async fn all_fault(scene: &Scene) {
    // What this node knows of the others' revocations is too old by then.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let server = &scene.server;
    let (web, phone) = (&scene.web, &scene.phone);
    let (mut hers, mut strange) = (scene.browser.clone(), server.browser());
    let mut hers_too = scene.browser.clone();
    let sign_in = sign_in(scene, &mut strange);
    let (alive, ended) = ([("token", &*scene.alive)], [("token", &*scene.ended)]);
    let replies: (Reply, Reply, Reply, Reply, Reply, Reply, Reply) = tokio::join!(
        web.client_credentials(server, "accounts:read"),
        phone.refresh(server, &scene.refresh),
        scene.request.try_redeem(server, web, &scene.code),
        web.revoke(server, &scene.alive),
        server.accounts.post(server, "/introspect", &alive),
        server.accounts.post(server, "/introspect", &ended),
        server.get("/readyz"),
    );
    let pages: (Page, Page, Page) = tokio::join!(
        hers.get("/account"),
        async {
            hers_too
                .begin(server, &AuthRequest::new(web, "openid"))
                .await
        },
        sign_in,
    );
    for reply in [
        replies.0, replies.1, replies.2, replies.3, replies.4, replies.5,
    ] {
        is_fault(&reply);
    }
    assert_eq!(replies.6.status, 503);
    for page in [pages.0, pages.1, pages.2] {
        assert_eq!(page.status, 503, "{}", page.body);
        assert!(!page.header("retry-after").is_empty(), "{page:?}");
    }
    assert_eq!(server.get("/healthz").await.status, 200);
}

async fn sign_in(scene: &Scene, browser: &mut Browser) -> Page {
    let code = people::code_at(
        &scene.ada.totp_secret,
        u64::try_from(scene.server.now()).unwrap(),
    );
    browser
        .try_sign_in(&scene.ada.username, &scene.ada.password, &code)
        .await
}

/// Everything is as it was before, and works: nothing was lost, nothing was spent, nobody starts
/// anything anew.
async fn all_well(scene: &Scene) {
    let server = &scene.server;
    let mut ready = false;
    for _ in 0..200 {
        ready = server.get("/readyz").await.status == 200;
        if ready {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ready, "it does not recover");
    assert!(!server.accounts.sees(server, &scene.ended).await);
    let code = scene.request.redeem(server, &scene.web, &scene.code).await;
    assert!(server.accounts.sees(server, &code.access).await);
    let refreshed = scene.phone.refresh(server, &scene.refresh).await.ok();
    assert!(refreshed["access_token"].is_string());
    let mut hers = scene.browser.clone();
    assert!(hers.is_signed_in().await);
    // As many at once as there are connections, and more: none is missing.
    let all = race(40, |_| {
        let (web, server) = (scene.web.clone(), std::sync::Arc::clone(server));
        async move {
            web.client_credentials(&server, "accounts:read")
                .await
                .status
        }
    })
    .await;
    assert!(all.iter().all(|status| *status == 200), "{all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_a_fault_until_it_is_back() {
    let (scene, proxy) = behind().await;
    proxy.set(Manner::Refuses);
    all_fault(&scene).await;
    proxy.set(Manner::Carries);
    all_well(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_holds_nobody_for_ever() {
    let (scene, proxy) = behind().await;
    proxy.set(Manner::Swallows);
    all_fault(&scene).await;
    proxy.set(Manner::Carries);
    all_well(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_database_makes_answers_late_and_not_wrong() {
    let (scene, proxy) = behind().await;
    proxy.set(Manner::Delays(Duration::from_millis(40)));
    all_well(&scene).await;
    assert!(
        scene
            .server
            .accounts
            .sees(&scene.server, &scene.alive)
            .await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_is_stopped_and_started_again_needs_no_restart_of_ours() {
    let mut own = tokio::task::block_in_place(OwnCluster::start);
    let url = own.url.clone();
    let scene = scene(|_| url).await;
    tokio::task::block_in_place(|| own.stop());
    all_fault(&scene).await;
    tokio::task::block_in_place(|| own.again());
    all_well(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_holds_is_a_fault_and_no_verdict() {
    use sqlx::Connection as _;
    let scene = scene(str::to_owned).await;
    let url = Cluster::shared().url(scene.server.database.as_deref().unwrap());
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE codes, refresh_families IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .unwrap();
    let server = &scene.server;
    let (redeemed, refreshed, own) = tokio::join!(
        scene.request.try_redeem(server, &scene.web, &scene.code),
        scene.phone.refresh(server, &scene.refresh),
        scene.web.client_credentials(server, "accounts:read"),
    );
    is_fault(&redeemed);
    is_fault(&refreshed);
    assert_eq!(own.status, 200, "who needs no lock waits for none");
    drop(other);
    all_well(&scene).await;
}
