//! Telling people by mail. What to tell was written down with the event that it tells of; here it is
//! composed, in the person's language and to the address that was written down with it or else her address
//! of now, and handed to the mail server: once
//! if all goes well, and again, with the same `Message-ID`, if not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rules::audit::{Actor, Kind};
use rules::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{AdminFailure, Caller};
use crate::app::App;
use crate::fault::Fault;
use crate::mail::{self, Facts, Letter, Mailer, Notice, Unsent};
use crate::rng;
use crate::store::audit::{self, PendingEvent, Recorded};
use crate::store::mails::{self, Content, NewMail, Waiting};
use crate::store::outbox;
use crate::store::users::{self, User};
use crate::words::Lang;

/// How much is looked at in one tick.
const BATCH: u32 = 64;
/// How many letters are on their way at once.
const AT_ONCE: usize = 4;
/// How long a try is this server's own: longer than one may take.
const LEASE: Duration = Duration::from_mins(5);
/// After which time a tick begins no more.
const BUDGET: Duration = Duration::from_secs(20);

impl App {
    /// Lets a person be told of an event by mail, when mail is sent at all; nobody, by the nil identifier.
    pub(super) fn told(&self, event: PendingEvent, user: Uuid) -> PendingEvent {
        debug_assert!(user.is_nil() || mail::may_tell(event.kind()), "no words");
        let mail = self.config.mail.as_ref().map(|_| NewMail {
            id: event.id(),
            user_id: user,
            content: None,
        });
        event.mailed(mail)
    }
}

/// Lets a person be told of an event by mail, when mail `is_sent` at all: at the address that she has now,
/// whatever becomes of it before the mail goes, and at those that it replaced lately. For what lets somebody
/// in: whoever changed the address may be the one to be let in.
pub(super) fn told_now(
    is_sent: bool,
    mut event: PendingEvent,
    user: Option<&User>,
    content: Option<&Content>,
) -> Result<PendingEvent, Fault> {
    debug_assert!(mail::may_tell(event.kind()), "no words");
    let Some(user) = user.filter(|_| is_sent) else {
        return Ok(event);
    };
    let lately = user.profile.lately(event.at());
    let former = lately.map(|one| one.address.as_str());
    let mut addresses: Vec<&str> = user.profile.address().into_iter().chain(former).collect();
    addresses.sort_unstable();
    addresses.dedup();
    for address in addresses {
        let id = if event.is_mailed() {
            rng::uuid(event.at())?
        } else {
            event.id()
        };
        let content = Content {
            to: Some(address.to_owned()),
            ..content.cloned().unwrap_or_default()
        };
        event = event.mailed(Some(NewMail::with((id, user.id), &content, &user.keys)?));
    }
    Ok(event)
}

/// How it went, in one tick.
#[derive(Default)]
struct Counts {
    sent: AtomicU32,
    nothing: AtomicU32,
    later: AtomicU32,
    never: AtomicU32,
}

/// Sends what is due.
///
/// # Errors
/// The first [`Fault`] there was; what could not be sent stays due.
pub async fn send(app: &App) -> Result<(), Fault> {
    let Some(mailer) = &app.mailer else {
        return Ok(());
    };
    let now = app.clock.now();
    if !mailer.is_ready(now) {
        return Ok(());
    }
    let due = app
        .store
        .read(move |tx| Box::pin(mails::due(tx, now, BATCH)))
        .await?;
    if due.is_empty() {
        return Ok(());
    }
    let round = Round {
        app,
        mailer,
        began: app.clock.monotonic(),
        counts: Counts::default(),
    };
    let sending: Vec<_> = due.into_iter().map(|found| round.one(found)).collect();
    let outcome = stream::iter(sending)
        .buffer_unordered(AT_ONCE)
        .fold(Ok(()), async |first, one| first.and(one))
        .await;
    let count = |number: &AtomicU32| number.load(Ordering::Relaxed);
    tracing::info!(
        mail.sent = count(&round.counts.sent),
        mail.nothing = count(&round.counts.nothing),
        mail.later = count(&round.counts.later),
        mail.never = count(&round.counts.never),
        "mail"
    );
    outcome
}

struct Round<'a> {
    app: &'a App,
    mailer: &'a Mailer,
    began: Duration,
    counts: Counts,
}

/// What becomes of a leased mail.
enum Outcome {
    Sent,
    /// There is nobody, no address or nothing to tell (any more).
    Nothing,
    Later(Timestamp),
    Never(String),
}

