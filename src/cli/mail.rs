//! `countersign mail …`.

use clap::Subcommand;

use crate::http::admin::AdminCommand;

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Send one mail now, and say what is in the way when it is not taken
    #[command(after_help = "  countersign mail test --to you@bank.example")]
    Test {
        /// Where it goes
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
}

impl Act {
    /// What the server is asked to do.
    pub(super) fn command(self) -> AdminCommand {
        let Self::Test { to } = self;
        AdminCommand::MailTest { to }
    }
}
