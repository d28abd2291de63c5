//! Something that a signed-in person does after she proved herself anew: one verdict, as strong as the act
//! demands, then the act, in one transaction; her session goes on under another cookie.

use std::future::ready;
use std::marker::PhantomData;
use std::sync::Arc;

use rules::audit::{Actor, Event, Kind};
use rules::time::Timestamp;
use uuid::Uuid;

use super::judge::{Act, Evidence, Proven, Ruling, Way, judge};
use super::sessions::SignedIn;
use super::{Caller, issue};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::Token;
use crate::store::{Tx, Work, factors, sessions};

/// Who wants something done, and what she gives for a fresh proof.
pub struct Fresh<'a> {
    /// Her session.
    pub held: SignedIn,
    /// The proof.
    pub evidence: Evidence,
    /// Her browser's cookie of a known device.
    pub device: Option<String>,
    /// Where it comes from.
    pub caller: &'a Caller,
}

/// How it ended.
pub enum Proved<T> {
    /// It was right, and it is done; the session goes on under this cookie.
    Done(T, Token),
    /// It was right, but she can prove more, and the act demands it; the session goes on under this cookie.
    Weaker(Token),
    /// The session ended meanwhile; nothing was done.
    SignedOut,
    /// What she gave was not right; nobody learns which part.
    Refused(Way),
    /// Too many failures; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
}

impl<T> Proved<T> {
    /// The same end, when nothing was done yet that it could give.
    pub(super) fn without<U>(self) -> Result<Proved<U>, (T, Token)> {
        match self {
            Self::Done(done, token) => Err((done, token)),
            Self::Weaker(token) => Ok(Proved::Weaker(token)),
            Self::SignedOut => Ok(Proved::SignedOut),
            Self::Refused(way) => Ok(Proved::Refused(way)),
            Self::Blocked { until } => Ok(Proved::Blocked { until }),
        }
    }
}

/// How strong a proof must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// The strongest class that she can reach, or could until she disputed a key within the last week, for
    /// whatever makes or removes a way in: whoever has a code of hers from a false page must not keep
    /// anything by it, nor dispute her key first.
    Strongest,
    /// The strongest class that she can reach now, for another password: she is told to choose one when she
    /// disputed something, and it opens nothing by itself.
    StrongestNow,
    /// Any two factors, for what opens nothing.
    TwoFactors,
}

/// A person who proved herself anew, as the act sees her.
pub(super) struct Her<'a> {
    /// The application.
    pub app: &'a Arc<App>,
    /// What she proved; her account is held until the transaction ends.
    pub proven: &'a Proven,
    /// Her session.
    pub session: Uuid,
    caller: &'a Caller,
}

impl Her<'_> {
    /// An audit event of what she does in this session.
    pub(super) fn event(&self, kind: Kind) -> Result<Event, Fault> {
        let event = self.app.event(kind, self.caller)?;
        let user = self.proven.user.id;
        let event = event.by(Actor::User(user)).subject(user);
        Ok(event.session(self.session))
    }

    /// Writes an event down.
    pub(super) fn record(&self, tx: &mut Tx, event: Event) -> Result<(), Fault> {
        let keys = Some(&self.proven.user.keys);
        tx.record(self.app.pending(event, self.caller, keys)?);
        Ok(())
    }

    /// Ends her other sessions; gives which, as events name them.
    pub(super) async fn end_others(&self, tx: &mut Tx) -> Result<Vec<String>, Fault> {
        let (user, at) = (self.proven.user.id, self.proven.at);
        let ended = sessions::end_others(tx, user, Some(self.session), at).await?;
        Ok(ended.iter().map(Uuid::to_string).collect())
    }
}

