//! The authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acr;
use super::claims_request::{self, ClaimsRequest};
use super::client::{Client, GrantType, Profile};
use super::details::{Details, Types};
use super::error::{ErrorCode, OAuthError};
use super::params::Params;
use super::pkce::Challenge;
use super::proof::Thumbprint;
use super::redirect;
use super::resource::Resource;
use super::scope::Scopes;
use super::target::{self, Wanted};
use crate::identity::Acr;

/// How the answer travels back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    #[default]
    Query,
    /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
    /// In the query, signed (JARM §2.3.1); `jwt` is another name for it (§2.3.4).
    #[serde(rename = "query.jwt")]
    QueryJwt,
    /// In a form, signed (JARM §2.3.3).
    #[serde(rename = "form_post.jwt")]
    FormPostJwt,
}

impl ResponseMode {
    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
            Self::QueryJwt => "query.jwt",
            Self::FormPostJwt => "form_post.jwt",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "jwt" => Some(Self::QueryJwt),
            other => [
                Self::Query,
                Self::FormPost,
                Self::QueryJwt,
                Self::FormPostJwt,
            ]
            .into_iter()
            .find(|mode| mode.as_str() == other),
        }
    }

    /// Whether the answer is signed.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::QueryJwt | Self::FormPostJwt)
    }
}

/// Where an answer, an error included, may be sent: client and redirect URI were verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnTo {
    /// The client, which a signed answer names.
    #[serde(default)]
    pub client_id: String,
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
    /// The person chooses who she is: whoever is signed in, or somebody else.
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
    /// PKCE; none only where [`needs_no_challenge`] says so.
    pub challenge: Option<Challenge>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What may and must be shown.
    pub prompt: Prompt,
    /// How long ago the person may have proved who she is.
    pub max_age: Option<Duration>,
    /// Whom the client believes to be there.
    pub login_hint: Option<String>,
    /// Who must answer, as this client knows her: one of these; anybody when there is no list.
    #[serde(default)]
    pub subjects: Option<Vec<String>>,
    /// What her proofs must reach; two factors when nothing is said.
    #[serde(default)]
    pub required_acr: Option<Acr>,
    /// What is asked for claim by claim.
    #[serde(default)]
    pub claims: ClaimsRequest,
    /// What is asked for that no scope says (RFC 9396).
    #[serde(default, skip_serializing_if = "Details::is_empty")]
    pub details: Details,
    /// The languages that she reads, best first (BCP 47).
    #[serde(default)]
    pub ui_locales: Vec<String>,
    /// The key that the code will be bound to (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<Thumbprint>,
}

