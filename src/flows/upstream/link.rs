//! A signed-in person links her account with the one she has at the provider, after a fresh proof, and
//! removes the link.

use std::sync::Arc;
use std::time::Duration;

use rules::audit::{Actor, Kind};
use uuid::Uuid;

use super::{Errand, Prepared, Sent, Trouble, prepare};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::flows::fresh::{Demand, Fresh, Proved, after_proof};
use crate::flows::sessions::SignedIn;
use crate::store::ceremonies;
use crate::store::upstream_links::{self, Link, SubjectKey};
use crate::store::{recovery_renewals, sessions, users};

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

/// Begins to link, for a person who proves herself anew: where to send her.
///
/// # Errors
/// [`Fault`].
pub async fn begin_link(
    app: &Arc<App>,
    fresh: Fresh<'_>,
    holder: Option<&str>,
) -> Result<Result<Proved<Sent>, Trouble>, Fault> {
    let errand = Errand::Link(fresh.held.session.id);
    let prepared = prepare(app, holder, errand, Duration::ZERO).await?;
    let Prepared {
        ceremony,
        waiting,
        sent,
    } = match prepared {
        Ok(prepared) => prepared,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let proved = after_proof(app, fresh, Demand::Strongest, move |tx, her| {
        Box::pin(async move {
            let until = her.proven.at.plus(Lifetimes::UPSTREAM);
            ceremonies::begin(tx, ceremony, &waiting, until).await?;
            her.record(tx, her.event(Kind::ConfirmationSucceeded)?)?;
            Ok(sent)
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
    let event = app.event(Kind::UpstreamLinked, caller)?;
    let event = event.by(Actor::User(user)).subject(user).session(session);
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
pub async fn unlink(app: &Arc<App>, fresh: Fresh<'_>) -> Result<Proved<()>, Fault> {
    after_proof(app, fresh, Demand::Strongest, |tx, her| {
        Box::pin(async move {
            let removed = upstream_links::remove(tx, her.proven.user.id).await?;
            let ended = her.end_others(tx).await?;
            let kind = if removed {
                Kind::UpstreamUnlinked
            } else {
                Kind::ConfirmationSucceeded
            };
            her.record(tx, her.event(kind)?.with("ended_sessions", ended))
        })
    })
    .await
}
