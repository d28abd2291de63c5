//! Signing in: one form, one verdict. Nobody learns which part was wrong (PSD2 RTS Art. 4(3)(a)),
//! and somebody who does not exist costs the same work.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::{Actor, Kind};
use rules::identity::{Method, Password, Proof, TypedCode, Username, lockout};
use rules::time::Timestamp;
use uuid::Uuid;

use super::Caller;
use super::issue::{self, SignedInBy};
use super::sessions::{SignedIn, is_live};
use crate::app::App;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, Token, TokenHash};
use crate::store::lockouts::{self, Pool, Pools, Reservation};
use crate::store::users::{self, User, UserState};
use crate::store::{Tx, factors, sessions};
use crate::totp;

/// How long a browser is remembered as one that signed this person in.
const DEVICE_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// What was typed.
pub struct Typed {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// A code from the app, or a recovery code.
    pub code: Secret,
}

/// What the browser holds.
#[derive(Default)]
pub struct Held {
    /// The cookie of a known device.
    pub device: Option<String>,
    /// The session it had before.
    pub session: Option<SignedIn>,
}

/// The verdict.
pub enum Verdict {
    /// She is signed in.
    SignedIn {
        /// The session.
        session: Uuid,
        /// The new session cookie.
        token: Token,
        /// The cookie of this device, when it is new.
        device: Option<Token>,
    },
    /// Something was not right; nobody learns what.
    Refused,
    /// Too many failures; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
}

/// Everything the verdict needs, loaded before the slow work.
struct Loaded {
    reservation: Reservation,
    pools: Pools,
    user: Option<User>,
    totp: Option<factors::Totp>,
    salt: Option<Vec<u8>>,
    knows_device: bool,
}

/// Signs a person in.
pub async fn sign_in(
    app: &Arc<App>,
    typed: Typed,
    held: Held,
    caller: &Caller,
) -> Result<Verdict, Fault> {
    // Without a place in the queue for hashing nothing is counted: a flood locks nobody out.
    let place = app.hasher.place()?;
    let loaded = load(app, &typed.username, held.device.as_deref()).await?;
    let counted = match loaded.reservation {
        Reservation::Counted(counted) => counted,
        Reservation::Blocked { until } => {
            app.refusals
                .count(Kind::SignInBlocked, None, "too_many_failures");
            return Ok(Verdict::Blocked { until });
        }
    };
    let pools = loaded.pools;
    let (app, caller) = (Arc::clone(app), caller.clone());
    // A browser that goes away, or a time limit, ends the waiting and not the work: what was
    // counted is given back when there is no verdict.
    let work = tokio::spawn(async move {
        let _place = place;
        let verdict = judge(&app, typed, (loaded, counted.consecutive), held, &caller).await;
        if verdict.is_err() {
            app.store
                .write(move |tx| Box::pin(lockouts::give_back(tx, pools, counted)))
                .await?;
        }
        verdict
    });
    work.await
        .map_err(|error| Fault::Internal(error.to_string()))?
}

/// The slow work, and then the verdict.
async fn judge(
    app: &Arc<App>,
    typed: Typed,
    (loaded, consecutive): (Loaded, u32),
    held: Held,
    caller: &Caller,
) -> Result<Verdict, Fault> {
    let usable = loaded
        .user
        .as_ref()
        .filter(|user| user.state == UserState::Active);
    let hash = usable.and_then(|user| user.password.clone());
    let password = Password::normalise(typed.password.expose());
    let knows_password = app.hasher.verify(password, hash).await?;
    let proof = second_factor(app, &typed.code, &loaded).await?;
    let deciding = Deciding {
        app: Arc::clone(app),
        caller: caller.clone(),
        loaded,
        held,
        proof: proof.filter(|_| knows_password),
        consecutive,
    };
    app.store
        .write(move |tx| Box::pin(async move { deciding.run(tx).await }))
        .await
}

