//! The schema: `migrations/sqlite` and `migrations/postgres` hold the same names and numbers.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType};

use super::sql::{Conn, Sql};
use crate::fault::Fault;

/// The oldest schema version whose binaries run on the newest schema. Migrations only extend; the one
/// that takes something away raises this to the version before it, a release later.
const OLDEST_SERVED: i64 = 5;

/// Keeps a second server from migrating at the same moment; the number means nothing else. The first
/// two end with the transaction.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4841029380651102001)";
const LOCK_SHARED: &str = "SELECT pg_advisory_xact_lock_shared(4841029380651102001)";
const LOCK_SESSION: &str = "SELECT pg_advisory_lock(4841029380651102001)";

/// How long a migration waits for a table, and how long it lets others go first after that.
const BRIEFLY: &str = "SET LOCAL lock_timeout = '2s'";
const REST: Duration = Duration::from_secs(1);

/// `(version, name, SQLite, PostgreSQL)`.
type Entry = (i64, &'static str, &'static str, &'static str);

/// Oldest first.
const MIGRATIONS: &[Entry] = &[
    (
        1,
        "foundation",
        include_str!("../../migrations/sqlite/0001_foundation.sql"),
        include_str!("../../migrations/postgres/0001_foundation.sql"),
    ),
    (
        2,
        "logout",
        include_str!("../../migrations/sqlite/0002_logout.sql"),
        include_str!("../../migrations/postgres/0002_logout.sql"),
    ),
    (
        4,
        "account",
        include_str!("../../migrations/sqlite/0004_account.sql"),
        include_str!("../../migrations/postgres/0004_account.sql"),
    ),
    (
        5,
        "oidc",
        include_str!("../../migrations/sqlite/0005_oidc.sql"),
        include_str!("../../migrations/postgres/0005_oidc.sql"),
    ),
    (
        6,
        "proofs",
        include_str!("../../migrations/sqlite/0006_proofs.sql"),
        include_str!("../../migrations/postgres/0006_proofs.sql"),
    ),
    (
        7,
        "webauthn",
        include_str!("../../migrations/sqlite/0007_webauthn.sql"),
        include_str!("../../migrations/postgres/0007_webauthn.sql"),
    ),
    (
        8,
        "person_proofs",
        include_str!("../../migrations/sqlite/0008_person_proofs.sql"),
        include_str!("../../migrations/postgres/0008_person_proofs.sql"),
    ),
    (
        9,
        "backfills",
        include_str!("../../migrations/sqlite/0009_backfills.sql"),
        include_str!("../../migrations/postgres/0009_backfills.sql"),
    ),
    (
        10,
        "mail",
        include_str!("../../migrations/sqlite/0010_mail.sql"),
        include_str!("../../migrations/postgres/0010_mail.sql"),
    ),
    (
        11,
        "recovery",
        include_str!("../../migrations/sqlite/0011_recovery.sql"),
        include_str!("../../migrations/postgres/0011_recovery.sql"),
    ),
    (
        12,
        "upstream",
        include_str!("../../migrations/sqlite/0012_upstream.sql"),
        include_str!("../../migrations/postgres/0012_upstream.sql"),
    ),
    (
        13,
        "told",
        include_str!("../../migrations/sqlite/0013_told.sql"),
        include_str!("../../migrations/postgres/0013_told.sql"),
    ),
    (
        14,
        "encryption_keys",
        include_str!("../../migrations/sqlite/0014_encryption_keys.sql"),
        include_str!("../../migrations/postgres/0014_encryption_keys.sql"),
    ),
    (
        17,
        "agreed",
        include_str!("../../migrations/sqlite/0017_agreed.sql"),
        include_str!("../../migrations/postgres/0017_agreed.sql"),
    ),
];

/// A migration that was just applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: &'static str,
}

/// The newest schema version this binary knows.
#[must_use]
pub fn schema_version() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

/// Applies what is missing, each migration in a transaction of its own.
pub(super) async fn run(conn: &mut Conn) -> Result<Vec<Applied>, Fault> {
    let mut done = Vec::new();
    while let Some(applied) = step(conn).await? {
        done.push(applied);
    }
    Ok(done)
}

