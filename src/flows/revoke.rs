//! Revocation (RFC 7009).

use std::sync::Arc;

use rules::audit::Kind;
use rules::protocol::{AccessRecord, Client, OAuthError};

use super::token_format::{RefreshToken, read_access};
use super::{Caller, Failure};
use crate::app::App;
use crate::config::Lifetimes;
use crate::store::feed::What;
use crate::store::{authorizations, refresh};

/// Revokes a token of the client. A refresh token takes everything of its authorization along; an
/// unknown token is none to worry about (RFC 7009 §2.2).
pub async fn revoke(
    app: &Arc<App>,
    client: &Client,
    token: &str,
    caller: &Caller,
) -> Result<(), Failure> {
    if let Some(record) = read_access(app, token)? {
        if record.client_id != client.id {
            return Err(not_its_own(app, client).into());
        }
        if app.clock.now() < record.expires_at && app.store.revocations().spare(&record) {
            revoke_access(app, client, &record, caller).await?;
        }
        return Ok(());
    }
    match RefreshToken::parse(token) {
        Some(token) => revoke_refresh(app, client, token, caller).await,
        None => Ok(()),
    }
}

async fn revoke_access(
    app: &App,
    client: &Client,
    record: &AccessRecord,
    caller: &Caller,
) -> Result<(), Failure> {
    let event = app
        .event_by_client(Kind::TokenRevoked, client, caller)?
        .authorization(record.authorization)
        .with("token_type", "access_token");
    let event = app.pending(event, caller, None)?;
    // Everybody forgets it when the token itself ends, and not a longest lifetime from now: of
    // tokens that are made and revoked all day, few are remembered.
    let id = record.id;
    let at = record.expires_at.minus(Lifetimes::LONGEST_ACCESS_TOKEN);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.announce(What::Token(id), at);
                tx.record(event);
                Ok(())
            })
        })
        .await?;
    Ok(())
}

async fn revoke_refresh(
    app: &Arc<App>,
    client: &Client,
    token: RefreshToken,
    caller: &Caller,
) -> Result<(), Failure> {
    let event = app
        .event_by_client(Kind::TokenRevoked, client, caller)?
        .with("token_type", "refresh_token");
    let now = app.clock.now();
    let (client_id, caller, revoking) = (client.id.clone(), caller.clone(), Arc::clone(app));
    let own = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let Some(standing) = refresh::find(tx, token.family).await? else {
                    return Ok(true);
                };
                if !token.is_authentic(&standing.secret) {
                    return Ok(true);
                }
                let authorization = standing.authorization;
                if authorization.client_id != client_id {
                    return Ok(false);
                }
                if authorizations::revoke(tx, authorization.id, now).await? {
                    let event = super::about(event, &authorization);
                    tx.record(revoking.pending(event, &caller, None)?);
                }
                Ok(true)
            })
        })
        .await?;
    if own {
        return Ok(());
    }
    Err(not_its_own(app, client).into())
}

/// RFC 7009 §2.1: the request is refused when the token was issued to another client.
fn not_its_own(app: &App, client: &Client) -> OAuthError {
    app.refusals.count(
        Kind::TokenRefused,
        Some(&client.id),
        "revocation_not_its_own",
    );
    OAuthError::invalid_grant(
        "this token was issued to another client; only that one may revoke it",
    )
    .about("other-client")
}
