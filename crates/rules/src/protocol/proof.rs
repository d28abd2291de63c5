//! What a token is bound to, so that a stolen one is of no use: the key of a DPoP proof (RFC 9449
//! §6) or a client certificate (RFC 8705 §3).

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

/// A SHA-256 hash of a key (RFC 7638) or of a certificate: 32 bytes. As text it is base64url
/// without padding, 43 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Reads the 43 characters; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Of a certificate in DER (RFC 8705 §3.1).
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).ok_or_else(|| de::Error::custom("not a SHA-256 thumbprint"))
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

/// What a token, a code or a refresh token is bound to (RFC 7800 §3.1, `cnf`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Confirmation {
    /// The key of a DPoP proof (RFC 9449 §6.1).
    #[serde(rename = "jkt")]
    Jkt(Thumbprint),
    /// A client certificate (RFC 8705 §3.1).
    #[serde(rename = "x5t#S256")]
    X5tS256(Thumbprint),
}

impl Confirmation {
    /// The value of the claim `cnf`.
    #[must_use]
    pub fn cnf(&self) -> Value {
        let (name, thumbprint) = match self {
            Self::Jkt(thumbprint) => ("jkt", thumbprint),
            Self::X5tS256(thumbprint) => ("x5t#S256", thumbprint),
        };
        let mut cnf = Map::new();
        cnf.insert(name.to_owned(), thumbprint.to_string().into());
        cnf.into()
    }

    /// Reads the claim `cnf`; `None` for what is not understood, so that a token bound in a way
    /// that cannot be checked is never taken for one that is not bound.
    #[must_use]
    pub fn from_cnf(cnf: &Value) -> Option<Self> {
        let members = cnf.as_object().filter(|members| members.len() == 1)?;
        let (name, value) = members.iter().next()?;
        let thumbprint = Thumbprint::parse(value.as_str()?)?;
        match name.as_str() {
            "jkt" => Some(Self::Jkt(thumbprint)),
            "x5t#S256" => Some(Self::X5tS256(thumbprint)),
            _ => None,
        }
    }

    /// `token_type` of an access token that is bound so (RFC 9449 §5, RFC 8705 §3).
    #[must_use]
    pub const fn token_type(&self) -> TokenType {
        match self {
            Self::Jkt(_) => TokenType::Dpop,
            Self::X5tS256(_) => TokenType::Bearer,
        }
    }
}

/// How an access token is presented: the scheme of the `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// RFC 6750; with a certificate when the token is bound to one.
    Bearer,
    /// With a proof (RFC 9449 §7.1).
    Dpop,
}

impl TokenType {
    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// By the scheme's name, which ignores case (RFC 9110 §11.1).
    #[must_use]
    pub fn from_scheme(scheme: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop]
            .into_iter()
            .find(|one| one.as_str().eq_ignore_ascii_case(scheme))
    }
}

/// What whoever sends a request has proved to hold: verified proofs, nothing that is merely claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Possession {
    /// The key of the request's DPoP proof.
    pub key: Option<Thumbprint>,
    /// The certificate of its TLS connection.
    pub certificate: Option<Thumbprint>,
}

impl Possession {
    /// Whether it is what `confirmation` names.
    #[must_use]
    pub fn confirms(&self, confirmation: &Confirmation) -> bool {
        match confirmation {
            Confirmation::Jkt(key) => self.key.as_ref() == Some(key),
            Confirmation::X5tS256(certificate) => self.certificate.as_ref() == Some(certificate),
        }
    }

    /// What new tokens are bound to: the certificate, when `certificates` says that this client's tokens
    /// are bound to it (RFC 8705 §3.4); else the key of a proof, and always that when `keys` says so
    /// (RFC 9449 §5.2).
    #[must_use]
    pub fn binding(&self, certificates: bool, keys: bool) -> Option<Confirmation> {
        if certificates && !keys {
            return self.certificate.map(Confirmation::X5tS256);
        }
        self.key.map(Confirmation::Jkt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8705 §3.1, figure 2.
    const X5T: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
    // RFC 9449 §6.1.
    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    #[test]
    fn what_a_token_is_bound_to_survives_as_a_claim_and_as_bytes() {
        let key = Confirmation::Jkt(Thumbprint::parse(JKT).unwrap());
        let certificate = Confirmation::X5tS256(Thumbprint::of_certificate(b"der"));
        for one in [key, certificate] {
            assert_eq!(Confirmation::from_cnf(&one.cnf()), Some(one));
            let json = serde_json::to_value(one).unwrap();
            assert_eq!(json, one.cnf());
            assert_eq!(serde_json::from_value::<Confirmation>(json).unwrap(), one);
        }
        assert_eq!(key.cnf()["jkt"], JKT);
        assert!(certificate.cnf()["x5t#S256"].is_string());
    }

    #[test]
    fn what_is_not_understood_is_not_taken_for_unbound() {
        let of = |text: &str| Confirmation::from_cnf(&serde_json::from_str(text).unwrap());
        assert_eq!(of("{}"), None);
        assert_eq!(of(r#"{"kid":"x"}"#), None);
        assert_eq!(of(r#"{"jkt":"short"}"#), None);
        assert_eq!(of(&format!(r#"{{"jkt":"{JKT}","kid":"x"}}"#)), None);
        // The last character of 43 holds two bits that must be zero; the RFC's example has others.
        assert_eq!(of(&format!(r#"{{"x5t#S256":"{X5T}"}}"#)), None);
    }

    #[test]
    fn only_the_very_same_key_or_certificate_confirms() {
        let key = Thumbprint::parse(JKT).unwrap();
        let other = Thumbprint::of_certificate(b"other");
        let holds = |key, certificate| Possession { key, certificate };
        let bound = Confirmation::Jkt(key);
        assert!(holds(Some(key), None).confirms(&bound));
        assert!(holds(Some(key), Some(other)).confirms(&bound));
        for wrong in [
            holds(None, None),
            holds(Some(other), None),
            holds(None, Some(key)),
        ] {
            assert!(!wrong.confirms(&bound));
        }
        assert!(!holds(Some(key), None).confirms(&Confirmation::X5tS256(key)));
    }

    #[test]
    fn a_certificate_binds_only_where_it_is_registered() {
        let certificate = Thumbprint::of_certificate(b"der");
        let holds = Possession {
            key: None,
            certificate: Some(certificate),
        };
        assert_eq!(holds.binding(false, false), None);
        let bound = holds.binding(true, false).unwrap();
        assert_eq!(bound, Confirmation::X5tS256(certificate));
        // A proof is not had instead, nor a certificate instead of a proof.
        let key = Possession {
            key: Some(certificate),
            certificate: None,
        };
        assert_eq!(key.binding(true, false), None);
        assert_eq!(holds.binding(true, true), None);
        let both = Possession {
            certificate: Some(certificate),
            ..key
        };
        assert_eq!(both.binding(true, false), Some(bound));
        assert_eq!(both.binding(true, true), key.binding(false, false));
        assert_eq!(bound.token_type().as_str(), "Bearer");
        assert_eq!(TokenType::from_scheme("dpop"), Some(TokenType::Dpop));
    }
}
