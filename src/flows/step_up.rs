//! A signed-in person proves more than she did (RFC 9470): only the missing factor is asked for, and
//! her session goes on with it.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use rules::identity::{Assurance, Method, Proof};
use rules::protocol::{AuthorizeRequest, Client};
use rules::time::Timestamp;

use super::issue::Admission;
use super::judge::{Alarm, record_refusal, too_often};
use super::sessions::SignedIn;
use super::webauthn::{self, Answered, Asked, Presented};
use super::{Caller, fit, issue};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::Token;
use crate::store::{Tx, sessions, users};

/// How a step ended.
pub enum Stepped {
    /// It was taken; the session goes on under this cookie.
    Done(Token),
    /// It proves nothing of her, or not what is asked for, or the session ended meanwhile.
    Refused,
    /// She proved herself too often; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
}

/// Whether a key that is no passkey helps this session: it counts beside a password alone.
#[must_use]
pub fn takes_keys(held: &SignedIn) -> bool {
    let mut proofs = held.session.proofs.iter();
    proofs.any(|proof| proof.method == Method::Password)
}

/// Adds what a security key, or a passkey in its place, answered to her session, when the session
/// then reaches what the client's request needs.
///
/// Neither the session's limits nor the proofs that it had begin anew, so a request with `max_age` or
/// `prompt=login` is not answered by this alone.
pub async fn step_up(
    app: &Arc<App>,
    held: SignedIn,
    presented: &Presented,
    (client, request): (&Client, &AuthorizeRequest),
    caller: &Caller,
) -> Result<Stepped, Fault> {
    let heard = webauthn::hear(app, presented, Asked::Beside, caller).await?;
    let answered = heard.filter(|answered| answered.user == held.user.id);
    let method = answered.map(|answered| answered.method);
    let now = app.clock.now();
    let mut proofs: Vec<Proof> = held.session.proofs.clone();
    proofs.retain(|proof| Some(proof.method) != method);
    proofs.extend(method.map(|method| Proof { method, at: now }));
    let required = fit::required(app, client, request);
    let reached = Assurance::reaching(required, &proofs, app.config.passkeys.policy);
    let step = Step {
        app: Arc::clone(app),
        answered: answered.filter(|_| reached.is_some()),
        held,
        proofs,
        caller: caller.clone(),
        now,
    };
    app.store
        .write(move |tx| Box::pin(async move { step.take(tx).await }))
        .await
}

struct Step {
    app: Arc<App>,
    /// What counts; none when it does not.
    answered: Option<Answered>,
    held: SignedIn,
    /// What the session would prove with it.
    proofs: Vec<Proof>,
    caller: Caller,
    now: Timestamp,
}

impl Step {
    async fn take(self, tx: &mut Tx) -> Result<Stepped, Fault> {
        let (app, caller) = (&self.app, &self.caller);
        let (user, session) = (&self.held.user, &self.held.session);
        let Some(admission) = self.admit(tx).await? else {
            let refused = (Kind::StepUpRefused, Some(user));
            record_refusal(app, caller, tx, refused, Alarm::No).await?;
            return Ok(Stepped::Refused);
        };
        let blocked = (Kind::ConfirmationBlocked, user.id);
        if let Some(until) = too_often(app, tx, blocked, self.now).await? {
            return Ok(Stepped::Blocked { until });
        }
        let token = issue::stepped_session(tx, &admission, session.id, &self.proofs).await?;
        let event = app.event(Kind::StepUpSucceeded, caller)?;
        let event = event.by(Actor::User(user.id)).subject(user.id);
        let event = event.session(session.id);
        tx.record(app.pending(event, caller, Some(&user.keys))?);
        Ok(Stepped::Done(token))
    }

    async fn admit(&self, tx: &mut Tx) -> Result<Option<Admission>, Fault> {
        let Some(answered) = &self.answered else {
            return Ok(None);
        };
        let fresh = users::lock(tx, self.held.user.id).await?
            && sessions::hold(tx, self.held.session.id).await?
            && answered.note(tx, self.now).await?;
        if !fresh {
            return Ok(None);
        }
        let policy = self.app.config.passkeys.policy;
        issue::admit(tx, self.held.user.id, &self.proofs, policy).await
    }
}
