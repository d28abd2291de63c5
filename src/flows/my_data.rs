//! What is stored about a person, for her to take along (GDPR Art. 15, 20): who she is, how she signs
//! in, where, what she granted, and what happened. Secrets are not in it, and neither are hashes of them.

use std::sync::Arc;

use rules::audit::Kind;
use rules::identity::KeyKind;
use rules::time::Timestamp;
use serde_json::{Value, json};

use super::activity::{self, By, Entry};
use super::fresh::{Demand, Fresh, Proved, after_proof};
use super::passkeys;
use crate::app::App;
use crate::fault::Fault;
use crate::store::grants::Grant;
use crate::store::sessions::Session;
use crate::store::upstream_links::Link;
use crate::store::users::User;
use crate::store::webauthn::Listed;
use crate::store::{Tx, factors, grants, sessions, upstream_links, webauthn};

/// How many things that happened are listed, at most: the newest.
const EVENTS: u32 = 5000;

/// All of it, as JSON, for a person who proves herself anew.
///
/// # Errors
/// [`Fault`].
pub async fn export(app: &Arc<App>, fresh: Fresh<'_>) -> Result<Proved<Value>, Fault> {
    let happened = activity::newest(app, &fresh.held, EVENTS).await?;
    after_proof(app, fresh, Demand::TwoFactors, move |tx, her| {
        Box::pin(async move {
            let data = gather(her.app, tx, &her.proven.user, &happened).await?;
            her.record(tx, her.event(Kind::DataExported)?)?;
            Ok(data)
        })
    })
    .await
}

async fn gather(app: &App, tx: &mut Tx, user: &User, happened: &[Entry]) -> Result<Value, Fault> {
    let now = app.clock.now();
    let since = now.minus(app.config.people.session_absolute);
    let kept = factors::kept(tx, user.id).await?;
    let keys = webauthn::of_user(tx, user.id, &user.keys).await?;
    let links = upstream_links::of_user(tx, user.id).await?;
    let sessions = sessions::of_user(tx, user.id, since).await?;
    let sessions = sessions.iter().map(|one| session(user, one));
    let grants = grants::of_user(tx, user.id).await?;
    Ok(json!({
        "issuer": app.config.issuer.as_str(),
        "made_at": date(now),
        "account": {
            "id": user.id.to_string(),
            "username": user.profile.username,
            "created_at": date(user.created_at),
            "close_asked_at": user.close_asked_at.map(date),
            "claims": user.profile.claims,
        },
        "factors": {
            "password": user.password.is_some(),
            "authenticator_app": kept.app.map(|(since, used)| json!({
                "connected_at": date(since),
                "last_used_at": used.map(date),
            })),
            "recovery_codes": kept.recovery.map(|(left, made)| json!({
                "left": left,
                "made_at": date(made),
            })),
            "passkeys": keys.iter().map(key).collect::<Vec<_>>(),
            "linked_sign_ins": links.iter().map(link).collect::<Vec<_>>(),
        },
        "sessions": sessions.collect::<Result<Vec<_>, Fault>>()?,
        "connected_apps": grants.iter().map(|one| grant(app, one)).collect::<Vec<_>>(),
        "activity": happened.iter().map(|one| entry(app, one)).collect::<Vec<_>>(),
    }))
}

fn key(key: &Listed) -> Value {
    json!({
        "name": key.name,
        "kind": match key.kind {
            KeyKind::Passkey => "passkey",
            KeyKind::SecurityKey => "security key",
        },
        "model": passkeys::model(key),
        "added_at": date(key.created_at),
        "last_used_at": key.used_at.map(date),
        "blocked": key.blocked,
    })
}

fn link(link: &Link) -> Value {
    json!({
        "provider": link.issuer,
        "linked_at": date(link.created_at),
        "last_used_at": link.used_at.map(date),
    })
}

fn session(user: &User, session: &Session) -> Result<Value, Fault> {
    Ok(json!({
        "id": session.id.to_string(),
        "browser": session.agent(&user.keys)?,
        "address": session.address(&user.keys)?,
        "signed_in_at": date(session.created_at),
        "last_seen_at": date(session.seen_at),
    }))
}

fn grant(app: &App, grant: &Grant) -> Value {
    json!({
        "client_id": grant.client_id,
        "name": name(app, &grant.client_id),
        "scope": grant.scopes.to_string(),
        "consented_at": date(grant.consented_at),
    })
}

fn entry(app: &App, entry: &Entry) -> Value {
    json!({
        "id": entry.id.to_string(),
        "at": date(entry.at),
        "what": entry.kind.as_str(),
        "by": match entry.by {
            By::Her => "you",
            By::Us => "us",
            By::Somebody => "somebody",
        },
        "app": entry.client.as_deref().map(|id| name(app, id)),
        "scope": entry.scope,
        "browser": entry.agent,
        "address": entry.address,
    })
}

fn name(app: &App, id: &str) -> String {
    let client = app.registry.client(id);
    client.map_or_else(|| id.to_owned(), |client| client.name.clone())
}

/// RFC 3339 in UTC, to the second.
fn date(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.secs())
        .map_or_else(|_| at.secs().to_string(), |at| at.to_string())
}
