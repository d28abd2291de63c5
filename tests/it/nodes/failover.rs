//! The primary dies and the synchronous standby takes its place: nothing that was spent is good
//! again, and nothing that was acknowledged is lost.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use countersign::app::App;
use countersign::flows::seal_audit::{self, Verdict};
use countersign::store::inspect;
use serde_json::json;

use super::process::PATIENCE;
use super::proxy::DbProxy;
use crate::operate::blocks;
use crate::support::postgres::{Supervisor, find_programs};
use crate::support::template::ROOT;
use crate::support::{AuthRequest, Engine, Reply, Spec, TestServer, jwt};

/// Does what it is told, a line an order, and says when it is done; takes everything away at the end
/// of its input. `$1` is the directory, `$2` that of the programs.
const PAIR: &str = r#"
serve() {
    "$2/postgres" -D "$1/$3" -k "$1/$3-socket" -F -c listen_addresses= -c port=5432 \
        -c shared_buffers=32MB -c max_connections=100 -c timezone=UTC -c hot_standby=on \
        -c log_min_messages=fatal >> "$1/log" 2>&1 &
    pids="$pids $!"
    last=$!
    until "$2/pg_isready" --quiet --port=5432 --host="$1/$3-socket"; do
        kill -0 "$last" || exit 1
        sleep 0.05
    done
}
sql() { "$2/psql" -XqAt -h "$1/primary-socket" -U postgres -c "$3" >> "$1/log" 2>&1; }
order() {
    case $3 in
        primary)
            mkdir "$1/primary-socket" "$1/standby-socket"
            "$2/initdb" --pgdata="$1/primary" --username=postgres --auth=trust --encoding=UTF8 \
                --locale=C --no-sync --no-instructions >> "$1/log" 2>&1 || exit 1
            serve "$1" "$2" primary
            primary=$last
            sql "$1" "$2" 'CREATE DATABASE countersign'
            ;;
        standby)
            "$2/pg_basebackup" -h "$1/primary-socket" -U postgres -D "$1/standby" -R -X stream \
                -c fast --no-sync >> "$1/log" 2>&1 || exit 1
            serve "$1" "$2" standby
            ;;
        synchronous)
            until "$2/psql" -XqAt -h "$1/primary-socket" -U postgres \
                -c 'SELECT sync_state FROM pg_stat_replication' | grep -q quorum; do
                sleep 0.05
            done
            ;;
        kill) kill -KILL "$primary" && wait "$primary" ;;
    esac
    echo done
}
pids=''
while read -r asked; do
    order "$1" "$2" "$asked"
done
kill -QUIT $pids
wait
rm -rf "$1"
"#;

/// A primary, later with a standby.
struct Pair(Supervisor);

impl Pair {
    fn start() -> Self {
        let mut pair = Self(Supervisor::start("pair", PAIR));
        pair.order("primary");
        pair
    }

    fn order(&mut self, order: &str) {
        self.0.order(order);
    }

    /// Types a command of the guide, whose hosts are here.
    fn types(&self, typed: &str) {
        let here = |which| self.socket(which).display().to_string();
        let typed = typed
            .replace("primary.db.bank.example", &here("primary"))
            .replace("standby.db.bank.example", &here("standby"))
            .replace(
                "psql ",
                &format!("{}/psql --no-psqlrc ", find_programs().display()),
            );
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &typed])
            .env("PGUSER", "postgres")
            .env("PGPORT", "5432")
            .output()
            .unwrap();
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{typed}: {why}");
    }

    fn socket(&self, which: &str) -> PathBuf {
        self.0.directory.join(format!("{which}-socket"))
    }
}

