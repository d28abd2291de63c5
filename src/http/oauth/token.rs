//! `POST /token` (RFC 6749 §3.2).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use rules::protocol::token_request::{Grant, TokenRequest};

use super::{Authenticated, authenticated};
use crate::app::App;
use crate::config::Limit;
use crate::flows::client_credentials::client_credentials;
use crate::flows::redeem_code::{Redeem, redeem_code};
use crate::flows::refresh::{Refresh, refresh};
use crate::http::reply::{ApiError, json};

/// Gives tokens.
pub async fn token(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let Authenticated {
        client,
        params,
        caller,
        allowance,
    } = authenticated(&app, request, Limit::TokenPerClient).await?;
    let TokenRequest { grant, resources } = TokenRequest::parse(&params, &client)?;
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
            };
            Box::pin(redeem_code(&app, client, presented, &caller)).await?
        }
        Grant::Refresh { token, scopes } => {
            let presented = Refresh {
                token,
                scopes,
                resources,
            };
            Box::pin(refresh(&app, client, presented, &caller)).await?
        }
        Grant::ClientCredentials { scopes } => {
            let own = client_credentials(&app, client, scopes.as_ref(), &resources, &caller);
            Box::pin(own).await?
        }
    };
    Ok(Authenticated::answer(allowance, json(&tokens)))
}