/// Whose failures are counted together when the browser is unknown: everybody's who uses the name.
pub(super) fn name_pool(app: &App, canonical: &str) -> Pool {
    Pool::new(app.vault.lookup("lockouts.name", canonical))
}

/// Counts the attempt and loads the person; the same statements whether she exists or not.
async fn load(app: &Arc<App>, typed_name: &str, device: Option<&str>) -> Result<Loaded, Fault> {
    let now = app.clock.now();
    let name = Username::parse(typed_name).ok();
    let canonical = name.as_ref().map_or(typed_name, Username::as_str);
    let person = name_pool(app, canonical);
    let device = device.map(|token| TokenHash::of(Purpose::Device, token));
    let device_pool = device.map(|hash| {
        let text = URL_SAFE_NO_PAD.encode(hash.as_bytes());
        Pool::new(app.vault.lookup("lockouts.device", &text))
    });
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let user = match &name {
                    Some(name) => users::find_by_name(tx, name).await?,
                    None => None,
                };
                let id = user.as_ref().map_or(Uuid::nil(), |user| user.id);
                let since = now.minus(DEVICE_LIFETIME);
                let knows_device = match device {
                    Some(device) => sessions::knows_device(tx, device, id, since).await?,
                    None => false,
                };
                let pools = Pools {
                    block: device_pool.filter(|_| knows_device).unwrap_or(person),
                    person,
                };
                Ok(Loaded {
                    reservation: lockouts::reserve(tx, pools, now).await?,
                    pools,
                    totp: factors::totp(tx, id).await?,
                    salt: factors::recovery_salt(tx, id).await?,
                    user,
                    knows_device,
                })
            })
        })
        .await
}

/// What a typed code proves, once it is spent.
enum Spendable {
    Step(i64),
    Recovery(Vec<u8>),
}

async fn second_factor(
    app: &App,
    code: &Secret,
    loaded: &Loaded,
) -> Result<Option<Spendable>, Fault> {
    match TypedCode::parse(code.expose()) {
        None => Ok(None),
        Some(TypedCode::Totp(code)) => Ok(loaded.totp.as_ref().and_then(|totp| {
            totp::matched_step(&totp.secret, code.as_str(), app.clock.now()).map(Spendable::Step)
        })),
        Some(TypedCode::Recovery(code)) => {
            let code = Secret::new(code.as_str().to_owned());
            let salt = match &loaded.salt {
                Some(salt) => salt.clone(),
                None => rng::bytes::<16>()?.to_vec(),
            };
            let hash = app.hasher.derive(code, salt).await?;
            Ok(loaded.salt.is_some().then_some(Spendable::Recovery(hash)))
        }
    }
}

struct Deciding {
    app: Arc<App>,
    caller: Caller,
    loaded: Loaded,
    held: Held,
    /// None when anything was wrong.
    proof: Option<Spendable>,
    consecutive: u32,
}

impl Deciding {
    async fn run(self, tx: &mut Tx) -> Result<Verdict, Fault> {
        let now = self.app.clock.now();
        // A wrong password never comes here with a proof, so it spends no step and no code.
        let spent = match (&self.loaded.user, &self.proof) {
            (Some(user), Some(Spendable::Step(step))) => {
                let fresh = factors::consume_step(tx, user.id, *step, now).await?;
                fresh.then_some((user, Method::Totp))
            }
            (Some(user), Some(Spendable::Recovery(hash))) => {
                let fresh = factors::consume_recovery(tx, user.id, hash, now).await?;
                fresh.then_some((user, Method::Recovery))
            }
            _ => None,
        };
        let Some((user, second)) = spent else {
            return self.refuse(tx).await;
        };
        let proof = |method| Proof { method, at: now };
        let proofs = [proof(Method::Password), proof(second)];
        let Some(admission) = issue::admit(tx, user.id, &proofs).await? else {
            return self.refuse(tx).await;
        };
        let agent = self.caller.user_agent.clone().unwrap_or_default();
        let by = SignedInBy {
            user: user.id,
            keys: &user.keys,
            proofs: &proofs,
            agent: &agent,
        };
        let live = |held: &&SignedIn| is_live(&self.app, held);
        let before = self.held.session.as_ref().filter(live);
        let before = before.map(|held| &held.session);
        let (session, token) = match before {
            // The same person proves herself anew: her session goes on under a new cookie.
            Some(session) if session.user_id == user.id => {
                issue::renewed_session(tx, &admission, session, &proofs, now).await?
            }
            _ => {
                if let Some(held) = &self.held.session {
                    self.end_session_of(tx, held).await?;
                }
                issue::session(tx, &admission, by, now).await?
            }
        };
        let device = self.remember_device(tx, user, now).await?;
        lockouts::succeeded(tx, self.loaded.pools).await?;
        self.record_success(tx, user, session, second)?;
        Ok(Verdict::SignedIn {
            session,
            token,
            device,
        })
    }

