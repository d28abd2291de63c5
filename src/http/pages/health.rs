//! What a supervisor or a load balancer asks.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::flows::ready;
use crate::http::reply;

/// `GET /healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers, and this node knows what the others revoked, as it was at
/// most half a second ago; and it is not about to stop.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    if ready::is_ready(&app).await {
        return reply::json(&json!({ "status": "ready" }));
    }
    let body = reply::json(&json!({ "status": "unavailable" }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
