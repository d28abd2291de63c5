//! The sealed contents (RFC 7518 §5.3): AES-GCM, 96 bits of IV, 128 bits of tag, the encoded header
//! as additional data.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::Enc;

/// The length of an IV, in bytes.
pub(super) const IV_BYTES: usize = 12;

/// The length of a tag, in bytes.
pub(super) const TAG_BYTES: usize = 16;

/// Seals; the tag is apart. `None` for a key of the wrong length.
pub(super) fn seal(
    enc: Enc,
    key: &[u8],
    iv: [u8; IV_BYTES],
    header: &str,
    plaintext: &[u8],
) -> Option<(Vec<u8>, [u8; TAG_BYTES])> {
    let mut sealed = plaintext.to_vec();
    let nonce = Nonce::assume_unique_for_key(iv);
    let tag = cipher(enc, key)?
        .seal_in_place_separate_tag(nonce, Aad::from(header), &mut sealed)
        .ok()?;
    Some((sealed, tag.as_ref().try_into().ok()?))
}

/// Opens what was sealed: `sealed` ends with the tag. `None` when anything was changed.
pub(super) fn open(
    enc: Enc,
    key: &[u8],
    iv: [u8; IV_BYTES],
    header: &str,
    mut sealed: Vec<u8>,
) -> Option<Vec<u8>> {
    let nonce = Nonce::assume_unique_for_key(iv);
    let opened = cipher(enc, key)?.open_in_place(nonce, Aad::from(header), &mut sealed);
    let length = opened.ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

fn cipher(enc: Enc, key: &[u8]) -> Option<LessSafeKey> {
    let algorithm = match enc {
        Enc::A128Gcm => &AES_128_GCM,
        Enc::A256Gcm => &AES_256_GCM,
    };
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}
