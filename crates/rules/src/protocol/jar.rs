//! Request objects: authorization requests that the client signed (RFC 9101, FAPI 2.0 Message
//! Signing §5.3). They are taken where requests are pushed (RFC 9126 §3).

use std::slice;
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::Client;
use super::error::{ErrorCode, OAuthError};
use super::params::Params;
use super::{fapi2, numeric_date};
use crate::jose::jwe::Decrypted;
use crate::jose::{Alg, Verified, printable};
use crate::time::Timestamp;

/// How far ahead of this server's clock `nbf` and `iat` may lie (FAPI 2.0 Security Profile
/// §5.3.2.1).
const CLOCK_LEEWAY: Duration = Duration::from_secs(10);

/// How long a request object may be good, and how long ago that may have begun (FAPI 2.0 Message
/// Signing §5.3.1).
const LONGEST: Duration = Duration::from_hours(1);

/// Claims of the JWT itself, which are no parameters.
const OF_THE_JWT: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// What a client may sign its requests with.
#[must_use]
pub fn algs(client: &Client) -> &[Alg] {
    match &client.metadata.request_object_signing_alg {
        Some(alg) => slice::from_ref(alg),
        None => &fapi2::ALGS,
    }
}

/// Reads a request object of a client that authenticated, verified with one of its [`algs`], and gives
/// the parameters in it: what stands beside it counts for nothing (RFC 9101 §6.3).
///
/// # Errors
/// `invalid_request_object`.
pub fn read(
    verified: Verified,
    client: &Client,
    issuer: &str,
    now: Timestamp,
) -> Result<Params, OAuthError> {
    check_typ(verified.header.typ.as_deref())?;
    let claims = verified.payload;
    check_claims(&claims, client, issuer)?;
    check_times(&claims, now)?;
    parameters(&claims)
}

/// What is inside of an encrypted one: signed first (RFC 9101 §6.1). Nothing that stands in it is told,
/// because whoever sends it need not be the one who made it.
///
/// # Errors
/// `invalid_request_object`.
pub fn inside(opened: Decrypted, client: &Client) -> Result<String, OAuthError> {
    let registered = client.metadata.request_object_encryption();
    if let Some((alg, enc)) = registered.filter(|only| *only != (opened.alg, opened.enc)) {
        return Err(invalid(&format!(
            "this client is registered to encrypt by {alg} with {enc}"
        )));
    }
    let told = check_typ(opened.cty.as_deref());
    told.map_err(|_| invalid("cty must be JWT, which is what is inside"))?;
    String::from_utf8(opened.plaintext).map_err(|_| not_signed_inside())
}

/// What is inside is not what the client signed.
#[must_use]
pub fn not_signed_inside() -> OAuthError {
    invalid("what is encrypted must be a JWT that is signed with a registered key of this client")
}

/// RFC 9101 §10.8.1: `oauth-authz-req+jwt`, when it says what it is; `JWT` says nothing.
fn check_typ(typ: Option<&str>) -> Result<(), OAuthError> {
    let Some(typ) = typ else { return Ok(()) };
    let lower = typ.to_ascii_lowercase();
    match lower.strip_prefix("application/").unwrap_or(&lower) {
        "oauth-authz-req+jwt" | "jwt" => Ok(()),
        _ => Err(invalid(&format!(
            "typ is {}; it must be oauth-authz-req+jwt",
            printable(typ)
        ))),
    }
}

fn check_claims(
    claims: &Map<String, Value>,
    client: &Client,
    issuer: &str,
) -> Result<(), OAuthError> {
    for name in ["iss", "client_id"] {
        if claims.get(name).and_then(Value::as_str) != Some(client.id.as_str()) {
            return Err(invalid(&format!("{name} must be the client_id")));
        }
    }
    // RFC 9101 §10.8.2: an assertion that authenticates the client is no request.
    if claims.get("sub").and_then(Value::as_str) == Some(client.id.as_str()) {
        return Err(invalid("sub must not be the client_id"));
    }
    // FAPI 2.0 Message Signing §5.3.1 (2): it names this server, alone or among others.
    let named = match claims.get("aud") {
        Some(Value::String(one)) => one == issuer,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(issuer)),
        _ => false,
    };
    if !named {
        return Err(invalid(&format!(
            "aud must be this server's issuer identifier, {issuer}"
        )));
    }
    // RFC 9101 §4: never one inside another.
    match ["request", "request_uri"]
        .into_iter()
        .find(|name| claims.contains_key(*name))
    {
        Some(name) => Err(invalid(&format!("{name} cannot stand inside"))),
        None => Ok(()),
    }
}

/// FAPI 2.0 Message Signing §5.3.1 (3), (4).
fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), OAuthError> {
    let time = |name: &str| {
        claims
            .get(name)
            .map(|value| {
                numeric_date::read(value).ok_or_else(|| {
                    invalid(&format!("{name} must be a number of seconds since 1970"))
                })
            })
            .transpose()
    };
    let missing = |name: &str| invalid(&format!("{name} is missing"));
    let exp = time("exp")?.ok_or_else(|| missing("exp"))?;
    let nbf = time("nbf")?.ok_or_else(|| missing("nbf"))?;
    if exp <= now {
        return Err(invalid(
            "it has expired; sign a new one for each request, and check the client's clock",
        ));
    }
    if now.since(nbf) > LONGEST {
        return Err(invalid("nbf is more than 60 minutes ago"));
    }
    if exp.since(nbf) > LONGEST {
        return Err(invalid("exp is more than 60 minutes after nbf"));
    }
    let ahead = |at: Timestamp| at.since(now) > CLOCK_LEEWAY;
    if ahead(nbf) || time("iat")?.is_some_and(ahead) {
        return Err(invalid(
            "nbf or iat is ahead of this server's clock; check the client's clock",
        ));
    }
    Ok(())
}

/// The parameters, as a form would have them.
fn parameters(claims: &Map<String, Value>) -> Result<Params, OAuthError> {
    let mut pairs = Vec::new();
    for (name, value) in claims {
        if OF_THE_JWT.contains(&name.as_str()) {
            continue;
        }
        match value {
            Value::Null => {}
            Value::String(text) => pairs.push((name.as_str(), text.clone())),
            // RFC 8707 §2 in a request object.
            Value::Array(many) if name == "resource" => {
                for one in many {
                    let one = one
                        .as_str()
                        .ok_or_else(|| invalid("resource must be a string or a list of them"))?;
                    pairs.push((name.as_str(), one.to_owned()));
                }
            }
            // OpenID Connect Core §6.1: numbers and objects are themselves there.
            other => pairs.push((name.as_str(), other.to_string())),
        }
    }
    Params::from_pairs(pairs).map_err(|error| invalid(&error.description))
}

/// `invalid_request_object`, and why.
#[must_use]
pub fn invalid(why: &str) -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidRequestObject,
        format!("the request object: {why}"),
    )
    .about("request-object")
}

#[cfg(test)]
mod tests;
