//! Clients: partner apps and APIs, as registered (RFC 7591 §2 names).

use serde::{Deserialize, Serialize};

use super::client_metadata::Metadata;
use super::distinguished_name::Name;
use super::error::OAuthError;
use super::fapi2;
use super::proof::{Confirmation, Possession};
use super::redirect;
use super::scope::Scopes;
use super::sector;
use crate::jose::{Alg, JwkSet};
use crate::time::Timestamp;

/// Which rules a client lives by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OAuth 2.1: code with PKCE, exact redirect URIs.
    #[default]
    Oauth21,
    /// Confidential OpenID Connect clients that cannot do PKCE; always flagged.
    Compat,
    /// FAPI 2.0 Security Profile: pushed requests, keys instead of secrets, tokens bound to a key.
    Fapi2,
}

impl Profile {
    /// The name that is stored and typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oauth21 => "oauth21",
            Self::Compat => "compat",
            Self::Fapi2 => "fapi2",
        }
    }

    /// With what this server signs for its clients when nothing is registered: RS256 (OpenID Connect
    /// Registration §2, JARM §3, RFC 9701 §6), which FAPI 2.0 Security Profile §5.4.1 excludes.
    #[must_use]
    pub const fn signing_alg(self) -> Alg {
        match self {
            Self::Fapi2 => Alg::Es256,
            Self::Oauth21 | Self::Compat => Alg::Rs256,
        }
    }

    /// By its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Oauth21, Self::Compat, Self::Fapi2]
            .into_iter()
            .find(|profile| profile.as_str() == name)
    }
}

/// How a client proves who it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum ClientAuth {
    /// It cannot (RFC 6749 §2.1, a public client).
    None,
    /// A secret, by `client_secret_basic` or `client_secret_post`; kept as SHA-256 hashes, the
    /// newest last. Two at most, so that one can be replaced without downtime.
    Secret {
        /// Base64url of each hash.
        hashes: Vec<String>,
    },
    /// `private_key_jwt` (RFC 7523).
    PrivateKeyJwt {
        /// Its public keys; none when they are fetched from its `jwks_uri`.
        jwks: JwkSet,
    },
    /// `tls_client_auth`: by a certificate that an authority vouches for (RFC 8705 §2.1).
    TlsClientAuth {
        /// For whom it must be.
        subject: CertificateSubject,
        /// Public keys that it signs requests with, and nothing else; none when it does not, or when
        /// they are fetched from its `jwks_uri`.
        #[serde(default, skip_serializing_if = "JwkSet::is_empty")]
        jwks: JwkSet,
    },
    /// `self_signed_tls_client_auth`: by a certificate whose key is registered (RFC 8705 §2.2).
    SelfSignedTlsClientAuth {
        /// Its public keys; none when they are fetched from its `jwks_uri`.
        jwks: JwkSet,
    },
}

/// For whom a client's certificate must be (RFC 8705 §2.1.2): one of these, never several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificateSubject {
    /// Its subject as a distinguished name (RFC 4514).
    #[serde(rename = "tls_client_auth_subject_dn")]
    Dn(String),
    /// One of its DNS names.
    #[serde(rename = "tls_client_auth_san_dns")]
    Dns(String),
    /// One of its URIs.
    #[serde(rename = "tls_client_auth_san_uri")]
    Uri(String),
    /// One of its IP addresses.
    #[serde(rename = "tls_client_auth_san_ip")]
    Ip(String),
    /// One of its e-mail addresses.
    #[serde(rename = "tls_client_auth_san_email")]
    Email(String),
}

