//! What pages refer to; all of it is in the binary.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
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
use crate::config::Institution;
use crate::config::brand::Logo;
use crate::http::oauth::caller;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

const CSS: &str = "countersign.css";
const KEYS: &str = "passkeys.js";
const REVEAL: &str = "reveal.js";

/// The style sheet's address; it changes with the content, so that caches never keep an old one.
#[must_use]
pub fn css_href(institution: &Institution) -> String {
    static OWN: LazyLock<String> = LazyLock::new(|| {
        let hash = Static::get(CSS).map(|file| file.metadata.sha256_hash());
        URL_SAFE_NO_PAD.encode(&hash.unwrap_or_default()[..6])
    });
    let colours = institution.colours.css();
    let colours = if colours.is_empty() {
        String::new()
    } else {
        version(colours.as_bytes())
    };
    format!("/static/{CSS}?v={}{colours}", *OWN)
}

/// The address of the script that asks for keys; it changes with the content.
#[must_use]
pub fn keys_href() -> String {
    static OWN: LazyLock<String> = LazyLock::new(|| script(KEYS));
    OWN.clone()
}

/// The address of the script that shows passwords; it changes with the content.
#[must_use]
pub fn reveal_href() -> String {
    static OWN: LazyLock<String> = LazyLock::new(|| script(REVEAL));
    OWN.clone()
}

fn script(name: &str) -> String {
    let bytes = Static::get(name).map(|file| file.data);
    format!("/static/{name}?v={}", version(&bytes.unwrap_or_default()))
}

/// The address of a logo; it changes with the picture.
#[must_use]
pub fn logo_href(name: &str, logo: &Logo) -> String {
    format!(
        "/static/{name}.{}?v={}",
        logo.extension(),
        version(&logo.bytes)
    )
}

fn version(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..6])
}

/// `GET /static/{file}`.
pub async fn file(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Some(bytes) = content(&app.config.institution, &name) else {
        return not_found(State(app), request).await;
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(&name)),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, bytes).into_response()
}

/// What is in the binary, and the institution's own.
fn content(institution: &Institution, name: &str) -> Option<Vec<u8>> {
    let logos = [
        ("logo", &institution.logo),
        ("logo-dark", &institution.logo_dark),
    ];
    for (stem, logo) in logos {
        if let Some(logo) = logo
            && name
                .strip_prefix(stem)
                .and_then(|rest| rest.strip_prefix('.'))
                == Some(logo.extension())
        {
            return Some(logo.bytes.clone());
        }
    }
    let mut bytes = Static::get(name)?.data.into_owned();
    if name == CSS {
        bytes.extend(institution.colours.css().as_bytes());
    }
    Some(bytes)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `GET /about`: is this really us?
pub async fn about(State(app): State<Arc<App>>, request: Request) -> Response {
    let chrome = chrome(&app, &caller(&request));
    page(StatusCode::OK, &About { chrome: &chrome }, None)
}
