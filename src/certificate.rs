//! Client certificates: what they say (RFC 5280), and what a registration may demand of them (RFC
//! 8705 §2.1.2). That whoever presents one holds its key was proved by the TLS handshake; whether
//! anybody vouches for it is not judged here.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::jose::{Jwk, JwkSet};
use rules::protocol::client::CertificateSubject;
use rules::protocol::client_cert_header::{MAX_CERTIFICATE, MAX_CHAIN};
use rules::protocol::distinguished_name::{Attribute, Name, Value};
use rules::time::Timestamp;
use rustls_pki_types::CertificateDer;
use serde_json::{Map, json};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A certificate that a client presented, with what it sent along to certify it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    own: CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    facts: Facts,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    subject: Name,
    names: Names,
    not_before: Timestamp,
    not_after: Timestamp,
    /// The thumbprint of its key as a JWK; none for a key of a kind that is not used here.
    key: Option<String>,
}

/// Its alternative names (RFC 5280 §4.2.1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    dns: Vec<String>,
    uris: Vec<String>,
    addresses: Vec<IpAddr>,
    emails: Vec<String>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl ClientCertificate {
    /// Reads what was presented, the client's own first. `None` for what is no certificate, and for
    /// more than anybody sends in earnest.
    #[must_use]
    pub fn read(presented: &[CertificateDer<'_>]) -> Option<Self> {
        let (own, chain) = presented.split_first()?;
        let large = |one: &CertificateDer<'_>| one.len() > MAX_CERTIFICATE;
        if chain.len() > MAX_CHAIN || presented.iter().any(large) {
            return None;
        }
        let (rest, parsed) = X509Certificate::from_der(own).ok()?;
        if !rest.is_empty() {
            return None;
        }
        Some(Self {
            facts: Facts::of(&parsed),
            own: own.clone().into_owned(),
            chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
        })
    }

    /// Its encoding, DER.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.own
    }

    /// What was sent along to certify it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Whether the time is within what it says.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        (self.facts.not_before..=self.facts.not_after).contains(&now)
    }

    /// Whether its key is one of these (RFC 8705 §2.2.2): the handshake proved that the client holds
    /// it. Keys are told apart by their RFC 7638 thumbprints.
    #[must_use]
    pub fn has_key_of(&self, keys: &JwkSet) -> bool {
        let own = self.facts.key.as_deref();
        own.is_some_and(|own| keys.keys().iter().any(|key| key.thumbprint() == own))
    }

    /// Whether it is for the subject that is registered (RFC 8705 §2.1.2).
    #[must_use]
    pub fn is_for(&self, subject: &CertificateSubject) -> bool {
        use CertificateSubject as S;
        let names = &self.facts.names;
        match subject {
            // Checked when it was registered; what cannot be read is nobody's.
            S::Dn(text) => Name::parse(text).is_ok_and(|name| name.matches(&self.facts.subject)),
            S::Dns(name) => names.dns.iter().any(|own| own.eq_ignore_ascii_case(name)),
            S::Uri(uri) => names.uris.contains(uri),
            S::Ip(text) => text
                .parse::<IpAddr>()
                .is_ok_and(|address| names.addresses.contains(&address)),
            S::Email(email) => names.emails.iter().any(|own| same_mailbox(own, email)),
        }
    }
}

/// RFC 5280 §7.5: the local part to the letter, the domain in any case.
fn same_mailbox(one: &str, two: &str) -> bool {
    match (one.rsplit_once('@'), two.rsplit_once('@')) {
        (Some((local, domain)), Some((other_local, other_domain))) => {
            local == other_local && domain.eq_ignore_ascii_case(other_domain)
        }
        _ => false,
    }
}

impl Facts {
    fn of(parsed: &X509Certificate<'_>) -> Self {
        let validity = parsed.validity();
        Self {
            subject: name(parsed.subject()),
            names: Names::of(parsed),
            not_before: Timestamp::from_secs(validity.not_before.timestamp()),
            not_after: Timestamp::from_secs(validity.not_after.timestamp()),
            key: jwk(parsed).map(|key| key.thumbprint().to_owned()),
        }
    }
}

impl Names {
    fn of(parsed: &X509Certificate<'_>) -> Self {
        let mut names = Self::default();
        let Ok(Some(extension)) = parsed.subject_alternative_name() else {
            return names;
        };
        for one in &extension.value.general_names {
            match one {
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                GeneralName::RFC822Name(email) => names.emails.push((*email).to_owned()),
                GeneralName::IPAddress(bytes) => names.addresses.extend(address(bytes)),
                _ => {}
            }
        }
        names
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn name(subject: &X509Name<'_>) -> Name {
    let levels = subject.iter_rdn().map(|level| {
        let attributes = level.iter().map(|attribute| {
            let value = attribute.attr_value();
            let der = encoding(value);
            Attribute {
                oid: attribute.attr_type().to_id_string(),
                value: match attribute.as_str() {
                    Ok(text) => Value::Both(der, text.to_owned()),
                    Err(_) => Value::Der(der),
                },
            }
        });
        attributes.collect()
    });
    Name(levels.collect())
}

/// The encoding of an attribute's value: tag, length and contents, all of them short.
fn encoding(value: &x509_parser::der_parser::asn1_rs::Any<'_>) -> Vec<u8> {
    let tag = u8::try_from(value.tag().0).unwrap_or_default();
    let mut der = vec![tag];
    match value.data.len() {
        length @ 0..=0x7f => der.extend(u8::try_from(length)),
        length => {
            let digits = length.to_be_bytes();
            let from = digits.iter().take_while(|digit| **digit == 0).count();
            der.extend(u8::try_from(0x80 | (digits.len() - from)));
            der.extend_from_slice(&digits[from..]);
        }
    }
    der.extend_from_slice(value.data);
    der
}

/// The name of the curve of an EC key, an OID.
fn curve(info: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    let parameters = info.algorithm.parameters.as_ref()?;
    Some(parameters.as_oid().ok()?.to_id_string())
}

/// Its key, as a client would register it.
fn jwk(parsed: &X509Certificate<'_>) -> Option<Jwk> {
    let info = parsed.public_key();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let members = match info.parsed() {
        Ok(PublicKey::RSA(key)) => {
            let strip = |bytes: &[u8]| {
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                encode(&bytes[zeros..])
            };
            json!({"kty": "RSA", "n": strip(key.modulus), "e": strip(key.exponent)})
        }
        // RFC 5480 §2.1.1.1: points of other curves are as long.
        Ok(PublicKey::EC(point)) if curve(info).as_deref() == Some("1.2.840.10045.3.1.7") => {
            let (x, y) = point.data().strip_prefix(&[4])?.split_at_checked(32)?;
            json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
        }
        // RFC 8410 §3.
        _ if info.algorithm.algorithm.to_id_string() == "1.3.101.112" => {
            json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&info.subject_public_key.data)})
        }
        _ => return None,
    };
    let members: Map<_, _> = members.as_object()?.clone();
    Jwk::from_members(&members).ok()
}
