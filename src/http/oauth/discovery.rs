//! `/.well-known/…` (RFC 8414, OpenID Connect Discovery) and `/jwks`: prebuilt bytes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::app::App;
use crate::flows::follow;
use crate::http::reply::ApiError;

/// The metadata.
pub async fn metadata(State(app): State<Arc<App>>) -> Response {
    cacheable("application/json", app.registry.now().metadata())
}

/// The public keys. A node that lost sight of the others does not vouch for them.
pub async fn jwks(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    follow::fresh(&app).await?;
    Ok(cacheable("application/json", app.keys.now().document()))
}

fn cacheable(content_type: &'static str, body: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, body).into_response()
}
