//! Closing a person's access: she asks, the institution decides. Closing destroys the key of who she is
//! and ends everything; the audit log stays whole, and what is evidence in it stays readable unless it
//! is configured otherwise.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use serde_json::Value;

use super::epochs::{self, Whose};
use super::fresh::{Demand, Fresh, Proved, after_proof};
use super::sessions::SignedIn;
use super::users::{self as people, UserInfo};
use super::{AdminFailure, Caller, confirm_address};
use crate::app::App;
use crate::fault::Fault;
use crate::store::feed::EPOCH_MARGIN;
use crate::store::mails::{Content, NewMail};
use crate::store::users::Profile;
use crate::store::{
    authorizations, factors, grants, invites, mails, recovery_renewals, reproofs, sessions, users,
};

/// Writes down that a person who proves herself anew asks to close her access.
///
/// # Errors
/// [`Fault`].
pub async fn ask(app: &Arc<App>, fresh: Fresh<'_>) -> Result<Proved<()>, Fault> {
    after_proof(app, fresh, Demand::TwoFactors, |tx, her| {
        Box::pin(async move {
            let (user, at) = (her.proven.user.id, her.proven.at);
            if users::ask_to_close(tx, user, Some(at)).await? {
                her.record(tx, her.event(Kind::CloseAsked)?)?;
            }
            Ok(())
        })
    })
    .await
}

/// She takes it back; it asks for no proof, because it gives nobody anything.
///
/// # Errors
/// [`Fault`].
pub async fn take_back(app: &App, held: &SignedIn, caller: &Caller) -> Result<(), Fault> {
    let (user, session) = (held.user.id, held.session.id);
    let event = app
        .event(Kind::CloseTakenBack, caller)?
        .by(Actor::User(user))
        .subject(user)
        .session(session);
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let holds = users::lock(tx, user).await? && sessions::hold(tx, session).await?;
                if holds && users::ask_to_close(tx, user, None).await? {
                    tx.record(event);
                }
                Ok(())
            })
        })
        .await
}

/// Closes the access of a person, for good; a last mail tells her, at the address that is forgotten with it.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody, or it is closed already.
pub async fn close(app: &App, name: &str, caller: &Caller) -> Result<UserInfo, AdminFailure> {
    let id = people::find(app, name).await?.id;
    let event = app
        .event(Kind::UserClosed, caller)?
        .by(Actor::Operator)
        .subject(id);
    let event = app.pending(event, caller, None)?;
    let keeps = app.config.people.close_keeps_activity;
    let (clock, tells) = (app.clock.clone(), app.config.mail.is_some());
    let closed = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Not before: the wait for the writer must not eat up the margin of the epoch.
                let now = clock.now();
                if !users::keep(tx, id).await? {
                    return Ok(None);
                }
                let before = users::find(tx, id).await?;
                if !users::close(tx, id, keeps, now).await? {
                    return Ok(None);
                }
                let ended = sessions::end_all(tx, id, now).await?;
                sessions::forget_devices(tx, id, None).await?;
                factors::unbind_all(tx, id).await?;
                recovery_renewals::end_all(tx, id).await?;
                invites::end_all(tx, id, now).await?;
                reproofs::cancel(tx, id, now).await?;
                confirm_address::void(tx, id).await?;
                mails::forget(tx, id).await?;
                authorizations::forget(tx, id, !keeps).await?;
                let revoked = grants::revoke_all(tx, id, now).await?;
                let after = users::find(tx, id).await?;
                let about = (event.id(), id);
                let last = before.as_ref().and_then(|user| goodbye(&user.profile));
                let mail = last.filter(|_| tells).zip(after);
                let mail = mail.map(|(last, user)| NewMail::with(about, &last, &user.keys));
                tx.record(
                    event
                        .with("ended_sessions", ended)
                        .with("ended_grants", revoked)
                        .mailed(mail.transpose()?),
                );
                Ok(Some(now))
            })
        })
        .await?;
    if let Some(at) = closed {
        epochs::outlast(app, Whose::User(id), at.plus(EPOCH_MARGIN)).await?;
        return people::find(app, &id.to_string()).await;
    }
    Err(AdminFailure::Refused(format!(
        "the access of {name} is closed already"
    )))
}

/// What the last mail says; nobody knows it any more once the account is closed.
fn goodbye(profile: &Profile) -> Option<Content> {
    let locale = profile.claims.get("locale").and_then(Value::as_str);
    Some(Content {
        to: Some(profile.address()?.to_owned()),
        name: Some(profile.display_name().to_owned()),
        locale: locale.map(str::to_owned),
        ..Content::default()
    })
}
