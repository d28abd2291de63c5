//! What `docs/operate/` tells an operator to type is typed here, word for word, on a machine that is a
//! folder: where commands would change the real one (accounts, packages, services), stand-ins do as
//! they would.

mod nginx;
mod package;
mod pages;
mod release;
mod roles;
mod testssl;
mod unit;
mod upstream;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::certificates::{Algorithm, Authority};
use crate::support::template::Directory;

const HOST: &str = "login.bank.example";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shell blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<String> {
    fenced(page, "sh")
}

/// The blocks of a page in a language, in order.
fn fenced(page: &str, language: &str) -> Vec<String> {
    let path = root().join("docs/operate").join(page);
    let text = fs::read_to_string(&path).unwrap();
    let fence = format!("\n```{language}\n");
    let blocks = text.split(&fence).skip(1);
    let blocks = blocks.map(|rest| rest.split_once("\n```").unwrap().0.to_owned());
    blocks.collect()
}

/// An operator's machine.
struct Machine {
    directory: Directory,
    authority: Authority,
    port: u16,
}

impl Machine {
    fn new() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let machine = Self {
            directory: Directory::new(),
            authority: Authority::new(),
            port,
        };
        for folder in ["bin", "etc", "var", "safe", "work"] {
            fs::create_dir(machine.path(folder)).unwrap();
        }
        machine.certificate();
        machine.stand_in("dpkg", "[[ $1 == -i && -f $2 ]]");
        machine.stand_in("chown", "true");
        machine.stand_in("install", INSTALL);
        machine.stand_in("curl", CURL);
        machine.stand_in("systemctl", SYSTEMCTL);
        machine.stand_in("countersign", COUNTERSIGN);
        fs::write(machine.path("work/countersign_1_amd64.deb"), "").unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A new certificate where the operator keeps those that come from the authority.
    fn certificate(&self) {
        let work = self.path("work");
        let files = self.authority.issue(&work, HOST, Algorithm::Ecdsa, 2199);
        fs::rename(files.certificate, work.join("chain.pem")).unwrap();
        fs::rename(files.key, work.join("key.pem")).unwrap();
        fs::write(work.join("authority.pem"), self.authority.pem()).unwrap();
    }

    fn stand_in(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        let script = format!("#!/usr/bin/env bash\nset -euo pipefail\n{script}\n");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What the shell is given for what is typed.
    fn command(&self, typed: &str) -> Command {
        let here = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let typed = typed
            .replace("/etc/countersign", &here("etc"))
            .replace("/var/lib/countersign", &here("var"))
            .replace("/media/safe", &here("safe"))
            .replace("/tmp/image", &here("image"))
            .replace(
                "/usr/share/doc/countersign/postgresql",
                root().join("packaging/postgresql").to_str().unwrap(),
            )
            .replace("0.0.0.0:443", &format!("127.0.0.1:{}", self.port));
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &typed])
            .current_dir(self.path("work"))
            .env("PATH", path)
            .env("MACHINE", self.directory.path())
            .env("PORT", self.port.to_string())
            .env("BINARY", env!("CARGO_BIN_EXE_countersign"))
            .env("COUNTERSIGN_CONFIG", self.path("etc/countersign.toml"))
            .stdin(Stdio::null());
        command
    }

    /// Types what must succeed; gives what was printed.
    #[track_caller]
    fn types(&self, typed: &str) -> String {
        let output = self.command(typed).output().unwrap();
        self.succeeded(typed, &output)
    }

    #[track_caller]
    fn succeeded(&self, typed: &str, output: &Output) -> String {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        assert!(
            output.status.success(),
            "{typed}\n--- {}\n--- {}\n--- {log}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        String::from_utf8(output.stdout.clone()).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.path("pid")) {
            let _ = Command::new("kill").args(["-KILL", pid.trim()]).status();
        }
    }
}

/// Without the groups and owners that this machine does not have.
const INSTALL: &str = r#"
arguments=()
while (($# > 0)); do
    case $1 in
        -g | -o) shift ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
exec /usr/bin/install "${arguments[@]}"
"#;

/// The server's name leads to its port here.
const CURL: &str = r#"
exec /usr/bin/curl --silent --show-error --cacert "$MACHINE/work/authority.pem" \
    --connect-to "login.bank.example:443:127.0.0.1:$PORT" "$@"
"#;

/// Where nothing else is said, everything lies in /etc and /var/lib.
const COUNTERSIGN: &str = r#"
arguments=("$@")
if [[ ${1:-} == init && " $* " != *" --dir "* ]]; then
    arguments+=(--dir "$MACHINE/etc")
fi
exec "$BINARY" "${arguments[@]}"
"#;

/// A service manager for one unit.
const SYSTEMCTL: &str = r#"
start() {
    nohup countersign serve < /dev/null > /dev/null 2>> "$MACHINE/log" &
    echo $! > "$MACHINE/pid"
    for _ in $(seq 600); do
        [[ -S $MACHINE/etc/countersign.sock ]] && return
        kill -0 "$(cat "$MACHINE/pid")" || exit 1
        sleep 0.05
    done
    exit 1
}
stop() {
    local pid
    pid=$(cat "$MACHINE/pid")
    kill -TERM "$pid"
    for _ in $(seq 600); do
        kill -0 "$pid" 2> /dev/null || { rm "$MACHINE/pid" && return; }
        sleep 0.05
    done
    exit 1
}
reload() {
    local before
    before=$(grep -c 'read anew' "$MACHINE/log" || true)
    kill -HUP "$(cat "$MACHINE/pid")"
    for _ in $(seq 600); do
        (($(grep -c 'read anew' "$MACHINE/log" || true) > before)) && return
        sleep 0.05
    done
    exit 1
}
case "$*" in
    'enable --now countersign') start ;;
    'reload countersign') reload ;;
    'restart countersign') stop && start ;;
    'stop countersign') stop ;;
    *) echo "no such act: $*" >&2 && exit 1 ;;
esac
"#;
