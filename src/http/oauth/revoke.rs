//! `POST /revoke` (RFC 7009).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::authenticated;
use crate::app::App;
use crate::config::Limit;
use crate::flows::revoke;
use crate::http::reply::ApiError;

/// Revokes a token.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let asked = authenticated(&app, request, (Limit::TokenPerClient, None)).await?;
    let token = asked.params.require("token")?;
    revoke::revoke(&app, &asked.client, token, &asked.caller).await?;
    let done = StatusCode::OK.into_response();
    Ok(asked.told().with(done))
}
