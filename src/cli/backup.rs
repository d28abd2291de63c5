//! `countersign backup`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Failed, door, output, progress};
use crate::config::Config;
use crate::flows::backup;
use crate::http::admin::{AdminCommand, AdminReply};
use crate::vault::{BackupKey, RootKey};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
The server goes on while a backup is made. The file is sealed: it is opened by the root key and by
nothing else, so keep a copy of the root key elsewhere. A running server writes the file itself: name
a place that its account may write to.

  countersign backup --to /var/backups/countersign/today.csbackup
  countersign backup --to /var/backups/countersign --keep 14     a name by the time, the newest 14 stay
  countersign backup verify /var/backups/countersign/today.csbackup"
)]
pub(super) struct Arguments {
    /// The file to make, or a folder in which it gets a name by the time
    #[arg(long, value_name = "FILE|DIR", required = true)]
    to: Option<PathBuf>,
    /// How many backups of this installation stay in the folder; older ones are removed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    keep: Option<u16>,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Read a whole backup, and make sure that this root key can restore it
    #[command(after_help = "  countersign backup verify today.csbackup")]
    Verify {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Makes or verifies a backup.
///
/// JSON: `{"backup":{"file","bytes","rows","issuer","engine","version","schema_version","created_at"}}`.
pub(super) async fn run(config: &Path, arguments: Arguments, json: bool) -> Result<(), Failed> {
    let reply = match (arguments.act, arguments.to) {
        (Some(Act::Verify { file }), _) => {
            let config = Config::load(config)?;
            let key = BackupKey::of(&RootKey::read(&config.root_key_file)?)?;
            let made = backup::verify(&file, &key, &progress::on_stderr("rows read")).await?;
            AdminReply::Backup(made.into())
        }
        (None, Some(to)) => {
            let to = std::path::absolute(&to)
                .map_err(|error| Failed::new(format!("--to {}: {error}", to.display())))?;
            if !to.exists() && to.extension().is_none() {
                return Err(Failed::new(format!(
                    "--to {0}: there is no such folder; make it (`mkdir -m 700 {0}`, as the server's \
                     account), or name a file that ends in .csbackup",
                    to.display()
                )));
            }
            let keep = arguments.keep.map(usize::from);
            let command = AdminCommand::BackupMake { to, keep };
            door::carry_out_telling(config, command, &progress::on_stderr("rows written")).await?
        }
        (None, None) => return Err(Failed::new("--to: name the file to make".to_owned())),
    };
    output::reply(&reply, json)
}
