//! The cleaner frees space in small steps and holds nobody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use countersign::jobs::cleaner;
use countersign::store::upkeep;

use crate::support::{Engine, Spec, TestServer};

on_both![
    nothing_is_removed_right_after_the_clock_was_set_forward,
    a_revoked_token_is_forgotten_when_it_has_ended,
    one_step_removes_a_bounded_number_of_rows,
    a_large_backlog_is_gone_after_one_tick_and_requests_go_through_meanwhile,
];

const REQUESTS: &str = "SELECT COUNT(*) FROM pushed_requests";

/// Rows that ended long ago.
async fn backlog(server: &TestServer, rows: u32) {
    let id = match server.engine {
        Engine::Sqlite => "randomblob(32)",
        Engine::Postgres => "sha256(CAST(CAST(n AS TEXT) AS BYTEA))",
    };
    let bytes = match server.engine {
        Engine::Sqlite => "x'00'",
        Engine::Postgres => "'\\x00'::bytea",
    };
    let sql = format!(
        "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {rows}) \
         INSERT INTO pushed_requests (uri_hash, client_id, request, created_at, expires_at) \
         SELECT {id}, 'nobody', {bytes}, 0, n FROM many"
    );
    server.behind(&sql).await;
    assert_eq!(server.number(REQUESTS).await, i64::from(rows));
}

async fn a_revoked_token_is_forgotten_when_it_has_ended(server: TestServer) {
    const LISTED: &str = "SELECT COUNT(*) FROM feed WHERE kind = 'token'";
    let app = server.register(Spec::confidential("app")).await;
    let token = app.client_credentials(&server, "accounts:read").await.ok();
    let token = token["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.revoke(&server, &token).await.status, 200);
    for minutes in [1, 59] {
        server.advance(minutes * 60);
        cleaner::tick(&server.app).await.unwrap();
        assert_eq!(server.number(LISTED).await, 1);
        assert!(!server.accounts.sees(&server, &token).await);
    }
    // An hour after its end, against clocks that differ.
    server.advance(3600);
    cleaner::tick(&server.app).await.unwrap();
    cleaner::tick(&server.app).await.unwrap();
    assert_eq!(server.number(LISTED).await, 0);
    assert!(!server.accounts.sees(&server, &token).await);
}

async fn one_step_removes_a_bounded_number_of_rows(server: TestServer) {
    backlog(&server, 600).await;
    let now = server.clock.now();
    let mut steps = Vec::new();
    for kind in 0..upkeep::KINDS {
        let step = server
            .app
            .store
            .write(move |tx| Box::pin(upkeep::sweep(tx, kind, now)));
        steps.push(step.await.unwrap());
    }
    assert_eq!(steps.iter().sum::<u64>(), upkeep::AT_ONCE, "{steps:?}");
    assert_eq!(server.number(REQUESTS).await, 350);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_renewed_while_it_is_about_to_be_removed_stays() {
    let server = TestServer::start(Engine::Postgres).await;
    let old = "INSERT INTO devices (token_hash, user_id, created_at, seen_at) \
         VALUES ('\\x01', '\\x01', 0, 0)";
    server.behind(old).await;
    let now = server.clock.now().millis();
    let renewed = format!("UPDATE devices SET seen_at = {now}");
    let mut held = server.hold(&renewed).await;
    let renewing = async {
        held.is_waited_for(1).await;
        held.let_go().await;
    };
    let (cleaned, ()) = tokio::join!(cleaner::tick(&server.app), renewing);
    cleaned.unwrap();
    assert_eq!(server.number("SELECT COUNT(*) FROM devices").await, 1);
}

async fn nothing_is_removed_right_after_the_clock_was_set_forward(server: TestServer) {
    cleaner::tick(&server.app).await.unwrap();
    backlog(&server, 10).await;
    server.clock.step(std::time::Duration::from_hours(24 * 365));
    cleaner::tick(&server.app).await.unwrap();
    assert_eq!(server.number(REQUESTS).await, 10);
    // Nobody set it back: it is right.
    server.advance(60);
    cleaner::tick(&server.app).await.unwrap();
    assert_eq!(server.number(REQUESTS).await, 0);
}

async fn a_large_backlog_is_gone_after_one_tick_and_requests_go_through_meanwhile(
    server: TestServer,
) {
    let app = server.register(Spec::confidential("app")).await;
    app.client_credentials(&server, "accounts:read").await.ok();
    backlog(&server, 20_000).await;
    let server = Arc::new(server);
    let (cleaning, answered) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let (still, count) = (Arc::clone(&cleaning), Arc::clone(&answered));
    let asked = Arc::clone(&server);
    let asking = tokio::spawn(async move {
        while still.load(Ordering::Acquire) {
            app.client_credentials(&asked, "accounts:read").await.ok();
            count.fetch_add(1, Ordering::AcqRel);
        }
    });
    cleaner::tick(&server.app).await.unwrap();
    let meanwhile = answered.load(Ordering::Acquire);
    cleaning.store(false, Ordering::Release);
    asking.await.unwrap();
    assert_eq!(server.number(REQUESTS).await, 0);
    // Eighty steps, and between each two of them somebody else's turn.
    assert!(meanwhile >= 8, "{meanwhile} answers while it cleaned");
}
