//! A signed-in person changes her password: she proves herself anew, and every other browser of
//! hers is signed out.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use rules::identity::{Password, Weakness};
use rules::time::Timestamp;
use uuid::Uuid;

use super::Caller;
use super::issue;
use super::judge::{Act, Evidence, Proven, Ruling, judge, name_pool};
use super::passwords::{self, Unfit};
use super::sessions::SignedIn;
use crate::app::App;
use crate::fault::Fault;
use crate::secret::{Purpose, Secret, Token, TokenHash};
use crate::store::{Tx, lockouts, recovery_renewals, sessions, users};

/// What was typed.
pub struct Asked {
    /// What proves that it is she.
    pub evidence: Evidence,
    /// The password she wants.
    pub new: Secret,
    /// The same again.
    pub repeat: Secret,
}

/// How it ended.
pub enum Changed {
    /// The password is changed; the session goes on under this cookie.
    Done(Token),
    /// The session ended meanwhile; nothing was changed.
    SignedOut,
    /// The new password cannot be taken.
    Unfit(Mend),
    /// What she gave was not right; nobody learns which part.
    Refused,
    /// Too many failures; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
}

/// What is to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// The new password is too weak.
    Weak(Weakness),
    /// The two new passwords differ.
    Differ,
    /// The new password is the current one.
    Same,
}

/// Changes the password of a signed-in person; `device` is her browser's cookie of a known device.
pub async fn change_password(
    app: &Arc<App>,
    held: SignedIn,
    asked: Asked,
    device: Option<String>,
    caller: &Caller,
) -> Result<Changed, Fault> {
    let new = match passwords::choose(app, &held.user, &asked.new, &asked.repeat).await? {
        Ok(new) => new,
        Err(Unfit::Differ) => return Ok(Changed::Unfit(Mend::Differ)),
        Err(Unfit::Weak(weakness)) => return Ok(Changed::Unfit(Mend::Weak(weakness))),
    };
    // Compared with what was typed as the current one, so it tells nothing about the real one.
    if let Evidence::Typed(typed) = &asked.evidence
        && passwords::same(&new, &Password::normalise(typed.password.expose()))
    {
        return Ok(Changed::Unfit(Mend::Same));
    }
    let act = Change {
        app: Arc::clone(app),
        caller: caller.clone(),
        held,
        device: device.clone(),
        new,
        hash: Secret::default(),
    };
    Ok(
        match judge(app, asked.evidence, device.as_deref(), caller, act).await? {
            Ruling::Granted(Some(token)) => Changed::Done(token),
            Ruling::Granted(None) => Changed::SignedOut,
            Ruling::Refused => Changed::Refused,
            Ruling::Blocked { until } => Changed::Blocked { until },
            Ruling::Limited(exceeded) => Changed::Blocked {
                until: app.clock.now().plus(exceeded.wait),
            },
        },
    )
}

struct Change {
    app: Arc<App>,
    caller: Caller,
    held: SignedIn,
    device: Option<String>,
    new: Password,
    hash: Secret,
}

impl Act for Change {
    /// The session's new cookie, unless it ended meanwhile.
    type Gain = Option<Token>;

    const REFUSED: Kind = Kind::ConfirmationRefused;
    const BLOCKED: Kind = Kind::ConfirmationBlocked;

    async fn prepare(&mut self) -> Result<(), Fault> {
        self.hash = self.app.hasher.hash(self.new.clone()).await?;
        Ok(())
    }

    async fn perform(self, tx: &mut Tx, proven: &Proven) -> Result<Option<Self::Gain>, Fault> {
        let (user, session) = (&proven.user, &self.held.session);
        if user.id != session.user_id {
            return Ok(None);
        }
        if !sessions::hold(tx, session.id).await? {
            return Ok(Some(None));
        }
        users::change_password(tx, user.id, &self.hash, proven.at).await?;
        lockouts::row_ends(tx, name_pool(&self.app, &user.profile.username)).await?;
        let ended = sessions::end_others(tx, user.id, Some(session.id), proven.at).await?;
        let device = self.device.as_deref().filter(|_| proven.knows_device);
        let device = device.map(|token| TokenHash::of(Purpose::Device, token));
        sessions::forget_devices(tx, user.id, device).await?;
        recovery_renewals::end_all(tx, user.id).await?;
        let by = proven.signs_in(&self.caller);
        let admission = &proven.admission;
        let from = proven.counts_from();
        let (_, token) = issue::renewed_session(tx, admission, session.id, by, from).await?;
        let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
        let event = self
            .app
            .event(Kind::PasswordChanged, &self.caller)?
            .by(Actor::User(user.id))
            .subject(user.id)
            .session(session.id)
            .with("ended_sessions", ended);
        tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        Ok(Some(Some(token)))
    }
}
