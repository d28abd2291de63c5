//! A password, or the word of a provider, with a code or a security key: the slow work, and then the one verdict.

use std::sync::Arc;

use rules::audit::{Actor, Kind};
use rules::identity::{Method, Password, Proof, TypedCode, lockout};
use uuid::Uuid;

use super::{Act, Alarm, First, Given, Loaded, Proven, Ruling, Second, record_refusal, too_often};
use crate::app::App;
use crate::fault::Fault;
use crate::flows::upstream::Half;
use crate::flows::webauthn::{self, Answered, Asked};
use crate::flows::{Caller, issue};
use crate::rng;
use crate::secret::Secret;
use crate::store::lockouts::Counted;
use crate::store::users::{self, User, UserState};
use crate::store::{Tx, factors, lockouts};
use crate::totp;

/// What the second factor proves, once it is spent.
enum Spendable {
    Step(factors::Step),
    Recovery(Vec<u8>),
    Key(Answered),
}

/// One attempt on its way to the verdict.
pub(super) struct Case {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
    pub(super) loaded: Loaded,
    pub(super) counted: Counted,
    /// Whether the first factor was right.
    pub(super) knew: bool,
}

impl Case {
    /// The slow work, and then the verdict.
    pub(super) async fn hear<A: Act>(
        mut self,
        given: Given,
        mut act: A,
    ) -> Result<Ruling<A::Gain>, Fault> {
        let user = self.loaded.user.as_ref();
        let usable = user.filter(|user| user.state == UserState::Active);
        let hash = usable.and_then(|user| user.password.clone());
        let (right, half) = match given.first {
            First::Password(typed) => {
                let password = Password::normalise(typed.expose());
                (self.app.hasher.verify(password, hash).await?, None)
            }
            First::Upstream(half) => (usable.is_some_and(|user| user.id == half.user), Some(half)),
        };
        self.knew = right;
        let second = match &given.second {
            Second::Code(code) => self.code(code).await?,
            Second::Key(presented) => self.key(presented).await?,
        };
        act.prepare().await?;
        // A wrong password goes on without a proof, so it spends no step and no code.
        let second = second.filter(|_| right);
        let store = self.app.store.clone();
        store
            .write(move |tx| Box::pin(async move { self.rule(tx, (half, second), act).await }))
            .await
    }

    /// A security key of this very person; somebody else's proves nothing.
    async fn key(&self, presented: &webauthn::Presented) -> Result<Option<Spendable>, Fault> {
        let heard = webauthn::hear(&self.app, presented, Asked::Beside, &self.caller).await?;
        let user = self.loaded.user.as_ref().map(|user| user.id);
        let hers = heard.filter(|answered| Some(answered.user) == user);
        Ok(hers.map(Spendable::Key))
    }

    async fn code(&self, code: &Secret) -> Result<Option<Spendable>, Fault> {
        let app = &self.app;
        match TypedCode::parse(code.expose()) {
            None => Ok(None),
            Some(TypedCode::Totp(code)) => Ok(self.loaded.totp.as_ref().and_then(|totp| {
                totp::matched_step(&totp.secret, code.as_str(), app.clock.now())
                    .filter(|step| *step > totp.last_step)
                    .map(|step| Spendable::Step(totp.step(step)))
            })),
            Some(TypedCode::Recovery(code)) => {
                let code = Secret::new(code.as_str().to_owned());
                let salt = match &self.loaded.salt {
                    Some(salt) => salt.clone(),
                    None => rng::bytes::<16>()?.to_vec(),
                };
                let hash = app.hasher.derive(code, salt).await?;
                // Looked up whatever the password was, or what is done for a wrong code would tell
                // that the password beside it was right.
                let user = self
                    .loaded
                    .user
                    .as_ref()
                    .map_or(Uuid::nil(), |user| user.id);
                let found = app
                    .store
                    .read(move |tx| {
                        Box::pin(async move {
                            let known = factors::knows_recovery(tx, user, &hash).await?;
                            Ok(known.then_some(hash))
                        })
                    })
                    .await?;
                Ok(found.map(Spendable::Recovery))
            }
        }
    }

