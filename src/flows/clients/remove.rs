//! Removing a client for good.

use std::sync::Arc;

use rules::audit::Kind;
use rules::protocol::{Client, ClientAuth, Scopes};
use uuid::Uuid;

use super::{event, unknown};
use crate::app::App;
use crate::clock::Clock;
use crate::fault::Fault;
use crate::flows::epochs::{self, Whose};
use crate::flows::{AdminFailure, Caller, follow};
use crate::store::audit::PendingEvent;
use crate::store::feed::{EPOCH_MARGIN, What};
use crate::store::{Tx, clients, grants, resources};

/// A client that is gone.
#[derive(Clone, Debug)]
pub struct Removed {
    /// What is left of it: who it was, and since when it is gone.
    pub client: Client,
    /// How many people's consents ended with it.
    pub grants_ended: u64,
}

/// Removes a client: everything issued to it is void at once, people's consents end, its secrets and
/// keys are forgotten. Its id is never given to another: the audit log says what it did under it.
///
/// Consents end a few hundred at a time. A removal that was cut short goes on when it is asked for
/// again; the client can do nothing from the first moment.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is none, it is removed already, or it introspects tokens for
/// a resource.
pub async fn remove(app: &App, id: &str, caller: &Caller) -> Result<Removed, AdminFailure> {
    let event = event(app, Kind::ClientRemoved, id, caller)?;
    let event = app.pending(event, caller, None)?;
    let (wanted, clock) = (id.to_owned(), app.clock.clone());
    let stopped = app
        .store
        .write(move |tx| Box::pin(async move { stop(tx, &wanted, event, &clock).await }))
        .await?;
    follow::reload_registry(app).await?;
    let (client, first) = stopped
        .ok_or_else(|| unknown(id))?
        .map_err(AdminFailure::Refused)?;
    if let Some(epoch) = client.valid_from.filter(|_| first) {
        epochs::outlast(app, Whose::Client(id.to_owned()), epoch).await?;
    }
    let grants_ended = end_grants(app, id).await?;
    if !first && grants_ended == 0 {
        return Err(AdminFailure::Refused(format!(
            "the client {id} is removed already"
        )));
    }
    Ok(Removed {
        client,
        grants_ended,
    })
}

/// What is left of the client, and whether this stopped it.
type Stopped = Option<Result<(Client, bool), String>>;

async fn stop(tx: &mut Tx, id: &str, event: PendingEvent, clock: &Clock) -> Result<Stopped, Fault> {
    // Nobody gives it a resource meanwhile.
    resources::lock(tx).await?;
    // Not before: the wait for the writer must not eat up the margin of the epoch.
    let now = clock.now();
    let Some(client) = clients::lock(tx, id).await? else {
        return Ok(None);
    };
    if client.removed_at.is_some() {
        return Ok(Some(Ok((client, false))));
    }
    let all = resources::all(tx).await?;
    if let Some(resource) = all.iter().find(|resource| resource.client_id == id) {
        return Ok(Some(Err(format!(
            "the client {id} introspects the tokens of {0}; give the resource another with \
             `countersign resource set {0} --client …`, or remove it first",
            resource.uri
        ))));
    }
    let void = now.plus(EPOCH_MARGIN);
    let left = Client {
        auth: match client.auth {
            ClientAuth::None => ClientAuth::None,
            _ => ClientAuth::Secret { hashes: Vec::new() },
        },
        redirect_uris: Vec::new(),
        grant_types: Vec::new(),
        scopes: Scopes::default(),
        valid_from: Some(void),
        disabled_at: client.disabled_at.or(Some(now)),
        removed_at: Some(now),
        ..client
    };
    clients::update(tx, &left, now).await?;
    tx.announce(What::ClientEpoch(left.id.clone()), void);
    tx.record(event);
    Ok(Some(Ok((left, true))))
}

/// Ends what people granted it.
async fn end_grants(app: &App, id: &str) -> Result<u64, Fault> {
    let id: Arc<str> = id.into();
    let mut after = Uuid::nil();
    let mut ended = 0;
    loop {
        let (client, now) = (Arc::clone(&id), app.clock.now());
        let some = app
            .store
            .write(move |tx| {
                Box::pin(async move { grants::end_of_client(tx, &client, after, now).await })
            })
            .await?;
        match some.iter().max() {
            None => return Ok(ended),
            Some(last) => after = *last,
        }
        ended += some.len() as u64;
    }
}
