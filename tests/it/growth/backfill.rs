//! Work that a migration leaves for later: in batches, resumable, visible.

use std::sync::{Arc, Mutex};

use countersign::flows::{Progress, backfill};
use countersign::store::backfill::{BATCH, Backfill};
use countersign::store::sql::Sql;

use crate::support::{Engine, TestServer, race};

on_both![
    it_does_each_row_once_and_tells_how_far_it_is,
    interrupted_it_goes_on_where_it_was,
    two_nodes_at_once_do_each_row_once,
    rows_that_come_meanwhile_are_no_harm,
    an_empty_table_is_finished_at_once,
];

/// Derives a new column from an old one, and counts how often.
const NAMES: Backfill = Backfill {
    name: "test.names",
    count: Sql("SELECT COUNT(*) FROM growing"),
    step: Sql(
        "UPDATE growing SET new = old * 2, times = times + 1 WHERE id IN \
         (SELECT id FROM growing WHERE id > $1 ORDER BY id LIMIT $2) RETURNING id",
    ),
};
const UNDONE: &str =
    "SELECT COUNT(*) FROM growing WHERE new IS NULL OR new <> old * 2 OR times <> 1";

/// A large table, and the column that a migration added.
async fn table(server: &TestServer, rows: u32) {
    let (key, bytes) = match server.engine {
        Engine::Sqlite => ("CAST(printf('%016d', n) AS BLOB)", "BLOB"),
        Engine::Postgres => ("convert_to(lpad(n::text, 16, '0'), 'UTF8')", "BYTEA"),
    };
    let sql = format!(
        "CREATE TABLE growing (id {bytes} NOT NULL PRIMARY KEY, old BIGINT NOT NULL, new BIGINT, \
         times BIGINT NOT NULL DEFAULT 0); \
         WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {rows}) \
         INSERT INTO growing (id, old) SELECT {key}, n FROM many WHERE n <= {rows}"
    );
    server.behind(&sql).await;
}

async fn it_does_each_row_once_and_tells_how_far_it_is(server: TestServer) {
    table(&server, 4 * BATCH + 7).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let progress = Progress::to(move |done, all| heard.lock().unwrap().push((done, all)));
    let (store, clock) = (&server.app.store, &server.clock);
    let done = backfill::finish(store, clock, &[NAMES], &progress)
        .await
        .unwrap();
    let all = u64::from(4 * BATCH + 7);
    assert_eq!(
        (done[0].done, done[0].all, done[0].finished),
        (all, all, true)
    );
    assert_eq!(server.number(UNDONE).await, 0);
    let batch = u64::from(BATCH);
    let steps = [batch, 2 * batch, 3 * batch, 4 * batch, all];
    assert_eq!(*told.lock().unwrap(), steps.map(|done| (done, all)));
    // Finished is finished: nothing is done twice.
    backfill::finish(store, clock, &[NAMES], &Progress::none())
        .await
        .unwrap();
    assert!(!backfill::go_on(store, clock, &[NAMES]).await.unwrap());
    assert_eq!(server.number(UNDONE).await, 0);
}

async fn interrupted_it_goes_on_where_it_was(server: TestServer) {
    table(&server, 10 * BATCH).await;
    for _ in 0..4 {
        backfill::advance(&server.app.store, &server.clock, NAMES)
            .await
            .unwrap();
    }
    let server = server.restart().await;
    let (store, clock) = (&server.app.store, &server.clock);
    let standing = backfill::standings(store, &[NAMES]).await.unwrap();
    assert_eq!(standing[0].done, u64::from(4 * BATCH));
    assert!(!standing[0].finished);
    let mut ticks = 0;
    while backfill::go_on(store, clock, &[NAMES]).await.unwrap() {
        ticks += 1;
        assert!(ticks < 10, "it does not end");
    }
    assert_eq!(server.number(UNDONE).await, 0);
}

async fn two_nodes_at_once_do_each_row_once(server: TestServer) {
    table(&server, 6 * BATCH).await;
    let (store, clock) = (server.app.store.clone(), server.clock.clone());
    race(4, |_| {
        let (store, clock) = (store.clone(), clock.clone());
        async move { backfill::finish(&store, &clock, &[NAMES], &Progress::none()).await }
    })
    .await
    .into_iter()
    .for_each(|done| assert!(done.unwrap()[0].finished));
    assert_eq!(server.number(UNDONE).await, 0);
}

