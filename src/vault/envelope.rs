//! The sealed envelope: `algorithm (1) ‖ key id (4, big endian) ‖ nonce (12) ‖ ciphertext ‖ tag`.
//! AES-256-GCM-SIV (RFC 8452): a repeated nonce reveals only that the same text was sealed twice.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::rng;

const AES_256_GCM_SIV_ID: u8 = 1;
const HEADER: usize = 1 + 4;

/// Where a sealed value lies: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    table: &'a str,
    column: &'a str,
    row: Row<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Row<'a> {
    Key(&'a [u8]),
    Number(u32),
}

impl<'a> Cell<'a> {
    /// The cell of `table.column` in the row whose primary key is `row`.
    #[must_use]
    pub const fn new(table: &'a str, column: &'a str, row: &'a [u8]) -> Self {
        let row = Row::Key(row);
        Self { table, column, row }
    }

    pub(super) const fn numbered(table: &'a str, column: &'a str, row: u32) -> Self {
        let row = Row::Number(row);
        Self { table, column, row }
    }

    fn associated_data(&self) -> Vec<u8> {
        let number;
        let row = match self.row {
            Row::Key(key) => key,
            Row::Number(n) => {
                number = n.to_be_bytes();
                number.as_slice()
            }
        };
        [self.table.as_bytes(), self.column.as_bytes(), row].join(&0)
    }

    pub(super) fn unreadable(&self) -> Fault {
        Fault::Unreadable(format!("{}.{}", self.table, self.column))
    }
}

pub(super) struct SealingKey {
    id: u32,
    key: LessSafeKey,
}

impl SealingKey {
    /// From 32 bytes.
    pub(super) fn new(id: u32, bytes: &[u8]) -> Result<Self, Fault> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, bytes)
            .map_err(|_| Fault::Unreadable(format!("vault key {id} has the wrong length")))?;
        let key = LessSafeKey::new(key);
        Ok(Self { id, key })
    }

    pub(super) fn seal(&self, cell: Cell<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let nonce = rng::bytes::<NONCE_LEN>()?;
        let mut envelope = Vec::with_capacity(HEADER + NONCE_LEN + plain.len() + 16);
        envelope.push(AES_256_GCM_SIV_ID);
        envelope.extend_from_slice(&self.id.to_be_bytes());
        envelope.extend_from_slice(&nonce);
        let start = envelope.len();
        envelope.extend_from_slice(plain);
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(cell.associated_data()),
                &mut envelope[start..],
            )
            .map_err(|_| Fault::Internal("sealing failed".to_owned()))?;
        envelope.extend_from_slice(tag.as_ref());
        Ok(envelope)
    }

    pub(super) fn open(
        &self,
        cell: Cell<'_>,
        envelope: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let unreadable = || cell.unreadable();
        if envelope.first() != Some(&AES_256_GCM_SIV_ID) || key_id(envelope) != Some(self.id) {
            return Err(unreadable());
        }
        let (nonce, sealed) = envelope[HEADER..]
            .split_at_checked(NONCE_LEN)
            .ok_or_else(unreadable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| unreadable())?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(cell.associated_data()), &mut plain)
            .map_err(|_| unreadable())?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

/// The number of the key that sealed an envelope.
pub(super) fn key_id(envelope: &[u8]) -> Option<u32> {
    let bytes = envelope.get(1..HEADER)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
