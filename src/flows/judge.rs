//! The one judge of password and code: at sign-in, and when a signed-in person proves herself anew
//! before a sensitive change. Nobody learns which part was wrong (PSD2 RTS Art. 4(3)(a)), somebody
//! who does not exist costs the same work, and a wrong password spends no code.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::{Actor, Kind};
use rules::identity::{Method, Password, Proof, TypedCode, Username, lockout};
use rules::time::Timestamp;
use uuid::Uuid;

use super::issue::{self, Admission, SignedInBy};
use super::{Caller, limit};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::{Exceeded, Whose};
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Secret, TokenHash};
use crate::store::lockouts::{self, Pool, Pools, Reservation};
use crate::store::users::{self, User, UserState};
use crate::store::{Tx, factors, person_proofs, sessions};
use crate::totp;

/// How long a browser is remembered as one that signed this person in.
const DEVICE_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// What strange browsers at one address may do wrong, for any names.
const LIMIT: Limit = Limit::SignInFailuresPerAddress;

/// What was typed.
pub struct Typed {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// A code from the app, or a recovery code.
    pub code: Secret,
}

/// Something that is done for whoever types the right things, in the transaction that spends the
/// code.
pub(super) trait Act: Send + 'static {
    /// What is gained.
    type Gain: Send + 'static;

    /// How a refusal is audited.
    const REFUSED: Kind;
    /// How one during a block is counted.
    const BLOCKED: Kind;

    /// Slow work before the transaction. It is done whatever the verdict will be, so that its time
    /// tells nothing.
    fn prepare(&mut self) -> impl Future<Output = Result<(), Fault>> + Send {
        ready(Ok(()))
    }

    /// Does it; none refuses.
    fn perform(
        self,
        tx: &mut Tx,
        proven: &Proven,
    ) -> impl Future<Output = Result<Option<Self::Gain>, Fault>> + Send;
}

/// Somebody who typed the right things, admitted.
pub(super) struct Proven {
    /// Who she is; her account is held until the transaction ends.
    pub user: User,
    /// What she proved.
    pub proofs: [Proof; 2],
    /// That she may have a session.
    pub admission: Admission,
    /// Whether the browser signed her in before.
    pub knows_device: bool,
    /// When.
    pub at: Timestamp,
}

impl Proven {
    /// Since when a session of hers counts: now, or right after what made everything until then void
    /// (a dispute reaches a few seconds ahead, for the clocks of other nodes). Who proves herself after
    /// that is meant to be let in.
    pub(super) fn counts_from(&self) -> Timestamp {
        self.at
            .max(self.user.valid_from.plus(Duration::from_millis(1)))
    }

    /// What a session is made of, in the browser of this caller.
    pub(super) fn signs_in<'a>(&'a self, caller: &'a Caller) -> SignedInBy<'a> {
        SignedInBy {
            user: self.user.id,
            keys: &self.user.keys,
            proofs: &self.proofs,
            agent: caller.user_agent.as_deref().unwrap_or_default(),
            address: caller.address,
        }
    }
}

