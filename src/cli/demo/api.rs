//! The accounts API: it knows nothing about people or apps, and asks Countersign about the token
//! of every single call (RFC 7662).

use std::sync::Arc;

use std::convert::Infallible;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rules::identity::Acr;
use rules::protocol::{Thumbprint, TokenType, dpop};
use serde_json::{Value, json};

use super::accounts;
use super::asking::Caller;
use super::possession::{Possessions, Shown, Unproved};
use super::window::Answers;
use crate::rng;
use crate::secret::Secret;

/// The scope that lets an app see accounts and balances.
pub const ACCOUNTS_READ: &str = "accounts:read";
/// The scope that lets an app see transactions.
pub const TRANSACTIONS_READ: &str = "transactions:read";

/// What a person must reach to see a card's number.
const STRONG: Acr = Acr::PhishingResistant;

const PROOF: HeaderName = HeaderName::from_static("dpop");
/// One call's identifier, in the logs of both sides (FAPI 1.0 Baseline §6.2.1).
const INTERACTION: HeaderName = HeaderName::from_static("x-fapi-interaction-id");
/// Where the API says what it is (RFC 9728 §3.1): before the path of its identifier.
const METADATA: &str = "/.well-known/oauth-protected-resource/accounts";
/// The longest that is echoed.
const INTERACTION_MAX: usize = 64;

/// The API and what it authenticates itself with.
pub struct Api {
    /// Its resource identifier (RFC 8707).
    pub resource: String,
    /// Who makes the tokens, and is asked about them.
    pub issuer: String,
    /// Its `client_id`.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: Secret,
    /// How it calls.
    pub http: reqwest::Client,
    /// Where it leaves what it was told, for the demo's pages.
    pub answers: Arc<Answers>,
    /// Checks that whoever calls holds what the token is bound to.
    pub possessions: Possessions,
}

/// What of a call is judged.
struct Call {
    method: String,
    path: String,
    headers: HeaderMap,
    certificate: Option<Thumbprint>,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<ConnectInfo<Caller>>();
        Ok(Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            headers: parts.headers.clone(),
            certificate: caller.and_then(|ConnectInfo(caller)| caller.certificate),
        })
    }
}

impl Call {
    /// What it shows; a proof that is no text is none.
    fn shown(&self) -> Result<Shown, Refusal> {
        let (scheme, token) = presented(&self.headers)?;
        let proofs = self.headers.get_all(PROOF).iter();
        let proofs = proofs.map(|proof| String::from_utf8_lossy(proof.as_bytes()).into_owned());
        Ok(Shown {
            method: self.method.clone(),
            path: self.path.clone(),
            scheme,
            token: token.to_owned(),
            proofs: proofs.collect(),
            certificate: self.certificate,
        })
    }
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// No token came along.
    NoToken,
    /// The `Authorization` header holds no access token.
    Malformed,
    /// Countersign says that the token is not good, or not for this API.
    InvalidToken,
    /// Whoever sent the token does not show that it is hers.
    Unproved(Unproved),
    /// The token is good, but not for this.
    InsufficientScope(&'static str),
    /// The token is good, but the person behind it proved too little for this (RFC 9470 §3).
    InsufficientAuthentication,
    /// Countersign does not answer; nothing is known about the token.
    Unavailable,
}

/// The API's routes.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/", get(about))
        .route(METADATA, get(metadata))
        .route("/accounts", get(list))
        .route("/accounts/{id}/transactions", get(transactions))
        .route("/accounts/{id}/card", get(card))
        .fallback(async || json_reply(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })))
        .layer(middleware::from_fn(echo_interaction))
        .with_state(api)
}

/// Echoes the call's identifier; makes one for a call that has none, or something else.
async fn echo_interaction(request: Request, next: Next) -> Response {
    let sent = request.headers().get(&INTERACTION).filter(|sent| {
        let plain = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_graphic);
        (1..=INTERACTION_MAX).contains(&sent.len()) && plain(sent.as_bytes())
    });
    let id = match sent {
        Some(sent) => Some(sent.clone()),
        None => rng::bytes().ok().and_then(|bytes| {
            let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
            HeaderValue::from_str(&id.to_string()).ok()
        }),
    };
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(INTERACTION, id);
    }
    response
}

