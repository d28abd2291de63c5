//! `[dpop]`: how clients prove that they hold a key (RFC 9449).

use serde::Deserialize;

/// `[dpop]`, as written.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct DpopFile {
    pub nonces: bool,
}

/// How clients prove that they hold a key.
#[derive(Clone, Copy, Debug)]
pub struct Dpop {
    /// Whether proofs must hold a nonce of this server, where a client's registration does not say.
    pub nonces: bool,
}

impl DpopFile {
    pub(super) const fn check(self) -> Dpop {
        Dpop {
            nonces: self.nonces,
        }
    }
}
