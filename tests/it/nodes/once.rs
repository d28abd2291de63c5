//! What is good once, presented several times at the same moment, each time to another node, while
//! nodes are killed and started again: one presentation wins.
//!
//! An attempt whose node died before it answered counts as unknown. When nobody won, the artifact
//! is presented once more: either it is good, and nobody had spent it, or it is spent, and the
//! answer died with the node. Two winners are never forgiven.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Mutex;

use super::process::{Process, Site};
use super::wire::{self, Got, Wire};
use crate::support::browser::consent;
use crate::support::{
    AuthRequest, Browser, ClientApp, Engine, Page, Person, Spec, TestServer, jwt,
};

/// Presentations of one artifact.
const EACH: usize = 5;
/// The nodes' numbers.
const HOSTS: [u8; 3] = [2, 3, 4];
/// Who presents.
const WORKERS: usize = 6;

const KINDS: [Kind; 5] = [
    Kind::Code,
    Kind::Pushed,
    Kind::Assertion,
    Kind::Generation,
    Kind::Interaction,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Pushed,
    Assertion,
    Generation,
    Interaction,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_good_once_is_good_once_while_nodes_die() {
    redeem(20_000, Duration::from_secs(4)).await;
}

/// As many as `COUNTERSIGN_REDEMPTIONS` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a million redemptions take an hour"]
async fn a_million_redemptions_while_nodes_die() {
    let many = std::env::var("COUNTERSIGN_REDEMPTIONS").ok();
    let many = many.and_then(|many| many.parse().ok()).unwrap_or(1_000_000);
    redeem(many, Duration::from_secs(15)).await;
}

/// What all workers share.
struct Scene {
    server: TestServer,
    site: Site,
    app: ClientApp,
    keyed: ClientApp,
    public: ClientApp,
    browser: Browser,
    done: AtomicUsize,
    won: AtomicUsize,
    lost_answers: AtomicUsize,
    unknown: AtomicUsize,
    kills: AtomicUsize,
}

async fn redeem(many: usize, between_kills: Duration) {
    let server = TestServer::start_now(Engine::Postgres).await;
    let app = server.register(Spec::confidential("app")).await;
    let keyed = server.register(Spec::with_key("keyed")).await;
    let public = server.register(Spec::public("public")).await;
    let ada = server.person("ada").await;
    let mut browser = server.browser();
    // Consents once, so that a request is answered with a code at once from then on.
    let request = AuthRequest::new(&app, "openid accounts:read");
    let first = browser.walk(&server, &request, &ada).await.code();
    request.redeem(&server, &app, &first).await;
    let mut families = Vec::new();
    for _ in 0..WORKERS {
        families.push(family(&server, &public, &mut browser, &ada).await);
    }
    let site = Site::beside(&server);
    let mut nodes = Vec::new();
    for host in HOSTS {
        nodes.push(site.start(host).await);
    }
    let scene = Arc::new(Scene {
        server,
        site,
        app,
        keyed,
        public,
        browser,
        done: AtomicUsize::new(0),
        won: AtomicUsize::new(0),
        lost_answers: AtomicUsize::new(0),
        unknown: AtomicUsize::new(0),
        kills: AtomicUsize::new(0),
    });
    let nodes = Arc::new(Mutex::new(nodes));
    let killer = tokio::spawn(kill(Arc::clone(&scene), Arc::clone(&nodes), between_kills));
    let workers: Vec<_> = families
        .into_iter()
        .map(|refresh| {
            let worker = Worker::new(Arc::clone(&scene), refresh);
            tokio::spawn(worker.work(many))
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    killer.abort();
    let _ = killer.await;
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    println!(
        "{} redemptions of {} artifacts: {} won, {} answers died with their node, {} attempts \
         unanswered, {} kills",
        count(&scene.done),
        count(&scene.won) + count(&scene.lost_answers),
        count(&scene.won),
        count(&scene.lost_answers),
        count(&scene.unknown),
        count(&scene.kills),
    );
    assert!(count(&scene.done) >= many);
    assert!(count(&scene.kills) > 0, "nobody was killed");
    // An independent look at what is left.
    drop(nodes.lock().await.drain(..));
    scene.site.types(&["audit", "verify"]);
}

/// A chain of refresh tokens.
async fn family(
    server: &TestServer,
    public: &ClientApp,
    browser: &mut Browser,
    ada: &Person,
) -> String {
    let request = AuthRequest::new(public, "openid offline_access accounts:read");
    let code = browser.walk(server, &request, ada).await.code();
    request.redeem(server, public, &code).await.refresh
}

/// Kills nodes at moments that nobody knows, and starts them again.
async fn kill(scene: Arc<Scene>, nodes: Arc<Mutex<Vec<Process>>>, every: Duration) {
    loop {
        tokio::time::sleep(every.mul_f64(0.5 + f64::from(random()) / 255.0)).await;
        let mut nodes = nodes.lock().await;
        let victim = usize::from(random()) % nodes.len();
        nodes[victim].kill();
        scene.kills.fetch_add(1, Ordering::SeqCst);
        let started = scene.site.start(HOSTS[victim]).await;
        nodes[victim] = started;
    }
}

fn random() -> u8 {
    let mut byte = [0];
    SystemRandom::new().fill(&mut byte).unwrap();
    byte[0]
}

/// What became of one presentation.
enum Outcome {
    /// It won; what it won, where two may rightly win the same.
    Won(String),
    Lost,
    Unknown,
}

struct Worker {
    scene: Arc<Scene>,
    wires: Vec<Wire>,
    refresh: String,
}

impl Worker {
    fn new(scene: Arc<Scene>, refresh: String) -> Self {
        let to = |n: usize| Wire::new(scene.site.address(HOSTS[n % HOSTS.len()]));
        Self {
            wires: (0..EACH).map(to).collect(),
            scene,
            refresh,
        }
    }

    async fn work(mut self, many: usize) {
        while self.scene.done.load(Ordering::SeqCst) < many {
            // Interactions take three requests to prepare: there are fewer of them.
            let kind = match random() {
                0..=84 => Kind::Code,
                85..=114 => Kind::Pushed,
                115..=184 => Kind::Assertion,
                185..=239 => Kind::Generation,
                240.. => Kind::Interaction,
            };
            debug_assert!(KINDS.contains(&kind));
            let presented = match kind {
                Kind::Code => self.code().await,
                Kind::Pushed => self.pushed().await,
                Kind::Assertion => self.assertion(),
                Kind::Generation => self.generation(),
                Kind::Interaction => self.interaction().await,
            };
            self.race(kind, &presented).await;
        }
    }

    /// Presents it everywhere at once and judges.
    async fn race(&mut self, kind: Kind, presented: &[u8]) {
        let asked = self.wires.iter_mut().map(|wire| wire.ask(presented));
        let answers = join_all(asked).await;
        let mut won = Vec::new();
        let mut unknown = 0;
        for answer in answers {
            match judge(kind, answer) {
                Outcome::Won(what) => won.push(what),
                Outcome::Lost => {}
                Outcome::Unknown => unknown += 1,
            }
        }
        self.scene.done.fetch_add(EACH, Ordering::SeqCst);
        self.scene.unknown.fetch_add(unknown, Ordering::SeqCst);
        if won.is_empty() {
            assert!(unknown > 0, "{kind:?}: everybody was refused");
            won = self.once_more(kind, presented).await;
        }
        if kind == Kind::Generation {
            // For half a minute the same successor is handed out again, and no other.
            let different: BTreeSet<_> = won.iter().collect();
            assert_eq!(different.len(), 1, "{kind:?}");
            self.refresh.clone_from(&won[0]);
        } else {
            assert!(won.len() <= 1, "{kind:?}: {} winners", won.len());
        }
        let counter = if won.is_empty() {
            &self.scene.lost_answers
        } else {
            &self.scene.won
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }

    /// Presents it until somebody says what is so.
    async fn once_more(&mut self, kind: Kind, presented: &[u8]) -> Vec<String> {
        loop {
            for wire in &mut self.wires {
                match judge(kind, wire.ask(presented).await) {
                    Outcome::Won(what) => return vec![what],
                    Outcome::Lost => return Vec::new(),
                    Outcome::Unknown => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks any node until one answers.
    async fn ask(&mut self, request: &[u8]) -> Got {
        loop {
            let wire = usize::from(random()) % self.wires.len();
            match self.wires[wire].ask(request).await {
                Ok(got) if got.status < 500 => return got,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    fn cookies(&self) -> String {
        let pairs = self.scene.browser.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// What opens an authorization request.
    fn authorize(&self, pairs: &[(&str, &str)]) -> Vec<u8> {
        let path = format!("/authorize?{}", wire::form(pairs));
        self.get(&path)
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let headers = [("cookie", self.cookies())];
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        wire::request("GET", self.scene.site.port, path, &headers, "")
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Vec<u8> {
        wire::request(
            "POST",
            self.scene.site.port,
            path,
            headers,
            &wire::form(pairs),
        )
    }

    async fn code(&mut self) -> Vec<u8> {
        let request = AuthRequest::new(&self.scene.app, "openid accounts:read");
        let got = self.ask(&self.authorize(&request.pairs())).await;
        let code = got.code();
        assert!(!code.is_empty(), "{}", got.head);
        let basic = self.scene.app.basic();
        let form = request.redemption(&self.scene.app, &code);
        self.post("/token", &[("authorization", &basic)], &form)
    }

    async fn pushed(&mut self) -> Vec<u8> {
        let request = AuthRequest::new(&self.scene.app, "openid accounts:read");
        let basic = self.scene.app.basic();
        let pairs = request.pairs();
        let form: Vec<_> = pairs
            .into_iter()
            .filter(|(name, _)| *name != "client_id")
            .collect();
        let push = self.post("/par", &[("authorization", &basic)], &form);
        let got = self.ask(&push).await;
        assert_eq!(got.status, 201, "{}", got.head);
        let uri = got.json()["request_uri"].as_str().unwrap().to_owned();
        self.authorize(&[("client_id", &self.scene.app.id), ("request_uri", &uri)])
    }

    fn assertion(&self) -> Vec<u8> {
        let keyed = &self.scene.keyed;
        let now = self.scene.server.now();
        let assertion = keyed.assertion(&json!({
            "iss": keyed.id, "sub": keyed.id, "aud": self.scene.server.issuer,
            "jti": jwt::random_id(), "iat": now, "nbf": now, "exp": now + 60,
        }));
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "accounts:read"),
            ("client_assertion_type", jwt::ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        self.post("/token", &[], &form)
    }

    fn generation(&self) -> Vec<u8> {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.refresh.as_str()),
            ("client_id", self.scene.public.id.as_str()),
        ];
        self.post("/token", &[], &form)
    }

    async fn interaction(&mut self) -> Vec<u8> {
        let request = AuthRequest::new(&self.scene.app, "openid accounts:read");
        let request = request.with("prompt", "consent");
        // An interaction has a cookie of its own.
        let mut browser = self.scene.browser.clone();
        let page = browser.begin(&self.scene.server, &request).await;
        let action = page.form("/consent").unwrap_or_else(|| panic!("{page:?}"));
        let path = action
            .strip_prefix(&self.scene.server.issuer)
            .unwrap_or(&action);
        self.consented(&browser, path, &page)
    }

    fn consented(&self, browser: &Browser, path: &str, page: &Page) -> Vec<u8> {
        let pairs = browser.cookies.iter();
        let cookies: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let headers = [
            ("cookie", cookies.as_str()),
            ("origin", self.scene.server.issuer.as_str()),
        ];
        self.post(path, &headers, &consent(page))
    }
}

fn judge(kind: Kind, answer: io::Result<Got>) -> Outcome {
    let Ok(got) = answer else {
        return Outcome::Unknown;
    };
    // A fault is no verdict.
    if got.status >= 500 {
        return Outcome::Unknown;
    }
    match kind {
        Kind::Code | Kind::Assertion if got.status == 200 => Outcome::Won(String::new()),
        Kind::Generation => {
            let next = got.json()["refresh_token"].as_str().map(str::to_owned);
            Outcome::Won(next.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&got.body))))
        }
        Kind::Pushed | Kind::Interaction if !got.code().is_empty() => Outcome::Won(String::new()),
        _ => Outcome::Lost,
    }
}
