//! What is in the way of a restore: files beside the database, and statements that take long.

use std::fs;

use super::{Change, make, restore_after, restored};
use crate::support::{Engine, Spec, TestServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_left_behind_is_not_written_into_the_restored_database() {
    const DAMAGE: &str =
        "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
    let server = TestServer::start(Engine::Sqlite).await;
    server.register(Spec::confidential("kept")).await;
    let file = make(&server, "one").await;
    server.register(Spec::confidential("late")).await;
    let database = server.directory.path().join("countersign.db");
    let log = database.with_extension("db-wal");
    // As somebody leaves it who moves the database away, and not what lies beside it.
    let left = fs::read(&log).unwrap();
    assert!(left.len() > 4096, "{}", left.len());
    let (beside, text) = (log.clone(), left.clone());
    let before = move || {
        fs::remove_file(&database).unwrap();
        fs::write(&beside, &text).unwrap();
    };
    let (server, outcome) = restore_after(server, &file, Change::default(), before).await;
    assert!(server.app.registry.client("kept").is_some());
    assert!(server.app.registry.client("late").is_none());
    assert_eq!(server.number(DAMAGE).await, 0);
    let kept = outcome.unwrap().kept.unwrap();
    assert!(!kept.exists());
    assert_eq!(
        fs::read(kept.with_extension("replaced-1-wal")).unwrap(),
        left
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: one statement takes a quarter of a minute"]
async fn a_restore_waits_for_a_statement_that_takes_long() {
    let server = TestServer::start(Engine::Postgres).await;
    let file = make(&server, "one").await;
    // The table that the restore makes is slow to update.
    server
        .behind(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_sleep(16); RETURN NULL; END'; \
             CREATE FUNCTION slows() RETURNS event_trigger LANGUAGE plpgsql AS \
             'BEGIN IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() \
             WHERE object_identity = ''public.grants'') THEN CREATE TRIGGER slow BEFORE UPDATE \
             ON grants FOR EACH STATEMENT EXECUTE FUNCTION slow(); END IF; END'; \
             CREATE EVENT TRIGGER slows ON ddl_command_end WHEN TAG IN ('CREATE TABLE') \
             EXECUTE FUNCTION slows()",
        )
        .await;
    let change = Change::replacing(&server);
    restored(server, &file, change).await;
}
