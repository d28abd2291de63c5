//! A signed-in person changes her password: she proves herself anew, and every other browser of
//! hers is signed out.

use std::sync::Arc;

use rules::audit::Kind;
use rules::identity::{Password, Weakness};

use super::fresh::{Demand, Fresh, Proved, after_work_and_proof};
use super::judge::{Evidence, name_pool};
use super::passwords::{self, Unfit};
use crate::app::App;
use crate::fault::Fault;
use crate::secret::{Purpose, Secret, TokenHash};
use crate::store::{lockouts, recovery_renewals, sessions, users};

/// What is to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// The new password is too weak.
    Weak(Weakness),
    /// The two new passwords differ.
    Differ,
    /// The new password is the current one.
    Same,
}

/// Changes the password of a person who proves herself anew to `new`, which she typed twice; nothing is
/// looked at when that has to be mended first.
pub async fn change_password(
    app: &Arc<App>,
    fresh: Fresh<'_>,
    (new, repeat): (&Secret, &Secret),
) -> Result<Result<Proved<()>, Mend>, Fault> {
    let user = &fresh.held.user;
    let turn = app.hasher.turn(user.id).await?;
    let new = match passwords::choose(app, (user, &turn), new, repeat).await? {
        Ok(new) => new,
        Err(Unfit::Differ) => return Ok(Err(Mend::Differ)),
        Err(Unfit::Weak(weakness)) => return Ok(Err(Mend::Weak(weakness))),
    };
    // Compared with what was typed as the current one, so it tells nothing about the real one.
    if let Evidence::Typed(typed) = &fresh.evidence
        && passwords::same(&new, &Password::normalise(typed.password.expose()))
    {
        return Ok(Err(Mend::Same));
    }
    let hashing = async move { turn.hash(new).await };
    let device = fresh.device.as_deref();
    let device = device.map(|token| TokenHash::of(Purpose::Device, token));
    let proved = after_work_and_proof(
        app,
        fresh,
        Demand::StrongestNow,
        hashing,
        move |tx, her, hash| {
            Box::pin(async move {
                let (user, at) = (&her.proven.user, her.proven.at);
                users::change_password(tx, user.id, &hash, at).await?;
                lockouts::row_ends(tx, name_pool(her.app, &user.profile.username)).await?;
                let ended = her.end_others(tx).await?;
                let device = device.filter(|_| her.proven.knows_device);
                sessions::forget_devices(tx, user.id, device).await?;
                recovery_renewals::end_all(tx, user.id).await?;
                let event = her.event(Kind::PasswordChanged)?;
                her.record(tx, event.with("ended_sessions", ended))
            })
        },
    );
    proved.await.map(Ok)
}
