//! Activation: an invitation opens one ceremony in one browser, which binds password, authenticator
//! app and recovery codes at once. Until its end nothing of it counts.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rules::audit::{Actor, Kind};
use rules::identity::{KeyKind, TypedCode, Weakness};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::epochs::{self, Whose};
use super::judge::name_pool;
use super::passwords::{self, Unfit};
use super::recovery_set::RecoverySet;
use super::webauthn::register::{self, Made, Registering};
use super::{Caller, passkeys, send_mail};
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::hasher::Turn;
use crate::rng;
use crate::secret::{Purpose, Secret, Token, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
use crate::store::feed::EPOCH_MARGIN;
use crate::store::invites::{self, Activation};
use crate::store::users::{self, User, UserState};
use crate::store::{Tx, factors, grants, lockouts, recovery_renewals, reproofs, sessions};
use crate::totp;

/// How far a ceremony got. It lies sealed in the database.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// The password is chosen.
    Password,
    /// The authenticator app is bound.
    Factor { password: String, secret: String },
    /// The same, after a passkey.
    KeyCodes {
        password: String,
        made: Box<Made>,
        #[serde(flatten)]
        set: RecoverySet,
    },
    /// The recovery codes are saved.
    Codes {
        password: String,
        secret: String,
        step: i64,
        #[serde(flatten)]
        set: RecoverySet,
    },
}

impl Drop for Stage {
    fn drop(&mut self) {
        match self {
            Self::Password => {}
            Self::KeyCodes { password, .. } => password.zeroize(),
            Self::Factor { password, secret }
            | Self::Codes {
                password, secret, ..
            } => {
                password.zeroize();
                secret.zeroize();
            }
        }
    }
}

/// What the person sees next.
pub enum View {
    /// Choose a password.
    Password {
        /// What she signs in with.
        username: String,
    },
    /// Bind an authenticator app.
    Factor {
        /// What she signs in with.
        username: String,
        /// The shared secret.
        secret: Zeroizing<Vec<u8>>,
    },
    /// Save the recovery codes.
    Codes {
        /// What she signs in with.
        username: String,
        /// The codes, in groups.
        codes: Vec<String>,
        /// Which one she types to show that she has them, from 1.
        asked: usize,
    },
}

/// How a step ended.
pub enum Stepped {
    /// On to the next.
    Next,
    /// The account is usable.
    Done,
    /// Something to mend; the step stays.
    Mend(Mend),
    /// There is no such ceremony, or its invitation is over.
    Gone,
}

/// What is to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// The password is too weak.
    Weak(Weakness),
    /// The two passwords differ.
    Differ,
    /// The code is not the app's code of now.
    WrongCode,
    /// The passkey is not what was asked for.
    PasskeyNotTaken,
    /// This is not the recovery code that was asked for.
    WrongRecovery,
}

/// An invitation that can be used, for the page that greets.
pub struct Greeting {
    /// What to call her.
    pub name: String,
    /// From when on the invitation is worth nothing.
    pub expires_at: Timestamp,
}

/// Looks at an invitation; nothing is spent, so a link preloader does no harm.
pub async fn greet(app: &App, invite: &str) -> Result<Option<Greeting>, Fault> {
    let hash = TokenHash::of(Purpose::Invite, invite);
    let Some((user, expires_at)) = usable(app, hash).await? else {
        return Ok(None);
    };
    let name = user.profile.display_name().to_owned();
    Ok(Some(Greeting { name, expires_at }))
}

/// Opens a ceremony in this browser.
pub async fn begin(app: &App, invite: &str) -> Result<Option<Token>, Fault> {
    let hash = TokenHash::of(Purpose::Invite, invite);
    let Some((user, _)) = usable(app, hash).await? else {
        return Ok(None);
    };
    let token = Token::generate(Purpose::Activation)?;
    let (held, user) = (token.hash(), user.id);
    let until = app.clock.now().plus(Lifetimes::ACTIVATION);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                invites::begin(tx, held, (hash, user), &Stage::Password, until).await
            })
        })
        .await?;
    Ok(Some(token))
}

