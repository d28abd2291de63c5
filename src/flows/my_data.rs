//! What is stored about a person, for her to take along (GDPR Art. 15, 20): who she is, how she signs
//! in, where, what she granted, and what happened. Secrets are not in it, and neither are hashes of them.

use std::sync::Arc;

use rules::audit::Kind;
use rules::identity::KeyKind;
use rules::time::Timestamp;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::activity::{self, By, Entry};
use super::fresh::{Demand, Fresh, Proved, after_proof};
use super::passkeys;
use crate::app::App;
use crate::fault::Fault;
use crate::store::authorizations::Agreed;
use crate::store::grants::Grant;
use crate::store::sessions::Session;
use crate::store::upstream_links::Link;
use crate::store::users::User;
use crate::store::webauthn::Listed;
use crate::store::{
    Tx, authorizations, factors, grants, sessions, upstream_links, users, webauthn,
};

/// How many things that happened are listed, at most: the newest.
const EVENTS: u32 = 5000;
/// How many agreements beyond scopes are listed, at most: the newest.
const AGREEMENTS: u32 = 1000;

/// All of it, as JSON, for a person who proves herself anew. It is gathered when her proof is written down,
/// for one person at a time and on a thread where it keeps nobody waiting.
///
/// # Errors
/// [`Fault::Busy`] while somebody else's is gathered; any other [`Fault`].
pub async fn export(app: &Arc<App>, fresh: Fresh<'_>) -> Result<Proved<String>, Fault> {
    const BUSY: Fault = Fault::Busy("another person's data is being gathered");
    // Looked at before, so that no code is spent in vain.
    if app.exports.available_permits() == 0 {
        return Err(BUSY);
    }
    let user = fresh.held.user.id;
    let proved = after_proof(app, fresh, Demand::TwoFactors, |tx, her| {
        Box::pin(async move { her.record(tx, her.event(Kind::DataExported)?) })
    });
    let token = match proved.await?.without() {
        Ok(nothing) => return Ok(nothing),
        Err(((), token)) => token,
    };
    let turn = Arc::clone(&app.exports).acquire_owned().await;
    let turn = turn.map_err(|_| BUSY)?;
    let (app, runtime) = (Arc::clone(app), Handle::current());
    let gathered = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        runtime.block_on(gather(&app, user))
    });
    let data = gathered
        .await
        .map_err(|error| Fault::Internal(error.to_string()))??;
    Ok(Proved::Done(data, token))
}

async fn gather(app: &Arc<App>, id: Uuid) -> Result<String, Fault> {
    let of = Arc::clone(app);
    let read = app.store.read(move |tx| {
        Box::pin(async move {
            let Some(user) = users::find(tx, id).await? else {
                return Err(Fault::Internal("an account is gone".to_owned()));
            };
            whole(&of, tx, &user).await
        })
    });
    Ok(format!("{:#}\n", read.await?))
}

async fn whole(app: &App, tx: &mut Tx, user: &User) -> Result<Value, Fault> {
    let now = app.clock.now();
    let since = now.minus(app.config.people.session_absolute);
    let happened = activity::of(app, tx, user, EVENTS).await?;
    let kept = factors::kept(tx, user.id).await?;
    let keys = webauthn::of_user(tx, user.id, &user.keys).await?;
    let links = upstream_links::of_user(tx, user.id).await?;
    let sessions = sessions::of_user(tx, user.id, since).await?;
    let grants = grants::of_user(tx, user.id).await?;
    let agreed = authorizations::agreed(tx, user.id, AGREEMENTS).await?;
    let cut = [
        ("sessions", sessions.len(), sessions::LISTED),
        ("connected_apps", grants.len(), grants::LISTED),
        ("agreements", agreed.len(), AGREEMENTS as usize),
        ("activity", happened.len(), EVENTS as usize),
    ];
    let cut = cut.iter().filter(|(_, found, most)| found >= most);
    let sessions = sessions.iter().map(|one| session(user, one));
    let former = user.profile.lately(now);
    let former = former.map(|one| json!({ "address": one.address, "until": date(one.until) }));
    Ok(json!({
        "issuer": app.config.issuer.as_str(),
        "made_at": date(now),
        // What there is more of than is listed: the newest are.
        "cut": cut.map(|(name, ..)| *name).collect::<Vec<_>>(),
        "account": {
            "id": user.id.to_string(),
            "username": user.profile.username,
            "created_at": date(user.created_at),
            "close_asked_at": user.close_asked_at.map(date),
            "claims": user.profile.claims,
            "former_addresses": former.collect::<Vec<_>>(),
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
        "agreements": agreed.iter().map(|one| agreement(app, one)).collect::<Vec<_>>(),
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
        "resources": grant.resources,
        "claims": grant.claims,
        "connected_at": date(grant.created_at),
        "consented_at": date(grant.consented_at),
    })
}

fn agreement(app: &App, agreed: &Agreed) -> Value {
    json!({
        "client_id": agreed.client_id,
        "name": name(app, &agreed.client_id),
        "agreed_at": date(agreed.at),
        "good_until": date(agreed.expires_at),
        "claims": agreed.claims,
        "authorization_details": agreed.details,
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
