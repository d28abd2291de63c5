//! The demo's own notes, `demo.json`: what nobody but the demo would write down, such as the
//! passwords of its people. Readable by its owner alone.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// What is written down. It holds secrets, so it has no `Debug`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// The first of the three ports; the issuer's name and every address follow from it.
    pub port_base: u16,
    /// Whether the server speaks TLS, which is part of its name too.
    #[serde(default)]
    pub tls: bool,
    /// Whether everybody lives by FAPI 2.0: then clients have other means to prove who they are.
    #[serde(default)]
    pub fapi: bool,
    /// What the demo's people sign in with, by user name.
    #[serde(default)]
    pub people: BTreeMap<String, Credentials>,
    /// Client secrets, by `client_id`.
    #[serde(default)]
    pub client_secrets: BTreeMap<String, String>,
    /// Private keys of clients that sign assertions: PKCS#8 (RFC 5958) in base64, by `client_id`.
    #[serde(default)]
    pub client_keys: BTreeMap<String, String>,
    /// Further accounts on the demo's phone, as somebody added them.
    #[serde(default)]
    pub phone: Vec<PhoneEntry>,
}

/// What one person signs in with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The password.
    pub password: String,
    /// The authenticator app's secret in base32 (RFC 4648 §6); none before activation.
    #[serde(default)]
    pub totp_secret: Option<String>,
}

/// An account that was added to the phone by its key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneEntry {
    /// What the phone calls it.
    pub label: String,
    /// Its secret in base32.
    pub secret: String,
}

/// The notes and their file.
pub struct Notebook {
    path: PathBuf,
    notes: Mutex<Notes>,
}

impl Notebook {
    /// Opens the notes in `dir`, which is made when it does not exist; with TLS, by FAPI 2.0?
    ///
    /// # Errors
    /// A sentence that names the file and the remedy.
    pub fn open(dir: &Path, port_base: u16, (tls, fapi): (bool, bool)) -> Result<Self, String> {
        let cannot = |what: &str, path: &Path, error: &io::Error| {
            format!(
                "{} cannot be {what}: {error}; name another folder with --data",
                path.display()
            )
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| cannot("made", dir, &error))?;
        check_owner(dir).map_err(|error| cannot("used", dir, &error))?;
        let path = dir.join("demo.json");
        let notes = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                format!(
                    "{} is damaged ({error}); delete the folder {} to begin anew",
                    path.display(),
                    dir.display()
                )
            })?,
            // The server would put its files among somebody else's.
            Err(error) if error.kind() == io::ErrorKind::NotFound && holds_something(dir) => {
                return Err(format!(
                    "{} is no demo's folder and is not empty; name a new or empty one with --data",
                    dir.display()
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Notes {
                port_base,
                tls,
                fapi,
                ..Notes::default()
            },
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        if notes.port_base != port_base {
            return Err(format!(
                "the data in {} was made with --port-base {}, and the server's name is part of it; \
                 use that, or another folder with --data",
                dir.display(),
                notes.port_base
            ));
        }
        for (flag, made, asked, why) in [
            ("--tls", notes.tls, tls, "the server's name is part of it"),
            (
                "--fapi",
                notes.fapi,
                fapi,
                "its clients prove themselves so",
            ),
        ] {
            if made != asked {
                let with = if made { "with" } else { "without" };
                return Err(format!(
                    "the data in {} was made {with} {flag}, and {why}; do so again, or use another \
                     folder with --data",
                    dir.display(),
                ));
            }
        }
        let notebook = Self {
            path,
            notes: Mutex::new(notes),
        };
        notebook.save(&notebook.notes())?;
        Ok(notebook)
    }

    /// A copy of the notes.
    #[must_use]
    pub fn read(&self) -> Notes {
        self.notes().clone()
    }

    /// Changes the notes, and writes them before anything else happens.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn change(&self, change: impl FnOnce(&mut Notes)) -> Result<(), String> {
        let mut notes = self.notes();
        let mut changed = notes.clone();
        change(&mut changed);
        self.save(&changed)?;
        *notes = changed;
        Ok(())
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, notes: &Notes) -> Result<(), String> {
        self.write(notes)
            .map_err(|error| format!("{} cannot be written: {error}", self.path.display()))
    }

    /// Written beside and renamed, so that the file is whole at any time.
    fn write(&self, notes: &Notes) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(notes)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }
}

fn holds_something(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}

/// Passwords and keys are written there: nobody else may put a file in their place.
fn check_owner(dir: &Path) -> io::Result<()> {
    let folder = fs::metadata(dir)?;
    let mine = fs::metadata("/proc/self").map_or(folder.uid(), |process| process.uid());
    if folder.uid() != mine {
        return Err(io::Error::other("it is somebody else's"));
    }
    if folder.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write in it; chmod 700 it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir =
            std::env::temp_dir().join(format!("countersign-demo-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn notes_are_kept_for_their_owner_alone() {
        let dir = folder("kept");
        let notebook = Notebook::open(&dir, 9400, (false, false)).unwrap();
        notebook
            .change(|notes| drop(notes.client_secrets.insert("a".into(), "b".into())))
            .unwrap();
        let again = Notebook::open(&dir, 9400, (false, false)).unwrap();
        assert_eq!(again.read().client_secrets["a"], "b");
        let mode = fs::metadata(dir.join("demo.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn other_ports_than_those_of_the_data_are_refused() {
        let dir = folder("ports");
        Notebook::open(&dir, 9400, (false, false)).unwrap();
        let refused = Notebook::open(&dir, 9500, (false, false)).err().unwrap();
        assert!(refused.contains("--port-base 9400"), "{refused}");
        let refused = Notebook::open(&dir, 9400, (true, false)).err().unwrap();
        assert!(refused.contains("without --tls"), "{refused}");
        let refused = Notebook::open(&dir, 9400, (false, true)).err().unwrap();
        assert!(refused.contains("without --fapi"), "{refused}");
        fs::remove_dir_all(dir).unwrap();
    }
}
