//! A year of traffic, its clock advanced by hand: tables that are to be bounded are.

use std::collections::BTreeMap;

use countersign::jobs;

use crate::support::{AuthRequest, ClientApp, Engine, Person, Spec, TestServer};

on_both![a_year_of_traffic_leaves_tables_as_large_as_half_a_year];

/// Tables that grow with what happens, by design: the audit log is never cut.
/// Consents that were withdrawn stay, too: they are evidence.
const GROWING: [&str; 4] = [
    "audit_checkpoints",
    "audit_events",
    "audit_leaves",
    "grants",
];
/// How many days lie between two days with traffic.
const STEP: u64 = 3;
const SCOPE: &str = "openid offline_access accounts:read";

async fn a_year_of_traffic_leaves_tables_as_large_as_half_a_year(server: TestServer) {
    let tables = tables(&server).await;
    let app = server.register(Spec::public("app")).await;
    let machine = server.register(Spec::with_key("machine")).await;
    let ada = server.person("ada").await;
    // Longer than what lives longest: an authorization, half a year.
    let who = (&app, &machine, &ada);
    let half = largest(&server, &tables, who, 0..66).await;
    let pages = file_pages(&server).await;
    let year = largest(&server, &tables, who, 66..122).await;
    for table in tables
        .iter()
        .filter(|table| !GROWING.contains(&table.as_str()))
    {
        let (before, after) = (half[table], year[table]);
        assert!(
            after <= before + 2,
            "{table} grew from {before} to {after} rows"
        );
    }
    for table in GROWING {
        assert!(year[table] > half[table], "{table}");
    }
    if server.engine == Engine::Sqlite {
        let events = year["audit_events"] - half["audit_events"];
        let grown = file_pages(&server).await - pages;
        // An event with its leaf and its share of the indexes, at 4096 bytes a page.
        assert!(
            grown <= events * 3 / 4 + 16,
            "{grown} pages for {events} events"
        );
    }
}

/// The largest number of rows of each table, after the cleaner, on any day.
async fn largest(
    server: &TestServer,
    tables: &[String],
    who: (&ClientApp, &ClientApp, &Person),
    days: std::ops::Range<u32>,
) -> BTreeMap<String, i64> {
    let mut largest = BTreeMap::new();
    for day in days {
        traffic(server, who, day).await;
        server.advance(STEP * 86_400);
        for job in jobs::ALL {
            (job.tick)(&server.app).await.unwrap();
        }
        let log = server.directory.path().join("countersign.db-wal");
        if let Ok(log) = std::fs::metadata(log) {
            assert!(log.len() <= 4 << 20, "the log has {} bytes", log.len());
        }
        for table in tables {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            let rows = largest.entry(table.clone()).or_insert(0);
            *rows = server.number(&sql).await.max(*rows);
        }
    }
    largest
}

/// What happens on a day: some things to their end, and some left in the midst.
async fn traffic(
    server: &TestServer,
    (app, machine, ada): (&ClientApp, &ClientApp, &Person),
    day: u32,
) {
    let mut browser = server.browser();
    let tokens = browser.code_flow(server, app, ada, SCOPE).await;
    let next = app.refresh(server, &tokens.refresh).await.ok();
    machine
        .client_credentials(server, "accounts:read")
        .await
        .ok();
    server.accounts.sees(server, &tokens.access).await;
    let request = AuthRequest::new(machine, "openid");
    let short = request.pushed(server, machine).await;
    server.browser().begin(server, &short).await;
    match day % 4 {
        0 => {
            let request = AuthRequest::new(app, SCOPE);
            browser.walk(server, &request, ada).await.code();
        }
        1 => {
            let refresh = next["refresh_token"].as_str().unwrap();
            assert_eq!(app.revoke(server, refresh).await.status, 200);
        }
        2 => {
            let stranger = format!("stranger-{day}");
            let mut other = server.browser();
            other
                .try_sign_in(&stranger, "some password or other", "000000")
                .await;
        }
        _ => {
            let apps = browser.open("/account/apps").await;
            let grant = apps.body.split("/account/apps/").nth(1).unwrap();
            let grant = grant.split('/').next().unwrap();
            browser
                .post(&format!("/account/apps/{grant}/stop"), &[])
                .await;
            browser.post("/sign-out", &[]).await;
        }
    }
}

/// Every table: a new one is bounded, unless it is named above.
async fn tables(server: &TestServer) -> Vec<String> {
    let schema = server.app.store.schema().await.unwrap();
    let mut names: Vec<String> = schema
        .iter()
        .filter_map(|column| column.split('.').next())
        .map(str::to_owned)
        .collect();
    names.dedup();
    assert!(names.len() > 25, "{names:?}");
    names
}

async fn file_pages(server: &TestServer) -> i64 {
    match server.engine {
        Engine::Sqlite => server.number("PRAGMA page_count").await,
        Engine::Postgres => 0,
    }
}
