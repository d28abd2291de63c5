//! The binary itself, as an operator runs it: set up, served, and commanded with and without a
//! running server.

mod keep;
mod registration;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use countersign::http::admin;
use serde_json::Value;

use crate::support::{Engine, TestServer, template};

/// An installation in a folder of its own, removed at the end.
struct Installation {
    folder: PathBuf,
    port: u16,
}

impl Installation {
    /// Set up by `init`, with an invitation for Ada.
    fn new() -> (Self, Value) {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("cs-cli-{}-{port}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let new = Self { folder, port };
        let made = new.init();
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
        let told = json(&made);
        // Cheap hashing: nothing here is about passwords.
        let file = new.settings();
        let settings = std::fs::read_to_string(&file).unwrap();
        let settings = settings + "\n[people]\nargon2_memory_kib = 64\nargon2_passes = 1\n";
        std::fs::write(&file, settings).unwrap();
        (new, told)
    }

    fn init(&self) -> Output {
        let issuer = format!("http://localhost:{}", self.port);
        let listen = format!("127.0.0.1:{}", self.port);
        let folder = self.folder.to_str().unwrap();
        command()
            .args(["--json", "init", "--issuer", &issuer, "--dir", folder])
            .args([
                "--listen",
                &listen,
                "--invite",
                "ada",
                "--name",
                "Ada Lovelace",
            ])
            .output()
            .unwrap()
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("countersign.toml")
    }

    /// Runs a command; words are split at spaces.
    fn run(&self, line: &str) -> Output {
        let mut command = command();
        command.arg("--config").arg(self.settings());
        command.args(line.split(' ')).output().unwrap()
    }

    /// The JSON of a command that must succeed.
    fn done(&self, line: &str) -> Value {
        let output = self.run(&format!("--json {line}"));
        assert_eq!(
            output.status.code(),
            Some(0),
            "{line}: {}",
            text(&output.stderr)
        );
        json(&output)
    }

    /// The sentence of a command that must be refused.
    fn refused(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(output.stdout.is_empty(), "{line}: {}", text(&output.stdout));
        let sentence = text(&output.stderr);
        assert!(sentence.starts_with("error: "), "{sentence}");
        sentence
    }

    fn serve(&self) -> Serving {
        let mut command = command();
        command.arg("--config").arg(self.settings()).arg("serve");
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut serving = Serving(child);
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && self.folder.join("countersign.sock").exists()
            {
                return serving;
            }
            assert!(serving.0.try_wait().unwrap().is_none(), "the server ended");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server did not start in time");
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A running server; killed when a test fails.
struct Serving(Child);

impl Serving {
    /// Asks it to stop, and sees that it does.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.0.wait().unwrap().success());
        let mut printed = String::new();
        std::io::Read::read_to_string(self.0.stdout.as_mut().unwrap(), &mut printed).unwrap();
        assert_eq!(printed, "");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .env_remove("COUNTERSIGN_CONFIG")
        .stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stdout)))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_an_installation_and_never_overwrites_one() {
    let (new, told) = Installation::new();
    let link = told["invite"]["link"].as_str().unwrap();
    assert!(link.contains("/invite/cs_iv_"), "{link}");
    for file in ["countersign.toml", "root.key", "countersign.db"] {
        assert_eq!(mode(&new.folder.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&new.folder), 0o700);
    let key = std::fs::read(new.folder.join("root.key")).unwrap();
    let again = new.init();
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("exists already"),
        "{}",
        text(&again.stderr)
    );
    assert_eq!(std::fs::read(new.folder.join("root.key")).unwrap(), key);
}

#[test]
fn commands_work_without_a_server_and_through_one() {
    let (new, _) = Installation::new();
    let client = "client add --id api --name API --grant none";
    assert_eq!(new.done("user show ada")["user"]["state"], "invited");
    let serving = new.serve();
    let made = new.done(client);
    assert!(
        made["registered"]["client_secret"]
            .as_str()
            .unwrap()
            .starts_with("cs_sk_")
    );
    assert!(new.refused(client).contains("client show api"));
    let scope = "--client api --scope accounts.read=Accounts";
    new.done(&format!(
        "resource add https://api.bank.example/a --name Accounts {scope}"
    ));
    new.done("key rotate ES256");
    assert!(
        new.refused("migrate")
            .contains("a server has the database open")
    );
    serving.stop();
    assert!(!new.folder.join("countersign.sock").exists());
    assert_eq!(new.done("client list")["clients"][0]["client_id"], "api");
    let resources = new.done("resource list");
    assert_eq!(
        resources["resources"][0]["scopes"][0]["name"],
        "accounts.read"
    );
    assert_eq!(new.done("user disable ada")["user"]["state"], "disabled");
}

#[test]
fn a_server_that_was_killed_is_in_nobodys_way() {
    let (new, _) = Installation::new();
    drop(new.serve());
    assert!(new.folder.join("countersign.sock").exists());
    assert_eq!(new.done("user list")["users"][0]["username"], "ada");
    new.serve().stop();
}

#[test]
fn a_command_waits_for_a_server_that_is_starting() {
    let (new, _) = Installation::new();
    // A server that has opened the store, and never listens on its socket.
    let lock = std::fs::File::options()
        .append(true)
        .create(true)
        .open(new.folder.join("countersign.db.lock"))
        .unwrap();
    lock.lock().unwrap();
    let clock = countersign::clock::Clock::system();
    let refused = new.refused("user list");
    assert!(
        refused.contains("another server has this database open"),
        "{refused}"
    );
    // It looked for the socket for three seconds, and gave up then.
    assert!(clock.monotonic() >= Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_answered_by_a_server_that_listens_in_the_end() {
    let server = TestServer::start(Engine::Sqlite).await;
    server.person("ada").await;
    let folder = server.directory.path();
    let key = folder.join("root.key");
    template::ROOT.write_new(&key).unwrap();
    let settings = folder.join("countersign.toml");
    let text = format!(
        "issuer = \"{}\"\n[database]\nurl = \"sqlite:{}\"\n[vault]\nroot_key_file = \"{}\"\n",
        server.issuer,
        folder.join("countersign.db").display(),
        key.display()
    );
    std::fs::write(&settings, text).unwrap();
    let mut waiting = command();
    waiting.arg("--config").arg(&settings);
    let waiting = waiting
        .args(["--json", "user", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let socket = server.config().server.admin_socket.clone();
    let listening = admin::listen(server.app.clone(), socket, async move {
        let _ = stopped.await;
    });
    let listening = tokio::spawn(listening);
    let answer = tokio::task::spawn_blocking(move || waiting.wait_with_output().unwrap());
    let answer = answer.await.unwrap();
    assert_eq!(
        answer.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
    assert_eq!(json(&answer)["users"][0]["username"], "ada");
    let _ = stop.send(());
    listening.await.unwrap().unwrap();
}

#[test]
fn a_server_on_another_socket_is_named() {
    let (new, _) = Installation::new();
    let serving = new.serve();
    let elsewhere = command()
        .arg("--config")
        .arg(new.settings())
        .env(
            "COUNTERSIGN__SERVER__ADMIN_SOCKET",
            new.folder.join("elsewhere.sock"),
        )
        .args(["user", "list"])
        .output()
        .unwrap();
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(
        text(&elsewhere.stderr).contains("server.admin_socket"),
        "{}",
        text(&elsewhere.stderr)
    );
    serving.stop();
}

#[test]
fn the_schema_is_checked_and_brought_up_to_date() {
    let (new, _) = Installation::new();
    assert_eq!(new.done("migrate --check")["up_to_date"], true);
    assert_eq!(new.done("migrate")["applied"].as_array().unwrap().len(), 0);
    std::fs::remove_file(new.folder.join("countersign.db")).unwrap();
    assert!(
        new.refused("migrate --check")
            .contains("countersign migrate")
    );
    assert!(
        !new.folder.join("countersign.db").exists(),
        "looking made the file"
    );
    assert_eq!(new.done("migrate")["applied"][0]["name"], "foundation");
}

#[test]
fn what_is_wrong_with_the_settings_is_named() {
    let nowhere = command()
        .args(["--config", "/nonexistent.toml", "user", "list"])
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(
        text(&nowhere.stderr).contains("countersign init"),
        "{}",
        text(&nowhere.stderr)
    );
    // What the environment says wrong is not the file's.
    let (new, _) = Installation::new();
    let mistyped = command()
        .arg("--config")
        .arg(new.settings())
        .env("COUNTERSIGN__SERVER__LISEN", "127.0.0.1:1")
        .args(["user", "list"])
        .output()
        .unwrap();
    let why = text(&mistyped.stderr);
    assert!(
        why.contains("the environment (COUNTERSIGN__SERVER__LISEN)"),
        "{why}"
    );
    std::fs::write(new.settings(), "issue = \"https://x\"\n").unwrap();
    let why = new.refused("user list");
    assert!(
        why.contains("countersign.toml") && !why.contains("environment"),
        "{why}"
    );
    let wrong = command().args(["user", "lits"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}
