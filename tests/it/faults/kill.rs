//! `kill -9` at any moment, under load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::served::Served;
use crate::support::Engine;

/// How many do things at once, of each kind.
const EACH: usize = 3;

/// What was acknowledged.
#[derive(Default)]
struct Ledger {
    /// Tokens that were given and not touched since.
    alive: Vec<String>,
    /// Tokens whose end was acknowledged.
    ended: Vec<String>,
    /// The newest refresh token of each family.
    newest: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9_under_load() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        rounds(engine, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a hundred kills on each database"]
async fn nothing_acknowledged_is_lost_by_a_hundred_kills_under_load() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        rounds(engine, 100).await;
    }
}

async fn rounds(engine: Engine, kills: u64) {
    let mut served = Served::prepare(engine, EACH).await;
    let mut ledger = Ledger {
        newest: served.refresh.clone(),
        ..Ledger::default()
    };
    for round in 0..kills {
        served.start().await;
        let shared = Arc::new(Mutex::new(std::mem::take(&mut ledger)));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let serving = Arc::new(served);
        let mut tasks = Vec::new();
        for n in 0..EACH {
            let (served, ledger) = (Arc::clone(&serving), Arc::clone(&shared));
            let count = Arc::clone(&acknowledged);
            tasks.push(tokio::spawn(async move {
                while issue_and_revoke(&served, &ledger).await.is_some() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }));
            let (served, ledger) = (Arc::clone(&serving), Arc::clone(&shared));
            tasks.push(tokio::spawn(async move {
                while rotate(&served, &ledger, n).await.is_some() {}
            }));
        }
        // Not always after the same amount of work, and in no relation to it.
        let until = 8 + (round * 7) % 23;
        while acknowledged.load(Ordering::Relaxed) < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        super::served::signal(serving.process(), "-KILL");
        for task in tasks {
            task.await.unwrap();
        }
        served = Arc::into_inner(serving).unwrap();
        served.kill();
        ledger = std::mem::take(&mut *shared.lock().unwrap());
        compare(&mut served, &mut ledger).await;
    }
}

/// A token is given, and every second one is revoked; `None` when the server is gone.
async fn issue_and_revoke(served: &Served, ledger: &Mutex<Ledger>) -> Option<()> {
    let given = served.token().await?;
    assert_eq!(given.status, 200, "{}", given.body);
    let kept = given.text("access_token").to_owned();
    ledger.lock().unwrap().alive.push(kept);
    let given = served.token().await?;
    assert_eq!(given.status, 200, "{}", given.body);
    let token = given.text("access_token").to_owned();
    // Of one whose end is not acknowledged nobody knows.
    let revoked = served.revoke(&token).await?;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    ledger.lock().unwrap().ended.push(token);
    Some(())
}

async fn rotate(served: &Served, ledger: &Mutex<Ledger>, n: usize) -> Option<()> {
    let newest = ledger.lock().unwrap().newest[n].clone();
    let given = served.refresh(&newest).await?;
    assert_eq!(given.status, 200, "{}", given.body);
    let mut ledger = ledger.lock().unwrap();
    ledger.newest[n] = given.text("refresh_token").to_owned();
    ledger.alive.push(given.text("access_token").to_owned());
    Some(())
}

async fn compare(served: &mut Served, ledger: &mut Ledger) {
    served.start().await;
    for token in &ledger.alive {
        assert!(served.sees(token).await, "an acknowledged token is lost");
    }
    for token in &ledger.ended {
        assert!(!served.sees(token).await, "an ended token lives again");
    }
    for newest in &mut ledger.newest {
        let again = served.refresh(newest).await.unwrap().ok();
        again["refresh_token"].as_str().unwrap().clone_into(newest);
    }
    // Tokens live for five minutes; those of earlier rounds are not asked about again.
    ledger.alive.clear();
    served.stop();
}
