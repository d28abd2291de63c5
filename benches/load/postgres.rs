//! A `PostgreSQL` server as an institution would run it: Debian's programs, their default settings,
//! fsync on. It lies in a temporary directory and ends with the benchmark, however that ends.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Failed;

const POLL: Duration = Duration::from_millis(100);
/// A minute in all.
const POLLS: u32 = 600;

/// Gets the directory as `$1` and the programs' directory as `$2`. Its standard input is a pipe from
/// the benchmark; when that closes, it stops the server and removes the directory.
const SUPERVISOR: &str = r#"
"$2/initdb" --pgdata="$1/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C \
    --no-sync --no-instructions > "$1/log" 2>&1 || exit 1
"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c port=5432 >> "$1/log" 2>&1 &
server=$!
read -r _
kill -QUIT "$server"
wait "$server"
rm -rf "$1"
"#;

/// A running server.
pub struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    supervisor: Child,
    alive: Option<ChildStdin>,
}

impl Cluster {
    /// Starts one, on the processor of whoever calls.
    pub fn start() -> Result<Self, Failed> {
        let programs = find_programs()?;
        // A socket's path has at most 107 bytes, and an unprivileged user must reach it.
        let directory = PathBuf::from(format!("/tmp/countersign-bench-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let mut supervisor = Command::new("/bin/sh");
        supervisor
            .args(["-c", SUPERVISOR, "countersign-bench-postgres"])
            .args([&directory, &programs])
            .current_dir(&directory)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if let Some((user, group)) = unprivileged_user() {
            chown(&directory, Some(user), Some(group))?;
            supervisor.uid(user).gid(group);
        }
        let mut supervisor = supervisor.spawn()?;
        let alive = supervisor.stdin.take();
        let mut cluster = Self {
            programs,
            directory,
            supervisor,
            alive,
        };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// Creates a database and returns its URL.
    pub fn create(&self, name: &str) -> Result<String, Failed> {
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
        self.psql("postgres", &sql)?;
        Ok(self.url(name))
    }

    /// Creates a database and returns where it is, as `benches/peers` reads it.
    pub fn create_for_peer(&self, name: &str) -> Result<String, Failed> {
        self.create(name)?;
        let directory = self.directory.display();
        Ok(format!(
            "host={directory} port=5432 user=postgres database={name}"
        ))
    }

    /// Its version.
    pub fn version(&self) -> Result<String, Failed> {
        self.psql("postgres", "SHOW server_version")
    }

    fn psql(&self, database: &str, sql: &str) -> Result<String, Failed> {
        let output = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--command", sql])
            .arg(self.url(database))
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(format!("{sql}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    fn url(&self, database: &str) -> String {
        let directory = self.directory.display();
        format!("postgres:///{database}?host={directory}&port=5432&user=postgres&sslmode=disable")
    }

    fn wait_until_ready(&mut self) -> Result<(), Failed> {
        for _ in 0..POLLS {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["--quiet", "--port=5432", "--host"])
                .arg(&self.directory)
                .status()?;
            if ready.success() {
                return Ok(());
            }
            if self.supervisor.try_wait()?.is_some() {
                break;
            }
            thread::sleep(POLL);
        }
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        Err(format!("PostgreSQL did not start:\n{log}").into())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.supervisor.wait();
    }
}

fn find_programs() -> Result<PathBuf, Failed> {
    let version = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(version);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        debian.or_else(|| std::env::split_paths(&path).find(|bin: &PathBuf| has_initdb(bin)));
    found.ok_or_else(|| {
        "PostgreSQL is not installed (apt-get install --no-install-recommends postgresql); measure \
         the embedded database alone with `-- --engine sqlite`"
            .into()
    })
}

fn has_initdb(bin: &Path) -> bool {
    bin.join("initdb").exists()
}

/// `PostgreSQL` refuses to run as root: then it runs as Debian's `postgres`, or as `nobody`.
fn unprivileged_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").map_or(0, |process| process.uid()) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |wanted: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .or(Some((65534, 65534)))
}
