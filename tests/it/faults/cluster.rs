//! A PostgreSQL of one test's own, which can be stopped and started again.

use crate::support::postgres::Supervisor;

/// Gets the directory as `$1` and the programs' directory as `$2`.
const SCRIPT: &str = r#"
begin() {
    "$2/pg_ctl" -D "$1/data" -s -w -l "$1/log" \
        -o "-k $1 -F -c listen_addresses= -c port=5432 -c shared_buffers=16MB" start > /dev/null
}
while read -r what; do
    case $what in
        init)
            "$2/initdb" --pgdata="$1/data" --username=postgres --auth=trust --encoding=UTF8 \
                --locale=C --no-sync --no-instructions > "$1/log" 2>&1 || exit 1
            ;;
        start) begin "$1" "$2" || exit 1 ;;
        stop) "$2/pg_ctl" -D "$1/data" -s -w -m fast stop > /dev/null || exit 1 ;;
    esac
    echo done
done
"$2/pg_ctl" -D "$1/data" -s -w -m immediate stop > /dev/null 2>&1
rm -rf "$1"
"#;

/// The server.
pub struct OwnCluster {
    /// The URL of its only database.
    pub url: String,
    supervisor: Supervisor,
}

impl OwnCluster {
    /// Starts one.
    pub fn start() -> Self {
        let mut supervisor = Supervisor::start("pg-own", SCRIPT);
        supervisor.order("init");
        supervisor.order("start");
        Self {
            url: format!(
                "postgres:///postgres?host={}&port=5432&user=postgres&sslmode=disable",
                supervisor.directory.display()
            ),
            supervisor,
        }
    }

    /// Stops it, as an administrator does for an upgrade.
    pub fn stop(&mut self) {
        self.supervisor.order("stop");
    }

    /// Starts it again.
    pub fn again(&mut self) {
        self.supervisor.order("start");
    }
}
