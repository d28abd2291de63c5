//! However much is to be told: no more is read at once than is wanted, and everybody's turn comes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use countersign::store::logouts::{self, Ended, Waiting};
use countersign::store::outbox;
use uuid::Uuid;

use crate::support::{Engine, TestServer};

on_both![no_more_is_read_than_wanted_and_nobody_is_starved];

/// How much is read at once.
const LIMIT: u32 = 10;

/// What waits: one client with very much, one with some, and more with little than are read at once.
fn waiting() -> BTreeMap<String, usize> {
    let few = (0..25).map(|n| (format!("few-{n:02}"), 1 + n % 3));
    let much = [("much".to_owned(), 150), ("some".to_owned(), 20)];
    few.chain(much).collect()
}

async fn no_more_is_read_than_wanted_and_nobody_is_starved(server: TestServer) {
    let all = waiting();
    fill(&server, &all).await;
    let total: usize = all.values().sum();
    let mut left = all.clone();
    let mut told = BTreeMap::<String, Vec<Uuid>>::new();
    let mut rounds = 0;
    while let Some(due) = Some(tell(&server).await).filter(|due| !due.is_empty()) {
        rounds += 1;
        assert!(due.len() <= LIMIT as usize, "{}", due.len());
        let mut shares = BTreeMap::<&str, usize>::new();
        for one in &due {
            *shares.entry(&one.client_id).or_default() += 1;
            *left.get_mut(&one.client_id).unwrap() -= 1;
            let theirs = told.entry(one.client_id.clone()).or_default();
            theirs.push(one.session_id);
        }
        // With so many that wait, nobody takes two turns.
        let still = left.values().filter(|left| **left > 0).count();
        if still >= LIMIT as usize {
            assert_eq!(shares.len(), LIMIT as usize, "{shares:?}");
        }
        // Before the busiest has half of its own, all the others are done.
        if told.get("much").is_some_and(|told| told.len() > 75) {
            assert!(still <= 1, "{left:?}");
        }
    }
    assert!(left.values().all(|left| *left == 0), "{left:?}");
    assert!(rounds <= total / LIMIT as usize + 10, "{rounds} rounds");
    for (client, sessions) in told {
        assert!(sessions.is_sorted(), "{client}: the oldest comes first");
    }
}

/// One look at what is due, all of which is told.
async fn tell(server: &TestServer) -> Vec<Waiting> {
    let now = server.clock.now();
    server
        .app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let due = logouts::due(tx, now, LIMIT).await?;
                for one in &due {
                    let until = now.plus(Duration::from_mins(2));
                    let leased = outbox::lease(tx, one.clone(), (now, until)).await?;
                    logouts::settle(tx, &leased.unwrap(), &Ended::Told, now).await?;
                }
                Ok(due)
            })
        })
        .await
        .unwrap()
}

/// Puts it there, the busiest client's first.
async fn fill(server: &TestServer, all: &BTreeMap<String, usize>) {
    let now = server.clock.now().millis();
    let mut sql = String::new();
    let mut number = 0_u128;
    let mut order: Vec<_> = all.iter().collect();
    order.sort_by_key(|(_, many)| usize::MAX - **many);
    for (client, many) in order {
        writeln!(
            sql,
            "INSERT INTO logout_receivers (client_id) VALUES ('{client}');"
        )
        .unwrap();
        for _ in 0..*many {
            number += 1;
            let id = Uuid::from_u128(number).simple();
            let id = match server.engine {
                Engine::Sqlite => format!("X'{id}'"),
                Engine::Postgres => format!("'\\x{id}'::bytea"),
            };
            let due = now - 1000 + i64::try_from(number).unwrap();
            writeln!(
                sql,
                "INSERT INTO logouts VALUES ({id}, '{client}', {id}, {due}, 0, {due});"
            )
            .unwrap();
        }
    }
    server.behind(&sql).await;
}
