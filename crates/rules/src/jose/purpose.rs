use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Alg;
use super::jwe::KeyAlg;

/// What one of this server's keys is for, by its algorithm: no name means both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// It signs what this server issues.
    Sign(Alg),
    /// It opens what clients encrypted for this server.
    Decrypt(KeyAlg),
}

impl KeyPurpose {
    /// The registered name of the algorithm.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sign(alg) => alg.as_str(),
            Self::Decrypt(alg) => alg.as_str(),
        }
    }

    /// What stands in `use` (RFC 7517 §4.2).
    #[must_use]
    pub const fn public_use(self) -> &'static str {
        match self {
            Self::Sign(_) => "sig",
            Self::Decrypt(_) => "enc",
        }
    }
}

impl From<Alg> for KeyPurpose {
    fn from(alg: Alg) -> Self {
        Self::Sign(alg)
    }
}

impl From<KeyAlg> for KeyPurpose {
    fn from(alg: KeyAlg) -> Self {
        Self::Decrypt(alg)
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyPurpose {
    type Err = UnknownPurpose;

    fn from_str(name: &str) -> Result<Self, UnknownPurpose> {
        let signs = name.parse().map(Self::Sign).ok();
        signs
            .or_else(|| name.parse().map(Self::Decrypt).ok())
            .ok_or(UnknownPurpose)
    }
}

impl Serialize for KeyPurpose {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for KeyPurpose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

/// The name is not one of a [`KeyPurpose`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPurpose;

impl fmt::Display for UnknownPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "unknown algorithm; use one of ES256, PS256, EdDSA, RS256, ECDH-ES, ECDH-ES+A256KW, \
             RSA-OAEP-256",
        )
    }
}

impl std::error::Error for UnknownPurpose {}
