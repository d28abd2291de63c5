//! Resources, the institution's APIs, as an operator registers them (RFC 8707).

use std::collections::BTreeMap;

use rules::audit::{Actor, Kind};
use rules::identity::Acr;
use rules::protocol::resource::is_identifier;
use rules::protocol::scope::is_token;
use rules::protocol::target::OPENID_SCOPES;
use rules::protocol::{Client, Format, Resource, ScopeInfo};
use serde::{Deserialize, Serialize};

use super::{AdminFailure, Caller, changed_fields, follow};
use crate::app::App;
use crate::fault::Fault;
use crate::store::{clients, resources};
use crate::words::Lang;

/// How short an access token may live, in seconds.
const SHORTEST: u32 = 30;
/// How long, in seconds: what was revoked is remembered for as long as a token can live.
const LONGEST: u32 = 86_400;

/// Registers a resource, or replaces what is registered under its URI.
///
/// # Errors
/// [`AdminFailure::Refused`] when something of it does not fit.
pub async fn put(app: &App, resource: Resource, caller: &Caller) -> Result<(), AdminFailure> {
    save(app, resource, Over::Anything, caller).await
}

/// Registers a new resource.
///
/// # Errors
/// [`AdminFailure::Refused`] when its URI is taken or something of it does not fit.
pub async fn add(app: &App, resource: Resource, caller: &Caller) -> Result<(), AdminFailure> {
    save(app, resource, Over::Nothing, caller).await
}

/// Every resource, by URI.
///
/// # Errors
/// [`Fault`].
pub async fn list(app: &App) -> Result<Vec<Resource>, Fault> {
    app.store.read(|tx| Box::pin(resources::all(tx))).await
}

/// What is to change of a resource; `None` lets a thing stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceEdit {
    /// Its name.
    pub name: Option<String>,
    /// Its names in other languages, by tag; an empty one is taken away, others stay.
    pub names: BTreeMap<String, String>,
    /// Titles of scopes in other languages, by scope and tag; an empty one is taken away, others stay.
    pub scope_titles: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether nothing that can be asked of it moves money or changes anything.
    pub read_only: Option<bool>,
    /// The client that introspects tokens for it.
    pub client_id: Option<String>,
    /// Its scopes, all of them. One that was registered before keeps the titles of other languages and
    /// the detail that are not named.
    pub scopes: Option<Vec<ScopeInfo>>,
    /// What is required of people behind its tokens.
    pub require_acr: Option<Acr>,
    /// How its tokens look.
    pub token_format: Option<Format>,
    /// How long its access tokens live, in seconds.
    pub access_token_lifetime: Option<u32>,
}

/// A resource before and after a change.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it was.
    pub before: Resource,
    /// As it is.
    pub after: Resource,
}

/// Changes what is registered of a resource.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is none, the result does not fit, or somebody else changed it
/// at the same moment.
pub async fn set(
    app: &App,
    uri: &str,
    edit: ResourceEdit,
    caller: &Caller,
) -> Result<Changed, AdminFailure> {
    let all = list(app).await?;
    let before = all.into_iter().find(|one| one.uri == uri);
    let before = before.ok_or_else(|| unknown(uri))?;
    let mut was = before.clone();
    overlay(&mut was.names, edit.names);
    let mut scopes = match edit.scopes {
        None => was.scopes,
        Some(scopes) => kept(scopes, &was.scopes),
    };
    for (name, titles) in edit.scope_titles {
        let Some(scope) = scopes.iter_mut().find(|scope| scope.name == name) else {
            return Err(AdminFailure::Refused(format!(
                "a title is given for the scope {name}, which {uri} does not have; `countersign \
                 resource list` shows its scopes"
            )));
        };
        overlay(&mut scope.titles, titles);
    }
    let after = Resource {
        uri: was.uri,
        name: edit.name.unwrap_or(was.name),
        names: was.names,
        read_only: edit.read_only.unwrap_or(was.read_only),
        require_acr: edit.require_acr.or(was.require_acr),
        client_id: edit.client_id.unwrap_or(was.client_id),
        scopes,
        token_format: edit.token_format.unwrap_or(was.token_format),
        access_token_lifetime: edit
            .access_token_lifetime
            .unwrap_or(was.access_token_lifetime),
    };
    save(app, after.clone(), Over::This(before.clone()), caller).await?;
    Ok(Changed { before, after })
}

