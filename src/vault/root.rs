//! The root key: 32 random bytes, in a file that only the server's account can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::envelope::SealingKey;
use crate::fault::Fault;
use crate::rng;

/// Names the folder where systemd puts a service's credentials. It is a place, and no secret.
pub const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Opens the key hierarchy. It never lies in the database, and never comes from the environment,
/// which other processes can read.
pub struct RootKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey(…)")
    }
}

impl RootKey {
    /// A new one.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn generate() -> Result<Self, Fault> {
        Ok(Self(Zeroizing::new(rng::bytes()?)))
    }

    /// Reads the file: base64 of 32 bytes on one line, mode 0600 or 0400.
    ///
    /// # Errors
    /// A sentence that names the file and the remedy.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let mode = fs::metadata(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => format!(
                    "the root key file {shown} does not exist; `countersign init` makes one, or \
                     restore it from your safe copy (vault.root_key_file)"
                ),
                _ => format!("the root key file {shown} cannot be read: {error}"),
            })?
            .permissions()
            .mode();
        // systemd gives a credential to one account by an access list, whose mask shows as the group's.
        let handed = std::env::var_os(CREDENTIALS).is_some_and(|folder| path.starts_with(folder));
        let others = if handed { 0o037 } else { 0o077 };
        if mode & others != 0 {
            return Err(format!(
                "the root key file {shown} can be read by others (mode {:04o}); run `chmod 600 {shown}`",
                mode & 0o7777
            ));
        }
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| format!("the root key file {shown} cannot be read: {error}"))?;
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
        let exact = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        exact
            .map(|bytes| Self(Zeroizing::new(bytes)))
            .ok_or_else(|| {
                format!("the root key file {shown} is damaged: it must hold 32 bytes in base64")
            })
    }

    /// Writes a new file, mode 0600; an existing one is never overwritten.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let text = Zeroizing::new(STANDARD.encode(self.0.as_slice()) + "\n");
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(super) fn sealing_key(&self) -> Result<SealingKey, Fault> {
        SealingKey::new(0, self.0.as_slice())
    }
}
