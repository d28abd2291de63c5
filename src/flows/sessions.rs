//! Who is signed in in a browser.

use std::time::Duration;

use rules::audit::{Actor, Kind};
use rules::identity::session;
use uuid::Uuid;

use super::Caller;
use crate::app::App;
use crate::fault::Fault;
use crate::secret::{Purpose, TokenHash};
pub use crate::store::sessions::Session as SessionInfo;
use crate::store::sessions::{self, Session};
use crate::store::users::{self, User, UserState};

/// A session is noted as used at most this often.
const TOUCH_EVERY: Duration = Duration::from_secs(30);

/// A live session and its person.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
}

/// The live session that a browser holds. Looking counts as using it.
pub async fn current(app: &App, token: Option<&str>) -> Result<Option<SignedIn>, Fault> {
    let Some(held) = held(app, token).await?.filter(|found| is_live(app, found)) else {
        return Ok(None);
    };
    let now = app.clock.now();
    if now.since(held.session.seen_at) >= TOUCH_EVERY {
        let id = held.session.id;
        app.store
            .write(move |tx| Box::pin(async move { sessions::touch(tx, id, now).await }))
            .await?;
    }
    Ok(Some(held))
}

/// The live session that a browser holds, when its account pages were not left alone for too long
/// (PSD2 RTS Art. 4(3)(d)). Looking counts as using them; nothing but a new sign-in brings them back.
pub async fn at_account(app: &App, token: Option<&str>) -> Result<Option<SignedIn>, Fault> {
    let held = held(app, token).await?;
    let Some(held) = held.filter(|found| is_live(app, found)) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let seen = held.session.account_seen_at;
    if now.since(seen) >= app.config.people.account_idle {
        return Ok(None);
    }
    if now > seen {
        let id = held.session.id;
        app.store
            .write(move |tx| Box::pin(async move { sessions::touch_account(tx, id, now).await }))
            .await?;
    }
    Ok(Some(held))
}

/// The session that a browser holds, even when it stood unused for too long: it can still be ended.
pub async fn held(app: &App, token: Option<&str>) -> Result<Option<SignedIn>, Fault> {
    let Some(token) = token else {
        return Ok(None);
    };
    let hash = TokenHash::of(Purpose::Session, token);
    app.store
        .read(move |tx| {
            Box::pin(async move {
                let Some(session) = sessions::find(tx, hash).await? else {
                    return Ok(None);
                };
                let user = users::find(tx, session.user_id).await?;
                Ok(user.map(|user| SignedIn { session, user }))
            })
        })
        .await
}

/// Whether a session may still be used: neither its time nor its account is over.
pub(super) fn is_live(app: &App, found: &SignedIn) -> bool {
    let people = &app.config.people;
    let liveness = session::end_of(
        app.clock.now(),
        found.session.seen_at,
        found.session.created_at,
        people.session_idle,
        people.session_absolute,
    );
    let valid = found.session.created_at > found.user.valid_from;
    liveness.is_live() && valid && found.user.state == UserState::Active
}

/// Ends one of a person's sessions; she asked for it.
pub async fn end(
    app: &App,
    signed_in: &SignedIn,
    id: Uuid,
    caller: &Caller,
) -> Result<bool, Fault> {
    let user = signed_in.user.id;
    let event = app
        .event(Kind::SessionEnded, caller)?
        .by(Actor::User(user))
        .subject(user)
        .session(id);
    let event = app.pending(event, caller, Some(&signed_in.user.keys))?;
    let now = app.clock.now();
    let ended = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let ended = sessions::end(tx, id, user, now).await?;
                if ended {
                    tx.record(event);
                }
                Ok(ended)
            })
        })
        .await?;
    Ok(ended)
}

/// Ends every session of a person, this one too; she asked for it. False when this one had ended.
pub async fn end_everywhere(
    app: &App,
    signed_in: &SignedIn,
    caller: &Caller,
) -> Result<bool, Fault> {
    let (user, session) = (signed_in.user.id, signed_in.session.id);
    let event = app
        .event(Kind::SessionEnded, caller)?
        .by(Actor::User(user))
        .subject(user);
    let event = app.pending(event, caller, Some(&signed_in.user.keys))?;
    let now = app.clock.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if !users::lock(tx, user).await? || !sessions::hold(tx, session).await? {
                    return Ok(false);
                }
                let ended = sessions::end_others(tx, user, None, now).await?;
                let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
                tx.record(event.with("ended_sessions", ended));
                Ok(true)
            })
        })
        .await
}
