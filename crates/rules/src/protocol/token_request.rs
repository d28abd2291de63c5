//! The token request (RFC 6749 §4.1.3, §4.4.2, §6; RFC 8707 §2.2).

use super::client::{Client, GrantType};
use super::error::{ErrorCode, OAuthError};
use super::params::Params;
use super::scope::Scopes;

/// What a client asks the token endpoint for. `Debug` is left out: it holds secrets.
pub struct TokenRequest {
    /// By which grant.
    pub grant: Grant,
    /// `resource`, as often as sent.
    pub resources: Vec<String>,
    /// `authorization_details` (RFC 9396 §6), unread: no more than was granted, or what a client asks
    /// for itself.
    pub details: Option<String>,
}

/// The grant, with what it needs.
pub enum Grant {
    /// `authorization_code`.
    Code {
        /// `code`.
        code: String,
        /// `redirect_uri`.
        redirect_uri: Option<String>,
        /// `code_verifier`.
        verifier: Option<String>,
    },
    /// `refresh_token`.
    Refresh {
        /// `refresh_token`.
        token: String,
        /// `scope`: no more than was granted.
        scopes: Option<Scopes>,
    },
    /// `client_credentials`.
    ClientCredentials {
        /// `scope`; all that the client may, when there are neither scopes nor details.
        scopes: Option<Scopes>,
    },
}

impl TokenRequest {
    /// Reads a request of a client that was authenticated.
    ///
    /// # Errors
    /// What RFC 6749 §5.2 names.
    pub fn parse(params: &Params, client: &Client) -> Result<Self, OAuthError> {
        let name = params.require("grant_type")?;
        let Some(grant_type) = GrantType::from_name(name) else {
            return Err(OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type must be authorization_code, refresh_token or client_credentials",
            ));
        };
        if !client.may(grant_type) {
            return Err(OAuthError::new(
                ErrorCode::UnauthorizedClient,
                format!("this client is not registered for {name}"),
            ));
        }
        let text = |name| params.get(name).map(str::to_owned);
        let scopes = || params.get("scope").map(Scopes::parse).transpose();
        let grant = match grant_type {
            GrantType::AuthorizationCode => Grant::Code {
                code: params.require("code")?.to_owned(),
                redirect_uri: text("redirect_uri"),
                verifier: text("code_verifier"),
            },
            GrantType::RefreshToken => Grant::Refresh {
                token: params.require("refresh_token")?.to_owned(),
                scopes: scopes()?,
            },
            GrantType::ClientCredentials => Grant::ClientCredentials { scopes: scopes()? },
        };
        let resources = params.resources().to_vec();
        let details = text("authorization_details");
        Ok(Self {
            grant,
            resources,
            details,
        })
    }
}
