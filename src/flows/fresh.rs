//! Something that a signed-in person does after she proved herself anew: one verdict, then the act, in
//! one transaction; her session goes on under another cookie.

use std::marker::PhantomData;
use std::sync::Arc;

use rules::audit::Kind;
use rules::time::Timestamp;

use super::judge::{Act, Evidence, Proven, Ruling, judge};
use super::sessions::SignedIn;
use super::{Caller, issue};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::Token;
use crate::store::{Tx, Work, sessions};

/// How it ended.
pub enum Proved<T> {
    /// It was right, and it is done; the session goes on under this cookie.
    Done(T, Token),
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

/// Does something for a person who proves herself anew in this browser.
pub(super) async fn after_proof<T, F>(
    app: &Arc<App>,
    held: SignedIn,
    (evidence, device): (Evidence, Option<&str>),
    caller: &Caller,
    then: F,
) -> Result<Proved<T>, Fault>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, &'t Proven) -> Work<'t, T> + Send + 'static,
{
    let act = Fresh {
        caller: caller.clone(),
        held,
        then,
        gives: PhantomData,
    };
    Ok(match judge(app, evidence, device, caller, act).await? {
        Ruling::Granted(Some((done, token))) => Proved::Done(done, token),
        Ruling::Granted(None) => Proved::SignedOut,
        Ruling::Refused => Proved::Refused,
        Ruling::Blocked { until } => Proved::Blocked { until },
        Ruling::Limited(exceeded) => Proved::Blocked {
            until: app.clock.now().plus(exceeded.wait),
        },
    })
}

struct Fresh<T, F> {
    caller: Caller,
    held: SignedIn,
    then: F,
    gives: PhantomData<fn() -> T>,
}

impl<T, F> Act for Fresh<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, &'t Proven) -> Work<'t, T> + Send + 'static,
{
    type Gain = Option<(T, Token)>;

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
        let done = (self.then)(tx, proven).await?;
        let by = proven.signs_in(&self.caller);
        let from = proven.counts_from();
        let (_, token) =
            issue::renewed_session(tx, &proven.admission, session.id, by, from).await?;
        Ok(Some(Some((done, token))))
    }
}