    /// Another person was signed in here; her session ends.
    async fn end_session_of(&self, tx: &mut Tx, held: &SignedIn) -> Result<(), Fault> {
        let now = self.app.clock.now();
        if sessions::end(tx, held.session.id, held.user.id, now).await? {
            let event = self
                .app
                .event(Kind::SessionEnded, &self.caller)?
                .by(Actor::Server)
                .subject(held.user.id)
                .session(held.session.id);
            tx.record(
                self.app
                    .pending(event, &self.caller, Some(&held.user.keys))?,
            );
        }
        Ok(())
    }

    async fn remember_device(
        &self,
        tx: &mut Tx,
        user: &User,
        now: Timestamp,
    ) -> Result<Option<Token>, Fault> {
        let held = self
            .held
            .device
            .as_deref()
            .filter(|_| self.loaded.knows_device);
        if let Some(held) = held {
            let hash = TokenHash::of(Purpose::Device, held);
            sessions::remember_device(tx, hash, user.id, now).await?;
            return Ok(None);
        }
        let token = Token::generate(Purpose::Device)?;
        sessions::remember_device(tx, token.hash(), user.id, now).await?;
        Ok(Some(token))
    }

    fn record_success(
        &self,
        tx: &mut Tx,
        user: &User,
        session: Uuid,
        second: Method,
    ) -> Result<(), Fault> {
        let event = |kind| {
            let event = self.app.event(kind, &self.caller)?;
            Ok::<_, Fault>(
                event
                    .by(Actor::User(user.id))
                    .subject(user.id)
                    .session(session),
            )
        };
        let keys = Some(&user.keys);
        if second == Method::Recovery {
            let event = event(Kind::RecoveryCodeUsed)?;
            tx.record(self.app.pending(event, &self.caller, keys)?);
        }
        let event = event(Kind::SignInSucceeded)?;
        tx.record(self.app.pending(event, &self.caller, keys)?);
        Ok(())
    }

    async fn refuse(&self, tx: &mut Tx) -> Result<Verdict, Fault> {
        let event = self
            .app
            .event(Kind::SignInRefused, &self.caller)?
            .refused("not_right");
        let keys = self.loaded.user.as_ref().map(|user| &user.keys);
        let event = match &self.loaded.user {
            Some(user) => event.subject(user.id),
            None => event,
        };
        tx.record(self.app.pending(event, &self.caller, keys)?);
        // NIST SP 800-63B-4 §3.2.2: after so many in a row the password ends until it is rebound.
        let user = self
            .loaded
            .user
            .as_ref()
            .filter(|user| user.password.is_some());
        if let Some(user) = user.filter(|_| lockout::ends_password(self.consecutive)) {
            users::end_password(tx, user.id, self.app.clock.now()).await?;
            let event = self
                .app
                .event(Kind::PasswordEnded, &self.caller)?
                .by(Actor::Server)
                .subject(user.id);
            tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        }
        Ok(Verdict::Refused)
    }
}
