//! Nodes that are real processes: the server's binary, which can be killed.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::wire::{self, Wire};
use crate::support::TestServer;
use crate::support::template::ROOT;

/// Nothing that is waited for here takes longer, whatever else the machine does.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The settings and the key that all processes of an installation share.
pub struct Site {
    /// The common port.
    pub port: u16,
    folder: PathBuf,
    binary: PathBuf,
}

const LIMITS: [&str; 13] = [
    "pages_per_address",
    "documents_per_address",
    "authorize_per_address",
    "sign_in_per_address",
    "sign_in_failures_per_address",
    "invitations_per_address",
    "failures_per_address",
    "client_failures_per_address",
    "public_client_per_address",
    "push_per_client",
    "token_per_client",
    "introspection_per_client",
    "userinfo_per_token",
];

impl Site {
    /// Beside a server under test, on its database.
    pub fn beside(server: &TestServer) -> Self {
        let folder = server.directory.path().to_owned();
        let key = folder.join("root.key");
        if !key.exists() {
            ROOT.write_new(&key).unwrap();
        }
        let mut settings = format!(
            "issuer = {:?}\n[database]\nurl = {:?}\n[vault]\nroot_key_file = {:?}\n\
             root_key_credential = \"\"\n[people]\nargon2_memory_kib = 64\nargon2_passes = 1\n\
             hashing_threads = 1\n[log]\nfilter = \"warn\"\n[server]\ndrain_seconds = 2\n[limits]\n",
            server.issuer,
            server.file().database.url,
            key.display().to_string(),
        );
        for limit in LIMITS {
            writeln!(settings, "{limit} = \"1000000/min\"").unwrap();
        }
        fs::write(folder.join("countersign.toml"), settings).unwrap();
        Self {
            port: server.port(),
            folder,
            binary: PathBuf::from(env!("CARGO_BIN_EXE_countersign")),
        }
    }

    /// Takes a setting out again.
    pub fn without(&self, setting: &str) {
        let path = self.folder.join("countersign.toml");
        let text = fs::read_to_string(&path).unwrap();
        let kept: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with(setting))
            .collect();
        fs::write(path, kept.join("\n")).unwrap();
    }

    /// Where the node with this number listens.
    pub fn address(&self, host: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), self.port))
    }

    /// Starts the node with this number and waits until it is ready.
    pub async fn start(&self, host: u8) -> Process {
        self.start_as(host, &self.binary, &[]).await
    }

    /// The same, by another binary, or with other settings from the environment.
    pub async fn start_as(&self, host: u8, binary: &Path, settings: &[(&str, &str)]) -> Process {
        let log = self.folder.join(format!("node-{host}.log"));
        let address = self.address(host);
        let socket = self.folder.join(format!("node-{host}.sock"));
        let child = Command::new(binary)
            .arg("serve")
            .env("COUNTERSIGN_CONFIG", self.folder.join("countersign.toml"))
            .env("COUNTERSIGN__SERVER__LISTEN", address.to_string())
            .env("COUNTERSIGN__SERVER__ADMIN_SOCKET", &socket)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(
                File::options()
                    .create(true)
                    .append(true)
                    .open(&log)
                    .unwrap(),
            )
            .spawn()
            .unwrap();
        let mut process = Process {
            child,
            address,
            port: self.port,
            log,
        };
        process.wait_until_ready().await;
        process
    }

    /// Runs a command of the command line with the settings of the site.
    pub fn types(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.binary)
            .args(arguments)
            .env("COUNTERSIGN_CONFIG", self.folder.join("countersign.toml"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}{why}");
        said
    }
}

/// A running node; it is killed with the value.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    port: u16,
    log: PathBuf,
}

impl Process {
    /// What `/readyz` says; nothing when it does not answer.
    pub async fn ready(&self) -> Option<u16> {
        let request = wire::request("GET", self.port, "/readyz", &[("connection", "close")], "");
        let asked = async { Wire::new(self.address).ask(&request).await };
        let answer = tokio::time::timeout(Duration::from_secs(5), asked).await;
        answer.ok()?.ok().map(|got| got.status)
    }

    async fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        while self.ready().await != Some(200) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "{ended:?}: {}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it logged.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it without a warning.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not stop: {}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
