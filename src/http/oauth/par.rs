//! `POST /par` (RFC 9126).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::authenticated;
use crate::app::App;
use crate::config::{Lifetimes, Limit};
use crate::flows::authorize::{self, REQUEST_URI};
use crate::http::reply::{ApiError, json as reply};

/// Takes a request in, and gives a reference to it.
pub async fn par(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let limited = (Limit::PushPerClient, Some("/par"));
    let mut asked = authenticated(&app, request, limited).await?;
    let (possession, told) = asked.possession(&app).await?;
    let reference = authorize::push(&app, &asked.client, &asked.params, possession).await?;
    let mut response = reply(&json!({
        "request_uri": format!("{REQUEST_URI}{}", reference.expose()),
        "expires_in": Lifetimes::PUSHED.as_secs(),
    }));
    *response.status_mut() = StatusCode::CREATED;
    Ok(told.with(response))
}