/// Puts texts over others; an empty one takes away what was there.
fn overlay(texts: &mut BTreeMap<String, String>, over: BTreeMap<String, String>) {
    for (tag, text) in over {
        if text.is_empty() {
            texts.remove(&tag);
        } else {
            texts.insert(tag, text);
        }
    }
}

/// Scopes that keep what was registered of them before and is not named now.
fn kept(scopes: Vec<ScopeInfo>, before: &[ScopeInfo]) -> Vec<ScopeInfo> {
    let keep = |mut scope: ScopeInfo| {
        if let Some(was) = before.iter().find(|was| was.name == scope.name) {
            for (tag, title) in &was.titles {
                let title = title.clone();
                scope.titles.entry(tag.clone()).or_insert(title);
            }
            scope.detail = scope.detail.or_else(|| was.detail.clone());
        }
        scope
    };
    scopes.into_iter().map(keep).collect()
}

/// Removes a resource: no API is told of its tokens any more, and nobody can ask for its scopes.
///
/// # Errors
/// [`AdminFailure::Refused`] when there is none.
pub async fn remove(app: &App, uri: &str, caller: &Caller) -> Result<(), AdminFailure> {
    let event = app.event(Kind::ResourceRemoved, caller)?;
    let event = event.by(Actor::Operator).resource(uri);
    let event = app.pending(event, caller, None)?;
    let (wanted, now) = (uri.to_owned(), app.clock.now());
    let removed = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                resources::lock(tx).await?;
                let removed = resources::remove(tx, &wanted, now).await?;
                if removed {
                    tx.record(event);
                }
                Ok(removed)
            })
        })
        .await?;
    // Also when it was gone already: this node may not have learned it then.
    follow::reload_registry(app).await?;
    if !removed {
        return Err(unknown(uri));
    }
    Ok(())
}

fn unknown(uri: &str) -> AdminFailure {
    AdminFailure::Refused(format!(
        "there is no resource {uri:?}; `countersign resource list` shows which there are"
    ))
}

/// What a resource may be written over.
enum Over {
    /// None of its URI is registered.
    Nothing,
    /// Whatever is.
    Anything,
    /// This one, as it was read.
    This(Resource),
}

impl Over {
    fn allows(&self, before: Option<&Resource>) -> Result<(), &'static str> {
        match (self, before) {
            (Self::Nothing, Some(_)) => Err(
                "is registered already; see it with `countersign resource list`, or replace it with \
                 --replace",
            ),
            (Self::This(read), Some(found)) if changed_fields(read, found).is_empty() => Ok(()),
            (Self::This(_), _) => Err("was changed at the same moment; look at it and try again"),
            _ => Ok(()),
        }
    }
}