impl CertificateSubject {
    /// Reads `dn:CN=budget,O=Pocket Budget AG`, `dns:budget.example`, `uri:…`, `ip:…` or `email:…`.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, value) = text.split_once(':').unwrap_or_default();
        let value = value.trim().to_owned();
        let subject = match kind {
            "dn" => Self::Dn(value),
            "dns" => Self::Dns(value),
            "uri" => Self::Uri(value),
            "ip" => Self::Ip(value),
            "email" => Self::Email(value),
            _ => {
                return Err(
                    "the certificate's subject must be written as dn:, dns:, uri:, ip: or email: and \
                     the value, such as dns:budget.example"
                        .to_owned(),
                );
            }
        };
        subject.check().map(|()| subject)
    }

    /// Checks that a certificate can be for it at all.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn check(&self) -> Result<(), String> {
        let (what, value, fits) = match self {
            Self::Dn(text) => return Name::parse(text).map(|_| ()),
            Self::Dns(name) => {
                let label = |label: &str| {
                    (1..=63).contains(&label.len())
                        && label
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                };
                ("DNS name", name, name.split('.').all(label))
            }
            Self::Uri(uri) => ("URI", uri, url::Url::parse(uri).is_ok() && uri.is_ascii()),
            Self::Ip(address) => (
                "IP address",
                address,
                address.parse::<std::net::IpAddr>().is_ok(),
            ),
            Self::Email(email) => {
                let parts = email.rsplit_once('@');
                let whole =
                    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
                ("e-mail address", email, whole && email.is_ascii())
            }
        };
        if fits && value.len() <= 500 && !value.contains(char::is_whitespace) {
            return Ok(());
        }
        let shown: String = value.chars().take(200).collect();
        Err(format!(
            "{shown:?} is no {what} that a certificate could be for"
        ))
    }
}

/// What a client may ask the token endpoint for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
    ];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// By its registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

/// A registered client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_name`, as people read it.
    pub name: String,
    /// Its rules.
    #[serde(default)]
    pub profile: Profile,
    /// How it proves who it is.
    pub auth: ClientAuth,
    /// Where people may be sent back to.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Which grants it may use.
    #[serde(default)]
    pub grant_types: Vec<GrantType>,
    /// Which scopes it may ask for.
    #[serde(default)]
    pub scopes: Scopes,
    /// How its ID tokens are signed; OpenID Connect Registration §2 makes RS256 the default.
    #[serde(default = "rs256")]
    pub id_token_signed_response_alg: Alg,
    /// What else is registered.
    #[serde(default, flatten)]
    pub metadata: Metadata,
    /// What was issued to it at or before this moment is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// When it was disabled; it can then do nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// When it was removed, for good: what is left says who it was, and keeps its id from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
}

const fn rs256() -> Alg {
    Alg::Rs256
}

impl Client {
    /// Whether it can keep a secret (RFC 6749 §2.1).
    #[must_use]
    pub const fn is_confidential(&self) -> bool {
        !matches!(self.auth, ClientAuth::None)
    }

    /// Whether it may use a grant.
    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether people may be sent back there.
    #[must_use]
    pub fn may_return_to(&self, uri: &str) -> bool {
        let fits = |registered: &String| redirect::matches(registered, uri);
        self.redirect_uris.iter().any(fits)
    }

    /// Whether it must push its authorization requests (RFC 9126 §6, FAPI 2.0 Security Profile
    /// §5.3.2.2 (2)).
    #[must_use]
    pub fn must_push(&self) -> bool {
        self.metadata.require_pushed_authorization_requests || self.profile == Profile::Fapi2
    }

    /// What its new tokens are bound to: to what is registered, and otherwise to the key of a proof when
    /// there is one.
    ///
    /// # Errors
    /// `invalid_request` when they must be bound, and what to was not proved.
    pub fn bind(&self, possession: Possession) -> Result<Option<Confirmation>, OAuthError> {
        let certificates = self.metadata.tls_client_certificate_bound_access_tokens;
        let keys = self.metadata.dpop_bound_access_tokens;
        // RFC 8705 §3.4, RFC 9449 §5.2: neither is had instead of the other.
        let bound = possession.binding(certificates, keys);
        if bound.is_none() && certificates && !keys {
            // RFC 8705 §3.4
            return Err(OAuthError::invalid_request(
                "this client's tokens are bound to its certificate; connect with it, at the \
                 addresses in mtls_endpoint_aliases",
            )
            .about("certificate"));
        }
        // RFC 9449 §5.2, FAPI 2.0 Security Profile §5.3.2.1 (4). `invalid_dpop_proof` is for one that
        // was sent (§5).
        let demanded = keys || self.profile == Profile::Fapi2;
        if bound.is_none() && demanded {
            return Err(OAuthError::invalid_request(
                "this client's tokens are bound to a key; send a DPoP proof in the DPoP header",
            )
            .about("missing-proof"));
        }
        Ok(bound)
    }

