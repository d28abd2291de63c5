//! A signed-in person's passkeys and security keys: she binds new ones after a fresh proof, names
//! them, and removes them, all but the last strong factor that she has.

use std::sync::Arc;

use rules::audit::{Actor, Event, Kind};
use rules::identity::{KeyKind, authenticator};
use serde_json::Value;
use uuid::Uuid;

use super::Caller;
use super::fresh::{Demand, Fresh, Her, Proved, after_proof};
use super::sessions::SignedIn;
use super::webauthn::register::{self, Made, Registering};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
pub use crate::store::webauthn::Listed;
use crate::store::{Tx, factors, recovery_renewals, sessions, users, webauthn};

const PURPOSE: &str = "register";

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// She has as many keys as anybody may.
    TooMany,
    /// It is the last strong factor that she has.
    LastOne,
    /// There is no such key.
    Gone,
}

/// A key that waits for its authenticator.
pub struct Waiting {
    /// What it is for.
    pub kind: KeyKind,
    /// `PublicKeyCredentialCreationOptions`, as JSON.
    pub options: Value,
}

/// How making a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is bound.
    Done,
    /// It is not what was asked for, or somebody has it already.
    NotTaken,
    /// Nothing waits for it (any more).
    Gone,
}

/// A person's keys.
pub async fn list(app: &App, held: &SignedIn) -> Result<Vec<Listed>, Fault> {
    let user = held.user.id;
    app.store
        .read(move |tx| {
            Box::pin(async move {
                match users::find(tx, user).await? {
                    Some(user) => webauthn::of_user(tx, user.id, &user.keys).await,
                    None => Ok(Vec::new()),
                }
            })
        })
        .await
}

/// What a key's model is called, when it says one that is known.
#[must_use]
pub fn model(key: &Listed) -> Option<&'static str> {
    authenticator::model_name(key.aaguid)
}

/// Begins to add a key for a person who proves herself anew.
pub async fn begin(
    app: &Arc<App>,
    fresh: Fresh<'_>,
    (kind, name): (KeyKind, &str),
) -> Result<Proved<Result<(), Why>>, Fault> {
    let (holder, name) = (holder(&fresh.held), name.to_owned());
    after_proof(app, fresh, Demand::Strongest, move |tx, her| {
        Box::pin(async move {
            her.record(tx, her.event(Kind::ConfirmationSucceeded)?)?;
            let user = &her.proven.user;
            let bound = webauthn::bound(tx, user.id).await?;
            let asked = register::ask(her.app, &user.profile, (kind, &name), &bound)?;
            let Some(registering) = asked else {
                return Ok(Err(Why::TooMany));
            };
            ceremonies::end(tx, holder, PURPOSE).await?;
            let ceremony = Ceremony {
                id: rng::uuid(her.proven.at)?,
                holder,
                purpose: PURPOSE,
            };
            let until = her.proven.at.plus(Lifetimes::PASSKEY);
            ceremonies::begin(tx, ceremony, &registering, until).await?;
            Ok(Ok(()))
        })
    })
    .await
}

/// Removes a key of a person who proves herself anew. Her other sessions end.
pub async fn remove(
    app: &Arc<App>,
    fresh: Fresh<'_>,
    key: Uuid,
) -> Result<Proved<Result<(), Why>>, Fault> {
    after_proof(app, fresh, Demand::Strongest, move |tx, her| {
        Box::pin(async move {
            let removed = remove_hers(tx, her, key).await?;
            if removed.is_err() {
                her.record(tx, her.event(Kind::ConfirmationSucceeded)?)?;
            }
            Ok(removed)
        })
    })
    .await
}

