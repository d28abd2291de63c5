//! `client_credentials` (RFC 6749 §4.4). A client has one authorization for each thing it asks of
//! its own; after the first time nothing but the audit event is written.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use rules::audit::Kind;
use rules::protocol::target::{self, Target, Wanted};
use rules::protocol::{ClaimsRequest, Client, Details, OAuthError};
use rules::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::issue::{self, Issuance, Less};
use super::{Failure, Requester};
use crate::app::App;
use crate::fault::Fault;
use crate::rng;
use crate::secret::sha256;
use crate::store::authorizations::{self, Authorization};

/// How many authorizations of clients are remembered.
const REMEMBERED: usize = 100_000;

/// Authorizations of clients for themselves, in memory; losing them costs one look.
#[derive(Default)]
pub struct Remembered(RwLock<HashMap<[u8; 32], Uuid>>);

impl Remembered {
    fn get(&self, lookup: &[u8; 32]) -> Option<Uuid> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(lookup).copied()
    }

    fn put(&self, lookup: [u8; 32], id: Uuid) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(lookup, id);
    }
}

/// Issues an access token to a client for itself; `asked` is as a token request may say it.
pub async fn client_credentials(
    app: &App,
    requester: Requester,
    asked: Less<'_>,
) -> Result<Value, Failure> {
    let Requester {
        client,
        possession,
        caller,
    } = requester;
    let at = app.clock.now();
    if client.valid_from.is_some_and(|from| at <= from) {
        // Enabled again a moment ago: a token made now would be void.
        return Err(Fault::Busy("the client was enabled a moment ago").into());
    }
    let (registered, types) = (app.registry.now(), app.config.details.as_ref());
    // RFC 9396 §6
    let details = asked
        .details
        .map(|text| Details::parse_alone(text, &client, types))
        .transpose()
        .map_err(|error| refused(app, &client, error))?
        .unwrap_or_default();
    let wanted = Wanted {
        scopes: asked.scopes,
        named: asked.resources,
        details: &details,
    };
    let target = target::for_itself(&client, wanted, registered.resources(), types)
        .map_err(|error| refused(app, &client, error))?;
    issue::check_manner(&registered, &target)?;
    issue::check_signers(app, &client, (&target, false))?;
    let confirmation = client
        .bind(possession)
        .map_err(|error| refused(app, &client, error))?;
    let authorization = authorization(app, &client, (&target, &details)).await?;
    let event = app
        .event_by_client(Kind::TokenIssued, &client, &caller)?
        .authorization(authorization.id)
        .with("grant_type", "client_credentials")
        .with("scope", target.scopes.to_string());
    let event = super::with_details(event, &details);
    let event = app.pending(event, &caller, None)?;
    app.store.append(event).await?;
    let issuance = Issuance {
        client,
        at,
        authorization,
        target,
        details,
        refresh_token: None,
        id_token: false,
        nonce: None,
        confirmation,
    };
    issue::mint(app, issuance).await
}

/// The authorization for these scopes, APIs and types of details. What the details say is in the tokens
/// alone, so that there is no row for each payment.
async fn authorization(
    app: &App,
    client: &Client,
    (target, details): (&Target, &Details),
) -> Result<Authorization, Fault> {
    let (scopes, resources) = (target.scopes.to_string(), target.resources.join(" "));
    let types = details.type_names();
    let mut parts = vec![
        client.id.as_bytes(),
        b"\0",
        scopes.as_bytes(),
        b"\0",
        resources.as_bytes(),
    ];
    if !types.is_empty() {
        parts.extend([b"\0", types.as_bytes()]);
    }
    let lookup = sha256(&parts);
    let now = app.clock.now();
    let known = app.own_authorizations.get(&lookup);
    let mut authorization = Authorization {
        id: known.map_or_else(|| rng::uuid(now), Ok)?,
        client_id: client.id.clone(),
        person: None,
        target: target.clone(),
        claims: ClaimsRequest::default(),
        details: Details::default(),
        created_at: now,
        expires_at: Timestamp::from_millis(i64::MAX),
        revoked: false,
    };
    if known.is_none() {
        let new = authorization.clone();
        let stored = app.store.write(move |tx| {
            Box::pin(async move { authorizations::of_client(tx, &new, lookup, now).await })
        });
        authorization.id = Box::pin(stored).await?;
        app.own_authorizations.put(lookup, authorization.id);
    }
    Ok(authorization)
}

fn refused(app: &App, client: &Client, error: OAuthError) -> OAuthError {
    app.refusals
        .count(Kind::TokenRefused, Some(&client.id), error.code.as_str());
    error
}
