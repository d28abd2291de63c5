//! A set of recovery codes that a person has just been shown, and proves to have by typing one.

use rules::identity::recovery::{RANDOM_BYTES, RecoveryCode, SET_SIZE};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::fault::Fault;
use crate::hasher::Turn;
use crate::rng;
use crate::secret::Secret;
use crate::store::factors::HashedSet;

/// The codes as shown, and which of them is asked for. It lies sealed in the database.
#[derive(Serialize, Deserialize)]
pub(super) struct RecoverySet {
    codes: Vec<String>,
    asked: usize,
}

impl Drop for RecoverySet {
    fn drop(&mut self) {
        self.codes.zeroize();
    }
}

impl RecoverySet {
    /// A new one.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub(super) fn generate() -> Result<Self, Fault> {
        let codes = (0..SET_SIZE)
            .map(|_| {
                let random = rng::bytes::<RANDOM_BYTES>()?;
                Ok(RecoveryCode::from_random(&random).shown().to_string())
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let asked = usize::from(rng::bytes::<1>()?[0]) % codes.len();
        Ok(Self { codes, asked })
    }

    /// The codes, in groups.
    pub(super) fn shown(&self) -> Vec<String> {
        self.codes.clone()
    }

    /// The number of the code that is asked for, from 1.
    pub(super) const fn asked(&self) -> usize {
        self.asked + 1
    }

    /// Whether this is the code that is asked for.
    pub(super) fn is_asked(&self, typed: &str) -> bool {
        let expected = self.codes.get(self.asked);
        let expected = expected.and_then(|code| RecoveryCode::parse(code));
        match (RecoveryCode::parse(typed), expected) {
            (Some(typed), Some(expected)) => {
                let (typed, expected) = (typed.as_str().as_bytes(), expected.as_str().as_bytes());
                typed.ct_eq(expected).into()
            }
            _ => false,
        }
    }

    /// As it is kept.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub(super) async fn hash(&self, turn: &Turn) -> Result<HashedSet, Fault> {
        let salt = rng::bytes::<16>()?.to_vec();
        let mut hashes = Vec::with_capacity(self.codes.len());
        for code in self
            .codes
            .iter()
            .filter_map(|code| RecoveryCode::parse(code))
        {
            let code = Secret::new(code.as_str().to_owned());
            hashes.push(turn.derive(code, salt.clone()).await?);
        }
        Ok(HashedSet { salt, hashes })
    }
}
