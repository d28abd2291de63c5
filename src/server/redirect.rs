//! The plain listener beside the TLS one: it knows nothing but the way to https.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONNECTION, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::config::Issuer;

/// Sends readers on to the same path of the issuer. Whatever would have carried something, a form or
/// a client's secret, is refused, so that a wrong address is noticed and not used for years.
pub(super) fn router(issuer: &Issuer) -> Router {
    let issuer = issuer.clone();
    Router::new().fallback(move |request: Request| {
        let answer = answer(&issuer, &request);
        async move { answer }
    })
}

fn answer(issuer: &Issuer, request: &Request) -> Response {
    let close = (CONNECTION, HeaderValue::from_static("close"));
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let why = format!(
            "This was sent in the clear and is not accepted; use {}. Whatever secret it held should be \
             replaced.\n",
            issuer.as_str()
        );
        return (StatusCode::FORBIDDEN, [close], why).into_response();
    }
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    match HeaderValue::from_str(&issuer.at(path)) {
        Ok(to) => (StatusCode::PERMANENT_REDIRECT, [close, (LOCATION, to)]).into_response(),
        Err(_) => (StatusCode::BAD_REQUEST, [close]).into_response(),
    }
}
