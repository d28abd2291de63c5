use std::fmt;
use std::sync::Arc;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::super::json;
use super::super::jwk::{Jwk, Material, PRIVATE_MEMBERS, serialize_public, text};
use super::super::key_error::KeyError;
use super::super::pkcs1;
use super::agree::{self, Info, Point};
use super::{Enc, KeyAlg};

/// A public key to encrypt to (RFC 7517): EC on P-256, or RSA of 2048 to 8192 bits.
#[derive(Clone)]
pub struct EncryptionJwk {
    material: Material,
    kid: Option<String>,
    alg: Option<KeyAlg>,
    thumbprint: String,
    rsa: Option<Arc<PublicEncryptingKey>>,
}

impl EncryptionJwk {
    /// Parses a JWK from the members of its JSON object.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Unsupported`] for one that is for something else.
    pub fn from_members(members: &Map<String, Value>) -> Result<Self, KeyError> {
        let private = PRIVATE_MEMBERS.into_iter();
        if let Some(name) = private.into_iter().find(|name| members.contains_key(*name)) {
            return Err(KeyError::Private(name));
        }
        // RFC 7517 §4.2 to §4.4: the key must be meant for encryption.
        if let Some(other) = text(members, "use")?.filter(|usage| *usage != "enc") {
            return Err(KeyError::unsupported("use", other));
        }
        if let Some(operations) = members.get("key_ops").and_then(Value::as_array) {
            let fits = |one: &Value| {
                let name = one.as_str().unwrap_or_default();
                matches!(name, "wrapKey" | "encrypt" | "deriveKey" | "deriveBits")
            };
            // The public half of an agreement has no operations of its own (RFC 7517 §4.3).
            if !operations.is_empty() && !operations.iter().any(fits) {
                return Err(KeyError::unsupported("key_ops", "without wrapKey"));
            }
        }
        let material = Material::from_members(members)?;
        let alg = match text(members, "alg")? {
            None => None,
            Some(name) => match name.parse::<KeyAlg>() {
                Ok(alg) if fits(&material, alg) => Some(alg),
                Ok(_) => return Err(KeyError::Malformed("alg", "does not fit kty")),
                Err(_) => return Err(KeyError::unsupported("alg", name)),
            },
        };
        let kid = text(members, "kid")?.map(str::to_owned);
        if kid.as_ref().is_some_and(|kid| kid.len() > 256) {
            return Err(KeyError::Malformed("kid", "is longer than 256 bytes"));
        }
        Self::new(material, kid, alg)
    }

    /// The keys of a set that can be encrypted to; those for something else are left out (RFC 7517
    /// §5), and those that no `use` and no `alg` keeps for signatures alone are both.
    ///
    /// # Errors
    /// [`KeyError`], when one is malformed.
    pub fn all_of(members: &Map<String, Value>) -> Result<Vec<Self>, KeyError> {
        let Some(Value::Array(entries)) = members.get("keys") else {
            return Err(KeyError::NoKeys);
        };
        if entries.len() > super::super::MAX_KEYS {
            return Err(KeyError::TooManyKeys);
        }
        let mut keys = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let parsed = match entry {
                Value::Object(members) => Self::from_members(members),
                _ => Err(KeyError::NotAnObject),
            };
            match parsed {
                Ok(key) => keys.push(key),
                Err(KeyError::Unsupported(..)) => {}
                Err(error) => return Err(KeyError::InSet(index, Box::new(error))),
            }
        }
        Ok(keys)
    }

    fn new(material: Material, kid: Option<String>, alg: Option<KeyAlg>) -> Result<Self, KeyError> {
        let rsa = match &material {
            Material::Rsa { modulus, exponent } => {
                let components = PublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                let key: Result<PublicEncryptingKey, _> = components.try_into();
                let broken = |_| KeyError::Malformed("n", "and e are not an RSA key");
                Some(Arc::new(key.map_err(broken)?))
            }
            // Whether the point lies on the curve is checked by what signatures are verified with.
            Material::Ec { .. } => {
                Jwk::check_point(&material)?;
                None
            }
            Material::Ed25519 { .. } => return Err(KeyError::unsupported("crv", "Ed25519")),
        };
        Ok(Self {
            thumbprint: material.thumbprint(),
            material,
            kid,
            alg,
            rsa,
        })
    }

    /// The key's id, when it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The SHA-256 thumbprint (RFC 7638), base64url.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether a key may be handed over so: its type fits, and it is not declared for another way.
    #[must_use]
    pub fn fits(&self, alg: KeyAlg) -> bool {
        fits(&self.material, alg) && self.alg.is_none_or(|own| own == alg)
    }

    pub(super) fn point(&self) -> Option<Point> {
        let Material::Ec { x, y } = &self.material else {
            return None;
        };
        [&[4], x.as_slice(), y].concat().try_into().ok()
    }

    /// RSA-OAEP-256 of the key of the contents.
    pub(super) fn wrap_rsa(&self, cek: &[u8]) -> Option<Vec<u8>> {
        let key = OaepPublicEncryptingKey::new((**self.rsa.as_ref()?).clone()).ok()?;
        let mut wrapped = vec![0; key.ciphertext_size()];
        let done = key.encrypt(&OAEP_SHA256_MGF1SHA256, cek, &mut wrapped, None);
        let length = done.ok()?.len();
        wrapped.truncate(length);
        Some(wrapped)
    }
}

