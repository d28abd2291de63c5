//! A passkey by itself, or what a provider that is believed vouches for: it says who somebody is, and
//! proves two factors.

use std::sync::Arc;

use rules::identity::Proof;
use rules::time::Timestamp;
use uuid::Uuid;

use super::{Act, Alarm, DEVICE_LIFETIME, Proven, Ruling, record_refusal, too_often};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::upstream::Whole;
use crate::flows::webauthn::{self, Answered, Asked, Presented};
use crate::flows::{Caller, issue};
use crate::secret::{Purpose, TokenHash};
use crate::store::users::{self, User};
use crate::store::{Tx, sessions};

/// What somebody showed. Nothing was noted of it yet.
pub(super) enum Shown {
    /// A passkey.
    Key(Answered),
    /// The word of a provider.
    Upstream(Whole),
}

impl Shown {
    const fn user(&self) -> Uuid {
        match self {
            Self::Key(answered) => answered.user,
            Self::Upstream(whole) => whole.user,
        }
    }

    /// Notes that it was used, and what it proves; none when it is worth nothing any more.
    async fn spend(
        &self,
        (app, caller): (&App, &Caller),
        tx: &mut Tx,
        at: Timestamp,
    ) -> Result<Option<Proof>, Fault> {
        match self {
            Self::Key(answered) => {
                let method = answered.method;
                let fresh = answered.note(tx, at).await?;
                Ok(fresh.then_some(Proof { method, at }))
            }
            Self::Upstream(whole) => whole.spend(app, tx, caller).await,
        }
    }
}

/// Judges what a browser answered, and does `act` when it is right.
pub(super) async fn judge<A: Act>(
    app: &Arc<App>,
    presented: Presented,
    device: Option<&str>,
    caller: &Caller,
    act: A,
) -> Result<Ruling<A::Gain>, Fault> {
    let heard = webauthn::hear(app, &presented, Asked::Passkey, caller).await?;
    settle(app, heard.map(Shown::Key), device, caller, act).await
}

/// Judges what was shown, when it was anything, and does `act` when it is right.
pub(super) async fn settle<A: Act>(
    app: &Arc<App>,
    heard: Option<Shown>,
    device: Option<&str>,
    caller: &Caller,
    mut act: A,
) -> Result<Ruling<A::Gain>, Fault> {
    if heard.is_some() {
        act.prepare().await?;
    }
    let device = device.map(|token| TokenHash::of(Purpose::Device, token));
    let (app, caller) = (Arc::clone(app), caller.clone());
    let store = app.store.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                let user = match &heard {
                    Some(shown) => users::find(tx, shown.user()).await?,
                    None => None,
                };
                let at = app.clock.now();
                let proven = match (heard, user) {
                    (Some(_), Some(user)) if !users::lock(tx, user.id).await? => Err(Some(user)),
                    (Some(shown), Some(user)) => {
                        // Before anything is spent, and noted as used.
                        if let Some(until) = too_often(&app, tx, (A::BLOCKED, user.id), at).await? {
                            return Ok(Ruling::Blocked { until });
                        }
                        prove((&app, &caller), tx, (shown, device), (user, at)).await?
                    }
                    _ => Err(None),
                };
                let proven = match proven {
                    Ok(proven) => proven,
                    Err(user) => {
                        let refused = (A::REFUSED, user.as_ref());
                        record_refusal(&app, &caller, tx, refused, Alarm::No).await?;
                        return Ok(Ruling::Refused);
                    }
                };
                if let Some(gain) = act.perform(tx, &proven).await? {
                    return Ok(Ruling::Granted(gain));
                }
                let refused = (A::REFUSED, Some(&proven.user));
                record_refusal(&app, &caller, tx, refused, Alarm::No).await?;
                Ok(Ruling::Refused)
            })
        })
        .await
}

/// Notes that what she showed was used, and admits her; her account is held.
async fn prove(
    (app, caller): (&App, &Caller),
    tx: &mut Tx,
    (shown, device): (Shown, Option<TokenHash>),
    (user, at): (User, Timestamp),
) -> Result<Result<Proven, Option<User>>, Fault> {
    let Some(proof) = shown.spend((app, caller), tx, at).await? else {
        return Ok(Err(Some(user)));
    };
    let proofs = vec![proof];
    let policy = app.config.passkeys.policy;
    let Some(admission) = issue::admit(tx, user.id, &proofs, policy).await? else {
        return Ok(Err(Some(user)));
    };
    let since = at.minus(DEVICE_LIFETIME);
    let knows_device = match device {
        Some(device) => sessions::knows_device(tx, device, user.id, since).await?,
        None => false,
    };
    Ok(Ok(Proven {
        user,
        proofs,
        admission,
        knows_device,
        at,
    }))
}
