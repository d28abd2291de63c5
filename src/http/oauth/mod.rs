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
use rules::protocol::{Client, ErrorCode, OAuthError, Params, Possession};

use super::one::{Unusable, one};
use super::reply::ApiError;
use super::{form, limit as limits, proof};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::{Allowance, Whose};
use crate::flows::prove::{Held, Shown, Target, hold};
use crate::flows::{Caller, authenticate_client, limit};

/// A form whose client has authenticated.
struct Authenticated {
    client: Arc<Client>,
    params: Params,
    caller: Caller,
    allowance: Option<Allowance>,
    held: Result<Option<Held>, OAuthError>,
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

    /// What the request proves to hold: its proof is spent; the certificate's key was proved by the
    /// handshake.
    async fn possession(&mut self, app: &App) -> Result<(Possession, Told), ApiError> {
        let mut told = self.told();
        let mut possession = Possession {
            key: None,
            certificate: self.caller.thumbprint(),
        };
        if let Some(held) = std::mem::replace(&mut self.held, Ok(None))? {
            let proved = held.spend(app, &self.client).await?;
            told.nonce = proved.next_nonce;
            possession.key = Some(proved.key);
        }
        Ok((possession, told))
    }
}

/// Reads the form, authenticates the client that sent it, and counts the request against what
/// limits that client. Anybody may ask in a public client's name, so its requests are counted by
/// address too.
///
/// `proved_at` is the path where a proof of a key may come along. Who is told to use a nonce may send
/// the same assertion again: nothing is spent by that answer.
async fn authenticated(
    app: &App,
    mut request: Request,
    (limited, proved_at): (Limit, Option<&'static str>),
) -> Result<Authenticated, ApiError> {
    let caller: Caller = request.extensions_mut().remove().unwrap_or_default();
    let proof = proved_at.map(|path| (path, proof::of(request.headers())));
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
    let recognised = authenticate_client::recognise(app, credentials, &caller).await?;
    let client = Arc::clone(&recognised.client);
    let here = Whose::ClientAt(&client.id, caller.address);
    let (limited, whose) = if client.is_confidential() {
        (limited, Whose::Client(&client.id))
    } else {
        (Limit::PublicClientPerAddress, here)
    };
    let held = proof.map_or(Ok(None), |proof| held(app, &client, proof));
    if let Err(error) = &held
        && error.code == ErrorCode::UseDpopNonce
    {
        // Whoever repeats an assertion of somebody else takes nothing from what its client may ask.
        limit::take(app, limited, here)?;
        return Err(error.clone().into());
    }
    recognised.spend(app, &caller).await?;
    let allowance = limit::take(app, limited, whose)?;
    Ok(Authenticated {
        client,
        params,
        caller,
        allowance,
        held,
    })
}

/// The proof of a request, verified; none when there is none.
fn held(
    app: &App,
    client: &Client,
    (path, proof): (&'static str, Result<Option<String>, OAuthError>),
) -> Result<Option<Held>, OAuthError> {
    let shown = |jwt: String| {
        let shown = Shown {
            jwt: &jwt,
            method: "POST",
            target: Target::Own(path),
            access_token: None,
        };
        hold(app, client, shown)
    };
    proof?.map(shown).transpose()
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
