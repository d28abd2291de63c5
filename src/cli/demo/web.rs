//! What the demo's two small sites share: a listener on loopback, the check of the `Host` header,
//! security headers, forms and cookies.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST,
    HeaderName, LOCATION, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Router, response::Html};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::asking::{AskingListener, Caller};
use crate::words::{self, Lang, Words};

/// The most that a form may hold, in bytes.
const BODY_LIMIT: usize = 16 * 1024;
/// How long any call of the demo's parties to one another may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Takes a port of 127.0.0.1.
///
/// # Errors
/// A sentence that names the port and `--port-base`.
pub async fn listen(port: u16, whose: &str) -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| taken(port, whose, &error))
}

/// Makes sure that nobody else answers on the port's other loopback address, where a browser that
/// looks up `localhost` may go first.
///
/// # Errors
/// As [`listen`].
pub async fn check_other_family(port: u16, whose: &str) -> Result<(), String> {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(taken(port, whose, &error))
        }
        // A machine without IPv6 has nothing there.
        _ => Ok(()),
    }
}

fn taken(port: u16, whose: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {port} (for {whose}) is taken by another program, perhaps by another demo; stop \
             it, or choose three other ports with --port-base, such as --port-base 19400"
        ),
        _ => format!(
            "port {port} (for {whose}) cannot be used: {error}; choose others with --port-base"
        ),
    }
}

/// Serves until `stop` turns true.
///
/// # Errors
/// As the listener says.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let authority = listener.local_addr()?.to_string();
    axum::serve(listener, guarded(router, authority))
        .with_graceful_shutdown(async move {
            let _ = stop.wait_for(|stopping| *stopping).await;
        })
        .await
}

/// The same over TLS, under the name `authority`; each request carries its [`Caller`].
///
/// # Errors
/// As the listener says.
pub async fn serve_asking(
    router: Router,
    listener: AskingListener,
    authority: String,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let service = guarded(router, authority).into_make_service_with_connect_info::<Caller>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            let _ = stop.wait_for(|stopping| *stopping).await;
        })
        .await
}

fn guarded(router: Router, authority: String) -> Router {
    let authority: Arc<str> = authority.into();
    router
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(authority, guard))
}

/// Answers only under the site's own name (a page of another name that was pointed at this machine
/// reads nothing), takes posts only from its own pages, and adds security headers.
async fn guard(State(authority): State<Arc<str>>, request: Request, next: Next) -> Response {
    // HTTP/2 has the name in its address (RFC 9113 §8.3.1).
    let named = request.uri().authority().map(Authority::as_str);
    let named = named.and_then(|named| HeaderValue::from_str(named).ok());
    let mut headers = request.headers().clone();
    if let Some(named) = named {
        headers.entry(HOST).or_insert(named);
    }
    if let Some(refusal) = refuse(&authority, request.method(), &headers) {
        return refusal.into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    // Not `no-referrer`: browsers would then send the page's own forms with `Origin: null`.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refuse(authority: &str, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, String)> {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if header(HOST) != Some(authority) {
        let why = format!("This is {authority}; no other name leads here.\n");
        return Some((StatusCode::MISDIRECTED_REQUEST, why));
    }
    let own = header(ORIGIN).is_none_or(|origin| origin.strip_prefix("http://") == Some(authority));
    if *method == Method::POST && !own {
        let why = "This form must be sent from its own page.\n".to_owned();
        return Some((StatusCode::FORBIDDEN, why));
    }
    None
}

/// The client that the demo's parties call one another with: on loopback, so it trusts nobody but the
/// demo's own authority, and needs no proxy and no redirects.
///
/// # Errors
/// A sentence that names the file.
pub fn http_client(authority: Option<&Path>) -> Result<reqwest::Client, String> {
    let trusted = authority.map(|path| {
        let pem = std::fs::read(path).map_err(|error| error.to_string())?;
        reqwest::Certificate::from_pem(&pem).map_err(|error| error.to_string())
    });
    let trusted = trusted
        .transpose()
        .map_err(|error| format!("the demo's certificate cannot be read: {error}"))?;
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only(trusted)
        .no_proxy()
        .timeout(CALL_TIMEOUT)
        .build()
        .map_err(|error| format!("the demo's HTTP client cannot be made: {error}"))
}

/// A page. `policy` is its content security policy.
pub fn page(status: StatusCode, template: &impl Template, policy: &str) -> Response {
    let Ok(html) = template.render() else {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            "This page cannot be shown.\n",
        )
            .into_response();
    };
    let mut response = (status, Html(html)).into_response();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The style sheet of the demo's pages.
pub async fn style() -> Response {
    const CSS: &str = include_str!("../../../static/demo.css");
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "max-age=300"),
    ];
    (headers, CSS).into_response()
}

/// Sends the browser on with a GET (RFC 9110 §15.4.4).
pub fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The value of a cookie.
#[must_use]
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The fields of a form or of a query; `None` when one of them comes twice.
#[must_use]
pub fn fields(encoded: &[u8]) -> Option<HashMap<String, String>> {
    let mut fields = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(encoded) {
        if fields
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return None;
        }
    }
    Some(fields)
}

/// The texts in the language that the browser likes best (RFC 9110 §12.5.4).
pub fn words_for(headers: &HeaderMap) -> Words {
    let asked = headers.get(ACCEPT_LANGUAGE);
    let asked = asked.and_then(|value| value.to_str().ok());
    let lang = asked.and_then(|header| words::accepted(header, &Lang::ALL));
    lang.unwrap_or_default().words()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_static("a=1; pb-session=xyz; b=2"));
        assert_eq!(cookie(&headers, "pb-session"), Some("xyz"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn a_doubled_field_is_no_form() {
        assert_eq!(fields(b"code=a&state=b").unwrap()["state"], "b");
        assert!(fields(b"code=a&code=b").is_none());
    }

    #[test]
    fn another_name_and_another_sites_form_are_refused() {
        let us = "127.0.0.1:9401";
        let refused = |method: Method, pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().cloned();
            let headers = pairs.map(|(name, value)| (name, HeaderValue::from_static(value)));
            refuse(us, &method, &headers.collect()).map(|(status, _)| status)
        };
        assert_eq!(refused(Method::GET, &[(HOST, us)]), None);
        let rebound = refused(Method::GET, &[(HOST, "evil.example:9401")]);
        assert_eq!(rebound, Some(StatusCode::MISDIRECTED_REQUEST));
        let own = [(HOST, us), (ORIGIN, "http://127.0.0.1:9401")];
        assert_eq!(refused(Method::POST, &own), None);
        for origin in ["null", "http://localhost:9400", "https://127.0.0.1:9401"] {
            let other = refused(Method::POST, &[(HOST, us), (ORIGIN, origin)]);
            assert_eq!(other, Some(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_named_together_with_the_option() {
        let first = listen(0, "Pocket Budget").await.unwrap();
        let port = first.local_addr().unwrap().port();
        let refused = listen(port, "Pocket Budget").await.err().unwrap();
        assert!(
            refused.contains(&port.to_string()) && refused.contains("--port-base"),
            "{refused}"
        );
    }
}
