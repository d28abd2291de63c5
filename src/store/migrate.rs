//! The schema: `migrations/sqlite` and `migrations/postgres` hold the same names and numbers.

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};

use super::sql::{Conn, Sql};
use crate::fault::Fault;

/// `(version, name, SQLite, PostgreSQL)`, oldest first.
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[
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
        8,
        "person_proofs",
        include_str!("../../migrations/sqlite/0008_person_proofs.sql"),
        include_str!("../../migrations/postgres/0008_person_proofs.sql"),
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

pub(super) async fn run(conn: &mut Conn) -> Result<Vec<Applied>, Fault> {
    run_to(conn, None).await
}

/// Applies what is missing up to a version, or all of it.
pub(super) async fn run_to(conn: &mut Conn, version: Option<i64>) -> Result<Vec<Applied>, Fault> {
    let before = match conn {
        Conn::Sqlite(c) => apply(&mut **c, version, |&(.., sqlite, _)| sqlite).await?,
        Conn::Postgres(c) => apply(&mut **c, version, |&(.., postgres)| postgres).await?,
    };
    let wanted = version.unwrap_or(i64::MAX);
    let new = MIGRATIONS
        .iter()
        .filter(|(version, ..)| *version <= wanted && !before.contains(version));
    Ok(new
        .map(|&(version, name, ..)| Applied { version, name })
        .collect())
}

/// Lets nobody else migrate this database until the connection ends (`PostgreSQL`; an `SQLite` file
/// has a lock beside it).
pub(super) async fn keep_others_out(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(c) => c.lock().await,
    }
    .map_err(|error| Fault::Storage(sqlx::Error::Migrate(Box::new(error))))
}

/// Applies what is missing; returns what had been applied before.
async fn apply<C: Migrate>(
    conn: &mut C,
    target: Option<i64>,
    sql: fn(&(i64, &str, &'static str, &'static str)) -> &'static str,
) -> Result<Vec<i64>, Fault> {
    let fault = |error: sqlx::migrate::MigrateError| match error {
        sqlx::migrate::MigrateError::VersionMissing(version) => Fault::Internal(format!(
            "the database has schema version {version}, newer than this binary's {}; run the newer binary",
            schema_version()
        )),
        error => Fault::Storage(sqlx::Error::Migrate(Box::new(error))),
    };
    let migrations: Vec<Migration> = MIGRATIONS
        .iter()
        .map(|entry| {
            let (version, name, ..) = *entry;
            let sql = sqlx::SqlSafeStr::into_sql_str(sql(entry));
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.set_locking(false);
    // Of two servers that start at once, the second waits.
    conn.lock().await.map_err(fault)?;
    let applied = apply_locked(conn, target, &migrator).await;
    conn.unlock().await.map_err(fault)?;
    applied.map_err(fault)
}

async fn apply_locked<C: Migrate>(
    conn: &mut C,
    target: Option<i64>,
    migrator: &Migrator,
) -> Result<Vec<i64>, sqlx::migrate::MigrateError> {
    // The server's role may not be allowed to make tables: where nothing is to be made, none is.
    let listed = conn.list_applied_migrations(&migrator.table_name).await;
    let before = if let Ok(before) = listed {
        before
    } else {
        conn.ensure_migrations_table(&migrator.table_name).await?;
        conn.list_applied_migrations(&migrator.table_name).await?
    };
    let ours = migrator.migrations.iter();
    let up_to_date = ours
        .map(|one| (one.version, &one.checksum))
        .eq(before.iter().map(|one| (one.version, &one.checksum)));
    if !up_to_date {
        migrator.run_direct(target, conn, false).await?;
    }
    Ok(before.into_iter().map(|applied| applied.version).collect())
}

/// Makes the table that lists what was applied. A transaction of `PostgreSQL` in which a statement
/// failed is over, so inside one it must be there before it is looked for.
pub(super) async fn begin(conn: &mut Conn) -> Result<(), Fault> {
    const TABLE: &str = "_sqlx_migrations";
    match conn {
        Conn::Sqlite(c) => c.ensure_migrations_table(TABLE).await,
        Conn::Postgres(c) => c.ensure_migrations_table(TABLE).await,
    }
    .map_err(|error| Fault::Storage(sqlx::Error::Migrate(Box::new(error))))
}

/// The version of the schema that a database has; 0 when it has none.
pub(super) async fn version(conn: &mut Conn) -> Result<i64, Fault> {
    const SQLITE: Sql = Sql(
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'",
    );
    const POSTGRES: Sql = Sql("SELECT COUNT(*) FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'");
    const NEWEST: Sql = Sql("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations");
    let table = match conn {
        Conn::Sqlite(_) => conn.optional(SQLITE, vec![]).await?,
        Conn::Postgres(_) => conn.optional(POSTGRES, vec![]).await?,
    };
    if table.map(|row| row.int(0)).transpose()?.unwrap_or(0) == 0 {
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
