//! Backups: everything in the database as it is at one moment, while the server goes on, in one
//! sealed file that either engine restores.

pub mod file;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use rules::audit::{Actor, Kind};
use rules::time::Timestamp;

use super::{AdminFailure, Caller, Progress};
use crate::app::App;
use crate::fault::Fault;
use crate::paths::{beside, folder_of};
use crate::rng;
use crate::store::copy::{Datum, Snapshot, Table};
use crate::vault::BackupKey;
use file::{Frame, Header, Reader, Writer};

/// How a backup's name ends.
pub const ENDING: &str = ".csbackup";
/// How many rows share a frame at most.
const ROWS: usize = 100;

/// A backup to be made.
#[derive(Clone, Debug)]
pub struct NewBackup {
    /// The file, which must not exist; or a folder, in which it gets a name by the time.
    pub to: PathBuf,
    /// How many backups of this installation stay in the folder; older ones are removed.
    pub keep: Option<usize>,
}

/// A backup that was made or verified.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where it lies.
    pub file: PathBuf,
    /// Its length, in bytes.
    pub bytes: u64,
    /// What it says of itself.
    pub header: Header,
    /// Older ones that were removed.
    pub removed: Vec<PathBuf>,
}

/// Makes a backup. It appears under its name only when it is whole and on the disk.
///
/// # Errors
/// [`AdminFailure::Refused`] when the file exists or cannot be written.
pub async fn make(
    app: &App,
    new: NewBackup,
    caller: &Caller,
    progress: &Progress,
) -> Result<Made, AdminFailure> {
    let now = app.clock.now();
    let file = place(app, &new, now)?;
    // No two backups write to one draft: of two that begin together, one is whole and the other
    // refused.
    let draft = beside(&file, &format!(".{}.part", rng::uuid(now)?.simple()));
    let made = write(app, &draft, now, progress).await;
    let finished = match made {
        Ok((bytes, header)) => record(app, &file, (bytes, &header), caller)
            .await
            .and_then(|()| publish(&draft, &file))
            .map(|()| (bytes, header)),
        Err(failure) => Err(failure),
    };
    let _ = std::fs::remove_file(&draft);
    let (bytes, header) = finished?;
    let removed = match new.keep {
        Some(keep) => rotate(app, &new.to, &file, keep).await,
        None => Vec::new(),
    };
    Ok(Made {
        file,
        bytes,
        header,
        removed,
    })
}

/// Reads a whole backup and makes sure that it can be restored with this root key.
///
/// # Errors
/// [`AdminFailure::Refused`] when it cannot.
pub async fn verify(
    path: &Path,
    key: &BackupKey,
    progress: &Progress,
) -> Result<Made, AdminFailure> {
    let mut reader = Reader::open(path, key).await?;
    let header = reader.header().clone();
    let (mut done, all) = (0, header.rows());
    while let Some(frame) = reader.next().await? {
        if let Frame::Rows(rows) = frame {
            done += rows.len() as u64;
            progress.tell(done, all);
        }
    }
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    Ok(Made {
        file: path.to_owned(),
        bytes,
        header,
        removed: Vec::new(),
    })
}

fn place(app: &App, new: &NewBackup, now: Timestamp) -> Result<PathBuf, AdminFailure> {
    if new.to.is_dir() {
        let time = jiff::Timestamp::from_second(now.secs()).map_or_else(
            |_| now.secs().to_string(),
            |at| at.strftime("%Y%m%dT%H%M%SZ").to_string(),
        );
        return free(new.to.join(format!("{}{time}{ENDING}", prefix(app))));
    }
    if new.keep.is_some() {
        return Err(AdminFailure::Refused(format!(
            "--keep works in a folder, and {} is none; make it with `mkdir -m 700`, or leave --keep \
             out",
            new.to.display()
        )));
    }
    free(new.to.clone())
}

fn free(file: PathBuf) -> Result<PathBuf, AdminFailure> {
    if std::fs::symlink_metadata(&file).is_ok() {
        return Err(AdminFailure::Refused(format!(
            "{} exists already and is not overwritten; name another file",
            file.display()
        )));
    }
    Ok(file)
}

