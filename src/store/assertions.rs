//! Identifiers of client assertions that were used (RFC 7523 §3, `jti`).

use rules::time::Timestamp;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;
use crate::secret::sha256;

/// Spends an assertion of a client; false when it was used before.
pub async fn consume(
    tx: &mut Tx,
    client_id: &str,
    jti: &str,
    expires_at: Timestamp,
) -> Result<bool, Fault> {
    const CONSUME: Sql = Sql(
        "INSERT INTO assertion_ids (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
    );
    let id = sha256(&[client_id.as_bytes(), b"\0", jti.as_bytes()]);
    Ok(tx
        .execute(CONSUME, vec![id.into(), expires_at.into()])
        .await?
        == 1)
}
