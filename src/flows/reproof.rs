//! Re-proofing (NIST SP 800-63B-4 §4.2.2.2): a person who lost what she signs in with showed the
//! institution again who she is. One operator begins it, she is told and has time to object, another
//! operator approves it, and a single-use link lets her set up new factors. Until she did, what she has
//! goes on, and she can cancel it. When somebody else may hold what she signs in with, the account is
//! disabled first: nobody is in it then, so operators alone can cancel, and the last step opens it again.

use rules::audit::{Actor, Event, Kind};
use rules::identity::operator::{self, OperatorNameError, operator_name};
use rules::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::sessions::SignedIn;
use super::users::{self as people, Invited, UserInfo};
use super::{AdminFailure, Caller, send_mail};
use crate::app::App;
use crate::fault::Fault;
use crate::rng;
use crate::store::audit::PendingEvent;
use crate::store::mails::Content;
pub use crate::store::reproofs::Reproof;
use crate::store::users::{self, UserState};
use crate::store::{Tx, audit, invites, mails, reproofs, sessions};

/// Begins one; the person is told, at her address of now and at those that it replaced lately. Whoever is in
/// her account can object: disable it first when that is not she.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody, the account was never set up or is closed, or one stands
/// already.
pub async fn begin(
    app: &App,
    name: &str,
    by: &str,
    caller: &Caller,
) -> Result<(UserInfo, Reproof), AdminFailure> {
    let by = operator(by)?;
    let user = people::find(app, name).await?;
    let username = user.profile.username.clone();
    if user.closed_at.is_some() {
        return refused(
            "that access was closed for good; invite the person anew, under an account of its own"
                .to_owned(),
        );
    }
    let now = app.clock.now();
    let recovery = app.config.recovery;
    let opens_at = now.plus(recovery.wait);
    let mut new = Reproof {
        id: rng::uuid(now)?,
        user_id: user.id,
        begun_by: by.clone(),
        begun_at: now,
        opens_at,
        expires_at: opens_at.plus(recovery.approval),
        approved_by: None,
        begun_account: caller.operator.clone(),
        told_event: None,
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
    let begun = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                users::keep(tx, new.user_id).await?;
                let her = users::find(tx, new.user_id).await?;
                let Some(her) = her.filter(|her| her.closed_at.is_none()) else {
                    return Ok(Err(Unfit::Gone));
                };
                let stopped = her.state == UserState::Disabled;
                if her.state == UserState::Invited || !users::was_activated(tx, her.id).await? {
                    return Ok(Err(Unfit::Fresh { stopped }));
                }
                let event = event.with("disabled", stopped);
                let event = send_mail::told_now(tells, event, Some(&her), Some(&content))?;
                new.told_event = event.is_mailed().then_some(event.id());
                if !reproofs::begin(tx, &new).await? {
                    return Ok(Err(Unfit::Stands));
                }
                tx.record(event);
                Ok(Ok(new))
            })
        })
        .await?;
    match begun {
        Ok(new) => Ok((user, new)),
        Err(Unfit::Gone) => refused(format!("{username} is gone")),
        Err(Unfit::Fresh { stopped: false }) => refused(format!(
            "{username} never set the account up; send a new invitation with `countersign user invite {username}`"
        )),
        Err(Unfit::Fresh { stopped: true }) => refused(format!(
            "{username} is disabled and never set the account up; run `countersign user enable {username}`, \
             and then `countersign user invite {username}`"
        )),
        Err(Unfit::Stands) => refused(format!(
            "a re-proofing of {username} stands already; see it with `countersign user show {username}`, or \
             cancel it with --cancel"
        )),
    }
}

/// Why one is not begun.
enum Unfit {
    Gone,
    Fresh { stopped: bool },
    Stands,
}

/// Whether the person learnt of it, and could object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The mail was handed over.
    Sent,
    /// It, or one of several, still waits.
    Waiting,
    /// It, or one of several, was not taken.
    NotSent,
    /// There was no address, or no mail is sent.
    NoWay,
}

impl Told {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Waiting => "waiting",
            Self::NotSent => "not_sent",
            Self::NoWay => "no_way",
        }
    }
}

/// One that was approved.
pub struct Approved {
    /// The link.
    pub invited: Invited,
    /// Whether she learnt of it.
    pub told: Told,
    /// When her e-mail address was last changed, when that is not long ago.
    pub moved_at: Option<Timestamp>,
}

