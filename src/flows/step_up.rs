//! A signed-in person proves more than she did (RFC 9470): only the missing factor is asked for, and
//! her session goes on with it.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use rules::identity::Proof;

use super::sessions::SignedIn;
use super::webauthn::{self, Asked, Presented};
use super::{Caller, issue};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::Token;
use crate::store::{sessions, users};

/// Adds what a security key, or a passkey in its place, answered to her session; gives the session's
/// new cookie. None when it proves nothing of her, or the session ended meanwhile.
///
/// Neither the session's limits nor the proofs that it had begin anew, so a request with `max_age` or
/// `prompt=login` is not answered by this alone.
pub async fn step_up(
    app: &Arc<App>,
    held: &SignedIn,
    presented: &Presented,
    caller: &Caller,
) -> Result<Option<Token>, Fault> {
    let heard = webauthn::hear(app, presented, Asked::Beside, caller).await?;
    let answered = heard.filter(|answered| answered.user == held.user.id);
    let (user, session) = (held.user.id, held.session.clone());
    let event = |kind| {
        let event = app.event(kind, caller)?;
        let event = event.by(Actor::User(user)).subject(user);
        Ok::<_, Fault>(event.session(session.id))
    };
    let keys = Some(&held.user.keys);
    let refused = event(Kind::StepUpRefused)?.refused("not_right");
    let refused = app.pending(refused, caller, keys)?;
    let done = app.pending(event(Kind::StepUpSucceeded)?, caller, keys)?;
    let (now, policy) = (app.clock.now(), app.config.passkeys.policy);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let Some(answered) = answered else {
                    tx.record(refused);
                    return Ok(None);
                };
                let fresh = users::lock(tx, user).await?
                    && sessions::hold(tx, session.id).await?
                    && answered.note(tx, now).await?;
                if !fresh {
                    tx.record(refused);
                    return Ok(None);
                }
                let method = answered.method;
                let mut proofs: Vec<Proof> = session.proofs.clone();
                proofs.retain(|proof| proof.method != method);
                proofs.push(Proof { method, at: now });
                let Some(admission) = issue::admit(tx, user, &proofs, policy).await? else {
                    tx.record(refused);
                    return Ok(None);
                };
                let token = issue::stepped_session(tx, &admission, session.id, &proofs).await?;
                tx.record(done);
                Ok(Some(token))
            })
        })
        .await
}
