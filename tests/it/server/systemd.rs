//! The service manager's side of `serve`: what it is told, and the credential it hands over.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::certificates::{Algorithm, Authority, Files};
use crate::support::template::Directory;

/// An installation that `init` made, run as systemd would.
struct Unit {
    directory: Directory,
    manager: UnixDatagram,
    authority: Authority,
    files: Files,
    port: u16,
}

impl Unit {
    fn new() -> Self {
        let directory = Directory::new();
        let manager = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        manager
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let authority = Authority::new();
        let files = authority.issue(directory.path(), "localhost", Algorithm::Ecdsa, 2199);
        let unit = Self {
            directory,
            manager,
            authority,
            files,
            port,
        };
        let init = unit
            .command()
            .args(["init", "--issuer", &format!("https://localhost:{port}")])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--dir"])
            .arg(unit.directory.path().join("etc"))
            .arg("--tls-cert")
            .arg(&unit.files.certificate)
            .arg("--tls-key")
            .arg(&unit.files.key)
            .output()
            .unwrap();
        assert!(
            init.status.success(),
            "{}",
            String::from_utf8_lossy(&init.stderr)
        );
        unit
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .env(
                "COUNTERSIGN_CONFIG",
                self.directory.path().join("etc/countersign.toml"),
            )
            .stdin(Stdio::null());
        command
    }

    fn start(&self, environment: &[(&str, &str)]) -> Process {
        let child = self
            .command()
            .arg("serve")
            .env("NOTIFY_SOCKET", self.directory.path().join("notify"))
            .envs(environment.iter().copied())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }

    /// The next message, which must tell this.
    fn told(&self, what: &str) {
        loop {
            let mut message = [0; 512];
            let length = self.manager.recv(&mut message).unwrap();
            let message = String::from_utf8(message[..length].to_vec()).unwrap();
            if message.lines().any(|line| line == what) {
                return;
            }
            // Between the others the watchdog may speak at any time.
            assert!(message.contains("WATCHDOG=1"), "{what}, not {message}");
        }
    }
}

/// A server; killed when a test fails.
struct Process(Child);

impl Process {
    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_is_told_ready_reloading_and_stopping() {
    let unit = Unit::new();
    let mut process = unit.start(&[]);
    unit.told("READY=1");
    unit.authority
        .issue(unit.directory.path(), "localhost", Algorithm::Rsa, 2199);
    process.signal("-HUP");
    unit.told("RELOADING=1");
    unit.told("READY=1");
    // One that is not in order ends nothing.
    fs::write(&unit.files.certificate, "").unwrap();
    process.signal("-HUP");
    unit.told("RELOADING=1");
    unit.told("READY=1");
    process.signal("-TERM");
    unit.told("STOPPING=1");
    assert!(process.0.wait().unwrap().success());
}

#[test]
fn the_watchdog_is_told_that_all_is_well() {
    let unit = Unit::new();
    let process = unit.start(&[("WATCHDOG_USEC", "600000")]);
    unit.told("READY=1");
    for _ in 0..3 {
        unit.told("WATCHDOG=1");
    }
    drop(process);
}

#[test]
fn the_root_key_comes_as_a_credential() {
    let unit = Unit::new();
    let etc = unit.directory.path().join("etc");
    let credentials = unit.directory.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let handed = credentials.join("root.key");
    fs::rename(etc.join("root.key"), &handed).unwrap();
    // The service manager gives it to one account by an access list, which shows as the group's.
    fs::set_permissions(&handed, fs::Permissions::from_mode(0o440)).unwrap();
    let process = unit.start(&[("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())]);
    unit.told("READY=1");
    assert!(std::net::TcpStream::connect(("127.0.0.1", unit.port)).is_ok());
    drop(process);
    let without = unit.command().arg("serve").output().unwrap();
    assert!(!without.status.success());
    let why = String::from_utf8(without.stderr).unwrap();
    assert!(why.contains("root key file"), "{why}");
}