    async fn rule<A: Act>(
        mut self,
        tx: &mut Tx,
        (half, second): (Option<Half>, Option<Spendable>),
        act: A,
    ) -> Result<Ruling<A::Gain>, Fault> {
        let Some(user) = self.loaded.user.take() else {
            return self.refuse::<A>(tx, None).await;
        };
        let Some(second) = self.spend(tx, &user, second).await? else {
            return self.refuse::<A>(tx, Some(&user)).await;
        };
        if second == Method::Recovery {
            // Whatever follows, the code is spent.
            let event = self
                .app
                .event(Kind::RecoveryCodeUsed, &self.caller)?
                .by(Actor::User(user.id))
                .subject(user.id);
            tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
        }
        let at = self.app.clock.now();
        if let Some(until) = too_often(&self.app, tx, (A::BLOCKED, user.id), at).await? {
            lockouts::succeeded(tx, self.loaded.pools).await?;
            return Ok(Ruling::Blocked { until });
        }
        let mut proofs = [Method::Password, second].map(|method| Proof { method, at });
        if let Some(half) = half {
            let Some(vouched) = half.spend(&self.app, tx, &self.caller).await? else {
                return self.refuse::<A>(tx, Some(&user)).await;
            };
            proofs[0] = vouched;
        }
        let policy = self.app.config.passkeys.policy;
        let Some(admission) = issue::admit(tx, user.id, &proofs, policy).await? else {
            return self.refuse::<A>(tx, Some(&user)).await;
        };
        let proven = Proven {
            user,
            proofs: proofs.to_vec(),
            admission,
            knows_device: self.loaded.knows_device,
            at,
        };
        let Some(gain) = act.perform(tx, &proven).await? else {
            return self.refuse::<A>(tx, Some(&proven.user)).await;
        };
        lockouts::succeeded(tx, self.loaded.pools).await?;
        Ok(Ruling::Granted(gain))
    }

    /// Spends what came with the right first factor; none when it was spent before, or when the account
    /// or its password changed meanwhile.
    async fn spend(
        &self,
        tx: &mut Tx,
        user: &User,
        second: Option<Spendable>,
    ) -> Result<Option<Method>, Fault> {
        let Some(second) = second else {
            return Ok(None);
        };
        if !users::hold(tx, user).await? {
            return Ok(None);
        }
        let now = self.app.clock.now();
        let (fresh, method) = match second {
            Spendable::Step(step) => {
                let fresh = factors::consume_step(tx, user.id, &step, now).await?;
                (fresh, Method::Totp)
            }
            Spendable::Recovery(hash) => {
                let fresh = factors::consume_recovery(tx, user.id, &hash, now).await?;
                (fresh, Method::Recovery)
            }
            Spendable::Key(answered) => (answered.note(tx, now).await?, answered.method),
        };
        Ok(fresh.then_some(method))
    }

    async fn refuse<A: Act>(
        &self,
        tx: &mut Tx,
        user: Option<&User>,
    ) -> Result<Ruling<A::Gain>, Fault> {
        // She is told when guessing brings a block, and when somebody else's browser has her password.
        let stranger = self.knew && !self.loaded.knows_device;
        let alarm = match self.counted.blocked_until {
            Some(_) => Alarm::EvenInAFlood,
            None if stranger => Alarm::Unflooded,
            None => Alarm::No,
        };
        record_refusal(&self.app, &self.caller, tx, (A::REFUSED, user), alarm).await?;
        // NIST SP 800-63B-4 §3.2.2: after so many in a row the password ends until it is rebound.
        let user = user.filter(|user| user.password.is_some());
        if let Some(user) = user.filter(|_| lockout::ends_password(self.counted.consecutive)) {
            // Unless it was changed, or used rightly, while this was being hashed.
            let stands = lockouts::ends_password(tx, self.loaded.pools).await?;
            if stands && users::end_password(tx, user, self.app.clock.now()).await? {
                let event = self
                    .app
                    .event(Kind::PasswordEnded, &self.caller)?
                    .by(Actor::Server)
                    .subject(user.id);
                tx.record(self.app.pending(event, &self.caller, Some(&user.keys))?);
            }
        }
        Ok(Ruling::Refused)
    }
}
