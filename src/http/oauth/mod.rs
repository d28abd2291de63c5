//! The machine endpoints, one file each.

pub mod authorize;
pub mod discovery;
pub mod introspect;
pub mod par;
pub mod revoke;
pub mod token;
pub mod userinfo;
pub mod verify;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use rules::protocol::credentials::Credentials;
use rules::protocol::{Client, OAuthError, Params, Possession};

use super::one::{Unusable, one};
use super::reply::ApiError;
use super::{form, limit as limits, proof};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::{Allowance, Whose};
use crate::flows::prove::{Shown, Target, prove};
use crate::flows::{Caller, authenticate_client, limit};

/// A form whose client has authenticated.
struct Authenticated {
    client: Arc<Client>,
    params: Params,
    caller: Caller,
    allowance: Option<Allowance>,
    proof: Result<Option<String>, OAuthError>,
}

/// What an answer says beside its body.
struct Told {
    allowance: Option<Allowance>,
    nonce: Option<String>,
}

impl Told {
    /// The answer, with how much is left when that is little, and the nonce for the next proof.
    fn with(self, mut response: Response) -> Response {
        limits::tell(response.headers_mut(), self.allowance.as_ref());
        if let Some(nonce) = self.nonce {
            proof::tell_nonce(response.headers_mut(), &nonce);
        }
        response
    }
}

impl Authenticated {
    /// What the answer says where no proof is asked for.
    const fn told(&self) -> Told {
        Told {
            allowance: self.allowance,
            nonce: None,
        }
    }

    /// What the request proves to hold: its proof is verified and spent; the certificate's key was
    /// proved by the handshake.
    async fn possession(
        &self,
        app: &App,
        path: &'static str,
    ) -> Result<(Possession, Told), ApiError> {
        let mut told = self.told();
        let certificate = self.caller.thumbprint();
        let Some(jwt) = self.proof.clone()? else {
            let key = None;
            return Ok((Possession { key, certificate }, told));
        };
        let shown = Shown {
            jwt: &jwt,
            method: "POST",
            target: Target::Own(path),
            access_token: None,
        };
        let proved = prove(app, &self.client, shown).await?;
        told.nonce = proved.next_nonce;
        let possession = Possession {
            key: Some(proved.key),
            certificate,
        };
        Ok((possession, told))
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
    let proof = proof::of(request.headers());
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
        proof,
    })
}

async fn credentials(request: Request) -> Result<(Credentials, Params), ApiError> {
    let (headers, params) = form::read(request).await?;
    let authorization = one(&headers, &header::AUTHORIZATION).map_err(|why| {
        let text = format!("the Authorization header {why}");
        match why {
            // RFC 6749 §2.3, §5.2: one way to authenticate, once.
            Unusable::Repeated => OAuthError::invalid_request(text),
            Unusable::Unreadable => OAuthError::invalid_client(text).about("header"),
        }
    });
    let credentials = Credentials::parse(authorization?, &params)?;
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
