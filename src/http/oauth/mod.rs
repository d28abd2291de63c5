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
use axum::response::Response;
use rules::protocol::credentials::Credentials;
use rules::protocol::{Client, OAuthError, Params};

use super::reply::ApiError;
use super::{form, limit as limits};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::{Allowance, Whose};
use crate::flows::{Caller, authenticate_client, limit};

/// A form whose client has authenticated.
struct Authenticated {
    client: Arc<Client>,
    params: Params,
    caller: Caller,
    allowance: Option<Allowance>,
}

impl Authenticated {
    /// The answer, with how much is left when that is little.
    fn answer(allowance: Option<Allowance>, mut response: Response) -> Response {
        limits::tell(response.headers_mut(), allowance.as_ref());
        response
    }
}

/// Reads the form, authenticates the client that sent it, and counts the request against what
/// limits that client. Anybody may ask in a public client's name, so its requests are counted by
/// address too.
async fn authenticated(
    app: &App,
    request: Request,
    limited: Limit,
) -> Result<Authenticated, ApiError> {
    let caller = caller(&request);
    let (credentials, params) = match credentials(request).await {
        Ok(read) => read,
        Err(error) => {
            limit::take(
                app,
                Limit::FailuresPerAddress,
                Whose::Address(caller.address),
            )?;
            return Err(error);
        }
    };
    let client = authenticate_client::authenticate(app, credentials, &caller).await?;
    let allowance = if client.is_confidential() {
        limit::take(app, limited, Whose::Client(&client.id))?
    } else {
        let whose = Whose::ClientAt(&client.id, caller.address);
        limit::take(app, Limit::PublicClientPerAddress, whose)?
    };
    Ok(Authenticated {
        client,
        params,
        caller,
        allowance,
    })
}

async fn credentials(request: Request) -> Result<(Credentials, Params), ApiError> {
    let (headers, params) = form::read(request).await?;
    let authorization = headers
        .get(header::AUTHORIZATION)
        .map(|value| {
            value.to_str().map_err(|_| {
                OAuthError::invalid_client("the Authorization header is not readable text")
                    .about("header")
            })
        })
        .transpose()?;
    let credentials = Credentials::parse(authorization, &params)?;
    Ok((credentials, params))
}

/// Where the request comes from; the layer around every request put it there.
pub(super) fn caller(request: &Request) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or_default()
}
