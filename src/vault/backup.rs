//! Sealing a backup: chunks under a fresh key that only the root key opens, in an order that cannot
//! be changed and with an end that cannot be cut off (the STREAM construction: a chunk's nonce is
//! its number and whether it is the last).

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::RootKey;
use super::envelope::{Cell, SealingKey};
use crate::fault::Fault;
use crate::rng;
use crate::secret::sha256;

/// How many bytes of content one chunk holds; the last one may hold fewer.
pub const CHUNK: usize = 256 << 10;
/// By how much sealing makes a chunk longer.
pub const TAG: usize = 16;
/// The length of a wrapped file key.
pub const WRAPPED: usize = 1 + 4 + NONCE_LEN + 32 + TAG;

/// Wraps the keys of backups. It is derived from the root key, so that a backup is opened by what
/// opens the database, and by nothing else.
pub struct BackupKey(SealingKey);

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupKey(…)")
    }
}

impl BackupKey {
    /// The one that belongs to a root key.
    ///
    /// # Errors
    /// [`Fault::Unreadable`], never in practice.
    pub fn of(root: &RootKey) -> Result<Self, Fault> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, root.bytes());
        let derived = hmac::sign(&root, b"countersign/backup/1");
        SealingKey::new(0, derived.as_ref()).map(Self)
    }

    /// Begins a backup with this header: the wrapped file key, and what seals the chunks.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn begin(&self, header: &[u8]) -> Result<(Vec<u8>, Chunks), Fault> {
        let bytes = Zeroizing::new(rng::bytes::<32>()?);
        let bound = sha256(&[header]);
        let wrapped = self.0.seal(wrap_cell(&bound), bytes.as_slice())?;
        Ok((wrapped, Chunks::new(bytes.as_slice())?))
    }

    /// Opens the file key of a backup with exactly this header.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when the root key is another one, or the header was changed.
    pub fn resume(&self, header: &[u8], wrapped: &[u8]) -> Result<Chunks, Fault> {
        let bound = sha256(&[header]);
        let bytes = self.0.open(wrap_cell(&bound), wrapped)?;
        Chunks::new(&bytes)
    }
}

/// Seals or opens the chunks of one backup, from the first to the last.
pub struct Chunks {
    key: LessSafeKey,
    next: u32,
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chunks(…)")
    }
}

impl Chunks {
    fn new(bytes: &[u8]) -> Result<Self, Fault> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes)
            .map_err(|_| Fault::Unreadable("a backup's key has the wrong length".to_owned()))?;
        let key = LessSafeKey::new(key);
        Ok(Self { key, next: 0 })
    }

    /// Seals the next chunk in place.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the backup is longer than a petabyte.
    pub fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), Fault> {
        let nonce = self.nonce(last)?;
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), chunk)
            .map_err(|_| Fault::Internal("sealing failed".to_owned()))
    }

    /// Opens the next chunk in place. `last` is what the file says by ending there.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when it was changed, moved, or is not the last.
    pub fn open(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), Fault> {
        let number = self.next;
        let nonce = self.nonce(last)?;
        let length = self
            .key
            .open_in_place(nonce, Aad::empty(), chunk)
            .map_err(|_| {
                Fault::Unreadable(format!(
                    "part {number} of the backup was changed, moved or cut off"
                ))
            })?
            .len();
        chunk.truncate(length);
        Ok(())
    }

    fn nonce(&mut self, last: bool) -> Result<Nonce, Fault> {
        let mut nonce = [0; NONCE_LEN];
        nonce[NONCE_LEN - 5..NONCE_LEN - 1].copy_from_slice(&self.next.to_be_bytes());
        nonce[NONCE_LEN - 1] = last.into();
        self.next = self
            .next
            .checked_add(1)
            .ok_or_else(|| Fault::Internal("the backup is too long".to_owned()))?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

fn wrap_cell(header: &[u8]) -> Cell<'_> {
    Cell::new("backup", "key", header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(root: &RootKey) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (wrapped, mut chunks) = BackupKey::of(root).unwrap().begin(b"header").unwrap();
        let parts = [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
        let sealed = parts.into_iter().enumerate().map(|(n, mut part)| {
            chunks.seal(&mut part, n == 2).unwrap();
            part
        });
        (wrapped, sealed.collect())
    }

    fn open(root: &RootKey, wrapped: &[u8], parts: &[Vec<u8>]) -> Result<Vec<u8>, Fault> {
        let mut chunks = BackupKey::of(root)?.resume(b"header", wrapped)?;
        let mut all = Vec::new();
        for (n, part) in parts.iter().enumerate() {
            let mut part = part.clone();
            chunks.open(&mut part, n + 1 == parts.len())?;
            all.extend(part);
        }
        Ok(all)
    }

    #[test]
    fn chunks_open_in_their_order_to_their_end_and_in_no_other_way() {
        let root = RootKey::generate().unwrap();
        let (wrapped, parts) = sealed(&root);
        assert_eq!(wrapped.len(), WRAPPED);
        assert_eq!(open(&root, &wrapped, &parts).unwrap(), b"onetwothree");
        let swapped = [parts[1].clone(), parts[0].clone(), parts[2].clone()];
        assert!(open(&root, &wrapped, &swapped).is_err());
        assert!(open(&root, &wrapped, &parts[..2]).is_err());
        let longer = [parts.clone(), vec![parts[2].clone()]].concat();
        assert!(open(&root, &wrapped, &longer).is_err());
        for part in 0..3 {
            for at in 0..parts[part].len() {
                let mut bad = parts.clone();
                bad[part][at] ^= 1;
                assert!(open(&root, &wrapped, &bad).is_err(), "{part} {at}");
            }
        }
    }

    #[test]
    fn another_root_key_or_header_opens_nothing() {
        let root = RootKey::generate().unwrap();
        let (wrapped, parts) = sealed(&root);
        assert!(open(&RootKey::generate().unwrap(), &wrapped, &parts).is_err());
        let key = BackupKey::of(&root).unwrap();
        assert!(key.resume(b"heade", &wrapped).is_err());
    }
}
