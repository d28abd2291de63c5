//! Links between people and their accounts at the institution's own provider.

use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::sql::{Row, Sql};
use crate::fault::Fault;

/// What finds a link: a keyed hash of issuer and subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectKey(pub [u8; 32]);

/// Whose link this is.
pub async fn find(tx: &mut Tx, key: SubjectKey) -> Result<Option<Uuid>, Fault> {
    const FIND: Sql = Sql("SELECT user_id FROM upstream_links WHERE subject_key = $1");
    let row = tx.optional(FIND, vec![key.0.into()]).await?;
    row.map(|row| row.uuid(0)).transpose()
}

/// Links; false when somebody has it already, or she has another of this issuer.
pub async fn insert(
    tx: &mut Tx,
    (key, user): (SubjectKey, Uuid),
    issuer: &str,
    now: Timestamp,
) -> Result<bool, Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO upstream_links (subject_key, user_id, issuer, created_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    );
    let values = vec![key.0.into(), user.into(), issuer.into(), now.into()];
    Ok(tx.execute(INSERT, values).await? == 1)
}

/// Notes that a link of hers was used; false when it is not hers (any more).
pub async fn used(
    tx: &mut Tx,
    (key, user): (SubjectKey, Uuid),
    now: Timestamp,
) -> Result<bool, Fault> {
    const USED: Sql =
        Sql("UPDATE upstream_links SET used_at = $3 WHERE subject_key = $1 AND user_id = $2");
    let values = vec![key.0.into(), user.into(), now.into()];
    Ok(tx.execute(USED, values).await? == 1)
}

/// One of hers.
#[derive(Clone, Debug)]
pub struct Link {
    /// Whose accounts are linked.
    pub issuer: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When she signed in by it last.
    pub used_at: Option<Timestamp>,
}

/// Hers: with this provider, and with others that were set before.
pub async fn of_user(tx: &mut Tx, user: Uuid) -> Result<Vec<Link>, Fault> {
    const FIND: Sql = Sql("SELECT issuer, created_at, used_at FROM upstream_links \
         WHERE user_id = $1 ORDER BY issuer");
    let rows = tx.all(FIND, vec![user.into()]).await?;
    let link = |row: &Row| {
        Ok(Link {
            issuer: row.text(0)?,
            created_at: row.time(1)?,
            used_at: row.opt_time(2)?,
        })
    };
    rows.iter().map(link).collect()
}

/// Removes every link of hers, with this provider and with others that were set before; whether there
/// was any.
pub async fn remove(tx: &mut Tx, user: Uuid) -> Result<bool, Fault> {
    const REMOVE: Sql = Sql("DELETE FROM upstream_links WHERE user_id = $1");
    Ok(tx.execute(REMOVE, vec![user.into()]).await? > 0)
}
