//! Ceremonies with passkeys and security keys: a challenge that was asked, kept here until its answer
//! comes. Each is taken out once, by whoever holds it.

use rules::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;
use crate::secret::TokenHash;
use crate::vault::{Cell, KeyUse};

/// Which ceremony, whose, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony {
    /// Its identifier.
    pub id: Uuid,
    /// The browser, session or activation that may answer.
    pub holder: TokenHash,
    /// What an answer does.
    pub purpose: &'static str,
}

/// Begins one.
pub async fn begin<S: Serialize + Sync>(
    tx: &mut Tx,
    ceremony: Ceremony,
    state: &S,
    expires_at: Timestamp,
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO webauthn_ceremonies (id, holder, purpose, state, expires_at) \
         VALUES ($1, $2, $3, $4, $5)",
    );
    let plain = serde_json::to_vec(state).map_err(|error| Fault::Internal(error.to_string()))?;
    let sealed = tx
        .vault()?
        .seal(KeyUse::Columns, cell(&ceremony.id), &plain)?;
    let values = vec![
        ceremony.id.into(),
        ceremony.holder.into(),
        ceremony.purpose.into(),
        sealed.into(),
        expires_at.into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// Takes one out, with the moment when it would have been over; none when it was taken, is over, is
/// another holder's or for something else.
pub async fn take<S: DeserializeOwned>(
    tx: &mut Tx,
    ceremony: Ceremony,
    now: Timestamp,
) -> Result<Option<(S, Timestamp)>, Fault> {
    const TAKE: Sql = Sql("DELETE FROM webauthn_ceremonies \
         WHERE id = $1 AND holder = $2 AND purpose = $3 AND expires_at > $4 \
         RETURNING state, expires_at");
    let values = vec![
        ceremony.id.into(),
        ceremony.holder.into(),
        ceremony.purpose.into(),
        now.into(),
    ];
    let vault = tx.vault()?;
    let row = tx.optional(TAKE, values).await?;
    row.map(|row| {
        let plain = vault.open_cell(cell(&ceremony.id), &row.bytes(0)?)?;
        let state = serde_json::from_slice(&plain).map_err(|_| unreadable())?;
        Ok((state, row.time(1)?))
    })
    .transpose()
}

/// Takes out the newest one that a holder has for a purpose ([`waiting`], [`take`]).
pub async fn take_waiting<S: DeserializeOwned>(
    tx: &mut Tx,
    holder: TokenHash,
    purpose: &'static str,
    now: Timestamp,
) -> Result<Option<S>, Fault> {
    let Some((id, _)) = waiting::<S>(tx, holder, purpose, now).await? else {
        return Ok(None);
    };
    let ceremony = Ceremony {
        id,
        holder,
        purpose,
    };
    Ok(take(tx, ceremony, now).await?.map(|(state, _)| state))
}

/// The newest one that a holder has for a purpose, unless it is over. It stays.
pub async fn waiting<S: DeserializeOwned>(
    tx: &mut Tx,
    holder: TokenHash,
    purpose: &'static str,
    now: Timestamp,
) -> Result<Option<(Uuid, S)>, Fault> {
    const FIND: Sql = Sql("SELECT id, state FROM webauthn_ceremonies \
         WHERE holder = $1 AND purpose = $2 AND expires_at > $3 ORDER BY id DESC LIMIT 1");
    let vault = tx.vault()?;
    let values = vec![holder.into(), purpose.into(), now.into()];
    let row = tx.optional(FIND, values).await?;
    row.map(|row| {
        let id = row.uuid(0)?;
        let plain = vault.open_cell(cell(&id), &row.bytes(1)?)?;
        let state = serde_json::from_slice(&plain).map_err(|_| unreadable())?;
        Ok((id, state))
    })
    .transpose()
}

/// What one asked, unless it was taken, is over, is another holder's or for something else. It stays.
pub async fn look<S: DeserializeOwned>(
    tx: &mut Tx,
    ceremony: Ceremony,
    now: Timestamp,
) -> Result<Option<S>, Fault> {
    const LOOK: Sql = Sql("SELECT state FROM webauthn_ceremonies \
         WHERE id = $1 AND holder = $2 AND purpose = $3 AND expires_at > $4");
    let vault = tx.vault()?;
    let values = vec![
        ceremony.id.into(),
        ceremony.holder.into(),
        ceremony.purpose.into(),
        now.into(),
    ];
    let row = tx.optional(LOOK, values).await?;
    row.map(|row| {
        let plain = vault.open_cell(cell(&ceremony.id), &row.bytes(0)?)?;
        serde_json::from_slice(&plain).map_err(|_| unreadable())
    })
    .transpose()
}

/// Forgets every ceremony of a holder for a purpose.
pub async fn end(tx: &mut Tx, holder: TokenHash, purpose: &'static str) -> Result<(), Fault> {
    const END: Sql = Sql("DELETE FROM webauthn_ceremonies WHERE holder = $1 AND purpose = $2");
    tx.execute(END, vec![holder.into(), purpose.into()])
        .await
        .map(drop)
}

fn unreadable() -> Fault {
    Fault::Unreadable("webauthn_ceremonies.state".to_owned())
}

fn cell(id: &Uuid) -> Cell<'_> {
    Cell::new("webauthn_ceremonies", "state", id.as_bytes())
}
