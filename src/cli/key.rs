//! `countersign key …`.

use clap::Subcommand;
use rules::jose::KeyPurpose;

use crate::http::admin::AdminCommand;

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// List the keys that sign tokens, and those that clients encrypt requests to
    ///
    /// A key is published before it signs (next), signs (active), stays published until the last
    /// token it signed is over (retiring), and is withdrawn (retired). One that clients encrypt to is
    /// ready on every node (next), published (active), still opens for 24 hours what is encrypted to it
    /// (retiring), and is deleted.
    #[command(after_help = "  countersign key list")]
    List,
    /// Let the next key take over
    ///
    /// The key before it stays published until its tokens are over, and a new next key is published
    /// at once. Nobody has to change anything. Of the kinds that clients encrypt to, the next key is
    /// published in place of the one before it, which is taken for another 24 hours.
    #[command(after_help = "  countersign key rotate ES256
  countersign key rotate RS256
  countersign key rotate RSA-OAEP-256")]
    Rotate {
        /// Which kind of key: ES256, RS256, ECDH-ES, ECDH-ES+A256KW or RSA-OAEP-256; a further one
        /// when a client uses it
        alg: KeyPurpose,
    },
}

impl Act {
    /// What the server is asked to do.
    pub(super) fn command(self) -> AdminCommand {
        match self {
            Self::List => AdminCommand::KeyList,
            Self::Rotate { alg } => AdminCommand::KeyRotate { alg },
        }
    }
}
