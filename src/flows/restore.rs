//! Restoring a backup: everything is checked before anything is written, the database changes in
//! one step, and a new epoch begins, in which nothing that was spent or ended since the backup
//! lives again (docs/adr/0006).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::audit::{Actor, Checkpoint, Difference, Event, Kind, Personal};
use rules::identity::totp::{SKEW_STEPS, STEP_SECONDS};
use rules::time::Timestamp;

use super::backup::file::{Frame, Header, Reader};
use super::{AdminFailure, Progress, backup, seal_audit};
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::fault::Fault;
use crate::rng;
use crate::store::audit::{PendingEvent, Sealer};
use crate::store::epoch::{self, Ended};
use crate::store::feed::EPOCH_MARGIN;
use crate::store::restore::{Found, Occupied, Restoring};
use crate::store::{Location, audit, clients, inspect, keys, schema_version, users};
use crate::vault::{BackupKey, RootKey, Vault};

/// By how much the clocks of two machines may differ.
const CLOCKS: Duration = Duration::from_mins(5);

/// What is to be restored, and how.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The settings of the installation.
    pub config: &'a Config,
    /// Its root key.
    pub root: &'a RootKey,
    /// The backup.
    pub file: &'a Path,
    /// The issuer, typed by the operator who knows that an installation is replaced.
    pub replace: Option<&'a str>,
    /// The last checkpoint that left this host, a signed note.
    pub checkpoint: Option<&'a str>,
    /// Whether people are not asked again what they granted before the backup.
    pub keep_consents: bool,
    /// Who does it.
    pub operator: Option<&'a str>,
    /// The time.
    pub clock: &'a Clock,
}

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub header: Header,
    /// What the new epoch ended.
    pub ended: Ended,
    /// How many leaves the audit tree has.
    pub leaves: u64,
    /// How many leaves a checkpoint speaks of that came after the backup and are lost.
    pub lost_leaves: u64,
    /// How many accounts are usable.
    pub active_users: u64,
    /// How many clients are enabled.
    pub enabled_clients: u64,
    /// Where what was there before is kept.
    pub kept: Option<PathBuf>,
}

/// Restores a backup.
///
/// # Errors
/// [`AdminFailure::Refused`]; nothing was changed then.
pub async fn restore(order: Order<'_>, progress: &Progress) -> Result<Restored, AdminFailure> {
    let key = BackupKey::of(order.root)?;
    let location = match &order.config.database {
        Database::Sqlite(path) => Location::Sqlite(path),
        Database::Postgres(url) => Location::Postgres(url.expose()),
    };
    let read = backup::verify(order.file, &key, progress).await?;
    check(&read.header, &order, order.clock.now())?;
    let begun = Restoring::begin(&location, read.header.schema).await;
    let (mut restoring, found) = begun.map_err(in_use)?;
    // Not before: what a server issued until it was stopped is void too.
    let now = order.clock.now();
    let filled = match make_room(found, &order, now) {
        Ok(()) => fill(&mut restoring, (&order, now), &key, progress).await,
        Err(refused) => Err(refused),
    };
    match filled {
        Ok(mut restored) => {
            restored.kept = restoring.commit().await?;
            Ok(restored)
        }
        Err(failure) => {
            restoring.abandon().await;
            Err(failure)
        }
    }
}

fn check(header: &Header, order: &Order<'_>, now: Timestamp) -> Result<(), AdminFailure> {
    let issuer = order.config.issuer.as_str();
    let refuse = |why: String| Err(AdminFailure::Refused(why));
    if header.issuer != issuer {
        return refuse(format!(
            "issuer: the backup is of {}, the configuration says {issuer}; use that installation's \
             configuration (--config)",
            header.issuer
        ));
    }
    if header.schema > schema_version() {
        return refuse(format!(
            "the backup has schema version {}, newer than this binary's {}; use version {} of \
             countersign or newer",
            header.schema,
            schema_version(),
            header.version
        ));
    }
    if header.created_at > now.plus(CLOCKS) {
        return refuse(format!(
            "the backup was made {} minutes in the future: this machine's clock is behind; set it \
             right first (`timedatectl`), because the new epoch begins by it",
            header.created_at.since(now).as_secs() / 60
        ));
    }
    Ok(())
}

