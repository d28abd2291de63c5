//! `countersign key …`.

use clap::Subcommand;
use rules::jose::Alg;

use crate::http::admin::AdminCommand;

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// List the keys that sign tokens
    ///
    /// A key is published before it signs (next), signs (active), stays published until the last
    /// token it signed is over (retiring), and is withdrawn (retired).
    #[command(after_help = "  countersign key list")]
    List,
    /// Let the next key begin to sign
    ///
    /// The key before it stays published until its tokens are over, and a new next key is published
    /// at once. Nobody has to change anything.
    #[command(after_help = "  countersign key rotate ES256
  countersign key rotate RS256")]
    Rotate {
        /// Which kind of key: ES256 or RS256; a further one when a client uses it
        alg: Alg,
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
