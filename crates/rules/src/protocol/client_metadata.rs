//! What is registered of a client beside its rules and credentials: what people and auditors are
//! told about it, and what OpenID Connect lets it choose (RFC 7591 §2, OpenID Connect Registration
//! §2, RP-Initiated Logout §3.1, Back-Channel Logout §2.2).

use serde::{Deserialize, Serialize};
use url::Url;

use super::redirect;
use crate::identity::Acr;
use crate::jose::jwe::{Enc, EncryptionJwk, KeyAlg};
use crate::jose::{Alg, MAX_KEYS};
use crate::network::is_loopback_host;

/// How a client learns who a person is (OpenID Connect Core §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectType {
    /// Every client learns the same `sub`.
    #[default]
    Public,
    /// Each sector learns a `sub` of its own, so that two of them cannot compare people.
    Pairwise,
}

impl SubjectType {
    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }

    /// By its registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Public, Self::Pairwise]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// Registered metadata; everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the registered names, each a choice of its own"
)]
pub struct Metadata {
    /// The legal entity behind it, as people read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_entity: Option<String>,
    /// Under which licence, of which authority, it acts: `Account information, BaFin 123456`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where it keeps people's data: a country by ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosting_country: Option<String>,
    /// How the people responsible for it are reached, mostly e-mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// How it treats personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Its logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Which kind of `sub` it learns.
    pub subject_type: SubjectType,
    /// The URL whose host is its sector (OpenID Connect Core §8.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// Where its public keys are fetched (RFC 7591 §2), when they are not registered themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// How the key of its ID tokens is handed over, when they are encrypted (OpenID Connect
    /// Registration §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_alg: Option<KeyAlg>,
    /// How its encrypted ID tokens are sealed; named whenever they are, because the standard's own
    /// default, A128CBC-HS256, is not made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_enc: Option<Enc>,
    /// The same for userinfo, which is then a JWT: signed before when that is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_alg: Option<KeyAlg>,
    /// How it is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_enc: Option<Enc>,
    /// Its public keys to encrypt to; the first one that fits is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub encryption_keys: Vec<EncryptionJwk>,
    /// Userinfo is answered as a JWT signed so; as plain JSON when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<Alg>,
    /// How old a sign-in may be when the request does not say, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u64>,
    /// Whether every ID token has `auth_time`.
    pub require_auth_time: bool,
    /// Which `acr` values are asked for when the request does not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// What the institution requires of everybody who uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_acr: Option<Acr>,
    /// Where people may be sent after they signed out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether logout tokens must have `sid`.
    pub backchannel_logout_session_required: bool,
    /// Whether its tokens must be bound to a key (RFC 9449 §5.2).
    #[serde(skip_serializing_if = "is_false")]
    pub dpop_bound_access_tokens: bool,
    /// Whether its proofs must hold a nonce of this server (RFC 9449 §8); as the configuration says
    /// when nothing is said here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_nonces: Option<bool>,
    /// Whether its tokens must be bound to its certificate (RFC 8705 §3.4).
    #[serde(skip_serializing_if = "is_false")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Whether it must push its requests (RFC 9126 §6).
    #[serde(skip_serializing_if = "is_false")]
    pub require_pushed_authorization_requests: bool,
    /// Whether it must sign its requests (RFC 9101 §10.5).
    #[serde(skip_serializing_if = "is_false")]
    pub require_signed_request_object: bool,
    /// With what alone it signs its requests (RFC 9101 §10.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<Alg>,
    /// How alone it hands over the key of its requests, which it must encrypt then (RFC 9101 §10.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_alg: Option<KeyAlg>,
    /// How alone it seals them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_encryption_enc: Option<Enc>,
    /// With what the answers to its requests are signed when it asks for that (JARM §3); the
    /// profile's algorithm when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<Alg>,
    /// With what it is answered at introspection when it asks for a signed answer (RFC 9701 §6);
    /// the profile's algorithm when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<Alg>,
    /// Which authorization details it may ask for (RFC 9396 §10).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_details_types: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Metadata {
    /// The key to encrypt to by `alg`: the first that fits.
    #[must_use]
    pub fn encryption_key(&self, alg: KeyAlg) -> Option<&EncryptionJwk> {
        self.encryption_keys.iter().find(|key| key.fits(alg))
    }

    /// How its ID tokens are encrypted.
    #[must_use]
    pub fn id_token_encryption(&self) -> Option<(KeyAlg, Enc)> {
        let enc = self.id_token_encrypted_response_enc;
        let alg = self.id_token_encrypted_response_alg;
        alg.map(|alg| (alg, enc.unwrap_or(Enc::A256Gcm)))
    }

    /// How userinfo is encrypted for it.
    #[must_use]
    pub fn userinfo_encryption(&self) -> Option<(KeyAlg, Enc)> {
        let enc = self.userinfo_encrypted_response_enc;
        let alg = self.userinfo_encrypted_response_alg;
        alg.map(|alg| (alg, enc.unwrap_or(Enc::A256Gcm)))
    }

    /// Whether it must send its requests as request objects: to sign them, or to encrypt what is signed.
    #[must_use]
    pub const fn must_sign(&self) -> bool {
        self.require_signed_request_object || self.request_object_encryption_alg.is_some()
    }

