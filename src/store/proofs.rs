//! Identifiers of DPoP proofs that were used (RFC 9449 §11.1).

use rules::protocol::Thumbprint;
use rules::protocol::dpop::ProofId;
use rules::time::Timestamp;

use super::Alone;
use super::sql::Sql;
use crate::secret::sha256;

/// Spends a proof made with a key; no row is changed when it was used before. The row is kept until
/// `expires_at`.
#[must_use]
pub fn consume(key: Thumbprint, id: &ProofId, expires_at: Timestamp) -> Alone {
    const CONSUME: Sql =
        Sql("INSERT INTO proof_ids (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING");
    let hash = sha256(&[key.to_string().as_bytes(), b"\0", id.jti.as_bytes()]);
    Alone::new(CONSUME, vec![hash.into(), expires_at.into()])
}
