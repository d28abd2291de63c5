//! `countersign restore`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failed, door, output, progress};
use crate::clock::Clock;
use crate::config::Config;
use crate::flows::restore::{Order, restore};
use crate::http::admin::{self, AdminReply};
use crate::vault::RootKey;

#[derive(Debug, Args)]
#[command(after_help = "\
Stop the server first. The backup is checked whole before anything is written, and the database
changes in one step; until then it stays as it was. A backup of SQLite restores into PostgreSQL and
the other way round: database.url decides.

Nothing that was spent or ended since the backup lives again: people sign in anew, apps ask for
consent anew, invitations and recovery codes end, signing keys are replaced. What a backup cannot
know is yours to repeat: accounts and clients that were disabled since, passwords and factors that
were changed.

  countersign restore today.csbackup
  countersign restore today.csbackup --checkpoint last-checkpoint.txt
  countersign restore today.csbackup --replace https://login.bank.example")]
pub(super) struct Arguments {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replace the installation that is there: type its issuer
    #[arg(long, value_name = "ISSUER")]
    replace: Option<String>,
    /// The newest checkpoint that left this host: the restored log must be its beginning
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Do not ask people again what they granted before the backup; consents that were taken back
    /// since live again
    #[arg(long)]
    keep_consents: bool,
}

/// Restores a backup.
///
/// JSON: `{"restored":{"created_at","rows","sessions_ended",…}}`.
pub(super) async fn run(config: &Path, arguments: Arguments, json: bool) -> Result<(), Failed> {
    let config = Config::load(config)?;
    let root = RootKey::read(&config.root_key_file)?;
    let checkpoint = arguments
        .checkpoint
        .as_deref()
        .map(|path| {
            fs::read_to_string(path).map_err(|error| {
                Failed::new(format!(
                    "--checkpoint {}: {error}; name a file that `countersign audit checkpoint` wrote",
                    path.display()
                ))
            })
        })
        .transpose()?;
    let operator = this_operator();
    let order = Order {
        config: &config,
        root: &root,
        file: &arguments.file,
        replace: arguments.replace.as_deref(),
        checkpoint: checkpoint.as_deref(),
        keep_consents: arguments.keep_consents,
        operator: operator.as_deref(),
        clock: &Clock::system(),
    };
    let restored = restore(order, &progress::on_stderr("rows")).await?;
    // Opened once as the server will: it makes the new signing keys.
    let app = door::open(config).await?;
    app.store.close().await;
    output::reply(&AdminReply::Restored(Box::new(restored.into())), json)
}

/// Who runs this process, as the audit log names it.
pub(super) fn this_operator() -> Option<String> {
    let process = fs::metadata("/proc/self").ok()?;
    Some(admin::operator(process.uid()))
}
