//! `POST /introspect` (RFC 7662).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use rules::protocol::OAuthError;

use super::authenticated;
use crate::app::App;
use crate::config::Limit;
use crate::flows::introspect;
use crate::http::reply::{ApiError, json_text};

/// What a signed answer is called (RFC 9701 §4).
const SIGNED: &str = "application/token-introspection+jwt";

/// Whether an API asks for a signed answer, and for none in JSON that it would rather have (RFC 9110
/// §12.5.1).
fn wants_signed(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let (mut signed, mut plain) = (0.0_f32, 0.0_f32);
    for range in accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight = parts.find_map(weight).unwrap_or(1.0);
        if kind.eq_ignore_ascii_case(SIGNED) {
            signed = weight;
        } else if kind.eq_ignore_ascii_case("application/json") {
            plain = weight;
        }
    }
    signed > 0.0 && signed >= plain
}

/// `q=0.5`
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    name.trim()
        .eq_ignore_ascii_case("q")
        .then(|| value.trim().parse().unwrap_or(1.0))
}

/// Tells an API whether a token is good.
pub async fn introspect(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let signed = wants_signed(request.headers());
    let asked = authenticated(&app, request, (Limit::IntrospectionPerClient, None)).await?;
    if !asked.client.is_confidential() {
        // RFC 7662 §4: or anybody could try tokens out.
        return Err(
            OAuthError::invalid_client("introspection is for APIs that authenticate")
                .about("introspection")
                .into(),
        );
    }
    let token = asked.params.require("token")?;
    let answer = introspect::introspect(&app, &asked.client, token).await?;
    if !signed {
        return Ok(asked.told().with(json_text(answer)));
    }
    let jwt = introspect::signed(&app, &asked.client, &answer).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(SIGNED)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let response = (headers, jwt.expose().to_owned()).into_response();
    Ok(asked.told().with(response))
}
