//! Verifying a log: every leaf is recomputed from its event, and the tree from its leaves.
//!
//! A [`Verification`] takes the leaves in order, one at a time, so that a log of any length is
//! verified in bounded memory.

use std::fmt;

use uuid::Uuid;

use super::Event;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::merkle::{Frontier, Hash, leaf_hash};
use super::note::VerifyingKey;

/// The first thing that is not as the checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A checkpoint is not one that this log's key has signed.
    Checkpoint(CheckpointError),
    /// There are leaves, but no checkpoint speaks of them.
    Unsigned,
    /// A leaf is missing.
    LeafMissing {
        /// Its number, from 0.
        leaf: u64,
    },
    /// A leaf's event is gone.
    EventMissing {
        /// The leaf's number.
        leaf: u64,
    },
    /// A leaf's event is not the one that was sealed.
    EventChanged {
        /// The leaf's number.
        leaf: u64,
        /// What the event that is there calls itself.
        event: Option<Uuid>,
    },
    /// The leaves, each fitting its event, are not those of the checkpoint: some were exchanged
    /// together with their events.
    Root {
        /// The size of the tree at which the roots differ.
        size: u64,
    },
    /// There are more leaves than the newest checkpoint speaks of.
    LeafBeyond {
        /// The number of the first.
        leaf: u64,
    },
    /// The log is shorter than a checkpoint that was kept elsewhere: its end was cut off.
    Shorter {
        /// What it should hold at least.
        kept: u64,
        /// What it holds.
        size: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint(error) => write!(f, "the checkpoint is refused: {error}"),
            Self::Unsigned => f.write_str("there are leaves, but no checkpoint"),
            Self::LeafMissing { leaf } => write!(f, "leaf {leaf} is missing"),
            Self::EventMissing { leaf } => write!(f, "the event of leaf {leaf} is gone"),
            Self::EventChanged {
                leaf,
                event: Some(event),
            } => write!(
                f,
                "the event of leaf {leaf} was changed; it calls itself {event}"
            ),
            Self::EventChanged { leaf, event: None } => {
                write!(f, "the event of leaf {leaf} was changed and is unreadable")
            }
            Self::Root { size } => write!(
                f,
                "the first {size} leaves are not those of the checkpoint: some were exchanged"
            ),
            Self::LeafBeyond { leaf } => {
                write!(f, "leaf {leaf} stands beyond the newest checkpoint")
            }
            Self::Shorter { kept, size } => write!(
                f,
                "the log holds {size} leaves, but a checkpoint that was kept speaks of {kept}: its end was cut off"
            ),
        }
    }
}

impl std::error::Error for Difference {}

/// A log being verified against its newest checkpoint, and against one that was kept elsewhere.
#[derive(Debug)]
pub struct Verification {
    tree: Frontier,
    newest: Checkpoint,
    kept: Option<Checkpoint>,
}

impl Verification {
    /// Begins with the signed checkpoints. `kept` is an older one from outside the database: only
    /// it shows that the whole log was not put back to an earlier state.
    ///
    /// # Errors
    /// [`Difference::Checkpoint`] when one is refused, [`Difference::Shorter`] when `kept` speaks
    /// of more than there is.
    pub fn begin(
        newest: &str,
        kept: Option<&str>,
        keys: &[VerifyingKey],
    ) -> Result<Self, Difference> {
        let open = |note: &str| Checkpoint::open(note, keys).map_err(Difference::Checkpoint);
        let newest = open(newest)?;
        let kept = kept.map(open).transpose()?;
        if let Some(kept) = &kept
            && kept.size > newest.size
        {
            return Err(Difference::Shorter {
                kept: kept.size,
                size: newest.size,
            });
        }
        let verification = Self {
            tree: Frontier::new(),
            newest,
            kept,
        };
        verification.compare()?;
        Ok(verification)
    }

