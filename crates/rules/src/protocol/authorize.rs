//! The authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::client::{Client, GrantType};
use super::error::{ErrorCode, OAuthError};
use super::params::Params;
use super::pkce::Challenge;
use super::redirect;
use super::resource::Resource;
use super::scope::Scopes;
use super::target;

/// How the answer travels back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    Query,
    /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

impl ResponseMode {
    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

/// Where an answer, an error included, may be sent: client and redirect URI were verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnTo {
    /// The registered redirect URI that the request named.
    pub redirect_uri: String,
    /// How.
    pub response_mode: ResponseMode,
    /// The client's own value, returned as it came.
    pub state: Option<String>,
}

/// What the client asks to happen with the person (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the standard's own set of flags"
)]
pub struct Prompt {
    /// No page may be shown.
    pub none: bool,
    /// The person must sign in anew.
    pub login: bool,
    /// The person must be asked again.
    pub consent: bool,
    /// The person chooses who she is; here the same as signing in anew.
    pub select_account: bool,
}

/// A request that holds what the standards ask of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub return_to: ReturnTo,
    /// What is asked for.
    pub scopes: Scopes,
    /// Of which APIs; those that own the scopes, when the request named none.
    pub resources: Vec<String>,
    /// PKCE.
    pub challenge: Challenge,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What may and must be shown.
    pub prompt: Prompt,
    /// How long ago the person may have proved who she is.
    pub max_age: Option<Duration>,
    /// Whom the client believes to be there.
    pub login_hint: Option<String>,
}

/// The longest `state` and `nonce`, in bytes.
const MAX_ECHO: usize = 2048;

/// Verifies where an answer may go. Until this succeeds, an error is a page, never a redirect
/// (RFC 9700 §4.11.2).
///
/// # Errors
/// `invalid_request` or `unauthorized_client`, to be shown to the person.
pub fn return_to(params: &Params, client: &Client) -> Result<ReturnTo, OAuthError> {
    if !client.may(GrantType::AuthorizationCode) {
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "this client is not registered for authorization_code",
        ));
    }
    let redirect_uri = params.require("redirect_uri")?;
    // RFC 9700 §2.1: exact string matching.
    let registered = client
        .redirect_uris
        .iter()
        .any(|uri| redirect::matches(uri, redirect_uri));
    if !registered {
        return Err(OAuthError::invalid_request(
            "redirect_uri is not registered for this client; it must match to the letter",
        )
        .about("redirect-uri"));
    }
    if params
        .get("state")
        .is_some_and(|state| state.len() > MAX_ECHO)
    {
        return Err(OAuthError::invalid_request(format!(
            "state is longer than {MAX_ECHO} bytes; keep it at the client and send a reference"
        )));
    }
    let response_mode = match params.get("response_mode") {
        Some("form_post") => ResponseMode::FormPost,
        _ => ResponseMode::Query,
    };
    Ok(ReturnTo {
        redirect_uri: redirect_uri.to_owned(),
        response_mode,
        state: params.get("state").map(str::to_owned),
    })
}

impl AuthorizeRequest {
    /// Reads the rest of a request whose answer may go to `return_to`.
    ///
    /// # Errors
    /// What the standards name; to be sent to the client.
    pub fn parse(
        params: &Params,
        client: &Client,
        return_to: ReturnTo,
        resources: &[Resource],
    ) -> Result<Self, OAuthError> {
        // OpenID Connect Core §6: not offered, so it must be said.
        if params.get("request").is_some() {
            return Err(OAuthError::new(
                ErrorCode::RequestNotSupported,
                "request objects are not supported; push the parameters to the PAR endpoint",
            ));
        }
        if params.get("request_uri").is_some() {
            return Err(OAuthError::new(
                ErrorCode::RequestUriNotSupported,
                "request_uri must come from this server's PAR endpoint",
            ));
        }
        match params.require("response_type")? {
            "code" => {}
            _ => {
                return Err(OAuthError::new(
                    ErrorCode::UnsupportedResponseType,
                    "response_type must be code",
                ));
            }
        }
        if !matches!(
            params.get("response_mode"),
            None | Some("query" | "form_post")
        ) {
            return Err(OAuthError::invalid_request(
                "response_mode must be query or form_post",
            ));
        }
        let scope = params.get("scope").ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidScope,
                "scope is missing: say what is asked for",
            )
        })?;
        let asked = target::for_person(
            client,
            &Scopes::parse(scope)?,
            params.resources(),
            resources,
        )?;
        if params
            .get("nonce")
            .is_some_and(|nonce| nonce.len() > MAX_ECHO)
        {
            return Err(OAuthError::invalid_request(format!(
                "nonce is longer than {MAX_ECHO} bytes"
            )));
        }
        let challenge = Challenge::parse(params)?.ok_or_else(|| {
            OAuthError::invalid_request("code_challenge is missing: PKCE with S256 is required")
                .about("pkce")
        })?;
        Ok(Self {
            client_id: client.id.clone(),
            return_to,
            scopes: asked.scopes,
            resources: asked.resources,
            challenge,
            nonce: params.get("nonce").map(str::to_owned),
            prompt: prompt(params.get("prompt"))?,
            max_age: max_age(params.get("max_age"))?,
            login_hint: params
                .get("login_hint")
                .map(|hint| hint.chars().take(128).collect()),
        })
    }
}