async fn about(State(api): State<Arc<Api>>) -> Response {
    let body = json!({
        "name": "Accounts API",
        "resource": api.resource,
        "endpoints": ["/accounts", "/accounts/{id}/transactions", "/accounts/{id}/card"],
    });
    json_reply(StatusCode::OK, &body)
}

/// What an app must know to get tokens for this API (RFC 9728 §2).
async fn metadata(State(api): State<Arc<Api>>) -> Response {
    let bound = api.possessions.are_demanded();
    let body = json!({
        "resource": api.resource,
        "resource_name": "Accounts",
        "authorization_servers": [api.issuer],
        "scopes_supported": [ACCOUNTS_READ, TRANSACTIONS_READ],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": dpop::ALGS,
        "tls_client_certificate_bound_access_tokens": bound,
    });
    json_reply(StatusCode::OK, &body)
}

async fn list(State(api): State<Arc<Api>>, call: Call) -> Response {
    match api.admit(&call, ACCOUNTS_READ).await {
        Ok(_) => json_reply(StatusCode::OK, &json!({ "accounts": accounts::all() })),
        Err(refusal) => api.refuse(&call, &refusal),
    }
}

async fn transactions(State(api): State<Arc<Api>>, Path(id): Path<String>, call: Call) -> Response {
    // Who may not look learns nothing about which accounts there are.
    if let Err(refusal) = api.admit(&call, TRANSACTIONS_READ).await {
        return api.refuse(&call, &refusal);
    }
    match accounts::transactions(&id) {
        Some(found) => json_reply(StatusCode::OK, &json!({ "transactions": found })),
        None => json_reply(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })),
    }
}

/// The whole number of the account's card: only for somebody who proved it with a passkey or a
/// security key.
async fn card(State(api): State<Arc<Api>>, Path(id): Path<String>, call: Call) -> Response {
    let admitted = api.admit(&call, ACCOUNTS_READ).await;
    if let Err(refusal) = admitted.and_then(|answer| is_strong(&answer)) {
        return api.refuse(&call, &refusal);
    }
    match accounts::card(&id) {
        Some(number) => json_reply(StatusCode::OK, &json!({ "card_number": number })),
        None => json_reply(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })),
    }
}

impl Api {
    /// Lets a call pass, with what Countersign says of its token.
    async fn admit(&self, call: &Call, scope: &'static str) -> Result<Value, Refusal> {
        let shown = call.shown()?;
        let answer = self.introspect(&shown.token).await?;
        self.answers.remember(&shown.token, &answer);
        // Before anything is told of it: whoever does not hold what a token is bound to stole it.
        is_ours(&answer, &self.resource)?;
        let proved = self.possessions.judge(&answer, &shown);
        proved.map_err(Refusal::Unproved)?;
        reaches(&answer, scope)?;
        Ok(answer)
    }

    /// Says no, under the scheme that the token came by, or should come by (RFC 9449 §7.1).
    fn refuse(&self, call: &Call, refusal: &Refusal) -> Response {
        let scheme = match presented(&call.headers) {
            Ok((scheme, _)) => scheme,
            Err(_) if self.possessions.are_demanded() => TokenType::Dpop,
            Err(_) => TokenType::Bearer,
        };
        let origin = self.resource.strip_suffix("/accounts");
        let metadata = format!("{}{METADATA}", origin.unwrap_or(&self.resource));
        refusal.reply(scheme, &metadata)
    }

    async fn introspect(&self, token: &str) -> Result<Value, Refusal> {
        let ask = self
            .http
            .post(format!("{}/introspect", self.issuer))
            .basic_auth(&self.client_id, Some(self.client_secret.expose()))
            .form(&[("token", token)]);
        let asked = async { ask.send().await?.error_for_status()?.json().await };
        asked.await.map_err(|error: reqwest::Error| {
            tracing::warn!(error.detail = %error, "the accounts API cannot ask about a token");
            Refusal::Unavailable
        })
    }
}

