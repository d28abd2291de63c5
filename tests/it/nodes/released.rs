//! The release before runs beside this one, on this one's schema. What it says to the database is
//! kept in `released/`, and is still understood; columns are only ever added, and may be left out.
//!
//! At a release `RELEASED=write cargo test --test it released` writes both files anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::config::{Config, Database};
use countersign::store::{Location, Store};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::store::statements::{only_engine, statements};
use crate::support::postgres::Cluster;
use crate::support::{Engine, Spec, TestServer};

on_both![
    what_the_last_release_says_is_still_understood,
    a_server_goes_on_when_a_newer_one_has_extended_the_database,
];

fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/nodes/released");
    folder.join(name)
}

/// The lines of a kept file, written first when that is asked for.
fn lines(name: &str, now: BTreeSet<String>) -> Vec<String> {
    if std::env::var_os("RELEASED").is_some_and(|asked| asked == "write") {
        let text: String = now.iter().map(|line| format!("{line}\n")).collect();
        fs::write(kept(name), text).unwrap();
    }
    let text = fs::read_to_string(kept(name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn released_statements() -> Vec<String> {
    let one_line = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let now = statements().into_iter().map(|(_, sql)| one_line(sql));
    lines("statements.sql", now.collect())
}

async fn what_the_last_release_says_is_still_understood(server: TestServer) {
    let released = released_statements();
    assert!(released.len() > 100, "{}", released.len());
    let mut refused = Vec::new();
    for sql in released {
        if only_engine(&sql).is_some_and(|engine| engine != server.engine) {
            continue;
        }
        let sql: &'static str = Box::leak(sql.into_boxed_str());
        if let Err(fault) = server.app.store.prepare(sql).await {
            refused.push(format!("{sql}\n    {fault}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_of_the_last_release_is_there_and_new_ones_may_be_left_out() {
    let server = TestServer::start(Engine::Postgres).await;
    let now: BTreeSet<_> = server
        .app
        .store
        .schema()
        .await
        .unwrap()
        .into_iter()
        .collect();
    let released = lines("schema.txt", now.clone());
    let gone: Vec<_> = released
        .iter()
        .filter(|line| !now.contains(*line))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
    let column = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let table = |line: &str| line.split('.').next().unwrap_or_default().to_owned();
    let columns: BTreeSet<_> = released.iter().map(|line| column(line)).collect();
    let tables: BTreeSet<_> = released.iter().map(|line| table(line)).collect();
    let demanded = Cluster::shared().execute(
        server.database.as_deref().unwrap(),
        "SELECT table_name || '.' || column_name FROM information_schema.columns \
         WHERE table_schema = current_schema() AND is_nullable = 'NO' AND column_default IS NULL",
    );
    let demanded: Vec<_> = demanded
        .lines()
        .filter(|column| tables.contains(&table(column)) && !columns.contains(*column))
        .collect();
    assert!(
        demanded.is_empty(),
        "a row of the last release lacks {demanded:?}"
    );
}

/// What a later release would do.
async fn extend(config: &Config, database: Option<&str>, serves: i64) {
    let sql = [
        "CREATE TABLE IF NOT EXISTS later_things (id BIGINT NOT NULL PRIMARY KEY)".to_owned(),
        "DELETE FROM _sqlx_migrations WHERE version = 9999".to_owned(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, 'x', 0)"
            .to_owned(),
        format!("UPDATE meta SET value = '{serves}' WHERE name = 'schema_serves'"),
    ];
    match &config.database {
        Database::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = options.connect().await.unwrap();
            for sql in sql {
                let sql = sqlx::AssertSqlSafe(sql);
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            connection.close().await.unwrap();
        }
        Database::Postgres(_) => {
            for sql in sql {
                Cluster::shared().execute(database.unwrap(), &sql);
            }
        }
    }
}

async fn migrate(config: &Config) -> Result<(), String> {
    let location = match &config.database {
        Database::Sqlite(path) => Location::Sqlite(path),
        Database::Postgres(url) => Location::Postgres(url.expose()),
    };
    let store = Store::connect(location).await.unwrap();
    let done = store.migrate().await;
    store.close().await;
    done.map(drop).map_err(|fault| fault.to_string())
}

async fn a_server_goes_on_when_a_newer_one_has_extended_the_database(server: TestServer) {
    let database = server.database.clone();
    let database = database.as_deref();
    let ours = countersign::store::schema_version();
    let (server, refused) = server
        .restart_after(async |config| {
            extend(config, database, ours + 1).await;
            let refused = migrate(config).await;
            extend(config, database, ours).await;
            refused
        })
        .await;
    let why = refused.unwrap_err();
    assert!(
        why.contains("9999") && why.contains("run the newer binary"),
        "{why}"
    );
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let tokens = server
        .browser()
        .code_flow(&server, &app, &ada, "openid accounts:read")
        .await;
    assert!(server.accounts.sees(&server, &tokens.access).await);
}
