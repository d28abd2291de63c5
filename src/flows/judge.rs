//! The one judge of what a person gives: at sign-in, and when she proves herself anew before a
//! sensitive change. A password and a code, or a security key in the place of the code, are judged
//! together: nobody learns which part was wrong (PSD2 RTS Art. 4(3)(a)), somebody who does not exist
//! costs the same work, and a wrong password spends no code. A passkey is judged by itself.

mod case;
mod passkey;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rules::audit::Kind;
use rules::identity::{Proof, Username};
use rules::time::Timestamp;
use uuid::Uuid;

use self::case::Case;
use self::passkey::Shown;
use super::issue::{Admission, SignedInBy};
use super::upstream::{Half, Whole};
use super::webauthn::Presented;
use super::{Caller, limit};
use crate::app::App;
use crate::config::Limit;
use crate::defence::limits::{Exceeded, Whose};
use crate::fault::Fault;
use crate::secret::{Purpose, Secret, TokenHash};
use crate::store::lockouts::{self, Pool, Pools, Reservation};
use crate::store::users::{self, Daily, User};
use crate::store::{Tx, factors, person_proofs, sessions};

/// How long a browser is remembered as one that signed this person in.
const DEVICE_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// What strange browsers at one address may do wrong, for any names.
const LIMIT: Limit = Limit::SignInFailuresPerAddress;

/// What somebody gives for a proof of who she is.
pub enum Evidence {
    /// A name, and two factors.
    Typed(Typed),
    /// A passkey, which says both.
    Passkey(Presented),
    /// What the institution's own provider vouches for, and is believed: it says both.
    Upstream(Whole),
    /// What it vouches for without being believed, and another factor.
    UpstreamBeside(Half, Second),
}

/// What was typed.
pub struct Typed {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// What came with it.
    pub second: Second,
}

/// What comes with a password, or with what the provider vouches for.
pub enum Second {
    /// A code from the app, or a recovery code.
    Code(Secret),
    /// What a security key, or a passkey, answered.
    Key(Presented),
}

/// Which way was taken, for the words of a refusal; nothing that was judged is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A passkey alone.
    Passkey,
    /// Something was typed.
    Typed,
    /// An authenticator answered what was over ([`Presented::is_late`]).
    Late,
}

impl Evidence {
    /// Which way it takes.
    #[must_use]
    pub fn way(&self, now: Timestamp) -> Way {
        let (presented, otherwise) = match self {
            Self::Passkey(presented) => (Some(presented), Way::Passkey),
            Self::Typed(typed) => (typed.second.presented(), Way::Typed),
            Self::UpstreamBeside(_, second) => (second.presented(), Way::Typed),
            Self::Upstream(_) => (None, Way::Typed),
        };
        match presented {
            Some(presented) if presented.is_late(now) => Way::Late,
            _ => otherwise,
        }
    }
}

