//! Nodes are restarted and replaced one by one, behind a balancer and under load, and no request is
//! lost.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::balancer::Balancer;
use super::process::{PATIENCE, Process, Site};
use super::wire::{self, Got, Wire};
use crate::support::{AuthRequest, ClientApp, Engine, Spec, TestServer};

const HOSTS: [u8; 2] = [2, 3];

/// Who asks for what, all the time.
struct Load {
    app: ClientApp,
    api: ClientApp,
    cookies: String,
    port: u16,
    answered: AtomicUsize,
}

impl Load {
    /// Somebody who is signed in and agreed once.
    async fn prepare(server: &TestServer) -> Self {
        let app = server.register(Spec::confidential("app")).await;
        let ada = server.person("ada").await;
        let mut browser = server.browser();
        browser
            .code_flow(server, &app, &ada, "openid accounts:read")
            .await;
        let pairs = browser.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Self {
            app,
            api: server.accounts.clone(),
            cookies: pairs.join("; "),
            port: server.port(),
            answered: AtomicUsize::new(0),
        }
    }

    fn post(&self, path: &str, client: &ClientApp, pairs: &[(&str, &str)]) -> Vec<u8> {
        let basic = client.basic();
        let headers = [("authorization", basic.as_str())];
        wire::request("POST", self.port, path, &headers, &wire::form(pairs))
    }

    async fn ask(&self, wire: &mut Wire, request: &[u8], status: u16) -> Got {
        let got = wire.ask(request).await.unwrap();
        let body = String::from_utf8_lossy(&got.body);
        assert_eq!(got.status, status, "{}{body}", got.head);
        self.answered.fetch_add(1, Ordering::SeqCst);
        got
    }

    /// Goes on until it is told to stop; panics at the first answer that is not the right one.
    async fn go_on(self: Arc<Self>, mut wire: Wire, stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let request = AuthRequest::new(&self.app, "openid accounts:read");
            let path = format!("/authorize?{}", wire::form(&request.pairs()));
            let headers = [("cookie", self.cookies.as_str())];
            let opened = wire::request("GET", self.port, &path, &headers, "");
            let code = self.ask(&mut wire, &opened, 303).await.code();
            let redeemed = self.post("/token", &self.app, &request.redemption(&self.app, &code));
            let tokens = self.ask(&mut wire, &redeemed, 200).await.json();
            let access = tokens["access_token"].as_str().unwrap();
            let asked = self.post("/introspect", &self.api, &[("token", access)]);
            assert_eq!(
                self.ask(&mut wire, &asked, 200).await.json()["active"],
                true
            );
            let own = [
                ("grant_type", "client_credentials"),
                ("scope", "cards:read"),
            ];
            self.ask(&mut wire, &self.post("/token", &self.app, &own), 200)
                .await;
            let page = wire::request("GET", self.port, "/account", &headers, "");
            self.ask(&mut wire, &page, 200).await;
            let revoked = self.post("/revoke", &self.app, &[("token", access)]);
            self.ask(&mut wire, &revoked, 200).await;
        }
    }
}

/// Asks the node to stop and waits for its end, while it is seen to say so first.
async fn stop(node: &mut Process) {
    node.terminate();
    let begun = Instant::now();
    // It says that it leaves while it still answers.
    while node.ready().await != Some(503) {
        assert!(begun.elapsed() < PATIENCE, "{}", node.said());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = node.ended().await;
    assert!(status.success(), "{status}: {}", node.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_request() {
    roll(2, None).await;
}

/// `COUNTERSIGN_PREVIOUS_BINARY` names the program of the release before, which `tests/run --full`
/// builds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the program of the release before"]
async fn a_rolling_upgrade_loses_no_request() {
    let previous = std::env::var_os("COUNTERSIGN_PREVIOUS_BINARY");
    let previous = PathBuf::from(previous.expect("COUNTERSIGN_PREVIOUS_BINARY names a program"));
    roll(2, Some(previous)).await;
}

/// Replaces each node so many times under load. With a previous binary the nodes begin by that one,
/// on the schema of this one, and go back to it in between.
async fn roll(rounds: usize, previous: Option<PathBuf>) {
    let server = TestServer::start_now(Engine::Postgres).await;
    let load = Arc::new(Load::prepare(&server).await);
    let site = Site::beside(&server);
    let this = PathBuf::from(env!("CARGO_BIN_EXE_countersign"));
    let old = previous.as_ref().unwrap_or(&this);
    // The release before knows no setting that is newer than it.
    if previous.is_some() {
        site.without("drain_seconds");
    }
    let mut nodes = Vec::new();
    for host in HOSTS {
        nodes.push(site.start_as(host, old, &[]).await);
    }
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let balancer = Balancer::start(&addresses, site.port).await;
    let (stopping, stopped) = watch::channel(false);
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let load = Arc::clone(&load);
            tokio::spawn(load.go_on(Wire::new(balancer.address), stopped.clone()))
        })
        .collect();
    for round in 0..rounds {
        let binary = if round % 2 == 0 { &this } else { old };
        for (host, node) in HOSTS.into_iter().zip(&mut nodes) {
            let before = load.answered.load(Ordering::SeqCst);
            stop(node).await;
            *node = site.start_as(host, binary, &[]).await;
            assert!(
                load.answered.load(Ordering::SeqCst) > before,
                "nobody asked meanwhile"
            );
            // The balancer sees it before the other one goes.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    stopping.send_replace(true);
    for worker in workers {
        worker.await.unwrap();
    }
    println!(
        "{} requests, none lost",
        load.answered.load(Ordering::SeqCst)
    );
    drop(nodes);
    site.types(&["audit", "verify"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_leaves_ends_each_connection_with_an_answer() {
    let server = TestServer::start_now(Engine::Postgres).await;
    let site = Site::beside(&server);
    let mut node = site.start(2).await;
    let request = wire::request("GET", site.port, "/healthz", &[], "");
    let mut kept = Wire::new(node.address);
    let got = kept.ask(&request).await.unwrap();
    assert!(kept.is_kept(), "{}", got.head);
    node.terminate();
    while node.ready().await != Some(503) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What was connected before is answered, and told to go; so is who comes now.
    for mut wire in [kept, Wire::new(node.address)] {
        let got = wire.ask(&request).await.unwrap();
        assert_eq!((got.status, got.header("connection")), (200, "close"));
    }
    assert!(node.ended().await.success(), "{}", node.said());
}
