//! Userinfo (OpenID Connect Core §5.3).

use rules::protocol::{AccessRecord, ErrorCode, OAuthError, claims};
use serde_json::Value;

use super::introspect::standing;
use super::{Failure, limit};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::Whose;
use crate::store::users::{self, UserState};

/// Whether the token is good here: one for an API alone is not (RFC 9068 §4).
fn for_us(record: &AccessRecord, app: &App) -> bool {
    let issuer = app.config.issuer.as_str();
    record.resources.iter().any(|uri| uri == issuer)
}

/// What the token's scopes let the client know about the person.
pub async fn userinfo(app: &App, token: &str) -> Result<Value, Failure> {
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
    let found = app
        .store
        .read(move |tx| Box::pin(async move { users::find(tx, user).await }))
        .await?;
    let Some(user) = found.filter(|user| user.state == UserState::Active) else {
        return Err(invalid("the account behind the token is gone").into());
    };
    let mut told = claims::granted(&user.profile.claims, &record.scopes);
    told.insert("sub".to_owned(), record.subject.into());
    Ok(Value::Object(told))
}
