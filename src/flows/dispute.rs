//! "This wasn't me": a worried person stops everything at once. It asks for no proof, because it
//! gives nobody anything; she signs in again when she likes.

use std::time::Duration;

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;
use uuid::Uuid;

use super::activity::Entry;
use super::epochs;
use super::passkeys::Listed;
use super::sessions::SignedIn;
use super::{Caller, passkeys, send_mail};
use crate::app::App;
use crate::fault::Fault;
use crate::store::feed::EPOCH_MARGIN;
use crate::store::grants::{self, Grant};
use crate::store::{
    factors, invites, recovery_renewals, reproofs, sessions, upstream_links, users, webauthn,
};

/// How long before the disputed moment a consent is suspect too.
const BEFORE: Duration = Duration::from_hours(24);

/// What is suspect when no moment is named.
const LATELY: Duration = Duration::from_hours(7 * 24);

/// What came at a time that is suspect.
pub struct Suspects {
    /// Consents that were given.
    pub grants: Vec<Grant>,
    /// Passkeys and security keys that were bound, and still open something.
    pub keys: Vec<Listed>,
}

/// What came at a time that is suspect: from a day before what she disputes, or within the last week.
/// Keys are never suspect for longer than that week, whatever is disputed: nobody proves anything
/// here, and a key that is blocked stays so.
pub async fn suspect(app: &App, held: &SignedIn, about: Option<&Entry>) -> Result<Suspects, Fault> {
    let lately = app.clock.now().minus(LATELY);
    let since = about.map_or(lately, |entry| entry.at.minus(BEFORE));
    let user = held.user.id;
    let mut grants = app
        .store
        .read(move |tx| Box::pin(grants::of_user(tx, user)))
        .await?;
    let mut keys = passkeys::list(app, held).await?;
    grants.retain(|grant| grant.consented_at >= since);
    keys.retain(|key| key.created_at >= since.max(lately) && !key.blocked);
    Ok(Suspects { grants, keys })
}

/// What she says.
#[derive(Default)]
pub struct Disputed {
    /// The event that was not her, when she names one.
    pub about: Option<Uuid>,
    /// The consents that stop too.
    pub stop: Vec<Uuid>,
    /// Her keys that are blocked too, of those that are [`suspect`], oldest first: whoever holds a
    /// stolen session cannot take from her what she has had for longer.
    pub block: Vec<Uuid>,
}

/// Ends every session, this one too; forgets known devices; makes void what was issued until now;
/// removes a link with the institution's own provider, which she can make anew; stops the consents and
/// blocks the keys that she names, the newest first, all but the last strong factor that she has. How many named keys still open something; none when her session ended
/// meanwhile, and nothing was done.
pub async fn dispute(
    app: &App,
    held: &SignedIn,
    said: Disputed,
    caller: &Caller,
) -> Result<Option<usize>, Fault> {
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
    let mut blocks = Vec::with_capacity(said.block.len());
    for key in said.block {
        let event = event(Kind::PasskeyBlocked)?
            .with("passkey", key.to_string())
            .with("why", "disputed");
        // The dispute itself is told, and this has another reason than a copied key.
        blocks.push((key, app.pending(event, caller, keys)?.untold()));
    }
    let mut disputed = event(Kind::UserDisputed)?;
    if let Some(about) = said.about {
        disputed = disputed.with("event", about.to_string());
    }
    let disputed = app.pending(disputed, caller, keys)?;
    let cancelled = app.pending(event(Kind::RecoveryCancelled)?, caller, keys)?;
    let unlinked = event(Kind::UpstreamUnlinked)?.with("why", "disputed");
    let unlinked = app.pending(unlinked, caller, keys)?;
    let (clock, tells) = (app.clock.clone(), app.config.mail.is_some());
    let done = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Not before: the wait for the writer must not eat up the margin of the epoch.
                let now: Timestamp = clock.now();
                if !users::lock(tx, user).await? || !sessions::hold(tx, session).await? {
                    return Ok(None);
                }
                users::void(tx, user, now).await?;
                let ended = sessions::end_others(tx, user, None, now).await?;
                let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
                sessions::forget_devices(tx, user, None).await?;
                recovery_renewals::end_all(tx, user).await?;
                // Somebody else may be on the way to a sign-in of their own.
                if reproofs::cancel(tx, user, now).await? {
                    invites::end_reproofs(tx, user, now).await?;
                    invites::end_activations(tx, user).await?;
                    let her = users::find(tx, user).await?;
                    tx.record(send_mail::told_now(tells, cancelled, her.as_ref(), None)?);
                }
                if upstream_links::remove(tx, user).await? {
                    tx.record(unlinked);
                }
                for (grant, event) in stops {
                    if let Some(client) = grants::revoke(tx, grant, user, now).await? {
                        tx.record(event.client(client));
                    }
                }
                let mut open = 0;
                // Of two that may not be hers the one that was there first is rather hers.
                for (key, event) in blocks.into_iter().rev() {
                    if factors::count_strong_open(tx, user).await? <= 1 {
                        open += 1;
                    } else if webauthn::dispute(tx, key, now).await? {
                        tx.record(event);
                    }
                }
                tx.record(disputed.with("ended_sessions", ended));
                Ok(Some((open, now)))
            })
        })
        .await?;
    let Some((open, at)) = done else {
        return Ok(None);
    };
    epochs::outlast(app, epochs::Whose::User(user), at.plus(EPOCH_MARGIN)).await?;
    Ok(Some(open))
}
