//! Through pgbouncer, which hands out connections to PostgreSQL by the transaction.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign::app::App;
use countersign::flows::rotate_keys;
use countersign::flows::seal_audit::{self, Verdict};
use countersign::jobs;
use rules::jose::Alg;

use crate::support::postgres::{Cluster, unprivileged_user};
use crate::support::server::caller;
use crate::support::template::ROOT;
use crate::support::{AuthRequest, Engine, Spec, TestServer, race};

/// Ends with its input, and takes its directory with it.
const POOLER: &str = r#"
"$2" "$1/pgbouncer.ini" >> "$1/log" 2>&1 &
pooler=$!
read -r _
kill -KILL "$pooler"
wait "$pooler"
rm -rf "$1"
"#;

/// A running pgbouncer before the test cluster, with few connections for many.
pub struct Pooler {
    directory: PathBuf,
    _alive: ChildStdin,
}

impl Pooler {
    fn start(connections: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let directory = PathBuf::from(format!("/tmp/countersign-pooler-{process}-{number}"));
        let _ = fs::remove_dir_all(&directory);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .unwrap();
        let here = directory.display();
        let cluster = Cluster::shared().directory().display();
        let settings = format!(
            "[databases]\n* = host={cluster} port=5432\n[pgbouncer]\nlisten_port = 6432\n\
             unix_socket_dir = {here}\nlogfile = {here}/log\npidfile = {here}/pid\n\
             auth_type = trust\nauth_file = {here}/users\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 500\n"
        );
        fs::write(directory.join("pgbouncer.ini"), settings).unwrap();
        fs::write(directory.join("users"), "\"postgres\" \"\"\n").unwrap();
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let program = program
            .into_iter()
            .find(|path| fs::exists(path).unwrap_or(false));
        let program = program.expect("pgbouncer is not installed: apt-get install pgbouncer");
        let mut supervisor = Command::new("/bin/sh");
        supervisor
            .args(["-c", POOLER, "countersign-pooler"])
            .arg(&directory)
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if let Some((user, group)) = unprivileged_user() {
            for file in ["", "pgbouncer.ini", "users"] {
                chown(directory.join(file), Some(user), Some(group)).unwrap();
            }
            supervisor.uid(user).gid(group);
        }
        #[expect(clippy::zombie_processes, reason = "it ends when its input is closed")]
        let mut child = supervisor.spawn().unwrap();
        let alive = child.stdin.take().unwrap();
        for _ in 0..600 {
            if directory.join(".s.PGSQL.6432").exists() {
                return Self {
                    directory,
                    _alive: alive,
                };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
        panic!("pgbouncer did not start: {log}");
    }

    fn url(&self, database: &str) -> String {
        let here = self.directory.display();
        format!("postgres:///{database}?host={here}&port=6432&user=postgres&sslmode=disable")
    }
}

/// The database's name in a URL of the test cluster.
fn database(url: &str) -> String {
    let name = url.trim_start_matches("postgres:///").split('?').next();
    name.unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_through_a_pooler_that_works_by_transaction() {
    let pooler = Pooler::start(3);
    let a = TestServer::start_with(Engine::Postgres, |file| {
        file.database.url = pooler.url(&database(&file.database.url));
        file.database.prepared_statements = false;
    })
    .await;
    let b = a.node(2).await;
    let app = a.register(Spec::confidential("app")).await;
    let public = a.register(Spec::public("public")).await;
    let keyed = a.register(Spec::with_key("keyed")).await;
    let ada = a.person("ada").await;
    a.advance(1);
    let nodes = Arc::new([a, b]);
    let [a, b] = &*nodes;
    let mut browser = a.browser();
    let request = AuthRequest::new(&app, "openid accounts:read");
    let short = request.pushed(b, &app).await;
    let code = browser.walk(a, &short, &ada).await.code();
    // Far more at once than there are connections to PostgreSQL, each from another connection.
    let replies = race(40, |n| {
        let (nodes, app, request, code) = (
            Arc::clone(&nodes),
            app.clone(),
            request.clone(),
            code.clone(),
        );
        async move { request.try_redeem(&nodes[n % 2], &app, &code).await.status }
    })
    .await;
    let count = |status| replies.iter().filter(|one| **one == status).count();
    assert_eq!((count(200), count(400)), (1, 39), "{replies:?}");
    let replies = race(60, |n| {
        let (nodes, app, keyed) = (Arc::clone(&nodes), app.clone(), keyed.clone());
        async move {
            let app = if n % 3 == 0 { keyed } else { app };
            let node = &nodes[n % 2];
            let reply = app.client_credentials(node, "accounts:read").await;
            let token = reply.text("access_token").to_owned();
            let seen = node.accounts.sees(node, &token).await;
            let revoked = app.revoke(node, &token).await.status;
            (reply.status, seen, revoked)
        }
    })
    .await;
    assert!(
        replies.iter().all(|one| *one == (200, true, 200)),
        "{replies:?}"
    );
    let tokens = browser
        .led_to(b)
        .code_flow(b, &public, &ada, "openid offline_access accounts:read")
        .await;
    let next = public.refresh(a, &tokens.refresh).await.ok();
    assert!(next["refresh_token"].is_string());
    assert!(browser.open("/account").await.status == 200);
    rotate_keys::rotate(&a.app, Alg::Es256, &caller())
        .await
        .unwrap();
    a.advance(1);
    for node in [a, b] {
        let reply = app.client_credentials(node, "cards:read").await;
        assert!(node.cards.sees(node, reply.text("access_token")).await);
        for job in jobs::ALL {
            (job.tick)(&node.app)
                .await
                .unwrap_or_else(|fault| panic!("{}: {fault}", job.name));
        }
    }
    let verdict = seal_audit::verify(&b.app).await.unwrap();
    assert!(matches!(verdict, Verdict::Intact { .. }), "{verdict:?}");
    // A backup reads everything in one transaction.
    let snapshot = a.app.store.snapshot().await.unwrap();
    assert!(snapshot.tables().len() > 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_set_a_new_database_up_through_a_pooler() {
    let pooler = Pooler::start(2);
    let server = TestServer::start(Engine::Postgres).await;
    Cluster::shared().create_database("through_a_pooler", None);
    let mut file = server.file().clone();
    file.database.url = pooler.url("through_a_pooler");
    file.database.prepared_statements = false;
    let config = file.check().unwrap();
    let opened = race(3, |_| {
        let (config, clock) = (config.clone(), server.clock.clone());
        async move { App::open(config, &ROOT, clock).await }
    })
    .await;
    for app in opened {
        let app = app.unwrap_or_else(|why| panic!("{why}"));
        app.store.ping().await.unwrap();
    }
    // No lock was left behind at a connection of the pooler.
    let locks = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(Cluster::shared().execute("through_a_pooler", locks), "0");
}