/// The longest `state` and `nonce`, in bytes.
const MAX_ECHO: usize = 2048;
/// The most languages that are kept of `ui_locales`.
const MAX_LOCALES: usize = 8;

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
    let response_mode = params
        .get("response_mode")
        .and_then(ResponseMode::from_name)
        .unwrap_or_default();
    Ok(ReturnTo {
        client_id: client.id.clone(),
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
        (resources, types): (&[Resource], &impl Types),
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
        // OpenID Connect Core §7.2.1: nobody registers by a parameter here.
        if params.get("registration").is_some() {
            return Err(OAuthError::new(
                ErrorCode::RegistrationNotSupported,
                "the registration parameter is not supported; this client is registered already",
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
        if params
            .get("response_mode")
            .is_some_and(|mode| ResponseMode::from_name(mode).is_none())
        {
            return Err(OAuthError::invalid_request(
                "response_mode must be query, form_post, query.jwt, form_post.jwt or jwt",
            ));
        }
        let details = match params.get("authorization_details") {
            Some(text) => Details::parse(text, client, types)?,
            None => Details::default(),
        };
        let scopes = params.get("scope").map(Scopes::parse).transpose()?;
        let wanted = Wanted {
            scopes: scopes.as_ref(),
            named: params.resources(),
            details: &details,
        };
        let asked = target::for_person(client, wanted, resources, types)?;
        if params
            .get("nonce")
            .is_some_and(|nonce| nonce.len() > MAX_ECHO)
        {
            return Err(OAuthError::invalid_request(format!(
                "nonce is longer than {MAX_ECHO} bytes"
            )));
        }
        let challenge = Challenge::parse(params)?;
        if challenge.is_none() && !needs_no_challenge(client, &asked.scopes) {
            return Err(OAuthError::invalid_request(
                "code_challenge is missing: PKCE with S256 is required",
            )
            .about("pkce"));
        }
        let claims = params
            .get("claims")
            .map(claims_request::Parsed::read)
            .transpose()?
            .unwrap_or_default();
        // OpenID Connect Core §5.5: the parameter belongs to OpenID Connect requests. It is no way
        // around what the operator lets the client ask for.
        let request = if asked.scopes.contains("openid") {
            claims.request.left_to(client)
        } else {
            ClaimsRequest::default()
        };
        Ok(Self {
            client_id: client.id.clone(),
            return_to,
            scopes: asked.scopes,
            resources: asked.resources,
            challenge,
            nonce: params.get("nonce").map(str::to_owned),
            prompt: prompt(params.get("prompt"))?,
            max_age: max_age(params.get("max_age"))?
                .or(client.metadata.default_max_age.map(Duration::from_secs)),
            login_hint: params
                .get("login_hint")
                .map(|hint| hint.chars().take(128).collect()),
            subjects: claims.subjects,
            required_acr: claims
                .required_acr
                .max(acr::asked(params.get("acr_values"), client)),
            claims: request,
            details,
            ui_locales: locales(params.get("ui_locales")),
            dpop_jkt: params.get("dpop_jkt").map(dpop_jkt).transpose()?,
        })
    }

    /// Only the person whom this client knows as `subject` may answer (`id_token_hint`).
    pub fn expect(&mut self, subject: String) {
        let one = vec![subject];
        self.subjects = Some(match self.subjects.take() {
            None => one,
            Some(before) => claims_request::both(before, &one),
        });
    }

    /// Whether the person whom this client knows as `subject` may answer.
    #[must_use]
    pub fn is_for(&self, subject: &str) -> bool {
        let named = self.subjects.as_ref();
        named.is_none_or(|subjects| subjects.iter().any(|known| known == subject))
    }
}

/// Whether a request may come without PKCE: a confidential OpenID Connect client of the profile
/// `compat`. RFC 9700 §2.1.1 recommends PKCE to confidential clients and lets `nonce` take its
/// place; OpenID Connect Core §3.1.2.1 leaves `nonce` to the client, which alone can check it, so
/// it is not demanded here. The audit log says of each code what protects it.
#[must_use]
pub fn needs_no_challenge(client: &Client, scopes: &Scopes) -> bool {
    client.profile == Profile::Compat && client.is_confidential() && scopes.contains("openid")
}

/// RFC 9449 §10
fn dpop_jkt(text: &str) -> Result<Thumbprint, OAuthError> {
    Thumbprint::parse(text).ok_or_else(|| {
        OAuthError::invalid_request(
            "dpop_jkt must be the SHA-256 thumbprint of the public key (RFC 7638), base64url",
        )
    })
}

/// `ui_locales` (OpenID Connect Core §3.1.2.1): what is no language tag is ignored.
fn locales(value: Option<&str>) -> Vec<String> {
    let is_tag = |tag: &&str| {
        (2..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let tags = value.unwrap_or_default().split(' ').filter(is_tag);
    tags.take(MAX_LOCALES).map(str::to_owned).collect()
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
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                let why = "max_age must be a whole number of seconds";
                return Err(OAuthError::invalid_request(why));
            }
            // Whatever is longer than anything lasts here demands nothing.
            Ok(Duration::from_secs(
                text.parse::<u32>().unwrap_or(u32::MAX).into(),
            ))
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::{app, resources, types};
    use super::*;

    const GOOD: &str = "client_id=app&redirect_uri=https://app.example/cb&response_type=code\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
        &scope=openid+accounts:read&state=s";

    fn parse(form: &str) -> Result<AuthorizeRequest, OAuthError> {
        let params = Params::parse(form.as_bytes())?;
        let client = app();
        let back = return_to(&params, &client)?;
        AuthorizeRequest::parse(&params, &client, back, (&resources(), &types()))
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
            ("&state=s", "&max_age=+5", "invalid_request"),
            ("&state=s", "&response_mode=fragment", "invalid_request"),
            ("&state=s", "&request=e30", "request_not_supported"),
            ("&state=s", "&registration={}", "registration_not_supported"),
            ("&state=s", "&claims=x", "invalid_request"),
            (
                "&state=s",
                "&claims={\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"x\"}}}",
                "unmet_authentication_requirements",
            ),
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
    fn what_is_not_understood_is_ignored() {
        let more = "&display=touch&claims_locales=fr&acr_values=x&ui_locales=de-CH+x+fr&what=ever";
        let request = parse(&format!("{GOOD}{more}")).unwrap();
        assert_eq!(request.ui_locales, ["de-CH", "fr"]);
    }

    #[test]
    fn two_hints_at_different_people_leave_nobody() {
        let mut request = parse(GOOD).unwrap();
        assert!(request.is_for("ada"));
        request.expect("ada".to_owned());
        assert!(request.is_for("ada") && !request.is_for("bea"));
        request.expect("bea".to_owned());
        assert!(!request.is_for("ada") && !request.is_for("bea"));
    }

    #[test]
    fn only_a_confidential_compat_client_may_leave_pkce_out_and_only_for_openid() {
        let mut client = app();
        let openid = Scopes::from_iter(["openid"]);
        client.profile = Profile::Compat;
        assert!(!needs_no_challenge(&client, &openid), "it is public");
        client.auth = crate::protocol::ClientAuth::Secret { hashes: Vec::new() };
        assert!(needs_no_challenge(&client, &openid));
        assert!(!needs_no_challenge(
            &client,
            &Scopes::from_iter(["accounts:read"])
        ));
        client.profile = Profile::Oauth21;
        assert!(!needs_no_challenge(&client, &openid));
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