/// The step that a browser's ceremony is at.
pub async fn view(app: &App, token: &str) -> Result<Option<View>, Fault> {
    let Some((activation, user)) = load(app, token).await? else {
        return Ok(None);
    };
    let username = user.profile.username;
    Ok(Some(match &activation.state {
        Stage::Password => View::Password { username },
        Stage::Factor { secret, .. } => View::Factor {
            username,
            secret: decode(secret)?,
        },
        Stage::Codes { set, .. } | Stage::KeyCodes { set, .. } => View::Codes {
            username,
            codes: set.shown(),
            asked: set.asked(),
        },
    }))
}

/// The ceremony of a browser, looked at in its person's turn: what came before may have ended it.
async fn turn(app: &App, token: &str) -> Result<Option<(Turn, Activation<Stage>, User)>, Fault> {
    let Some((_, user)) = load(app, token).await? else {
        return Ok(None);
    };
    let turn = app.hasher.turn(user.id).await?;
    let found = load(app, token).await?;
    Ok(found.map(|(activation, user)| (turn, activation, user)))
}

/// Step 1: the password.
pub async fn choose_password(
    app: &App,
    token: &str,
    typed: &Secret,
    repeated: &Secret,
) -> Result<Stepped, Fault> {
    let Some((turn, activation, user)) = turn(app, token).await? else {
        return Ok(Stepped::Gone);
    };
    let Stage::Password = &activation.state else {
        return Ok(Stepped::Next);
    };
    let password = match passwords::choose(app, (&user, &turn), typed, repeated).await? {
        Ok(password) => password,
        Err(Unfit::Differ) => return Ok(Stepped::Mend(Mend::Differ)),
        Err(Unfit::Weak(weakness)) => return Ok(Stepped::Mend(Mend::Weak(weakness))),
    };
    let hash = turn.hash(password).await?;
    let next = Stage::Factor {
        password: hash.expose().to_owned(),
        secret: STANDARD.encode(totp::new_secret()?.as_slice()),
    };
    advance(app, token, activation.version, next).await
}

/// Step 2: a test code of the authenticator app.
pub async fn prove_factor(app: &App, token: &str, typed: &str) -> Result<Stepped, Fault> {
    let Some((activation, _)) = load(app, token).await? else {
        return Ok(Stepped::Gone);
    };
    let Stage::Factor { password, secret } = &activation.state else {
        return Ok(Stepped::Next);
    };
    let matched = match TypedCode::parse(typed) {
        Some(TypedCode::Totp(code)) => {
            totp::matched_step(&decode(secret)?, code.as_str(), app.clock.now())
        }
        _ => None,
    };
    let Some(step) = matched else {
        return Ok(Stepped::Mend(Mend::WrongCode));
    };
    let next = Stage::Codes {
        password: password.clone(),
        secret: secret.clone(),
        step,
        set: RecoverySet::generate()?,
    };
    advance(app, token, activation.version, next).await
}

/// What a device is asked to make for step 2, when it is to be a passkey; none when the ceremony is
/// at another step, or over.
pub async fn ask_passkey(app: &App, token: &str) -> Result<Option<Value>, Fault> {
    let Some((activation, user)) = load(app, token).await? else {
        return Ok(None);
    };
    if !matches!(&activation.state, Stage::Factor { .. }) {
        return Ok(None);
    }
    let wanted = (KeyKind::Passkey, "");
    let Some(registering) = register::ask(app, &user.profile, wanted, &[])? else {
        return Ok(None);
    };
    let options = registering.options.clone();
    let (holder, now) = (holder(token), app.clock.now());
    let ceremony = Ceremony {
        id: rng::uuid(now)?,
        holder,
        purpose: PURPOSE,
    };
    let until = now.plus(Lifetimes::PASSKEY);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                ceremonies::end(tx, holder, PURPOSE).await?;
                ceremonies::begin(tx, ceremony, &registering, until).await
            })
        })
        .await?;
    Ok(Some(options))
}