/// Approves one: makes the link. As long as the mail that tells her still waits only when it is to be so
/// `although_untold`.
///
/// # Errors
/// [`AdminFailure::Refused`] when none stands, its wait is not over, it was approved before, the same
/// operator began it, or she was not told yet; the attempt is audited.
pub async fn approve(
    app: &App,
    name: &str,
    (by, although_untold): (&str, bool),
    caller: &Caller,
) -> Result<Approved, AdminFailure> {
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
    let refusal = |why: Not| app.pending(refusal.clone().refused(why.as_str()), caller, None);
    let refusals = [
        refusal(Not::Standing)?,
        refusal(Not::Other)?,
        refusal(Not::Before)?,
        refusal(Not::Yet(until))?,
        refusal(Not::Told)?,
    ];
    let tells = app.config.mail.is_some();
    let outcome = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let [none, same, before, early, untold] = refusals;
                let now = clock.now();
                users::keep(tx, id).await?;
                let her = users::find(tx, id).await?;
                let standing = reproofs::standing(tx, id, now).await?;
                let (Some(her), Some(found)) = (her, standing) else {
                    tx.record(none);
                    return Ok(Err(Not::Standing));
                };
                let told = told(tx, &found, tells).await?;
                let same_name = operator::look_alike(&found.begun_by, &of);
                let may = !same_name && (told != Told::Waiting || although_untold);
                if may && reproofs::approve(tx, found.id, &of, now, until).await? {
                    let moved_at = her.profile.lately(now).map(|one| one.until).max();
                    let mut event = link.store_for(tx, found.id, now).await?;
                    event = event
                        .with("disabled", her.state == UserState::Disabled)
                        .with("begun_by", found.begun_by)
                        .with("told", told.as_str());
                    for (name, value) in [
                        ("begun_account", found.begun_account.map(Value::from)),
                        ("address_changed_at", moved_at.map(|at| at.secs().into())),
                    ] {
                        event = match value {
                            Some(value) => event.with(name, value),
                            None => event,
                        };
                    }
                    tx.record(send_mail::told_now(tells, event, Some(&her), None)?);
                    return Ok(Ok((told, moved_at)));
                }
                let (not, event) = if same_name {
                    (Not::Other, same)
                } else if found.approved_by.is_some() {
                    (Not::Before, before)
                } else if now < found.opens_at {
                    (Not::Yet(found.opens_at), early)
                } else {
                    (Not::Told, untold)
                };
                tx.record(event);
                Ok(Err(not))
            })
        })
        .await?;
    let name = user.profile.username;
    match outcome {
        Ok((told, moved_at)) => Ok(Approved {
            invited,
            told,
            moved_at,
        }),
        Err(Not::Standing) => refused(format!(
            "no re-proofing of {name} stands; begin one with `countersign user re-proof {name} --by OPERATOR`"
        )),
        Err(Not::Other) => refused(format!(
            "{by}, or somebody whose name looks like that, began it; another operator must approve it, after \
             seeing for themselves who {name} is"
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
        Err(Not::Told) => refused(format!(
            "the mail that tells {name} of it still waits: the mail server did not take it yet. See why with \
             `countersign mail test`; or, when {name} knows of it otherwise, approve it with --untold, which \
             the audit log keeps"
        )),
    }
}

/// Whether the person was told of what stands.
async fn told(tx: &mut Tx, found: &Reproof, tells: bool) -> Result<Told, Fault> {
    let Some(event) = found.told_event.filter(|_| tells) else {
        return Ok(Told::NoWay);
    };
    if mails::waits(tx, event, found.user_id).await? {
        return Ok(Told::Waiting);
    }
    let untold = audit::untold(tx, found.user_id, found.begun_at).await?;
    Ok(if untold.contains(&event) {
        Told::NotSent
    } else {
        Told::Sent
    })
}

/// Why one is not approved.
enum Not {
    Standing,
    Other,
    Before,
    Yet(Timestamp),
    Told,
}

impl Not {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Standing => "none_stands",
            Self::Other => "same_operator",
            Self::Before => "approved_before",
            Self::Yet(_) => "too_early",
            Self::Told => "not_told",
        }
    }
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
    if end(app, (user.id, None), event).await? {
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
    end(app, (user, Some(held.session.id)), event).await
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
    (user, by_session): (Uuid, Option<Uuid>),
    event: PendingEvent,
) -> Result<bool, Fault> {
    let (now, tells) = (app.clock.now(), app.config.mail.is_some());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                users::keep(tx, user).await?;
                // A session that ended meanwhile, because the account was disabled, cancels nothing.
                if let Some(session) = by_session
                    && !sessions::hold(tx, session).await?
                {
                    return Ok(false);
                }
                let ended = reproofs::cancel(tx, user, now).await?;
                if ended {
                    invites::end_reproofs(tx, user, now).await?;
                    invites::end_activations(tx, user).await?;
                    let her = users::find(tx, user).await?;
                    let stopped = her
                        .as_ref()
                        .is_some_and(|her| her.state == UserState::Disabled);
                    let event = event.with("disabled", stopped);
                    tx.record(send_mail::told_now(tells, event, her.as_ref(), None)?);
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
    match operator_name(by) {
        Ok(name) => Ok(name),
        Err(OperatorNameError::Unfit) => refused(format!(
            "--by must name the operator who answers for this, in at most {} characters that can be seen",
            operator::LONGEST
        )),
        Err(OperatorNameError::Mixed) => refused(
            "--by mixes letters of several scripts, of which one can imitate another; write the whole name in one"
                .to_owned(),
        ),
    }
}

fn refused<T>(why: String) -> Result<T, AdminFailure> {
    Err(AdminFailure::Refused(why))
}