async fn save(
    app: &App,
    resource: Resource,
    over: Over,
    caller: &Caller,
) -> Result<(), AdminFailure> {
    let named = |kind| {
        let event = app.event(kind, caller)?.by(Actor::Operator);
        let event = event
            .client(resource.client_id.as_str())
            .resource(resource.uri.as_str());
        app.pending(event, caller, None)
    };
    let (created, changed) = (named(Kind::ResourceCreated)?, named(Kind::ResourceChanged)?);
    let issuer = app.config.issuer.as_str().to_owned();
    let now = app.clock.now();
    let verdict = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Of two that claim one scope at once, the second sees the first.
                resources::lock(tx).await?;
                let known = resources::all(tx).await?;
                let owner = clients::find(tx, &resource.client_id).await?;
                if let Err(why) = check(&resource, &issuer, &known, owner.as_ref()) {
                    return Ok(Err(why));
                }
                let before = known.iter().find(|other| other.uri == resource.uri);
                if let Err(why) = over.allows(before) {
                    return Ok(Err(format!("the resource {} {why}", resource.uri)));
                }
                resources::put(tx, &resource, now).await?;
                tx.record(match before {
                    Some(before) => changed.changed(&changed_fields(before, &resource)),
                    None => created,
                });
                Ok(Ok(()))
            })
        })
        .await?;
    follow::reload_registry(app).await?;
    verdict.map_err(AdminFailure::Refused)
}

/// What is demanded of a resource beside the others that are `known`.
fn check(
    resource: &Resource,
    issuer: &str,
    known: &[Resource],
    owner: Option<&Client>,
) -> Result<(), String> {
    let uri = &resource.uri;
    if !is_identifier(uri) {
        return Err(format!(
            "the resource {uri:?} must be an absolute URI without a fragment, such as \
             https://api.bank.example/accounts (RFC 8707 section 2)"
        ));
    }
    if uri == issuer {
        return Err(format!(
            "the resource {uri} is this server itself; name the API's own URI"
        ));
    }
    readable("the resource's name", &resource.name)?;
    for (tag, name) in &resource.names {
        spoken(tag)?;
        readable(&format!("the resource's name in {tag}"), name)?;
    }
    match owner {
        None => {
            return Err(format!(
                "there is no client {0:?} to introspect tokens for {uri}; register it first with \
                 `countersign client add --id {0} --name … --grant none`",
                resource.client_id
            ));
        }
        Some(client) if client.removed_at.is_some() => {
            return Err(format!("the client {} was removed", client.id));
        }
        // RFC 7662 §2.1: the API must authenticate.
        Some(client) if !client.is_confidential() => {
            return Err(format!(
                "the client {} is public and cannot introspect; use one with a secret or keys",
                client.id
            ));
        }
        Some(_) => {}
    }
    let lifetime = resource.access_token_lifetime;
    if !(SHORTEST..=LONGEST).contains(&lifetime) {
        return Err(format!(
            "the lifetime of access tokens, {lifetime} seconds, must be between {SHORTEST} and {LONGEST}"
        ));
    }
    if resource.scopes.is_empty() {
        return Err(
            "a resource needs at least one scope: --scope 'accounts.read=See your accounts'"
                .to_owned(),
        );
    }
    check_scopes(resource, known)
}

fn check_scopes(resource: &Resource, known: &[Resource]) -> Result<(), String> {
    for (i, scope) in resource.scopes.iter().enumerate() {
        let name = scope.name.as_str();
        if !is_token(name) || name.len() > 100 {
            return Err(format!(
                "the scope {name:?} must be 1 to 100 characters without spaces, quotes and \
                 backslashes (RFC 6749 section 3.3)"
            ));
        }
        if OPENID_SCOPES.contains(&name) {
            return Err(format!(
                "the scope {name} belongs to OpenID Connect; choose another name"
            ));
        }
        if resource.scopes[..i].iter().any(|other| other.name == name) {
            return Err(format!("the scope {name} is named twice"));
        }
        let mut others = known.iter().filter(|other| other.uri != resource.uri);
        if let Some(other) = others.find(|other| other.owns(name)) {
            return Err(format!(
                "the scope {name} belongs to {} already; choose another name",
                other.uri
            ));
        }
        readable(&format!("the title of scope {name}"), &scope.title)?;
        for (tag, title) in &scope.titles {
            spoken(tag)?;
            readable(&format!("the title of scope {name} in {tag}"), title)?;
        }
        if let Some(detail) = &scope.detail {
            readable(&format!("the detail of scope {name}"), detail)?;
        }
    }
    Ok(())
}

