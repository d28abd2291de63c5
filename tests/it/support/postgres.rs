//! A PostgreSQL server for the tests: Debian's own programs on a temporary directory.
//!
//! One server is started, at first use, for the whole test process. It listens on a UNIX socket
//! only, so it needs no port, and it forgets everything: `fsync` is off and the directory is
//! removed when the test process ends, however it ends. Tests take a database each, usually a
//! clone of a migrated template.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::Connection as _;

/// The superuser of the cluster. No password: only this machine's user and root reach the socket.
const SUPERUSER: &str = "postgres";
/// How often, and how many times, the server is asked whether it is ready: a minute in all.
const POLL: Duration = Duration::from_millis(50);
const POLLS: u32 = 1200;

/// Runs beside the tests with the directory as `$1` and the programs' directory as `$2`. Its
/// standard input is a pipe from the test process, which the kernel closes even after a
/// `kill -9`; then it stops the server at once and removes the directory.
const SUPERVISOR: &str = r#"
"$2/initdb" --pgdata="$1/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C \
    --no-sync --no-instructions > "$1/log" 2>&1 || exit 1
"$2/postgres" -D "$1/data" -k "$1" -F -c listen_addresses= -c port=5432 -c full_page_writes=off \
    -c synchronous_commit=off -c max_connections=400 -c shared_buffers=64MB -c autovacuum=off \
    -c timezone=UTC -c log_min_messages=fatal >> "$1/log" 2>&1 &
server=$!
read -r _
kill -QUIT "$server"
wait "$server"
rm -rf "$1"
"#;

static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);

/// A running PostgreSQL server.
pub struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    /// Held open for as long as the process lives: its end is the signal to stop.
    _alive: ChildStdin,
}

impl Cluster {
    /// The cluster of this test process, started at the first call.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the message says what to do.
    pub fn shared() -> &'static Self {
        &CLUSTER
    }

    /// Creates a database and returns its URL. With a template it is a copy of that database, to
    /// which nobody may be connected at that moment.
    ///
    /// # Panics
    /// When the name is taken or the template is in use.
    pub fn create_database(&self, name: &str, template: Option<&str>) -> String {
        let template = template.unwrap_or("template0");
        self.execute(
            "postgres",
            &format!(
                "CREATE DATABASE {} TEMPLATE {}",
                quoted(name),
                quoted(template)
            ),
        );
        self.url(name)
    }

    /// Runs SQL as the superuser, outside the server under test, and returns what it prints: a
    /// line for each row, columns separated by `|`.
    ///
    /// # Panics
    /// When the SQL fails.
    pub fn execute(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--command", sql])
            .arg(self.url(database))
            .output()
            .unwrap_or_else(|error| panic!("psql does not run: {error}"));
        assert!(
            output.status.success(),
            "SQL failed: {sql}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// A program of PostgreSQL, such as `pg_dump`, to be given a URL of this cluster.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }

    /// Where its socket lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The URL of a database, as libpq and the server's `database.url` understand it.
    pub fn url(&self, database: &str) -> String {
        let directory = self.directory.display();
        format!(
            "postgres:///{database}?host={directory}&port=5432&user={SUPERUSER}&sslmode=disable"
        )
    }

    /// The UNIX socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.directory.join(".s.PGSQL.5432")
    }

    fn start() -> Self {
        let programs = find_programs();
        // Not the configured temporary directory: a socket's path has at most 107 bytes, and the
        // unprivileged user must be able to reach it.
        let directory = PathBuf::from(format!("/tmp/countersign-pg-{}", std::process::id()));
        let mut child = supervise(&directory, &programs, (SUPERVISOR, Stdio::null()));
        let Some(alive) = child.stdin.take() else {
            panic!("the supervisor has no standard input");
        };
        wait_until_ready(&mut child, &programs, &directory);
        Self {
            programs,
            directory,
            _alive: alive,
        }
    }
}

