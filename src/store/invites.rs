//! Invitations, and the ceremony in one browser that an invitation opens.

use rules::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::sql::Sql;
use super::{Tx, mails};
use crate::fault::Fault;
use crate::secret::TokenHash;
use crate::vault::{Cell, KeyUse};

/// An invitation.
#[derive(Clone, Copy, Debug)]
pub struct Invite {
    /// For whom.
    pub user_id: Uuid,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
    /// The re-proofing that it belongs to.
    pub reproof: Option<Uuid>,
    /// Whether it was used.
    pub used: bool,
}

/// Stores an invitation of a person, maybe of her re-proofing; earlier ones of hers end ([`end_all`]).
pub async fn insert(
    tx: &mut Tx,
    hash: TokenHash,
    (user, reproof): (Uuid, Option<Uuid>),
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO invites (token_hash, user_id, created_at, expires_at, reproof_id) \
         VALUES ($1, $2, $3, $4, $5)",
    );
    end_all(tx, user, now).await?;
    let values = vec![
        hash.into(),
        user.into(),
        now.into(),
        expires_at.into(),
        reproof.into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// Looks an invitation up; nothing is spent.
pub async fn find(tx: &mut Tx, hash: TokenHash) -> Result<Option<Invite>, Fault> {
    const FIND: Sql =
        Sql("SELECT user_id, expires_at, used_at, reproof_id FROM invites WHERE token_hash = $1");
    let row = tx.optional(FIND, vec![hash.into()]).await?;
    row.map(|row| {
        Ok(Invite {
            user_id: row.uuid(0)?,
            expires_at: row.time(1)?,
            used: row.opt_time(2)?.is_some(),
            reproof: row.opt_uuid(3)?,
        })
    })
    .transpose()
}

/// Spends an invitation; false when it is spent or expired.
pub async fn consume(tx: &mut Tx, hash: TokenHash, now: Timestamp) -> Result<bool, Fault> {
    const CONSUME: Sql = Sql("UPDATE invites SET used_at = $2 \
         WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2");
    Ok(tx.execute(CONSUME, vec![hash.into(), now.into()]).await? == 1)
}

/// Ends the invitations of a person's re-proofings.
pub async fn end_reproofs(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<(), Fault> {
    const END: Sql = Sql("UPDATE invites SET used_at = $2 \
         WHERE user_id = $1 AND reproof_id IS NOT NULL AND used_at IS NULL");
    tx.execute(END, vec![user.into(), now.into()])
        .await
        .map(drop)
}

/// Ends every invitation of a person, the ceremonies that they opened, and the mails that bring them; false
/// when there was none.
pub async fn end_all(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const END: Sql = Sql("UPDATE invites SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL");
    let ended = tx.execute(END, vec![user.into(), now.into()]).await?;
    mails::forget_links(tx, user).await?;
    end_activations(tx, user).await?;
    Ok(ended > 0)
}

/// A ceremony under way in one browser.
pub struct Activation<S> {
    /// The invitation that opened it.
    pub invite_hash: TokenHash,
    /// For whom.
    pub user_id: Uuid,
    /// How far it got.
    pub state: S,
    /// Counts the steps, so that two tabs cannot both take one.
    pub version: i64,
}

/// Opens a ceremony.
pub async fn begin<S: Serialize + Sync>(
    tx: &mut Tx,
    hash: TokenHash,
    invite: (TokenHash, Uuid),
    state: &S,
    expires_at: Timestamp,
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO activations (token_hash, invite_hash, user_id, state, version, expires_at) \
         VALUES ($1, $2, $3, $4, 0, $5)",
    );
    let sealed = seal(tx, hash, state)?;
    let (invite_hash, user) = invite;
    let values = vec![
        hash.into(),
        invite_hash.into(),
        user.into(),
        sealed.into(),
        expires_at.into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// The ceremony that this browser holds, unless its time is over.
pub async fn activation<S: DeserializeOwned>(
    tx: &mut Tx,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Option<Activation<S>>, Fault> {
    const FIND: Sql = Sql(
        "SELECT invite_hash, user_id, state, version FROM activations \
         WHERE token_hash = $1 AND expires_at > $2",
    );
    let vault = tx.vault()?;
    let row = tx.optional(FIND, vec![hash.into(), now.into()]).await?;
    row.map(|row| {
        let plain = vault.open_cell(cell(&hash), &row.bytes(2)?)?;
        Ok(Activation {
            invite_hash: row.hash(0)?,
            user_id: row.uuid(1)?,
            state: serde_json::from_slice(&plain)
                .map_err(|_| Fault::Unreadable("activations.state".to_owned()))?,
            version: row.int(3)?,
        })
    })
    .transpose()
}

/// Takes a step; false when another tab took it first.
pub async fn advance<S: Serialize + Sync>(
    tx: &mut Tx,
    hash: TokenHash,
    version: i64,
    state: &S,
) -> Result<bool, Fault> {
    const ADVANCE: Sql = Sql("UPDATE activations SET state = $3, version = version + 1 \
         WHERE token_hash = $1 AND version = $2");
    let sealed = seal(tx, hash, state)?;
    Ok(tx
        .execute(ADVANCE, vec![hash.into(), version.into(), sealed.into()])
        .await?
        == 1)
}

/// Ends every ceremony of a person.
pub async fn end_activations(tx: &mut Tx, user: Uuid) -> Result<(), Fault> {
    const END: Sql = Sql("DELETE FROM activations WHERE user_id = $1");
    tx.execute(END, vec![user.into()]).await.map(drop)
}

fn seal<S: Serialize>(tx: &Tx, hash: TokenHash, state: &S) -> Result<Vec<u8>, Fault> {
    let plain = serde_json::to_vec(state).map_err(|error| Fault::Internal(error.to_string()))?;
    let plain = zeroize::Zeroizing::new(plain);
    tx.vault()?.seal(KeyUse::Columns, cell(&hash), &plain)
}

fn cell(hash: &TokenHash) -> Cell<'_> {
    Cell::new("activations", "state", hash.as_bytes())
}
