//! What is registered of a client beside its rules and credentials, as flags.

#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help, and a terminal shows backticks as they are"
)]

use clap::Args;
use rules::identity::Acr;
use rules::jose::Alg;
use rules::jose::jwe::{Enc, EncryptionJwk, KeyAlg};
use rules::protocol::{Metadata, SubjectType};
use serde_json::{Map, Value};

use super::Failed;

#[derive(Debug, Args)]
#[command(next_help_heading = "What people and auditors see")]
pub(super) struct About {
    /// The legal entity behind it
    #[arg(long, value_name = "NAME")]
    legal_entity: Option<String>,
    /// Its licence, and whose: 'Account information, BaFin 123456'
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Where it keeps people's data: a country by ISO 3166-1, such as DE
    #[arg(long, value_name = "COUNTRY")]
    hosting_country: Option<String>,
    /// How those responsible for it are reached; may be given several times
    #[arg(long = "contact", value_name = "TEXT")]
    contacts: Vec<String>,
    /// Its home page
    #[arg(long, value_name = "URL")]
    client_uri: Option<String>,
    /// Its privacy policy
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    /// Its terms of service
    #[arg(long, value_name = "URL")]
    tos_uri: Option<String>,
    /// Its logo
    #[arg(long, value_name = "URL")]
    logo_uri: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "OpenID Connect")]
pub(super) struct OpenId {
    /// Which sub it learns: public (the same as everybody) or pairwise (its sector's own)
    #[arg(long, value_name = "TYPE", value_parser = subject_type)]
    subject_type: Option<SubjectType>,
    /// The URL whose host is its sector, when its redirect URIs have several hosts
    #[arg(long, value_name = "URL")]
    sector_identifier_uri: Option<String>,
    /// Where its public keys are fetched, instead of being registered
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// Encrypt its ID tokens so: ECDH-ES, ECDH-ES+A256KW or RSA-OAEP-256
    #[arg(long, value_name = "ALG")]
    id_token_encryption_alg: Option<KeyAlg>,
    /// With what its encrypted ID tokens are sealed: A256GCM or A128GCM
    #[arg(long, value_name = "ENC")]
    id_token_encryption_enc: Option<Enc>,
    /// Encrypt userinfo for it so: ECDH-ES, ECDH-ES+A256KW or RSA-OAEP-256
    #[arg(long, value_name = "ALG")]
    userinfo_encryption_alg: Option<KeyAlg>,
    /// With what its encrypted userinfo is sealed: A256GCM or A128GCM
    #[arg(long, value_name = "ENC")]
    userinfo_encryption_enc: Option<Enc>,
    /// A file with its public keys to encrypt to: {"keys":[…]} (RFC 7517)
    #[arg(long, value_name = "FILE", value_parser = encryption_keys)]
    encryption_jwks: Option<EncryptionKeys>,
    /// Answer userinfo as a JWT signed so: RS256, ES256, PS256 or EdDSA
    #[arg(long, value_name = "ALG")]
    userinfo_alg: Option<Alg>,
    /// How old a sign-in may be when a request does not say
    #[arg(long, value_name = "SECONDS")]
    default_max_age: Option<u64>,
    /// Put auth_time into every ID token
    #[arg(long)]
    require_auth_time: bool,
    /// Which acr is asked for when a request does not say; may be given several times
    #[arg(long = "default-acr", value_name = "ACR")]
    default_acr_values: Vec<String>,
    /// What everybody must prove who uses it: 2fa, or phr (a passkey or a security key)
    #[arg(long, value_name = "ACR")]
    require_acr: Option<Acr>,
    /// Where people may be sent after they signed out; may be given several times
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session ended
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    /// Demand sid in logout tokens
    #[arg(long)]
    backchannel_logout_session_required: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Proofs and signed messages")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Proofs {
    /// Bind its tokens to a key: it must send DPoP proofs
    #[arg(long)]
    dpop_bound: bool,
    /// Whether its DPoP proofs must hold a nonce of this server [default: as dpop.nonces is set]
    #[arg(long, value_name = "BOOL")]
    dpop_nonces: Option<bool>,
    /// Bind its tokens to its TLS certificate; a client that is added with a certificate has this by
    /// default, unless --dpop-bound is given
    #[arg(long)]
    certificate_bound: bool,
    /// Take authorization requests from it only when they were pushed (PAR)
    #[arg(long)]
    require_par: bool,
    /// Take authorization requests from it only when they are signed (JAR)
    #[arg(long)]
    require_signed_request: bool,
    /// What alone it signs its requests with: PS256, ES256 or EdDSA
    #[arg(long, value_name = "ALG")]
    request_alg: Option<Alg>,
    /// Take authorization requests from it only when they are signed and then encrypted so: ECDH-ES,
    /// ECDH-ES+A256KW or RSA-OAEP-256
    #[arg(long, value_name = "ALG")]
    request_encryption_alg: Option<KeyAlg>,
    /// With what it seals its encrypted requests: A256GCM or A128GCM
    #[arg(long, value_name = "ENC")]
    request_encryption_enc: Option<Enc>,
    /// Sign answers to its authorization requests so, when it asks for that (JARM)
    #[arg(long, value_name = "ALG")]
    authorization_alg: Option<Alg>,
    /// Sign what an API is told of tokens so, when it asks for that
    #[arg(long, value_name = "ALG")]
    introspection_alg: Option<Alg>,
    /// Which authorization details it may ask for; may be given several times
    #[arg(long = "authorization-details-type", value_name = "TYPE")]
    authorization_details_types: Vec<String>,
}

