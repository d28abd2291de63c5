//! What the database itself refuses.

use countersign::app::App;
use countersign::clock::Clock;
use sqlx::{Connection as _, Executor as _};

use crate::support::postgres::Cluster;
use crate::support::{Engine, Spec, TestServer, template};

on_both![
    audit_events_cannot_be_changed,
    another_issuer_is_refused,
    another_root_key_is_refused,
];

/// Runs SQL behind the server's back.
async fn behind(server: &TestServer, sql: &'static str) -> Result<u64, sqlx::Error> {
    match server.engine {
        Engine::Sqlite => {
            let path = server.directory.path().join("countersign.db");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
            Ok(connection.execute(sql).await?.rows_affected())
        }
        Engine::Postgres => {
            let url = Cluster::shared().url(server.database.as_deref().unwrap());
            let mut connection = sqlx::PgConnection::connect(&url).await?;
            Ok(connection.execute(sql).await?.rows_affected())
        }
    }
}

async fn audit_events_cannot_be_changed(server: TestServer) {
    server.register(Spec::confidential("app")).await;
    for sql in [
        "UPDATE audit_events SET kind = 'forged'",
        "UPDATE audit_events SET leaf = subject",
        "UPDATE audit_events SET at = at + 1",
    ] {
        let error = behind(&server, sql).await.unwrap_err();
        assert!(
            error.to_string().contains("audit events are never changed"),
            "{error}"
        );
    }
}

async fn another_issuer_is_refused(server: TestServer) {
    if server.engine == Engine::Sqlite {
        return; // The file is locked anyway; see below.
    }
    let url = Cluster::shared().url(server.database.as_deref().unwrap());
    let config = template::config("http://localhost:9", &url, server.directory.path());
    let clock = Clock::manual(template::START);
    let refused = App::open(config, &template::ROOT, clock)
        .await
        .err()
        .unwrap();
    assert!(refused.to_string().contains(&server.issuer), "{refused}");
    assert!(refused.to_string().starts_with("issuer"), "{refused}");
}

async fn another_root_key_is_refused(server: TestServer) {
    if server.engine == Engine::Sqlite {
        return;
    }
    let other = countersign::vault::RootKey::generate().unwrap();
    let clock = Clock::manual(template::START);
    let refused = App::open(server.config().clone(), &other, clock).await;
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_sqlite_file_is_refused() {
    let server = TestServer::start(Engine::Sqlite).await;
    let clock = Clock::manual(template::START);
    let second = App::open(server.config().clone(), &template::ROOT, clock).await;
    let refused = second.err().unwrap().to_string();
    assert!(refused.contains("another server"), "{refused}");
    let app = server.register(Spec::confidential("app")).await;
    app.client_credentials(&server, "accounts:read").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_postgres_database_follows_the_first() {
    let server = TestServer::start(Engine::Postgres).await;
    let app = server.register(Spec::confidential("app")).await;
    let second = App::open(
        server.config().clone(),
        &template::ROOT,
        server.clock.clone(),
    )
    .await
    .unwrap();
    let reply = app.client_credentials(&server, "accounts:read").await.ok();
    let token = reply["access_token"].as_str().unwrap();
    let api = second.registry.client("accounts-api").unwrap();
    let ask = async || {
        let answer = countersign::flows::introspect::introspect(&second, &api, token).await;
        answer.unwrap().contains("\"active\":true")
    };
    assert!(ask().await);
    app.revoke(&server, token).await;
    // A look is fresh for less than a second.
    server.clock.advance(std::time::Duration::from_millis(751));
    assert!(!ask().await);
}
