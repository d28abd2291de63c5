use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::json::{self, JsonError};
use super::jwk::Jwk;
use super::key_error::KeyError;
use super::{Alg, printable};

/// The most keys that a set may have, those of unknown kinds included.
pub const MAX_KEYS: usize = 32;

/// A set of public keys (RFC 7517 §5).
///
/// As it is parsed, keys of kinds not used here (another `kty` or `crv`, encryption keys) are
/// skipped; a key that is malformed, too weak or private makes the whole set refused, so that
/// whoever registers it learns why. [`JwkSet::published`] is more lenient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// A set of these keys. At most [`MAX_KEYS`].
    pub fn new(keys: Vec<Jwk>) -> Result<Self, KeyError> {
        if keys.len() > MAX_KEYS {
            return Err(KeyError::TooManyKeys);
        }
        Ok(Self { keys })
    }

    /// Parses a set from its JSON text.
    pub fn from_json(text: &[u8]) -> Result<Self, KeyError> {
        Self::from_members(&Self::object(text)?)
    }

    /// Parses a set that its owner publishes for everybody, from its JSON text: keys that are not
    /// understood, lack members or are out of range are skipped (RFC 7517 §5), because they may be
    /// meant for others. A private key makes the whole set refused here too: it is everybody's now.
    pub fn published(text: &[u8]) -> Result<Self, KeyError> {
        Self::read(&Self::object(text)?, |error| {
            matches!(error, KeyError::Private(_))
        })
    }

    /// Parses a set from the members of its JSON object.
    pub fn from_members(members: &Map<String, Value>) -> Result<Self, KeyError> {
        // RFC 7517 §5: a key of a kind that is not understood is ignored.
        Self::read(members, |error| !matches!(error, KeyError::Unsupported(..)))
    }

    fn object(text: &[u8]) -> Result<Map<String, Value>, KeyError> {
        json::object(text).map_err(|error| match error {
            JsonError::Syntax | JsonError::NotAnObject => KeyError::NotAnObject,
            JsonError::Duplicate(name) => KeyError::Duplicate(printable(&name)),
        })
    }

    /// `spoils` says which wrong key makes the whole set refused.
    fn read(
        members: &Map<String, Value>,
        spoils: impl Fn(&KeyError) -> bool,
    ) -> Result<Self, KeyError> {
        let Some(Value::Array(entries)) = members.get("keys") else {
            return Err(KeyError::NoKeys);
        };
        if entries.len() > MAX_KEYS {
            return Err(KeyError::TooManyKeys);
        }
        let mut keys = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let parsed = match entry {
                Value::Object(members) => Jwk::from_members(members),
                _ => Err(KeyError::NotAnObject),
            };
            match parsed {
                Ok(key) => keys.push(key),
                Err(error) if spoils(&error) => {
                    return Err(KeyError::InSet(index, Box::new(error)));
                }
                Err(_) => {}
            }
        }
        Ok(Self { keys })
    }

    /// The keys, in the order of the set.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// Whether no usable key is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that may have signed by `alg`, under `kid` if one is named. A key without an id
    /// is found by any `kid` that no other key has.
    pub(super) fn candidates(&self, kid: Option<&str>, alg: Alg) -> Vec<&Jwk> {
        let with_id = |id: Option<&str>| -> Vec<&Jwk> {
            self.keys
                .iter()
                .filter(|key| key.kid() == id && key.fits(alg))
                .collect()
        };
        match kid {
            None => self.keys.iter().filter(|key| key.fits(alg)).collect(),
            Some(kid) if self.keys.iter().any(|key| key.kid() == Some(kid)) => with_id(Some(kid)),
            Some(_) => with_id(None),
        }
    }
}

impl From<Jwk> for JwkSet {
    /// The set of this one key.
    fn from(key: Jwk) -> Self {
        Self { keys: vec![key] }
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match json::value(deserializer)? {
            Value::Object(members) => Self::from_members(&members),
            _ => Err(KeyError::NotAnObject),
        }
        .map_err(de::Error::custom)
    }
}
