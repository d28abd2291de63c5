//! The audit log: what is sealed stays as it was, and whoever alters it is noticed, whatever rights
//! they have on the database.

use countersign::app::App;
use countersign::flows::seal_audit::{self, Verdict};
use countersign::jobs;
use rules::audit::{Difference, Kind};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::support::postgres::Cluster;
use crate::support::{Engine, TestServer, race};

on_both!(
    an_untouched_log_is_verified,
    a_changed_event_is_noticed,
    a_removed_event_is_noticed,
    swapped_leaves_are_noticed,
    an_end_that_was_cut_off_is_noticed,
    a_log_put_back_to_an_earlier_state_is_noticed_by_a_kept_checkpoint,
    nothing_is_sealed_upon_a_forged_tree,
    events_are_never_changed_without_removing_the_guards,
    racing_sealers_make_one_tree,
    refusals_reach_the_log_with_their_count,
);

async fn an_untouched_log_is_verified(server: TestServer) {
    let size = sealed(&server).await;
    assert_eq!(verdict(&server.app).await, Verdict::Intact { size });
    // A second tick finds nothing, and what comes later grows the same tree.
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    assert_eq!(verdict(&server.app).await, Verdict::Intact { size });
    refuse(&server, 1).await;
    assert_eq!(sealed(&server).await, size + 1);
}

async fn a_changed_event_is_noticed(server: TestServer) {
    sealed(&server).await;
    disarm(&server).await;
    alter(&server, "UPDATE audit_events SET leaf = (SELECT leaf FROM audit_events WHERE id = \
        (SELECT id FROM audit_leaves WHERE n = 2)) WHERE id = (SELECT id FROM audit_leaves WHERE n = 1)").await;
    let found = verdict(&server.app).await;
    assert!(
        matches!(
            found,
            Verdict::Altered(Difference::EventChanged {
                leaf: 1,
                event: Some(_)
            })
        ),
        "{found:?}"
    );
}

async fn a_removed_event_is_noticed(server: TestServer) {
    sealed(&server).await;
    disarm(&server).await;
    alter(
        &server,
        "DELETE FROM audit_events WHERE id = (SELECT id FROM audit_leaves WHERE n = 2)",
    )
    .await;
    let noticed = Verdict::Altered(Difference::EventMissing { leaf: 2 });
    assert_eq!(verdict(&server.app).await, noticed);
}

async fn swapped_leaves_are_noticed(server: TestServer) {
    let size = sealed(&server).await;
    disarm(&server).await;
    for (from, to) in [(0, -1), (1, 0), (-1, 1)] {
        alter(
            &server,
            &format!("UPDATE audit_leaves SET n = {to} WHERE n = {from}"),
        )
        .await;
    }
    let noticed = Verdict::Altered(Difference::Root { size });
    assert_eq!(verdict(&server.app).await, noticed);
}

async fn an_end_that_was_cut_off_is_noticed(server: TestServer) {
    let size = sealed(&server).await;
    disarm(&server).await;
    // The last leaf and its event go, as if they had never been.
    let last = size - 1;
    alter(
        &server,
        &format!(
            "DELETE FROM audit_events WHERE id = (SELECT id FROM audit_leaves WHERE n = {last})"
        ),
    )
    .await;
    alter(
        &server,
        &format!("DELETE FROM audit_leaves WHERE n = {last}"),
    )
    .await;
    let noticed = Verdict::Altered(Difference::LeafMissing { leaf: last });
    assert_eq!(verdict(&server.app).await, noticed);
}

async fn a_log_put_back_to_an_earlier_state_is_noticed_by_a_kept_checkpoint(server: TestServer) {
    let size = sealed(&server).await;
    refuse(&server, 1).await;
    let longer = sealed(&server).await;
    assert_eq!(longer, size + 1);
    let kept = seal_audit::newest_checkpoint(&server.app).await.unwrap();
    disarm(&server).await;
    alter(
        &server,
        &format!(
            "DELETE FROM audit_events WHERE id = (SELECT id FROM audit_leaves WHERE n = {size})"
        ),
    )
    .await;
    alter(
        &server,
        &format!("DELETE FROM audit_leaves WHERE n = {size}"),
    )
    .await;
    alter(
        &server,
        &format!("DELETE FROM audit_checkpoints WHERE size = {longer}"),
    )
    .await;
    assert_eq!(verdict(&server.app).await, Verdict::Intact { size });
    let against = seal_audit::verify_against(&server.app, kept.as_deref())
        .await
        .unwrap();
    let noticed = Difference::Shorter { kept: longer, size };
    assert_eq!(against, Verdict::Altered(noticed));
}

