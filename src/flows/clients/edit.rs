//! Changing what is registered of a client.

use std::sync::Arc;

use rules::audit::Kind;
use rules::jose::{Alg, JwkSet};
use rules::protocol::{Client, ClientAuth, GrantType, Metadata, Profile, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::registration::{check, once, signed_with};
use super::{change, event, find};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::{AdminFailure, Caller, rotate_keys};
use crate::store::feed::What;
use crate::store::grants;

/// What is to change of a client; `None` lets a thing stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientEdit {
    /// `client_name`.
    pub name: Option<String>,
    /// `redirect_uris`, all of them.
    pub redirect_uris: Option<Vec<String>>,
    /// `grant_types`, all of them.
    pub grant_types: Option<Vec<GrantType>>,
    /// What it may ask for, all of it.
    pub scopes: Option<Scopes>,
    /// How its ID tokens are signed.
    pub id_token_signed_response_alg: Option<Alg>,
    /// Its rules.
    pub profile: Option<Profile>,
    /// What changes of its [`Metadata`], by the names there: a JSON merge patch (RFC 7396), in which
    /// `null` takes a member away.
    pub metadata: Map<String, Value>,
}

/// A client before and after a change.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it was.
    pub before: Client,
    /// As it is.
    pub after: Client,
}

/// Changes a client's registration. What is taken away, scopes and redirect URIs, ends at once for
/// codes, tokens and requests on their way, too; people's consent to the rest stands. What is given,
/// also when it is given back, people are asked for.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is no such client, the result does not fit, nothing would
/// change, or somebody else changed it at the same moment.
pub async fn set(
    app: &App,
    id: &str,
    edit: ClientEdit,
    caller: &Caller,
) -> Result<Changed, AdminFailure> {
    let before = find(app, id).await?;
    let after = edit.apply(&before).map_err(AdminFailure::Refused)?;
    let names = differences(&before, &after)?;
    if names.is_empty() {
        return Err(AdminFailure::Refused(format!(
            "nothing of the client {id} would change; see it with `countersign client show {id}`"
        )));
    }
    rotate_keys::provide(app, &signed_with(&after)).await?;
    let added = after.scopes.difference(&before.scopes);
    if !added.is_empty() {
        forget_consents(app, id, added).await?;
    }
    let event = event(app, Kind::ClientChanged, id, caller)?.with("changed", names.join(" "));
    let event = app.pending(event, caller, None)?;
    let (expected, wanted) = (before.clone(), after);
    let after = change(app, id, event, move |client| {
        match differences(client, &expected) {
            Ok(names) if names.is_empty() => {}
            _ => {
                return Err(format!(
                    "the client {} was changed at the same moment; look at it and try again",
                    client.id
                ));
            }
        }
        *client = wanted;
        Ok(None)
    })
    .await?;
    Ok(Changed { before, after })
}

/// Takes from people's consents what the client may not ask for yet: they gave it when it was allowed
/// before, and are asked again. A few hundred at a time; one that is cut short gives the client
/// nothing, and is repeated with the command.
async fn forget_consents(app: &App, id: &str, scopes: Scopes) -> Result<(), Fault> {
    let (id, scopes) = (Arc::<str>::from(id), Arc::new(scopes));
    let mut after = Uuid::nil();
    loop {
        let (client, taken) = (Arc::clone(&id), Arc::clone(&scopes));
        let clock = app.clock.clone();
        let last = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let (last, changed) =
                        grants::take_from_client(tx, &client, &taken, after).await?;
                    if changed > 0 {
                        // Tokens from before still carry them; apps refresh, and get the rest. Said
                        // with each batch: repeated after a crash, the command finds nothing to take.
                        tx.announce(What::ClientEpoch(client.to_string()), clock.now());
                    }
                    Ok(last)
                })
            })
            .await?;
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

impl ClientEdit {
    /// The client as it would be.
    fn apply(self, client: &Client) -> Result<Client, String> {
        let mut after = client.clone();
        if let Some(name) = self.name {
            after.name = name;
        }
        if let Some(uris) = self.redirect_uris {
            after.redirect_uris = once(uris);
        }
        if let Some(grants) = self.grant_types {
            after.grant_types = once(grants);
        }
        if let Some(scopes) = self.scopes {
            after.scopes = scopes;
        }
        if let Some(alg) = self.id_token_signed_response_alg {
            after.id_token_signed_response_alg = alg;
        }
        if let Some(profile) = self.profile {
            after.profile = profile;
        }
        after.metadata = patched(&client.metadata, self.metadata)?;
        if after.metadata.jwks_uri.is_some()
            && let ClientAuth::PrivateKeyJwt { jwks }
            | ClientAuth::SelfSignedTlsClientAuth { jwks }
            | ClientAuth::TlsClientAuth { jwks, .. } = &mut after.auth
        {
            // From now on they are fetched.
            *jwks = JwkSet::default();
        }
        check(&after)?;
        Ok(after)
    }
}

fn patched(metadata: &Metadata, patch: Map<String, Value>) -> Result<Metadata, String> {
    let unreadable = |error| format!("the metadata does not fit: {error}");
    let mut value = serde_json::to_value(metadata).map_err(unreadable)?;
    if let Value::Object(members) = &mut value {
        for (name, value) in patch {
            if value.is_null() {
                members.remove(&name);
            } else {
                members.insert(name, value);
            }
        }
    }
    serde_json::from_value(value).map_err(unreadable)
}

/// The names of what differs between two registrations.
fn differences(one: &Client, other: &Client) -> Result<Vec<String>, Fault> {
    let members = |client: &Client| match serde_json::to_value(client) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Fault::Internal("a client is no object".to_owned())),
        Err(error) => Err(Fault::Internal(error.to_string())),
    };
    let (one, other) = (members(one)?, members(other)?);
    let mut names: Vec<String> = one.keys().chain(other.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| one.get(name) != other.get(name));
    Ok(names)
}
