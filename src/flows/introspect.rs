//! Introspection (RFC 7662). It reads no row: the token carries what is needed, and what was
//! revoked stands in memory.

use rules::audit::Kind;
use rules::protocol::{AccessRecord, Client, Resource};
use serde_json::{Map, Value};

use super::token_format::{read_access, sign};
use super::{Failure, follow};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::Secret;

/// What is told about a token that is not good, or not for the API that asks.
const INACTIVE: &str = "{\"active\":false}";

/// Answers an API that authenticated, in JSON. It learns about tokens for its own resources and
/// nothing about any other: all else is inactive (RFC 7662 §2.2).
pub async fn introspect(app: &App, api: &Client, token: &str) -> Result<String, Failure> {
    let inactive = |reason| {
        app.refusals
            .count(Kind::IntrospectionRefused, Some(&api.id), reason);
        INACTIVE.to_owned()
    };
    let mut record = match standing(app, token).await? {
        Ok(record) => record,
        Err(reason) => return Ok(inactive(reason)),
    };
    let registered = app.registry.now();
    // RFC 9396 §9.2: details are a reason of their own to be let in.
    let opened = record.details.opened(app.config.details.as_ref());
    let owns_some = |resource: &&Resource| {
        let owns_scope = || record.scopes.iter().any(|scope| resource.owns(scope));
        resource.client_id == api.id && (opened.contains(&resource.uri.as_str()) || owns_scope())
    };
    let named = record.resources.iter();
    let own: Vec<&Resource> = named
        .filter_map(|uri| registered.resource(uri))
        .filter(owns_some)
        .collect();
    if own.is_empty() {
        return Ok(inactive("not_its_own"));
    }
    let mut scopes = String::new();
    for scope in record.scopes.iter() {
        if own.iter().any(|resource| resource.owns(scope)) {
            if !scopes.is_empty() {
                scopes.push(' ');
            }
            scopes.push_str(scope);
        }
    }
    app.first_uses.note(record.authorization, &api.id);
    let resources: Vec<&str> = own.iter().map(|resource| resource.uri.as_str()).collect();
    if !record.details.is_empty() {
        // RFC 9396 §9.2: each API sees those that are for it.
        let types = app.config.details.as_ref();
        record.details = record.details.good_for(&resources, types);
    }
    record
        .introspection(app.config.issuer.as_str(), &resources, &scopes)
        .map_err(|error| Fault::Internal(error.to_string()).into())
}

/// The answer as a JWT for the API that asked (RFC 9701 §5).
pub async fn signed(app: &App, api: &Client, answer: &str) -> Result<Secret, Fault> {
    let answer: Value =
        serde_json::from_str(answer).map_err(|error| Fault::Internal(error.to_string()))?;
    let registered = api.metadata.introspection_signed_response_alg;
    let alg = registered.unwrap_or(api.profile.signing_alg());
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), app.config.issuer.as_str().into());
    claims.insert("aud".to_owned(), api.id.as_str().into());
    claims.insert("iat".to_owned(), app.clock.now().secs().into());
    claims.insert("token_introspection".to_owned(), answer);
    let typ = Some("token-introspection+jwt");
    sign(app, alg, typ, claims).await
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
    if !record.details.is_empty() {
        record.details = record.details.left_to(&client);
        if record.user.is_none() {
            record.details = record.details.left_alone(app.config.details.as_ref());
        }
    }
    Ok(Ok(record))
}
