//! `countersign migrate`.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{Failed, output, progress};
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::fault::Fault;
use crate::flows::backfill;
use crate::rng;
use crate::store::backfill::{ALL, Standing};
use crate::store::{Applied, Location, Store, schema_version};

#[derive(Debug, Args)]
#[command(after_help = "\
The server does this by itself when it starts. Do it beforehand where a deployment should fail before
the old server is stopped: the old server runs on the new schema.

Old rows that have to be completed are done in small batches, with progress on standard
error; interrupted, it goes on where it was.

  countersign migrate --check     exits with 1 when something is missing
  countersign migrate")]
pub(super) struct Arguments {
    /// Change nothing; compare the database with what this binary needs
    #[arg(long)]
    check: bool,
}

/// Applies what is missing of the schema, or says what is.
///
/// JSON: `{"schema_version":1,"applied":[{"version":1,"name":"foundation"}],"backfills":[{"name":"…",
/// "done":500,"all":500,"finished":true}]}`; with `--check`
/// `{"schema_version":1,"up_to_date":false,"missing":["users.id bytea not null",…]}`.
pub(super) async fn run(config: &Path, arguments: &Arguments, json: bool) -> Result<(), Failed> {
    let config = Config::load(config)?;
    if arguments.check {
        return check(&config.database, json).await;
    }
    let store = connect(&config.database).await?;
    let done = bring_up_to_date(&store).await;
    store.close().await;
    let (applied, backfills) = done.map_err(|fault| {
        Failed(format!(
            "database.url: the schema cannot be brought up to date: {fault}"
        ))
    })?;
    if json {
        let applied: Vec<_> = applied
            .iter()
            .map(|one| json!({ "version": one.version, "name": one.name }))
            .collect();
        return output::object(&json!({
            "schema_version": schema_version(),
            "applied": applied,
            "backfills": as_json(&backfills),
        }));
    }
    output::text(&told(&applied, &backfills))
}

async fn bring_up_to_date(store: &Store) -> Result<(Vec<Applied>, Vec<Standing>), Fault> {
    let applied = store.migrate().await?;
    let progress = progress::on_stderr("rows brought up to date");
    let backfills = backfill::finish(store, &Clock::system(), ALL, &progress).await?;
    Ok((applied, backfills))
}

/// What was done, for people.
fn told(applied: &[Applied], backfills: &[Standing]) -> String {
    let applied = applied
        .iter()
        .map(|one| format!("applied {:04} {}\n", one.version, one.name));
    let backfills = backfills.iter().filter(|one| one.done > 0).map(|one| {
        let state = if one.finished { "done" } else { "under way" };
        format!("{} {state}: {} of {} rows\n", one.name, one.done, one.all)
    });
    let lines: Vec<String> = applied.chain(backfills).collect();
    if lines.is_empty() {
        return format!("The schema is up to date (version {}).\n", schema_version());
    }
    lines.concat()
}

fn as_json(backfills: &[Standing]) -> Vec<serde_json::Value> {
    let one = |one: &Standing| {
        json!({
            "name": one.name, "done": one.done, "all": one.all, "finished": one.finished,
        })
    };
    backfills.iter().map(one).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_and_how_far_it_is_is_told() {
        let applied = [Applied {
            version: 9,
            name: "backfills",
        }];
        let half = Standing {
            name: "names",
            done: 500,
            all: 1200,
            finished: false,
        };
        let whole = Standing {
            done: 1200,
            finished: true,
            ..half.clone()
        };
        assert_eq!(told(&applied, &[]), "applied 0009 backfills\n");
        assert_eq!(
            told(&[], std::slice::from_ref(&half)),
            "names under way: 500 of 1200 rows\n"
        );
        assert_eq!(told(&[], &[whole]), "names done: 1200 of 1200 rows\n");
        assert!(told(&[], &[]).starts_with("The schema is up to date"));
        assert_eq!(
            as_json(&[half]),
            [json!({"name": "names", "done": 500, "all": 1200, "finished": false})]
        );
    }
}
