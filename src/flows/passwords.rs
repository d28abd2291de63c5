//! What a new password must be, wherever one is chosen.

use rules::identity::{Password, Weakness};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::fault::Fault;
use crate::hasher::Turn;
use crate::secret::Secret;
use crate::store::users::User;

/// Why a new password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The two that were typed differ.
    Differ,
    /// It is too weak.
    Weak(Weakness),
}

/// A password that was typed twice, when it is good enough for this person.
pub(super) async fn choose(
    app: &App,
    (user, turn): (&User, &Turn),
    typed: &Secret,
    repeated: &Secret,
) -> Result<Result<Password, Unfit>, Fault> {
    let password = Password::normalise(typed.expose());
    if !same(&password, &Password::normalise(repeated.expose())) {
        return Ok(Err(Unfit::Differ));
    }
    let judged = turn.judge(password.clone(), context(app, user));
    Ok(judged.await?.map(|()| password).map_err(Unfit::Weak))
}

/// Whether two passwords are one.
pub(super) fn same(one: &Password, other: &Password) -> bool {
    let (one, other) = (one.reveal().as_bytes(), other.reveal().as_bytes());
    one.ct_eq(other).into()
}

/// Words that make a password easy to guess for this person.
fn context(app: &App, user: &User) -> Vec<String> {
    let mut words = vec![
        app.config.institution.name.clone(),
        "countersign".to_owned(),
        user.profile.username.clone(),
    ];
    for claim in [
        "name",
        "given_name",
        "family_name",
        "nickname",
        "email",
        "birthdate",
    ] {
        let value = user
            .profile
            .claims
            .get(claim)
            .and_then(|value| value.as_str());
        words.extend(value.map(str::to_owned));
    }
    words
}