impl OpenId {
    /// Whether its keys are fetched.
    pub(super) const fn fetches_keys(&self) -> bool {
        self.jwks_uri.is_some()
    }
}

/// What a file held.
#[derive(Clone, Debug)]
struct EncryptionKeys(Vec<EncryptionJwk>);

fn encryption_keys(path: &str) -> Result<EncryptionKeys, String> {
    let text = std::fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let members: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|_| "it must be {\"keys\":[…]} with public keys (RFC 7517)".to_owned())?;
    let keys = EncryptionJwk::all_of(&members).map_err(|error| error.to_string())?;
    if keys.is_empty() {
        return Err("it has no public key to encrypt to".to_owned());
    }
    Ok(EncryptionKeys(keys))
}

fn subject_type(text: &str) -> Result<SubjectType, String> {
    SubjectType::from_name(text).ok_or_else(|| "must be public or pairwise".to_owned())
}

/// What was given of the groups, as members of [`Metadata`].
pub(super) fn changes(
    about: About,
    openid: OpenId,
    proofs: Proofs,
) -> Result<Map<String, Value>, Failed> {
    let subject_type = openid.subject_type;
    let given = members(&registered(about, openid, proofs))?;
    let nothing = members(&Metadata::default())?;
    let mut changes: Map<String, Value> = given
        .into_iter()
        .filter(|(name, value)| nothing.get(name) != Some(value))
        .collect();
    if let Some(subject_type) = subject_type {
        // `public` is what nothing looks like, too.
        changes.insert("subject_type".to_owned(), subject_type.as_str().into());
    }
    Ok(changes)
}

fn members(metadata: &Metadata) -> Result<Map<String, Value>, Failed> {
    match serde_json::to_value(metadata) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Failed("the metadata cannot be written as JSON".to_owned())),
    }
}

/// The groups as they are registered.
pub(super) fn registered(about: About, openid: OpenId, proofs: Proofs) -> Metadata {
    Metadata {
        legal_entity: about.legal_entity,
        licence: about.licence,
        hosting_country: about.hosting_country,
        contacts: about.contacts,
        client_uri: about.client_uri,
        policy_uri: about.policy_uri,
        tos_uri: about.tos_uri,
        logo_uri: about.logo_uri,
        subject_type: openid.subject_type.unwrap_or_default(),
        sector_identifier_uri: openid.sector_identifier_uri,
        jwks_uri: openid.jwks_uri,
        id_token_encrypted_response_alg: openid.id_token_encryption_alg,
        id_token_encrypted_response_enc: openid.id_token_encryption_enc,
        userinfo_encrypted_response_alg: openid.userinfo_encryption_alg,
        userinfo_encrypted_response_enc: openid.userinfo_encryption_enc,
        encryption_keys: openid
            .encryption_jwks
            .map(|keys| keys.0)
            .unwrap_or_default(),
        userinfo_signed_response_alg: openid.userinfo_alg,
        default_max_age: openid.default_max_age,
        require_auth_time: openid.require_auth_time,
        default_acr_values: openid.default_acr_values,
        require_acr: openid.require_acr,
        post_logout_redirect_uris: openid.post_logout_redirect_uris,
        backchannel_logout_uri: openid.backchannel_logout_uri,
        backchannel_logout_session_required: openid.backchannel_logout_session_required,
        dpop_bound_access_tokens: proofs.dpop_bound,
        dpop_nonces: proofs.dpop_nonces,
        tls_client_certificate_bound_access_tokens: proofs.certificate_bound,
        require_pushed_authorization_requests: proofs.require_par,
        require_signed_request_object: proofs.require_signed_request,
        request_object_signing_alg: proofs.request_alg,
        request_object_encryption_alg: proofs.request_encryption_alg,
        request_object_encryption_enc: proofs.request_encryption_enc,
        authorization_signed_response_alg: proofs.authorization_alg,
        introspection_signed_response_alg: proofs.introspection_alg,
        authorization_details_types: proofs.authorization_details_types,
    }
}
