//! Every statement is accepted by both engines, and the two schemas are one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{Engine, TestServer};

on_both![every_statement_is_accepted];

/// Engine-specific on purpose: it reads each engine's own catalogue.
const EXCLUDED: [&str; 1] = ["migrate.rs"];

async fn every_statement_is_accepted(server: TestServer) {
    let statements = statements();
    assert!(
        statements.len() > 60,
        "the scan found {} statements",
        statements.len()
    );
    let mut refused = Vec::new();
    for (file, sql) in statements {
        if only_engine(&sql).is_some_and(|engine| engine != server.engine) {
            continue;
        }
        // Each statement is a constant of the product; this copy of it lives as long as the tests.
        let sql: &'static str = Box::leak(sql.into_boxed_str());
        if let Err(fault) = server.app.store.prepare(sql).await {
            refused.push(format!("{file}: {sql}\n    {fault}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// The only engine that understands a question about the engine itself.
pub fn only_engine(sql: &str) -> Option<Engine> {
    let names = |words: &[&str]| words.iter().any(|word| sql.contains(word));
    if names(&["sqlite_version"]) {
        return Some(Engine::Sqlite);
    }
    names(&[
        "current_setting",
        "has_table_privilege",
        "pg_is_in_recovery",
        "pg_stat_activity",
        "clock_timestamp",
    ])
    .then_some(Engine::Postgres)
}

/// Tables with as many rows as an institution has partners, keys and nodes.
const SMALL: [&str; 8] = [
    "clients",
    "counters",
    "encryption_keys",
    "logout_receivers",
    "resources",
    "root",
    "signing_keys",
    "vault_keys",
];

/// What is meant to see every row: at a restore, for an operator, when somebody's access is closed, or of
/// what waits for a second.
const WHOLE: [&str; 5] = [
    "epoch.rs",
    "SELECT COUNT(*) FROM users WHERE state = 'active'",
    "SELECT COUNT(*) FROM audit_unsealed",
    "UPDATE authorizations SET claims = NULL \
     WHERE user_id = $1 AND (claims IS NOT NULL OR details IS NOT NULL)",
    "UPDATE authorizations SET claims = NULL, details = NULL \
     WHERE user_id = $1 AND (claims IS NOT NULL OR details IS NOT NULL)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_walks_through_a_table_that_grows() {
    let server = TestServer::start(Engine::Sqlite).await;
    let schema = server.app.store.schema().await.unwrap();
    let tables = schema.iter().filter_map(|column| column.split('.').next());
    let growing: BTreeSet<&str> = tables.filter(|table| !SMALL.contains(table)).collect();
    let mut walks = Vec::new();
    for (file, sql) in statements() {
        let whole = WHOLE.contains(&file.as_str()) || WHOLE.contains(&sql.as_str());
        if whole || only_engine(&sql) == Some(Engine::Postgres) {
            continue;
        }
        let plan = server.texts(&format!("EXPLAIN QUERY PLAN {sql}"), 3).await;
        // The first few in the order of an index are no walk, unless everything is sorted for them.
        let few = sql.contains("LIMIT") && !plan.iter().any(|step| step.contains("TEMP B-TREE"));
        for step in plan.iter().filter(|_| !few) {
            if growing.iter().any(|table| walks_through(step, table, &sql)) {
                walks.push(format!("{file}: {step}: {sql}"));
            }
        }
    }
    assert!(walks.is_empty(), "{}", walks.join("\n"));
}

/// Whether a step sees every row of a table, by its name or by what the statement calls it.
fn walks_through(step: &str, table: &str, sql: &str) -> bool {
    let Some(name) = step.strip_prefix("SCAN ") else {
        return false;
    };
    let name = name.split(' ').next().unwrap_or_default();
    name == table || sql.contains(&format!(" {table} {name} "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_two_schemas_are_one() {
    let sqlite = TestServer::start(Engine::Sqlite).await;
    let postgres = TestServer::start(Engine::Postgres).await;
    let one = sqlite.app.store.schema().await.unwrap();
    let two = postgres.app.store.schema().await.unwrap();
    assert!(one.len() > 100, "{} columns", one.len());
    assert_eq!(one, two);
}

/// Every `Sql("…")` of `src/store`, with its file.
pub fn statements() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if EXCLUDED.contains(&name.as_str()) {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for rest in source.split("Sql(").skip(1) {
            let Some(literal) = rest.trim_start().strip_prefix('"') else {
                // The type itself, or one handed on.
                continue;
            };
            found.push((name.clone(), unquote(literal)));
        }
    }
    found
}

/// The text of a string literal whose opening quote was read.
fn unquote(source: &str) -> String {
    let mut text = String::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => return text,
            '\\' => match chars.next() {
                Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    panic!("a literal without an end: {source:.80}");
}

#[test]
fn a_literal_over_several_lines_is_read_as_rust_reads_it() {
    assert_eq!(
        unquote("SELECT a \\\n     FROM b\") more"),
        "SELECT a FROM b"
    );
    assert_eq!(unquote("a \\\"b\\\" c\""), "a \"b\" c");
}
