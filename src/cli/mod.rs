//! The command line, one file a subcommand. Whatever changes something goes through the running
//! server's socket, or opens the store itself when no server runs.

mod audit;
mod backup;
mod check;
mod client;
pub mod demo;
mod door;
mod init;
mod key;
mod mail;
mod migrate;
mod output;
mod progress;
mod resource;
mod restore;
mod serve;
mod user;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::app::NotOpened;
use crate::config::DEFAULT_PATH;
use crate::fault::Fault;
use crate::flows::AdminFailure;
use crate::http::admin::AdminReply;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    about = "An OAuth 2.0 and OpenID Connect authorization server for financial institutions",
    after_help = "\
Try it, without any setup:
  countersign demo

Set it up:
  countersign init --issuer https://login.bank.example --invite ada@bank.example
  countersign serve

Give an API and an app access:
  countersign client add --id accounts-api --name 'Accounts API' --grant none
  countersign resource add https://api.bank.example/accounts --name Accounts \\
      --client accounts-api --scope 'accounts:read=See your accounts and balances'
  countersign client add --id pocket-budget --name 'Pocket Budget' \\
      --redirect-uri https://budget.example/callback --scope 'openid accounts:read'

Exit codes: 0 done, 1 refused or failed, 2 wrong command line.",
    max_term_width = 100
)]
pub struct Cli {
    /// The file with the settings; the environment goes over it
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_CONFIG",
        default_value = DEFAULT_PATH,
        value_name = "FILE"
    )]
    config: PathBuf,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the settings and the root key, and set the database up
    Init(init::Arguments),
    /// Run the server until SIGTERM or SIGINT
    #[command(after_help = "\
The server logs to standard error and prints nothing. Stop it with SIGTERM: requests that are
under way are finished first (server.stop_timeout_seconds).

  countersign serve
  countersign serve --config ./countersign.toml")]
    Serve,
    /// Show how it works: server, partner app and API on this machine, with data of their own
    Demo(demo::Arguments),
    /// Bring the database's schema up to date
    Migrate(migrate::Arguments),
    /// Invite, show, stop and restart people's accounts
    #[command(subcommand)]
    User(user::Act),
    /// Register, show, stop and change clients: partner apps and APIs
    #[command(subcommand)]
    Client(client::Act),
    /// Register and show resources: the institution's APIs and their scopes
    #[command(subcommand)]
    Resource(resource::Act),
    /// Show and rotate the keys that sign tokens
    #[command(subcommand)]
    Key(key::Act),
    /// See whether people can be told by mail what happens in their accounts
    #[command(subcommand)]
    Mail(mail::Act),
    /// Verify, read and export the audit log
    #[command(subcommand)]
    Audit(audit::Act),
    /// Look for what is not as it should be, and say what mends it
    Check(check::Arguments),
    /// Make a sealed copy of the whole database while the server goes on
    Backup(backup::Arguments),
    /// Put a backup in place of the database, and begin a new epoch
    Restore(restore::Arguments),
}

/// Why a command was not carried out: one sentence that names the setting and the remedy.
#[derive(Debug)]
pub struct Failed(String);

impl Failed {
    const fn new(why: String) -> Self {
        Self(why)
    }

    /// As JSON, for `--json`: `{"error":{"what":"…","remedy":"…"}}`. Sentences say what is wrong
    /// before their first semicolon and what mends it after; one in quotes or brackets is part of what
    /// is quoted.
    #[must_use]
    pub fn json(&self) -> String {
        let (what, remedy) = match semicolon(&self.0) {
            Some(at) => (&self.0[..at], Some(&self.0[at + 2..])),
            None => (self.0.as_str(), None),
        };
        serde_json::json!({ "error": { "what": what, "remedy": remedy } }).to_string()
    }
}

/// Where a sentence's own first semicolon stands.
fn semicolon(sentence: &str) -> Option<usize> {
    let (mut depth, mut quoted) = (0_usize, None);
    let bytes = sentence.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, quoted) {
            (b'"' | b'`', Some(mark)) if *byte == mark => quoted = None,
            (b'"' | b'`', None) => quoted = Some(*byte),
            (b'(', None) => depth += 1,
            (b')', None) => depth = depth.saturating_sub(1),
            (b';', None) if depth == 0 && bytes.get(at + 1) == Some(&b' ') => return Some(at),
            _ => {}
        }
    }
    None
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self(why)
    }
}

impl From<NotOpened> for Failed {
    fn from(why: NotOpened) -> Self {
        Self(why.0)
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        if let Fault::Unreachable(why) = fault {
            return Self(format!("database.url: {why}"));
        }
        Self(format!("the server failed: {fault}"))
    }
}

impl From<AdminFailure> for Failed {
    fn from(failure: AdminFailure) -> Self {
        match failure {
            AdminFailure::Refused(why) => Self(why),
            AdminFailure::Fault(fault) => fault.into(),
        }
    }
}

impl Cli {
    /// Whether a program reads what is printed.
    #[must_use]
    pub const fn wants_json(&self) -> bool {
        self.json
    }
}

/// Carries the command line out.
///
/// # Errors
/// [`Failed`]: refused or failed, to be shown on standard error.
pub async fn run(cli: Cli) -> Result<(), Failed> {
    let Cli {
        config,
        json,
        command,
    } = cli;
    let act = match command {
        Command::Init(arguments) => return init::run(arguments, json).await,
        Command::Serve => return Box::pin(serve::run(&config)).await,
        Command::Demo(arguments) => return demo::run(arguments, json).await,
        Command::Migrate(arguments) => return migrate::run(&config, &arguments, json).await,
        Command::User(act) => act.command()?,
        Command::Client(act) => act.command()?,
        Command::Resource(act) => act.command()?,
        Command::Key(act) => act.command(),
        Command::Mail(act) => act.command(),
        Command::Audit(act) => return Box::pin(audit::run(&config, act, json)).await,
        Command::Check(arguments) => return check::run(&config, &arguments, json).await,
        Command::Backup(arguments) => return backup::run(&config, arguments, json).await,
        Command::Restore(arguments) => {
            return Box::pin(restore::run(&config, arguments, json)).await;
        }
    };
    let reply = door::carry_out(&config, act).await?;
    match &reply {
        AdminReply::Registered { client, .. } => {
            client::warn_of_unknown_scopes(client);
        }
        AdminReply::ClientChanged { after, .. } => {
            client::warn_of_unknown_scopes(after);
        }
        _ => {}
    }
    output::reply(&reply, json)
}
