//! The machine: clock, disk, limits.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rules::time::Timestamp;

use super::finding::Finding;
use crate::config::{Config, Database};
use crate::paths::folder_of;

/// How much must be free, in bytes.
const SPACE: u64 = 1 << 30;
/// How far a clock may be behind what is known to have happened.
const SLACK: Duration = Duration::from_mins(5);
/// Files that the server has open besides its connections.
const OTHER_FILES: u64 = 128;
/// File systems on which locks cannot be relied upon.
const NETWORK: [&str; 12] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
];

/// What was seen of the machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub now: Timestamp,
    /// Whether something keeps the clock right; none when that cannot be told.
    pub synchronised: Option<bool>,
    /// When this binary was put there.
    pub binary: Option<Timestamp>,
    /// The newest audit event.
    pub newest_event: Option<Timestamp>,
    /// By how many milliseconds the database's clock is ahead.
    pub database_ahead: Option<i64>,
    /// How many bytes are free where the database lies.
    pub free: Option<u64>,
    /// The file system under an embedded database.
    pub file_system: Option<String>,
    /// How many files the server may have open.
    pub open_files: Option<u64>,
    /// How many connections it takes.
    pub connections: u64,
}

/// Looks at the machine.
pub(super) fn look(config: &Config, now: Timestamp) -> Seen {
    let mut seen = Seen {
        now,
        synchronised: synchronised(),
        connections: config.server.max_connections as u64,
        ..Seen::default()
    };
    seen.binary = fs::metadata("/proc/self/exe")
        .ok()
        .map(|file| Timestamp::from_secs(file.mtime()));
    if let Database::Sqlite(path) = &config.database {
        let folder = folder_of(path);
        seen.free = rustix::fs::statvfs(folder)
            .ok()
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        seen.file_system = fs::canonicalize(folder)
            .ok()
            .and_then(|folder| file_system(&folder, &mounts()));
    }
    seen
}

/// systemd and chrony leave a mark when the clock is right.
fn synchronised() -> Option<bool> {
    let marks = [
        "/run/systemd/timesync/synchronized",
        "/run/chrony/chronyd.pid",
        "/run/ntpd.pid",
    ];
    if marks.iter().any(|mark| Path::new(mark).exists()) {
        return Some(true);
    }
    // In a container nobody can tell: the host keeps the clock.
    Path::new("/run/systemd/system").exists().then_some(false)
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

/// The type of the file system that a folder lies on, from `/proc/self/mountinfo` (proc(5)).
fn file_system(folder: &Path, mounts: &str) -> Option<String> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        folder.starts_with(&point).then(|| {
            (
                point.len(),
                right.split(' ').next().unwrap_or_default().to_owned(),
            )
        })
    };
    let found = mounts
        .lines()
        .filter_map(mount)
        .max_by_key(|(length, _)| *length);
    found.map(|(_, kind)| kind)
}

/// Judges it.
pub(super) fn judge(seen: &Seen) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |id, what: String, remedy: &str| found.push(Finding::new(id, what, remedy));
    if seen.synchronised == Some(false) {
        add(
            "clock.not_synchronised",
            "nothing keeps this machine's clock right".to_owned(),
            "run `timedatectl set-ntp true`, or install chrony with a time server of your own",
        );
    }
    let ahead = |at: Option<Timestamp>| at.is_some_and(|at| at > seen.now.plus(SLACK));
    if ahead(seen.newest_event) {
        add(
            "clock.behind",
            "the newest audit event lies in the future of this machine's clock".to_owned(),
            "set the clock right (`timedatectl`), then find out which machine's clock was wrong",
        );
    } else if ahead(seen.binary) {
        add(
            "clock.behind",
            "this program was installed in the future of this machine's clock".to_owned(),
            "set the clock right (`timedatectl`)",
        );
    }
    if let Some(ahead) = seen.database_ahead
        && ahead.unsigned_abs() > 2000
    {
        add(
            "clock.database",
            format!("the database's clock differs by {} seconds", ahead / 1000),
            "let both machines follow the same time server",
        );
    }
    if let Some(free) = seen.free
        && free < SPACE
    {
        add(
            "disk.space",
            format!("{} MiB are free where the database lies", free >> 20),
            "make room, or move the database to a larger disk",
        );
    }
    if let Some(kind) = seen
        .file_system
        .as_deref()
        .filter(|kind| NETWORK.contains(kind))
    {
        add(
            "disk.network",
            format!("the SQLite database lies on a network file system ({kind})"),
            "move it to a local disk, or use PostgreSQL",
        );
    }
    if let Some(limit) = seen.open_files
        && limit < seen.connections + OTHER_FILES
    {
        add(
            "limits.open_files",
            format!(
                "the server may open {limit} files, and takes {} connections",
                seen.connections
            ),
            "set LimitNOFILE=65536 in the service, or lower server.max_connections",
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_decides() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      2 1 0:40 / /var/lib/my\\040data rw,relatime shared:1 - nfs4 host:/x rw\n";
        let kind = |folder| file_system(Path::new(folder), mounts);
        assert_eq!(kind("/var/lib/my data/db").as_deref(), Some("nfs4"));
        assert_eq!(kind("/var/lib").as_deref(), Some("ext4"));
        assert_eq!(file_system(Path::new("/"), ""), None);
    }
}
