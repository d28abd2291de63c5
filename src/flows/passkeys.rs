//! A signed-in person's passkeys and security keys: she binds new ones after a fresh proof, names
//! them, and removes them, all but the last strong factor that she has.

use std::sync::Arc;

use rules::audit::{Actor, Event, Kind};
use rules::identity::{KeyKind, authenticator};
use rules::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::judge::{Act, Evidence, Proven, Ruling, judge};
use super::sessions::SignedIn;
use super::webauthn::register::{self, Made, Registering};
use super::{Caller, issue};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, Token, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
pub use crate::store::webauthn::Listed;
use crate::store::{Tx, factors, recovery_renewals, sessions, users, webauthn};

const PURPOSE: &str = "register";

/// How a fresh proof before a change ended.
pub enum Proved {
    /// It was right; the session goes on under this cookie.
    Done(Token),
    /// It was right, but what was asked for cannot be done.
    Not(Token, Why),
    /// The session ended meanwhile; nothing was done.
    SignedOut,
    /// What she gave was not right; nobody learns which part.
    Refused,
    /// Too many failures; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
}

/// Why something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// She has as many keys as anybody may.
    TooMany,
    /// It is the last strong factor that she has.
    LastOne,
    /// She has keys that resist phishing, and proved something weaker: whoever has a code of hers
    /// from a false page must not make a key of it.
    Weaker,
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
    held: SignedIn,
    (evidence, device): (Evidence, Option<&str>),
    wanted: (KeyKind, &str),
    caller: &Caller,
) -> Result<Proved, Fault> {
    let (kind, name) = wanted;
    let act = Change {
        app: Arc::clone(app),
        caller: caller.clone(),
        held,
        what: What::Begin(kind, name.to_owned()),
    };
    Ok(conclude(
        app,
        judge(app, evidence, device, caller, act).await?,
    ))
}

/// Removes a key of a person who proves herself anew. Her other sessions end.
pub async fn remove(
    app: &Arc<App>,
    held: SignedIn,
    (evidence, device): (Evidence, Option<&str>),
    key: Uuid,
    caller: &Caller,
) -> Result<Proved, Fault> {
    let act = Change {
        app: Arc::clone(app),
        caller: caller.clone(),
        held,
        what: What::Remove(key),
    };
    Ok(conclude(
        app,
        judge(app, evidence, device, caller, act).await?,
    ))
}

fn conclude(app: &App, ruling: Ruling<Option<Gain>>) -> Proved {
    match ruling {
        Ruling::Granted(Some((Ok(()), token))) => Proved::Done(token),
        Ruling::Granted(Some((Err(why), token))) => Proved::Not(token, why),
        Ruling::Granted(None) => Proved::SignedOut,
        Ruling::Refused => Proved::Refused,
        Ruling::Blocked { until } => Proved::Blocked { until },
        Ruling::Limited(exceeded) => Proved::Blocked {
            until: app.clock.now().plus(exceeded.wait),
        },
    }
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

/// What is done after the proof, and the session's new cookie.
type Gain = (Result<(), Why>, Token);

enum What {
    Begin(KeyKind, String),
    Remove(Uuid),
}

struct Change {
    app: Arc<App>,
    caller: Caller,
    held: SignedIn,
    what: What,
}

impl Act for Change {
    /// Unless the session ended meanwhile.
    type Gain = Option<Gain>;

    const REFUSED: Kind = Kind::ConfirmationRefused;
    const BLOCKED: Kind = Kind::ConfirmationBlocked;

    async fn perform(self, tx: &mut Tx, proven: &Proven) -> Result<Option<Self::Gain>, Fault> {
        let (user, session) = (&proven.user, &self.held.session);
        if user.id != session.user_id {
            return Ok(None);
        }
        if !sessions::hold(tx, session.id).await? {
            return Ok(Some(None));
        }
        let policy = self.app.config.passkeys.policy;
        let admission = &proven.admission;
        let done = if factors::reach(tx, user.id, policy).await? > Some(admission.assurance().acr) {
            Err(Why::Weaker)
        } else {
            match &self.what {
                What::Begin(kind, name) => self.begin(tx, proven, (*kind, name)).await?,
                What::Remove(key) => self.remove(tx, proven, *key).await?,
            }
        };
        if done.is_err() {
            // The session goes on anew all the same, and that is written down.
            let event = self.event(Kind::ConfirmationSucceeded, user.id)?;
            tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        }
        let by = proven.signs_in(&self.caller);
        let from = proven.counts_from();
        let (_, token) = issue::renewed_session(tx, admission, session.id, by, from).await?;
        Ok(Some(Some((done, token))))
    }
}

impl Change {
    async fn begin(
        &self,
        tx: &mut Tx,
        proven: &Proven,
        wanted: (KeyKind, &str),
    ) -> Result<Result<(), Why>, Fault> {
        let user = &proven.user;
        let bound = webauthn::bound(tx, user.id).await?;
        let Some(registering) = register::ask(&self.app, &user.profile, wanted, &bound)? else {
            return Ok(Err(Why::TooMany));
        };
        let holder = holder(&self.held);
        ceremonies::end(tx, holder, PURPOSE).await?;
        let ceremony = Ceremony {
            id: rng::uuid(proven.at)?,
            holder,
            purpose: PURPOSE,
        };
        let until = proven.at.plus(Lifetimes::PASSKEY);
        ceremonies::begin(tx, ceremony, &registering, until).await?;
        let event = self.event(Kind::ConfirmationSucceeded, user.id)?;
        tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        Ok(Ok(()))
    }

    /// Her account is held since the proof, so that two removals at once do not leave her without.
    async fn remove(
        &self,
        tx: &mut Tx,
        proven: &Proven,
        key: Uuid,
    ) -> Result<Result<(), Why>, Fault> {
        let (user, at) = (&proven.user, proven.at);
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
        let kept = Some(self.held.session.id);
        let ended = sessions::end_others(tx, user.id, kept, at).await?;
        recovery_renewals::end_all(tx, user.id).await?;
        let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
        let event = self
            .event(Kind::PasskeyRemoved, user.id)?
            .with("passkey", key.to_string())
            .with("ended_sessions", ended);
        tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        Ok(Ok(()))
    }

    fn event(&self, kind: Kind, user: Uuid) -> Result<Event, Fault> {
        let event = self.app.event(kind, &self.caller)?;
        let event = event.by(Actor::User(user)).subject(user);
        Ok(event.session(self.held.session.id))
    }
}
