//! Pocket Budget's side of OpenID Connect, with the crates that any third party would take:
//! discovery, code flow with PKCE, refresh, revocation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oauth2::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpClientError, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardErrorResponse,
    TokenResponse as _,
};
use openidconnect::core::CoreErrorResponseType;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
    CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthenticationContextClass, AuthenticationFlow,
    IssuerUrl, LanguageTag, Nonce, ProviderMetadata, TokenResponse as _,
};
use rules::jose::JwkSet;
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::keys::Keys;
use crate::secret::Secret;
use crate::words::Lang;

/// What Pocket Budget asks for.
pub const SCOPES: [&str; 5] = [
    "profile",
    "email",
    "offline_access",
    "accounts:read",
    "transactions:read",
];

/// Members of the provider's metadata that the crate has no field for (RFC 8414 §2, RFC 9207 §3).
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    revocation_endpoint: String,
    end_session_endpoint: String,
    pushed_authorization_request_endpoint: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Provider = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the provider says of a request that was pushed (RFC 9126 §2.2).
#[derive(Deserialize)]
struct Pushed {
    request_uri: String,
}

/// How Pocket Budget is registered at its provider.
pub struct RelyingParty {
    /// The provider's issuer identifier.
    pub issuer: String,
    /// `client_id`.
    pub client_id: String,
    /// How it proves who it is.
    pub trust: Trust,
    /// Where the provider sends people back to.
    pub redirect_uri: String,
    /// Where it sends them after they signed out.
    pub signed_out_uri: String,
    /// How it calls.
    pub http: Http,
}

/// How the app proves who it is.
pub enum Trust {
    /// By a secret.
    Secret(Secret),
    /// By a key, with requests pushed and tokens bound to another (FAPI 2.0).
    Keys(Arc<Keys>),
}

/// What must be remembered between sending a person to the provider and seeing her again.
pub struct Attempt {
    /// Where to send her.
    pub url: String,
    /// Comes back with her.
    pub state: String,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// What the provider sent her back with.
pub struct Callback {
    /// The authorization code.
    pub code: String,
    /// Who says so (RFC 9207).
    pub iss: Option<String>,
}

/// A bank that is connected: who the person is, and the tokens.
#[derive(Clone)]
pub struct Connection {
    /// `sub`.
    pub subject: String,
    /// `sid`: the session at the bank in which it was made.
    pub session: String,
    /// Names that session when she signs out.
    pub id_token: Secret,
    /// Her name.
    pub name: Option<String>,
    /// Her e-mail address.
    pub email: Option<String>,
    /// How she was authenticated: `acr`, then `amr`.
    pub assurance: String,
    /// What was granted.
    pub scopes: Vec<String>,
    /// For the API.
    pub access_token: Secret,
    /// For new access tokens.
    pub refresh_token: Option<Secret>,
}

/// Why the provider gives no tokens.
#[derive(Debug)]
pub enum Trouble {
    /// It says that the grant is over (RFC 6749 §5.2, `invalid_grant`).
    Ended,
    /// It does not answer, or not as the standards say; for the developer.
    Broken(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ended => "the code or the token is no longer good",
            Self::Broken(why) => why,
        })
    }
}

/// The library's HTTP client over this project's version of reqwest.
#[derive(Clone)]
pub struct Http(pub reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpClientError<reqwest::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Self::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let http = self.0.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(Box::new)?;
            let response = http.execute(request).await.map_err(Box::new)?;
            let mut reply = HttpResponse::new(Vec::new());
            *reply.status_mut() = response.status();
            *reply.headers_mut() = response.headers().clone();
            *reply.body_mut() = response.bytes().await.map_err(Box::new)?.to_vec();
            Ok(reply)
        })
    }
}

impl RelyingParty {
    /// Begins an attempt to connect, or to have the person prove more: `acr` is what the API wants,
    /// `lang` what the app speaks with her.
    ///
    /// # Errors
    /// [`Trouble::Broken`].
    pub async fn begin(&self, acr: Option<&str>, lang: Lang) -> Result<Attempt, Trouble> {
        let (provider, more) = self.discover().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = provider.authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        );
        if let Some(acr) = acr {
            request =
                request.add_auth_context_value(AuthenticationContextClass::new(acr.to_owned()));
        }
        let (url, state, nonce) = request
            // The bank goes on in the language of the app.
            .add_ui_locale(LanguageTag::new(lang.tag().to_owned()))
            .add_scopes(SCOPES.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(challenge)
            .url();
        Ok(Attempt {
            url: self.pushed(url, &more).await?.into(),
            state: state.into_secret(),
            nonce,
            verifier,
        })
    }

