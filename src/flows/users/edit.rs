//! Changing what is told of a person.

use rules::audit::{Actor, Kind};
use rules::protocol::claims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{UserInfo, find, info, unknown};
use crate::app::App;
use crate::flows::{AdminFailure, Caller, confirm_address, send_mail};
use crate::store::invites;
use crate::store::users::{self, UserState};

/// What is to change of a person's claims; those that are not named stay.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserEdit {
    /// Claims to set (OpenID Connect Core §5.1).
    pub claims: Map<String, Value>,
    /// Claims to take away.
    pub removed: Vec<String>,
}

impl std::fmt::Debug for UserEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What they say is personal.
        let names: Vec<_> = self.claims.keys().collect();
        write!(
            f,
            "UserEdit {{ set: {names:?}, removed: {:?} }}",
            self.removed
        )
    }
}

impl UserEdit {
    /// Whether it says anything of a claim.
    fn names(&self, claim: &str) -> bool {
        self.claims.contains_key(claim) || self.removed.iter().any(|name| name == claim)
    }
}

/// Somebody whose claims were changed.
pub struct Changed {
    /// As she is now.
    pub user: UserInfo,
    /// Whether her invitation ended: it may have gone to the address that was corrected.
    pub uninvited: bool,
}

/// Changes claims of a person, whatever state her account is in, as long as it is not closed. Apps are told
/// at their next look. Another address is not verified unless the edit says so, and ends the link to the
/// former one, and the invitation of somebody who never set her account up.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody, the account is closed, a claim does not fit, or nothing
/// would change.
pub async fn set(
    app: &App,
    name: &str,
    edit: UserEdit,
    caller: &Caller,
) -> Result<Changed, AdminFailure> {
    for (name, value) in &edit.claims {
        claims::check(name, value).map_err(AdminFailure::Refused)?;
    }
    let found = find(app, name).await?;
    if found.closed_at.is_some() {
        return Err(AdminFailure::Refused(
            "that access was closed for good; nothing is kept of who the person was".to_owned(),
        ));
    }
    let id = found.id;
    let event = app.event(Kind::UserChanged, caller)?;
    let event = event.by(Actor::Operator).subject(id);
    let event = app.pending(event, caller, None)?;
    let (now, tells) = (app.clock.now(), app.config.mail.is_some());
    let changed = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !users::keep(tx, id).await? {
                    return Ok(None);
                }
                let found = users::find(tx, id).await?;
                let Some(mut user) = found.filter(|user| user.closed_at.is_none()) else {
                    return Ok(None);
                };
                let former = user.profile.address().map(str::to_owned);
                let says = edit.names("email_verified");
                let mut changed = apply(edit, &mut user.profile.claims);
                if changed.is_empty() {
                    return Ok(Some((user, None)));
                }
                let moved = former.as_deref() != user.profile.address();
                let invited = user.state == UserState::Invited;
                if moved && !says && user.profile.unconfirm() {
                    changed.push("email_verified".to_owned());
                }
                if let Some(former) = former.filter(|_| moved && !invited) {
                    user.profile.replaced(former, now);
                }
                if !changed.iter().any(|name| name == "updated_at") {
                    user.profile.updated(now);
                }
                users::change_profile(tx, &user, now).await?;
                let mut event = event.with("changed", changed.join(" "));
                let mut uninvited = false;
                if moved && invited {
                    // Whoever reads the address that was wrong must not hold what opens the account.
                    uninvited = invites::end_all(tx, id, now).await?;
                } else if moved {
                    confirm_address::void(tx, id).await?;
                    // Former addresses are told too: whoever reads one may be the only one to object.
                    event = send_mail::told_now(tells, event, Some(&user), None)?;
                }
                tx.record(event);
                Ok(Some((user, Some(uninvited))))
            })
        })
        .await?;
    match changed {
        None => Err(unknown(name)),
        Some((user, Some(uninvited))) => Ok(Changed {
            user: info(user),
            uninvited,
        }),
        Some((user, None)) => Err(AdminFailure::Refused(format!(
            "nothing of {0} would change; see it with `countersign user show {0}`",
            user.profile.username
        ))),
    }
}

/// Applies an edit; says which claims it changed.
fn apply(edit: UserEdit, claims: &mut Map<String, Value>) -> Vec<String> {
    let mut changed = Vec::new();
    for (name, value) in edit.claims {
        if claims.get(&name) != Some(&value) {
            claims.insert(name.clone(), value);
            changed.push(name);
        }
    }
    for name in edit.removed {
        if claims.remove(&name).is_some() {
            changed.push(name);
        }
    }
    changed
}