    /// Whether it presents a certificate when it authenticates (RFC 8705 §2).
    #[must_use]
    pub const fn presents_certificate(&self) -> bool {
        matches!(
            self.auth,
            ClientAuth::TlsClientAuth { .. } | ClientAuth::SelfSignedTlsClientAuth { .. }
        )
    }

    /// The public keys that its requests are verified with; empty when they are fetched.
    #[must_use]
    pub fn own_keys(&self) -> Option<&JwkSet> {
        match &self.auth {
            ClientAuth::PrivateKeyJwt { jwks } | ClientAuth::SelfSignedTlsClientAuth { jwks } => {
                Some(jwks)
            }
            ClientAuth::TlsClientAuth { jwks, .. } => {
                Some(jwks).filter(|jwks| !jwks.is_empty() || self.metadata.jwks_uri.is_some())
            }
            ClientAuth::None | ClientAuth::Secret { .. } => None,
        }
    }

    /// RFC 7591 §2: keys are registered, or the address where they are fetched, and never both.
    fn check_keys(&self) -> Result<(), String> {
        let fetched = self.metadata.jwks_uri.is_some();
        match &self.auth {
            ClientAuth::PrivateKeyJwt { jwks }
            | ClientAuth::SelfSignedTlsClientAuth { jwks }
            | ClientAuth::TlsClientAuth { jwks, .. }
                if fetched && !jwks.is_empty() =>
            {
                Err("register the public keys or jwks_uri, not both (RFC 7591 section 2)".into())
            }
            ClientAuth::None | ClientAuth::Secret { .. } if fetched => {
                Err("jwks_uri is for clients that authenticate by a key of their own".into())
            }
            _ => Ok(()),
        }
    }

    /// Checks what was registered as a whole.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn check(&self) -> Result<(), String> {
        let id_fits = (1..=100).contains(&self.id.len())
            && self
                .id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        if !id_fits {
            return Err(
                "the client id must be 1 to 100 letters, digits, '-', '.', '_' or '~'".into(),
            );
        }
        if self.name.trim().is_empty() || self.name.len() > 200 {
            return Err("the client's name must be 1 to 200 bytes long".into());
        }
        let code = self.may(GrantType::AuthorizationCode);
        if code && self.redirect_uris.is_empty() {
            return Err("authorization_code needs at least one redirect URI".into());
        }
        if self.may(GrantType::ClientCredentials) && !self.is_confidential() {
            return Err(
                "client_credentials needs a client that authenticates (RFC 6749 section 4.4)"
                    .into(),
            );
        }
        if self.may(GrantType::RefreshToken) && !code {
            return Err("refresh_token is of use only together with authorization_code".into());
        }
        if self.profile == Profile::Compat && !(code && self.is_confidential()) {
            return Err(
                "the profile compat is for confidential clients that people sign in to".into(),
            );
        }
        if self.profile == Profile::Fapi2 {
            fapi2::check(self)?;
        }
        let metadata = &self.metadata;
        let keyed = self.own_keys().is_some();
        let signs = metadata.must_sign() || metadata.request_object_signing_alg.is_some();
        if signs && !keyed {
            return Err(
                "signed requests need the client's public keys: register them, or jwks_uri"
                    .to_owned(),
            );
        }
        if let ClientAuth::TlsClientAuth { subject, .. } = &self.auth {
            subject.check()?;
        }
        self.metadata.check()?;
        self.check_keys()?;
        sector::check(self)?;
        self.redirect_uris
            .iter()
            .try_for_each(|uri| redirect::check_registrable(uri))
    }
}