/// Refuses to replace an installation unless its issuer was typed, and its last day is not still to
/// come: what was issued on it would be good again after an epoch that begins before.
fn make_room(found: Found, order: &Order<'_>, now: Timestamp) -> Result<(), AdminFailure> {
    let (replace, issuer) = (order.replace, order.config.issuer.as_str());
    let what = match found.occupied {
        Occupied::Empty => return Ok(()),
        Occupied::Installed => "an installation lies in the database already",
        Occupied::Damaged => "a damaged database lies there already",
    };
    match replace {
        Some(typed) if typed == issuer => is_past(
            found.newest,
            now,
            "the audit log of the installation that would be replaced",
        ),
        Some(typed) => Err(AdminFailure::Refused(format!(
            "--replace: {typed:?} is not the issuer of this installation; nothing was changed"
        ))),
        None => Err(AdminFailure::Refused(format!(
            "{what}; everything that happened since the backup would be lost. If that is what you \
             want, repeat the command with --replace and the issuer of this installation"
        ))),
    }
}

/// Refuses when the newest event that a log tells of lies in the future.
fn is_past(newest: Option<Timestamp>, now: Timestamp, whose: &str) -> Result<(), AdminFailure> {
    match newest {
        Some(newest) if newest > now.plus(EPOCH_MARGIN) => Err(AdminFailure::Refused(format!(
            "{whose} tells of something that happens in {} seconds by this machine's clock, which \
                 is behind; set it right first (`timedatectl`), because the new epoch begins by it, \
                 and what was issued after that would be good again",
            newest.since(now).as_secs()
        ))),
        _ => Ok(()),
    }
}

fn in_use(fault: Fault) -> AdminFailure {
    match fault {
        Fault::Busy(why) => AdminFailure::Refused(format!(
            "database.url: {why}; stop the server before a restore"
        )),
        Fault::Unreachable(why) => AdminFailure::Refused(format!("database.url: {why}")),
        fault => AdminFailure::Fault(fault),
    }
}

