//! Sealing at rest. A root key (a file only the operator's account can read) wraps one
//! key-encryption key; that wraps the data keys; those seal columns, tokens and each person's own
//! keys. The vault is handed wrapped keys and reads nothing itself.

mod backup;
mod envelope;
mod person;
mod root;

use std::collections::HashMap;

use aws_lc_rs::hmac;
use rules::time::Timestamp;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::rng;
pub use backup::{BackupKey, CHUNK, Chunks, TAG, WRAPPED};
pub use envelope::Cell;
use envelope::SealingKey;
pub use person::{PersonKeys, WrappedPersonKeys};
pub use root::RootKey;

/// What a key of the hierarchy is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// Wraps the data keys; itself wrapped by the root key.
    Kek,
    /// Seals columns that belong to the institution: private keys, clients, requests.
    Columns,
    /// Seals opaque access tokens.
    Tokens,
    /// Wraps the keys of each person.
    People,
    /// Seals personal fields of audit events that name no person.
    Activity,
    /// Keyed look-ups: HMAC-SHA-256 of what must be found but not read.
    Lookup,
}

impl KeyUse {
    const DATA: [Self; 5] = [
        Self::Columns,
        Self::Tokens,
        Self::People,
        Self::Activity,
        Self::Lookup,
    ];

    /// The name that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kek => "kek",
            Self::Columns => "columns",
            Self::Tokens => "tokens",
            Self::People => "people",
            Self::Activity => "activity",
            Self::Lookup => "lookup",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Kek]
            .into_iter()
            .chain(Self::DATA)
            .find(|key_use| key_use.as_str() == name)
    }
}

/// A key as it lies in the database.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    /// Number, unique in the installation; envelopes name it.
    pub id: u32,
    /// A [`KeyUse`] by name.
    pub key_use: String,
    /// The sealed key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The opened key hierarchy.
pub struct Vault {
    keys: HashMap<u32, SealingKey>,
    current: HashMap<KeyUse, u32>,
    lookup: hmac::Key,
    backups: BackupKey,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Vault {
    /// Makes the keys of a new installation, wrapped, ready to be stored and then opened.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn create(root: &RootKey, now: Timestamp) -> Result<Vec<WrappedKey>, Fault> {
        let kek_bytes = Zeroizing::new(rng::bytes::<32>()?);
        let kek = SealingKey::new(1, kek_bytes.as_slice())?;
        let mut keys = vec![WrappedKey {
            id: 1,
            key_use: KeyUse::Kek.as_str().to_owned(),
            wrapped: root
                .sealing_key()?
                .seal(wrap_cell(1), kek_bytes.as_slice())?,
            created_at: now,
        }];
        for (id, key_use) in (2..).zip(KeyUse::DATA) {
            let bytes = Zeroizing::new(rng::bytes::<32>()?);
            keys.push(WrappedKey {
                id,
                key_use: key_use.as_str().to_owned(),
                wrapped: kek.seal(wrap_cell(id), bytes.as_slice())?,
                created_at: now,
            });
        }
        Ok(keys)
    }

