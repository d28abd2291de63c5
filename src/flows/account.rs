//! What a person sees and ends on her account page.

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::Caller;
use super::sessions::SignedIn;
use crate::app::App;
use crate::fault::Fault;
pub use crate::store::factors::Kept;
use crate::store::grants;
pub use crate::store::grants::Grant as GrantInfo;
use crate::store::sessions::{self, Session};
use crate::store::webauthn::{self, Listed};
use crate::store::{authorizations, factors, users};

/// What stands.
pub struct Overview {
    /// Connected apps.
    pub grants: Vec<GrantInfo>,
    /// Signed-in browsers.
    pub sessions: Vec<Session>,
    /// Her second factors.
    pub kept: Kept,
    /// Her passkeys and security keys.
    pub keys: Vec<Listed>,
}

/// Everything the account page shows.
pub async fn overview(app: &App, signed_in: &SignedIn) -> Result<Overview, Fault> {
    let user = signed_in.user.id;
    let now = app.clock.now();
    let since = now.minus(app.config.people.session_absolute);
    app.store
        .read(move |tx| {
            Box::pin(async move {
                Ok(Overview {
                    grants: grants::of_user(tx, user).await?,
                    sessions: sessions::of_user(tx, user, since).await?,
                    kept: factors::kept(tx, user).await?,
                    keys: match users::find(tx, user).await? {
                        Some(user) => webauthn::of_user(tx, user.id, &user.keys).await?,
                        None => Vec::new(),
                    },
                })
            })
        })
        .await
}

/// What she agreed to beyond scopes (RFC 9396), and when.
pub type Agreed = (Timestamp, Value);

/// What of it stands under each of some grants: the newest details, at most `each` of one grant and `all`
/// together.
pub async fn agreed(
    app: &App,
    grants: &[GrantInfo],
    (each, all): (usize, usize),
) -> Result<Vec<Vec<Agreed>>, Fault> {
    let ids: Vec<Vec<Uuid>> = grants.iter().map(|grant| grant.agreed.clone()).collect();
    if ids.iter().all(Vec::is_empty) {
        return Ok(vec![Vec::new(); grants.len()]);
    }
    let now = app.clock.now();
    app.store
        .read(move |tx| {
            Box::pin(async move {
                let (mut found, mut left) = (Vec::new(), all);
                for of_one in ids {
                    let mut listed: Vec<Agreed> = Vec::new();
                    for id in of_one {
                        let room = left.min(each - listed.len());
                        if room == 0 {
                            break;
                        }
                        if let Some((at, details)) = authorizations::details_of(tx, id, now).await?
                        {
                            let details = details.iter().map(|(_, detail)| (at, detail.clone()));
                            let before = listed.len();
                            listed.extend(details.take(room));
                            left -= listed.len() - before;
                        }
                    }
                    found.push(listed);
                }
                Ok(found)
            })
        })
        .await
}

/// What is known of a person's second factors.
pub async fn kept(app: &App, signed_in: &SignedIn) -> Result<Kept, Fault> {
    let user = signed_in.user.id;
    app.store
        .read(move |tx| Box::pin(factors::kept(tx, user)))
        .await
}

/// Stops sharing with an app; false when that is not hers to stop or was stopped before.
pub async fn stop_sharing(
    app: &App,
    signed_in: &SignedIn,
    grant: Uuid,
    caller: &Caller,
) -> Result<bool, Fault> {
    let (user, now) = (signed_in.user.id, app.clock.now());
    let event = app
        .event(Kind::GrantRevoked, caller)?
        .by(Actor::User(user))
        .subject(user)
        .session(signed_in.session.id)
        .grant(grant);
    let event = app.pending(event, caller, Some(&signed_in.user.keys))?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let client = grants::revoke(tx, grant, user, now).await?;
                let stopped = client.is_some();
                if let Some(client) = client {
                    tx.record(event.client(client));
                }
                Ok(stopped)
            })
        })
        .await
}