/// A language that no page is in would never be read.
fn spoken(tag: &str) -> Result<(), String> {
    if Lang::ALL.iter().any(|lang| lang.tag() == tag) {
        return Ok(());
    }
    let spoken = Lang::ALL.map(Lang::tag).join(", ");
    Err(format!("the pages do not speak {tag:?}, only: {spoken}"))
}

/// People read this on the consent page.
fn readable(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() || text.len() > 300 || text.chars().any(char::is_control) {
        return Err(format!("{what} must be 1 to 300 bytes of readable text"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use rules::jose::Alg;
    use rules::protocol::{ClientAuth, Format, Metadata, Profile, ScopeInfo, Scopes};

    use super::*;

    const ISSUER: &str = "https://login.bank.example";

    fn scope(name: &str) -> ScopeInfo {
        ScopeInfo {
            name: name.to_owned(),
            title: "See your accounts".to_owned(),
            titles: BTreeMap::default(),
            detail: None,
            optional: false,
            require_acr: None,
        }
    }

    fn resource() -> Resource {
        Resource {
            uri: "https://api.bank.example/accounts".to_owned(),
            name: "Accounts".to_owned(),
            client_id: "accounts-api".to_owned(),
            scopes: vec![scope("accounts.read")],
            token_format: Format::Opaque,
            names: BTreeMap::default(),
            read_only: false,
            require_acr: None,
            access_token_lifetime: 300,
        }
    }

    fn owner() -> Client {
        Client {
            id: "accounts-api".to_owned(),
            name: "Accounts API".to_owned(),
            profile: Profile::default(),
            auth: ClientAuth::Secret { hashes: vec![] },
            redirect_uris: vec![],
            grant_types: vec![],
            scopes: Scopes::default(),
            id_token_signed_response_alg: Alg::Rs256,
            metadata: Metadata::default(),
            valid_from: None,
            disabled_at: None,
            removed_at: None,
        }
    }

    #[test]
    fn a_sound_resource_is_accepted_and_may_replace_itself() {
        check(&resource(), ISSUER, &[], Some(&owner())).unwrap();
        check(&resource(), ISSUER, &[resource()], Some(&owner())).unwrap();
    }

    #[test]
    fn each_mistake_is_named() {
        type Spoil = fn(&mut Resource);
        let cases: [(Spoil, &str); 9] = [
            (|r| r.uri = "/accounts".to_owned(), "absolute URI"),
            (|r| r.uri = ISSUER.to_owned(), "this server"),
            (|r| r.name = String::new(), "name"),
            (|r| r.access_token_lifetime = 29, "lifetime"),
            (|r| r.access_token_lifetime = 86_401, "lifetime"),
            (|r| r.scopes.clear(), "at least one scope"),
            (|r| r.scopes.push(scope("openid")), "OpenID Connect"),
            (|r| r.scopes.push(scope("accounts.read")), "twice"),
            (|r| r.scopes.push(scope("a b")), "RFC 6749"),
        ];
        for (spoil, word) in cases {
            let mut spoilt = resource();
            spoil(&mut spoilt);
            let refused = check(&spoilt, ISSUER, &[], Some(&owner())).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn a_scope_belongs_to_one_resource() {
        let other = Resource {
            uri: "https://api.bank.example/other".to_owned(),
            ..resource()
        };
        let refused = check(&resource(), ISSUER, &[other], Some(&owner())).unwrap_err();
        assert!(refused.contains("/other"), "{refused}");
    }

    #[test]
    fn the_owner_must_exist_and_authenticate() {
        assert!(
            check(&resource(), ISSUER, &[], None)
                .unwrap_err()
                .contains("client add")
        );
        let public = Client {
            auth: ClientAuth::None,
            ..owner()
        };
        let refused = check(&resource(), ISSUER, &[], Some(&public)).unwrap_err();
        assert!(refused.contains("public"), "{refused}");
    }
}
