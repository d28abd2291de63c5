//! The personal fields of an event, which the log commits to without showing them.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::canonical::Object;

const DOMAIN: &[u8] = b"countersign/audit/personal/v1\0";

/// What an event knows about a person beyond identifiers. It is kept sealed under that person's
/// key, beside its salt; the log holds only [`Personal::commit`], so that erasing the person
/// leaves the log verifiable.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Personal {
    /// The network address the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The `User-Agent` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// A name: the one typed at sign-in, or the operator's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Personal {
    /// Whether there is nothing to commit to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The salted SHA-256 that stands in the leaf. The salt is 128 random bits, new for each
    /// event: without it the hash would not hide fields that can be guessed.
    #[must_use]
    pub fn commit(&self, salt: [u8; 16]) -> [u8; 32] {
        let mut fields = Object::new();
        fields.optional("address", self.address.as_deref());
        fields.optional("user_agent", self.user_agent.as_deref());
        fields.optional("name", self.name.as_deref());

        let mut context = Context::new(&SHA256);
        context.update(DOMAIN);
        context.update(&salt);
        context.update(&fields.finish());
        let mut commitment = [0; 32];
        commitment.copy_from_slice(context.finish().as_ref());
        commitment
    }

    /// Whether these fields and this salt are what `commitment` was made from.
    #[must_use]
    pub fn opens(&self, salt: [u8; 16], commitment: &[u8; 32]) -> bool {
        self.commit(salt).ct_eq(commitment).into()
    }
}

/// Shows which fields are there, and nothing of them.
impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn shown(field: Option<&String>) -> Option<&'static str> {
            field.map(|_| "[redacted]")
        }
        f.debug_struct("Personal")
            .field("address", &shown(self.address.as_ref()))
            .field("user_agent", &shown(self.user_agent.as_ref()))
            .field("name", &shown(self.name.as_ref()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn alice() -> Personal {
        Personal {
            address: Some("192.0.2.7".to_owned()),
            user_agent: Some("Browser/1".to_owned()),
            name: None,
        }
    }

    #[test]
    fn a_commitment_opens_only_with_the_same_fields_and_salt() {
        let commitment = alice().commit([1; 16]);
        assert!(alice().opens([1; 16], &commitment));
        assert!(!alice().opens([2; 16], &commitment));
        let other = Personal {
            address: Some("192.0.2.8".to_owned()),
            ..alice()
        };
        assert!(!other.opens([1; 16], &commitment));
    }

    #[test]
    fn the_commitment_covers_exactly_these_bytes() {
        let mut bytes = b"countersign/audit/personal/v1\0".to_vec();
        bytes.extend([7; 16]);
        bytes.extend(br#"{"address":"192.0.2.7","user_agent":"Browser/1"}"#);
        let expected = aws_lc_rs::digest::digest(&SHA256, &bytes);
        assert_eq!(alice().commit([7; 16]).as_slice(), expected.as_ref());
    }

    #[test]
    fn a_value_in_another_field_commits_to_something_else() {
        let name = Personal {
            name: Some("x".to_owned()),
            ..Personal::default()
        };
        let agent = Personal {
            user_agent: Some("x".to_owned()),
            ..Personal::default()
        };
        let empty = Personal {
            name: Some(String::new()),
            ..Personal::default()
        };
        assert_ne!(name.commit([0; 16]), agent.commit([0; 16]));
        assert_ne!(empty.commit([0; 16]), Personal::default().commit([0; 16]));
    }

    #[test]
    fn debug_shows_no_field() {
        let shown = format!("{:?}", alice());
        assert!(!shown.contains("192.0.2.7") && !shown.contains("Browser"));
        assert!(shown.contains("[redacted]"));
    }

    #[test]
    fn fields_survive_being_stored() {
        let json = serde_json::to_string(&alice()).unwrap();
        assert_eq!(serde_json::from_str::<Personal>(&json).unwrap(), alice());
    }
}
