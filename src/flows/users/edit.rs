//! Changing what is told of a person.

use rules::audit::{Actor, Kind};
use rules::protocol::claims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{UserInfo, find, info, unknown};
use crate::app::App;
use crate::flows::{AdminFailure, Caller};
use crate::store::users;

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

/// Changes claims of a person, whatever state her account is in. Apps are told at their next look.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is nobody, a claim does not fit, or nothing would change.
pub async fn set(
    app: &App,
    name: &str,
    edit: UserEdit,
    caller: &Caller,
) -> Result<UserInfo, AdminFailure> {
    for (name, value) in &edit.claims {
        claims::check(name, value).map_err(AdminFailure::Refused)?;
    }
    let id = find(app, name).await?.id;
    let event = app.event(Kind::UserChanged, caller)?;
    let event = event.by(Actor::Operator).subject(id);
    let event = app.pending(event, caller, None)?;
    let now = app.clock.now();
    let changed = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !users::keep(tx, id).await? {
                    return Ok(None);
                }
                let Some(mut user) = users::find(tx, id).await? else {
                    return Ok(None);
                };
                let changed = apply(edit, &mut user.profile.claims);
                if changed.is_empty() {
                    return Ok(Some((user, false)));
                }
                let updated_at = String::from("updated_at");
                if !changed.contains(&updated_at) {
                    let seconds = now.secs().into();
                    user.profile.claims.insert(updated_at, seconds);
                }
                users::change_profile(tx, &user, now).await?;
                tx.record(event.with("changed", changed.join(" ")));
                Ok(Some((user, true)))
            })
        })
        .await?;
    match changed {
        None => Err(unknown(name)),
        Some((user, true)) => Ok(info(user)),
        Some((user, false)) => Err(AdminFailure::Refused(format!(
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
