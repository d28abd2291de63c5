//! `countersign client set …`.

use clap::{Args, ValueEnum};
use rules::jose::Alg;
use rules::protocol::{Profile, Scopes};
use serde_json::Value;

use super::{Failed, Grant, grants, metadata, profile};
use crate::flows::clients::ClientEdit;
use crate::http::admin::AdminCommand;

#[derive(Debug, Args)]
pub(in crate::cli) struct Set {
    /// The client's id
    #[arg(value_name = "CLIENT_ID")]
    id: String,
    /// Its name, as people see it on the consent page
    #[arg(long)]
    name: Option<String>,
    /// Where people may be sent back to: all of them, each with this flag
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// What it may use: all of it, each with this flag
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<Grant>,
    /// What it may ask for: all of it, separated by spaces or given several times
    #[arg(long = "scope", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// How its ID tokens are signed: RS256, ES256, PS256 or EdDSA
    #[arg(long, value_name = "ALG")]
    id_token_alg: Option<Alg>,
    /// Its rules: fapi2, oauth21 or compat
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    profile: Option<Profile>,
    /// What is no longer registered; may be given several times
    #[arg(long, value_name = "WHAT")]
    clear: Vec<Clear>,
    #[command(flatten)]
    about: metadata::About,
    #[command(flatten)]
    openid: metadata::OpenId,
    #[command(flatten)]
    proofs: metadata::Proofs,
}

/// What can be taken out of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Clear {
    RedirectUris,
    Scopes,
    LegalEntity,
    Licence,
    HostingCountry,
    Contacts,
    ClientUri,
    PolicyUri,
    TosUri,
    LogoUri,
    SectorIdentifierUri,
    JwksUri,
    IdTokenEncryption,
    UserinfoAlg,
    UserinfoEncryption,
    DefaultMaxAge,
    RequireAuthTime,
    DefaultAcr,
    RequireAcr,
    PostLogoutRedirectUris,
    BackchannelLogoutUri,
    BackchannelLogoutSessionRequired,
    DpopBound,
    DpopNonces,
    CertificateBound,
    RequirePar,
    RequireSignedRequest,
    RequestAlg,
    RequestEncryption,
    AuthorizationAlg,
    IntrospectionAlg,
    AuthorizationDetailsTypes,
}

impl Clear {
    /// The member of the metadata; none for what is beside it.
    const fn member(self) -> Option<&'static str> {
        Some(match self {
            Self::RedirectUris | Self::Scopes => return None,
            Self::LegalEntity => "legal_entity",
            Self::Licence => "licence",
            Self::HostingCountry => "hosting_country",
            Self::Contacts => "contacts",
            Self::ClientUri => "client_uri",
            Self::PolicyUri => "policy_uri",
            Self::TosUri => "tos_uri",
            Self::LogoUri => "logo_uri",
            Self::SectorIdentifierUri => "sector_identifier_uri",
            Self::IdTokenEncryption => "id_token_encrypted_response_alg",
            Self::JwksUri => "jwks_uri",
            Self::UserinfoAlg => "userinfo_signed_response_alg",
            Self::UserinfoEncryption => "userinfo_encrypted_response_alg",
            Self::DefaultMaxAge => "default_max_age",
            Self::RequireAuthTime => "require_auth_time",
            Self::DefaultAcr => "default_acr_values",
            Self::RequireAcr => "require_acr",
            Self::PostLogoutRedirectUris => "post_logout_redirect_uris",
            Self::BackchannelLogoutUri => "backchannel_logout_uri",
            Self::BackchannelLogoutSessionRequired => "backchannel_logout_session_required",
            Self::DpopBound => "dpop_bound_access_tokens",
            Self::DpopNonces => "dpop_nonces",
            Self::CertificateBound => "tls_client_certificate_bound_access_tokens",
            Self::RequirePar => "require_pushed_authorization_requests",
            Self::RequireSignedRequest => "require_signed_request_object",
            Self::RequestAlg => "request_object_signing_alg",
            Self::RequestEncryption => "request_object_encryption_alg",
            Self::AuthorizationAlg => "authorization_signed_response_alg",
            Self::IntrospectionAlg => "introspection_signed_response_alg",
            Self::AuthorizationDetailsTypes => "authorization_details_types",
        })
    }
}

impl Set {
    /// What the server is asked to do.
    pub(super) fn command(self) -> Result<AdminCommand, Failed> {
        let mut edit = ClientEdit {
            name: self.name,
            redirect_uris: given(self.redirect_uris),
            id_token_signed_response_alg: self.id_token_alg,
            profile: self.profile,
            metadata: metadata::changes(self.about, self.openid, self.proofs)?,
            ..ClientEdit::default()
        };
        if !self.grants.is_empty() {
            edit.grant_types = Some(grants(&self.grants, false)?);
        }
        if !self.scopes.is_empty() {
            let scopes = Scopes::parse(&self.scopes.join(" "))
                .map_err(|error| Failed(format!("--scope: {}", error.description)))?;
            edit.scopes = Some(scopes);
        }
        for clear in self.clear {
            match clear.member() {
                Some(member) => {
                    edit.metadata.insert(member.to_owned(), Value::Null);
                    let is_encryption = matches!(
                        clear,
                        Clear::IdTokenEncryption
                            | Clear::UserinfoEncryption
                            | Clear::RequestEncryption
                    );
                    if is_encryption {
                        // Of two that belong together.
                        let enc = member.replace("_alg", "_enc");
                        edit.metadata.insert(enc, Value::Null);
                    }
                }
                None if clear == Clear::Scopes => edit.scopes = Some(Scopes::default()),
                None => edit.redirect_uris = Some(Vec::new()),
            }
        }
        Ok(AdminCommand::ClientSet {
            id: self.id,
            edit: Box::new(edit),
        })
    }
}

/// What was given; nothing when the flag was left out.
fn given<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}
