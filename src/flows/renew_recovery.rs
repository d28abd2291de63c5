//! A signed-in person makes new recovery codes: she proves herself anew, is shown the set, and
//! types one of it. Until then the old ones count.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;

use super::Caller;
use super::issue;
use super::judge::{Act, Evidence, Proven, Ruling, judge};
use super::recovery_set::RecoverySet;
use super::sessions::SignedIn;
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::Token;
use crate::store::recovery_renewals::{self, Renewal};
use crate::store::{Tx, factors, sessions};

/// How the proof ended.
pub enum Begun {
    /// A set waits to be seen and confirmed; the session goes on under this cookie.
    Shown(Token),
    /// The session ended meanwhile; nothing was made.
    SignedOut,
    /// What she gave was not right; nobody learns which part.
    Refused,
    /// Too many failures; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
}

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

/// Makes a new set for a person who proves herself anew.
pub async fn begin(
    app: &Arc<App>,
    held: SignedIn,
    evidence: Evidence,
    device: Option<&str>,
    caller: &Caller,
) -> Result<Begun, Fault> {
    let act = Begin {
        app: Arc::clone(app),
        caller: caller.clone(),
        held,
        set: RecoverySet::generate()?,
    };
    Ok(match judge(app, evidence, device, caller, act).await? {
        Ruling::Granted(Some(token)) => Begun::Shown(token),
        Ruling::Granted(None) => Begun::SignedOut,
        Ruling::Refused => Begun::Refused,
        Ruling::Blocked { until } => Begun::Blocked { until },
        Ruling::Limited(exceeded) => Begun::Blocked {
            until: app.clock.now().plus(exceeded.wait),
        },
    })
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
    // One hash after another, and never more people at it than may sign in at once.
    let _place = app.hasher.place()?;
    let Some((renewal, set)) = find(app, held).await? else {
        return Ok(Confirmed::Gone);
    };
    if !set.is_asked(typed) {
        return Ok(Confirmed::WrongCode);
    }
    let hashed = set.hash(app).await?;
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

struct Begin {
    app: Arc<App>,
    caller: Caller,
    held: SignedIn,
    set: RecoverySet,
}

impl Act for Begin {
    /// The session's new cookie, unless it ended meanwhile.
    type Gain = Option<Token>;

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
        let renewal = Renewal {
            id: rng::uuid(proven.at)?,
            session_id: session.id,
            user_id: user.id,
        };
        let until = proven.at.plus(Lifetimes::RECOVERY_CODES);
        recovery_renewals::begin(tx, renewal, &self.set, until).await?;
        let by = proven.signs_in(&self.caller);
        let admission = &proven.admission;
        let from = proven.counts_from();
        let (_, token) = issue::renewed_session(tx, admission, session.id, by, from).await?;
        let event = self
            .app
            .event(Kind::ConfirmationSucceeded, &self.caller)?
            .by(Actor::User(user.id))
            .subject(user.id)
            .session(session.id);
        tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        Ok(Some(Some(token)))
    }
}
