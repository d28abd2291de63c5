//! Interactions: authorization requests on their way through sign-in and consent, each bound to
//! one browser.

use rules::protocol::AuthorizeRequest;
use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;
use crate::secret::TokenHash;
use crate::vault::{Cell, KeyUse};

/// An authorization request on its way.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Names it in the address; the browser's cookie is what opens it.
    pub id: String,
    /// What the client asks.
    pub request: AuthorizeRequest,
    /// The pushed request it came from (RFC 9126), spent at its end.
    pub pushed: Option<TokenHash>,
    /// The session whose person was shown the consent page.
    pub session_id: Option<Uuid>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Stores a new one.
pub async fn insert(tx: &mut Tx, new: &Interaction, token: TokenHash) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO interactions (id, token_hash, request, pushed_hash, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    );
    let plain =
        serde_json::to_vec(&new.request).map_err(|error| Fault::Internal(error.to_string()))?;
    let request = tx.vault()?.seal(KeyUse::Columns, cell(&new.id), &plain)?;
    let values = vec![
        (&new.id).into(),
        token.into(),
        request.into(),
        new.pushed.into(),
        new.created_at.into(),
        new.expires_at.into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// The one with this id, if the browser holds its cookie, it has not ended and its time is not over.
pub async fn find(
    tx: &mut Tx,
    id: &str,
    token: TokenHash,
    now: Timestamp,
) -> Result<Option<Interaction>, Fault> {
    const FIND: Sql = Sql(
        "SELECT token_hash, request, pushed_hash, session_id, created_at, expires_at \
         FROM interactions WHERE id = $1 AND ended_at IS NULL AND expires_at > $2",
    );
    let vault = tx.vault()?;
    let Some(row) = tx.optional(FIND, vec![id.into(), now.into()]).await? else {
        return Ok(None);
    };
    if row.hash(0)? != token {
        return Ok(None);
    }
    let plain = vault.open_cell(cell(id), &row.bytes(1)?)?;
    let pushed = row.opt_bytes(2)?;
    Ok(Some(Interaction {
        id: id.to_owned(),
        request: serde_json::from_slice(&plain)
            .map_err(|_| Fault::Unreadable("interactions.request".to_owned()))?,
        pushed: pushed.and_then(|hash| <[u8; 32]>::try_from(hash).ok().map(TokenHash::from)),
        session_id: row.opt_uuid(3)?,
        created_at: row.time(4)?,
        expires_at: row.time(5)?,
    }))
}

/// Notes whose consent page is being shown; false when the interaction has ended.
pub async fn bind(tx: &mut Tx, id: &str, session: Uuid) -> Result<bool, Fault> {
    const BIND: Sql =
        Sql("UPDATE interactions SET session_id = $2 WHERE id = $1 AND ended_at IS NULL");
    Ok(tx.execute(BIND, vec![id.into(), session.into()]).await? == 1)
}

/// Ends one; false when it had ended or its time is over. The first answer wins.
pub async fn end(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, Fault> {
    const END: Sql = Sql("UPDATE interactions SET ended_at = $2 \
         WHERE id = $1 AND ended_at IS NULL AND expires_at > $2");
    Ok(tx.execute(END, vec![id.into(), now.into()]).await? == 1)
}

fn cell(id: &str) -> Cell<'_> {
    Cell::new("interactions", "request", id.as_bytes())
}
