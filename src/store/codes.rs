//! Authorization codes (RFC 6749 §4.1.2).

use rules::protocol::redeem::CodeBinding;
use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;
use crate::secret::TokenHash;
use crate::vault::{Cell, KeyUse};

/// A code as stored.
#[derive(Clone, Debug)]
pub struct Code {
    /// What it stands for.
    pub authorization_id: Uuid,
    /// To whom it was issued.
    pub client_id: String,
    /// What it is bound to.
    pub binding: CodeBinding,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
    /// Whether it was redeemed.
    pub used: bool,
}

/// Stores a code.
pub async fn insert(
    tx: &mut Tx,
    hash: TokenHash,
    code: &Code,
    now: Timestamp,
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO codes (code_hash, authorization_id, client_id, binding, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    );
    let plain =
        serde_json::to_vec(&code.binding).map_err(|error| Fault::Internal(error.to_string()))?;
    let binding = tx.vault()?.seal(KeyUse::Columns, cell(&hash), &plain)?;
    let values = vec![
        hash.into(),
        code.authorization_id.into(),
        (&code.client_id).into(),
        binding.into(),
        now.into(),
        code.expires_at.into(),
    ];
    tx.execute(INSERT, values).await.map(drop)
}

/// Looks a code up, used ones too; nothing is spent.
pub async fn find(tx: &mut Tx, hash: TokenHash) -> Result<Option<Code>, Fault> {
    const FIND: Sql = Sql(
        "SELECT authorization_id, client_id, binding, expires_at, used_at FROM codes WHERE code_hash = $1",
    );
    let vault = tx.vault()?;
    let row = tx.optional(FIND, vec![hash.into()]).await?;
    row.map(|row| {
        let plain = vault.open_cell(cell(&hash), &row.bytes(2)?)?;
        Ok(Code {
            authorization_id: row.uuid(0)?,
            client_id: row.text(1)?,
            binding: serde_json::from_slice(&plain)
                .map_err(|_| Fault::Unreadable("codes.binding".to_owned()))?,
            expires_at: row.time(3)?,
            used: row.opt_time(4)?.is_some(),
        })
    })
    .transpose()
}

/// Spends a code; false when it is spent or expired.
pub async fn consume(tx: &mut Tx, hash: TokenHash, now: Timestamp) -> Result<bool, Fault> {
    const CONSUME: Sql = Sql(
        "UPDATE codes SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2",
    );
    Ok(tx.execute(CONSUME, vec![hash.into(), now.into()]).await? == 1)
}

fn cell(hash: &TokenHash) -> Cell<'_> {
    Cell::new("codes", "binding", hash.as_bytes())
}
