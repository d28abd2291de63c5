//! The keys of one person. Destroying a key erases what it sealed and nothing else.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::envelope::{Cell, SealingKey};
use super::{KeyUse, Vault};
use crate::fault::Fault;
use crate::rng;

/// A person's keys as they lie in the database.
#[derive(Clone, Debug)]
pub struct WrappedPersonKeys {
    /// Seals who she is: name, address, e-mail.
    pub profile: Vec<u8>,
    /// Seals what she did: addresses and devices in audit events and sessions.
    pub activity: Vec<u8>,
}

/// A person's opened keys.
pub struct PersonKeys {
    profile: SealingKey,
    activity: SealingKey,
}

impl std::fmt::Debug for PersonKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonKeys(…)")
    }
}

impl Vault {
    /// New keys for a person, wrapped.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn new_person_keys(&self, user: Uuid) -> Result<WrappedPersonKeys, Fault> {
        let wrap = |column| {
            let bytes = Zeroizing::new(rng::bytes::<32>()?);
            let cell = Cell::new("person_keys", column, user.as_bytes());
            self.seal(KeyUse::People, cell, bytes.as_slice())
        };
        Ok(WrappedPersonKeys {
            profile: wrap("profile")?,
            activity: wrap("activity")?,
        })
    }

    /// Opens a person's keys.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when they are not this person's.
    pub fn person_keys(
        &self,
        user: Uuid,
        wrapped: &WrappedPersonKeys,
    ) -> Result<PersonKeys, Fault> {
        let unwrap = |column, sealed: &[u8]| {
            let cell = Cell::new("person_keys", column, user.as_bytes());
            SealingKey::new(0, &self.open_cell(cell, sealed)?)
        };
        Ok(PersonKeys {
            profile: unwrap("profile", &wrapped.profile)?,
            activity: unwrap("activity", &wrapped.activity)?,
        })
    }
}

impl PersonKeys {
    /// Seals who she is.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn seal_profile(&self, cell: Cell<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        self.profile.seal(cell, plain)
    }

    /// Opens what [`PersonKeys::seal_profile`] made.
    ///
    /// # Errors
    /// [`Fault::Unreadable`].
    pub fn open_profile(&self, cell: Cell<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.profile.open(cell, sealed)
    }

    /// Seals what she did.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn seal_activity(&self, cell: Cell<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        self.activity.seal(cell, plain)
    }

    /// Opens what [`PersonKeys::seal_activity`] made.
    ///
    /// # Errors
    /// [`Fault::Unreadable`].
    pub fn open_activity(
        &self,
        cell: Cell<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.activity.open(cell, sealed)
    }
}
