//! Modes and owners of files and folders.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::config::{Config, Database};
use crate::paths::{beside, folder_of};
use crate::vault::RootKey;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Settings,
    Folder,
    Database,
    /// A secret or a key for another server.
    Secret,
    /// Who vouches for clients, or what was taken back.
    Trusted,
}

/// A file as it lies there.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub role: Role,
    pub mode: u32,
    pub uid: u32,
}

/// What was seen of all files.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub entries: Vec<Entry>,
    /// Why the root key cannot be read.
    pub root_key: Option<String>,
    /// Whether the root key lies in the folder of the database.
    pub together: bool,
    /// The account that the server runs as: whose folder the data lie in.
    pub owner: u32,
}

/// Looks at the files.
pub(super) fn look(settings: &Path, config: &Config) -> Seen {
    let mut entries = Vec::new();
    let mut add = |path: &Path, role| {
        if let Ok(file) = fs::metadata(path) {
            entries.push(Entry {
                path: path.to_owned(),
                role,
                mode: file.mode() & 0o7777,
                uid: file.uid(),
            });
        }
    };
    add(settings, Role::Settings);
    let upstream = config.upstream.as_ref().map(|one| &one.secret_file);
    let mail = config.mail.as_ref();
    let mail = mail.and_then(|mail| mail.password_file.as_ref());
    for secret in upstream.into_iter().chain(mail) {
        add(secret, Role::Secret);
    }
    if let Some(mtls) = &config.mtls {
        for file in mtls.authorities_file.iter().chain(&mtls.revocation_files) {
            add(file, Role::Trusted);
        }
    }
    let mut folders = vec![folder_of(&config.server.admin_socket)];
    let mut together = false;
    if let Database::Sqlite(path) = &config.database {
        for end in ["", "-wal", ".lock"] {
            add(&beside(path, end), Role::Database);
        }
        together = folder_of(path) == folder_of(&config.root_key_file);
        folders.push(folder_of(path));
    }
    folders.push(folder_of(&config.root_key_file));
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        add(folder, Role::Folder);
    }
    Seen {
        entries,
        root_key: RootKey::read(&config.root_key_file).err(),
        together,
        owner: server_account(config),
    }
}

/// Whose the folder is that the server writes to. The root key may belong to root alone, who hands
/// it over (systemd's `LoadCredential`), so it does not tell.
pub(super) fn server_account(config: &Config) -> u32 {
    let writes_to = match &config.database {
        Database::Sqlite(path) => path,
        Database::Postgres(_) => &config.server.admin_socket,
    };
    fs::metadata(folder_of(writes_to)).map_or(0, |folder| folder.uid())
}

/// Judges them.
pub(super) fn judge(seen: &Seen) -> Vec<Finding> {
    let mut found: Vec<Finding> = seen
        .entries
        .iter()
        .flat_map(|one| entry(one, seen))
        .collect();
    if let Some(why) = &seen.root_key {
        found.push(Finding::new(
            "files.root_key",
            why.clone(),
            "put the root key back from your safe copy, with `chmod 600`, or correct vault.root_key_file",
        ));
    }
    if seen.together {
        found.push(Finding::new(
            "files.root_key_place",
            "the root key lies in the folder of the database".to_owned(),
            "move it to another folder (/etc/countersign, say) and set vault.root_key_file; keep a copy off this host",
        ));
    }
    found
}

fn entry(entry: &Entry, seen: &Seen) -> Vec<Finding> {
    let shown = entry.path.display();
    let (others_write, others_read) = (entry.mode & 0o022 != 0, entry.mode & 0o044 != 0);
    // A folder for everybody from which nobody removes what is another's.
    let sticky = entry.mode & 0o1000 != 0;
    let mut found = Vec::new();
    let mut add = |id, what: String, remedy: String| found.push(Finding::new(id, what, remedy));
    match entry.role {
        Role::Settings if others_write => add(
            "files.config_writable",
            format!("{shown} can be written by others (mode {:04o})", entry.mode),
            format!("run `chmod 600 {shown}`"),
        ),
        Role::Settings if entry.mode & 0o004 != 0 => add(
            "files.config_readable",
            format!("{shown} can be read by everybody (mode {:04o})", entry.mode),
            format!("run `chmod 600 {shown}` (or 640 with a group of its own)"),
        ),
        Role::Folder if others_write && !sticky => add(
            "files.folder_open",
            format!("others can write into {shown} (mode {:04o})", entry.mode),
            format!("run `chmod go-w {shown}`"),
        ),
        Role::Database if others_read || others_write => add(
            "files.database_readable",
            format!("{shown} can be read by others (mode {:04o})", entry.mode),
            format!("run `chmod 600 {shown}`"),
        ),
        Role::Trusted if others_write => add(
            "files.trust_writable",
            format!("{shown} can be written by others (mode {:04o})", entry.mode),
            format!("run `chmod go-w {shown}`"),
        ),
        Role::Secret if others_write || entry.mode & 0o004 != 0 => add(
            "files.secret_open",
            format!(
                "{shown} is not for the server alone (mode {:04o})",
                entry.mode
            ),
            format!("run `chmod 600 {shown}` (or 640 with a group of its own)"),
        ),
        _ => {}
    }
    if entry.role == Role::Database && entry.uid != seen.owner {
        add(
            "files.owner",
            format!(
                "{shown} belongs to uid {}, its folder to uid {}",
                entry.uid, seen.owner
            ),
            format!("run `chown {} {shown}`", seen.owner),
        );
    } else if entry.uid != 0 && entry.uid != seen.owner && entry.role != Role::Database {
        add(
            "files.owner",
            format!(
                "{shown} belongs to uid {}, who is not the server's account",
                entry.uid
            ),
            format!("run `chown {} {shown}` (or root)", seen.owner),
        );
    }
    found
}