async fn standby_behind(node: &TestServer) -> bool {
    let now = node.clock.now();
    let looked = node
        .app
        .store
        .read(move |tx| Box::pin(inspect::engine(tx, now)));
    looked.await.unwrap().0.standby_behind
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_nothing_spent_lives_and_nothing_acknowledged_is_lost() {
    let mut pair = Pair::start();
    let proxy = DbProxy::start(pair.socket("primary")).await;
    let url = proxy.url("countersign");
    let a = TestServer::start_with(Engine::Postgres, |file| file.database.url = url).await;
    assert!(!standby_behind(&a).await);
    pair.order("standby");
    let begun = Instant::now();
    // It connects a moment after it can be asked.
    while !standby_behind(&a).await {
        assert!(begun.elapsed() < PATIENCE, "commits wait for nobody");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let guide = blocks("several-nodes.md");
    let [_, synchronous, promote] = &guide[..] else {
        panic!("{guide:?}");
    };
    pair.types(synchronous);
    pair.order("synchronous");
    assert!(!standby_behind(&a).await);
    let b = a.node(2).await;
    a_standby_is_refused(&a, &pair).await;

    let app = a.register(Spec::confidential("app")).await;
    let keyed = a.register(Spec::with_key("keyed")).await;
    let public = a.register(Spec::public("public")).await;
    let ada = a.person("ada").await;
    a.advance(1);
    let mut browser = a.browser();
    let request = AuthRequest::new(&app, "openid accounts:read");
    let code = browser.walk(&a, &request, &ada).await.code();
    let tokens = request.redeem(&b, &app, &code).await;
    let other = AuthRequest::new(&app, "openid accounts:read");
    let unspent = browser.walk(&a, &other, &ada).await.code();
    let offline = browser
        .code_flow(&a, &public, &ada, "openid offline_access accounts:read")
        .await;
    let second = public.refresh(&b, &offline.refresh).await.ok();
    let second = second["refresh_token"].as_str().unwrap().to_owned();
    let third = public.refresh(&a, &second).await.ok();
    let third = third["refresh_token"].as_str().unwrap().to_owned();
    let assertion = keyed.assertion(&keyed.claims(&a));
    assert_eq!(present(&a, &assertion).await.status, 200);
    let mut gone = b.browser();
    gone.sign_in(&b, &ada).await;
    let page = gone.get("/end_session").await;
    gone.post(&page.form("/end_session/confirm").unwrap(), &[])
        .await;
    assert!(!gone.is_signed_in().await);
    let live = app.client_credentials(&a, "accounts:read").await;
    let live = live.text("access_token").to_owned();

    // Revocations go on while the primary dies; each that was acknowledged is written down.
    let mut acknowledged = Vec::new();
    let mut dying = Vec::new();
    for _ in 0..24 {
        let reply = app.client_credentials(&b, "accounts:read").await;
        dying.push(reply.text("access_token").to_owned());
    }
    for (n, token) in dying.iter().enumerate() {
        if n == 12 {
            pair.order("kill");
        }
        let reply = app.revoke(if n % 2 == 0 { &a } else { &b }, token).await;
        match reply.status {
            200 => acknowledged.push(token.clone()),
            503 => break,
            other => panic!("{other}: {}", reply.body),
        }
    }
    assert!(acknowledged.len() >= 12, "{}", acknowledged.len());
    a.advance(1);
    let blind = a
        .accounts
        .post(&a, "/introspect", &[("token", &live)])
        .await;
    assert_eq!(blind.status, 503, "without a database nothing is judged");

    pair.types(promote);
    proxy.lead_to(pair.socket("standby"));
    a.advance(1);
    for node in [&a, &b] {
        let begun = Instant::now();
        while node.get("/readyz").await.status != 200 {
            assert!(begun.elapsed() < PATIENCE);
            // A verdict is good for half a second of the node's own clock.
            node.advance(1);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for node in [&a, &b] {
        for token in &acknowledged {
            assert!(!node.accounts.sees(node, token).await);
        }
        assert!(node.accounts.sees(node, &live).await);
        assert!(!gone.led_to(node).is_signed_in().await);
        assert!(browser.led_to(node).is_signed_in().await);
        present(node, &assertion)
            .await
            .refused(401, "invalid_client");
    }
    // A successor is known: who presents what came before it stole it.
    public.refresh(&b, &third).await.ok();
    public
        .refresh(&a, &second)
        .await
        .refused(400, "invalid_grant");
    assert!(a.accounts.sees(&a, &tokens.access).await);
    other.redeem(&b, &app, &unspent).await;
    request
        .try_redeem(&a, &app, &code)
        .await
        .refused(400, "invalid_grant");
    other
        .try_redeem(&a, &app, &unspent)
        .await
        .refused(400, "invalid_grant");
    countersign::jobs::audit_sealer::tick(&a.app).await.unwrap();
    let verdict = seal_audit::verify(&b.app).await.unwrap();
    assert!(matches!(verdict, Verdict::Intact { .. }), "{verdict:?}");
}

/// A node that is led to a standby says so, and does not start.
async fn a_standby_is_refused(node: &TestServer, pair: &Pair) {
    let mut file = node.file().clone();
    let socket = pair.socket("standby");
    file.database.url = format!(
        "postgres:///countersign?host={}&port=5432&user=postgres&sslmode=disable",
        socket.display()
    );
    let opened = App::open(file.check().unwrap(), &ROOT, node.clock.clone()).await;
    let Err(why) = opened else {
        panic!("it started on a standby");
    };
    assert!(why.0.contains("it is a standby"), "{why}");
}

async fn present(node: &TestServer, assertion: &str) -> Reply {
    let form = json!({
        "grant_type": "client_credentials",
        "scope": "accounts:read",
        "client_assertion_type": jwt::ASSERTION_TYPE,
        "client_assertion": assertion,
    });
    Reply::of(node.http.post(node.at("/token")).form(&form)).await
}
