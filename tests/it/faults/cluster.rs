//! A PostgreSQL of one test's own, which can be stopped and started again.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::support::postgres::{find_programs, unprivileged_user};

/// Gets the directory as `$1` and the programs' directory as `$2`. It is told to stop and to start
/// over its standard input, and answers when that is done; when the test process ends, so does the
/// server, and the directory goes.
const SUPERVISOR: &str = r#"
"$2/initdb" --pgdata="$1/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C \
    --no-sync --no-instructions > "$1/log" 2>&1 || exit 1
begin() {
    "$2/pg_ctl" -D "$1/data" -s -w -l "$1/log" \
        -o "-k $1 -F -c listen_addresses= -c port=5432 -c shared_buffers=16MB" start > /dev/null
}
begin "$1" "$2" && echo started
while read -r what; do
    if [ "$what" = stop ]; then
        "$2/pg_ctl" -D "$1/data" -s -w -m fast stop > /dev/null && echo stopped
    else
        begin "$1" "$2" && echo started
    fi
done
"$2/pg_ctl" -D "$1/data" -s -w -m immediate stop > /dev/null 2>&1
rm -rf "$1"
"#;

/// The server.
pub struct OwnCluster {
    /// The URL of its only database.
    pub url: String,
    tell: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl OwnCluster {
    /// Starts one.
    pub fn start() -> Self {
        let directory = PathBuf::from(format!("/tmp/countersign-pg-own-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .unwrap();
        let mut supervisor = Command::new("/bin/sh");
        supervisor
            .args(["-c", SUPERVISOR, "countersign-postgres-own"])
            .args([&directory, &find_programs()])
            .current_dir(&directory)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        if let Some((user, group)) = unprivileged_user() {
            chown(&directory, Some(user), Some(group)).unwrap();
            supervisor.uid(user).gid(group);
        }
        #[expect(clippy::zombie_processes, reason = "it ends when its input is closed")]
        let mut child = supervisor.spawn().unwrap();
        let mut own = Self {
            url: format!(
                "postgres:///postgres?host={}&port=5432&user=postgres&sslmode=disable",
                directory.display()
            ),
            tell: child.stdin.take().unwrap(),
            told: BufReader::new(child.stdout.take().unwrap()),
        };
        own.wait_for("started");
        own
    }

    /// Stops it, as an administrator does for an upgrade.
    pub fn stop(&mut self) {
        writeln!(self.tell, "stop").unwrap();
        self.wait_for("stopped");
    }

    /// Starts it again.
    pub fn again(&mut self) {
        writeln!(self.tell, "start").unwrap();
        self.wait_for("started");
    }

    fn wait_for(&mut self, what: &str) {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), what);
    }
}
