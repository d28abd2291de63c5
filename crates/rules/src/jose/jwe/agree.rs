//! ECDH-ES (RFC 7518 §4.6): one side's key is new for each token, and both derive the same secret.

use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest;
use zeroize::Zeroizing;

/// A point on P-256, uncompressed (SEC 1 §2.3.3): `04`, x, y.
pub(super) type Point = [u8; 65];

/// What a derived key is bound to.
#[derive(Clone, Copy)]
pub(super) struct Info<'a> {
    /// The algorithm that will use it: the `enc` of direct agreement, else the `alg`.
    pub(super) algorithm: &'a str,
    /// `apu`, decoded.
    pub(super) producer: &'a [u8],
    /// `apv`, decoded.
    pub(super) consumer: &'a [u8],
}

/// Derives `length` bytes from an agreement with `peer`; `None` when that is no point on the curve.
pub(super) fn derive(
    own: &PrivateKey,
    peer: &Point,
    info: Info<'_>,
    length: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let peer = UnparsedPublicKey::new(&ECDH_P256, peer);
    agreement::agree(own, peer, None, |secret| {
        Ok(concat_kdf(secret, info, length))
    })
    .unwrap_or_else(|_: Option<()>| None)
}

/// The Concat KDF of NIST SP 800-56A §5.8.1 with SHA-256, as RFC 7518 §4.6.2 fills it in.
fn concat_kdf(secret: &[u8], info: Info<'_>, length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let size = |bytes: usize| u32::try_from(bytes).ok().map(u32::to_be_bytes);
    let mut fixed = Vec::new();
    for part in [info.algorithm.as_bytes(), info.producer, info.consumer] {
        fixed.extend_from_slice(&size(part.len())?);
        fixed.extend_from_slice(part);
    }
    fixed.extend_from_slice(&size(length.checked_mul(8)?)?);

    let mut derived = Zeroizing::new(Vec::with_capacity(length + 32));
    for round in 1_u32.. {
        if derived.len() >= length {
            break;
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&round.to_be_bytes());
        hash.update(secret);
        hash.update(&fixed);
        derived.extend_from_slice(hash.finish().as_ref());
    }
    derived.truncate(length);
    Some(derived)
}
