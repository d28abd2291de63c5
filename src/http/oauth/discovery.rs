//! `/.well-known/…` (RFC 8414, OpenID Connect Discovery) and `/jwks`: prebuilt bytes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::app::App;
use crate::document::Document;
use crate::flows::follow;
use crate::http::reply::ApiError;

/// The metadata.
pub async fn metadata(State(app): State<Arc<App>>, request: Request) -> Response {
    cacheable(&request, app.registry.now().metadata())
}

/// The public keys. A node that lost sight of the others does not vouch for them.
pub async fn jwks(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    follow::fresh(&app).await?;
    Ok(cacheable(&request, app.keys.now().document()))
}

/// The document, or that it is still the one that the asker has (RFC 9110 §13.1.2).
fn cacheable(request: &Request, document: &Document) -> Response {
    let mut headers = HeaderMap::with_capacity(20);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    headers.insert(header::ETAG, document.tag().clone());
    let mut response = Response::new(Body::empty());
    if is_known(request.headers(), document.tag()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        *response.body_mut() = Body::from(document.bytes().clone());
    }
    *response.headers_mut() = headers;
    response
}

/// Whether one of the tags that the asker has is this one, by the weak comparison: a proxy that
/// compresses makes a tag weak.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    known.any(|one| {
        let one = one.trim_ascii();
        one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag.as_bytes()
    })
}
