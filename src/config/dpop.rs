//! `[dpop]`: how clients prove that they hold a key (RFC 9449).

use serde::Deserialize;

/// `[dpop]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpop {
    /// Whether proofs must hold a nonce of this server, where a client's registration does not say.
    pub nonces: bool,
}
