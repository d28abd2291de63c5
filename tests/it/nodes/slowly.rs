//! What takes long in the database: a commit that makes things void, and a migration.

use std::time::Duration;

use countersign::flows::{clients, users};
use countersign::store::restore::Restoring;
use countersign::store::{Location, Store};
use sqlx::Connection as _;

use crate::support::postgres::Held;
use crate::support::server::caller;
use crate::support::{Engine, Spec, TestServer, template};

/// Nothing that is announced is committed.
const ANNOUNCING: &str = "SELECT value FROM counters WHERE name = 'feed' FOR UPDATE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_issued_while_an_account_was_being_disabled_is_void() {
    let server = TestServer::start(Engine::Postgres).await;
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    let scope = "openid offline_access accounts:read";
    let mut browser = server.browser();
    let tokens = browser.code_flow(&server, &app, &ada, scope).await;
    server.advance(10);
    let mut held = server.hold(ANNOUNCING).await;
    let meanwhile = async {
        held.is_waited_for(1).await;
        server.advance(10);
        let given = app.refresh(&server, &tokens.refresh).await.ok();
        held.let_go().await;
        given["access_token"].as_str().unwrap().to_owned()
    };
    let caller = caller();
    let disabling = users::disable(&server.app, "ada", &caller);
    let (disabled, token) = tokio::join!(disabling, meanwhile);
    disabled.unwrap();
    assert!(!server.accounts.sees(&server, &token).await);
    users::enable(&server.app, "ada", &caller).await.unwrap();
    assert!(!server.accounts.sees(&server, &token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_issued_while_a_client_was_being_disabled_is_void() {
    let server = TestServer::start(Engine::Postgres).await;
    let app = server.register(Spec::confidential("app")).await;
    app.client_credentials(&server, "accounts:read").await.ok();
    server.advance(10);
    let mut held = server.hold(ANNOUNCING).await;
    let meanwhile = async {
        held.is_waited_for(1).await;
        server.advance(10);
        let given = app.client_credentials(&server, "accounts:read").await.ok();
        held.let_go().await;
        given["access_token"].as_str().unwrap().to_owned()
    };
    let caller = caller();
    let disabling = clients::disable(&server.app, "app", &caller);
    let (disabled, token) = tokio::join!(disabling, meanwhile);
    disabled.unwrap();
    clients::enable(&server.app, "app", &caller).await.unwrap();
    assert!(!server.accounts.sees(&server, &token).await);
    server.advance(6);
    app.client_credentials(&server, "accounts:read").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_table_lets_everybody_else_go_first() {
    let url = template::empty_postgres();
    let location = Location::Postgres(&url);
    let (restoring, _) = Restoring::begin(&location, 5).await.unwrap();
    restoring.commit().await.unwrap();
    let using = "LOCK TABLE refresh_families IN ACCESS SHARE MODE";
    let mut held = Held::begin(&url, using).await;
    let store = Store::connect(location).await.unwrap();
    let migrating = tokio::spawn(async move { store.migrate().await });
    held.is_waited_for(1).await;
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    let asked = sqlx::query("SELECT COUNT(*) FROM refresh_families");
    let asked = tokio::time::timeout(Duration::from_secs(30), asked.execute(&mut other));
    asked.await.expect("it waits behind the migration").unwrap();
    assert!(!migrating.is_finished());
    held.let_go().await;
    assert!(migrating.await.unwrap().unwrap().len() >= 3);
}
