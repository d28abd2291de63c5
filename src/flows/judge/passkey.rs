//! A passkey by itself: it says who somebody is, and proves two factors.

use std::sync::Arc;

use rules::identity::Proof;

use super::{Act, Alarm, DEVICE_LIFETIME, Proven, Ruling, record_refusal, too_often};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::webauthn::{self, Answered, Asked, Presented};
use crate::flows::{Caller, issue};
use crate::secret::{Purpose, TokenHash};
use crate::store::users::{self, User};
use crate::store::{Tx, sessions};

/// Judges what a browser answered, and does `act` when it is right.
pub(super) async fn judge<A: Act>(
    app: &Arc<App>,
    presented: Presented,
    device: Option<&str>,
    caller: &Caller,
    mut act: A,
) -> Result<Ruling<A::Gain>, Fault> {
    let heard = webauthn::hear(app, &presented, Asked::Passkey, caller).await?;
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
                    Some(answered) => users::find(tx, answered.user).await?,
                    None => None,
                };
                let proven = match (heard, user) {
                    (Some(answered), Some(user)) => {
                        prove(&app, tx, (answered, device), user).await?
                    }
                    _ => Err(None),
                };
                let proven = match proven {
                    Ok(proven) => proven,
                    Err(user) => {
                        record_refusal(&app, &caller, tx, (A::REFUSED, user.as_ref()), Alarm::No)?;
                        return Ok(Ruling::Refused);
                    }
                };
                if let Some(until) =
                    too_often(&app, tx, (A::BLOCKED, proven.user.id), proven.at).await?
                {
                    return Ok(Ruling::Blocked { until });
                }
                if let Some(gain) = act.perform(tx, &proven).await? {
                    return Ok(Ruling::Granted(gain));
                }
                record_refusal(
                    &app,
                    &caller,
                    tx,
                    (A::REFUSED, Some(&proven.user)),
                    Alarm::No,
                )?;
                Ok(Ruling::Refused)
            })
        })
        .await
}

/// Holds her account, notes that the key was used, and admits her.
async fn prove(
    app: &App,
    tx: &mut Tx,
    (answered, device): (Answered, Option<TokenHash>),
    user: User,
) -> Result<Result<Proven, Option<User>>, Fault> {
    let at = app.clock.now();
    if !users::lock(tx, user.id).await? || !answered.note(tx, at).await? {
        return Ok(Err(Some(user)));
    }
    let proofs = vec![Proof {
        method: answered.method,
        at,
    }];
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