impl Round<'_> {
    async fn one(&self, found: Waiting) -> Result<(), Fault> {
        let (app, now) = (self.app, self.app.clock.now());
        let late = app.clock.monotonic().saturating_sub(self.began) > BUDGET;
        if late || !self.mailer.is_ready(now) {
            return Ok(());
        }
        let until = now.plus(LEASE);
        let leased = app
            .store
            .write(move |tx| Box::pin(outbox::lease(tx, found, (now, until))))
            .await?;
        let Some(leased) = leased else {
            return Ok(());
        };
        let outcome = match letter(app, &leased).await {
            Ok(Written::Nothing) => Outcome::Nothing,
            Ok(Written::NoWords) => Outcome::Never("there are no words for it".to_owned()),
            // It would be so the next time, and all the others wait behind it.
            Err(Fault::Unreadable(what)) => Outcome::Never(format!("it cannot be read: {what}")),
            Err(fault) => return Err(fault),
            Ok(Written::Letter(letter)) => match self.mailer.send(&letter, now).await {
                Ok(()) => Outcome::Sent,
                Err(why) => self.failed(&leased, &why),
            },
        };
        let (count, event) = match &outcome {
            Outcome::Sent => (&self.counts.sent, None),
            Outcome::Nothing => (&self.counts.nothing, None),
            Outcome::Later(_) => (&self.counts.later, None),
            Outcome::Never(why) => (&self.counts.never, Some(self.given_up(&leased, why)?)),
        };
        count.fetch_add(1, Ordering::Relaxed);
        app.store
            .write(move |tx| {
                Box::pin(async move {
                    let again = match outcome {
                        Outcome::Later(at) => Some(at),
                        _ => None,
                    };
                    // Whoever has it by now writes down what becomes of it.
                    if outbox::settle(tx, &leased, again).await?
                        && let Some(event) = event
                    {
                        tx.record(event);
                    }
                    Ok(())
                })
            })
            .await
    }

    fn failed(&self, leased: &Waiting, why: &Unsent) -> Outcome {
        tracing::warn!(mail.failure = %why, "a mail was not taken");
        let now = self.app.clock.now();
        let again = match why {
            Unsent::Refused(_) => None,
            Unsent::NotNow(_) | Unsent::Broken(_) | Unsent::Unreachable(_) => {
                mail::next_try(leased.attempts, leased.created_at, now)
            }
        };
        again.map_or_else(|| Outcome::Never(why.to_string()), Outcome::Later)
    }

    fn given_up(&self, leased: &Waiting, why: &str) -> Result<PendingEvent, Fault> {
        let caller = Caller::default();
        let event = self
            .app
            .event(Kind::MailNotSent, &caller)?
            .by(Actor::Server)
            .subject(leased.user_id)
            .with("event", leased.event_id.to_string())
            .with("attempts", leased.attempts)
            .refused("not_taken")
            .with("why", why);
        self.app.pending(event, &caller, None)
    }
}

/// What comes of a mail that is to be written.
enum Written {
    Letter(Box<Letter>),
    /// There is nobody, no address, or nothing to tell (any more).
    Nothing,
    /// Nobody knows how to say it.
    NoWords,
}

/// Writes the letter.
async fn letter(app: &App, leased: &Waiting) -> Result<Written, Fault> {
    let (user, event) = (leased.user_id, leased.event_id);
    let found = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let user = users::find(tx, user).await?;
                Ok((user, audit::one(tx, event).await?))
            })
        })
        .await?;
    let (Some(user), Some(recorded)) = found else {
        return Ok(Written::Nothing);
    };
    let content = leased.content(&user.keys)?;
    let until = content.until.map(Timestamp::from_millis);
    let over = content.link.is_some() && until.is_some_and(|until| app.clock.now() >= until);
    let to = content.to.as_deref().or_else(|| user.profile.address());
    let Some(address) = to.filter(|_| !over).map(str::to_owned) else {
        return Ok(Written::Nothing);
    };
    let at = recorded.event.at;
    let name = content.name.clone();
    let name = name.unwrap_or_else(|| user.profile.display_name().to_owned());
    let Some(notice) = notice(app, (&user, &name), recorded, content) else {
        return Ok(Written::NoWords);
    };
    Ok(Written::Letter(Box::new(Letter {
        id: leased.id,
        at,
        name,
        address,
        notice,
    })))
}

fn notice(
    app: &App,
    (user, name): (&User, &str),
    recorded: Recorded,
    content: Content,
) -> Option<Notice> {
    let personal = recorded.personal(&user.keys).unwrap_or_default();
    let event = recorded.event;
    let institution = &app.config.institution;
    let registered = app.registry.now();
    let app_name = event.client.as_deref().map(|id| {
        let client = registered.client(id);
        client.map_or_else(|| id.to_owned(), |client| client.name.clone())
    });
    let locale = user.profile.claims.get("locale").and_then(Value::as_str);
    let locale = content.locale.as_deref().or(locale);
    let lang = locale
        .and_then(Lang::of)
        .filter(|lang| institution.languages.contains(lang));
    mail::compose(&Facts {
        kind: event.kind,
        say: lang.unwrap_or(institution.language).words(),
        institution,
        issuer: app.config.issuer.as_str(),
        name: name.to_owned(),
        stopped: event.detail.get("disabled") == Some(&Value::Bool(true)),
        at: event.at,
        agent: personal.user_agent,
        address: personal.address,
        app: app_name,
        link: content.link,
        until: content.until.map(Timestamp::from_millis),
    })
}

/// Sends a test mail at once, to whom the operator names.
///
/// # Errors
/// [`AdminFailure::Refused`], naming the setting and the remedy.
pub async fn test(app: &App, to: &str) -> Result<(), AdminFailure> {
    let refused = |why: String| Err(AdminFailure::Refused(why));
    let Some(mailer) = &app.mailer else {
        return refused(
            "mail is not configured; set [mail] host and from in the settings, and restart the server"
                .to_owned(),
        );
    };
    let now = app.clock.now();
    let institution = &app.config.institution;
    let say = institution.language.words();
    let letter = Letter {
        id: rng::uuid(now)?,
        at: now,
        name: String::new(),
        address: to.to_owned(),
        notice: mail::test_notice(say, institution),
    };
    let Err(why) = mailer.send_alone(&letter).await else {
        return Ok(());
    };
    refused(match why {
        Unsent::Refused(why) => format!(
            "the mail was refused: {why}; check the address, and that the mail server lets mail.from send"
        ),
        Unsent::NotNow(why) => format!(
            "the mail was not taken now: {why}; check that the mail server lets mail.from send, and read its \
             log"
        ),
        Unsent::Broken(why) | Unsent::Unreachable(why) => format!(
            "the mail was not sent: {why}; check mail.host, mail.port, mail.security, mail.username and \
             the password, and that this machine may connect there"
        ),
    })
}
