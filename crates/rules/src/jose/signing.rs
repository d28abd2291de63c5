use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use zeroize::Zeroizing;

use super::jwk::{Jwk, Material};
use super::key_error::KeyError;
use super::{Alg, pkcs1};

/// A private key for one algorithm. Its id is the RFC 7638 thumbprint of its public half.
///
/// It is parsed once and signs from any thread. What signs is hidden, so that a key that lives
/// in a hardware module can stand here too.
pub struct SigningKey {
    alg: Alg,
    public: Jwk,
    signer: Signer,
}

/// The size of a new RSA key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaSize {
    /// 2048 bits: what to take unless a rule asks for more.
    #[default]
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl SigningKey {
    /// Makes a new key; an RSA key gets 2048 bits.
    pub fn generate(alg: Alg) -> Result<Self, KeyError> {
        Self::generate_sized(alg, RsaSize::default())
    }

    /// Makes a new key; `size` matters to RSA only.
    pub fn generate_sized(alg: Alg, size: RsaSize) -> Result<Self, KeyError> {
        let signer = match alg {
            Alg::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Signer::Ec),
            Alg::EdDsa => Ed25519KeyPair::generate().map(Signer::Ed25519),
            Alg::Rs256 | Alg::Ps256 => RsaKeyPair::generate(match size {
                RsaSize::Bits2048 => KeySize::Rsa2048,
                RsaSize::Bits3072 => KeySize::Rsa3072,
                RsaSize::Bits4096 => KeySize::Rsa4096,
            })
            .map(|pair| Signer::rsa(alg, pair)),
        };
        Self::new(alg, signer.map_err(|_| KeyError::Library)?)
    }

    /// Reads an unencrypted PKCS#8 document (RFC 5958), DER.
    pub fn from_pkcs8(alg: Alg, der: &[u8]) -> Result<Self, KeyError> {
        let signer = match alg {
            Alg::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Signer::Ec)
            }
            Alg::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Signer::Ed25519),
            Alg::Rs256 | Alg::Ps256 => {
                RsaKeyPair::from_pkcs8(der).map(|pair| Signer::rsa(alg, pair))
            }
        };
        Self::new(alg, signer.map_err(|_| KeyError::Pkcs8(alg))?)
    }

    fn new(alg: Alg, signer: Signer) -> Result<Self, KeyError> {
        let public = Jwk::published(signer.material()?, alg)?;
        Ok(Self {
            alg,
            public,
            signer,
        })
    }

    /// The private key as an unencrypted PKCS#8 document, DER; wiped when dropped.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let copied = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        match &self.signer {
            Signer::Ec(pair) => pair.to_pkcs8v1().map(|der| copied(der.as_ref())),
            Signer::Ed25519(pair) => pair.to_pkcs8v1().map(|der| copied(der.as_ref())),
            Signer::Rsa { pair, .. } => pair
                .as_der()
                .map(|der: Pkcs8V1Der<'static>| copied(der.as_ref())),
        }
        .map_err(|_| KeyError::Library)
    }

    /// The algorithm it signs by.
    #[must_use]
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// The key's id: the thumbprint of the public key.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.public.thumbprint()
    }

    /// The public half, ready to publish: with `kid`, `alg` and `use`.
    #[must_use]
    pub fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    /// Signs `claims`, which must serialize to a JSON object, as a compact JWS (RFC 7515 §7.1).
    ///
    /// The header has `alg`, `kid`, and `typ` when it is given (RFC 8725 §3.11: give it).
    pub fn sign(&self, typ: Option<&str>, claims: &impl Serialize) -> Result<String, SignError> {
        let header = HeaderOut {
            alg: self.alg,
            typ,
            kid: Some(self.kid()),
            jwk: None,
        };
        self.sign_under(&header, claims)
    }

    /// The same under a header that carries the public key itself, as a DPoP proof's does (RFC 9449
    /// §4.2).
    pub fn sign_with_jwk(&self, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let header = HeaderOut {
            alg: self.alg,
            typ: Some(typ),
            kid: None,
            jwk: Some(&self.public),
        };
        self.sign_under(&header, claims)
    }

    fn sign_under(
        &self,
        header: &HeaderOut<'_>,
        claims: &impl Serialize,
    ) -> Result<String, SignError> {
        let header = serde_json::to_vec(header).map_err(|_| SignError::Json)?;
        let payload = serde_json::to_vec(claims).map_err(|_| SignError::Json)?;
        if payload.first() != Some(&b'{') {
            return Err(SignError::Json);
        }
        let mut token = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 400);
        URL_SAFE_NO_PAD.encode_string(&header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature = self.signer.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Ok(token)
    }

    /// The bare signature of `message`.
    #[cfg(test)]
    pub(crate) fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("alg", &self.alg)
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct HeaderOut<'a> {
    alg: Alg,
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a Jwk>,
}

/// What makes the signatures.
enum Signer {
    Ec(EcdsaKeyPair),
    Rsa {
        pair: RsaKeyPair,
        padding: &'static dyn RsaEncoding,
    },
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn rsa(alg: Alg, pair: RsaKeyPair) -> Self {
        let padding: &'static dyn RsaEncoding = if alg == Alg::Ps256 {
            &RSA_PSS_SHA256
        } else {
            &RSA_PKCS1_SHA256
        };
        Self::Rsa { pair, padding }
    }

    fn material(&self) -> Result<Material, KeyError> {
        match self {
            Self::Ec(pair) => {
                Material::from_point(pair.public_key().as_ref()).ok_or(KeyError::Library)
            }
            Self::Rsa { pair, .. } => {
                let (modulus, exponent) = pkcs1::modulus_and_exponent(pair.public_key().as_ref())
                    .ok_or(KeyError::Library)?;
                Material::rsa(modulus.to_vec(), exponent.to_vec())
            }
            Self::Ed25519(pair) => Ok(Material::Ed25519 {
                x: pair
                    .public_key()
                    .as_ref()
                    .try_into()
                    .map_err(|_| KeyError::Library)?,
            }),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Ec(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec()),
            Self::Rsa { pair, padding } => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), message, &mut signature)
                    .map(|()| signature)
            }
            Self::Ed25519(pair) => pair
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec()),
        }
        .map_err(|_| SignError::Signer)
    }
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The claims do not serialize to a JSON object.
    Json,
    /// The key refused to sign.
    Signer,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "the claims do not serialize to a JSON object",
            Self::Signer => "the key refused to sign",
        })
    }
}

impl std::error::Error for SignError {}
