//! New recovery codes that a person was shown and has not confirmed yet. The old ones count until
//! she does.

use rules::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse};

/// Which set, whose, and in which session it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// Its identifier, new each time.
    pub id: Uuid,
    /// The session.
    pub session_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
}

/// Keeps a set until `expires_at`; an earlier one of the same session is forgotten.
pub async fn begin<S: Serialize + Sync>(
    tx: &mut Tx,
    renewal: Renewal,
    state: &S,
    expires_at: Timestamp,
) -> Result<(), Fault> {
    const PUT: Sql = Sql(
        "INSERT INTO recovery_renewals (session_id, id, user_id, state, expires_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session_id) DO UPDATE SET id = excluded.id, \
         user_id = excluded.user_id, state = excluded.state, expires_at = excluded.expires_at",
    );
    let plain = serde_json::to_vec(state).map_err(|error| Fault::Internal(error.to_string()))?;
    let plain = zeroize::Zeroizing::new(plain);
    let sealed = tx
        .vault()?
        .seal(KeyUse::Columns, cell(&renewal.id), &plain)?;
    let values = vec![
        renewal.session_id.into(),
        renewal.id.into(),
        renewal.user_id.into(),
        sealed.into(),
        expires_at.into(),
    ];
    tx.execute(PUT, values).await.map(drop)
}

/// The set that a session waits to have confirmed, unless its time is over.
pub async fn find<S: DeserializeOwned>(
    tx: &mut Tx,
    session: Uuid,
    now: Timestamp,
) -> Result<Option<(Renewal, S)>, Fault> {
    const FIND: Sql = Sql("SELECT id, user_id, state FROM recovery_renewals \
         WHERE session_id = $1 AND expires_at > $2");
    let vault = tx.vault()?;
    let row = tx.optional(FIND, vec![session.into(), now.into()]).await?;
    row.map(|row| {
        let renewal = Renewal {
            id: row.uuid(0)?,
            session_id: session,
            user_id: row.uuid(1)?,
        };
        let plain = vault.open_cell(cell(&renewal.id), &row.bytes(2)?)?;
        let state = serde_json::from_slice(&plain)
            .map_err(|_| Fault::Unreadable("recovery_renewals.state".to_owned()))?;
        Ok((renewal, state))
    })
    .transpose()
}

/// Takes a set out, to put it in force; false when it was taken, replaced or is over.
pub async fn consume(tx: &mut Tx, renewal: Renewal, now: Timestamp) -> Result<bool, Fault> {
    const CONSUME: Sql = Sql("DELETE FROM recovery_renewals \
         WHERE session_id = $1 AND id = $2 AND expires_at > $3");
    let values = vec![renewal.session_id.into(), renewal.id.into(), now.into()];
    Ok(tx.execute(CONSUME, values).await? == 1)
}

/// Forgets every set that a person has not confirmed.
pub async fn end_all(tx: &mut Tx, user: Uuid) -> Result<(), Fault> {
    const END: Sql = Sql("DELETE FROM recovery_renewals WHERE user_id = $1");
    tx.execute(END, vec![user.into()]).await.map(drop)
}

fn cell(id: &Uuid) -> Cell<'_> {
    Cell::new("recovery_renewals", "state", id.as_bytes())
}
