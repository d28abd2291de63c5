//! Identifiers of client assertions that were used (RFC 7523 §3, `jti`).

use rules::time::Timestamp;

use super::Alone;
use super::sql::Sql;
use crate::secret::sha256;

/// Spends an assertion of a client; no row is changed when it was used before.
#[must_use]
pub fn consume(client_id: &str, jti: &str, expires_at: Timestamp) -> Alone {
    const CONSUME: Sql = Sql(
        "INSERT INTO assertion_ids (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
    );
    let id = sha256(&[client_id.as_bytes(), b"\0", jti.as_bytes()]);
    Alone::new(CONSUME, vec![id.into(), expires_at.into()])
}