impl Second {
    fn presented(&self) -> Option<&Presented> {
        match self {
            Self::Key(presented) => Some(presented),
            Self::Code(_) => None,
        }
    }
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
    pub proofs: Vec<Proof>,
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

/// Judges what was given in a browser with this device cookie, and does `act` when it is right.
pub(super) async fn judge<A: Act>(
    app: &Arc<App>,
    evidence: Evidence,
    device: Option<&str>,
    caller: &Caller,
    act: A,
) -> Result<Ruling<A::Gain>, Fault> {
    match evidence {
        Evidence::Typed(typed) => {
            let given = Given {
                username: typed.username,
                first: First::Password(typed.password),
                second: typed.second,
            };
            judge_two(app, given, device, caller, act).await
        }
        Evidence::UpstreamBeside(half, second) => {
            let given = Given {
                username: half.username.clone(),
                first: First::Upstream(half),
                second,
            };
            judge_two(app, given, device, caller, act).await
        }
        // A signature cannot be guessed: it is in no pool, and whoever guesses passwords for this
        // name, or from this network, keeps nobody from using her passkey.
        Evidence::Passkey(presented) => passkey::judge(app, presented, device, caller, act).await,
        // Nor can what a provider signed.
        Evidence::Upstream(whole) => {
            passkey::settle(app, Some(Shown::Upstream(whole)), device, caller, act).await
        }
    }
}

/// Two factors that are judged together.
struct Given {
    username: String,
    first: First,
    second: Second,
}

/// The first of them.
enum First {
    Password(Secret),
    Upstream(Half),
}

async fn judge_two<A: Act>(
    app: &Arc<App>,
    given: Given,
    device: Option<&str>,
    caller: &Caller,
    act: A,
) -> Result<Ruling<A::Gain>, Fault> {
    // Without a place in the queue for hashing nothing is counted: a flood locks nobody out.
    let place = app.hasher.place()?;
    let from = Whose::Address(caller.address);
    let attempt = Attempt {
        // Counted as a failure before anything is verified, and given back after a success.
        limited: app.limits.take(LIMIT, from, app.clock.monotonic()).err(),
        app: Arc::clone(app),
        caller: caller.clone(),
        device: device.map(str::to_owned),
    };
    // A browser that goes away, or a time limit, ends the waiting and not the work: what was
    // counted is given back when there is no verdict.
    let work = tokio::spawn(async move {
        let _place = place;
        attempt.judge(given, act).await
    });
    work.await
        .map_err(|error| Fault::Internal(error.to_string()))?
}

/// Somebody who typed something, counted for the network it came from.
struct Attempt {
    app: Arc<App>,
    caller: Caller,
    device: Option<String>,
    /// That the network has had too many.
    limited: Option<Exceeded>,
}

impl Attempt {
    async fn judge<A: Act>(self, given: Given, act: A) -> Result<Ruling<A::Gain>, Fault> {
        let who = Who {
            name: &given.username,
            device: self.device.as_deref(),
            may_be_strange: self.limited.is_none(),
        };
        let loaded = load(&self.app, who).await;
        let Some(loaded) = loaded.inspect_err(|_| self.give_back())? else {
            return Ok(self.limited.map_or(Ruling::Refused, |exceeded| {
                limit::note(&self.app, &exceeded, Whose::Address(self.caller.address));
                Ruling::Limited(exceeded)
            }));
        };
        let counted = match loaded.reservation {
            Reservation::Counted(counted) => counted,
            Reservation::Blocked { until } => {
                let refusals = &self.app.refusals;
                refusals.count(A::BLOCKED, None, "too_many_failures");
                return Ok(Ruling::Blocked { until });
            }
        };
        let pools = loaded.pools;
        let case = Case {
            app: Arc::clone(&self.app),
            caller: self.caller.clone(),
            loaded,
            counted,
            knew: false,
        };
        let ruling = case.hear(given, act).await;
        if !matches!(ruling, Ok(Ruling::Refused)) {
            self.give_back();
        }
        if ruling.is_err() {
            let store = &self.app.store;
            store
                .write(move |tx| Box::pin(lockouts::give_back(tx, pools, counted)))
                .await?;
        }
        ruling
    }

    fn give_back(&self) {
        if self.limited.is_none() {
            let from = Whose::Address(self.caller.address);
            self.app.limits.give_back(LIMIT, from);
        }
    }
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

/// Whether the person is told of a refusal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// She is not.
    No,
    /// She is, unless it is one of a flood: what is done then must not tell whose password is right.
    Unflooded,
    /// She is in any case.
    EvenInAFlood,
}

/// One event for each refusal, until so many come in a minute that they are counted: a flood of
/// guesses writes no flood of rows. Of an alarming one she is told by mail, at most once a day, so that
/// nobody fills her mailbox; her activity shows them all. Whether anybody is told costs the same
/// statements.
pub(super) async fn record_refusal(
    app: &App,
    caller: &Caller,
    tx: &mut Tx,
    (kind, user): (Kind, Option<&User>),
    alarm: Alarm,
) -> Result<(), Fault> {
    let (reason, subject) = ("not_right", user.map(|user| user.id));
    let told = subject.filter(|_| alarm != Alarm::No);
    let worth = app.refusals.is_worth_an_event(app.clock.monotonic());
    let loud = told.is_some() && alarm == Alarm::EvenInAFlood;
    if !worth && !loud {
        app.refusals.count_about(kind, subject, reason);
        return Ok(());
    }
    let event = app.event(kind, caller)?.refused(reason);
    let event = match subject {
        Some(subject) => event.subject(subject),
        None => event,
    };
    let keys = user.map(|user| &user.keys);
    let event = app.pending(event, caller, keys)?;
    let told = told.unwrap_or(Uuid::nil());
    let what = match kind {
        Kind::SignInRefused => Daily::SignIn,
        _ => Daily::Change,
    };
    let first = app.config.mail.is_some() && users::tell_daily(tx, told, what, event.at()).await?;
    let told = if first { told } else { Uuid::nil() };
    tx.record(app.told(event, told));
    Ok(())
}

/// Whoever has her factors, herself or not, is bounded too, on all nodes together: until when, when
/// it was too often.
pub(super) async fn too_often(
    app: &App,
    tx: &mut Tx,
    (blocked, user): (Kind, Uuid),
    at: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let Some(rate) = app.config.limits.proofs_per_person else {
        return Ok(None);
    };
    let until = person_proofs::count(tx, user, rate, at).await?;
    if until.is_some() {
        app.refusals.count(blocked, None, "too_often");
    }
    Ok(until)
}
