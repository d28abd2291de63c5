//! Every answer about a token and every acknowledged revocation is written down with its time, on
//! three real nodes, one of which loses its database for a while. The history is judged afterwards:
//! no request that began more than a second after the acknowledgement is told that the token is
//! good, and none that ended before the revocation was asked for is told that it is not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};

use super::process::Site;
use super::proxy::{DbProxy, Way};
use super::wire::{self, Wire};
use crate::support::postgres::Cluster;
use crate::support::{ClientApp, Engine, Spec, TestServer};

const HOSTS: [u8; 3] = [2, 3, 4];
/// The node whose database goes away.
const CUT_OFF: u8 = 4;
/// How long a revocation may take everywhere.
const PROMISE: Duration = Duration::from_secs(1);

/// One answer about a token.
struct Seen {
    token: usize,
    host: u8,
    asked: Instant,
    answered: Instant,
    /// Whether it is good; nothing when that was not said (503).
    active: Option<bool>,
}

#[derive(Clone, Copy)]
struct Revoked {
    asked: Instant,
    acknowledged: Instant,
}

#[derive(Default)]
struct History {
    tokens: Vec<String>,
    revoked: HashMap<usize, Revoked>,
    seen: Vec<Seen>,
}

type Shared = Arc<Mutex<History>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_revoked_is_good_nowhere_a_second_later() {
    watch_for(Duration::from_secs(6)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "watches for ten minutes"]
async fn what_was_revoked_is_good_nowhere_a_second_later_for_ten_minutes() {
    watch_for(Duration::from_mins(10)).await;
}

async fn watch_for(long: Duration) {
    let server = TestServer::start_now(Engine::Postgres).await;
    let app = server.register(Spec::confidential("app")).await;
    let site = Site::beside(&server);
    let proxy = DbProxy::start(Cluster::shared().directory().to_owned()).await;
    let cut_off = proxy.url(server.database.as_deref().unwrap());
    let mut nodes = Vec::new();
    for host in HOSTS {
        let url = [("COUNTERSIGN__DATABASE__URL", cut_off.as_str())];
        let settings = if host == CUT_OFF { &url[..] } else { &[] };
        nodes.push(
            site.start_as(host, env!("CARGO_BIN_EXE_countersign").as_ref(), settings)
                .await,
        );
    }
    let history = Shared::default();
    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    for _ in 0..2 {
        tasks.push(tokio::spawn(issue_and_revoke(
            wires(&site),
            (app.clone(), site.port),
            Arc::clone(&history),
            stopped.clone(),
        )));
    }
    for host in HOSTS {
        tasks.push(tokio::spawn(introspect(
            (host, Wire::new(site.address(host))),
            (server.accounts.clone(), site.port),
            Arc::clone(&history),
            stopped.clone(),
        )));
    }
    let part = long / 6;
    let mut cuts = Vec::new();
    tokio::time::sleep(part).await;
    for way in [Way::Silent, Way::Refused] {
        let from = Instant::now();
        proxy.set(way);
        tokio::time::sleep(part + Duration::from_secs(1)).await;
        cuts.push((from, Instant::now()));
        proxy.set(Way::Open);
        tokio::time::sleep(part).await;
    }
    // It recovers by itself.
    let begun = Instant::now();
    while nodes[2].ready().await != Some(200) {
        assert!(
            begun.elapsed() < super::process::PATIENCE,
            "{}",
            nodes[2].said()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send_replace(true);
    for task in tasks {
        task.await.unwrap();
    }
    judge(&*history.lock().await, &cuts);
}

fn wires(site: &Site) -> Vec<Wire> {
    HOSTS
        .iter()
        .map(|host| Wire::new(site.address(*host)))
        .collect()
}

/// Gets tokens at one node and revokes them at another, neither of which is cut off.
async fn issue_and_revoke(
    mut wires: Vec<Wire>,
    (app, port): (ClientApp, u16),
    history: Shared,
    stopped: watch::Receiver<bool>,
) {
    let basic = app.basic();
    let headers = [("authorization", basic.as_str())];
    for n in 0.. {
        if *stopped.borrow() {
            return;
        }
        let form = wire::form(&[
            ("grant_type", "client_credentials"),
            ("scope", "accounts:read"),
        ]);
        let request = wire::request("POST", port, "/token", &headers, &form);
        let got = wires[n % 2].ask(&request).await.unwrap();
        assert_eq!(got.status, 200, "{}", got.head);
        let token = got.json()["access_token"].as_str().unwrap().to_owned();
        let number = {
            let mut history = history.lock().await;
            history.tokens.push(token.clone());
            history.tokens.len() - 1
        };
        // Long enough to be seen as good everywhere.
        tokio::time::sleep(Duration::from_millis(60)).await;
        let form = wire::form(&[("token", &token)]);
        let request = wire::request("POST", port, "/revoke", &headers, &form);
        let asked = Instant::now();
        let got = wires[(n + 1) % 2].ask(&request).await.unwrap();
        let acknowledged = Instant::now();
        assert_eq!(got.status, 200, "{}", got.head);
        let revoked = Revoked {
            asked,
            acknowledged,
        };
        history.lock().await.revoked.insert(number, revoked);
    }
}

/// Asks one node about the newest tokens and about some that are older.
async fn introspect(
    (host, mut wire): (u8, Wire),
    (api, port): (ClientApp, u16),
    history: Shared,
    stopped: watch::Receiver<bool>,
) {
    let basic = api.basic();
    let headers = [("authorization", basic.as_str())];
    for n in 0.. {
        if *stopped.borrow() {
            return;
        }
        let picked = {
            let history = history.lock().await;
            let many = history.tokens.len();
            // The last thirty in turn: those were revoked within the last seconds.
            many.checked_sub(1 + n % 30)
                .map(|token| (token, history.tokens[token].clone()))
        };
        let Some((token, text)) = picked else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let form = wire::form(&[("token", &text)]);
        let request = wire::request("POST", port, "/introspect", &headers, &form);
        let asked = Instant::now();
        let got = wire.ask(&request).await.unwrap();
        let answered = Instant::now();
        let active = match got.status {
            200 => Some(got.json()["active"].as_bool().unwrap()),
            503 => None,
            other => panic!("{other}: {}", got.head),
        };
        history.lock().await.seen.push(Seen {
            token,
            host,
            asked,
            answered,
            active,
        });
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
}

fn judge(history: &History, cuts: &[(Instant, Instant)]) {
    let mut told = HashMap::<(u8, Option<bool>), usize>::new();
    for seen in &history.seen {
        *told.entry((seen.host, seen.active)).or_default() += 1;
        let revoked = history.revoked.get(&seen.token);
        match (seen.active, revoked) {
            (Some(true), Some(revoked)) => assert!(
                seen.asked <= revoked.acknowledged + PROMISE,
                "node {} said that token {} was good {:?} after its revocation was acknowledged",
                seen.host,
                seen.token,
                seen.asked.duration_since(revoked.acknowledged)
            ),
            (Some(false), Some(revoked)) => assert!(
                seen.answered >= revoked.asked,
                "node {} said that token {} was void before anybody asked for that",
                seen.host,
                seen.token
            ),
            (Some(false), None) => panic!("token {} was never revoked", seen.token),
            _ => {}
        }
        let took = seen.answered.duration_since(seen.asked);
        assert!(took < Duration::from_secs(8), "an answer took {took:?}");
        if seen.host != CUT_OFF {
            assert!(seen.active.is_some(), "node {} has its database", seen.host);
        }
    }
    println!("{} tokens, answers: {told:?}", history.tokens.len());
    for host in HOSTS {
        for active in [true, false] {
            assert!(told.contains_key(&(host, Some(active))), "{told:?}");
        }
    }
    // Who does not know says so.
    for (from, to) in cuts {
        let blind = history.seen.iter().filter(|seen| {
            seen.host == CUT_OFF && seen.asked > *from + PROMISE && seen.answered < *to
        });
        let judged: Vec<_> = blind
            .filter(|seen| seen.active.is_some())
            .map(|seen| seen.asked.duration_since(*from))
            .collect();
        assert!(
            judged.is_empty(),
            "a node without a database judged {} times, {:?} to {:?} after it was cut off",
            judged.len(),
            judged.first(),
            judged.last()
        );
    }
    assert!(
        told.get(&(CUT_OFF, None)).is_some_and(|many| *many > 0),
        "{told:?}"
    );
}
