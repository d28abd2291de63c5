//! `GET` and `POST /userinfo` (OpenID Connect Core §5.3, RFC 6750).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap};
use axum::response::Response;
use rules::protocol::{ErrorCode, OAuthError};

use crate::app::App;
use crate::flows::userinfo::userinfo;
use crate::http::form;
use crate::http::reply::{ApiError, json};

/// With the token in the header.
pub async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = bearer(&headers)?;
    answer(&app, token).await
}

/// With the token in the header or in the form (RFC 6750 §2.2), not in both.
pub async fn post(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let has_form = request.headers().contains_key(header::CONTENT_TYPE);
    if !has_form {
        let token = bearer(request.headers())?;
        return answer(&app, token).await;
    }
    let (headers, params) = form::read(request).await?;
    let in_form = params.get("access_token").map(str::to_owned);
    let token = match (headers.contains_key(header::AUTHORIZATION), in_form) {
        (true, Some(_)) => {
            let error = OAuthError::invalid_request("the access token is sent twice; send it once");
            return Err(error.into());
        }
        (false, Some(token)) => Some(token),
        _ => bearer(&headers)?,
    };
    answer(&app, token).await
}

async fn answer(app: &App, token: Option<String>) -> Result<Response, ApiError> {
    let Some(token) = token else {
        // RFC 6750 §3.1: without credentials, no error code in the challenge.
        let error = OAuthError::new(ErrorCode::InvalidToken, "the access token is missing");
        return Err(ApiError::from(error).challenge("Bearer realm=\"countersign\""));
    };
    let told = userinfo(app, &token).await.map_err(|failure| {
        let error = ApiError::from(failure);
        let challenge = format!(
            "Bearer realm=\"countersign\", error=\"{}\", error_description=\"{}\"",
            error.error().code.as_str(),
            error.error().description
        );
        error.challenge(&challenge)
    })?;
    Ok(json(&told))
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
