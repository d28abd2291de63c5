//! A signed-in person binds another authenticator app in the place of the one she has, or a first one:
//! she proves herself anew, is shown a key, and types a code of it. Until then the old one counts.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rules::audit::{Actor, Kind};
use rules::identity::TypedCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::Caller;
use super::fresh::{Demand, Fresh, Proved, after_proof};
use super::sessions::SignedIn;
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
use crate::store::{factors, recovery_renewals, sessions, users};
use crate::totp;

const PURPOSE: &str = "app";

/// A key that waits for its first code. It lies sealed in the database.
#[derive(Serialize, Deserialize)]
struct Waiting {
    secret: String,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// How the first code was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The new app counts, and the old one is worth nothing.
    Done,
    /// That was not its code; it still waits.
    WrongCode,
    /// Nothing waits (any more).
    Gone,
}

/// Makes a key for a person who proves herself anew.
///
/// # Errors
/// [`Fault`].
pub async fn begin(app: &Arc<App>, fresh: Fresh<'_>) -> Result<Proved<()>, Fault> {
    let waiting = Waiting {
        secret: STANDARD.encode(totp::new_secret()?.as_slice()),
    };
    after_proof(app, fresh, Demand::Strongest, move |tx, her| {
        Box::pin(async move {
            let holder = holder(her.session);
            ceremonies::end(tx, holder, PURPOSE).await?;
            let ceremony = Ceremony {
                id: rng::uuid(her.proven.at)?,
                holder,
                purpose: PURPOSE,
            };
            let until = her.proven.at.plus(Lifetimes::RECOVERY_CODES);
            ceremonies::begin(tx, ceremony, &waiting, until).await?;
            her.record(tx, her.event(Kind::ConfirmationSucceeded)?)
        })
    })
    .await
}

/// The key that waits in this session.
///
/// # Errors
/// [`Fault`].
pub async fn waiting(app: &App, held: &SignedIn) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    let found = find(app, held).await?;
    Ok(found.map(|(_, secret)| secret))
}

/// Binds the app whose code is typed. Her other sessions end.
///
/// # Errors
/// [`Fault`].
pub async fn confirm(
    app: &App,
    held: &SignedIn,
    typed: &str,
    caller: &Caller,
) -> Result<Bound, Fault> {
    let Some((id, secret)) = find(app, held).await? else {
        return Ok(Bound::Gone);
    };
    let now = app.clock.now();
    let step = match TypedCode::parse(typed) {
        Some(TypedCode::Totp(code)) => totp::matched_step(&secret, code.as_str(), now),
        _ => None,
    };
    let Some(step) = step else {
        return Ok(Bound::WrongCode);
    };
    let (user, session) = (held.user.id, held.session.id);
    let event = app
        .event(Kind::AppReplaced, caller)?
        .by(Actor::User(user))
        .subject(user)
        .session(session);
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    let ceremony = Ceremony {
        id,
        holder: holder(session),
        purpose: PURPOSE,
    };
    app.store
        .write(move |tx| {
            Box::pin(async move {
                // What ended the account or the session meanwhile ended this too.
                if !users::lock(tx, user).await?
                    || !sessions::hold(tx, session).await?
                    || ceremonies::take::<Waiting>(tx, ceremony, now)
                        .await?
                        .is_none()
                {
                    return Ok(Bound::Gone);
                }
                factors::replace_totp(tx, user, &secret, step, now).await?;
                let ended = sessions::end_others(tx, user, Some(session), now).await?;
                recovery_renewals::end_all(tx, user).await?;
                let ended: Vec<_> = ended.iter().map(Uuid::to_string).collect();
                tx.record(event.with("ended_sessions", ended));
                Ok(Bound::Done)
            })
        })
        .await
}

async fn find(app: &App, held: &SignedIn) -> Result<Option<(Uuid, Zeroizing<Vec<u8>>)>, Fault> {
    let (holder, now) = (holder(held.session.id), app.clock.now());
    let found = app
        .store
        .read(move |tx| Box::pin(ceremonies::waiting::<Waiting>(tx, holder, PURPOSE, now)))
        .await?;
    found
        .map(|(id, waiting)| {
            let secret = STANDARD
                .decode(&waiting.secret)
                .map_err(|_| Fault::Unreadable("webauthn_ceremonies.state".to_owned()))?;
            Ok((id, Zeroizing::new(secret)))
        })
        .transpose()
}

/// A session's hold on the key that waits.
fn holder(session: Uuid) -> TokenHash {
    TokenHash::of(Purpose::Ceremony, &format!("app {session}"))
}
