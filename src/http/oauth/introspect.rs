//! `POST /introspect` (RFC 7662).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use rules::protocol::OAuthError;

use super::{Authenticated, authenticated};
use crate::app::App;
use crate::config::Limit;
use crate::flows::introspect;
use crate::http::reply::{ApiError, json_text};

/// Tells an API whether a token is good.
pub async fn introspect(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let asked = authenticated(&app, request, Limit::IntrospectionPerClient).await?;
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
    Ok(Authenticated::answer(asked.allowance, json_text(answer)))
}