/// Her account is held since the proof, so that two removals at once do not leave her without.
async fn remove_hers(tx: &mut Tx, her: &Her<'_>, key: Uuid) -> Result<Result<(), Why>, Fault> {
    let user = &her.proven.user;
    let keys = webauthn::of_user(tx, user.id, &user.keys).await?;
    let Some(found) = keys.iter().find(|one| one.id == key) else {
        return Ok(Err(Why::Gone));
    };
    let strong = factors::count_strong_open(tx, user.id).await?;
    if !found.blocked && strong <= 1 {
        return Ok(Err(Why::LastOne));
    }
    if !webauthn::remove(tx, key, user.id).await? {
        return Ok(Err(Why::Gone));
    }
    let ended = her.end_others(tx).await?;
    recovery_renewals::end_all(tx, user.id).await?;
    let event = her.event(Kind::PasskeyRemoved)?;
    let event = event.with("passkey", key.to_string());
    her.record(tx, event.with("ended_sessions", ended))?;
    Ok(Ok(()))
}

/// The key that waits for its authenticator in this session.
pub async fn waiting(app: &App, held: &SignedIn) -> Result<Option<Waiting>, Fault> {
    let (holder, now) = (holder(held), app.clock.now());
    let found = app
        .store
        .read(move |tx| Box::pin(ceremonies::waiting::<Registering>(tx, holder, PURPOSE, now)))
        .await?;
    Ok(found.map(|(_, registering)| Waiting {
        kind: registering.kind,
        options: registering.options,
    }))
}

/// Binds what an authenticator made. Her other sessions end.
pub async fn finish(
    app: &Arc<App>,
    held: &SignedIn,
    answer: &Secret,
    caller: &Caller,
) -> Result<Added, Fault> {
    let (holder, now) = (holder(held), app.clock.now());
    let taken = app
        .store
        .write(move |tx| {
            Box::pin(ceremonies::take_waiting::<Registering>(
                tx, holder, PURPOSE, now,
            ))
        })
        .await?;
    let Some(registering) = taken else {
        return Ok(Added::Gone);
    };
    let Some(made) = register::made(app, registering, answer).await? else {
        return Ok(Added::NotTaken);
    };
    let (app, caller) = (Arc::clone(app), caller.clone());
    let (user, session) = (held.user.id, held.session.id);
    let store = app.store.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                // What ended the account or the session meanwhile ended this too.
                if !users::lock(tx, user).await? || !sessions::hold(tx, session).await? {
                    return Ok(Added::Gone);
                }
                let Some(user) = users::find(tx, user).await? else {
                    return Ok(Added::Gone);
                };
                let Some(key) = register::bind(tx, &user, &made, now).await? else {
                    return Ok(Added::NotTaken);
                };
                let ended = sessions::end_others(tx, user.id, Some(session), now).await?;
                let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
                let event = added(&app, user.id, (key, &made), &caller)?
                    .session(session)
                    .with("ended_sessions", ended);
                tx.record(app.pending(event, &caller, Some(&user.keys))?);
                Ok(Added::Done)
            })
        })
        .await
}

/// Gives a key another name; false when it is not hers, or the name is empty.
pub async fn rename(
    app: &Arc<App>,
    held: &SignedIn,
    (key, name): (Uuid, &str),
    caller: &Caller,
) -> Result<bool, Fault> {
    let name = register::fit_name(name);
    if name.is_empty() {
        return Ok(false);
    }
    let user = held.user.id;
    let event = app
        .event(Kind::PasskeyRenamed, caller)?
        .by(Actor::User(user))
        .subject(user)
        .session(held.session.id)
        .with("passkey", key.to_string());
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let Some(user) = users::find(tx, user).await? else {
                    return Ok(false);
                };
                let renamed = webauthn::rename(tx, (key, user.id), &name, &user.keys).await?;
                if renamed {
                    tx.record(event);
                }
                Ok(renamed)
            })
        })
        .await
}

/// The audit event of a key that is bound.
pub(super) fn added(
    app: &App,
    user: Uuid,
    (key, made): (Uuid, &Made),
    caller: &Caller,
) -> Result<Event, Fault> {
    let event = app
        .event(Kind::PasskeyAdded, caller)?
        .by(Actor::User(user))
        .subject(user)
        .with("passkey", key.to_string());
    let facts = made.facts().into_iter();
    Ok(facts.fold(event, |event, (name, fact)| event.with(name, fact)))
}

/// A session's hold on the key that it waits for.
fn holder(held: &SignedIn) -> TokenHash {
    TokenHash::of(Purpose::Ceremony, &format!("session {}", held.session.id))
}