    /// How it must encrypt its requests.
    #[must_use]
    pub fn request_object_encryption(&self) -> Option<(KeyAlg, Enc)> {
        let enc = self.request_object_encryption_enc;
        let alg = self.request_object_encryption_alg;
        alg.map(|alg| (alg, enc.unwrap_or(Enc::A256Gcm)))
    }

    /// Checks what was registered.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn check(&self) -> Result<(), String> {
        text("the legal entity", self.legal_entity.as_deref())?;
        text("the licence", self.licence.as_deref())?;
        for contact in &self.contacts {
            text("each contact", Some(contact))?;
        }
        let country = self.hosting_country.as_deref().unwrap_or("CH");
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(format!(
                "the hosting country {country:?} must be two capital letters of ISO 3166-1, such as DE"
            ));
        }
        for (what, uri) in [
            ("the home page", &self.client_uri),
            ("the privacy policy", &self.policy_uri),
            ("the terms of service", &self.tos_uri),
            ("the logo", &self.logo_uri),
            ("the address of its keys", &self.jwks_uri),
            ("the sector identifier", &self.sector_identifier_uri),
            ("the back-channel logout URI", &self.backchannel_logout_uri),
        ] {
            uri.as_deref().map_or(Ok(()), |uri| https(what, uri))?;
        }
        self.check_encryption()?;
        if self.encryption_keys.len() > MAX_KEYS {
            return Err(format!("at most {MAX_KEYS} encryption keys are kept"));
        }
        if self.contacts.len() > 20
            || self.default_acr_values.len() > 10
            || self.post_logout_redirect_uris.len() > 50
        {
            return Err(
                "at most 20 contacts, 10 acr values and 50 logout redirect URIs are kept".into(),
            );
        }
        self.post_logout_redirect_uris
            .iter()
            .try_for_each(|uri| redirect::check_registrable(uri))
    }
}

impl Metadata {
    fn check_encryption(&self) -> Result<(), String> {
        for (what, alg, enc) in [
            (
                "id_token_encrypted_response",
                self.id_token_encrypted_response_alg,
                self.id_token_encrypted_response_enc,
            ),
            (
                "userinfo_encrypted_response",
                self.userinfo_encrypted_response_alg,
                self.userinfo_encrypted_response_enc,
            ),
            (
                "request_object_encryption",
                self.request_object_encryption_alg,
                self.request_object_encryption_enc,
            ),
        ] {
            let for_the_client = what != "request_object_encryption";
            match (alg, enc) {
                (Some(alg), _) if for_the_client && self.encryption_key(alg).is_none() => {
                    return Err(format!(
                        "{what}_alg is {alg}, and no registered encryption key fits"
                    ));
                }
                // OpenID Connect Registration §2: whoever says nothing expects A128CBC-HS256.
                (Some(_), None) => {
                    return Err(format!("{what}_alg needs {what}_enc: A256GCM or A128GCM"));
                }
                (None, Some(_)) => return Err(format!("{what}_enc needs {what}_alg")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Text that people are shown.
fn text(what: &str, value: Option<&str>) -> Result<(), String> {
    let value = value.unwrap_or("-");
    if value.trim().is_empty() || value.len() > 200 || value.chars().any(char::is_control) {
        return Err(format!("{what} must be 1 to 200 bytes of readable text"));
    }
    Ok(())
}

/// An address that people follow or that this server calls.
fn https(what: &str, uri: &str) -> Result<(), String> {
    let fits = uri.len() <= 1000
        && Url::parse(uri).is_ok_and(|url| {
            let loopback = url.host_str().is_some_and(is_loopback_host);
            let plain = url.username().is_empty() && url.password().is_none();
            plain
                && url.fragment().is_none()
                && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
        });
    if fits {
        return Ok(());
    }
    let shown: String = uri.chars().take(200).collect();
    Err(format!("{what} {shown:?} must be an https URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_demanded() {
        assert_eq!(Metadata::default().check(), Ok(()));
        let read: Metadata = serde_json::from_str("{}").unwrap_or_default();
        assert_eq!(read, Metadata::default());
    }

    #[test]
    fn each_mistake_is_named() {
        type Spoil = fn(&mut Metadata);
        let cases: [(Spoil, &str); 6] = [
            (|m| m.legal_entity = Some(" ".into()), "legal entity"),
            (|m| m.licence = Some("a\u{1b}[2J".into()), "licence"),
            (|m| m.hosting_country = Some("Germany".into()), "ISO 3166-1"),
            (
                |m| m.client_uri = Some("javascript:alert(1)".into()),
                "home page",
            ),
            (
                |m| m.backchannel_logout_uri = Some("http://app.example/out".into()),
                "back-channel",
            ),
            (
                |m| m.post_logout_redirect_uris = vec!["https://app.example/#x".into()],
                "fragment",
            ),
        ];
        for (spoil, word) in cases {
            let mut metadata = Metadata::default();
            spoil(&mut metadata);
            let refused = metadata.check().err().unwrap_or_default();
            assert!(refused.contains(word), "{word}: {refused}");
        }
    }
}