/// The verdict.
pub(super) enum Ruling<T> {
    /// All was right, and it is done.
    Granted(T),
    /// Something was not right; nobody learns what.
    Refused,
    /// Too many failures; nothing was looked at.
    Blocked {
        /// When to try again.
        until: Timestamp,
    },
    /// Too many failures from this network, for any names; nothing was looked at.
    Limited(Exceeded),
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

/// Judges what was typed in a browser with this device cookie, and does `act` when it is right.
pub(super) async fn judge<A: Act>(
    app: &Arc<App>,
    typed: Typed,
    device: Option<&str>,
    caller: &Caller,
    act: A,
) -> Result<Ruling<A::Gain>, Fault> {
    // Without a place in the queue for hashing nothing is counted: a flood locks nobody out.
    let place = app.hasher.place()?;
    let from = Whose::Address(caller.address);
    // Counted as a failure before anything is verified, and given back after a success.
    let limited = app.limits.take(LIMIT, from, app.clock.monotonic()).err();
    let who = Who {
        name: &typed.username,
        device,
        may_be_strange: limited.is_none(),
    };
    let loaded = load(app, who).await.inspect_err(|_| {
        if limited.is_none() {
            app.limits.give_back(LIMIT, from);
        }
    })?;
    let Some(loaded) = loaded else {
        return Ok(limited.map_or(Ruling::Refused, |exceeded| {
            limit::note(app, &exceeded, from);
            Ruling::Limited(exceeded)
        }));
    };
    let counted = match loaded.reservation {
        Reservation::Counted(counted) => counted,
        Reservation::Blocked { until } => {
            app.refusals.count(A::BLOCKED, None, "too_many_failures");
            return Ok(Ruling::Blocked { until });
        }
    };
    let pools = loaded.pools;
    let case = Case {
        app: Arc::clone(app),
        caller: caller.clone(),
        loaded,
        consecutive: counted.consecutive,
    };
    let (app, address) = (Arc::clone(app), caller.address);
    // A browser that goes away, or a time limit, ends the waiting and not the work: what was
    // counted is given back when there is no verdict.
    let work = tokio::spawn(async move {
        let _place = place;
        let ruling = case.hear(typed, act).await;
        if limited.is_none() && !matches!(ruling, Ok(Ruling::Refused)) {
            app.limits.give_back(LIMIT, Whose::Address(address));
        }
        if ruling.is_err() {
            app.store
                .write(move |tx| Box::pin(lockouts::give_back(tx, pools, counted)))
                .await?;
        }
        ruling
    });
    work.await
        .map_err(|error| Fault::Internal(error.to_string()))?
}

/// Whose failures are counted together when the browser is unknown: everybody's who uses the name.
pub(super) fn name_pool(app: &App, canonical: &str) -> Pool {
    Pool::new(app.vault.lookup("lockouts.name", canonical))
}

/// Who wants to be judged.
struct Who<'a> {
    name: &'a str,
    device: Option<&'a str>,
    /// Whether browsers are heard that never signed this person in.
    may_be_strange: bool,
}

/// Counts the attempt and loads the person; the same statements whether she exists or not. None when
/// a strange browser is not heard; nothing was counted then.
async fn load(app: &Arc<App>, who: Who<'_>) -> Result<Option<Loaded>, Fault> {
    let (typed_name, device, may_be_strange) = (who.name, who.device, who.may_be_strange);
    if device.is_none() && !may_be_strange {
        return Ok(None);
    }
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
                if !knows_device && !may_be_strange {
                    return Ok(None);
                }
                let pools = Pools {
                    block: device_pool.filter(|_| knows_device).unwrap_or(person),
                    person,
                };
                Ok(Some(Loaded {
                    reservation: lockouts::reserve(tx, pools, now).await?,
                    pools,
                    totp: factors::totp(tx, id).await?,
                    salt: factors::recovery_salt(tx, id).await?,
                    user,
                    knows_device,
                }))
            })
        })
        .await
}

/// What a typed code proves, once it is spent.
enum Spendable {
    Step(i64),
    Recovery(Vec<u8>),
}

/// One attempt on its way to the verdict.
struct Case {
    app: Arc<App>,
    caller: Caller,
    loaded: Loaded,
    consecutive: u32,
}

impl Case {
    /// The slow work, and then the verdict.
    async fn hear<A: Act>(self, typed: Typed, mut act: A) -> Result<Ruling<A::Gain>, Fault> {
        let user = self.loaded.user.as_ref();
        let usable = user.filter(|user| user.state == UserState::Active);
        let hash = usable.and_then(|user| user.password.clone());
        let password = Password::normalise(typed.password.expose());
        let knows_password = self.app.hasher.verify(password, hash).await?;
        let code = self.second_factor(&typed.code).await?;
        act.prepare().await?;
        // A wrong password goes on without a proof, so it spends no step and no code.
        let code = code.filter(|_| knows_password);
        let store = self.app.store.clone();
        store
            .write(move |tx| Box::pin(async move { self.rule(tx, code, act).await }))
            .await
    }

    async fn second_factor(&self, code: &Secret) -> Result<Option<Spendable>, Fault> {
        let app = &self.app;
        match TypedCode::parse(code.expose()) {
            None => Ok(None),
            Some(TypedCode::Totp(code)) => Ok(self.loaded.totp.as_ref().and_then(|totp| {
                totp::matched_step(&totp.secret, code.as_str(), app.clock.now())
                    .map(Spendable::Step)
            })),
            Some(TypedCode::Recovery(code)) => {
                let code = Secret::new(code.as_str().to_owned());
                let salt = match &self.loaded.salt {
                    Some(salt) => salt.clone(),
                    None => rng::bytes::<16>()?.to_vec(),
                };
                let hash = app.hasher.derive(code, salt).await?;
                let has_codes = self.loaded.salt.is_some();
                Ok(has_codes.then_some(Spendable::Recovery(hash)))
            }
        }
    }

