//! Reading forms.

use std::error::Error;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{self, HeaderMap};
use bytes::Bytes;
use rules::protocol::{OAuthError, Params};

use super::MAX_BODY;

/// Why a body cannot be read.
pub enum BadForm {
    /// It is larger than [`MAX_BODY`].
    TooLarge,
    /// Anything else; the text says what to change.
    Invalid(OAuthError),
}

/// Reads the form of a program.
pub async fn read(request: Request) -> Result<(HeaderMap, Params), BadForm> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(&parts.headers, body).await?;
    let params = Params::parse(&bytes).map_err(BadForm::Invalid)?;
    Ok((parts.headers, params))
}

/// Reads the form of a page, whose check boxes are all named `scope`.
pub async fn read_page(request: Request) -> Result<(HeaderMap, Params), BadForm> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(&parts.headers, body).await?;
    let params = Params::parse_repeating(&bytes, &["scope"]).map_err(BadForm::Invalid)?;
    Ok((parts.headers, params))
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, BadForm> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(BadForm::Invalid(
            OAuthError::invalid_request(
                "the body must be application/x-www-form-urlencoded; set Content-Type accordingly",
            )
            .about("encoding"),
        ));
    }
    to_bytes(body, MAX_BODY).await.map_err(|error| {
        let source = error.source();
        if source.is_some_and(<dyn Error>::is::<http_body_util::LengthLimitError>) {
            BadForm::TooLarge
        } else {
            BadForm::Invalid(OAuthError::invalid_request("the body ended early"))
        }
    })
}