/// Whether nothing is to be applied; then no right to make tables is needed. Whoever sets the database
/// up or restores it at this moment is waited for.
pub(super) async fn is_ready(conn: &mut Conn) -> Result<bool, Fault> {
    if matches!(conn, Conn::Sqlite(_)) {
        return lacks_nothing(conn).await;
    }
    conn.control("BEGIN").await?;
    let ready = async {
        conn.script(LOCK_SHARED).await?;
        lacks_nothing(conn).await
    };
    let ready = ready.await;
    conn.control("ROLLBACK").await?;
    ready
}

async fn lacks_nothing(conn: &mut Conn) -> Result<bool, Fault> {
    Ok(has_table(conn).await? && missing(conn, None).await?.is_empty())
}

/// Lets nobody else migrate this database until the connection ends (`PostgreSQL`; an `SQLite` file
/// has a lock beside it).
pub(super) async fn keep_others_out(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(_) => conn.script(LOCK_SESSION).await,
    }
}

/// Applies what is missing up to a version, or all of it, inside a transaction that was begun.
pub(super) async fn run_to(conn: &mut Conn, version: Option<i64>) -> Result<Vec<Applied>, Fault> {
    let missing = missing(conn, version).await?;
    let mut done = Vec::with_capacity(missing.len());
    for migration in missing {
        done.push(apply(conn, migration).await?);
    }
    Ok(done)
}

/// Applies the next of what is missing. Whoever asks for a table that a migration waits for waits behind
/// it: so it waits briefly, and lets all of them go first before it tries again.
async fn step(conn: &mut Conn) -> Result<Option<Applied>, Fault> {
    loop {
        match try_step(conn).await {
            Err(Fault::Storage(error)) if is_locked(&error) => {
                tracing::warn!("a migration waits for a table that somebody else uses");
                tokio::time::sleep(REST).await;
            }
            done => return done,
        }
    }
}

