use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use super::json::{self, JsonError};
use super::key_error::KeyError;
use super::{Alg, printable};

/// Members that only a private or symmetric key has (RFC 7518 §6, RFC 8037 §2).
pub(super) const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// The longest `kid` taken, in bytes.
const MAX_KID_BYTES: usize = 256;

/// A public signature key (RFC 7517): EC on P-256, RSA of 2048 to 8192 bits, or OKP on Ed25519.
///
/// It is parsed and checked once, then verifies any number of signatures; a clone shares the parsed
/// key. As JSON it has the members of its type and `kid`, `use` and `alg` where it has them; other
/// members are ignored on the way in, and a private key is refused.
#[derive(Clone)]
pub struct Jwk {
    material: Material,
    kid: Option<String>,
    declares_use: bool,
    alg: Option<Alg>,
    thumbprint: String,
    verifier: Arc<Verifier>,
}

impl Jwk {
    /// Parses a JWK from its JSON text.
    pub fn from_json(text: &[u8]) -> Result<Self, KeyError> {
        let members = json::object(text).map_err(|error| match error {
            JsonError::Syntax | JsonError::NotAnObject => KeyError::NotAnObject,
            JsonError::Duplicate(name) => KeyError::Duplicate(printable(&name)),
        })?;
        Self::from_members(&members)
    }

    /// Parses a JWK from the members of its JSON object.
    pub fn from_members(members: &Map<String, Value>) -> Result<Self, KeyError> {
        // RFC 7517 §9.2: a private key must not be disclosed; whoever sends one must hear of it.
        if let Some(name) = PRIVATE_MEMBERS
            .into_iter()
            .find(|name| members.contains_key(*name))
        {
            return Err(KeyError::Private(name));
        }
        // RFC 7517 §4.2 to §4.4: the key must be meant for signatures; the numbers of any other are
        // of no interest.
        let usage = text(members, "use")?;
        if let Some(other) = usage.filter(|usage| *usage != "sig") {
            return Err(KeyError::unsupported("use", other));
        }
        if let Some(operations) = members.get("key_ops") {
            let verifies = operations
                .as_array()
                .is_some_and(|list| list.iter().any(|one| one == "verify"));
            if !verifies {
                return Err(KeyError::unsupported("key_ops", "without verify"));
            }
        }
        let alg = text(members, "alg")?
            .map(|name| name.parse().map_err(|_| KeyError::unsupported("alg", name)))
            .transpose()?;
        let material = Material::from_members(members)?;
        if alg.is_some_and(|alg| !material.fits(alg)) {
            return Err(KeyError::Malformed("alg", "does not fit kty"));
        }
        let kid = text(members, "kid")?;
        if kid.is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(KeyError::Malformed("kid", "is longer than 256 bytes"));
        }
        Self::new(material, kid.map(str::to_owned), usage.is_some(), alg)
    }

    /// The key that this server publishes for `material`: `kid` is the thumbprint, `use` is `sig`.
    pub(super) fn published(material: Material, alg: Alg) -> Result<Self, KeyError> {
        let mut key = Self::new(material, None, true, Some(alg))?;
        key.kid = Some(key.thumbprint.clone());
        Ok(key)
    }

    fn new(
        material: Material,
        kid: Option<String>,
        declares_use: bool,
        alg: Option<Alg>,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            verifier: Arc::new(Verifier::new(&material)?),
            thumbprint: material.thumbprint(),
            material,
            kid,
            declares_use,
            alg,
        })
    }

    /// Whether the numbers make a key: a point that lies on its curve.
    pub(super) fn check_point(material: &Material) -> Result<(), KeyError> {
        Verifier::new(material).map(|_| ())
    }

    /// The key's id, when it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm that the key is for, when it says so.
    #[must_use]
    pub fn alg(&self) -> Option<Alg> {
        self.alg
    }

    /// The SHA-256 thumbprint (RFC 7638), base64url.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether signatures by `alg` may be verified with this key: its type fits, and it is not
    /// declared for another algorithm (RFC 8725 §3.1).
    #[must_use]
    pub fn fits(&self, alg: Alg) -> bool {
        self.material.fits(alg) && self.alg.is_none_or(|own| own == alg)
    }

    /// Whether `signature` is one of this key's for `message`, by `alg`. False when
    /// the key does not fit `alg`.
    #[must_use]
    pub fn verifies(&self, alg: Alg, message: &[u8], signature: &[u8]) -> bool {
        let key = match (alg, &*self.verifier) {
            _ if !self.fits(alg) => return false,
            (Alg::Es256, Verifier::Ec(key)) | (Alg::EdDsa, Verifier::Ed25519(key)) => key,
            (Alg::Rs256, Verifier::Rsa { pkcs1, .. }) => pkcs1,
            (Alg::Ps256, Verifier::Rsa { pss, .. }) => pss,
            _ => return false,
        };
        key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kty", &self.material.kty())
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Jwk {
    fn eq(&self, other: &Self) -> bool {
        self.material == other.material
            && self.kid == other.kid
            && self.declares_use == other.declares_use
            && self.alg == other.alg
    }
}

impl Eq for Jwk {}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let usage = self.declares_use.then_some("sig");
        let alg = self.alg.map(Alg::as_str);
        serialize_public(&self.material, usage, alg, self.kid(), serializer)
    }
}