/// Does something for a person who proves herself anew in this browser, as strongly as it demands.
pub(super) async fn after_proof<T, F>(
    app: &Arc<App>,
    fresh: Fresh<'_>,
    demand: Demand,
    then: F,
) -> Result<Proved<T>, Fault>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, &'t Her<'t>) -> Work<'t, T> + Send + 'static,
{
    let nothing = ready(Ok(()));
    after_work_and_proof(app, fresh, demand, nothing, |tx, her, ()| then(tx, her)).await
}

/// The same with slow work before the transaction, which is done whatever the verdict will be; what it
/// gives is handed to `then`.
pub(super) async fn after_work_and_proof<S, W, T, F>(
    app: &Arc<App>,
    fresh: Fresh<'_>,
    demand: Demand,
    work: W,
    then: F,
) -> Result<Proved<T>, Fault>
where
    S: Default + Send + 'static,
    W: Future<Output = Result<S, Fault>> + Send + 'static,
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, &'t Her<'t>, S) -> Work<'t, T> + Send + 'static,
{
    let way = fresh.evidence.way(app.clock.now());
    let deed = Deed {
        app: Arc::clone(app),
        caller: fresh.caller.clone(),
        held: fresh.held,
        demand,
        work: Some(work),
        worked: S::default(),
        then,
        gives: PhantomData,
    };
    let (evidence, device) = (fresh.evidence, fresh.device.as_deref());
    Ok(
        match judge(app, evidence, device, fresh.caller, deed).await? {
            Ruling::Granted(proved) => proved,
            Ruling::Refused => Proved::Refused(way),
            Ruling::Blocked { until } => Proved::Blocked { until },
            Ruling::Limited(exceeded) => Proved::Blocked {
                until: app.clock.now().plus(exceeded.wait),
            },
        },
    )
}

struct Deed<S, W, T, F> {
    app: Arc<App>,
    caller: Caller,
    held: SignedIn,
    demand: Demand,
    work: Option<W>,
    worked: S,
    then: F,
    gives: PhantomData<fn() -> T>,
}

impl<S, W, T, F> Act for Deed<S, W, T, F>
where
    S: Send + 'static,
    W: Future<Output = Result<S, Fault>> + Send + 'static,
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, &'t Her<'t>, S) -> Work<'t, T> + Send + 'static,
{
    type Gain = Proved<T>;

    const REFUSED: Kind = Kind::ConfirmationRefused;
    const BLOCKED: Kind = Kind::ConfirmationBlocked;

    async fn prepare(&mut self) -> Result<(), Fault> {
        if let Some(work) = self.work.take() {
            self.worked = work.await?;
        }
        Ok(())
    }

    async fn perform(self, tx: &mut Tx, proven: &Proven) -> Result<Option<Self::Gain>, Fault> {
        let (user, session) = (proven.user.id, &self.held.session);
        if user != session.user_id {
            return Ok(None);
        }
        if !sessions::hold(tx, session.id).await? {
            return Ok(Some(Proved::SignedOut));
        }
        let her = Her {
            app: &self.app,
            proven,
            session: session.id,
            caller: &self.caller,
        };
        let reached = Some(proven.admission.assurance().acr);
        let policy = self.app.config.passkeys.policy;
        let strong = match self.demand {
            Demand::TwoFactors => true,
            Demand::StrongestNow => factors::reach(tx, user, policy).await? <= reached,
            Demand::Strongest => {
                factors::reach_of_late(tx, user, policy, proven.at).await? <= reached
            }
        };
        let done = if strong {
            Some((self.then)(tx, &her, self.worked).await?)
        } else {
            // The session goes on anew all the same, and that is written down.
            her.record(tx, her.event(Kind::ConfirmationSucceeded)?)?;
            None
        };
        let by = proven.signs_in(&self.caller);
        let from = proven.counts_from();
        let (_, token) =
            issue::renewed_session(tx, &proven.admission, session.id, by, from).await?;
        Ok(Some(match done {
            Some(done) => Proved::Done(done, token),
            None => Proved::Weaker(token),
        }))
    }
}