async fn rows_that_come_meanwhile_are_no_harm(server: TestServer) {
    table(&server, 2 * BATCH).await;
    let (store, clock) = (&server.app.store, &server.clock);
    backfill::advance(store, clock, NAMES).await.unwrap();
    let (first, last) = match server.engine {
        Engine::Sqlite => ("x'00'", "x'ff'"),
        Engine::Postgres => ("'\\x00'::bytea", "'\\xff'::bytea"),
    };
    // The new version writes rows whole, before and behind the place where the work is.
    for key in [first, last] {
        let sql = format!("INSERT INTO growing (id, old, new, times) VALUES ({key}, 7, 14, 1)");
        server.behind(&sql).await;
    }
    let done = backfill::finish(store, clock, &[NAMES], &Progress::none())
        .await
        .unwrap();
    assert_eq!(done[0].done, u64::from(2 * BATCH) + 1);
    let wrong = "SELECT COUNT(*) FROM growing WHERE new IS NULL OR new <> old * 2";
    assert_eq!(server.number(wrong).await, 0);
}

async fn an_empty_table_is_finished_at_once(server: TestServer) {
    table(&server, 0).await;
    let (store, clock) = (&server.app.store, &server.clock);
    let done = backfill::finish(store, clock, &[NAMES], &Progress::none())
        .await
        .unwrap();
    assert_eq!((done[0].done, done[0].all, done[0].finished), (0, 0, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ten million rows on each database"]
async fn ten_million_rows_are_brought_up_to_date_in_spite_of_interruptions() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut server = TestServer::start(engine).await;
        table(&server, 10_000_000).await;
        for _ in 0..5 {
            for _ in 0..3000 {
                let done = backfill::advance(&server.app.store, &server.clock, NAMES).await;
                if done.unwrap().finished {
                    break;
                }
                countersign::jobs::checkpointer::tick(&server.app)
                    .await
                    .unwrap();
            }
            server = server.restart().await;
        }
        let (store, clock) = (&server.app.store, &server.clock);
        let done = backfill::finish(store, clock, &[NAMES], &Progress::none()).await;
        assert_eq!(done.unwrap()[0].done, 10_000_000);
        assert_eq!(server.number(UNDONE).await, 0);
    }
}

/// Migrations change large tables only in ways that take no time, so that the server starts at once;
/// the rest is a backfill's.
#[test]
fn migrations_do_nothing_to_a_large_table_that_takes_long() {
    for engine in ["sqlite", "postgres"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder.join(engine))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in &files[1..] {
            let sql = std::fs::read_to_string(file).unwrap();
            let slow: Vec<&str> = statements(&sql)
                .filter(|statement| !is_quick(statement, &sql))
                .collect();
            assert!(slow.is_empty(), "{}: {slow:#?}", file.display());
        }
    }
}

fn statements(sql: &str) -> impl Iterator<Item = &str> {
    let lines = sql.split_inclusive('\n');
    let code = lines.filter(|line| !line.trim_start().starts_with("--"));
    // Only beginnings count: what is inside of a statement begins with other words.
    code.filter(|line| {
        ["CREATE", "ALTER", "DROP", "UPDATE", "INSERT", "DELETE"]
            .iter()
            .any(|word| line.starts_with(word))
    })
}

fn is_quick(statement: &str, whole: &str) -> bool {
    let words: Vec<&str> = statement.split([' ', '(', ';', '\n']).collect();
    match words.as_slice() {
        // A column with a constant default is a change of the catalogue alone.
        ["CREATE", "TABLE" | "TRIGGER" | "FUNCTION", ..]
        | ["CREATE", "OR", "REPLACE", ..]
        | ["ALTER", "TABLE", _, "ADD", "COLUMN", ..] => true,
        // An index is made at once only while its table is new.
        ["CREATE", ..] if words.contains(&"INDEX") => {
            let on = words.iter().position(|word| *word == "ON").unwrap();
            whole.contains(&format!("CREATE TABLE {} (", words[on + 1]))
        }
        ["INSERT", "INTO", table, ..] => ["counters", "meta"].contains(table),
        _ => false,
    }
}
