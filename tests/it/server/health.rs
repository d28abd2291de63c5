//! What supervisors are told: that the process lives, and that it can answer.

use std::sync::Arc;
use std::time::Duration;

use countersign::flows::inspect;
use countersign::server::systemd;
use tokio::sync::Semaphore;

use crate::support::{Engine, TestServer, template};

on_both![
    a_look_at_the_database_is_good_for_half_a_second,
    a_clock_that_is_behind_what_is_stored_is_told_at_the_start,
];

async fn a_look_at_the_database_is_good_for_half_a_second(server: TestServer) {
    assert_eq!(server.get("/readyz").await.status, 200);
    server.app.store.close().await;
    // However often somebody asks, nothing is looked up.
    for _ in 0..20 {
        assert_eq!(server.get("/readyz").await.status, 200);
    }
    server.advance(1);
    for _ in 0..2 {
        assert_eq!(server.get("/readyz").await.status, 503);
    }
    assert_eq!(server.get("/healthz").await.status, 200);
}

async fn a_clock_that_is_behind_what_is_stored_is_told_at_the_start(server: TestServer) {
    let trouble = async |now| {
        inspect::clock_trouble(&server.app.store, now)
            .await
            .unwrap()
    };
    server.advance(7200);
    server.person("ada").await;
    let now = server.clock.now();
    let of_database = |why: &String| why.contains("the database's clock");
    // The clock of the tests stands still, and PostgreSQL's does not.
    assert!(trouble(now).await.as_ref().is_none_or(of_database));
    let why = trouble(template::START).await.unwrap();
    assert!(
        why.contains("future") && why.contains("timedatectl"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_are_all_busy_are_no_fault_of_the_process() {
    let server = TestServer::start(Engine::Sqlite).await;
    let (held, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let (app, held, go_on) = (server.app.clone(), held.clone(), go_on.clone());
            tokio::spawn(async move {
                let work = app.store.read(|_| {
                    Box::pin(async move {
                        held.add_permits(1);
                        let _ = go_on.acquire().await;
                        Ok(())
                    })
                });
                work.await.unwrap();
            })
        })
        .collect();
    held.acquire_many(4).await.unwrap().forget();
    assert!(systemd::is_well(&server.app, Duration::from_secs(10)).await);
    go_on.add_permits(4);
    for one in busy {
        one.await.unwrap();
    }
}
