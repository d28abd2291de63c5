//! Introspection (RFC 7662). It reads no row: the token carries what is needed, and what was
//! revoked stands in memory.

use rules::audit::Kind;
use rules::protocol::{AccessRecord, Client, Scopes};
use serde_json::{Value, json};

use super::token_format::read_access;
use super::{Failure, follow};
use crate::app::App;

/// Answers an API that authenticated. It learns about tokens for its own resources and nothing
/// about any other: all else is inactive (RFC 7662 §2.2).
pub async fn introspect(app: &App, api: &Client, token: &str) -> Result<Value, Failure> {
    let inactive = |reason| {
        app.refusals
            .count(Kind::IntrospectionRefused, Some(&api.id), reason);
        json!({ "active": false })
    };
    let record = match standing(app, token).await? {
        Ok(record) => record,
        Err(reason) => return Ok(inactive(reason)),
    };
    let registered = app.registry.now();
    let mut resources = Vec::new();
    let mut scopes = Scopes::default();
    for uri in &record.resources {
        match registered.resource(uri) {
            Some(resource) if resource.client_id == api.id => {
                let own = resource.own(&record.scopes);
                if !own.is_empty() {
                    scopes = scopes.union(&own);
                    resources.push(uri.clone());
                }
            }
            _ => {}
        }
    }
    if resources.is_empty() {
        return Ok(inactive("not_its_own"));
    }
    app.first_uses
        .note(record.authorization, &api.id, app.clock.now());
    Ok(record.introspection(app.config.issuer.as_str(), &resources, &scopes))
}

/// The record of an access token that is good now, or why it is not, as a stable word.
pub async fn standing(
    app: &App,
    token: &str,
) -> Result<Result<AccessRecord, &'static str>, Failure> {
    let Some(mut record) = read_access(app, token)? else {
        return Ok(Err("unknown"));
    };
    follow::fresh(app).await?;
    if app.clock.now() >= record.expires_at {
        return Ok(Err("expired"));
    }
    if !app.store.revocations().spare(&record) {
        return Ok(Err("revoked"));
    }
    let Some(client) = app.registry.client(&record.client_id) else {
        return Ok(Err("client_disabled"));
    };
    // What was taken from the client's registration since is taken from its tokens.
    if !record.scopes.is_subset(&client.scopes) {
        record.scopes = record.scopes.intersection(&client.scopes);
    }
    Ok(Ok(record))
}
