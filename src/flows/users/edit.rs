//! Changing what is told of a person.

use rules::audit::{Actor, Kind};
use rules::protocol::claims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{UserInfo, find, info, unknown};
use crate::app::App;
use crate::flows::send_mail;
use crate::flows::{AdminFailure, Caller};
use crate::rng;
use crate::store::mails::{Content, NewMail};
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
    let (now, tells) = (app.clock.now(), app.config.mail.is_some());
    let former_id = rng::uuid(now)?;
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
                let former = send_mail::address(&user.profile).map(str::to_owned);
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
                let mut event = event.with("changed", changed.join(" "));
                if tells && changed.iter().any(|name| name == "email") {
                    // The former address is told too: whoever reads it may be the only one to object.
                    let content = Content {
                        to: former,
                        ..Content::default()
                    };
                    let here = NewMail {
                        id: event.id(),
                        user_id: id,
                        content: None,
                    };
                    let there = NewMail::with((former_id, id), &content, &user.keys)?;
                    event = event.mailed(Some(here));
                    event = event.mailed(content.to.is_some().then_some(there));
                }
                tx.record(event);
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
