//! What the README tells a reader to type is typed here, and what it points at is looked up.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::template::Directory;

const HOST: &str = "login.bank.example";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The commands of the README's shell blocks, as typed.
fn commands() -> Vec<String> {
    let readme = document("README.md");
    let mut commands = Vec::new();
    for block in readme.split("\n```sh\n").skip(1) {
        let (block, _) = block.split_once("\n```").unwrap();
        let mut typed = String::new();
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            typed.push_str(line);
            if line.ends_with('\\') {
                typed.push('\n');
            } else {
                commands.push(std::mem::take(&mut typed));
            }
        }
        assert!(typed.is_empty(), "this command has no end: {typed}");
    }
    commands
}

/// A machine of the reader's: `countersign` is on its path, its `/etc/countersign` is a folder that
/// goes with the test, and its listener a free port.
struct Machine {
    directory: Directory,
    port: u16,
}

impl Machine {
    fn new() -> Self {
        let directory = Directory::new();
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_countersign"), bin.join("countersign")).unwrap();
        let port = free_ports(1);
        Self { directory, port }
    }

    fn etc(&self) -> PathBuf {
        self.directory.path().join("etc")
    }

    /// What the shell runs for a command of the README.
    fn shell(&self, typed: &str) -> Command {
        let etc = self.etc();
        let mut line = typed.to_owned();
        if line.starts_with("countersign init ") {
            // Beside the machine's own: its folders are named nowhere else.
            line = format!("{line} --dir {}", etc.display());
        }
        let mut path = OsString::from(self.directory.path().join("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut command = Command::new("sh");
        command
            // In place of the shell, so that a signal reaches the program itself.
            .args(["-c", &format!("exec {line}")])
            .current_dir(self.directory.path())
            .env("PATH", path)
            // Where the program looks when it is not told.
            .env("COUNTERSIGN_CONFIG", etc.join("countersign.toml"))
            .env(
                "COUNTERSIGN__SERVER__LISTEN",
                format!("127.0.0.1:{}", self.port),
            )
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed; gives what it printed.
    fn run(&self, typed: &str) -> String {
        let output = self.shell(typed).output().unwrap();
        succeeded(typed, &output)
    }

    /// Runs a command that stays, until the server listens.
    fn serve(&self, typed: &str) -> Running {
        let child = self.shell(typed).stderr(Stdio::null()).spawn().unwrap();
        let mut running = Running(child);
        let socket = self.etc().join("countersign.sock");
        for _ in 0..600 {
            if socket.exists() && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return running;
            }
            let ended = running.0.try_wait().unwrap();
            assert!(ended.is_none(), "`{typed}` ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("`{typed}` does not listen");
    }

    /// GETs a path as the TLS proxy in front passes it on; the body of an answer 200.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        body.to_owned()
    }
}

/// A program that runs until it is told to stop; killed when a test fails.
struct Running(Child);

impl Running {
    fn stop(mut self) {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(told.success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first of so many free ports in a row.
fn free_ports(many: u16) -> u16 {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    loop {
        let first = bind(0).unwrap();
        let base = first.local_addr().unwrap().port();
        if base < 65_000 && (1..many).all(|n| bind(base + n).is_ok()) {
            return base;
        }
    }
}

#[track_caller]
fn succeeded(what: &str, output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{what}`: {stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The path of the invitation that a command printed.
#[track_caller]
fn invitation(printed: &str) -> String {
    let origin = format!("https://{HOST}");
    let link = printed
        .split_whitespace()
        .find(|word| word.starts_with(&format!("{origin}/invite/")))
        .unwrap_or_else(|| panic!("no invitation: {printed}"));
    link[origin.len()..].to_owned()
}

#[test]
fn its_commands_set_a_server_up() {
    let machine = Machine::new();
    let mut serving = None;
    let mut links = Vec::new();
    for typed in commands() {
        match typed.split_whitespace().take(2).collect::<Vec<_>>()[..] {
            // Tried by the other tests.
            ["cargo" | "tests/run", ..] => {}
            ["countersign", "init"] => links.push(invitation(&machine.run(&typed))),
            ["countersign", "serve"] => serving = Some(machine.serve(&typed)),
            _ => panic!("nothing tries `{typed}`"),
        }
    }
    assert_eq!(links.len(), 1, "of `init`");
    for link in links {
        machine.get(&link);
    }
    let document = machine.get("/.well-known/openid-configuration");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["issuer"], format!("https://{HOST}"));
    serving.unwrap().stop();
}

#[test]
fn its_demo_starts_with_one_command() {
    let typed = commands();
    let demo = typed
        .iter()
        .find_map(|typed| typed.strip_prefix("cargo run --release -- "))
        .unwrap();
    // `cargo run` runs the package's default binary.
    assert!(document("Cargo.toml").contains("\ndefault-run = \"countersign\"\n"));
    let machine = Machine::new();
    let base = free_ports(3);
    let line = format!("countersign {demo} --data demo-data --port-base {base} --json");
    let mut command = machine.shell(&line);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut told = String::new();
    BufReader::new(running.0.stdout.take().unwrap())
        .read_line(&mut told)
        .unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["issuer"], format!("http://localhost:{base}"));
    for port in base..base + 3 {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
    assert_eq!(told["curl"].as_array().unwrap().len(), 3);
    running.stop();
}

#[test]
fn its_defaults_of_the_demo_are_the_programs() {
    let help = Machine::new().run("countersign demo --help");
    let readme = document("README.md");
    for said in ["./demo-data", "--data", "--port-base", "--json", "9400"] {
        assert!(readme.contains(said), "the README: {said}");
        assert!(help.contains(said), "the help: {said}");
    }
}

#[test]
fn its_other_commands_are_spelled_right() {
    let commands = commands();
    let others: Vec<_> = commands
        .iter()
        .filter(|typed| !typed.starts_with("countersign ") && !typed.contains(" -- demo"))
        .collect();
    assert_eq!(others, ["tests/run", "cargo build --release"]);
    let run = root().join("tests/run");
    assert_ne!(fs::metadata(&run).unwrap().permissions().mode() & 0o111, 0);
    let output = Command::new(run).arg("--help").output().unwrap();
    assert!(succeeded("tests/run --help", &output).contains("tests/run --full"));
}

#[test]
fn every_command_it_uses_teaches() {
    let machine = Machine::new();
    for typed in commands() {
        let Some(rest) = typed.strip_prefix("countersign ") else {
            continue;
        };
        let words: Vec<_> = rest
            .split_whitespace()
            .take(2)
            .take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
            .collect();
        let words = words.join(" ");
        let help = machine.run(&format!("countersign {words} --help"));
        assert!(help.contains("--json"), "{words}: {help}");
        let (_, examples) = help.split_once("\n  -h, --help").unwrap();
        let example = format!("countersign {words}");
        let mut lines = examples.lines().map(str::trim_start);
        assert!(
            lines.any(|line| line.starts_with(&example)),
            "no example: {help}"
        );
    }
}

#[test]
fn links_of_the_documents_lead_to_files() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        let text = document(name);
        for link in text.split("](").skip(1) {
            let target = link.split([')', ' ']).next().unwrap();
            let elsewhere = ["https://", "http://", "mailto:", "#"];
            if elsewhere.iter().any(|start| target.starts_with(start)) {
                continue;
            }
            let file = target.split('#').next().unwrap();
            assert!(root().join(file).exists(), "{name} points to {target}");
        }
    }
}

#[test]
fn files_that_it_names_exist() {
    for name in ["docker-compose.yml", "countersign.example.toml"] {
        assert!(document("README.md").contains(name), "{name}");
        assert!(root().join(name).is_file(), "{name}");
    }
}
