//! The proxy hook: whether a request that a proxy holds back may pass to an API. It decides as
//! introspection does, and reads no row either; a proof of a key is spent (RFC 9449 §7).

use rules::audit::Kind;
use rules::protocol::{AccessRecord, ErrorCode, OAuthError, Scopes};

use super::Failure;
use super::introspect::standing;
use super::userinfo::{Presented, held};
use crate::app::App;

/// What is asked about a request.
pub struct Asked<'a> {
    /// The API that it is for, as it is registered.
    pub resource: &'a str,
    /// All that its token must allow.
    pub scopes: Scopes,
    /// Its access token, with what was proved beside it.
    pub presented: Presented<'a>,
}

/// Who may pass.
pub struct Verified {
    /// The token's record; its scopes and authorization details are those of the API alone.
    pub record: AccessRecord,
    /// A nonce for the caller's next proof, when it is time for one.
    pub next_nonce: Option<String>,
}

/// Whether the request may pass.
///
/// # Errors
/// `invalid_token` or `insufficient_scope` (RFC 6750 §3.1), `invalid_dpop_proof` or `use_dpop_nonce`
/// (RFC 9449 §7.1, §9); `invalid_target` for an API that is not
/// registered, which is a mistake in the proxy's configuration.
pub async fn verify(app: &App, asked: Asked<'_>) -> Result<Verified, Failure> {
    let standing = standing(app, asked.presented.token).await?;
    // Only now: a token that may be good was looked at when this node knew what the others changed.
    let registered = app.registry.now();
    let Some(resource) = registered.resource(asked.resource) else {
        return Err(OAuthError::new(
            ErrorCode::InvalidTarget,
            "the proxy asks for an API that is not registered; see countersign resource list",
        )
        .into());
    };
    let api = resource.client_id.as_str();
    let refuse = |reason, code, text: &str| {
        app.refusals
            .count(Kind::IntrospectionRefused, Some(api), reason);
        Failure::Refused(OAuthError::new(code, text).detail(reason))
    };
    let mut record = match standing {
        Ok(record) => record,
        Err(reason) => {
            let text = "the access token is unknown, expired or revoked; get a new one";
            return Err(refuse(reason, ErrorCode::InvalidToken, text));
        }
    };
    let own = resource.own(&record.scopes);
    let opened = record.details.opened(app.config.details.as_ref());
    let is_let_in = !own.is_empty() || opened.contains(&asked.resource);
    if !record.resources.iter().any(|uri| uri == asked.resource) || !is_let_in {
        let text = "the access token is not for this API; ask for one with its resource and scopes";
        return Err(refuse("not_its_own", ErrorCode::InvalidToken, text));
    }
    let Some(client) = registered.client(&record.client_id) else {
        let text = "the client behind the token is gone";
        return Err(refuse("client_gone", ErrorCode::InvalidToken, text));
    };
    // Before anything else is told of it: whoever does not hold what the token is bound to stole it.
    let next_nonce = held(app, &client, &record, asked.presented).await?;
    if !asked.scopes.is_subset(&own) {
        let text = "the access token does not allow this; ask for the scopes that are named";
        return Err(refuse(
            "insufficient_scope",
            ErrorCode::InsufficientScope,
            text,
        ));
    }
    app.first_uses.note(record.authorization, api);
    record.scopes = own;
    if !record.details.is_empty() {
        // RFC 9396 §9.2: each API sees those that are for it.
        let types = app.config.details.as_ref();
        record.details = record.details.good_for(&[asked.resource], types);
    }
    Ok(Verified { record, next_nonce })
}