    /// Where to send the person: with keys the request is signed and goes to the bank first, and the browser
    /// brings its name alone (RFC 9126 §2, §4).
    async fn pushed(&self, url: Url, more: &More) -> Result<Url, Trouble> {
        let Trust::Keys(keys) = &self.trust else {
            return Ok(url);
        };
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let request = keys.signed(&pairs)?;
        let endpoint = &more.pushed_authorization_request_endpoint;
        let form = [("request", request.as_str())];
        let answer = keys.post(&self.http.0, endpoint, &form).await?;
        let pushed: Pushed = serde_json::from_slice(&answer).map_err(broken)?;
        let mut short = url;
        short
            .query_pairs_mut()
            .clear()
            .append_pair("client_id", &self.client_id)
            .append_pair("request_uri", &pushed.request_uri);
        Ok(short)
    }

    /// Exchanges the code, and verifies who signed in.
    ///
    /// # Errors
    /// [`Trouble`]; the code is spent then.
    pub async fn finish(
        &self,
        attempt: Attempt,
        callback: Callback,
    ) -> Result<Connection, Trouble> {
        let (provider, more) = self.discover().await?;
        check_iss(
            callback.iss.as_deref(),
            &self.issuer,
            more.authorization_response_iss_parameter_supported,
        )?;
        let exchange = provider
            .exchange_code(AuthorizationCode::new(callback.code.clone()))
            .map_err(broken)?;
        let tokens = match &self.trust {
            Trust::Secret(_) => exchange
                .set_pkce_verifier(attempt.verifier)
                .request_async(&self.http)
                .await
                .map_err(|error| refused(&error))?,
            Trust::Keys(keys) => {
                let form = [
                    ("grant_type", "authorization_code"),
                    ("code", &callback.code),
                    ("redirect_uri", &self.redirect_uri),
                    ("code_verifier", attempt.verifier.secret()),
                ];
                self.granted(keys, &provider, &form).await?
            }
        };
        let verifier = provider.id_token_verifier();
        let claims = verified(&tokens, &verifier, &attempt.nonce)?;
        let id_token = tokens.id_token().map(ToString::to_string);
        let id_token = id_token.unwrap_or_default();
        // OpenID Connect Core §5.3: who she is stands at the userinfo endpoint; what it says counts
        // only when it is about the person of the ID token.
        let token = Secret::new(tokens.access_token().secret().clone());
        let ask = provider
            .user_info(
                tokens.access_token().clone(),
                Some(claims.subject().clone()),
            )
            .map_err(broken)?;
        let person: CoreUserInfoClaims = match &self.trust {
            Trust::Secret(_) => ask
                .request_async(&self.http)
                .await
                .map_err(|error| broken(chain(&error)))?,
            Trust::Keys(keys) => {
                let url = provider.user_info_url().map(|url| url.as_str());
                let url = url.ok_or_else(|| broken("the bank has no userinfo endpoint"))?;
                let asked = keys.get(&self.http.0, url, &token)?.send();
                let answer = asked.await.and_then(reqwest::Response::error_for_status);
                let answer = answer.map_err(broken)?.bytes().await.map_err(broken)?;
                CoreUserInfoClaims::from_json::<reqwest::Error>(&answer, Some(claims.subject()))
                    .map_err(broken)?
            }
        };
        Ok(Connection {
            subject: claims.subject().to_string(),
            session: session(&id_token)?,
            id_token: Secret::new(id_token),
            name: person
                .name()
                .and_then(|name| name.get(None))
                .map(|name| name.to_string()),
            email: person.email().map(|email| email.to_string()),
            assurance: assurance(claims),
            scopes: scopes(&tokens).unwrap_or_else(requested),
            access_token: token,
            refresh_token: tokens.refresh_token().map(kept),
        })
    }

    /// What the token endpoint gives to whoever has keys.
    async fn granted(
        &self,
        keys: &Keys,
        provider: &Provider,
        form: &[(&str, &str)],
    ) -> Result<CoreTokenResponse, Trouble> {
        let url = provider.token_uri().map(|url| url.as_str());
        let url = url.ok_or_else(|| broken("the bank has no token endpoint"))?;
        let answer = keys.post(&self.http.0, url, form).await?;
        serde_json::from_slice(&answer).map_err(broken)
    }

