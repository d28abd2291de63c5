//! `POST /token` (RFC 6749 §3.2).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::response::Response;
use rules::protocol::token_request::{Grant, TokenRequest};

use super::authenticated;
use crate::app::App;
use crate::config::Limit;
use crate::flows::Requester;
use crate::flows::client_credentials::client_credentials;
use crate::flows::issue::Less;
use crate::flows::redeem_code::{Redeem, redeem_code};
use crate::flows::refresh::{Refresh, refresh};
use crate::http::reply::{ApiError, json};

/// Gives tokens.
pub async fn token(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let limited = (Limit::TokenPerClient, Some("/token"));
    let mut asked = authenticated(&app, request, limited).await?;
    let TokenRequest {
        grant,
        resources,
        details,
    } = TokenRequest::parse(&asked.params, &asked.client)?;
    let (possession, told) = asked.possession(&app).await?;
    let requester = Requester {
        client: asked.client,
        possession,
        caller: asked.caller,
    };
    let tokens = match grant {
        Grant::Code {
            code,
            redirect_uri,
            verifier,
        } => {
            let presented = Redeem {
                code,
                redirect_uri,
                verifier,
                resources,
                details,
            };
            Box::pin(redeem_code(&app, requester, presented)).await?
        }
        Grant::Refresh { token, scopes } => {
            let presented = Refresh {
                token,
                scopes,
                resources,
                details,
            };
            Box::pin(refresh(&app, requester, presented)).await?
        }
        Grant::ClientCredentials { scopes } => {
            let asked = Less {
                scopes: scopes.as_ref(),
                resources: &resources,
                details: details.as_deref(),
            };
            Box::pin(client_credentials(&app, requester, asked)).await?
        }
    };
    let mut response = json(&tokens);
    // RFC 6749 §5.1
    response
        .headers_mut()
        .insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(told.with(response))
}
