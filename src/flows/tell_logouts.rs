//! Telling clients that a session ended (OpenID Connect Back-Channel Logout 1.0 §2.5). Whom to tell
//! was written down when it ended; here each is told, once if all goes well, and again if not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rules::audit::{Actor, Kind};
use rules::protocol::Client;
use rules::protocol::backchannel::{self, LogoutToken, Told};

use super::Caller;
use super::token_format::sign;
use crate::app::App;
use crate::fault::Fault;
use crate::outbound::Unreached;
use crate::rng;
pub use crate::store::logouts::Standing;
use crate::store::logouts::{self, Ended, Waiting};
use crate::store::outbox;

/// How much is looked at in one tick.
const BATCH: u32 = 256;
/// How many clients are told at once, and of how many sessions each.
const CLIENTS: usize = 16;
const EACH: usize = 4;
/// How long an attempt is this server's own: longer than any call may take.
const LEASE: Duration = Duration::from_mins(2);
/// How long a client that cannot be reached is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// After which time a tick begins no more calls, so that a slow client does not hold up others.
const BUDGET: Duration = Duration::from_secs(15);
/// How much of a refusal is read, in bytes.
const READ: usize = 4096;
/// How much of a reason is kept, in characters.
const SHOWN: usize = 300;

/// Tells what is due.
///
/// # Errors
/// The first [`Fault`] there was; what could not be told stays due.
pub async fn tell(app: &App) -> Result<(), Fault> {
    let now = app.clock.now();
    let due = app
        .store
        .read(move |tx| Box::pin(logouts::due(tx, now, BATCH)))
        .await?;
    let mut by_client: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
    for waiting in due {
        let theirs = by_client.entry(waiting.client_id.clone()).or_default();
        theirs.push(waiting);
    }
    let rounds = by_client.into_iter().filter_map(|(id, waiting)| {
        // One that this node does not know yet, or not any more, is left for another tick.
        let client = app.registry.client(&id)?;
        let uri = client.metadata.backchannel_logout_uri.clone()?;
        Some(Round::new(app, client, uri).run(waiting))
    });
    let rounds: Vec<_> = rounds.collect();
    stream::iter(rounds)
        .buffer_unordered(CLIENTS)
        .fold(Ok(()), async |first, round| first.and(round))
        .await
}

/// How telling a client goes; none when it does not want to know.
///
/// # Errors
/// [`Fault`].
pub async fn standing(app: &App, client: &str) -> Result<Option<Standing>, Fault> {
    let client = client.to_owned();
    app.store
        .read(move |tx| Box::pin(async move { logouts::standing(tx, &client).await }))
        .await
}

/// The messages to one client in one tick.
struct Round<'a> {
    app: &'a App,
    client: Arc<Client>,
    uri: String,
    unreachable: AtomicBool,
    began: Duration,
}

impl<'a> Round<'a> {
    fn new(app: &'a App, client: Arc<Client>, uri: String) -> Self {
        Self {
            app,
            client,
            uri,
            unreachable: AtomicBool::new(false),
            began: app.clock.monotonic(),
        }
    }

    async fn run(self, waiting: Vec<Waiting>) -> Result<(), Fault> {
        let told: Vec<_> = waiting.into_iter().map(|found| self.one(found)).collect();
        let outcome = stream::iter(told)
            .buffer_unordered(EACH)
            .fold(Ok(()), async |first, one| first.and(one))
            .await;
        if !self.unreachable.load(Ordering::Relaxed) {
            return outcome;
        }
        let (client, now) = (self.client.id.clone(), self.app.clock.now());
        let until = now.plus(PAUSE);
        let paused = self
            .app
            .store
            .write(move |tx| {
                Box::pin(async move { logouts::postpone(tx, &client, now, until).await })
            })
            .await;
        outcome.and(paused)
    }

    async fn one(&self, found: Waiting) -> Result<(), Fault> {
        let late = self.app.clock.monotonic().saturating_sub(self.began) > BUDGET;
        if late || self.unreachable.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = self.app.clock.now();
        let until = now.plus(LEASE);
        let leased = self
            .app
            .store
            .write(move |tx| Box::pin(outbox::lease(tx, found, (now, until))))
            .await?;
        let Some(leased) = leased else {
            return Ok(());
        };
        let failure = self.call(&leased).await?;
        self.settle(leased, failure).await
    }

    /// Calls the client; gives what went wrong, and whether to try again.
    async fn call(&self, leased: &Waiting) -> Result<Option<(Told, String)>, Fault> {
        let token = self.token(leased).await?;
        let form = [("logout_token", token.expose())];
        let answer = match self.app.outbound.post_form(&self.uri, &form).await {
            Ok(answer) => answer,
            Err(why) => {
                self.unreachable.store(true, Ordering::Relaxed);
                return Ok(Some((Told::NotYet, describe(&why))));
            }
        };
        let status = answer.status;
        Ok(match backchannel::told(status) {
            Told::Done => None,
            Told::Refused => {
                let code = error_code(&answer.beginning(READ).await);
                let code = code.map_or_else(String::new, |code| format!(": {code}"));
                Some((Told::Refused, format!("answered {status}{code}")))
            }
            Told::NotYet => Some((Told::NotYet, format!("answered {status}"))),
        })
    }

    async fn token(&self, leased: &Waiting) -> Result<crate::secret::Secret, Fault> {
        let now = self.app.clock.now();
        let subject = self.app.subject(&self.client, leased.user_id);
        let sid = self.app.sid(&self.client, leased.session_id);
        let token = LogoutToken {
            issuer: self.app.config.issuer.as_str(),
            client_id: &self.client.id,
            subject: &subject,
            sid: &sid,
            id: rng::uuid(now)?,
        };
        // §2.6: signed as the client's ID tokens are.
        let alg = self.client.id_token_signed_response_alg;
        sign(self.app, alg, Some(backchannel::TYP), token.claims(now)).await
    }

    async fn settle(&self, leased: Waiting, failure: Option<(Told, String)>) -> Result<(), Fault> {
        let now = self.app.clock.now();
        let ended = match failure {
            None => Ended::Told,
            Some((Told::Refused, why)) => Ended::Never(why),
            Some((_, why)) => match backchannel::next_try(leased.attempts, leased.ended_at, now) {
                Some(at) => Ended::Again(at, why),
                None => Ended::Never(why),
            },
        };
        let event = match &ended {
            Ended::Told => Some((Kind::LogoutTold, None)),
            Ended::Again(..) => None,
            Ended::Never(why) => Some((Kind::LogoutNotTold, Some(why.clone()))),
        };
        let caller = Caller::default();
        let event = match event {
            None => None,
            Some((kind, why)) => {
                let mut event = self
                    .app
                    .event(kind, &caller)?
                    .by(Actor::Server)
                    .client(self.client.id.as_str())
                    .subject(leased.user_id)
                    .session(leased.session_id)
                    .with("attempts", leased.attempts);
                if let Some(why) = why {
                    event = event.refused("not_told").with("why", why);
                }
                Some(self.app.pending(event, &caller, None)?)
            }
        };
        self.app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    if logouts::settle(tx, &leased, &ended, now).await?
                        && let Some(event) = event
                    {
                        tx.record(event);
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// The code of a refusal (Back-Channel Logout §2.8). Nothing else of it is kept: what a client writes
/// there may name a person.
fn error_code(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = body.get("error")?.as_str()?;
    let is_code =
        (1..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_code.then(|| code.to_owned())
}

/// Short and harmless to show.
fn describe(why: &Unreached) -> String {
    let text = why.to_string();
    let shown = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN);
    shown.collect()
}
