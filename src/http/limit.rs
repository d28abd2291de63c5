//! What each address is limited by, and what those are told who come too often: `429` (RFC 6585
//! §4), `Retry-After`, and the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rules::protocol::ErrorCode;

use super::oauth::caller;
use super::pages;
use super::reply::{ApiError, Cause};
use crate::app::App;
use crate::config::{Limit, Rate};
use crate::defence::limits::{Allowance, Exceeded, Whose};
use crate::flows::{Caller, limit};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// What limits the requests of one address for a route, before anything else is known. Endpoints
/// whose callers authenticate are limited when it is known who asks, and by what fails there; files
/// that come from memory are not limited.
fn of(route: &str, method: &Method) -> Option<Limit> {
    Some(match route {
        "/static/{file}"
        | "/healthz"
        | "/readyz"
        | "/par"
        | "/token"
        | "/introspect"
        | "/revoke"
        | "/userinfo"
        | "/verify"
        | "/verify/"
        | "/verify/{*original}" => return None,
        "/jwks" => Limit::DocumentsPerAddress,
        route if route.starts_with("/.well-known/") || route.starts_with("/errors") => {
            Limit::DocumentsPerAddress
        }
        "/authorize" => Limit::AuthorizePerAddress,
        // Each is a row that stays for ten minutes, and what the provider is asked.
        "/sign-in/upstream" | "/interaction/{id}/upstream" | "/upstream/callback" => {
            Limit::SignInPerAddress
        }
        // Each challenge is a row that stays for five minutes.
        "/sign-in"
        | "/sign-in/upstream/{id}"
        | "/interaction/{id}/sign-in"
        | "/interaction/{id}/step-up"
        | "/passkeys/ask"
            if method == Method::POST =>
        {
            Limit::SignInPerAddress
        }
        "/invite/{token}" => Limit::InvitationsPerAddress,
        _ => Limit::PagesPerAddress,
    })
}

/// Counts a request against what limits its address.
pub fn of_address(
    app: &App,
    (route, method): (&str, &Method),
    caller: &Caller,
) -> Result<Option<Allowance>, Box<Response>> {
    let Some(limited) = of(route, method) else {
        return Ok(None);
    };
    limit::take(app, limited, Whose::Address(caller.address)).map_err(|exceeded| {
        if route == "/jwks" || route.starts_with("/.well-known/") {
            let mut response = ApiError::from(exceeded).into_response();
            let origins = HeaderValue::from_static("*");
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origins);
            Box::new(response)
        } else {
            Box::new(turned_away(app, caller, &exceeded))
        }
    })
}

/// Counts requests that show no good token against what limits the failures of their address.
pub async fn wrong_tokens(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let caller = caller(&request);
    let response = next.run(request).await;
    let is_refused = matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST
    );
    // Whoever is told to use a nonce showed a good token.
    let is_told = matches!(
        response.extensions().get::<Cause>(),
        Some(Cause::Refused(error)) if error.code == ErrorCode::UseDpopNonce
    );
    if !is_refused || is_told {
        return response;
    }
    counted(&app, &caller).map_or_else(|limited| *limited, |()| response)
}

/// Counts requests for what there is not against what limits the failures of their address.
pub async fn strays(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let caller = caller(&request);
    let response = next.run(request).await;
    if response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    counted(&app, &caller).map_or_else(|limited| *limited, |()| response)
}

/// Counts a request that is refused before anybody looks at it against what limits the failures of its
/// address.
pub fn counted(app: &App, caller: &Caller) -> Result<(), Box<Response>> {
    let address = Whose::Address(caller.address);
    match limit::take(app, Limit::FailuresPerAddress, address) {
        Ok(_) => Ok(()),
        Err(exceeded) => Err(Box::new(ApiError::from(exceeded).into_response())),
    }
}

/// The page for a browser that asks too often.
fn turned_away(app: &App, caller: &Caller, exceeded: &Exceeded) -> Response {
    let mut response = pages::too_many(app, caller, exceeded.wait);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    tell_exceeded(response.headers_mut(), exceeded);
    response
        .extensions_mut()
        .insert(Cause::Limited(exceeded.limit));
    response
}

/// Tells who was turned away when to come again.
pub fn tell_exceeded(headers: &mut HeaderMap, exceeded: &Exceeded) {
    let seconds = exceeded.seconds();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    describe(headers, (exceeded.limit, exceeded.rate), (0, seconds));
}

/// Tells who has used up half of an allowance how much is left.
pub fn tell(headers: &mut HeaderMap, allowance: Option<&Allowance>) {
    let Some(allowance) = allowance else { return };
    let left = allowance.left;
    if left.requests > allowance.rate.count / 2 {
        return;
    }
    let even_in = left.even_in.as_secs() + u64::from(left.even_in.subsec_nanos() > 0);
    let known = (allowance.limit, allowance.rate);
    describe(headers, known, (left.requests, even_in));
}

fn describe(headers: &mut HeaderMap, (limit, rate): (Limit, Rate), (left, seconds): (u64, u64)) {
    let name = limit.name();
    let mut text = String::with_capacity(64);
    let mut add = |header, values: [(char, u64); 2]| {
        text.clear();
        let _ = write!(text, "\"{name}\"");
        for (key, value) in values {
            let _ = write!(text, ";{key}={value}");
        }
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header, value);
        }
    };
    add(POLICY, [('q', rate.count), ('w', rate.window.as_secs())]);
    add(STATE, [('r', left), ('t', seconds)]);
}