    /// Gets a new access token.
    ///
    /// # Errors
    /// [`Trouble::Ended`] when the person, or the bank, stopped it.
    pub async fn refresh(&self, connection: &Connection) -> Result<Connection, Trouble> {
        let Some(refresh_token) = &connection.refresh_token else {
            return Err(Trouble::Ended);
        };
        let (provider, _) = self.discover().await?;
        let tokens = match &self.trust {
            Trust::Secret(_) => provider
                .exchange_refresh_token(&RefreshToken::new(refresh_token.expose().to_owned()))
                .map_err(broken)?
                .request_async(&self.http)
                .await
                .map_err(|error| refused(&error))?,
            Trust::Keys(keys) => {
                let form = [
                    ("grant_type", "refresh_token"),
                    ("refresh_token", refresh_token.expose()),
                ];
                self.granted(keys, &provider, &form).await?
            }
        };
        let mut renewed = connection.clone();
        renewed.access_token = Secret::new(tokens.access_token().secret().clone());
        // RFC 6749 §5.1: without a scope in the answer it is what it was.
        if let Some(scopes) = scopes(&tokens) {
            renewed.scopes = scopes;
        }
        // RFC 6749 §6: a new refresh token replaces the old one.
        if let Some(token) = tokens.refresh_token() {
            renewed.refresh_token = Some(kept(token));
        }
        Ok(renewed)
    }

    /// Gives the tokens back (RFC 7009).
    ///
    /// # Errors
    /// [`Trouble::Broken`].
    pub async fn revoke(&self, connection: &Connection) -> Result<(), Trouble> {
        let (_, more) = self.discover().await?;
        let token = connection
            .refresh_token
            .as_ref()
            .unwrap_or(&connection.access_token);
        let form = [("token", token.expose())];
        let (http, url) = (&self.http.0, &more.revocation_endpoint);
        match &self.trust {
            // The oauth2 crate revokes over https alone, which a server on loopback does not speak.
            Trust::Secret(secret) => {
                let asked = http.post(url);
                let asked = asked.basic_auth(&self.client_id, Some(secret.expose()));
                let answer = asked.form(&form).send().await.map_err(broken)?;
                answer.error_for_status().map(drop).map_err(broken)
            }
            Trust::Keys(keys) => keys.post(http, url, &form).await.map(drop),
        }
    }

    /// Where to send a person who signs out, so that she is signed out at the bank too (OpenID
    /// Connect RP-Initiated Logout §2).
    ///
    /// # Errors
    /// [`Trouble::Broken`].
    pub async fn sign_out_url(&self, connection: &Connection) -> Result<String, Trouble> {
        let (_, more) = self.discover().await?;
        let parameters = [
            ("id_token_hint", connection.id_token.expose()),
            ("client_id", &self.client_id),
            ("post_logout_redirect_uri", &self.signed_out_uri),
        ];
        let url = url::Url::parse_with_params(&more.end_session_endpoint, parameters);
        url.map(Into::into).map_err(broken)
    }

    /// Which of the bank's sessions a logout token says has ended.
    ///
    /// # Errors
    /// [`Trouble::Ended`] when it is not for us, [`Trouble::Broken`] when that cannot be found out.
    pub async fn ended_session(&self, token: &str, now: Timestamp) -> Result<String, Trouble> {
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(broken)?;
        let metadata = Metadata::discover_async(issuer, &self.http)
            .await
            .map_err(|error| broken(chain(&error)))?;
        let keys = self.http.0.get(metadata.jwks_uri().as_str()).send();
        let keys = keys.await.map_err(broken)?.bytes().await.map_err(broken)?;
        let keys = JwkSet::from_json(&keys).map_err(broken)?;
        super::logout::ended_session(token, &keys, (&self.issuer, &self.client_id), now).map_err(
            |why| {
                tracing::warn!(error.detail = %why, "Pocket Budget refuses a logout token");
                Trouble::Ended
            },
        )
    }

