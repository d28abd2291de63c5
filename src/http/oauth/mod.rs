//! The machine endpoints, one file each.

pub mod authorize;
pub mod discovery;
pub mod introspect;
pub mod par;
pub mod revoke;
pub mod token;
pub mod userinfo;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header;
use rules::protocol::credentials::Credentials;
use rules::protocol::{Client, OAuthError, Params};

use super::form;
use super::reply::ApiError;
use crate::app::App;
use crate::flows::{Caller, authenticate_client};

/// A form whose client has authenticated.
struct Authenticated {
    client: Arc<Client>,
    params: Params,
    caller: Caller,
}

/// Reads the form and authenticates the client that sent it.
async fn authenticated(app: &App, request: Request) -> Result<Authenticated, ApiError> {
    let caller = caller(&request);
    let (headers, params) = form::read(request).await?;
    let authorization = headers
        .get(header::AUTHORIZATION)
        .map(|value| {
            value.to_str().map_err(|_| {
                OAuthError::invalid_client("the Authorization header is not readable text")
            })
        })
        .transpose()?;
    let credentials = Credentials::parse(authorization, &params)?;
    let client = authenticate_client::authenticate(app, credentials).await?;
    Ok(Authenticated {
        client,
        params,
        caller,
    })
}

/// Where the request comes from; the layer around every request put it there.
pub(super) fn caller(request: &Request) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or_default()
}
