//! What the provider vouches for, as the judge hears it: two factors, or one that waits for another.

use rules::audit::{Actor, Kind};
use rules::identity::{Method, Proof};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Onward;
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::flows::Caller;
use crate::rng;
use crate::secret::{Purpose, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
use crate::store::upstream_links::{self, SubjectKey};
use crate::store::{Tx, users};

/// What the provider vouches for, and is believed: two factors. Only this module makes one.
pub struct Whole {
    pub(in crate::flows) user: Uuid,
    pub(super) key: SubjectKey,
    pub(super) auth_time: Timestamp,
}

/// What it vouches for without being believed: one factor of a person, until another of ours is proved
/// beside it. Only this module makes one.
pub struct Half {
    pub(in crate::flows) user: Uuid,
    pub(in crate::flows) username: String,
    /// Where she goes on.
    pub onward: Onward,
    key: SubjectKey,
    auth_time: Timestamp,
    ceremony: Ceremony,
}

/// A [`Half`] as it lies in the database.
#[derive(Serialize, Deserialize)]
struct Kept {
    user: Uuid,
    key: [u8; 32],
    auth_time: Timestamp,
    onward: Onward,
}

impl Whole {
    /// Notes that the link was used, and what it proves; none when it was removed meanwhile.
    pub(in crate::flows) async fn spend(
        &self,
        app: &App,
        tx: &mut Tx,
        caller: &Caller,
    ) -> Result<Option<Proof>, Fault> {
        let proof = proof(self.auth_time, true);
        spend(app, tx, (self.key, self.user, proof), caller).await
    }
}

impl Half {
    /// The same, and nothing waits any more; none when another answer overtook this one.
    pub(in crate::flows) async fn spend(
        &self,
        app: &App,
        tx: &mut Tx,
        caller: &Caller,
    ) -> Result<Option<Proof>, Fault> {
        let now = app.clock.now();
        if ceremonies::take::<Kept>(tx, self.ceremony, now)
            .await?
            .is_none()
        {
            return Ok(None);
        }
        let proof = proof(self.auth_time, false);
        spend(app, tx, (self.key, self.user, proof), caller).await
    }
}

const fn proof(at: Timestamp, two_factors: bool) -> Proof {
    let method = Method::Upstream { two_factors };
    Proof { method, at }
}

async fn spend(
    app: &App,
    tx: &mut Tx,
    (key, user, proof): (SubjectKey, Uuid, Proof),
    caller: &Caller,
) -> Result<Option<Proof>, Fault> {
    let Some(person) = users::find(tx, user).await? else {
        return Ok(None);
    };
    if !upstream_links::used(tx, (key, user), app.clock.now()).await? {
        return Ok(None);
    }
    let two_factors = proof.method == Method::Upstream { two_factors: true };
    let event = app
        .event(Kind::UpstreamUsed, caller)?
        .by(Actor::User(user))
        .subject(user)
        .with("two_factors", two_factors);
    tx.record(app.pending(event, caller, Some(&person.keys))?);
    Ok(Some(proof))
}

/// Keeps one factor of hers until another is proved beside it; what names it in an address.
pub(super) async fn keep(
    app: &App,
    holder: TokenHash,
    whole: Whole,
    onward: Onward,
) -> Result<Uuid, Fault> {
    let now = app.clock.now();
    let id = rng::uuid(now)?;
    let ceremony = beside(id, holder);
    let kept = Kept {
        user: whole.user,
        key: whole.key.0,
        auth_time: whole.auth_time,
        onward,
    };
    let until = now.plus(Lifetimes::UPSTREAM);
    app.store
        .write(move |tx| {
            Box::pin(async move { ceremonies::begin(tx, ceremony, &kept, until).await })
        })
        .await?;
    Ok(id)
}

const fn beside(id: Uuid, holder: TokenHash) -> Ceremony {
    Ceremony {
        id,
        holder,
        purpose: "upstream beside",
    }
}

/// The factor of hers that waits in this browser, under this name, for another.
///
/// # Errors
/// [`Fault`].
pub async fn half(app: &App, id: &str, held: Option<&str>) -> Result<Option<Half>, Fault> {
    let (Some(_), Some(held), Ok(id)) = (&app.config.upstream, held, Uuid::try_parse(id)) else {
        return Ok(None);
    };
    let ceremony = beside(id, TokenHash::of(Purpose::Ceremony, held));
    let now = app.clock.now();
    app.store
        .read(move |tx| {
            Box::pin(async move {
                let Some(kept) = ceremonies::look::<Kept>(tx, ceremony, now).await? else {
                    return Ok(None);
                };
                let user = users::find(tx, kept.user).await?;
                Ok(user.map(|user| Half {
                    user: kept.user,
                    username: user.profile.username,
                    onward: kept.onward,
                    key: SubjectKey(kept.key),
                    auth_time: kept.auth_time,
                    ceremony,
                }))
            })
        })
        .await
}