fn prompt(value: Option<&str>) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    for word in value
        .unwrap_or_default()
        .split(' ')
        .filter(|word| !word.is_empty())
    {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => {
                return Err(OAuthError::invalid_request(
                    "prompt must be none, login, consent or select_account",
                )
                .about("prompt"));
            }
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err(OAuthError::invalid_request(
            "prompt none cannot be combined with another value",
        )
        .about("prompt"));
    }
    Ok(prompt)
}

fn max_age(value: Option<&str>) -> Result<Option<Duration>, OAuthError> {
    value
        .map(|text| {
            text.parse::<u32>()
                .map(|secs| Duration::from_secs(secs.into()))
                .map_err(|_| {
                    OAuthError::invalid_request("max_age must be a whole number of seconds")
                })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::{app, resources};
    use super::*;

    const GOOD: &str = "client_id=app&redirect_uri=https://app.example/cb&response_type=code\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
        &scope=openid+accounts:read&state=s";

    fn parse(form: &str) -> Result<AuthorizeRequest, OAuthError> {
        let params = Params::parse(form.as_bytes())?;
        let client = app();
        let back = return_to(&params, &client)?;
        AuthorizeRequest::parse(&params, &client, back, &resources())
    }

    #[test]
    fn a_good_request_is_understood() {
        let request = parse(GOOD).unwrap();
        assert_eq!(request.resources, ["https://api.example/accounts"]);
        assert_eq!(request.return_to.state.as_deref(), Some("s"));
    }

    #[test]
    fn an_unregistered_redirect_uri_is_never_returned_to() {
        let params = Params::parse(b"redirect_uri=https://evil.example/cb").unwrap();
        assert!(return_to(&params, &app()).is_err());
        assert!(return_to(&Params::default(), &app()).is_err());
    }

    #[test]
    fn each_mistake_has_its_own_code() {
        let table = [
            (
                "response_type=code",
                "response_type=token",
                "unsupported_response_type",
            ),
            ("response_type=code", "x=y", "invalid_request"),
            (
                "&code_challenge_method=S256",
                "&code_challenge_method=plain",
                "invalid_request",
            ),
            ("scope=openid+accounts:read", "x=y", "invalid_scope"),
            (
                "scope=openid+accounts:read",
                "scope=openid+payments:write",
                "invalid_scope",
            ),
            (
                "&state=s",
                "&resource=https://other.example",
                "invalid_target",
            ),
            ("&state=s", "&prompt=none+login", "invalid_request"),
            ("&state=s", "&prompt=create", "invalid_request"),
            ("&state=s", "&max_age=-1", "invalid_request"),
            ("&state=s", "&response_mode=fragment", "invalid_request"),
            ("&state=s", "&request=e30", "request_not_supported"),
            (
                "&state=s",
                "&request_uri=https://app.example/r",
                "request_uri_not_supported",
            ),
        ];
        for (from, to, code) in table {
            let error = parse(&GOOD.replace(from, to)).unwrap_err();
            assert_eq!(error.code.as_str(), code, "{to}");
        }
    }

    #[test]
    fn a_request_without_pkce_is_refused() {
        let form = GOOD.replace("code_challenge", "unused");
        assert!(
            parse(&form)
                .unwrap_err()
                .description
                .contains("code_challenge")
        );
    }
}