    /// How many leaves were taken in: also the number of the leaf that comes next.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Whether every leaf of the newest checkpoint was taken in.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.tree.size() >= self.newest.size
    }

    /// Takes in the next leaf: its number, its stored hash, and the bytes of its event.
    ///
    /// # Errors
    /// The [`Difference`], when there is one.
    pub fn leaf(
        &mut self,
        number: u64,
        hash: &[u8],
        event: Option<&[u8]>,
    ) -> Result<(), Difference> {
        let leaf = self.tree.size();
        if number != leaf {
            return Err(Difference::LeafMissing { leaf });
        }
        if self.is_complete() {
            return Err(Difference::LeafBeyond { leaf });
        }
        let bytes = event.ok_or(Difference::EventMissing { leaf })?;
        let computed: Hash = leaf_hash(bytes);
        // These hashes are public: an ordinary comparison will do.
        if computed != *hash {
            let event = Event::parse(bytes).ok().map(|event| event.id);
            return Err(Difference::EventChanged { leaf, event });
        }
        self.tree.append(computed);
        self.compare()
    }

    /// Ends it: the size that was verified.
    ///
    /// # Errors
    /// [`Difference::LeafMissing`] when the newest checkpoint speaks of more leaves.
    pub fn finish(self) -> Result<u64, Difference> {
        if self.is_complete() {
            Ok(self.tree.size())
        } else {
            Err(Difference::LeafMissing {
                leaf: self.tree.size(),
            })
        }
    }

    /// Holds the root against every checkpoint of this size.
    fn compare(&self) -> Result<(), Difference> {
        let size = self.tree.size();
        let here = |checkpoint: &&Checkpoint| checkpoint.size == size;
        let mut checkpoints = [Some(&self.newest), self.kept.as_ref()]
            .into_iter()
            .flatten();
        match checkpoints.find(|checkpoint| here(checkpoint) && checkpoint.root != self.tree.root())
        {
            Some(_) => Err(Difference::Root { size }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::audit::Kind;
    use crate::audit::note::{KeyName, SigningKey};
    use crate::time::Timestamp;

    type Leaf = (u64, Vec<u8>, Option<Vec<u8>>);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse("log.example").unwrap(), &[seed; 32]).unwrap()
    }

    fn event(n: u64) -> Vec<u8> {
        let id = Uuid::from_u64_pair(n, 7);
        Event::new(id, Timestamp::from_secs(1), Kind::ServerStarted).leaf_bytes()
    }

    fn log(size: u64) -> Vec<Leaf> {
        (0..size)
            .map(|n| (n, leaf_hash(&event(n)).to_vec(), Some(event(n))))
            .collect()
    }

    fn checkpoint(size: u64) -> String {
        let mut tree = Frontier::new();
        for n in 0..size {
            tree.append(leaf_hash(&event(n)));
        }
        let key = key(1);
        let checkpoint = Checkpoint {
            origin: key.verifying_key().name().clone(),
            size,
            root: tree.root(),
        };
        checkpoint.sign(&key).unwrap()
    }

    fn verify(leaves: &[Leaf], newest: &str, kept: Option<&str>) -> Result<u64, Difference> {
        let keys = [key(1).verifying_key().clone()];
        let mut verification = Verification::begin(newest, kept, &keys)?;
        for (number, hash, event) in leaves {
            verification.leaf(*number, hash, event.as_deref())?;
        }
        verification.finish()
    }

    #[test]
    fn an_untouched_log_is_verified() {
        for size in 0..9 {
            assert_eq!(verify(&log(size), &checkpoint(size), None), Ok(size));
        }
        assert_eq!(verify(&log(7), &checkpoint(7), Some(&checkpoint(3))), Ok(7));
    }

    #[test]
    fn a_changed_event_is_noticed() {
        let mut leaves = log(5);
        leaves[2].2 = Some(event(9));
        let event = Some(Uuid::from_u64_pair(9, 7));
        let noticed = Err(Difference::EventChanged { leaf: 2, event });
        assert_eq!(verify(&leaves, &checkpoint(5), None), noticed);
        leaves[2].2 = Some(b"{}".to_vec());
        let noticed = Err(Difference::EventChanged {
            leaf: 2,
            event: None,
        });
        assert_eq!(verify(&leaves, &checkpoint(5), None), noticed);
    }

    #[test]
    fn a_removed_event_is_noticed() {
        let mut leaves = log(5);
        leaves[4].2 = None;
        let noticed = Err(Difference::EventMissing { leaf: 4 });
        assert_eq!(verify(&leaves, &checkpoint(5), None), noticed);
    }

    #[test]
    fn a_removed_leaf_is_noticed_in_the_middle_and_at_the_end() {
        let mut leaves = log(5);
        leaves.remove(1);
        let noticed = |leaf| Err(Difference::LeafMissing { leaf });
        assert_eq!(verify(&leaves, &checkpoint(5), None), noticed(1));
        assert_eq!(verify(&log(4), &checkpoint(5), None), noticed(4));
    }

    #[test]
    fn an_event_changed_together_with_its_leaf_is_noticed_by_the_root() {
        let mut leaves = log(5);
        leaves[2] = (2, leaf_hash(&event(9)).to_vec(), Some(event(9)));
        let noticed = Err(Difference::Root { size: 5 });
        assert_eq!(verify(&leaves, &checkpoint(5), None), noticed);
    }

    #[test]
    fn swapped_leaves_are_noticed_by_the_root() {
        let mut leaves = log(5);
        leaves.swap(1, 2);
        (leaves[1].0, leaves[2].0) = (1, 2);
        let noticed = |size| Err(Difference::Root { size });
        assert_eq!(verify(&leaves, &checkpoint(5), None), noticed(5));
        // The older checkpoint says so earlier.
        assert_eq!(
            verify(&leaves, &checkpoint(5), Some(&checkpoint(3))),
            noticed(3)
        );
    }

    #[test]
    fn a_leaf_beyond_the_newest_checkpoint_is_noticed() {
        let noticed = Err(Difference::LeafBeyond { leaf: 4 });
        assert_eq!(verify(&log(5), &checkpoint(4), None), noticed);
    }

    #[test]
    fn a_log_put_back_to_an_earlier_state_is_noticed_by_the_kept_checkpoint() {
        assert_eq!(verify(&log(4), &checkpoint(4), None), Ok(4));
        let noticed = Err(Difference::Shorter { kept: 6, size: 4 });
        assert_eq!(
            verify(&log(4), &checkpoint(4), Some(&checkpoint(6))),
            noticed
        );
    }

    #[test]
    fn a_checkpoint_by_another_key_is_refused() {
        let keys = [key(2).verifying_key().clone()];
        let refused = Verification::begin(&checkpoint(1), None, &keys);
        assert!(matches!(refused, Err(Difference::Checkpoint(_))));
        let altered = checkpoint(5).replace("\n5\n", "\n4\n");
        assert!(matches!(
            verify(&log(4), &altered, None),
            Err(Difference::Checkpoint(_))
        ));
    }
}
