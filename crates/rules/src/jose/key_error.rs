use std::fmt;

use super::{Alg, printable};

/// Why a key or a set of keys is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The text is not one JSON object.
    NotAnObject,
    /// A member occurs twice.
    Duplicate(String),
    /// This member belongs to a private or symmetric key.
    Private(&'static str),
    /// A sound key perhaps, but of a kind that is not used here: the member, and its value.
    Unsupported(&'static str, String),
    /// The member, and what is wrong with it.
    Malformed(&'static str, &'static str),
    /// An RSA key of this many bits.
    RsaSize(usize),
    /// The set has no array `keys`.
    NoKeys,
    /// The set has more than [`MAX_KEYS`](super::MAX_KEYS) keys.
    TooManyKeys,
    /// Key number so many (from 0) of a set is refused, for this reason.
    InSet(usize, Box<KeyError>),
    /// A PKCS#8 document is not a private key for the algorithm.
    Pkcs8(Alg),
    /// Making or encoding a key failed inside the cryptographic library.
    Library,
}

impl KeyError {
    pub(super) fn unsupported(name: &'static str, value: &str) -> Self {
        Self::Unsupported(name, printable(value))
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("the key is not a JSON object; send a JWK (RFC 7517)"),
            Self::Duplicate(name) => write!(f, "the member {name} occurs twice; send it once"),
            Self::Private(name) => write!(
                f,
                "the key has the private member {name}; send the public key only, and replace \
                 this key, because it has now been disclosed"
            ),
            Self::Unsupported(name, value) => write!(
                f,
                "{name} {value} is not supported; use a signature key that is EC on P-256, OKP on \
                 Ed25519, or RSA of 2048 to 8192 bits"
            ),
            Self::Malformed(name, problem) => write!(f, "the key's {name} {problem}"),
            Self::RsaSize(bits) => write!(
                f,
                "the RSA key has {bits} bits; use one of 2048 to 8192 bits"
            ),
            Self::NoKeys => f.write_str("the key set has no array named keys (RFC 7517 section 5)"),
            Self::TooManyKeys => write!(
                f,
                "the key set has more than {} keys; remove those no longer in use",
                super::MAX_KEYS
            ),
            Self::InSet(index, error) => write!(f, "keys[{index}]: {error}"),
            Self::Pkcs8(alg) => write!(f, "the PKCS#8 document is not a private key for {alg}"),
            Self::Library => f.write_str("the cryptographic library failed"),
        }
    }
}

impl std::error::Error for KeyError {}
