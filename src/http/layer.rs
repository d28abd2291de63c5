//! What is around every request: its id, its time limit, the host it asked for, the headers that
//! every answer carries, and one line in the log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use rules::protocol::OAuthError;

use super::forwarded::{self, Asked};
use super::oauth::verify::FromHook;
use super::reply::{self, Cause};
use super::{Peer, certificates, form, limit, pages, proof};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::rng;

/// Where the request's id stands in every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// The longest `User-Agent` that is kept, in characters.
const USER_AGENT: usize = 256;

/// Wraps every request that a router found a route for, or none.
pub async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The route, never the address: an address may hold what a log must not.
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    wrap(&app, route, request, |request| next.run(request)).await
}

/// Wraps one request, which `answer` answers.
pub async fn wrap<A>(
    app: &Arc<App>,
    route: &str,
    mut request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response
where
    A: Future<Output = Response>,
{
    let started = app.clock.monotonic();
    let Ok(id) = rng::passing_uuid(app.clock.now()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let asked = Asked::of(&app.config.proxy, peer, request.headers());
    // Whom a proxy of ours speaks for, never the proxy itself: the whole internet comes through it.
    let is_peer = |by| app.config.hook.is_peer(by);
    let hook = route.starts_with("/verify") && asked.by.is_some_and(is_peer);
    let certificate = certificates::of(&app.config, &request, peer, hook);
    if let Some(by) = asked.by.filter(|by| peer != Some(*by)) {
        request.extensions_mut().insert(Peer(by));
    }
    let caller = Caller {
        request_id: id.hyphenated().to_string(),
        address: asked.by,
        certificate: certificate.as_ref().ok().cloned().flatten(),
        user_agent: text(request.headers(), &header::USER_AGENT)
            .map(|agent| agent.chars().take(USER_AGENT).collect()),
        ..pages::language::of(app, &request, is_quiet(route))
    };
    let method = request.method().clone();
    // A proxy may ask with the host of the request that it holds back.
    if hook {
        request.extensions_mut().insert(FromHook);
    }
    let probe = hook || matches!(route, "/healthz" | "/readyz");
    let misdirected = if probe {
        None
    } else {
        forwarded::misdirected(&app.config, &request, asked, route)
    };
    let limited = limit::of_address(app, (route, &method), &caller);
    let early = early(request.headers(), certificate.err());
    let refused = early.is_some() || misdirected.is_some();
    let limited = limited.and_then(|allowance| {
        let counted = if refused {
            limit::counted(app, &caller)
        } else {
            Ok(())
        };
        counted.map(|()| allowance)
    });
    let allowance = limited.as_ref().ok().copied().flatten();
    let mut response = if let Err(turned_away) = limited {
        *turned_away
    } else if let Some(error) = early {
        reply::ApiError::from(error).into_response()
    } else if let Some(why) = misdirected {
        if asked.through_proxy {
            // A proxy of ours is set up wrongly: worth more than the line of any refusal.
            tracing::warn!(request.id = caller.request_id, remedy = why, "misdirected");
        }
        pages::wrong_host(app, &caller, why)
    } else {
        request.extensions_mut().insert(caller.clone());
        let limit = app.config.server.request_timeout;
        request.extensions_mut().insert(form::Patience(limit / 2));
        let work = AssertUnwindSafe(answer(request)).catch_unwind();
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(response)) => match response.extensions().get::<pages::Failed>() {
                Some(pages::Failed(why)) => pages::unavailable(app, &caller, why),
                None => response,
            },
            Ok(Err(_)) => broken(app, &caller, route, "a handler panicked"),
            // The request was read long before: whatever held it up is ours.
            Err(_) => broken(app, &caller, route, "a handler took too long"),
        }
    };
    proof::add_nonce(app, &mut response);
    response = reply::finish(response, app.config.issuer.as_str());
    limit::tell(response.headers_mut(), allowance.as_ref());
    dress(app, &caller.request_id, response.headers_mut());
    let took = app.clock.monotonic().saturating_sub(started);
    log(
        &caller.request_id,
        (method.as_str(), route),
        &response,
        took,
    );
    response
}

/// Why nobody looks at a request.
fn early(headers: &HeaderMap, certificate: Option<OAuthError>) -> Option<OAuthError> {
    // RFC 9112 §3.2
    let hosts = headers.get_all(header::HOST).iter().count();
    let repeated = || OAuthError::invalid_request("the Host header is sent more than once");
    certificate.or_else(|| (hosts > 1).then(repeated))
}

/// The answer when there is none: nothing was decided that was told.
fn broken(app: &App, caller: &Caller, route: &str, why: &str) -> Response {
    if is_quiet(route) {
        return reply::ApiError::from(Fault::Internal(why.to_owned())).into_response();
    }
    pages::unavailable(app, caller, why)
}

/// Lets web apps on other origins read these endpoints. They take no cookie, so nothing is lent
/// (RFC 9700 §2.6 forbids it at the authorization endpoint only).
pub async fn cross_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    open_to_origins(response.headers_mut());
    response
}

/// The headers that [`cross_origin`] adds.
pub fn open_to_origins(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, dpop",
        ),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "www-authenticate, dpop-nonce, x-request-id, retry-after, ratelimit, ratelimit-policy",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// One line for each request, with all that is known about it. What machines ask all day long is
/// worth one only when it is refused.
fn log(id: &str, (method, route): (&str, &str), response: &Response, took: Duration) {
    let status = response.status().as_u16();
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match response.extensions().get::<Cause>() {
        Some(Cause::Refused(error)) => tracing::info!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            micros,
            error.code = error.code.as_str(),
            error.description = error.description,
            error.detail = error.detail,
            "refused"
        ),
        Some(Cause::Failed(fault)) => tracing::error!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            micros,
            fault,
            "failed"
        ),
        // A flood fills no log: the limit itself is logged once a minute.
        Some(Cause::Limited(limit)) => tracing::debug!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            micros,
            limit = limit.setting(),
            "turned away"
        ),
        None if is_quiet(route) && status < 400 => tracing::debug!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            micros,
            "answered"
        ),
        None => tracing::info!(
            request.id = id,
            http.method = method,
            http.route = route,
            http.status = status,
            micros,
            "answered"
        ),
    }
}

/// Whether programs ask here, and not people.
fn is_quiet(route: &str) -> bool {
    route.starts_with("/.well-known/")
        || matches!(
            route,
            "/healthz"
                | "/readyz"
                | "/jwks"
                | "/par"
                | "/token"
                | "/introspect"
                | "/revoke"
                | "/userinfo"
                | "/verify"
                | "/verify/"
                | "/verify/{*original}"
        )
}

/// The value of a header, when it is readable text.
pub fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The headers that every answer carries; JSON none of those that only tell a browser how to treat a
/// page, or where it may go from here.
fn dress(app: &App, id: &str, headers: &mut HeaderMap) {
    // Room for all of them at once.
    headers.reserve(10);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    if app.config.issuer.is_secure() {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=63072000; includeSubDomains"),
        );
    }
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind == "application/json") {
        return;
    }
    // `same-origin`, because `no-referrer` would turn the Origin of our own forms into null.
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        PERMISSIONS_POLICY,
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    );
}
