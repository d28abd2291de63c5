//! Signing in: one form, one verdict ([`judge`](super::judge)), and then a session.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;
use uuid::Uuid;

use super::Caller;
use super::issue;
use super::judge::{Act, Proven, Ruling, judge};
pub use super::judge::{Evidence, Second, Typed, Way};
use super::sessions::{SignedIn, is_live};
use crate::app::App;
use crate::defence::limits::Exceeded;
use crate::fault::Fault;
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::{Tx, sessions};

/// What the browser holds.
#[derive(Default)]
pub struct Held {
    /// The cookie of a known device.
    pub device: Option<String>,
    /// The session it had before.
    pub session: Option<SignedIn>,
}

/// The verdict.
pub enum Verdict {
    /// She is signed in.
    SignedIn(Gained),
    /// Something was not right; nobody learns what.
    Refused,
    /// Too many failures; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
    /// Too many failures from this network; nothing was looked at.
    Limited(Exceeded),
}

/// What a browser gains by signing in.
pub struct Gained {
    /// The session.
    pub session: Uuid,
    /// The new session cookie.
    pub token: Token,
    /// The cookie of this device, when it is new.
    pub device: Option<Token>,
}

/// Signs a person in.
pub async fn sign_in(
    app: &Arc<App>,
    evidence: Evidence,
    held: Held,
    caller: &Caller,
) -> Result<Verdict, Fault> {
    let device = held.device.clone();
    let act = SignIn {
        app: Arc::clone(app),
        caller: caller.clone(),
        held,
    };
    Ok(
        match judge(app, evidence, device.as_deref(), caller, act).await? {
            Ruling::Granted(gained) => Verdict::SignedIn(gained),
            Ruling::Refused => Verdict::Refused,
            Ruling::Blocked { until } => Verdict::Blocked { until },
            Ruling::Limited(exceeded) => Verdict::Limited(exceeded),
        },
    )
}

struct SignIn {
    app: Arc<App>,
    caller: Caller,
    held: Held,
}

impl Act for SignIn {
    type Gain = Gained;

    const REFUSED: Kind = Kind::SignInRefused;
    const BLOCKED: Kind = Kind::SignInBlocked;

    async fn perform(self, tx: &mut Tx, proven: &Proven) -> Result<Option<Gained>, Fault> {
        let (user, now) = (&proven.user, proven.at);
        let by = proven.signs_in(&self.caller);
        let live = |held: &&SignedIn| is_live(&self.app, held);
        let before = self.held.session.as_ref().filter(live);
        let before = before.map(|held| &held.session);
        let (session, token) = match before {
            // The same person proves herself anew: her session goes on under a new cookie.
            Some(session) if session.user_id == user.id => {
                issue::renewed_session(tx, &proven.admission, session.id, by, proven.counts_from())
                    .await?
            }
            _ => {
                if let Some(held) = &self.held.session {
                    self.end_session_of(tx, held, now).await?;
                }
                issue::session(tx, &proven.admission, by, proven.counts_from()).await?
            }
        };
        let device = self.remember_device(tx, proven).await?;
        self.record_success(tx, proven, session)?;
        Ok(Some(Gained {
            session,
            token,
            device,
        }))
    }
}

impl SignIn {
    /// Another person was signed in here; her session ends.
    async fn end_session_of(
        &self,
        tx: &mut Tx,
        held: &SignedIn,
        now: Timestamp,
    ) -> Result<(), Fault> {
        if sessions::end(tx, held.session.id, held.user.id, now).await? {
            let event = self
                .app
                .event(Kind::SessionEnded, &self.caller)?
                .by(Actor::Server)
                .subject(held.user.id)
                .session(held.session.id);
            tx.record(
                self.app
                    .pending(event, &self.caller, Some(&held.user.keys))?,
            );
        }
        Ok(())
    }

    async fn remember_device(&self, tx: &mut Tx, proven: &Proven) -> Result<Option<Token>, Fault> {
        let (user, now) = (proven.user.id, proven.at);
        let held = self.held.device.as_deref();
        if let Some(held) = held.filter(|_| proven.knows_device) {
            let hash = TokenHash::of(Purpose::Device, held);
            sessions::remember_device(tx, hash, user, now).await?;
            return Ok(None);
        }
        let token = Token::generate(Purpose::Device)?;
        sessions::remember_device(tx, token.hash(), user, now).await?;
        Ok(Some(token))
    }

    fn record_success(&self, tx: &mut Tx, proven: &Proven, session: Uuid) -> Result<(), Fault> {
        let user = &proven.user;
        let event = self
            .app
            .event(Kind::SignInSucceeded, &self.caller)?
            .by(Actor::User(user.id))
            .subject(user.id)
            .session(session);
        let event = self.app.pending(event, &self.caller, Some(&user.keys))?;
        tx.record(if proven.knows_device {
            event
        } else {
            self.app.told(event, user.id)
        });
        Ok(())
    }
}