/// A public key as JSON: what it is for, where that is said, and its numbers.
pub(super) fn serialize_public<S: Serializer>(
    material: &Material,
    usage: Option<&str>,
    alg: Option<&str>,
    kid: Option<&str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("kty", material.kty())?;
    for (name, value) in [("use", usage), ("alg", alg), ("kid", kid)] {
        if let Some(value) = value {
            map.serialize_entry(name, value)?;
        }
    }
    match material {
        Material::Ec { x, y } => {
            map.serialize_entry("crv", "P-256")?;
            map.serialize_entry("x", &URL_SAFE_NO_PAD.encode(x))?;
            map.serialize_entry("y", &URL_SAFE_NO_PAD.encode(y))?;
        }
        Material::Rsa { modulus, exponent } => {
            map.serialize_entry("n", &URL_SAFE_NO_PAD.encode(modulus))?;
            map.serialize_entry("e", &URL_SAFE_NO_PAD.encode(exponent))?;
        }
        Material::Ed25519 { x } => {
            map.serialize_entry("crv", "Ed25519")?;
            map.serialize_entry("x", &URL_SAFE_NO_PAD.encode(x))?;
        }
    }
    map.end()
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match json::value(deserializer)? {
            Value::Object(members) => Self::from_members(&members),
            _ => Err(KeyError::NotAnObject),
        }
        .map_err(de::Error::custom)
    }
}

/// The public numbers of a key. Unsigned, big-endian.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Material {
    /// A point on P-256.
    Ec { x: [u8; 32], y: [u8; 32] },
    /// No leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// The encoded point.
    Ed25519 { x: [u8; 32] },
}

impl Material {
    pub(super) fn from_members(members: &Map<String, Value>) -> Result<Self, KeyError> {
        let kty = text(members, "kty")?.ok_or(KeyError::Malformed("kty", "is missing"))?;
        let crv = text(members, "crv")?;
        match (kty, crv) {
            ("EC", Some("P-256")) => Ok(Self::Ec {
                x: coordinate(members, "x")?,
                y: coordinate(members, "y")?,
            }),
            ("OKP", Some("Ed25519")) => Ok(Self::Ed25519 {
                x: coordinate(members, "x")?,
            }),
            ("RSA", _) => Self::rsa(bytes(members, "n")?, bytes(members, "e")?),
            ("EC" | "OKP", Some(other)) => Err(KeyError::unsupported("crv", other)),
            ("EC" | "OKP", None) => Err(KeyError::Malformed("crv", "is missing")),
            (other, _) => Err(KeyError::unsupported("kty", other)),
        }
    }

