//! Re-proofing (NIST SP 800-63B-4 §4.2.2.2): a person who lost what she signs in with showed the
//! institution again who she is. One operator begins it, she is told and has time to object, another
//! operator approves it, and a single-use link lets her set up new factors. Until she did, what she has
//! goes on, and she can cancel it.

use rules::audit::{Actor, Event, Kind};
use rules::time::Timestamp;
use uuid::Uuid;

use super::sessions::SignedIn;
use super::users::{self as people, Invited, UserInfo};
use super::{AdminFailure, Caller};
use crate::app::App;
use crate::fault::Fault;
use crate::rng;
use crate::store::mails::{Content, NewMail};
pub use crate::store::reproofs::Reproof;
use crate::store::users::{self, UserState};
use crate::store::{invites, reproofs};

/// The longest name of an operator, in characters.
const LONGEST_NAME: usize = 64;

/// Begins one; the person is told.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody, the account is not in use, or one stands already.
pub async fn begin(
    app: &App,
    name: &str,
    by: &str,
    caller: &Caller,
) -> Result<(UserInfo, Reproof), AdminFailure> {
    let by = operator(by)?;
    let user = people::find(app, name).await?;
    let username = user.profile.username.clone();
    match user.state {
        UserState::Active => {}
        UserState::Invited => {
            return refused(format!(
                "{username} never set the account up; send a new invitation with `countersign user invite {username}`"
            ));
        }
        UserState::Disabled => {
            return refused(format!(
                "{username} is disabled; enable the account first with `countersign user enable {username}`"
            ));
        }
    }
    let now = app.clock.now();
    let recovery = app.config.recovery;
    let opens_at = now.plus(recovery.wait);
    let new = Reproof {
        id: rng::uuid(now)?,
        user_id: user.id,
        begun_by: by.clone(),
        begun_at: now,
        opens_at,
        expires_at: opens_at.plus(recovery.approval),
        approved_by: None,
    };
    let event = event(app, Kind::RecoveryBegun, user.id, caller)?
        .by(Actor::Operator)
        .with("by", by)
        .with("opens_at", opens_at.secs());
    let event = app.pending(event, caller, None)?;
    let content = Content {
        until: Some(opens_at.millis()),
        ..Content::default()
    };
    let tells = app.config.mail.is_some();
    let stored = new.clone();
    let begun = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !users::lock(tx, stored.user_id).await? || !reproofs::begin(tx, &stored).await? {
                    return Ok(false);
                }
                let keys = users::find(tx, stored.user_id).await?.map(|user| user.keys);
                let mail = keys.filter(|_| tells);
                let about = (event.id(), stored.user_id);
                let mail = mail.map(|keys| NewMail::with(about, &content, &keys));
                tx.record(event.mailed(mail.transpose()?));
                Ok(true)
            })
        })
        .await?;
    if begun {
        return Ok((user, new));
    }
    refused(format!(
        "a re-proofing of {username} stands already; see it with `countersign user show {username}`, or \
         cancel it with --cancel"
    ))
}

/// Approves one: makes the link.
///
/// # Errors
/// [`AdminFailure::Refused`] when none stands, its wait is not over, it was approved before, or the same
/// operator began it; the attempt is audited.
pub async fn approve(
    app: &App,
    name: &str,
    by: &str,
    caller: &Caller,
) -> Result<Invited, AdminFailure> {
    let by = operator(by)?;
    let user = people::find(app, name).await?;
    let id = user.id;
    let link = people::NewLink::make(app, id, Kind::RecoveryApproved, caller)?;
    let link = link.with("by", by.as_str());
    let invited = link.invited(user.profile.username.clone());
    let until = invited.expires_at;
    let refusal = event(app, Kind::RecoveryRefused, id, caller)?.by(Actor::Operator);
    let refusal = refusal.with("by", by.as_str());
    let (clock, of) = (app.clock.clone(), by.clone());
    let refusal = |why: &'static str| app.pending(refusal.clone().refused(why), caller, None);
    let refusals = [
        refusal("none_stands")?,
        refusal("same_operator")?,
        refusal("too_early")?,
        refusal("approved_before")?,
    ];
    let outcome = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let [none, same, early, before] = refusals;
                let now = clock.now();
                let found = if users::lock(tx, id).await? {
                    reproofs::standing(tx, id, now).await?
                } else {
                    None
                };
                let Some(found) = found else {
                    tx.record(none);
                    return Ok(Err(Not::Standing));
                };
                if reproofs::approve(tx, found.id, &of, now, until).await? {
                    invites::end_activations(tx, id).await?;
                    link.store_for(tx, found.id, now).await?;
                    return Ok(Ok(()));
                }
                Ok(Err(if found.begun_by == of {
                    tx.record(same);
                    Not::Other
                } else if found.approved_by.is_some() {
                    tx.record(before);
                    Not::Before
                } else {
                    tx.record(early);
                    Not::Yet(found.opens_at)
                }))
            })
        })
        .await?;
    let name = user.profile.username;
    match outcome {
        Ok(()) => Ok(invited),
        Err(Not::Standing) => refused(format!(
            "no re-proofing of {name} stands; begin one with `countersign user re-proof {name} --by OPERATOR`"
        )),
        Err(Not::Other) => refused(format!(
            "{by} began it; another operator must approve it, after seeing for themselves who {name} is"
        )),
        Err(Not::Before) => refused(
            "it was approved before; cancel it and begin anew when the link was lost".to_owned(),
        ),
        Err(Not::Yet(at)) => {
            let wait = at.since(app.clock.now()).as_secs().div_ceil(60);
            refused(format!(
                "the person still has time to object; it can be approved in {wait} minutes (recovery.wait_hours)"
            ))
        }
    }
}

