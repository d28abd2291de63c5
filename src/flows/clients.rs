//! Clients, as an operator registers and changes them (RFC 7591 §2 names what is registered).

mod edit;
mod register;
mod registration;
mod remove;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::{Actor, Event, Kind};
use rules::jose::JwkSet;
use rules::protocol::{Client, ClientAuth};
use uuid::Uuid;

use super::epochs::{self, Whose};
use super::{AdminFailure, Caller, follow, rotate_keys};
use crate::app::App;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, Token};
use crate::store::audit::PendingEvent;
use crate::store::clients;
use crate::store::feed::{EPOCH_MARGIN, What};
use registration::{check, once, signed_with};

pub use edit::{Changed, ClientEdit, set};
pub use register::{Entry, Status, register_of_all};
pub use registration::{NewAuth, NewClient, method};
pub use remove::{Removed, remove};

/// How many secrets of a client are good at once, so that one can be replaced without downtime.
const LIVE_SECRETS: usize = 2;

/// A client that was just registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// As it is registered.
    pub client: Client,
    /// Its secret, which nobody can read again.
    pub secret: Option<Secret>,
}

/// Registers a client.
///
/// # Errors
/// [`AdminFailure::Refused`] when the id is taken or something does not fit.
pub async fn register(
    app: &App,
    new: NewClient,
    caller: &Caller,
) -> Result<Registered, AdminFailure> {
    let id = match &new.id {
        Some(id) => id.clone(),
        None => format!("cs-{}", URL_SAFE_NO_PAD.encode(rng::bytes::<12>()?)),
    };
    // `sub` of a token is a person's UUID, or the client's own id: no API shall mix them up.
    if Uuid::try_parse(&id).is_ok() {
        return Err(AdminFailure::Refused(format!(
            "the client id {id} looks like that of a person, who are known by UUIDs; choose another"
        )));
    }
    let secret = match &new.auth {
        NewAuth::Secret => Some(Token::generate(Purpose::ClientSecret)?),
        NewAuth::None | NewAuth::Jwks(_) | NewAuth::Certificate(..) | NewAuth::SelfSigned(_) => {
            None
        }
    };
    let client = registration::client(id, new, secret.as_ref().map(hash));
    check(&client).map_err(AdminFailure::Refused)?;
    rotate_keys::provide(app, &signed_with(&client)).await?;
    let event = app
        .event(Kind::ClientCreated, caller)?
        .by(Actor::Operator)
        .client(client.id.as_str())
        .with("authentication", method(&client.auth))
        .with("profile", client.profile.as_str());
    let event = app.pending(event, caller, None)?;
    let now = app.clock.now();
    let stored = client.clone();
    let made = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let made = clients::insert(tx, &stored, now).await?;
                if made {
                    tx.record(event);
                }
                Ok(made)
            })
        })
        .await?;
    follow::reload_registry(app).await?;
    if !made {
        let taken = find(app, &client.id).await?;
        return Err(AdminFailure::Refused(match taken.removed_at {
            None => format!(
                "the client id {0} is taken; see it with `countersign client show {0}`",
                client.id
            ),
            Some(_) => format!(
                "the client id {} belonged to a client that was removed, and the audit log names it; \
                 choose another",
                client.id
            ),
        }));
    }
    let secret = secret.map(|token| Secret::new(token.expose().to_owned()));
    Ok(Registered { client, secret })
}

/// Makes the keys that are missing of those that sign for clients; for one that is disabled too, which
/// may act again.
///
/// # Errors
/// [`Fault`].
pub async fn provide_keys(app: &App) -> Result<(), Fault> {
    let registered = app.registry.now();
    let algs = once(registered.every_client().flat_map(signed_with).collect());
    rotate_keys::provide(app, &algs).await
}

/// Every client that was not removed, by id.
///
/// # Errors
/// [`Fault`].
pub async fn list(app: &App) -> Result<Vec<Client>, Fault> {
    let mut all = app.store.read(|tx| Box::pin(clients::all(tx))).await?;
    all.retain(|client| client.removed_at.is_none());
    Ok(all)
}

/// One client.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is none of this id.
pub async fn find(app: &App, id: &str) -> Result<Client, AdminFailure> {
    let wanted = id.to_owned();
    let found = app
        .store
        .read(move |tx| Box::pin(async move { clients::find(tx, &wanted).await }))
        .await?;
    found.ok_or_else(|| unknown(id))
}

/// Stops a client: it can do nothing any more, and everything issued to it is void at once.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is none, or it is disabled already.
pub async fn disable(app: &App, id: &str, caller: &Caller) -> Result<Client, AdminFailure> {
    let clock = app.clock.clone();
    let event = event(app, Kind::ClientDisabled, id, caller)?;
    change(app, id, app.pending(event, caller, None)?, move |client| {
        if client.disabled_at.is_some() {
            return Err(format!("the client {} is disabled already", client.id));
        }
        let now = clock.now();
        client.disabled_at = Some(now);
        client.valid_from = Some(now.plus(EPOCH_MARGIN));
        Ok(Some(What::ClientEpoch(client.id.clone())))
    })
    .await
}

/// Lets a disabled client act again; what was issued before it was disabled stays void.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is none, or it is not disabled.
pub async fn enable(app: &App, id: &str, caller: &Caller) -> Result<Client, AdminFailure> {
    let event = event(app, Kind::ClientEnabled, id, caller)?;
    change(
        app,
        id,
        app.pending(event, caller, None)?,
        |client| match client.disabled_at.take() {
            Some(_) => Ok(None),
            None => Err(format!("the client {} is not disabled", client.id)),
        },
    )
    .await
}