/// Whether a lock was not to be had in time (`lock_not_available`).
fn is_locked(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

/// Applies the next of what is missing, in a transaction of its own. The lock ends with the
/// transaction, so that none is left behind at a pooler.
async fn try_step(conn: &mut Conn) -> Result<Option<Applied>, Fault> {
    let (begin, lock) = match conn {
        Conn::Sqlite(_) => ("BEGIN IMMEDIATE", None),
        Conn::Postgres(_) => ("BEGIN", Some(LOCK)),
    };
    conn.control(begin).await?;
    let applied = async {
        if let Some(lock) = lock {
            // Of two servers that start at once, the second waits.
            conn.script(lock).await?;
            conn.script(BRIEFLY).await?;
        }
        self::begin(conn).await?;
        match missing(conn, None).await?.first() {
            Some(next) => apply(conn, next).await.map(Some),
            None => Ok(None),
        }
    };
    match applied.await {
        Ok(applied) => conn.control("COMMIT").await.map(|()| applied),
        Err(fault) => {
            let _ = conn.control("ROLLBACK").await;
            Err(fault)
        }
    }
}

async fn apply(conn: &mut Conn, entry: &'static Entry) -> Result<Applied, Fault> {
    const LIST: Sql = Sql("INSERT INTO _sqlx_migrations \
         (version, description, success, checksum, execution_time) VALUES ($1, $2, TRUE, $3, -1)");
    const SERVES: Sql = Sql(
        "INSERT INTO meta (name, value) VALUES ('schema_serves', $1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    );
    let &(version, name, ..) = entry;
    let sql = script(conn, entry);
    conn.script(sql).await?;
    let values = vec![version.into(), name.into(), checksum(entry, sql).into()];
    conn.execute(LIST, values).await?;
    conn.execute(SERVES, vec![OLDEST_SERVED.to_string().into()])
        .await?;
    Ok(Applied { version, name })
}

/// What is to be applied up to a version, or at all. What a newer binary applied is well when that
/// one said that this one may go on.
async fn missing(conn: &mut Conn, version: Option<i64>) -> Result<Vec<&'static Entry>, Fault> {
    const LISTED: Sql = Sql("SELECT version, checksum FROM _sqlx_migrations ORDER BY version");
    let wanted = version.unwrap_or(i64::MAX);
    let mut missing: Vec<_> = MIGRATIONS.iter().filter(|one| one.0 <= wanted).collect();
    let mut newest_unknown = None;
    for row in conn.all(LISTED, vec![]).await? {
        let (version, listed) = (row.int(0)?, row.bytes(1)?);
        missing.retain(|one| one.0 != version);
        match MIGRATIONS.iter().find(|one| one.0 == version) {
            None => newest_unknown = Some(version),
            Some(entry) if checksum(entry, script(conn, entry)) == listed => {}
            Some(_) => {
                return Err(Fault::Internal(format!(
                    "migration {version} of the database is not the one of this binary; run a binary \
                     that was released"
                )));
            }
        }
    }
    if let Some(newest) = newest_unknown {
        if !missing.is_empty() || !serves(conn).await? {
            return Err(Fault::Internal(format!(
                "the database has schema version {newest}, newer than this binary's {}; run the newer \
                 binary",
                schema_version()
            )));
        }
        tracing::warn!(
            schema = newest,
            known = schema_version(),
            "a newer version extended the database; this one goes on beside it"
        );
    }
    Ok(missing)
}

/// Whether the newer binary that made the schema said that this binary may go on.
pub(super) async fn serves(conn: &mut Conn) -> Result<bool, Fault> {
    const SERVES: Sql = Sql("SELECT value FROM meta WHERE name = 'schema_serves'");
    let row = conn.optional(SERVES, vec![]).await?;
    let oldest = row.map(|row| row.text(0)).transpose()?;
    let oldest = oldest.and_then(|text| text.parse::<i64>().ok());
    Ok(oldest.is_some_and(|oldest| oldest <= schema_version()))
}

fn script(conn: &Conn, &(.., sqlite, postgres): &'static Entry) -> &'static str {
    match conn {
        Conn::Sqlite(_) => sqlite,
        Conn::Postgres(_) => postgres,
    }
}

fn checksum(&(version, name, ..): &Entry, sql: &'static str) -> Vec<u8> {
    let sql = sqlx::SqlSafeStr::into_sql_str(sql);
    let migration = Migration::new(version, name.into(), MigrationType::Simple, sql, false);
    migration.checksum.into_owned()
}

/// Makes the table that lists what was applied.
pub(super) async fn begin(conn: &mut Conn) -> Result<(), Fault> {
    conn.script(
        "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, \
         description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
         success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)",
    )
    .await
}

async fn has_table(conn: &mut Conn) -> Result<bool, Fault> {
    const SQLITE: Sql = Sql(
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'",
    );
    const POSTGRES: Sql = Sql("SELECT COUNT(*) FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'");
    let table = match conn {
        Conn::Sqlite(_) => conn.optional(SQLITE, vec![]).await?,
        Conn::Postgres(_) => conn.optional(POSTGRES, vec![]).await?,
    };
    Ok(table.map(|row| row.int(0)).transpose()?.unwrap_or(0) > 0)
}

/// The version of the schema that a database has; 0 when it has none.
pub(super) async fn version(conn: &mut Conn) -> Result<i64, Fault> {
    const NEWEST: Sql = Sql("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations");
    if !has_table(conn).await? {
        return Ok(0);
    }
    let newest = conn.optional(NEWEST, vec![]).await?;
    Ok(newest.map(|row| row.int(0)).transpose()?.unwrap_or(0))
}

/// What takes everything away again that migrations make on `PostgreSQL`, and nothing else.
pub(super) fn undo() -> Vec<String> {
    let mut undo = vec!["DROP TABLE IF EXISTS _sqlx_migrations".to_owned()];
    for (.., sql) in MIGRATIONS {
        for line in sql.lines() {
            let name = |rest: &str| {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                rest[..end.unwrap_or(rest.len())].to_owned()
            };
            if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                undo.push(format!("DROP TABLE IF EXISTS {} CASCADE", name(rest)));
            } else if let Some(rest) = line.strip_prefix("CREATE FUNCTION ") {
                undo.push(format!("DROP FUNCTION IF EXISTS {} CASCADE", name(rest)));
            }
        }
    }
    undo
}

pub(super) async fn describe(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    const SQLITE: Sql = Sql(
        "SELECT m.name, c.name, CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' \
         ELSE lower(c.type) END || CASE c.\"notnull\" WHEN 1 THEN ' not null' ELSE '' END \
         FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%'",
    );
    const POSTGRES: Sql = Sql(
        "SELECT table_name::text, column_name::text, data_type::text || \
         CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%'",
    );
    let rows = match conn {
        Conn::Sqlite(_) => conn.all(SQLITE, vec![]).await?,
        Conn::Postgres(_) => conn.all(POSTGRES, vec![]).await?,
    };
    let mut columns = rows
        .iter()
        .map(|row| {
            Ok(format!(
                "{}.{} {}",
                row.text(0)?,
                row.text(1)?,
                row.text(2)?
            ))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    columns.sort();
    Ok(columns)
}
