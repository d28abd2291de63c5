use std::fmt;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::agree::{self, Info};
use super::content::{self, IV_BYTES};
use super::keys::EncryptionJwk;
use super::{Enc, KeyAlg};

/// Nothing was encrypted: the key does not fit the algorithm, or the library failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptError;

impl fmt::Display for EncryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key to encrypt to does not fit the algorithm")
    }
}

impl std::error::Error for EncryptError {}

/// Encrypts `plaintext` as a compact JWE (RFC 7516 §5.1) under a key made for it alone. `cty` says
/// what is inside: `JWT` for a signed token (RFC 7519 §5.2).
///
/// # Errors
/// [`EncryptError`].
pub fn encrypt(
    plaintext: &[u8],
    to: &EncryptionJwk,
    alg: KeyAlg,
    enc: Enc,
    cty: Option<&str>,
) -> Result<String, EncryptError> {
    if !to.fits(alg) {
        return Err(EncryptError);
    }
    let mut header = Map::new();
    header.insert("alg".to_owned(), Value::from(alg.as_str()));
    header.insert("enc".to_owned(), Value::from(enc.as_str()));
    if let Some(kid) = to.kid() {
        header.insert("kid".to_owned(), Value::from(kid));
    }
    if let Some(cty) = cty {
        header.insert("cty".to_owned(), Value::from(cty));
    }
    let (key, encrypted_key) = hand_over(to, alg, enc, &mut header).ok_or(EncryptError)?;
    let header = serde_json::to_vec(&header).map_err(|_| EncryptError)?;
    let header = URL_SAFE_NO_PAD.encode(header);
    let mut iv = [0; IV_BYTES];
    rand::fill(&mut iv).map_err(|_| EncryptError)?;
    let sealed = content::seal(enc, &key, iv, &header, plaintext);
    let (ciphertext, tag) = sealed.ok_or(EncryptError)?;
    let [encrypted_key, iv, ciphertext, tag] =
        [&encrypted_key[..], &iv, &ciphertext, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    Ok(format!("{header}.{encrypted_key}.{iv}.{ciphertext}.{tag}"))
}

/// The key of the contents, and its encrypted form.
fn hand_over(
    to: &EncryptionJwk,
    alg: KeyAlg,
    enc: Enc,
    header: &mut Map<String, Value>,
) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let fresh = || {
        let mut key = Zeroizing::new(vec![0; enc.key_bytes()]);
        rand::fill(&mut key).ok().map(|()| key)
    };
    match alg {
        KeyAlg::EcdhEs => Some((
            agreed(to, enc.as_str(), enc.key_bytes(), header)?,
            Vec::new(),
        )),
        KeyAlg::EcdhEsA256Kw => {
            let wrapping = agreed(to, alg.as_str(), 32, header)?;
            let key = fresh()?;
            let mut wrapped = vec![0; key.len() + 8];
            let kek = AesKek::new(&AES_256, &wrapping).ok()?;
            let length = kek.wrap(&key, &mut wrapped).ok()?.len();
            wrapped.truncate(length);
            Some((key, wrapped))
        }
        KeyAlg::RsaOaep256 => {
            let key = fresh()?;
            let wrapped = to.wrap_rsa(&key)?;
            Some((key, wrapped))
        }
    }
}

fn agreed(
    to: &EncryptionJwk,
    algorithm: &str,
    length: usize,
    header: &mut Map<String, Value>,
) -> Option<Zeroizing<Vec<u8>>> {
    let ephemeral = PrivateKey::generate(&ECDH_P256).ok()?;
    let public = ephemeral.compute_public_key().ok()?;
    let (x, y) = public.as_ref().strip_prefix(&[4])?.split_at_checked(32)?;
    let epk = json!({
        "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    });
    header.insert("epk".to_owned(), epk);
    let info = Info {
        algorithm,
        producer: &[],
        consumer: &[],
    };
    agree::derive(&ephemeral, &to.point()?, info, length)
}