    /// A point on P-256 as SEC 1 §2.3.3 writes it: 04, x, y.
    pub(super) fn from_point(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[0x04])?.split_at_checked(32)?;
        Some(Self::Ec {
            x: x.try_into().ok()?,
            y: y.try_into().ok()?,
        })
    }

    /// Checks size and form of an RSA key.
    pub(super) fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Result<Self, KeyError> {
        // RFC 7518 §6.3.1.1: the minimum number of octets.
        let (Some(&first), Some(&last)) = (modulus.first(), modulus.last()) else {
            return Err(KeyError::Malformed("n", "is empty"));
        };
        if first == 0 {
            return Err(KeyError::Malformed(
                "n",
                "begins with a zero byte; remove it",
            ));
        }
        let zeros = usize::try_from(first.leading_zeros()).unwrap_or_default();
        let bits = (modulus.len() * 8).saturating_sub(zeros);
        // RFC 7518 §3.3 asks for 2048 bits or more; above 8192, verifying gets expensive.
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::RsaSize(bits));
        }
        if last % 2 == 0 {
            return Err(KeyError::Malformed("n", "is even"));
        }
        // FIPS 186-5 §5.1: an odd exponent above 2^16. In practice it is 65537.
        let odd = exponent.last().is_some_and(|last| last % 2 == 1);
        if !odd || !(3..=4).contains(&exponent.len()) || exponent.first() == Some(&0) {
            return Err(KeyError::Malformed(
                "e",
                "is not acceptable; use 65537 (AQAB)",
            ));
        }
        Ok(Self::Rsa { modulus, exponent })
    }

    fn kty(&self) -> &'static str {
        match self {
            Self::Ec { .. } => "EC",
            Self::Rsa { .. } => "RSA",
            Self::Ed25519 { .. } => "OKP",
        }
    }

    fn fits(&self, alg: Alg) -> bool {
        match self {
            Self::Ec { .. } => alg == Alg::Es256,
            Self::Rsa { .. } => matches!(alg, Alg::Rs256 | Alg::Ps256),
            Self::Ed25519 { .. } => alg == Alg::EdDsa,
        }
    }

    /// RFC 7638 §3: the required members, in lexical order, without white space.
    pub(super) fn thumbprint(&self) -> String {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let canonical = match self {
            Self::Ec { x, y } => format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                encode(x),
                encode(y)
            ),
            Self::Rsa { modulus, exponent } => format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                encode(exponent),
                encode(modulus)
            ),
            Self::Ed25519 { x } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x))
            }
        };
        encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    }
}

/// The keys as the cryptographic library wants them.
enum Verifier {
    Ec(ParsedPublicKey),
    Rsa {
        pkcs1: ParsedPublicKey,
        pss: ParsedPublicKey,
    },
    Ed25519(ParsedPublicKey),
}

impl Verifier {
    fn new(material: &Material) -> Result<Self, KeyError> {
        match material {
            Material::Ec { x, y } => {
                let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .map(Self::Ec)
                    .map_err(|_| KeyError::Malformed("x", "and y are not a point on P-256"))
            }
            Material::Rsa { modulus, exponent } => {
                let components = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                let parse = |parameters| {
                    components
                        .to_parsed_public_key(parameters)
                        .map_err(|_| KeyError::Malformed("n", "and e are not an RSA key"))
                };
                Ok(Self::Rsa {
                    pkcs1: parse(&RSA_PKCS1_2048_8192_SHA256)?,
                    pss: parse(&RSA_PSS_2048_8192_SHA256)?,
                })
            }
            Material::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x)
                .map(Self::Ed25519)
                .map_err(|_| KeyError::Malformed("x", "is not an Ed25519 key")),
        }
    }
}

/// A member that is a string, or absent.
pub(super) fn text<'m>(
    members: &'m Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'m str>, KeyError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyError::Malformed(name, "is not a string")),
    }
}

/// A required member that is base64url without padding.
fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let encoded = text(members, name)?.ok_or(KeyError::Malformed(name, "is missing"))?;
    URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| KeyError::Malformed(name, "is not base64url without padding"))
}

/// RFC 7518 §6.2.1.2, RFC 8037 §2: a coordinate has its full length, leading zeros included.
fn coordinate(members: &Map<String, Value>, name: &'static str) -> Result<[u8; 32], KeyError> {
    bytes(members, name)?
        .try_into()
        .map_err(|_| KeyError::Malformed(name, "is not 32 bytes long"))
}
