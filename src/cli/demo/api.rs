//! The accounts API: it knows nothing about people or apps, and asks Countersign about the token
//! of every single call (RFC 7662).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rules::identity::Acr;
use serde_json::{Value, json};

use super::accounts;
use super::window::Answers;
use crate::secret::Secret;

/// The scope that lets an app see accounts and balances.
pub const ACCOUNTS_READ: &str = "accounts:read";
/// The scope that lets an app see transactions.
pub const TRANSACTIONS_READ: &str = "transactions:read";

/// What a person must reach to see a card's number.
const STRONG: Acr = Acr::PhishingResistant;

/// The API and what it authenticates itself with.
pub struct Api {
    /// Its resource identifier (RFC 8707).
    pub resource: String,
    /// Where it asks.
    pub introspection_endpoint: String,
    /// Its `client_id`.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: Secret,
    /// How it calls.
    pub http: reqwest::Client,
    /// Where it leaves what it was told, for the demo's pages.
    pub answers: Arc<Answers>,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// No token came along.
    NoToken,
    /// The `Authorization` header is not a bearer token.
    Malformed,
    /// Countersign says that the token is not good, or not for this API.
    InvalidToken,
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
        .route("/accounts", get(list))
        .route("/accounts/{id}/transactions", get(transactions))
        .route("/accounts/{id}/card", get(card))
        .fallback(async || json_reply(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })))
        .with_state(api)
}

async fn about(State(api): State<Arc<Api>>) -> Response {
    let body = json!({
        "name": "Accounts API",
        "resource": api.resource,
        "endpoints": ["/accounts", "/accounts/{id}/transactions", "/accounts/{id}/card"],
    });
    json_reply(StatusCode::OK, &body)
}

async fn list(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    match api.admit(&headers, ACCOUNTS_READ).await {
        Ok(()) => json_reply(StatusCode::OK, &json!({ "accounts": accounts::all() })),
        Err(refusal) => refusal.into_response(),
    }
}

async fn transactions(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    // Who may not look learns nothing about which accounts there are.
    if let Err(refusal) = api.admit(&headers, TRANSACTIONS_READ).await {
        return refusal.into_response();
    }
    match accounts::transactions(&id) {
        Some(found) => json_reply(StatusCode::OK, &json!({ "transactions": found })),
        None => json_reply(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })),
    }
}

/// The whole number of the account's card: only for somebody who proved it with a passkey or a
/// security key.
async fn card(State(api): State<Arc<Api>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Err(refusal) = api.admit_strongly(&headers, ACCOUNTS_READ).await {
        return refusal.into_response();
    }
    match accounts::card(&id) {
        Some(number) => json_reply(StatusCode::OK, &json!({ "card_number": number })),
        None => json_reply(StatusCode::NOT_FOUND, &json!({ "error": "not_found" })),
    }
}

impl Api {
    async fn admit_strongly(
        &self,
        headers: &HeaderMap,
        scope: &'static str,
    ) -> Result<(), Refusal> {
        let token = bearer(headers)?;
        let answer = self.introspect(token).await?;
        self.answers.remember(token, &answer);
        judge(&answer, &self.resource, scope)?;
        is_strong(&answer)
    }

    async fn admit(&self, headers: &HeaderMap, scope: &'static str) -> Result<(), Refusal> {
        let token = bearer(headers)?;
        let answer = self.introspect(token).await?;
        self.answers.remember(token, &answer);
        judge(&answer, &self.resource, scope)
    }

    async fn introspect(&self, token: &str) -> Result<Value, Refusal> {
        let ask = self
            .http
            .post(&self.introspection_endpoint)
            .basic_auth(&self.client_id, Some(self.client_secret.expose()))
            .form(&[("token", token)]);
        let asked = async { ask.send().await?.error_for_status()?.json().await };
        asked.await.map_err(|error: reqwest::Error| {
            tracing::warn!(error.detail = %error, "the accounts API cannot ask about a token");
            Refusal::Unavailable
        })
    }
}

/// RFC 6750 §2.1: the token stands in the `Authorization` header, and nowhere else.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Refusal::NoToken);
    };
    let text = value.to_str().map_err(|_| Refusal::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refusal::Malformed)?;
    let fits = token
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    if values.next().is_some()
        || !scheme.eq_ignore_ascii_case("bearer")
        || token.is_empty()
        || !fits
    {
        return Err(Refusal::Malformed);
    }
    Ok(token)
}

