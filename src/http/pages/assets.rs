//! What pages refer to; all of it is in the binary.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::RustEmbed;

use super::view::About;
use super::{chrome, not_found, page};
use crate::app::App;
use crate::http::oauth::caller;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

const CSS: &str = "countersign.css";

/// The style sheet's address; it changes with the content, so that caches never keep an old one.
pub fn css_href() -> String {
    static HREF: LazyLock<String> = LazyLock::new(|| {
        let hash = Static::get(CSS).map(|file| file.metadata.sha256_hash());
        let version = URL_SAFE_NO_PAD.encode(&hash.unwrap_or_default()[..6]);
        format!("/static/{CSS}?v={version}")
    });
    HREF.clone()
}

/// `GET /static/{file}`.
pub async fn file(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Some(file) = Static::get(&name) else {
        return not_found(State(app), request).await;
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(&name)),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, file.data.into_owned()).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `GET /about`: is this really us?
pub async fn about(State(app): State<Arc<App>>, request: Request) -> Response {
    let chrome = chrome(&app, &caller(&request));
    page(StatusCode::OK, &About { chrome: &chrome }, None)
}