/// Runs a script as whoever may run PostgreSQL, in a new directory, its `$1`; `$2` is the programs'
/// directory. Its standard input ends with the test process.
fn supervise(directory: &Path, programs: &Path, (script, told): (&str, Stdio)) -> Child {
    // A process of the same number that left something behind can only be dead.
    let _ = fs::remove_dir_all(directory);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(directory)
        .unwrap_or_else(|error| panic!("cannot create {}: {error}", directory.display()));
    let mut supervisor = Command::new("/bin/sh");
    supervisor
        .args(["-c", script, "countersign-postgres"])
        .args([directory, programs])
        .current_dir(directory)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(told)
        .stderr(Stdio::null())
        // Its own group: an interrupt at the terminal must not kill it before it cleans up.
        .process_group(0);
    if let Some((user, group)) = unprivileged_user() {
        chown(directory, Some(user), Some(group))
            .unwrap_or_else(|error| panic!("cannot give the directory away: {error}"));
        supervisor.uid(user).gid(group);
    }
    supervisor
        .spawn()
        .unwrap_or_else(|error| panic!("/bin/sh does not run: {error}"))
}

/// A script that does what it is told, a line an order, and answers each with `done`.
pub struct Supervisor {
    /// Its directory, which it takes away at the end.
    pub directory: PathBuf,
    orders: ChildStdin,
    done: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Starts one; the name says what of.
    pub fn start(name: &str, script: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let directory = PathBuf::from(format!("/tmp/countersign-{name}-{process}-{number}"));
        #[expect(clippy::zombie_processes, reason = "it ends when its input is closed")]
        let mut child = supervise(&directory, &find_programs(), (script, Stdio::piped()));
        Self {
            directory,
            orders: child.stdin.take().unwrap(),
            done: BufReader::new(child.stdout.take().unwrap()),
        }
    }

    /// Gives an order, and waits until it is done.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        let mut line = String::new();
        self.done.read_line(&mut line).unwrap();
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        assert_eq!(line, "done\n", "{order}: {log}");
    }
}

fn wait_until_ready(supervisor: &mut Child, programs: &Path, directory: &Path) {
    for _ in 0..POLLS {
        let ended = matches!(supervisor.try_wait(), Ok(Some(_)));
        let ready = Command::new(programs.join("pg_isready"))
            .args(["--quiet", "--port=5432", "--host"])
            .arg(directory)
            .status();
        if ready.is_ok_and(|status| status.success()) {
            return;
        }
        if ended {
            break;
        }
        thread::sleep(POLL);
    }
    let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
    panic!(
        "PostgreSQL did not start in {}:\n{log}",
        directory.display()
    );
}

/// A transaction of somebody else, which holds locks until it is let go.
pub struct Held(sqlx::PgConnection);

impl Held {
    /// Begins one with a statement.
    pub async fn begin(url: &str, sql: &str) -> Self {
        let mut own = sqlx::PgConnection::connect(url).await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("BEGIN; {sql}"));
        sqlx::raw_sql(sql).execute(&mut own).await.unwrap();
        Self(own)
    }

    /// Until so many statements of others wait.
    pub async fn is_waited_for(&mut self, by: i64) {
        // The second of two waits for the first.
        const WAITING: &str = "SELECT COUNT(*) FROM pg_locks JOIN pg_stat_activity USING (pid) \
             WHERE datname = current_database() AND NOT granted";
        for _ in 0..3000 {
            // What the view shows is fixed at its first use in a transaction.
            let sql = "SELECT pg_stat_clear_snapshot()";
            sqlx::raw_sql(sql).execute(&mut self.0).await.unwrap();
            let waiting = sqlx::query_scalar::<_, i64>(WAITING);
            if waiting.fetch_one(&mut self.0).await.unwrap() >= by {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nobody waits");
    }

    /// Commits it.
    pub async fn let_go(mut self) {
        sqlx::raw_sql("COMMIT").execute(&mut self.0).await.unwrap();
    }
}

/// Where `initdb` and `postgres` lie: Debian keeps them off the path, one directory a version.
pub fn find_programs() -> PathBuf {
    let version =
        |bin: &PathBuf| -> Option<u32> { bin.parent()?.file_name()?.to_str()?.parse().ok() };
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(version);
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .or_else(|| std::env::split_paths(&path).find(|bin| bin.join("initdb").exists()))
        .unwrap_or_else(|| {
            panic!(
                "PostgreSQL is not installed: apt-get install --no-install-recommends postgresql"
            )
        })
}

/// PostgreSQL refuses to run as root. When the tests do, it runs as Debian's `postgres`, or as
/// `nobody`; otherwise as whoever runs the tests (`None`).
pub fn unprivileged_user() -> Option<(u32, u32)> {
    let me = fs::metadata("/proc/self").map_or(0, |process| process.uid());
    if me != 0 {
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

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
