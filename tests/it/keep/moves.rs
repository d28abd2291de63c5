//! A database moves between the engines, and nothing of it changes.

use std::collections::BTreeMap;

use countersign::store::copy::Datum;
use countersign::store::restore::Restoring;
use countersign::store::{Location, Store};
use futures_util::TryStreamExt as _;

use crate::support::postgres::Cluster;
use crate::support::template::Directory;
use crate::support::{Engine, Spec, TestServer};

on_both![the_database_moves_to_the_other_engine_and_back_unchanged];

type Everything = BTreeMap<String, (Vec<String>, Vec<Vec<Datum>>)>;

async fn the_database_moves_to_the_other_engine_and_back_unchanged(server: TestServer) {
    let app = server.register(Spec::confidential("app")).await;
    let ada = server.person("ada").await;
    server
        .browser()
        .code_flow(&server, &app, &ada, "openid offline_access accounts:read")
        .await;
    countersign::jobs::audit_sealer::tick(&server.app)
        .await
        .unwrap();
    // Something is left unsealed.
    server.register(Spec::confidential("late")).await;
    let before = everything(&server.app.store).await;
    assert!(before["audit_events"].1.len() > 10);
    assert_eq!(before["audit_unsealed"].1.len(), 1);

    let folder = Directory::new();
    let name = format!(
        "moved_{}",
        server
            .database
            .clone()
            .unwrap_or_else(|| format!("{}", server.issuer.len()))
    );
    let name = format!("{name}_{}", server.issuer.rsplit(':').next().unwrap());
    let url = Cluster::shared().create_database(&name, None);
    let file = folder.path().join("moved.db");
    let (sqlite, postgres) = (Location::Sqlite(&file), Location::Postgres(&url));
    let order = match server.engine {
        Engine::Sqlite => [postgres, sqlite],
        Engine::Postgres => [sqlite, postgres],
    };
    for location in order {
        fill(&location, &before).await;
        let store = Store::connect(location).await.unwrap();
        let after = everything(&store).await;
        store.close().await;
        for (table, rows) in &before {
            assert_eq!(rows, &after[table], "{table}");
        }
        assert_eq!(before.len(), after.len());
    }
}

async fn everything(store: &Store) -> Everything {
    let mut snapshot = store.snapshot().await.unwrap();
    let mut all = Everything::new();
    for table in snapshot.tables().to_vec() {
        let mut rows: Vec<_> = snapshot.rows(&table).try_collect().await.unwrap();
        rows.sort_by_key(|row| format!("{row:?}"));
        assert_eq!(rows.len() as u64, table.rows, "{}", table.name);
        all.insert(table.name.clone(), (table.columns(), rows));
    }
    all
}

async fn fill(location: &Location<'_>, all: &Everything) {
    let schema = countersign::store::schema_version();
    let (mut restoring, _) = Restoring::begin(location, schema).await.unwrap();
    let last = |table: &&String| *table == "audit_unsealed";
    let tables = all.keys().filter(|table| !last(table));
    for table in tables.chain(all.keys().filter(last)) {
        let (columns, rows) = &all[table];
        restoring.begin_table(table, columns).await.unwrap();
        restoring.load(table, rows).await.unwrap();
    }
    restoring.migrate().await.unwrap();
    restoring.commit().await.unwrap();
}