async fn fill(
    restoring: &mut Restoring,
    (order, now): (&Order<'_>, Timestamp),
    key: &BackupKey,
    progress: &Progress,
) -> Result<Restored, AdminFailure> {
    // Everything is verified a second time as it is read: the file may have been exchanged.
    let mut reader = Reader::open(order.file, key).await?;
    let header = reader.header().clone();
    check(&header, order, now)?;
    let (mut done, all) = (0, header.rows());
    let mut table = String::new();
    while let Some(frame) = reader.next().await? {
        match frame {
            Frame::Table { name, columns } => {
                restoring.begin_table(&name, &columns).await?;
                table = name;
            }
            Frame::Rows(rows) => {
                restoring.load(&table, &rows).await?;
                done += rows.len() as u64;
                progress.tell(done, all);
            }
            Frame::End { .. } => {}
        }
    }
    restoring.migrate().await?;
    let vault = Arc::new(open_vault(restoring, order.root).await?);
    restoring.unseal(Arc::clone(&vault));
    let tree = verify_tree(restoring, order, &vault).await?;
    let (newest, _) = inspect::times(restoring.tx(), now).await?;
    is_past(newest, now, "the audit log of the backup")?;
    let step = i64::try_from(STEP_SECONDS).unwrap_or(30);
    let step = now.secs() / step + i64::try_from(SKEW_STEPS).unwrap_or(1);
    let tx = restoring.tx();
    let ended = epoch::begin(tx, now, step, order.keep_consents).await?;
    let active_users = users::count_active(tx).await?;
    let everyone = clients::all(tx).await?;
    let enabled = everyone.iter().filter(|one| one.disabled_at.is_none());
    let restored = Restored {
        ended,
        leaves: tree.size,
        lost_leaves: tree.lost.as_ref().map_or(0, |lost| lost.size - tree.size),
        active_users,
        enabled_clients: enabled.count() as u64,
        kept: None,
        header,
    };
    let event = event((order, now), &restored, &tree)?;
    let sealer = Sealer::Institution(&vault);
    tx.record(PendingEvent::new(event, Personal::default(), sealer)?);
    Ok(restored)
}

async fn open_vault(restoring: &mut Restoring, root: &RootKey) -> Result<Vault, AdminFailure> {
    let wrapped = keys::wrapped(restoring.tx()).await?;
    Vault::open(root, &wrapped)
        .map_err(|fault| AdminFailure::Refused(format!("the backup cannot be used: {fault}")))
}

/// The audit tree that was restored.
struct Tree {
    size: u64,
    root: Option<String>,
    /// What left the host after the backup was made.
    lost: Option<Checkpoint>,
}

/// Verifies the restored log, and that it is the beginning of the one that left the host.
async fn verify_tree(
    restoring: &mut Restoring,
    order: &Order<'_>,
    vault: &Vault,
) -> Result<Tree, AdminFailure> {
    let key = seal_audit::checkpoint_key(&order.config.issuer, vault)?;
    let keys = [key.verifying_key().clone()];
    let refuse = |why: &dyn std::fmt::Display| {
        AdminFailure::Refused(format!(
            "the audit log of the backup is refused: {why}; nothing was changed. Keep the file for \
             an investigation, and use an older backup"
        ))
    };
    let newest = audit::checkpoint(restoring.tx()).await?;
    let newest = newest.map(|(_, _, note)| Checkpoint::open(&note, &keys));
    let newest = newest.transpose().map_err(|error| refuse(&error))?;
    let size = newest.as_ref().map_or(0, |newest| newest.size);
    let shipped = order.checkpoint.map(|note| Checkpoint::open(note, &keys));
    let shipped = shipped.transpose().map_err(|error| {
        AdminFailure::Refused(format!(
            "--checkpoint: it is none of this installation: {error}"
        ))
    })?;
    // A newer one cannot be compared: what it speaks of is lost, and the log says so.
    let lost = shipped.filter(|shipped| shipped.size > size);
    let kept = order.checkpoint.filter(|_| lost.is_none());
    let verdict = seal_audit::compare(restoring.tx(), kept, &keys, &Progress::none()).await?;
    match verdict {
        Ok(_) => {}
        Err(difference @ Difference::Root { .. }) if kept.is_some() => {
            return Err(refuse(&format!(
                "it is not the beginning of the log that --checkpoint speaks of ({difference})"
            )));
        }
        Err(difference) => return Err(refuse(&difference)),
    }
    let root = newest.map(|newest| STANDARD.encode(newest.root));
    Ok(Tree { size, root, lost })
}

fn event(
    (order, now): (&Order<'_>, Timestamp),
    restored: &Restored,
    tree: &Tree,
) -> Result<Event, Fault> {
    let id = rng::uuid(now)?;
    let mut event = Event::new(id, now, Kind::BackupRestored)
        .by(Actor::Operator)
        .with("backup_created_at", restored.header.created_at.millis())
        .with("tree_size", tree.size)
        .with("consents_kept", order.keep_consents)
        .with("sessions_ended", restored.ended.sessions)
        .with("authorizations_ended", restored.ended.authorizations);
    if let Some(operator) = order.operator {
        event = event.with("operator", operator);
    }
    if let Some(root) = &tree.root {
        event = event.with("tree_root", root.as_str());
    }
    if let Some(lost) = &tree.lost {
        event = event
            .with("lost_tree_size", lost.size)
            .with("lost_tree_root", STANDARD.encode(lost.root));
    }
    Ok(event)
}