/// Step 2, with a passkey: what the device made.
pub async fn prove_passkey(app: &App, token: &str, answer: &Secret) -> Result<Stepped, Fault> {
    let Some((activation, _)) = load(app, token).await? else {
        return Ok(Stepped::Gone);
    };
    let Stage::Factor { password, .. } = &activation.state else {
        return Ok(Stepped::Next);
    };
    let (holder, now) = (holder(token), app.clock.now());
    let answered = app
        .store
        .write(move |tx| {
            Box::pin(ceremonies::take_waiting::<Registering>(
                tx, holder, PURPOSE, now,
            ))
        })
        .await?;
    let made = match answered {
        Some(registering) => register::made(app, registering, answer).await?,
        None => None,
    };
    let Some(made) = made else {
        return Ok(Stepped::Mend(Mend::PasskeyNotTaken));
    };
    let next = Stage::KeyCodes {
        password: password.clone(),
        made: Box::new(made),
        set: RecoverySet::generate()?,
    };
    advance(app, token, activation.version, next).await
}

/// Step 3: one of the recovery codes, typed to show that they are saved. Then all of it counts.
pub async fn confirm_codes(
    app: &Arc<App>,
    token: &str,
    typed: &str,
    caller: &Caller,
) -> Result<Stepped, Fault> {
    let Some((turn, activation, user)) = turn(app, token).await? else {
        return Ok(Stepped::Gone);
    };
    let (password, set, factor) = match &activation.state {
        Stage::Codes {
            password,
            secret,
            step,
            set,
        } => (password, set, Factor::App(decode(secret)?, *step)),
        Stage::KeyCodes {
            password,
            made,
            set,
        } => (password, set, Factor::Passkey(made.clone())),
        Stage::Password | Stage::Factor { .. } => return Ok(Stepped::Next),
    };
    if !set.is_asked(typed) {
        return Ok(Stepped::Mend(Mend::WrongRecovery));
    }
    let hashed = set.hash(&turn).await?;
    let event = app
        .event(Kind::UserActivated, caller)?
        .by(Actor::User(user.id))
        .subject(user.id);
    let event = app.pending(event, caller, Some(&user.keys))?;
    let again = Stage::Factor {
        password: password.clone(),
        secret: STANDARD.encode(totp::new_secret()?.as_slice()),
    };
    let password = Secret::new(password.clone());
    let pool = name_pool(app, &user.profile.username);
    let (invite, id, now) = (activation.invite_hash, user.id, app.clock.now());
    let (of, by) = (Arc::clone(app), caller.clone());
    let recovered = app
        .event(Kind::RecoveryFinished, caller)?
        .by(Actor::User(user.id))
        .subject(user.id);
    let recovered = app.pending(recovered, caller, Some(&user.keys))?;
    let (clock, tells) = (app.clock.clone(), app.config.mail.is_some());
    let done = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // The person first, then her re-proofing, then its link: everywhere in this order.
                if !users::keep(tx, id).await? {
                    return Ok(None);
                }
                let found = invites::find(tx, invite).await?;
                let Some(found) = found.filter(|one| !one.used && now < one.expires_at) else {
                    return Ok(None);
                };
                let (mut event, mut void) = (event, None);
                let bound = match found.reproof {
                    None => {
                        !users::was_activated(tx, id).await?
                            && users::activate(tx, id, &password, now).await?
                    }
                    Some(reproof) => {
                        // Not before: the wait for the writer must not eat up the margin of the epoch.
                        let now = clock.now();
                        void = Some(now.plus(EPOCH_MARGIN));
                        let her = users::find(tx, id).await?;
                        let stopped = her
                            .as_ref()
                            .is_some_and(|her| her.state == UserState::Disabled);
                        event = send_mail::told_now(tells, recovered, her.as_ref(), None)?;
                        event = event.with("enabled", stopped);
                        reproofs::finish(tx, reproof, now).await?
                            && rebind(tx, id, &password, now).await?
                    }
                };
                if !bound {
                    return Ok(None);
                }
                if !invites::consume(tx, invite, now).await? {
                    return Err(Fault::Busy("the invitation was used at the same moment"));
                }
                bind((&of, &by), tx, &user, &factor, now).await?;
                factors::replace_recovery(tx, id, &hashed, now).await?;
                invites::end_activations(tx, id).await?;
                // Failures before this were against credentials that are no more.
                lockouts::forget(tx, pool).await?;
                tx.record(event);
                Ok(Some(void))
            })
        })
        .await;
    let done = match done {
        // Somebody bound that very passkey meanwhile; she chooses again.
        Err(Fault::Constraint(why)) if why == BOUND => {
            advance(app, token, activation.version, again).await?;
            return Ok(Stepped::Mend(Mend::PasskeyNotTaken));
        }
        done => done?,
    };
    if let Some(Some(epoch)) = done {
        epochs::outlast(app, Whose::User(id), epoch).await?;
    }
    Ok(done.map_or(Stepped::Gone, |_| Stepped::Done))
}

