//! "This wasn't me": a worried person stops everything at once. It asks for no proof, because it
//! gives nobody anything; she signs in again when she likes.

use std::time::Duration;

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;
use uuid::Uuid;

use super::Caller;
use super::activity::Entry;
use super::sessions::SignedIn;
use crate::app::App;
use crate::fault::Fault;
use crate::store::grants::{self, Grant};
use crate::store::{recovery_renewals, sessions, users};

/// How long before the disputed moment a consent is suspect too.
const BEFORE: Duration = Duration::from_hours(24);

/// What is suspect when no moment is named.
const LATELY: Duration = Duration::from_hours(7 * 24);

/// The consents given at a time that is suspect: from a day before what she disputes, or within the
/// last week.
pub async fn suspect(
    app: &App,
    held: &SignedIn,
    about: Option<&Entry>,
) -> Result<Vec<Grant>, Fault> {
    let since = about.map_or_else(
        || app.clock.now().minus(LATELY),
        |entry| entry.at.minus(BEFORE),
    );
    let user = held.user.id;
    let standing = app
        .store
        .read(move |tx| Box::pin(grants::of_user(tx, user)))
        .await?;
    let given = |grant: &Grant| grant.consented_at >= since;
    Ok(standing.into_iter().filter(given).collect())
}

/// What she says.
#[derive(Default)]
pub struct Disputed {
    /// The event that was not her, when she names one.
    pub about: Option<Uuid>,
    /// The consents that stop too.
    pub stop: Vec<Uuid>,
}

/// Ends every session, this one too; forgets known devices; makes void what was issued until now;
/// and stops the consents she names. False when her session ended meanwhile: nothing was done.
pub async fn dispute(
    app: &App,
    held: &SignedIn,
    said: Disputed,
    caller: &Caller,
) -> Result<bool, Fault> {
    let (user, session) = (held.user.id, held.session.id);
    let event = |kind| {
        let event = app.event(kind, caller)?;
        Ok::<_, Fault>(event.by(Actor::User(user)).subject(user).session(session))
    };
    let keys = Some(&held.user.keys);
    let mut stops = Vec::with_capacity(said.stop.len());
    for grant in said.stop {
        let event = event(Kind::GrantRevoked)?.grant(grant);
        stops.push((grant, app.pending(event, caller, keys)?));
    }
    let mut disputed = event(Kind::UserDisputed)?;
    if let Some(about) = said.about {
        disputed = disputed.with("event", about.to_string());
    }
    let disputed = app.pending(disputed, caller, keys)?;
    let clock = app.clock.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                // Not before: the wait for the writer must not eat up the margin of the epoch.
                let now: Timestamp = clock.now();
                if !users::lock(tx, user).await? || !sessions::hold(tx, session).await? {
                    return Ok(false);
                }
                users::dispute(tx, user, now).await?;
                let ended = sessions::end_others(tx, user, None, now).await?;
                let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
                sessions::forget_devices(tx, user, None).await?;
                recovery_renewals::end_all(tx, user).await?;
                for (grant, event) in stops {
                    if let Some(client) = grants::revoke(tx, grant, user, now).await? {
                        tx.record(event.client(client));
                    }
                }
                tx.record(disputed.with("ended_sessions", ended));
                Ok(true)
            })
        })
        .await
}