    /// Opens the hierarchy from what the database holds.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when the root key does not fit or a key is missing.
    pub fn open(root: &RootKey, wrapped: &[WrappedKey]) -> Result<Self, Fault> {
        let of = |key: &WrappedKey| {
            KeyUse::from_name(&key.key_use)
                .ok_or_else(|| Fault::Unreadable(format!("vault key use {:?}", key.key_use)))
        };
        let mut keks = HashMap::new();
        for key in wrapped
            .iter()
            .filter(|key| key.key_use == KeyUse::Kek.as_str())
        {
            let bytes = root
                .sealing_key()?
                .open(wrap_cell(key.id), &key.wrapped)
                .map_err(|_| {
                    Fault::Unreadable(
                        "vault.root_key_file: the root key does not open this database; use the one that was made with it"
                            .to_owned(),
                    )
                })?;
            keks.insert(key.id, SealingKey::new(key.id, &bytes)?);
        }
        let mut vault = Self {
            keys: HashMap::new(),
            current: HashMap::new(),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, &[]),
            backups: BackupKey::of(root)?,
        };
        let mut found_lookup = false;
        for key in wrapped {
            let key_use = of(key)?;
            if key_use == KeyUse::Kek {
                continue;
            }
            let kek = envelope::key_id(&key.wrapped)
                .and_then(|id| keks.get(&id))
                .ok_or_else(|| Fault::Unreadable(format!("vault key {}", key.id)))?;
            let bytes = kek.open(wrap_cell(key.id), &key.wrapped)?;
            if key_use == KeyUse::Lookup {
                vault.lookup = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
                found_lookup = true;
            }
            vault.keys.insert(key.id, SealingKey::new(key.id, &bytes)?);
            let newest = vault.current.entry(key_use).or_insert(key.id);
            *newest = key.id.max(*newest);
        }
        if !found_lookup || vault.current.len() != KeyUse::DATA.len() {
            return Err(Fault::Unreadable("vault keys are missing".to_owned()));
        }
        Ok(vault)
    }

    /// What wraps the keys of backups.
    #[must_use]
    pub const fn backups(&self) -> &BackupKey {
        &self.backups
    }

    /// Seals `plain` for one cell of the database.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn seal(&self, key_use: KeyUse, cell: Cell<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let key = self
            .current
            .get(&key_use)
            .and_then(|id| self.keys.get(id))
            .ok_or_else(|| Fault::Internal(format!("no vault key for {}", key_use.as_str())))?;
        key.seal(cell, plain)
    }

    /// Opens what [`Vault::seal`] made for the same cell, by whichever key sealed it.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] for anything else.
    pub fn open_cell(&self, cell: Cell<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        envelope::key_id(sealed)
            .and_then(|id| self.keys.get(&id))
            .ok_or_else(|| cell.unreadable())?
            .open(cell, sealed)
    }

    /// The keyed look-up value of `text`, separated by `domain`.
    #[must_use]
    pub fn lookup(&self, domain: &str, text: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.lookup);
        context.update(domain.as_bytes());
        context.update(b"\0");
        context.update(text.as_bytes());
        let mut value = [0; 32];
        value.copy_from_slice(context.sign().as_ref());
        value
    }
}

fn wrap_cell(id: u32) -> Cell<'static> {
    // A wrapped key may not be moved to another number.
    Cell::numbered("vault_keys", "wrapped", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        let root = RootKey::generate().unwrap();
        Vault::open(&root, &Vault::create(&root, Timestamp::default()).unwrap()).unwrap()
    }

    #[test]
    fn a_sealed_cell_opens_only_where_it_was_sealed() {
        let vault = vault();
        let cell = Cell::new("users", "profile", b"1");
        let sealed = vault.seal(KeyUse::Columns, cell, b"Ada").unwrap();
        assert_eq!(&*vault.open_cell(cell, &sealed).unwrap(), b"Ada");
        for elsewhere in [
            Cell::new("users", "profile", b"2"),
            Cell::new("users", "password", b"1"),
            Cell::new("clients", "profile", b"1"),
        ] {
            assert!(vault.open_cell(elsewhere, &sealed).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let vault = vault();
        let cell = Cell::new("users", "profile", b"1");
        let sealed = vault.seal(KeyUse::Columns, cell, b"Ada").unwrap();
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[i] ^= 1;
            assert!(vault.open_cell(cell, &bad).is_err(), "byte {i}");
        }
        assert!(vault.open_cell(cell, &[]).is_err());
    }

    #[test]
    fn another_root_key_opens_nothing() {
        let keys = Vault::create(&RootKey::generate().unwrap(), Timestamp::default()).unwrap();
        assert!(Vault::open(&RootKey::generate().unwrap(), &keys).is_err());
    }

    #[test]
    fn wrapped_keys_cannot_change_places() {
        let root = RootKey::generate().unwrap();
        let mut keys = Vault::create(&root, Timestamp::default()).unwrap();
        let (a, b) = (keys[1].wrapped.clone(), keys[2].wrapped.clone());
        (keys[1].wrapped, keys[2].wrapped) = (b, a);
        assert!(Vault::open(&root, &keys).is_err());
    }
}