/// RFC 6750 §2.1, RFC 9449 §7.1: the token stands in the `Authorization` header, and nowhere else.
fn presented(headers: &HeaderMap) -> Result<(TokenType, &str), Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Refusal::NoToken);
    };
    let text = value.to_str().map_err(|_| Refusal::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::Malformed)?;
    let scheme = TokenType::from_scheme(scheme).ok_or(Refusal::Malformed)?;
    let fits = token
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    if values.next().is_some() || token.is_empty() || !fits {
        return Err(Refusal::Malformed);
    }
    Ok((scheme, token))
}

/// Whether an introspection answer is about a good token for this API. Whatever is missing denies.
fn is_ours(answer: &Value, resource: &str) -> Result<(), Refusal> {
    if answer["active"] != json!(true) {
        return Err(Refusal::InvalidToken);
    }
    // RFC 9068 §4: a token for somebody else is not for us.
    let ours = match &answer["aud"] {
        Value::String(one) => one == resource,
        Value::Array(many) => many.iter().any(|uri| uri == resource),
        _ => false,
    };
    ours.then_some(()).ok_or(Refusal::InvalidToken)
}

/// Whether the token reaches far enough.
fn reaches(answer: &Value, scope: &'static str) -> Result<(), Refusal> {
    let scopes = answer["scope"].as_str().unwrap_or_default();
    let granted = scopes.split(' ').any(|granted| granted == scope);
    granted
        .then_some(())
        .ok_or(Refusal::InsufficientScope(scope))
}

