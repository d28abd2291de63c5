//! A database file that was damaged.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::served::{Served, is_fault};
use crate::support::Engine;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_database_is_named_at_the_start() {
    let served = Served::prepare(Engine::Sqlite, 0).await;
    let mut file = fs::File::options()
        .write(true)
        .open(served.database())
        .unwrap();
    file.write_all(&[0xAA; 100]).unwrap();
    drop(file);
    let (well, said) = tokio::task::block_in_place(|| served.ends());
    assert!(!well);
    assert!(
        said.contains("database.url") && said.contains("not a database"),
        "{said}"
    );
    // What mends it is named, too.
    assert!(said.contains("backup"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_database_is_named_at_the_start() {
    let served = Served::prepare(Engine::Sqlite, 0).await;
    let file = fs::File::options()
        .write(true)
        .open(served.database())
        .unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length / 3 / 4096 * 4096).unwrap();
    drop(file);
    let (well, said) = tokio::task::block_in_place(|| served.ends());
    assert!(!well);
    assert!(
        said.contains("database.url") && said.contains("backup"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_that_is_met_while_serving_is_a_fault_and_no_verdict() {
    let mut served = Served::prepare(Engine::Sqlite, 1).await;
    let page = root_page(&served, "refresh_families").await;
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(served.database())
        .unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    let mut whole = vec![0; 4096];
    file.read_exact(&mut whole).unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&[0xAA; 4096]).unwrap();
    served.start().await;
    let refresh = served.refresh[0].clone();
    for _ in 0..3 {
        is_fault(&served.refresh(&refresh).await.unwrap());
    }
    // The rest goes on: who is not concerned notices nothing.
    let token = served.good_token().await;
    assert!(served.sees(&token).await);
    assert_eq!(served.revoke(&token).await.unwrap().status, 200);
    assert!(!served.sees(&token).await);
    // With the page put back nothing was lost.
    served.stop();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&whole).unwrap();
    served.start().await;
    let again = served.refresh(&refresh).await.unwrap().ok();
    assert!(again["refresh_token"].is_string());
    assert!(!served.sees(&token).await);
}

/// The number of a table's first page, from 1.
async fn root_page(served: &Served, table: &str) -> u64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(served.database());
    let mut own = SqliteConnection::connect_with(&options).await.unwrap();
    // Everything is in the file itself, and none of it in a log beside.
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut own)
        .await
        .unwrap();
    let row = sqlx::query("SELECT rootpage FROM sqlite_schema WHERE name = $1")
        .bind(table)
        .fetch_one(&mut own)
        .await
        .unwrap();
    own.close().await.unwrap();
    u64::try_from(row.get::<i64, _>(0)).unwrap()
}
