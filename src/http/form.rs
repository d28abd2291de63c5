//! Reading forms.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{self, HeaderMap};
use axum::http::request::Parts;
use bytes::Bytes;
use rules::protocol::params::Flaw;
use rules::protocol::{OAuthError, Params};

use super::MAX_BODY;
use super::one::one;

/// Why a body cannot be read.
pub enum BadForm {
    /// It is larger than [`MAX_BODY`].
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// Anything else; the text says what to change.
    Invalid(OAuthError),
}

/// How long a body may take to arrive: an extension of each request, by the layer around it. It is
/// shorter than a request may take, so that a slow client is told apart from a slow server.
#[derive(Clone, Copy, Debug)]
pub struct Patience(pub Duration);

/// Reads the form of a program.
pub async fn read(request: Request) -> Result<(HeaderMap, Params), BadForm> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(&parts, body).await?;
    let params = Params::parse(&bytes).map_err(BadForm::Invalid)?;
    Ok((parts.headers, params))
}

/// Reads the form of a program each parameter for itself; see [`Params::parse_each`].
pub async fn read_each(request: Request) -> Result<(HeaderMap, Params, Vec<Flaw>), BadForm> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(&parts, body).await?;
    let (params, flaws) = Params::parse_each(&bytes).map_err(BadForm::Invalid)?;
    Ok((parts.headers, params, flaws))
}

/// Reads the form of a page, whose check boxes are all named `scope`.
pub async fn read_page(request: Request) -> Result<(HeaderMap, Params), BadForm> {
    let (parts, body) = request.into_parts();
    let bytes = read_body(&parts, body).await?;
    let params = Params::parse_repeating(&bytes, &["scope"]).map_err(BadForm::Invalid)?;
    Ok((parts.headers, params))
}

async fn read_body(parts: &Parts, body: Body) -> Result<Bytes, BadForm> {
    let content_type = one(&parts.headers, &header::CONTENT_TYPE).ok().flatten();
    let content_type = content_type.unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(BadForm::Invalid(
            OAuthError::invalid_request(
                "the body must be application/x-www-form-urlencoded; set Content-Type accordingly, \
                 once",
            )
            .about("encoding"),
        ));
    }
    let patience = parts.extensions.get::<Patience>();
    let patience = patience.map_or(Duration::MAX, |patience| patience.0);
    let read = tokio::time::timeout(patience, to_bytes(body, MAX_BODY)).await;
    read.map_err(|_| BadForm::TooSlow)?.map_err(|error| {
        let source = error.source();
        if source.is_some_and(<dyn Error>::is::<http_body_util::LengthLimitError>) {
            BadForm::TooLarge
        } else {
            BadForm::Invalid(OAuthError::invalid_request("the body ended early"))
        }
    })
}