/// What an introspection answer means for one call. Whatever is missing denies.
fn judge(answer: &Value, resource: &str, scope: &'static str) -> Result<(), Refusal> {
    if answer["active"] != json!(true) {
        return Err(Refusal::InvalidToken);
    }
    // RFC 9068 §4: a token for somebody else is not for us.
    let ours = match &answer["aud"] {
        Value::String(one) => one == resource,
        Value::Array(many) => many.iter().any(|uri| uri == resource),
        _ => false,
    };
    if !ours {
        return Err(Refusal::InvalidToken);
    }
    let scopes = answer["scope"].as_str().unwrap_or_default();
    if scopes.split(' ').any(|granted| granted == scope) {
        Ok(())
    } else {
        Err(Refusal::InsufficientScope(scope))
    }
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
            Self::NoToken | Self::InvalidToken | Self::InsufficientAuthentication => {
                StatusCode::UNAUTHORIZED
            }
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// RFC 6750 §3.1: the error and what it means; a call without any token gets neither.
    const fn error(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::NoToken => None,
            Self::Malformed => Some((
                "invalid_request",
                "the Authorization header must be Bearer, one space and one access token",
            )),
            Self::InvalidToken => Some((
                "invalid_token",
                "the access token is unknown, expired, revoked or for another API; get a new one",
            )),
            Self::InsufficientScope(_) => Some((
                "insufficient_scope",
                "the access token is good, but its scope does not reach here",
            )),
            Self::InsufficientAuthentication => Some((
                "insufficient_user_authentication",
                "the person must prove more; send her to the authorization endpoint with these acr_values",
            )),
            Self::Unavailable => Some((
                "temporarily_unavailable",
                "the token cannot be checked at the moment; try again in a few seconds",
            )),
        }
    }

    fn challenge(&self) -> String {
        let Some((error, description)) = self.error() else {
            return "Bearer realm=\"accounts\"".to_owned();
        };
        let scope = match self {
            Self::InsufficientScope(scope) => format!(", scope=\"{scope}\""),
            Self::InsufficientAuthentication => {
                format!(", acr_values=\"{}\"", STRONG.as_str())
            }
            _ => String::new(),
        };
        format!(
            "Bearer realm=\"accounts\", error=\"{error}\", error_description=\"{description}\"{scope}"
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = match self.error() {
            Some((error, description)) => {
                json!({ "error": error, "error_description": description })
            }
            None => json!({ "error_description": "send an access token as Authorization: Bearer" }),
        };
        let mut response = json_reply(self.status(), &body);
        if self != Self::Unavailable
            && let Ok(challenge) = HeaderValue::from_str(&self.challenge())
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
        assert_eq!(bearer(&header("Bearer cs_at_abc")), Ok("cs_at_abc"));
        assert_eq!(bearer(&header("bearer cs_at_abc")), Ok("cs_at_abc"));
        assert_eq!(bearer(&HeaderMap::new()), Err(Refusal::NoToken));
        for wrong in [
            "Bearer",
            "Bearer ",
            "Basic YTpi",
            "Bearer a b",
            "Bearer \"a\"",
        ] {
            assert_eq!(bearer(&header(wrong)), Err(Refusal::Malformed), "{wrong}");
        }
    }

    #[test]
    fn a_token_must_be_active_for_this_api_and_reach_far_enough() {
        let answer =
            |aud: Value, scope: &str| json!({ "active": true, "aud": aud, "scope": scope });
        let judge = |answer| judge(&answer, US, ACCOUNTS_READ);
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
        let challenge = Refusal::InsufficientAuthentication.challenge();
        assert!(
            challenge.contains("error=\"insufficient_user_authentication\"")
                && challenge.contains("acr_values=\"urn:countersign:acr:phr\""),
            "{challenge}"
        );
    }

    #[test]
    fn challenges_say_what_rfc_6750_asks_for() {
        assert_eq!(Refusal::NoToken.challenge(), "Bearer realm=\"accounts\"");
        let challenge = Refusal::InsufficientScope(ACCOUNTS_READ).challenge();
        assert!(
            challenge.contains("error=\"insufficient_scope\"")
                && challenge.contains("scope=\"accounts:read\"")
        );
    }
}
