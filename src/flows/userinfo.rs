//! Userinfo (OpenID Connect Core §5.3).

use rules::protocol::{AccessRecord, Client, ErrorCode, OAuthError, claims, claims_request};
use serde_json::{Map, Value};

use super::introspect::standing;
use super::token_format::sign;
use super::{Failure, limit};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::Whose;
use crate::secret::Secret;
use crate::store::authorizations;
use crate::store::users::{self, UserState};

/// What is told, as the client registered for it.
pub enum Told {
    /// Plain JSON.
    Json(Value),
    /// A signed JWT (`userinfo_signed_response_alg`).
    Jwt(Secret),
}

/// Whether the token is good here: one for an API alone is not (RFC 9068 §4).
fn for_us(record: &AccessRecord, app: &App) -> bool {
    let issuer = app.config.issuer.as_str();
    record.resources.iter().any(|uri| uri == issuer)
}

/// What the token's scopes, and the claims asked for one by one, let the client know about the
/// person.
pub async fn userinfo(app: &App, token: &str) -> Result<Told, Failure> {
    let invalid = |why| OAuthError::new(ErrorCode::InvalidToken, why);
    let record = standing(app, token).await?.map_err(|reason| {
        invalid("the access token is unknown, expired or revoked; get a new one").detail(reason)
    })?;
    limit::take(app, Limit::UserinfoPerToken, Whose::Token(record.id))?;
    let user = match record.user {
        Some(user) if record.scopes.contains("openid") && for_us(&record, app) => user,
        _ => {
            return Err(Failure::Refused(OAuthError::new(
                ErrorCode::InsufficientScope,
                "the access token has no openid scope",
            )));
        }
    };
    let authorization = record.authorization;
    let (found, asked) = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let found = users::find(tx, user).await?;
                Ok((found, authorizations::claims(tx, authorization).await?))
            })
        })
        .await?;
    let Some(user) = found.filter(|user| user.state == UserState::Active) else {
        return Err(invalid("the account behind the token is gone").into());
    };
    let client = app.registry.client(&record.client_id);
    let client = client.ok_or_else(|| invalid("the client behind the token is gone"))?;
    let known = &user.profile.claims;
    let mut told = claims::granted(known, &record.scopes);
    let asked = asked.left_to(&client);
    told.extend(claims_request::told(known, &asked.userinfo));
    told.insert("sub".to_owned(), record.subject.clone().into());
    as_registered(app, &client, told).await
}

/// OpenID Connect Core §5.3.2: signed answers name issuer and client.
async fn as_registered(
    app: &App,
    client: &Client,
    mut told: Map<String, Value>,
) -> Result<Told, Failure> {
    let Some(alg) = client.metadata.userinfo_signed_response_alg else {
        return Ok(Told::Json(Value::Object(told)));
    };
    told.insert("iss".to_owned(), app.config.issuer.as_str().into());
    told.insert("aud".to_owned(), client.id.clone().into());
    Ok(Told::Jwt(sign(app, alg, None, told).await?))
}
