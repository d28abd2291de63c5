//! What the database says of itself, for `countersign check`.

use std::collections::HashMap;

use rules::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Tx;
use super::audit::first_of;
use super::migrate;
use super::sql::{Conn, Sql};
use crate::fault::Fault;

/// The engine and how it is reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, judged alone"
)]
pub struct Engine {
    /// `SQLite` or `PostgreSQL`.
    pub name: String,
    /// Its version, as it writes it.
    pub version: String,
    /// Whether the connection is encrypted; none where there is no network between.
    pub encrypted: Option<bool>,
    /// Whether the role that the server uses may change audit events.
    pub may_change_events: bool,
    /// Whether that role is a superuser.
    pub superuser: bool,
    /// By how many milliseconds the database's clock is ahead of this one.
    pub clock_ahead: Option<i64>,
    /// Whether commits wait for the disk.
    pub durable: bool,
    /// Whether there are standbys, and commits wait for none of them.
    #[serde(default)]
    pub standby_behind: bool,
    /// Whether a newer binary that made the schema said that this one may go on.
    #[serde(default)]
    pub serves: bool,
}

/// What the engine says, and the version of the schema.
pub async fn engine(tx: &mut Tx, now: Timestamp) -> Result<(Engine, i64), Fault> {
    let schema = migrate::version(&mut tx.conn).await?;
    let mut engine = match tx.conn {
        Conn::Sqlite(_) => sqlite(tx).await?,
        Conn::Postgres(_) => postgres(tx, now, schema).await?,
    };
    if schema > 0 {
        engine.serves = migrate::serves(&mut tx.conn).await?;
    }
    Ok((engine, schema))
}

async fn sqlite(tx: &mut Tx) -> Result<Engine, Fault> {
    const VERSION: Sql = Sql("SELECT sqlite_version()");
    let row = tx.optional(VERSION, vec![]).await?;
    Ok(Engine {
        name: "SQLite".to_owned(),
        version: row.map(|row| row.text(0)).transpose()?.unwrap_or_default(),
        durable: true,
        ..Engine::default()
    })
}

async fn postgres(tx: &mut Tx, now: Timestamp, schema: i64) -> Result<Engine, Fault> {
    const FACTS: Sql = Sql("SELECT current_setting('server_version'), \
         COALESCE((SELECT s.ssl::int FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), 0)::bigint, \
         (inet_client_addr() IS NULL)::int::bigint, \
         (SELECT r.rolsuper::int FROM pg_roles r WHERE r.rolname = current_user)::bigint, \
         (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint, \
         (current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off')::int::bigint, \
         (EXISTS (SELECT 1 FROM pg_stat_replication) AND \
          (current_setting('synchronous_standby_names') = '' OR \
           current_setting('synchronous_commit') IN ('off', 'local')))::int::bigint");
    const UPDATE: Sql =
        Sql("SELECT has_table_privilege(current_user, 'audit_events', 'UPDATE')::int::bigint");
    let facts = tx.optional(FACTS, vec![]).await?;
    let row = facts.ok_or_else(|| Fault::Unreadable("pg_stat_ssl".to_owned()))?;
    let local = row.int(2)? != 0;
    let mut engine = Engine {
        name: "PostgreSQL".to_owned(),
        version: row.text(0)?,
        encrypted: (!local).then_some(row.int(1)? != 0),
        may_change_events: false,
        superuser: row.opt_int(3)? == Some(1),
        clock_ahead: Some(row.int(4)? - now.millis()),
        durable: row.int(5)? != 0,
        standby_behind: row.int(6)? != 0,
        serves: false,
    };
    if schema > 0 {
        let row = tx.optional(UPDATE, vec![]).await?;
        engine.may_change_events = row.map(|row| row.int(0)).transpose()? == Some(1);
    }
    Ok(engine)
}

/// When the newest audit event happened.
pub(super) async fn newest_event(conn: &mut Conn) -> Result<Option<Timestamp>, Fault> {
    const NEWEST: Sql = Sql("SELECT at FROM audit_events ORDER BY id DESC LIMIT 1");
    let newest = conn.optional(NEWEST, vec![]).await?;
    newest.map(|row| row.time(0)).transpose()
}

/// The newest audit event that the database holds, and by how many milliseconds the database's own
/// clock is ahead of `now` (`PostgreSQL`).
pub async fn times(tx: &mut Tx, now: Timestamp) -> Result<(Option<Timestamp>, Option<i64>), Fault> {
    const CLOCK: Sql = Sql("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint");
    let ahead = match tx.conn {
        Conn::Sqlite(_) => None,
        Conn::Postgres(_) => {
            let row = tx.optional(CLOCK, vec![]).await?;
            row.map(|row| row.int(0)).transpose()?
        }
    };
    let newest = newest_event(&mut tx.conn).await?;
    Ok((newest, ahead.map(|at| at - now.millis())))
}

/// The newest audit event, the newest backup, and how many events wait to be sealed.
pub async fn audit(tx: &mut Tx) -> Result<(Option<Timestamp>, Option<Timestamp>, u64), Fault> {
    const BACKUP: Sql = Sql("SELECT MAX(at) FROM audit_events WHERE kind = 'backup.made'");
    const WAITING: Sql = Sql("SELECT COUNT(*) FROM audit_unsealed");
    let newest = newest_event(&mut tx.conn).await?;
    let backup = tx.optional(BACKUP, vec![]).await?;
    let backup = backup.map(|row| row.opt_time(0)).transpose()?.flatten();
    let waiting = tx.optional(WAITING, vec![]).await?;
    let waiting = waiting.map(|row| row.int(0)).transpose()?.unwrap_or(0);
    Ok((newest, backup, u64::try_from(waiting).unwrap_or(0)))
}

/// How many mails were given up since then, and since when the oldest waits that still does.
pub async fn mail(tx: &mut Tx, since: Timestamp) -> Result<(u64, Option<Timestamp>), Fault> {
    const GIVEN_UP: Sql =
        Sql("SELECT COUNT(*) FROM audit_events WHERE id >= $1 AND kind = 'mail.not_sent'");
    const OLDEST: Sql = Sql("SELECT MIN(created_at) FROM mails");
    let given_up = tx.optional(GIVEN_UP, vec![first_of(since).into()]).await?;
    let given_up = given_up.map(|row| row.int(0)).transpose()?.unwrap_or(0);
    let oldest = tx.optional(OLDEST, vec![]).await?;
    let oldest = oldest.map(|row| row.opt_time(0)).transpose()?.flatten();
    Ok((u64::try_from(given_up).unwrap_or(0), oldest))
}

/// When the registration of each client last changed.
pub async fn client_ages(tx: &mut Tx) -> Result<HashMap<String, Timestamp>, Fault> {
    const AGES: Sql = Sql("SELECT id, changed_at FROM clients");
    let rows = tx.all(AGES, vec![]).await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?, row.time(1)?)))
        .collect()
}

/// Frontier and note of the last checkpoint of at most so many leaves.
pub async fn checkpoint_up_to(tx: &mut Tx, size: i64) -> Result<Option<(Vec<u8>, String)>, Fault> {
    const FIND: Sql = Sql(
        "SELECT frontier, note FROM audit_checkpoints WHERE size <= $1 \
         ORDER BY size DESC LIMIT 1",
    );
    let row = tx.optional(FIND, vec![size.into()]).await?;
    row.map(|row| Ok((row.bytes(0)?, row.text(1)?))).transpose()
}