fn fits(material: &Material, alg: KeyAlg) -> bool {
    match material {
        Material::Ec { .. } => matches!(alg, KeyAlg::EcdhEs | KeyAlg::EcdhEsA256Kw),
        Material::Rsa { .. } => alg == KeyAlg::RsaOaep256,
        Material::Ed25519 { .. } => false,
    }
}

impl fmt::Debug for EncryptionJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionJwk")
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

impl PartialEq for EncryptionJwk {
    fn eq(&self, other: &Self) -> bool {
        self.material == other.material && self.kid == other.kid && self.alg == other.alg
    }
}

impl Eq for EncryptionJwk {}

impl Serialize for EncryptionJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alg = self.alg.map(KeyAlg::as_str);
        serialize_public(&self.material, Some("enc"), alg, self.kid(), serializer)
    }
}

impl<'de> Deserialize<'de> for EncryptionJwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match json::value(deserializer)? {
            Value::Object(members) => Self::from_members(&members),
            _ => Err(KeyError::NotAnObject),
        }
        .map_err(de::Error::custom)
    }
}

/// A private key that others encrypt to. Its id is the RFC 7638 thumbprint of its public half.
pub struct DecryptionKey {
    public: EncryptionJwk,
    private: Private,
}

enum Private {
    Ec(PrivateKey),
    Rsa(PrivateDecryptingKey),
}

