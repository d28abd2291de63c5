//! Checkpoints (C2SP `tlog-checkpoint`): a log's name, size and root, in a signed note.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::{Hash, Head};
use super::note::{self, KeyName, NoteError, SigningKey, VerifyingKey};

/// The state of the log at one moment: whoever holds it can tell later whether the log still
/// begins with the same events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is also the name of the key that signs for it.
    pub origin: KeyName,
    /// The number of leaves.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// Why a checkpoint is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointError {
    /// The note around it is refused.
    Note(NoteError),
    /// The text is not exactly origin, size and root, each on a line of its own.
    Malformed,
    /// It speaks of another log than the one whose key has signed it.
    WrongOrigin,
}

impl Checkpoint {
    /// The text that is signed: origin, size and root, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        let origin = self.origin.as_str();
        format!("{origin}\n{}\n{}\n", self.size, STANDARD.encode(self.root))
    }

    /// Reads what [`Checkpoint::text`] wrote. Extension lines are refused: this log never
    /// writes any, and no auditor could check them.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
        ) else {
            return Err(CheckpointError::Malformed);
        };
        let root = STANDARD
            .decode(root)
            .map_err(|_| CheckpointError::Malformed)?;
        let checkpoint = Self {
            origin: KeyName::parse(origin).map_err(|_| CheckpointError::Malformed)?,
            size: size.parse().map_err(|_| CheckpointError::Malformed)?,
            root: root.try_into().map_err(|_| CheckpointError::Malformed)?,
        };
        // Refuses signs, leading zeroes and whatever else means the same but reads differently.
        if checkpoint.text() == text {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Malformed)
        }
    }

    /// Signs this checkpoint with the log's key.
    ///
    /// # Errors
    /// When the key's name is not the origin.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CheckpointError> {
        if key.verifying_key().name() != &self.origin {
            return Err(CheckpointError::WrongOrigin);
        }
        key.sign(&self.text()).map_err(CheckpointError::Note)
    }

    /// Opens a signed checkpoint: verifies the note, reads the text, and holds its origin
    /// against the name of a key that has signed it. Several keys may be handed in, because a
    /// log outlives its keys.
    ///
    /// # Errors
    /// When the note, the text or the origin is wrong.
    pub fn open(note: &str, keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        let (text, signers) = note::open(note, keys).map_err(CheckpointError::Note)?;
        let checkpoint = Self::parse(text)?;
        if signers.iter().any(|key| key.name() == &checkpoint.origin) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::WrongOrigin)
        }
    }

    /// The tree it speaks of, for consistency proofs.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            size: self.size,
            root: self.root,
        }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(error) => error.fmt(f),
            Self::Malformed => f.write_str("a checkpoint is three lines: origin, size and root"),
            Self::WrongOrigin => {
                f.write_str("the checkpoint's origin is not the name of the key that signs it")
            }
        }
    }
}

impl std::error::Error for CheckpointError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn name(name: &str) -> KeyName {
        KeyName::parse(name).unwrap()
    }

    fn key(of: &str) -> SigningKey {
        SigningKey::from_seed(name(of), &[3; 32]).unwrap()
    }

    fn checkpoint(origin: &str) -> Checkpoint {
        Checkpoint {
            origin: name(origin),
            size: 20_852_163,
            root: STANDARD
                .decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
                .unwrap()
                .try_into()
                .unwrap(),
        }
    }

    #[test]
    fn the_text_is_the_specifications() {
        let text = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(checkpoint("example.com/behind-the-sofa").text(), text);
        assert_eq!(
            Checkpoint::parse(text).unwrap(),
            checkpoint("example.com/behind-the-sofa")
        );
    }

    #[test]
    fn a_signed_checkpoint_is_opened_by_the_logs_key() {
        let key = key("log.example");
        let note = checkpoint("log.example").sign(&key).unwrap();
        let opened = Checkpoint::open(&note, &[key.verifying_key().clone()]).unwrap();
        assert_eq!(opened, checkpoint("log.example"));
    }

    #[test]
    fn one_log_cannot_sign_for_another() {
        let other = key("other.example");
        let origin = checkpoint("log.example");
        assert_eq!(origin.sign(&other), Err(CheckpointError::WrongOrigin));
        let note = other.sign(&origin.text()).unwrap();
        assert_eq!(
            Checkpoint::open(&note, &[other.verifying_key().clone()]),
            Err(CheckpointError::WrongOrigin)
        );
    }

    #[test]
    fn anything_but_three_exact_lines_is_refused() {
        let text = checkpoint("log.example").text();
        for broken in [
            text.replace("20852163", "020852163"),
            text.replace("20852163", "+20852163"),
            text.replace("20852163", "-1"),
            text.replace("20852163", "99999999999999999999"),
            text.replace("q2I=", "q2I"),
            text.replace("q2I=", "q2J="),
            text.replace("CsUY", ""),
            text.replace("log.example", ""),
            text.replace("log.example", "a log"),
            format!("{text}extension\n"),
            format!("{text}\n"),
            text.trim_end().to_owned(),
        ] {
            assert_eq!(
                Checkpoint::parse(&broken),
                Err(CheckpointError::Malformed),
                "{broken:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_checkpoint_survives_the_round_trip(size in any::<u64>(), root in any::<[u8; 32]>()) {
            let key = key("log.example");
            let checkpoint = Checkpoint { origin: name("log.example"), size, root };
            let note = checkpoint.sign(&key).unwrap();
            let opened = Checkpoint::open(&note, &[key.verifying_key().clone()]);
            prop_assert_eq!(opened, Ok(checkpoint));
        }

        #[test]
        fn random_text_never_panics(text in "(\\PC|\n)*") {
            let _ = Checkpoint::open(&text, &[]);
            let _ = Checkpoint::parse(&text);
        }
    }
}