    /// Asked anew each time: keys rotate, and on loopback it costs next to nothing.
    async fn discover(&self) -> Result<(Provider, More), Trouble> {
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(broken)?;
        let metadata = Metadata::discover_async(issuer, &self.http)
            .await
            .map_err(|error| broken(chain(&error)))?;
        let more = metadata.additional_metadata().clone();
        let redirect = RedirectUrl::new(self.redirect_uri.clone()).map_err(broken)?;
        let provider = CoreClient::from_provider_metadata(
            metadata,
            ClientId::new(self.client_id.clone()),
            match &self.trust {
                Trust::Secret(secret) => Some(ClientSecret::new(secret.expose().to_owned())),
                Trust::Keys(_) => None,
            },
        )
        .set_redirect_uri(redirect);
        Ok((provider, more))
    }
}

/// RFC 9207 §2.4: an answer from another issuer, or one that should name it and does not, is
/// thrown away before its code is used.
pub fn check_iss(iss: Option<&str>, issuer: &str, promised: bool) -> Result<(), Trouble> {
    match iss {
        Some(iss) if iss == issuer => Ok(()),
        None if !promised => Ok(()),
        _ => Err(Trouble::Broken(
            "the answer comes from another issuer".to_owned(),
        )),
    }
}

/// The claims of the ID token, after every check of OpenID Connect Core §3.1.3.7.
fn verified<'t>(
    tokens: &'t CoreTokenResponse,
    verifier: &CoreIdTokenVerifier<'_>,
    nonce: &Nonce,
) -> Result<&'t CoreIdTokenClaims, Trouble> {
    let id_token = tokens
        .id_token()
        .ok_or_else(|| broken("no ID token came with the tokens"))?;
    let claims = id_token.claims(verifier, nonce).map_err(broken)?;
    if let Some(expected) = claims.access_token_hash() {
        let alg = id_token.signing_alg().map_err(broken)?;
        let key = id_token.signing_key(verifier).map_err(broken)?;
        let actual =
            AccessTokenHash::from_token(tokens.access_token(), alg, key).map_err(broken)?;
        if actual != *expected {
            return Err(broken("the ID token belongs to another access token"));
        }
    }
    Ok(claims)
}

/// `sid` of an ID token that was verified; the crate knows no such claim.
fn session(id_token: &str) -> Result<String, Trouble> {
    let peeked = rules::jose::dangerous_peek(id_token).map_err(broken)?;
    let sid = peeked.payload.get("sid").and_then(|sid| sid.as_str());
    sid.map(str::to_owned)
        .ok_or_else(|| broken("the ID token names no session"))
}

fn assurance(claims: &CoreIdTokenClaims) -> String {
    let acr = claims.auth_context_ref().map(|acr| acr.to_string());
    let amr = claims.auth_method_refs().map(|methods| {
        let methods: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        methods.join(" + ")
    });
    let parts: Vec<String> = [acr, amr].into_iter().flatten().collect();
    parts.join(", by ")
}

fn scopes(tokens: &CoreTokenResponse) -> Option<Vec<String>> {
    let scopes = tokens.scopes()?;
    Some(scopes.iter().map(|scope| scope.to_string()).collect())
}

fn requested() -> Vec<String> {
    SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
}

fn kept(token: &RefreshToken) -> Secret {
    Secret::new(token.secret().clone())
}

fn refused<E: std::error::Error + 'static>(
    error: &RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> Trouble {
    match error {
        RequestTokenError::ServerResponse(answer)
            if *answer.error() == CoreErrorResponseType::InvalidGrant =>
        {
            Trouble::Ended
        }
        _ => broken(chain(error)),
    }
}

pub(super) fn broken(error: impl std::fmt::Display) -> Trouble {
    Trouble::Broken(error.to_string())
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

#[cfg(test)]
impl Attempt {
    /// An attempt that nobody will finish.
    pub(super) fn for_test(state: &str) -> Self {
        Self {
            url: String::new(),
            state: state.to_owned(),
            nonce: Nonce::new(String::new()),
            verifier: PkceCodeVerifier::new(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_another_issuer_is_thrown_away() {
        let us = "http://localhost:9400";
        assert!(check_iss(Some(us), us, true).is_ok());
        assert!(check_iss(None, us, false).is_ok());
        assert!(check_iss(None, us, true).is_err());
        assert!(check_iss(Some("http://localhost:9400/"), us, true).is_err());
        assert!(check_iss(Some("https://evil.example"), us, false).is_err());
    }
}