    async fn rule<A: Act>(
        mut self,
        tx: &mut Tx,
        code: Option<Spendable>,
        act: A,
    ) -> Result<Ruling<A::Gain>, Fault> {
        let Some(user) = self.loaded.user.take() else {
            return self.refuse::<A>(tx, None).await;
        };
        let Some(second) = self.spend(tx, &user, code).await? else {
            return self.refuse::<A>(tx, Some(&user)).await;
        };
        let at = self.app.clock.now();
        // Whoever has her factors, herself or not, is bounded too, on all nodes together.
        if let Some(rate) = self.app.config.limits.proofs_per_person
            && let Some(until) = person_proofs::count(tx, user.id, rate, at).await?
        {
            lockouts::succeeded(tx, self.loaded.pools).await?;
            self.app.refusals.count(A::BLOCKED, None, "too_often");
            return Ok(Ruling::Blocked { until });
        }
        let proofs = [Method::Password, second].map(|method| Proof { method, at });
        let Some(admission) = issue::admit(tx, user.id, &proofs).await? else {
            return self.refuse::<A>(tx, Some(&user)).await;
        };
        let proven = Proven {
            user,
            proofs,
            admission,
            knows_device: self.loaded.knows_device,
            at,
        };
        let Some(gain) = act.perform(tx, &proven).await? else {
            return self.refuse::<A>(tx, Some(&proven.user)).await;
        };
        lockouts::succeeded(tx, self.loaded.pools).await?;
        if second == Method::Recovery {
            let user = &proven.user;
            let event = self
                .app
                .event(Kind::RecoveryCodeUsed, &self.caller)?
                .by(Actor::User(user.id))
                .subject(user.id);
            tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        }
        Ok(Ruling::Granted(gain))
    }

    /// Spends the code that came with the right password; none when it was spent before, or when
    /// the account or its password changed meanwhile.
    async fn spend(
        &self,
        tx: &mut Tx,
        user: &User,
        code: Option<Spendable>,
    ) -> Result<Option<Method>, Fault> {
        let Some(code) = code else {
            return Ok(None);
        };
        if !users::hold(tx, user).await? {
            return Ok(None);
        }
        let now = self.app.clock.now();
        let (fresh, method) = match code {
            Spendable::Step(step) => {
                let fresh = factors::consume_step(tx, user.id, step, now).await?;
                (fresh, Method::Totp)
            }
            Spendable::Recovery(hash) => {
                let fresh = factors::consume_recovery(tx, user.id, &hash, now).await?;
                (fresh, Method::Recovery)
            }
        };
        Ok(fresh.then_some(method))
    }

    /// One event each, until so many come in a minute that they are counted: a flood of guesses
    /// writes no flood of rows.
    fn record_refusal(&self, tx: &mut Tx, kind: Kind, user: Option<&User>) -> Result<(), Fault> {
        let (reason, subject) = ("not_right", user.map(|user| user.id));
        let refusals = &self.app.refusals;
        if !refusals.is_worth_an_event(self.app.clock.monotonic()) {
            refusals.count_about(kind, subject, reason);
            return Ok(());
        }
        let event = self.app.event(kind, &self.caller)?.refused(reason);
        let event = match subject {
            Some(subject) => event.subject(subject),
            None => event,
        };
        let keys = user.map(|user| &user.keys);
        tx.record(self.app.pending(event, &self.caller, keys)?);
        Ok(())
    }

    async fn refuse<A: Act>(
        &self,
        tx: &mut Tx,
        user: Option<&User>,
    ) -> Result<Ruling<A::Gain>, Fault> {
        self.record_refusal(tx, A::REFUSED, user)?;
        // NIST SP 800-63B-4 §3.2.2: after so many in a row the password ends until it is rebound.
        let user = user.filter(|user| user.password.is_some());
        if let Some(user) = user.filter(|_| lockout::ends_password(self.consecutive)) {
            users::end_password(tx, user.id, self.app.clock.now()).await?;
            let event = self
                .app
                .event(Kind::PasswordEnded, &self.caller)?
                .by(Actor::Server)
                .subject(user.id);
            tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        }
        Ok(Ruling::Refused)
    }
}