/// Binds the first factor of an account.
async fn bind(
    (app, caller): (&App, &Caller),
    tx: &mut Tx,
    user: &User,
    factor: &Factor,
    now: Timestamp,
) -> Result<(), Fault> {
    match factor {
        Factor::App(secret, step) => factors::bind_totp(tx, user.id, secret, *step, now).await,
        Factor::Passkey(made) => {
            let Some(key) = register::bind(tx, user, made, now).await? else {
                return Err(Fault::Constraint(BOUND.to_owned()));
            };
            let event = passkeys::added(app, user.id, (key, made), caller)?;
            // She is told once that all of it is set up.
            tx.record(app.pending(event, caller, Some(&user.keys))?.untold());
            Ok(())
        }
    }
}

/// Ends everything that opened the account before, and what was issued for it, and lets it be used; false
/// when it was never set up, or is closed.
async fn rebind(tx: &mut Tx, id: Uuid, password: &Secret, now: Timestamp) -> Result<bool, Fault> {
    if !users::rebind(tx, id, password, now).await? {
        return Ok(false);
    }
    factors::unbind_all(tx, id).await?;
    sessions::end_all(tx, id, now).await?;
    sessions::forget_devices(tx, id, None).await?;
    recovery_renewals::end_all(tx, id).await?;
    grants::revoke_all(tx, id, now).await?;
    Ok(true)
}

/// What is bound at the end.
enum Factor {
    App(Zeroizing<Vec<u8>>, i64),
    Passkey(Box<Made>),
}

const PURPOSE: &str = "activate";

/// Why nothing of a ceremony is kept that would bind somebody's passkey anew.
const BOUND: &str = "the passkey is bound already";

/// A ceremony's hold on the passkey that it waits for.
fn holder(token: &str) -> TokenHash {
    TokenHash::of(Purpose::Ceremony, &format!("activation {token}"))
}

/// An invitation that is neither used nor over, with its person, who is still only invited, or whose
/// re-proofing was approved: then her account may be disabled, so that nobody is in it meanwhile.
async fn usable(app: &App, hash: TokenHash) -> Result<Option<(User, Timestamp)>, Fault> {
    let now = app.clock.now();
    app.store
        .read(move |tx| {
            Box::pin(async move {
                let Some(invite) = invites::find(tx, hash).await? else {
                    return Ok(None);
                };
                if invite.used || now >= invite.expires_at {
                    return Ok(None);
                }
                if let Some(reproof) = invite.reproof
                    && !reproofs::is_open(tx, reproof, now).await?
                {
                    return Ok(None);
                }
                let user = users::find(tx, invite.user_id).await?;
                let first = invite.reproof.is_none();
                let invited = user.filter(|user| {
                    user.closed_at.is_none() && first == (user.state == UserState::Invited)
                });
                Ok(invited.map(|user| (user, invite.expires_at)))
            })
        })
        .await
}

async fn load(app: &App, token: &str) -> Result<Option<(Activation<Stage>, User)>, Fault> {
    let hash = TokenHash::of(Purpose::Activation, token);
    let now = app.clock.now();
    let found = app
        .store
        .read(move |tx| Box::pin(async move { invites::activation::<Stage>(tx, hash, now).await }))
        .await?;
    let Some(activation) = found else {
        return Ok(None);
    };
    let usable = usable(app, activation.invite_hash).await?;
    Ok(usable.map(|(user, _)| (activation, user)))
}

/// Another tab that was faster took the step: this one sees where it led.
async fn advance(app: &App, token: &str, version: i64, next: Stage) -> Result<Stepped, Fault> {
    let hash = TokenHash::of(Purpose::Activation, token);
    app.store
        .write(move |tx| Box::pin(async move { invites::advance(tx, hash, version, &next).await }))
        .await?;
    Ok(Stepped::Next)
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
    STANDARD
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| Fault::Unreadable("activations.state".to_owned()))
}