/// How the backups of this installation are called.
fn prefix(app: &App) -> String {
    let host = app.config.issuer.authority().replace(':', "-");
    format!("countersign-{host}-")
}

async fn write(
    app: &App,
    draft: &Path,
    now: Timestamp,
    progress: &Progress,
) -> Result<(u64, Header), AdminFailure> {
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .map_err(|error| {
            AdminFailure::Refused(format!(
                "{} cannot be written: {error}; the server's account writes it, so name a folder \
                 that this account may write to",
                draft.display()
            ))
        })?;
    let mut snapshot = app.store.snapshot().await?;
    let issuer = app.config.issuer.as_str();
    let mut header = Header::new(issuer, app.store.engine(), snapshot.schema(), now);
    let tables = snapshot.tables().to_vec();
    header.tables = tables
        .iter()
        .map(|table| (table.name.clone(), table.rows))
        .collect();
    let mut writer = Writer::begin(made.into(), app.vault.backups(), &header).await?;
    let (mut done, all) = (0, header.rows());
    for table in &tables {
        copy(&mut snapshot, table, &mut writer, &mut |rows| {
            done += rows;
            progress.tell(done, all);
        })
        .await?;
    }
    writer.frame(&Frame::End { rows: done }).await?;
    Ok((writer.finish().await?, header))
}

async fn copy(
    snapshot: &mut Snapshot,
    table: &Table,
    writer: &mut Writer,
    written: &mut (dyn FnMut(u64) + Send),
) -> Result<(), Fault> {
    let head = Frame::Table {
        name: table.name.clone(),
        columns: table.columns(),
    };
    writer.frame(&head).await?;
    let mut rows = snapshot.rows(table);
    let mut batch: Vec<Vec<Datum>> = Vec::with_capacity(ROWS);
    while let Some(row) = rows.try_next().await? {
        batch.push(row);
        if batch.len() == ROWS {
            written(batch.len() as u64);
            writer
                .frame(&Frame::Rows(std::mem::take(&mut batch)))
                .await?;
        }
    }
    if !batch.is_empty() {
        written(batch.len() as u64);
        writer.frame(&Frame::Rows(batch)).await?;
    }
    Ok(())
}

/// The audit log tells of a backup before it appears.
async fn record(
    app: &App,
    file: &Path,
    (bytes, header): (u64, &Header),
    caller: &Caller,
) -> Result<(), AdminFailure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let event = app
        .event(Kind::BackupMade, caller)?
        .by(Actor::Operator)
        .with("file", name.as_ref())
        .with("bytes", bytes)
        .with("rows", header.rows());
    let event = app.pending(event, caller, None)?;
    Ok(app.store.append(event).await?)
}

/// Gives the draft its name; a link, unlike a rename, replaces nothing.
fn publish(draft: &Path, file: &Path) -> Result<(), AdminFailure> {
    let folder = folder_of(file);
    let linked = match std::fs::hard_link(draft, file) {
        // Some file systems have no links.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists && !file.exists() => {
            std::fs::rename(draft, file)
        }
        linked => linked,
    };
    linked
        .and_then(|()| std::fs::File::open(folder))
        .and_then(|folder| folder.sync_all())
        .map_err(|error| {
            AdminFailure::Refused(format!("{} cannot be written: {error}", file.display()))
        })
}

/// Removes all but the newest backups of this installation from a folder. The one that was just made
/// stays, whatever times the others say: a clock that was ahead must not outlive every later backup.
async fn rotate(app: &App, folder: &Path, made: &Path, keep: usize) -> Vec<PathBuf> {
    let prefix = prefix(app);
    let mut others = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !(name.starts_with(&prefix) && name.ends_with(ENDING)) {
            continue;
        }
        let path = entry.path();
        if path == made {
            continue;
        }
        if let Ok(header) = file::header(&path).await
            && header.issuer == app.config.issuer.as_str()
        {
            others.push((header.created_at, path));
        }
    }
    others.sort_unstable();
    let surplus = others.len().saturating_sub(keep.saturating_sub(1));
    let old = others.into_iter().take(surplus).map(|(_, path)| path);
    old.filter(|path| std::fs::remove_file(path).is_ok())
        .collect()
}