impl DecryptionKey {
    /// Makes a new key: for both ways of ECDH-ES on P-256, or for RSA-OAEP-256 with 2048 bits.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn generate(alg: KeyAlg) -> Result<Self, KeyError> {
        let private = match alg {
            KeyAlg::EcdhEs | KeyAlg::EcdhEsA256Kw => {
                PrivateKey::generate(&ECDH_P256).map(Private::Ec)
            }
            KeyAlg::RsaOaep256 => {
                PrivateDecryptingKey::generate(KeySize::Rsa2048).map(Private::Rsa)
            }
        };
        Self::new(private.map_err(|_| KeyError::Library)?)
    }

    /// Reads an unencrypted PKCS#8 document (RFC 5958), DER.
    ///
    /// # Errors
    /// [`KeyError`], when it is no key for `alg`.
    pub fn from_pkcs8(alg: KeyAlg, der: &[u8]) -> Result<Self, KeyError> {
        let private = match alg {
            KeyAlg::EcdhEs | KeyAlg::EcdhEsA256Kw => {
                PrivateKey::from_private_key_der(&ECDH_P256, der).map(Private::Ec)
            }
            KeyAlg::RsaOaep256 => PrivateDecryptingKey::from_pkcs8(der).map(Private::Rsa),
        };
        Self::new(private.map_err(|_| KeyError::Malformed("d", "is not a key for this alg"))?)
    }

    fn new(private: Private) -> Result<Self, KeyError> {
        let material = match &private {
            Private::Ec(key) => {
                let point = key.compute_public_key().map_err(|_| KeyError::Library)?;
                Material::from_point(point.as_ref()).ok_or(KeyError::Library)?
            }
            Private::Rsa(key) => {
                let der: PublicKeyX509Der<'static> =
                    key.public_key().as_der().map_err(|_| KeyError::Library)?;
                let (modulus, exponent) =
                    pkcs1::of_public_key_info(der.as_ref()).ok_or(KeyError::Library)?;
                Material::rsa(modulus.to_vec(), exponent.to_vec())?
            }
        };
        let alg = match &private {
            // One key serves both ways.
            Private::Ec(_) => None,
            Private::Rsa(_) => Some(KeyAlg::RsaOaep256),
        };
        let mut public = EncryptionJwk::new(material, None, alg)?;
        public.kid = Some(public.thumbprint.clone());
        Ok(Self { public, private })
    }

    /// The private key as an unencrypted PKCS#8 document, DER; wiped when dropped.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der: Result<Pkcs8V1Der<'static>, _> = match &self.private {
            Private::Ec(key) => key.as_der(),
            Private::Rsa(key) => key.as_der(),
        };
        let der = der.map_err(|_| KeyError::Library)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// The key's id: the thumbprint of the public key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.public.thumbprint
    }

    /// The public half, ready to publish: with `kid` and `use`.
    #[must_use]
    pub fn public_jwk(&self) -> &EncryptionJwk {
        &self.public
    }

    /// Whether it is for this way of handing a key over.
    #[must_use]
    pub fn fits(&self, alg: KeyAlg) -> bool {
        self.public.fits(alg)
    }

    /// The key of the contents; `None` when this key is not the one that was encrypted to.
    pub(super) fn content_key(&self, handed: &Handed<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let enc = handed.enc;
        match (&self.private, handed.alg) {
            (Private::Ec(own), KeyAlg::EcdhEs) => {
                let info = handed.info(enc.as_str());
                // RFC 7516 §5.2 step 10: direct agreement comes with no encrypted key.
                let key = agree::derive(own, handed.ephemeral.as_ref()?, info, enc.key_bytes());
                key.filter(|_| handed.encrypted_key.is_empty())
            }
            (Private::Ec(own), KeyAlg::EcdhEsA256Kw) => {
                let info = handed.info(KeyAlg::EcdhEsA256Kw.as_str());
                let wrapping = agree::derive(own, handed.ephemeral.as_ref()?, info, 32)?;
                let mut key = Zeroizing::new(vec![0; handed.encrypted_key.len()]);
                let unwrapped = AesKek::new(&AES_256, &wrapping)
                    .and_then(|kek| kek.unwrap(handed.encrypted_key, &mut key))
                    .ok()?;
                let length = unwrapped.len();
                key.truncate(length);
                (length == enc.key_bytes()).then_some(key)
            }
            (Private::Rsa(own), KeyAlg::RsaOaep256) => {
                // RFC 7516 §11.5: a wrong padding is told apart from a wrong tag by nobody.
                let mut random = Zeroizing::new(vec![0; enc.key_bytes()]);
                rand::fill(&mut random).ok()?;
                let key = OaepPrivateDecryptingKey::new(own.clone()).ok()?;
                let mut opened = Zeroizing::new(vec![0; key.min_output_size()]);
                let algorithm = &OAEP_SHA256_MGF1SHA256;
                match key.decrypt(algorithm, handed.encrypted_key, &mut opened, None) {
                    Ok(cek) if cek.len() == enc.key_bytes() => Some(Zeroizing::new(cek.to_vec())),
                    _ => Some(random),
                }
            }
            _ => None,
        }
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey")
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// How the key of the contents was handed over.
pub(super) struct Handed<'a> {
    pub(super) alg: KeyAlg,
    pub(super) enc: Enc,
    /// `epk`.
    pub(super) ephemeral: Option<Point>,
    /// `apu` and `apv`, decoded.
    pub(super) parties: (Vec<u8>, Vec<u8>),
    pub(super) encrypted_key: &'a [u8],
}

impl Handed<'_> {
    fn info<'a>(&'a self, algorithm: &'a str) -> Info<'a> {
        Info {
            algorithm,
            producer: &self.parties.0,
            consumer: &self.parties.1,
        }
    }
}
