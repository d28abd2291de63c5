//! Encrypted tokens: compact JWE (RFC 7516 §7.1) with a fresh key for each, which is agreed on by
//! ECDH-ES on P-256 or sent by RSA-OAEP-256, and contents sealed by AES-GCM. `RSA1_5`, `dir`, passwords
//! and CBC do not exist here, and nothing is ever unpacked (`zip`).
//!
//! Whoever sends something that cannot be decrypted learns only that: a wrong key, a changed header
//! and a changed ciphertext have one error, and a wrong RSA padding goes on with a random key (RFC
//! 7516 §11.5).

mod agree;
mod alg;
mod content;
mod decrypt;
mod encrypt;
mod keys;

pub use alg::{Enc, KeyAlg};
pub use decrypt::{Decrypted, JweError, MAX_JWE_BYTES, decrypt, is_jwe};
pub use encrypt::{EncryptError, encrypt};
pub use keys::{DecryptionKey, EncryptionJwk};

#[cfg(test)]
mod tests;
