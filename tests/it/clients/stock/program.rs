//! Running what others wrote.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use crate::support::TestServer;

/// Debian 12's Node.js has the Web Crypto API behind a switch; newer ones ignore it.
const NODE_OPTIONS: &str = "--experimental-global-webcrypto";

/// What Node.js is told so that it loads a file of the examples before the program.
pub fn node_options_with(before: &str) -> String {
    let file = examples().join(before);
    format!("{NODE_OPTIONS} --require={}", file.display())
}

/// The folder with the examples.
pub fn examples() -> PathBuf {
    root().join("tests/clients")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Installs the packages of npm and `PyPI`, once a process; what is there stays.
static INSTALLED: LazyLock<()> = LazyLock::new(|| {
    let status = Command::new(examples().join("install")).status().unwrap();
    assert!(
        status.success(),
        "tests/clients/install failed; run tests/run"
    );
});

/// Runs an example by the language it is written in.
pub fn command(script: &str) -> Command {
    LazyLock::force(&INSTALLED);
    let file = examples().join(script);
    let mut command = match Path::new(script).extension().and_then(|end| end.to_str()) {
        Some("mjs") => Command::new("node"),
        Some("py") => Command::new(root().join("target/python/bin/python")),
        _ => panic!("nothing runs {script}"),
    };
    command
        .env("NODE_OPTIONS", NODE_OPTIONS)
        // A script finds no packages but the pinned ones.
        .env_remove("PYTHONPATH")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(file)
        .stdin(Stdio::null());
    command
}

/// Runs an example that speaks to the server, and trusts it.
pub fn client_of(server: &TestServer, script: &str) -> Command {
    let mut command = command(script);
    command.env("ISSUER", &server.issuer);
    let authority = server.authority_file();
    if authority.exists() {
        command
            // Beside the authorities that Node.js trusts by itself.
            .env("NODE_EXTRA_CA_CERTS", &authority)
            .env("REQUESTS_CA_BUNDLE", &authority);
    }
    command
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A program that stays; it ends with the value.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

impl Program {
    /// Starts it, and returns when it listens.
    pub async fn start(mut command: Command, port: u16) -> Self {
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let mut program = Self { child, port };
        for _ in 0..1200 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return program;
            }
            assert!(program.is_running(), "it ended: {command:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it does not listen: {command:?}");
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Asked first: what has processes of its own takes them along.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program that must succeed prints.
pub async fn output(mut command: Command) -> String {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = run.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}
