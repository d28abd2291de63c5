//! A signed-in person makes new recovery codes: she proves herself anew, is shown the set, and
//! types one of it. Until then the old ones count.

use std::sync::Arc;

use rules::audit::{Actor, Kind};

use super::Caller;
use super::fresh::{Demand, Fresh, Proved, after_proof};
use super::recovery_set::RecoverySet;
use super::sessions::SignedIn;
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::store::recovery_renewals::{self, Renewal};
use crate::store::{factors, sessions};

/// A set that waits to be confirmed.
pub struct Waiting {
    /// The codes, in groups.
    pub codes: Vec<String>,
    /// Which one is to be typed, from 1.
    pub asked: usize,
}

/// How the confirmation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The new codes count, and the old ones are worth nothing.
    Done,
    /// That was another code; the set still waits.
    WrongCode,
    /// There is no such set (any more).
    Gone,
}

/// Makes a new set for a person who proves herself anew; it waits to be seen and confirmed.
pub async fn begin(app: &Arc<App>, fresh: Fresh<'_>) -> Result<Proved<()>, Fault> {
    let set = RecoverySet::generate()?;
    after_proof(app, fresh, Demand::Strongest, move |tx, her| {
        Box::pin(async move {
            let renewal = Renewal {
                id: rng::uuid(her.proven.at)?,
                session_id: her.session,
                user_id: her.proven.user.id,
            };
            let until = her.proven.at.plus(Lifetimes::RECOVERY_CODES);
            recovery_renewals::begin(tx, renewal, &set, until).await?;
            her.record(tx, her.event(Kind::ConfirmationSucceeded)?)
        })
    })
    .await
}

/// The set that waits in this session.
pub async fn waiting(app: &App, held: &SignedIn) -> Result<Option<Waiting>, Fault> {
    let found = find(app, held).await?;
    Ok(found.map(|(_, set)| Waiting {
        codes: set.shown(),
        asked: set.asked(),
    }))
}

/// Puts the set in force when the code that was asked for is typed.
pub async fn confirm(
    app: &App,
    held: &SignedIn,
    typed: &str,
    caller: &Caller,
) -> Result<Confirmed, Fault> {
    let turn = app.hasher.turn(held.user.id).await?;
    let Some((renewal, set)) = find(app, held).await? else {
        return Ok(Confirmed::Gone);
    };
    if !set.is_asked(typed) {
        return Ok(Confirmed::WrongCode);
    }
    let hashed = set.hash(&turn).await?;
    let (user, session) = (held.user.id, held.session.id);
    let event = app
        .event(Kind::RecoveryCodesReplaced, caller)?
        .by(Actor::User(user))
        .subject(user)
        .session(session);
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    let now = app.clock.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                // What ended the session, or changed the password, ended this too.
                if !sessions::hold(tx, session).await?
                    || !recovery_renewals::consume(tx, renewal, now).await?
                {
                    return Ok(Confirmed::Gone);
                }
                factors::replace_recovery(tx, user, &hashed, now).await?;
                // A set that waits in another browser must not replace this one later.
                recovery_renewals::end_all(tx, user).await?;
                tx.record(event);
                Ok(Confirmed::Done)
            })
        })
        .await
}

/// Forgets the set that waits; the old codes go on.
pub async fn cancel(app: &App, held: &SignedIn) -> Result<(), Fault> {
    let Some((renewal, _)) = find(app, held).await? else {
        return Ok(());
    };
    let now = app.clock.now();
    app.store
        .write(move |tx| {
            Box::pin(async move { recovery_renewals::consume(tx, renewal, now).await.map(drop) })
        })
        .await
}

async fn find(app: &App, held: &SignedIn) -> Result<Option<(Renewal, RecoverySet)>, Fault> {
    let (session, user, now) = (held.session.id, held.user.id, app.clock.now());
    let found = app
        .store
        .read(move |tx| Box::pin(recovery_renewals::find::<RecoverySet>(tx, session, now)))
        .await?;
    Ok(found.filter(|(renewal, _)| renewal.user_id == user))
}
