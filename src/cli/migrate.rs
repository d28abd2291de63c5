//! `countersign migrate`.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{Failed, output};
use crate::config::{Config, Database};
use crate::fault::Fault;
use crate::rng;
use crate::store::{Location, Store, schema_version};

#[derive(Debug, Args)]
#[command(after_help = "\
The server does this by itself when it starts. Do it beforehand where a deployment should fail before
the old server is stopped: the old server runs on the new schema.

  countersign migrate --check     exits with 1 when something is missing
  countersign migrate")]
pub(super) struct Arguments {
    /// Change nothing; compare the database with what this binary needs
    #[arg(long)]
    check: bool,
}

/// Applies what is missing of the schema, or says what is.
///
/// JSON: `{"schema_version":1,"applied":[{"version":1,"name":"foundation"}]}`; with `--check`
/// `{"schema_version":1,"up_to_date":false,"missing":["users.id bytea not null",…]}`.
pub(super) async fn run(config: &Path, arguments: &Arguments, json: bool) -> Result<(), Failed> {
    let config = Config::load(config)?;
    if arguments.check {
        return check(&config.database, json).await;
    }
    let store = connect(&config.database).await?;
    let applied = store.migrate().await;
    store.close().await;
    let applied = applied.map_err(|fault| {
        Failed(format!(
            "database.url: the schema cannot be brought up to date: {fault}"
        ))
    })?;
    if json {
        let applied: Vec<_> = applied
            .iter()
            .map(|one| json!({ "version": one.version, "name": one.name }))
            .collect();
        return output::object(&json!({ "schema_version": schema_version(), "applied": applied }));
    }
    if applied.is_empty() {
        return output::text(&format!(
            "The schema is up to date (version {}).\n",
            schema_version()
        ));
    }
    let lines: Vec<String> = applied
        .iter()
        .map(|one| format!("applied {:04} {}\n", one.version, one.name))
        .collect();
    output::text(&lines.concat())
}

/// Compares the schema with that of a new database.
async fn check(database: &Database, json: bool) -> Result<(), Failed> {
    let found = match database {
        // Looking must not make the file.
        Database::Sqlite(path) if !path.exists() => BTreeSet::new(),
        _ => {
            let store = connect(database).await?;
            let schema = store.schema().await;
            store.close().await;
            schema?.into_iter().collect()
        }
    };
    let needed = needed().await?;
    let missing: Vec<&String> = needed.difference(&found).collect();
    if json {
        output::object(&json!({
            "schema_version": schema_version(),
            "up_to_date": missing.is_empty(),
            "missing": missing,
        }))?;
    } else if missing.is_empty() {
        output::text(&format!(
            "The schema is up to date (version {}).\n",
            schema_version()
        ))?;
    }
    match missing.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(Failed(format!(
            "the database lacks {} columns of schema version {} ({first} is the first); run \
             `countersign migrate`",
            missing.len(),
            schema_version()
        ))),
    }
}

/// The schema of a new database, made for the purpose.
async fn needed() -> Result<BTreeSet<String>, Failed> {
    let name = rng::uuid(rules::time::Timestamp::default())?;
    let folder = std::env::temp_dir().join(format!("countersign-check-{name}"));
    let failed = |error| Failed(format!("{} cannot be made: {error}", folder.display()));
    std::fs::create_dir(&folder).map_err(failed)?;
    let schema = made(&folder.join("check.db")).await;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(schema?.into_iter().collect())
}

async fn made(path: &Path) -> Result<Vec<String>, Fault> {
    let store = Store::connect(Location::Sqlite(path)).await?;
    store.migrate().await?;
    let schema = store.schema().await;
    store.close().await;
    schema
}

async fn connect(database: &Database) -> Result<Store, Failed> {
    let location = match database {
        Database::Sqlite(path) => Location::Sqlite(path),
        Database::Postgres(url) => Location::Postgres(url.expose()),
    };
    Store::connect(location).await.map_err(|fault| match fault {
        Fault::Busy(_) => Failed(
            "database.url: a server has the database open; it brought the schema up to date when it \
             started"
                .to_owned(),
        ),
        Fault::Unreachable(why) => Failed(format!("database.url: {why}")),
        fault => Failed(format!(
            "database.url: {fault}; check that the database can be reached and the URL is right"
        )),
    })
}
