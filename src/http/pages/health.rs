//! What a supervisor or a load balancer asks.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::flows::follow;
use crate::http::reply;

/// `GET /healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the database answers, and this node knows what the others revoked.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    let ready = match follow::fresh(&app).await {
        Ok(()) => app.store.ping().await,
        stale => stale,
    };
    match ready {
        Ok(()) => reply::json(&json!({ "status": "ready" })),
        Err(fault) => {
            tracing::warn!(fault = %fault, "not ready");
            let body = reply::json(&json!({ "status": "unavailable" }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}
