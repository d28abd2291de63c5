//! Links between people and their accounts at the institution's own provider.

use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::sql::Sql;
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

/// Since when she has a link with an issuer, and when it was used last.
pub async fn of_user(
    tx: &mut Tx,
    user: Uuid,
    issuer: &str,
) -> Result<Option<(Timestamp, Option<Timestamp>)>, Fault> {
    const FIND: Sql =
        Sql("SELECT created_at, used_at FROM upstream_links WHERE user_id = $1 AND issuer = $2");
    let row = tx.optional(FIND, vec![user.into(), issuer.into()]).await?;
    row.map(|row| Ok((row.time(0)?, row.opt_time(1)?)))
        .transpose()
}

/// Removes every link of hers that was made at `since` or later; how many.
pub async fn remove_since(tx: &mut Tx, user: Uuid, since: Timestamp) -> Result<u64, Fault> {
    const REMOVE: Sql = Sql("DELETE FROM upstream_links WHERE user_id = $1 AND created_at >= $2");
    tx.execute(REMOVE, vec![user.into(), since.into()]).await
}
