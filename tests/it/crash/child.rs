//! The application in a process of its own, which dies at a crash point: this same test binary,
//! started anew to run one test that serves. It is told what to do over its standard input, a line a
//! command, and answers on its standard output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use countersign::app::App;
use countersign::clock::Clock;
use countersign::http::{Peer, admin, router};
use countersign::vault::RootKey;
use countersign::{crash, jobs};
use rules::time::Timestamp;
use serde_json::{Value, json};

use crate::support::{provider, smtp, template};

/// What the process serves, in its environment.
const SPEC: &str = "COUNTERSIGN_TEST_SERVES";
/// How each answer begins: the test runner writes on standard output too.
const SIGN: &str = "@@";

/// What is served.
#[derive(Clone, Debug)]
pub struct Spec {
    /// `issuer`.
    pub issuer: String,
    /// `database.url`.
    pub url: String,
    /// Where the root key and the socket lie.
    pub folder: PathBuf,
    /// The clock, in milliseconds.
    pub now: i64,
    /// The issuer of the provider that people may come through, and the file of the secret there.
    pub provider: Option<(String, PathBuf)>,
    /// The port of the mail server, when people are written to.
    pub mail: Option<u16>,
}

/// A process that serves.
pub struct Child {
    process: std::process::Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

impl Child {
    /// Starts one that dies at a crash point, or at none; `None` when it died before it served.
    pub fn start(spec: &Spec, die_at: &str) -> Option<Self> {
        let told = json!({
            "issuer": spec.issuer, "url": spec.url, "folder": spec.folder, "now": spec.now,
            "die_at": die_at, "provider": spec.provider, "mail": spec.mail,
        });
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child::serves_in_a_process_of_its_own"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(SPEC, told.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let say = process.stdin.take().unwrap();
        let hear = BufReader::new(process.stdout.take().unwrap());
        let mut child = Self {
            process,
            say,
            hear,
            port: 0,
        };
        let answer = child.hear()?;
        let port = answer["port"].as_u64();
        child.port = u16::try_from(port.unwrap_or_else(|| panic!("{answer}"))).unwrap();
        Some(child)
    }

    /// Tells it something; `None` when it died of that.
    pub fn tell(&mut self, command: &Value) -> Option<Value> {
        writeln!(self.say, "{command}").ok()?;
        self.say.flush().ok()?;
        self.hear()
    }

    /// Waits for its end, which must come, and be the abort of a crash point.
    pub fn ended_by_itself(&mut self) {
        for _ in 0..1000 {
            if let Some(status) = self.process.try_wait().unwrap() {
                use std::os::unix::process::ExitStatusExt as _;
                assert_eq!(status.signal(), Some(6), "it ended otherwise: {status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("an answer was lost, but the server lives");
    }

    fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.hear.read_line(&mut line).ok()? == 0 {
                return None;
            }
            // The runner writes "test … " without an end of line before it.
            if let Some((_, answer)) = line.split_once(SIGN) {
                return Some(serde_json::from_str(answer).unwrap());
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is told to a child.
pub fn advance(seconds: u64) -> Value {
    json!({ "advance": seconds })
}

/// Lets one job tick.
pub fn tick(job: &str) -> Value {
    json!({ "tick": job })
}

/// Names the crash point at which to die; none by an empty name.
pub fn die_at(point: &str) -> Value {
    json!({ "die_at": point })
}

/// Asks which crash points were passed since the last time.
pub fn passed() -> Value {
    json!("passed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that other tests start and let die; alone it does nothing"]
async fn serves_in_a_process_of_its_own() {
    let Ok(spec) = std::env::var(SPEC) else {
        return;
    };
    let spec: Value = serde_json::from_str(&spec).unwrap();
    let text = |name: &str| spec[name].as_str().unwrap();
    crash::record();
    crash::arm(text("die_at"));
    let folder = Path::new(text("folder"));
    let mut file = template::file(text("issuer"), text("url"), folder);
    if let [Some(issuer), Some(secret)] = [0, 1].map(|at| spec["provider"][at].as_str()) {
        file.upstream = provider::settings(issuer, Path::new(secret));
    }
    if let Some(port) = spec["mail"].as_u64() {
        file.mail = smtp::settings(u16::try_from(port).unwrap());
    }
    let config = file.check().unwrap();
    let root = RootKey::read(&folder.join("root.key")).unwrap();
    let clock = Clock::manual(Timestamp::from_millis(spec["now"].as_i64().unwrap()));
    let socket = config.server.admin_socket.clone();
    let app = App::open(config, &root, clock).await.unwrap();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let service = router(app.clone()).layer(axum::Extension(peer));
    tokio::spawn(async move { axum::serve(listener, service).await });
    let commanded = app.clone();
    tokio::spawn(async move { admin::listen(commanded, socket, std::future::pending()).await });
    answer(&json!({ "port": port }));
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = told.recv().await {
        answer(&obey(&app, &serde_json::from_str(&line).unwrap()).await);
    }
    std::process::exit(0);
}

async fn obey(app: &App, command: &Value) -> Value {
    if command == "passed" {
        return json!(crash::recorded());
    }
    if let Some(seconds) = command["advance"].as_u64() {
        app.clock.advance(Duration::from_secs(seconds));
    }
    if let Some(point) = command["die_at"].as_str() {
        crash::arm(point);
    }
    if let Some(name) = command["tick"].as_str() {
        let job = jobs::ALL.iter().find(|job| job.name == name).unwrap();
        return match (job.tick)(app).await {
            Ok(()) => json!("done"),
            Err(fault) => json!({ "fault": fault.to_string() }),
        };
    }
    json!("done")
}

fn answer(answer: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{SIGN}{answer}").unwrap();
    out.flush().unwrap();
}