/// RFC 9470 §6.2: introspection says how the person was authenticated.
fn is_strong(answer: &Value) -> Result<(), Refusal> {
    let reached = answer["acr"].as_str().and_then(Acr::parse);
    if reached.is_some_and(|acr| acr.satisfies(STRONG)) {
        Ok(())
    } else {
        Err(Refusal::InsufficientAuthentication)
    }
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::NoToken
            | Self::InvalidToken
            | Self::Unproved(_)
            | Self::InsufficientAuthentication => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// RFC 6750 §3.1: the error and what it means; a call without any token gets neither.
    fn error(&self) -> Option<(&'static str, String)> {
        let (error, description) = match self {
            Self::NoToken => return None,
            Self::Unproved(Unproved::Proof(why)) => {
                return Some(("invalid_dpop_proof", format!("the DPoP proof: {why}")));
            }
            Self::Malformed => (
                "invalid_request",
                "the Authorization header must be Bearer or DPoP, one space and one access token",
            ),
            Self::Unproved(Unproved::Unbound) => (
                "invalid_token",
                "this API takes access tokens alone that are bound to a key or a certificate",
            ),
            Self::Unproved(Unproved::Another) => (
                "invalid_token",
                "the access token is bound to a key (send it as DPoP, with a proof) or to another \
                 certificate",
            ),
            Self::InvalidToken => (
                "invalid_token",
                "the access token is unknown, expired, revoked or for another API; get a new one",
            ),
            Self::InsufficientScope(_) => (
                "insufficient_scope",
                "the access token is good, but its scope does not reach here",
            ),
            Self::InsufficientAuthentication => (
                "insufficient_user_authentication",
                "the person must prove more; send her to the authorization endpoint with these acr_values",
            ),
            Self::Unavailable => (
                "temporarily_unavailable",
                "the token cannot be checked at the moment; try again in a few seconds",
            ),
        };
        Some((error, description.to_owned()))
    }

    /// `metadata` is the address of [`METADATA`] (RFC 9728 §5.1).
    fn challenge(&self, scheme: TokenType, metadata: &str) -> String {
        let algs = match scheme {
            TokenType::Dpop => format!(", algs=\"{}\"", dpop::ALGS.join(" ")),
            TokenType::Bearer => String::new(),
        };
        let scheme = scheme.as_str();
        let Some((error, description)) = self.error() else {
            return format!("{scheme} realm=\"accounts\", resource_metadata=\"{metadata}\"{algs}");
        };
        let demand = match self {
            Self::InsufficientScope(scope) => format!(", scope=\"{scope}\""),
            Self::InsufficientAuthentication => {
                format!(", acr_values=\"{}\"", STRONG.as_str())
            }
            _ => String::new(),
        };
        format!(
            "{scheme} realm=\"accounts\", error=\"{error}\", error_description=\"{description}\"{demand}, resource_metadata=\"{metadata}\"{algs}"
        )
    }

    fn reply(&self, scheme: TokenType, metadata: &str) -> Response {
        let body = match self.error() {
            Some((error, description)) => {
                json!({ "error": error, "error_description": description })
            }
            None => json!({
                "error_description": format!("send an access token as Authorization: {}", scheme.as_str()),
            }),
        };
        let mut response = json_reply(self.status(), &body);
        if *self != Self::Unavailable
            && let Ok(challenge) = HeaderValue::from_str(&self.challenge(scheme, metadata))
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn json_reply(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json")];
    (status, headers, body.to_string() + "\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "http://127.0.0.1:9402/accounts";

    fn header(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_token_is_taken_from_the_authorization_header_alone() {
        assert_eq!(
            presented(&header("Bearer cs_at_abc")),
            Ok((TokenType::Bearer, "cs_at_abc"))
        );
        assert_eq!(
            presented(&header("bearer cs_at_abc")),
            Ok((TokenType::Bearer, "cs_at_abc"))
        );
        let dpop = header("dpop cs_at_abc");
        assert_eq!(presented(&dpop), Ok((TokenType::Dpop, "cs_at_abc")));
        assert_eq!(presented(&HeaderMap::new()), Err(Refusal::NoToken));
        for wrong in [
            "Bearer",
            "Bearer ",
            "Basic YTpi",
            "Bearer a b",
            "Bearer \"a\"",
        ] {
            assert_eq!(
                presented(&header(wrong)),
                Err(Refusal::Malformed),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_token_must_be_active_for_this_api_and_reach_far_enough() {
        let answer =
            |aud: Value, scope: &str| json!({ "active": true, "aud": aud, "scope": scope });
        let judge =
            |answer: Value| is_ours(&answer, US).and_then(|()| reaches(&answer, ACCOUNTS_READ));
        assert_eq!(judge(answer(json!(US), "openid accounts:read")), Ok(()));
        assert_eq!(judge(answer(json!(["x", US]), "accounts:read")), Ok(()));
        let narrow = Err(Refusal::InsufficientScope(ACCOUNTS_READ));
        assert_eq!(judge(answer(json!(US), "accounts:reader")), narrow);
        assert_eq!(
            judge(answer(json!("http://other"), "accounts:read")),
            Err(Refusal::InvalidToken)
        );
        for inactive in [
            json!({ "active": false }),
            json!({}),
            json!({ "active": "true" }),
            json!([]),
        ] {
            assert_eq!(judge(inactive), Err(Refusal::InvalidToken));
        }
    }

    #[test]
    fn a_card_is_shown_to_the_strongest_proof_alone() {
        let with = |acr: &str| is_strong(&json!({ "acr": acr }));
        assert_eq!(with("urn:countersign:acr:phr"), Ok(()));
        for weak in ["urn:countersign:acr:2fa", "", "x"] {
            assert_eq!(
                with(weak),
                Err(Refusal::InsufficientAuthentication),
                "{weak}"
            );
        }
        assert_eq!(
            is_strong(&json!({})),
            Err(Refusal::InsufficientAuthentication)
        );
        let challenge = Refusal::InsufficientAuthentication.challenge(TokenType::Bearer, "here");
        assert!(
            challenge.contains("error=\"insufficient_user_authentication\"")
                && challenge.contains("acr_values=\"urn:countersign:acr:phr\""),
            "{challenge}"
        );
    }

    #[test]
    fn challenges_say_what_rfc_6750_asks_for() {
        assert_eq!(
            Refusal::NoToken.challenge(TokenType::Bearer, "here"),
            "Bearer realm=\"accounts\", resource_metadata=\"here\""
        );
        let bound = Refusal::NoToken.challenge(TokenType::Dpop, "here");
        assert!(
            bound.starts_with("DPoP ") && bound.contains("algs=\"ES256"),
            "{bound}"
        );
        let challenge =
            Refusal::InsufficientScope(ACCOUNTS_READ).challenge(TokenType::Bearer, "here");
        assert!(
            challenge.contains("error=\"insufficient_scope\"")
                && challenge.contains("scope=\"accounts:read\"")
        );
    }
}
