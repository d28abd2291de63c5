//! Pushed authorization requests (RFC 9126).

use rules::protocol::AuthorizeRequest;
use rules::time::Timestamp;

use super::sql::Sql;
use super::{Alone, Store, Tx};
use crate::fault::Fault;
use crate::secret::TokenHash;
use crate::vault::{Cell, KeyUse};

/// Stores a request.
///
/// # Errors
/// [`Fault::Randomness`].
pub fn insert(
    store: &Store,
    hash: TokenHash,
    request: &AuthorizeRequest,
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<Alone, Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO pushed_requests (uri_hash, client_id, request, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5)",
    );
    let plain = serde_json::to_vec(request).map_err(|error| Fault::Internal(error.to_string()))?;
    let vault = store.shared.vault()?;
    let sealed = vault.seal(KeyUse::Columns, cell(&hash), &plain)?;
    let values = vec![
        hash.into(),
        (&request.client_id).into(),
        sealed.into(),
        now.into(),
        expires_at.into(),
    ];
    Ok(Alone::new(INSERT, values))
}

/// A client's request that is neither used nor expired; looking spends nothing.
pub async fn find(
    tx: &mut Tx,
    hash: TokenHash,
    client_id: &str,
    now: Timestamp,
) -> Result<Option<AuthorizeRequest>, Fault> {
    const FIND: Sql = Sql("SELECT request FROM pushed_requests \
         WHERE uri_hash = $1 AND client_id = $2 AND used_at IS NULL AND expires_at > $3");
    let vault = tx.vault()?;
    let values = vec![hash.into(), client_id.into(), now.into()];
    let row = tx.optional(FIND, values).await?;
    row.map(|row| {
        let plain = vault.open_cell(cell(&hash), &row.bytes(0)?)?;
        serde_json::from_slice(&plain)
            .map_err(|_| Fault::Unreadable("pushed_requests.request".to_owned()))
    })
    .transpose()
}

/// Spends a request; false when another browser's answer did so first.
pub async fn consume(tx: &mut Tx, hash: TokenHash, now: Timestamp) -> Result<bool, Fault> {
    const CONSUME: Sql =
        Sql("UPDATE pushed_requests SET used_at = $2 WHERE uri_hash = $1 AND used_at IS NULL");
    Ok(tx.execute(CONSUME, vec![hash.into(), now.into()]).await? == 1)
}

fn cell(hash: &TokenHash) -> Cell<'_> {
    Cell::new("pushed_requests", "request", hash.as_bytes())
}
