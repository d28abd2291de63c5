//! `GET` and `POST /userinfo` (OpenID Connect Core §5.3, RFC 6750).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use rules::protocol::{ErrorCode, OAuthError};

use crate::app::App;
use crate::flows::userinfo::{Told, userinfo};
use crate::http::form;
use crate::http::reply::{ApiError, json};

/// What every challenge begins with (RFC 6750 §3).
const CHALLENGE: &str = "Bearer realm=\"countersign\"";

/// With the token in the header.
pub async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = bearer(&headers).map_err(|error| challenged(error.into()))?;
    answer(&app, token).await
}

/// With the token in the header or in the form (RFC 6750 §2.2), not in both.
pub async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let has_form = request.headers().contains_key(header::CONTENT_TYPE);
    if !has_form {
        let token = bearer(request.headers()).map_err(|error| challenged(error.into()))?;
        return answer(&app, token).await;
    }
    let read = form::read(request).await;
    let (headers, params) = read.map_err(|bad| challenged(bad.into()))?;
    let in_form = params.get("access_token").map(str::to_owned);
    let token = match (headers.contains_key(header::AUTHORIZATION), in_form) {
        (true, Some(_)) => {
            let error = OAuthError::invalid_request("the access token is sent twice; send it once");
            return Err(challenged(error.into()));
        }
        (false, Some(token)) => Some(token),
        _ => bearer(&headers).map_err(|error| challenged(error.into()))?,
    };
    answer(&app, token).await
}

async fn answer(app: &App, token: Option<String>) -> Result<Response, ApiError> {
    let Some(token) = token else {
        // RFC 6750 §3.1: without credentials, no error code in the challenge.
        let error = OAuthError::new(ErrorCode::InvalidToken, "the access token is missing");
        return Err(ApiError::from(error).challenge(CHALLENGE));
    };
    match userinfo(app, &token).await {
        Ok(Told::Json(told)) => Ok(json(&told)),
        Ok(Told::Jwt(jwt)) => Ok(signed(jwt.expose())),
        Err(failure) => Err(challenged(failure.into())),
    }
}

/// A refusal says what is wrong with the credentials (RFC 6750 §3); a failure is not about them.
fn challenged(error: ApiError) -> ApiError {
    let OAuthError {
        code, description, ..
    } = error.error();
    let scope = match code {
        ErrorCode::TemporarilyUnavailable => return error,
        ErrorCode::InsufficientScope => ", scope=\"openid\"",
        _ => "",
    };
    let code = code.as_str();
    let challenge =
        format!("{CHALLENGE}, error=\"{code}\", error_description=\"{description}\"{scope}");
    error.challenge(&challenge)
}

/// OpenID Connect Core §5.3.2
fn signed(jwt: &str) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/jwt"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, jwt.to_owned()).into_response()
}

fn bearer(headers: &HeaderMap) -> Result<Option<String>, OAuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let malformed = || {
        OAuthError::invalid_request("the Authorization header must be Bearer and the access token")
    };
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(malformed());
    }
    Ok(Some(token.trim().to_owned()))
}
