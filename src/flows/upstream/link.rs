//! A signed-in person links her account with the one she has at the provider, after a fresh proof, and
//! removes the link.

use std::sync::Arc;
use std::time::Duration;

use rules::audit::{Actor, Event, Kind};
use uuid::Uuid;

use super::{Errand, Prepared, Sent, Trouble, prepare};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::fresh::{Proved, after_proof};
use crate::flows::judge::Evidence;
use crate::flows::sessions::SignedIn;
use crate::store::ceremonies;
use crate::store::upstream_links::{self, Link, SubjectKey};
use crate::store::{factors, recovery_renewals, sessions, users};

/// The link that she has with the provider.
///
/// # Errors
/// [`Fault`].
pub async fn linked(app: &App, held: &SignedIn) -> Result<Option<Link>, Fault> {
    let Some(upstream) = &app.config.upstream else {
        return Ok(None);
    };
    let user = held.user.id;
    let links = app
        .store
        .read(move |tx| Box::pin(upstream_links::of_user(tx, user)))
        .await?;
    Ok(links
        .into_iter()
        .find(|link| link.issuer == upstream.issuer))
}

/// Begins to link, for a person who proves herself anew: where to send her. None when she has keys that
/// resist phishing and proved something weaker: whoever has a code of hers from a false page must not
/// link an account of their own by it.
///
/// # Errors
/// [`Fault`].
pub async fn begin_link(
    app: &Arc<App>,
    held: SignedIn,
    (given, holder): ((Evidence, Option<&str>), Option<&str>),
    caller: &Caller,
) -> Result<Result<Proved<Option<Sent>>, Trouble>, Fault> {
    let session = held.session.id;
    let prepared = prepare(app, holder, Errand::Link(session), Duration::ZERO).await?;
    let Prepared {
        ceremony,
        waiting,
        sent,
    } = match prepared {
        Ok(prepared) => prepared,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let (of, by) = (Arc::clone(app), caller.clone());
    let proved = after_proof(app, held, given, caller, move |tx, proven| {
        Box::pin(async move {
            let user = &proven.user;
            let policy = of.config.passkeys.policy;
            let reached = Some(proven.admission.assurance().acr);
            let strong = factors::reach(tx, user.id, policy).await? <= reached;
            if strong {
                let until = proven.at.plus(Lifetimes::UPSTREAM);
                ceremonies::begin(tx, ceremony, &waiting, until).await?;
            }
            let event = event(&of, Kind::ConfirmationSucceeded, (user.id, session), &by)?;
            tx.record(of.pending(event, &by, Some(&user.keys))?);
            Ok(strong.then_some(sent))
        })
    });
    proved.await.map(Ok)
}

/// Links what the provider vouched for. Her other sessions end.
pub(super) async fn finish(
    app: &App,
    held: &SignedIn,
    key: SubjectKey,
    issuer: &str,
    caller: &Caller,
) -> Result<Result<(), Trouble>, Fault> {
    let (user, session) = (held.user.id, held.session.id);
    let event = event(app, Kind::UpstreamLinked, (user, session), caller)?;
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    let (issuer, now) = (issuer.to_owned(), app.clock.now());
    let done = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // What ended the account or the session meanwhile ended this too.
                if !users::lock(tx, user).await? || !sessions::hold(tx, session).await? {
                    return Ok(Err(Trouble::Wrong));
                }
                if !upstream_links::insert(tx, (key, user), &issuer, now).await? {
                    return Ok(Err(Trouble::Taken));
                }
                let ended = sessions::end_others(tx, user, Some(session), now).await?;
                recovery_renewals::end_all(tx, user).await?;
                let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
                tx.record(event.with("ended_sessions", ended));
                Ok(Ok(()))
            })
        })
        .await?;
    if done == Err(Trouble::Taken) {
        super::count(app, "taken");
    }
    Ok(done)
}

/// Removes every link of a person who proves herself anew. Her other sessions end.
///
/// # Errors
/// [`Fault`].
pub async fn unlink(
    app: &Arc<App>,
    held: SignedIn,
    given: (Evidence, Option<&str>),
    caller: &Caller,
) -> Result<Proved<()>, Fault> {
    let (of, by, session) = (Arc::clone(app), caller.clone(), held.session.id);
    after_proof(app, held, given, caller, move |tx, proven| {
        Box::pin(async move {
            let user = &proven.user;
            let removed = upstream_links::remove(tx, user.id).await?;
            let ended = sessions::end_others(tx, user.id, Some(session), proven.at).await?;
            let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
            let kind = if removed {
                Kind::UpstreamUnlinked
            } else {
                Kind::ConfirmationSucceeded
            };
            let event = event(&of, kind, (user.id, session), &by)?.with("ended_sessions", ended);
            tx.record(of.pending(event, &by, Some(&user.keys))?);
            Ok(())
        })
    })
    .await
}

fn event(
    app: &App,
    kind: Kind,
    (user, session): (Uuid, Uuid),
    caller: &Caller,
) -> Result<Event, Fault> {
    Ok(app
        .event(kind, caller)?
        .by(Actor::User(user))
        .subject(user)
        .session(session))
}