async fn nothing_is_sealed_upon_a_forged_tree(server: TestServer) {
    sealed(&server).await;
    refuse(&server, 1).await;
    disarm(&server).await;
    alter(&server, "UPDATE audit_checkpoints SET note = 'forged'").await;
    assert!(seal_audit::seal(&server.app).await.is_err());
    let found = verdict(&server.app).await;
    assert!(
        matches!(found, Verdict::Altered(Difference::Checkpoint(_))),
        "{found:?}"
    );
}

async fn events_are_never_changed_without_removing_the_guards(server: TestServer) {
    sealed(&server).await;
    for forbidden in [
        "UPDATE audit_events SET kind = 'server.started'",
        "UPDATE audit_leaves SET n = n + 1000",
        "DELETE FROM audit_leaves",
    ] {
        let (engine, database, path) = place(&server);
        let attempt =
            tokio::spawn(async move { execute(engine, &database, &path, forbidden).await });
        assert!(attempt.await.is_err(), "{forbidden}");
    }
    assert!(matches!(verdict(&server.app).await, Verdict::Intact { .. }));
}

async fn racing_sealers_make_one_tree(server: TestServer) {
    for _ in 0..20 {
        refuse(&server, 1).await;
    }
    let raced = race(4, |_| {
        let app = server.app.clone();
        async move { seal_audit::seal(&app).await }
    })
    .await;
    // A loser is undone whole; at worst the database tells it so by a fault.
    assert!(raced.iter().any(Result::is_ok));
    let size = sealed(&server).await;
    assert_eq!(verdict(&server.app).await, Verdict::Intact { size });
}

async fn refusals_reach_the_log_with_their_count(server: TestServer) {
    let size = sealed(&server).await;
    for _ in 0..3 {
        server.app.refusals.count(
            Kind::IntrospectionRefused,
            Some("accounts-api"),
            "not_its_token",
        );
    }
    jobs::refusals::tick(&server.app).await.unwrap();
    jobs::refusals::tick(&server.app).await.unwrap();
    assert_eq!(
        sealed(&server).await,
        size + 1,
        "one event tells of all three"
    );
}

/// Seals whatever waits; the size of the tree.
async fn sealed(server: &TestServer) -> u64 {
    jobs::audit_sealer::tick(&server.app).await.unwrap();
    match verdict(&server.app).await {
        Verdict::Intact { size } if size >= 3 => size,
        found => panic!("a fresh log is too short or altered: {found:?}"),
    }
}

async fn verdict(app: &App) -> Verdict {
    seal_audit::verify(app).await.unwrap()
}

/// Makes one audit event.
async fn refuse(server: &TestServer, times: usize) {
    for _ in 0..times {
        server
            .app
            .refusals
            .count(Kind::IntrospectionRefused, None, "unknown_token");
    }
    jobs::refusals::tick(&server.app).await.unwrap();
}

/// What whoever owns the database can do: takes the guards away.
async fn disarm(server: &TestServer) {
    let guards: &[&str] = match server.engine {
        Engine::Sqlite => &[
            "DROP TRIGGER audit_events_no_update",
            "DROP TRIGGER audit_leaves_no_update",
            "DROP TRIGGER audit_leaves_no_delete",
        ],
        Engine::Postgres => &[
            "ALTER TABLE audit_events DISABLE TRIGGER USER",
            "ALTER TABLE audit_leaves DISABLE TRIGGER USER",
        ],
    };
    for guard in guards {
        alter(server, guard).await;
    }
}

async fn alter(server: &TestServer, sql: &str) {
    let (engine, database, path) = place(server);
    execute(engine, &database, &path, sql).await;
}

fn place(server: &TestServer) -> (Engine, String, std::path::PathBuf) {
    let database = server.database.clone().unwrap_or_default();
    (
        server.engine,
        database,
        server.directory.path().join("countersign.db"),
    )
}

/// Runs SQL behind the server's back.
async fn execute(engine: Engine, database: &str, path: &std::path::Path, sql: &str) {
    match engine {
        Engine::Postgres => drop(Cluster::shared().execute(database, sql)),
        Engine::Sqlite => {
            let mut connection = SqliteConnectOptions::new()
                .filename(path)
                .connect()
                .await
                .unwrap();
            let sql = sqlx::AssertSqlSafe(sql.to_owned());
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
    }
}
