//! Re-proofings: an operator begins to let a person set up her sign-in anew, another approves it.
//! Each step is one conditional statement.

use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::sql::{Row, Sql};
use crate::fault::Fault;

/// One that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reproof {
    /// Its identifier.
    pub id: Uuid,
    /// Whose sign-in.
    pub user_id: Uuid,
    /// The operator who began it.
    pub begun_by: String,
    /// When.
    pub begun_at: Timestamp,
    /// From when on it can be approved.
    pub opens_at: Timestamp,
    /// From when on it is over.
    pub expires_at: Timestamp,
    /// The operator who approved it.
    pub approved_by: Option<String>,
    /// The account of the machine that began it, as `uid=1000(ada)`, when it is known.
    pub begun_account: Option<String>,
    /// The audit event of which the person is told by mail; none when she could not be told.
    pub told_event: Option<Uuid>,
}

/// Begins one; false when another stands. One whose time is over stands no more.
pub async fn begin(tx: &mut Tx, new: &Reproof) -> Result<bool, Fault> {
    const CLEAR: Sql = Sql("UPDATE reproofs SET ended_at = $2 \
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at <= $2");
    const INSERT: Sql = Sql(
        "INSERT INTO reproofs (id, user_id, begun_by, begun_at, opens_at, expires_at, begun_account, \
         told_event) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (user_id) WHERE ended_at IS NULL DO NOTHING",
    );
    tx.execute(CLEAR, vec![new.user_id.into(), new.begun_at.into()])
        .await?;
    let values = vec![
        new.id.into(),
        new.user_id.into(),
        (&new.begun_by).into(),
        new.begun_at.into(),
        new.opens_at.into(),
        new.expires_at.into(),
        new.begun_account.clone().into(),
        new.told_event.into(),
    ];
    Ok(tx.execute(INSERT, values).await? == 1)
}

/// The one that stands for a person at `now`.
pub async fn standing(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<Option<Reproof>, Fault> {
    const STANDING: Sql = Sql(
        "SELECT id, user_id, begun_by, begun_at, opens_at, expires_at, approved_by, begun_account, \
         told_event FROM reproofs \
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2",
    );
    let row = tx.optional(STANDING, vec![user.into(), now.into()]).await?;
    row.as_ref().map(read).transpose()
}

/// Approves one, which then is good until `until`; false unless it stands, its wait is over, nobody
/// approved it before, and somebody else began it.
pub async fn approve(
    tx: &mut Tx,
    id: Uuid,
    by: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Fault> {
    const APPROVE: Sql = Sql(
        "UPDATE reproofs SET approved_by = $2, approved_at = $3, expires_at = $4 \
         WHERE id = $1 AND ended_at IS NULL AND approved_at IS NULL AND begun_by <> $2 \
         AND opens_at <= $3 AND expires_at > $3",
    );
    let values = vec![id.into(), by.into(), now.into(), until.into()];
    Ok(tx.execute(APPROVE, values).await? == 1)
}

/// Whether one is approved, stands, and is not over.
pub async fn is_open(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const OPEN: Sql = Sql("SELECT 1 FROM reproofs WHERE id = $1 AND ended_at IS NULL \
         AND approved_at IS NOT NULL AND expires_at > $2");
    let row = tx.optional(OPEN, vec![id.into(), now.into()]).await?;
    Ok(row.is_some())
}

/// Spends an approved one; false when it is not open (any more).
pub async fn finish(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const FINISH: Sql = Sql("UPDATE reproofs SET ended_at = $2 WHERE id = $1 \
         AND ended_at IS NULL AND approved_at IS NOT NULL AND expires_at > $2");
    Ok(tx.execute(FINISH, vec![id.into(), now.into()]).await? == 1)
}

/// Ends whatever stands for a person; false when nothing did.
pub async fn cancel(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const CANCEL: Sql = Sql("UPDATE reproofs SET ended_at = $2 \
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2");
    Ok(tx.execute(CANCEL, vec![user.into(), now.into()]).await? == 1)
}

fn read(row: &Row) -> Result<Reproof, Fault> {
    Ok(Reproof {
        id: row.uuid(0)?,
        user_id: row.uuid(1)?,
        begun_by: row.text(2)?,
        begun_at: row.time(3)?,
        opens_at: row.time(4)?,
        expires_at: row.time(5)?,
        approved_by: row.opt_text(6)?,
        begun_account: row.opt_text(7)?,
        told_event: row.opt_uuid(8)?,
    })
}