/// Makes a new secret, shown this once. The one before it stays good until the next rotation.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is no such client or it uses no secret.
pub async fn rotate_secret(app: &App, id: &str, caller: &Caller) -> Result<Secret, AdminFailure> {
    new_secret(app, id, LIVE_SECRETS, caller).await
}

/// Makes a new secret, shown this once, and ends every older one at once: what a leak calls for.
///
/// # Errors
/// As [`rotate_secret`].
pub async fn replace_secret(app: &App, id: &str, caller: &Caller) -> Result<Secret, AdminFailure> {
    new_secret(app, id, 1, caller).await
}

/// Replaces the public keys of a client. One with a secret moves to `private_key_jwt` for good: its
/// secrets end. One whose certificate an authority vouches for signs its requests with them.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is no such client, it is public, or no key fits.
pub async fn set_jwks(
    app: &App,
    id: &str,
    jwks: JwkSet,
    caller: &Caller,
) -> Result<Client, AdminFailure> {
    let event = event(app, Kind::ClientChanged, id, caller)?.with("changed", "jwks");
    change(app, id, app.pending(event, caller, None)?, move |client| {
        if !client.is_confidential() {
            return Err(format!(
                "the client {} is public; register a confidential one instead",
                client.id
            ));
        }
        client.metadata.jwks_uri = None;
        match &mut client.auth {
            ClientAuth::SelfSignedTlsClientAuth { jwks: known }
            | ClientAuth::TlsClientAuth { jwks: known, .. } => *known = jwks,
            other => *other = ClientAuth::PrivateKeyJwt { jwks },
        }
        Ok(None)
    })
    .await
}

/// Adds a secret, and keeps the newest `live` ones.
async fn new_secret(
    app: &App,
    id: &str,
    live: usize,
    caller: &Caller,
) -> Result<Secret, AdminFailure> {
    let secret = Token::generate(Purpose::ClientSecret)?;
    let new_hash = hash(&secret);
    let event = event(app, Kind::ClientChanged, id, caller)?
        .with("changed", "secret")
        .with("older_ended", live == 1);
    change(app, id, app.pending(event, caller, None)?, move |client| {
        let ClientAuth::Secret { hashes } = &mut client.auth else {
            return Err(format!(
                "the client {} uses no secret (its method is {})",
                client.id,
                method(&client.auth)
            ));
        };
        hashes.push(new_hash);
        let surplus = hashes.len().saturating_sub(live);
        hashes.drain(..surplus);
        Ok(None)
    })
    .await?;
    Ok(Secret::new(secret.expose().to_owned()))
}

/// Reads a client, lets `alter` change it, and stores it with its event, in one transaction.
async fn change<F>(
    app: &App,
    id: &str,
    event: PendingEvent,
    alter: F,
) -> Result<Client, AdminFailure>
where
    F: FnOnce(&mut Client) -> Result<Option<What>, String> + Send + 'static,
{
    let wanted = id.to_owned();
    let now = app.clock.now();
    let changed = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let Some(mut client) = clients::lock(tx, &wanted).await? else {
                    return Ok(None);
                };
                if client.removed_at.is_some() {
                    return Ok(Some(Err(format!("the client {} was removed", client.id))));
                }
                let (sector, acts) = (client.sector(), client.disabled_at.is_none());
                let altered = alter(&mut client).and_then(|what| {
                    // One that is stopped is judged when it may act again: whatever today's rules
                    // say of an old registration, it can be stopped.
                    if !acts || client.disabled_at.is_none() {
                        check(&client)?;
                        keeps_sector(&client, sector.as_deref())?;
                    }
                    Ok(what)
                });
                let announced = match altered {
                    Ok(announced) => announced,
                    Err(why) => return Ok(Some(Err(why))),
                };
                clients::update(tx, &client, now).await?;
                let epoch = announced.map(|what| {
                    let epoch = client.valid_from.unwrap_or(now);
                    tx.announce(what, epoch);
                    epoch
                });
                tx.record(event);
                Ok(Some(Ok((client, epoch))))
            })
        })
        .await?;
    // Also when it was so already: this node may not have learned it then.
    follow::reload_registry(app).await?;
    let (client, epoch) = changed
        .ok_or_else(|| unknown(id))?
        .map_err(AdminFailure::Refused)?;
    if let Some(epoch) = epoch {
        epochs::outlast(app, Whose::Client(id.to_owned()), epoch).await?;
    }
    Ok(client)
}

/// Another sector would know every person by another name: to the client, all of them would be
/// strangers (OpenID Connect Core §8.1). A new redirect URI must not do that unnoticed; who wants
/// new names says so by the subject type.
fn keeps_sector(client: &Client, before: Option<&str>) -> Result<(), String> {
    match (before, client.sector()) {
        (Some(before), Some(after)) if before != after => Err(format!(
            "the sector of the client {} would change from {before} to {after}, and its people \
             would get new identifiers; give a sector identifier URI of the host {before}",
            client.id
        )),
        _ => Ok(()),
    }
}

fn event(app: &App, kind: Kind, id: &str, caller: &Caller) -> Result<Event, Fault> {
    Ok(app.event(kind, caller)?.by(Actor::Operator).client(id))
}

fn hash(secret: &Token) -> String {
    URL_SAFE_NO_PAD.encode(secret.hash().as_bytes())
}

fn unknown(id: &str) -> AdminFailure {
    AdminFailure::Refused(format!(
        "there is no client {id:?}; `countersign client list` shows which there are"
    ))
}
