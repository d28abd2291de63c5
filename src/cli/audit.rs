//! `countersign audit …`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rules::time::Timestamp;
use uuid::Uuid;

use super::{Failed, door, output, progress};
use crate::clock::Clock;
use crate::flows::read_audit::{LONGEST_PAGE, Wanted};
use crate::http::admin::{AdminCommand, AdminReply};

#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Verify the whole log: every event against its leaf, the tree against its signed checkpoint
    ///
    /// Only a checkpoint that was kept outside the database shows that the whole log was put back to
    /// an earlier state: give the newest one that left this host.
    #[command(after_help = "  countersign audit verify
  countersign audit verify --checkpoint last-checkpoint.txt")]
    Verify {
        /// A checkpoint that was kept elsewhere
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Print the newest checkpoint: a signed note, to be kept off this host
    #[command(after_help = "  countersign audit checkpoint > last-checkpoint.txt")]
    Checkpoint,
    /// Print the key that verifies checkpoints, for the auditor
    #[command(after_help = "  countersign audit key")]
    Key,
    /// List events, newest first; this is itself written to the log
    #[command(after_help = "  countersign audit list --user ada --since 7d
  countersign audit list --client pocket-budget --kind token
  countersign audit list --kind sign_in.refused --since 2026-06-01T00:00:00Z --limit 1000")]
    List(List),
    /// Print every sealed event, one a line, exactly as it was hashed into the tree
    ///
    /// Line n is leaf n. With the checkpoint and the key an auditor verifies it on any machine
    /// (RFC 9162 section 2.1). This is itself written to the log.
    #[command(after_help = "  countersign audit export > audit.jsonl
  countersign audit export --from 120000 --checkpoint checkpoint.txt > audit-rest.jsonl")]
    Export {
        /// The number of the first leaf, from 0
        #[arg(long, default_value_t = 0, value_name = "N")]
        from: u64,
        /// Write the checkpoint that covers what is exported to this file
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only events about this person: name or id
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only events about this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only this kind (session.ended), or this family (session)
    #[arg(long)]
    kind: Option<String>,
    /// Only since then: 90m, 12h, 7d, or a time such as 2026-06-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
    /// Only before the event with this id
    #[arg(long, value_name = "ID")]
    before: Option<Uuid>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_PAGE)))]
    limit: u32,
}

/// Carries an audit command out.
///
/// JSON: `{"audit":{"intact":true,"size":…}}`, `{"checkpoint":"…"}`, `{"audit_key":"…"}`,
/// `{"events":[…]}`. `export` prints JSON lines in any case.
pub(super) async fn run(config: &Path, act: Act, json: bool) -> Result<(), Failed> {
    match act {
        Act::Verify { checkpoint } => {
            let checkpoint = checkpoint.as_deref().map(read).transpose()?;
            let command = AdminCommand::AuditVerify { checkpoint };
            let progress = progress::on_stderr("events verified");
            let reply = door::carry_out_telling(config, command, &progress).await?;
            if let AdminReply::Audit(found) = &reply
                && let Some(difference) = &found.difference
            {
                if json {
                    output::reply(&reply, json)?;
                }
                return Err(Failed::new(format!(
                    "the audit log was altered: {difference}; keep the database as it is for an \
                     investigation, and compare it with a backup and with what left this host"
                )));
            }
            output::reply(&reply, json)
        }
        Act::Checkpoint => show(config, AdminCommand::AuditCheckpoint, json).await,
        Act::Key => show(config, AdminCommand::AuditKey, json).await,
        Act::List(list) => {
            let wanted = Wanted {
                user: list.user,
                client: list.client,
                kind: list.kind,
                since: list.since,
                before: list.before,
                limit: list.limit,
            };
            show(config, AdminCommand::AuditList(wanted), json).await
        }
        Act::Export { from, checkpoint } => export(config, from, checkpoint.as_deref()).await,
    }
}

async fn show(config: &Path, command: AdminCommand, json: bool) -> Result<(), Failed> {
    let reply = door::carry_out(config, command).await?;
    output::reply(&reply, json)
}

/// Page after page, up to what was sealed when the export began.
async fn export(config: &Path, from: u64, checkpoint: Option<&Path>) -> Result<(), Failed> {
    let mut next = from;
    let mut end = None;
    loop {
        let reply = door::carry_out(config, AdminCommand::AuditExport { from: next }).await?;
        let AdminReply::Leaves {
            leaves,
            checkpoint: note,
        } = reply
        else {
            return Err(Failed::new(
                "the server answered something else; use the same version of countersign"
                    .to_owned(),
            ));
        };
        let end = *end.get_or_insert_with(|| note.as_deref().and_then(size).unwrap_or(0));
        if next == from
            && let (Some(path), Some(note)) = (checkpoint, &note)
        {
            fs::write(path, note).map_err(|error| {
                Failed::new(format!(
                    "--checkpoint {}: {error}; name a file that this account may write",
                    path.display()
                ))
            })?;
        }
        let wanted = usize::try_from(end.saturating_sub(next)).unwrap_or(usize::MAX);
        let lines: Vec<String> = leaves.into_iter().take(wanted).collect();
        if lines.is_empty() {
            return Ok(());
        }
        next += lines.len() as u64;
        output::text(&(lines.join("\n") + "\n"))?;
    }
}

/// The second line of a checkpoint.
fn size(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

fn read(path: &Path) -> Result<String, Failed> {
    fs::read_to_string(path).map_err(|error| {
        Failed::new(format!(
            "--checkpoint {}: {error}; name a file that `countersign audit checkpoint` wrote",
            path.display()
        ))
    })
}

/// Reads a time, or how long ago it is; in milliseconds.
fn since(text: &str) -> Result<i64, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let wrong = || format!("{text:?} is no time; write 90m, 12h, 7d or 2026-06-01T00:00:00Z");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| wrong())?;
    let ago = std::time::Duration::from_secs(u64::from(number) * seconds);
    let now: Timestamp = Clock::system().now();
    Ok(now.minus(ago).millis())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_time_is_read_in_both_ways() {
        assert_eq!(since("1970-01-01T00:00:01Z").unwrap(), 1000);
        let day = since("1d").unwrap();
        let hours = since("24h").unwrap();
        assert!((day - hours).abs() < 60_000);
        for wrong in ["", "d", "7w", "yesterday", "-1d", "é"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