/// Why one is not approved.
enum Not {
    Standing,
    Other,
    Before,
    Yet(Timestamp),
}

/// Cancels what stands; an operator asked for it. The person is told.
///
/// # Errors
/// [`AdminFailure::Refused`] when nothing stands.
pub async fn cancel(
    app: &App,
    name: &str,
    by: &str,
    caller: &Caller,
) -> Result<UserInfo, AdminFailure> {
    let by = operator(by)?;
    let user = people::find(app, name).await?;
    let event = event(app, Kind::RecoveryCancelled, user.id, caller)?
        .by(Actor::Operator)
        .with("by", by);
    let event = app.pending(event, caller, None)?;
    if end(app, user.id, event).await? {
        return Ok(user);
    }
    refused(format!(
        "no re-proofing of {} stands",
        user.profile.username
    ))
}

/// Cancels what stands for a signed-in person; it asks for no proof, because it gives nobody anything.
/// False when nothing did.
///
/// # Errors
/// [`Fault`].
pub async fn cancel_own(app: &App, held: &SignedIn, caller: &Caller) -> Result<bool, Fault> {
    let user = held.user.id;
    let event = event(app, Kind::RecoveryCancelled, user, caller)?
        .by(Actor::User(user))
        .session(held.session.id);
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    end(app, user, event).await
}

/// What stands for a person.
///
/// # Errors
/// [`Fault`].
pub async fn standing(app: &App, user: Uuid) -> Result<Option<Reproof>, Fault> {
    let now = app.clock.now();
    app.store
        .read(move |tx| Box::pin(reproofs::standing(tx, user, now)))
        .await
}

async fn end(
    app: &App,
    user: Uuid,
    event: crate::store::audit::PendingEvent,
) -> Result<bool, Fault> {
    let now = app.clock.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let ended = reproofs::cancel(tx, user, now).await?;
                if ended {
                    invites::end_reproofs(tx, user, now).await?;
                    invites::end_activations(tx, user).await?;
                    tx.record(event);
                }
                Ok(ended)
            })
        })
        .await
}

fn event(app: &App, kind: Kind, user: Uuid, caller: &Caller) -> Result<Event, Fault> {
    Ok(app.event(kind, caller)?.subject(user))
}

/// An operator's name, as two of them are compared.
fn operator(by: &str) -> Result<String, AdminFailure> {
    let name = by.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = !name.is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control);
    if fits {
        return Ok(name.to_lowercase());
    }
    refused(format!(
        "--by must name the operator who answers for this, in at most {LONGEST_NAME} characters"
    ))
}

fn refused<T>(why: String) -> Result<T, AdminFailure> {
    Err(AdminFailure::Refused(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operator_is_not_two_by_another_spelling() {
        for same in ["Ada Lovelace", " ada  lovelace ", "ADA\tLOVELACE"] {
            assert!(matches!(operator(same), Ok(name) if name == "ada lovelace"));
        }
        for none in ["", "  ", &"x".repeat(65)] {
            assert!(operator(none).is_err(), "{none:?}");
        }
    }
}
