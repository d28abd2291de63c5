//! A person shows that she reads what is sent to her e-mail address: she opens a link that was mailed
//! there, once, signed in as herself. It confirms that very address, and never opens anything.

use std::time::Duration;

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Caller;
use super::sessions::SignedIn;
use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::rng;
use crate::secret::{Purpose, Token, TokenHash};
use crate::store::ceremonies::{self, Ceremony};
use crate::store::mails::{self, Content, NewMail};
use crate::store::users::{self, User};
use crate::store::{Tx, sessions};

/// Where the link leads; it stands in the query, so that a sign-in comes back with it.
pub const PAGE: &str = "/account/address";

const PURPOSE: &str = "address";
/// How many links a person may ask for within [`MEMORY`]: the address may be a stranger's.
const AT_MOST: usize = 5;
const MEMORY: Duration = Duration::from_hours(24);
/// How long she waits before she asks for another.
const APART: Duration = Duration::from_mins(2);

/// A link that was sent. It lies here for as long as links are counted.
#[derive(Serialize, Deserialize)]
struct Sent {
    /// The link's hash.
    link: [u8; 32],
    /// Where it went.
    address: String,
    /// Until when it is good.
    until: Timestamp,
    /// When links were asked for, this one last.
    asked: Vec<Timestamp>,
}

/// What came of asking for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is on its way; those from before are worth nothing.
    Sent,
    /// One was sent just now, or too many today.
    Lately,
    /// There is nothing to confirm.
    Nothing,
}

/// The address that she may confirm; none when it is confirmed, there is none, or no mail is sent.
#[must_use]
pub fn offered<'a>(app: &App, user: &'a User) -> Option<&'a str> {
    user.profile
        .unconfirmed()
        .filter(|_| app.config.mail.is_some())
}

/// Sends a link to the address of a signed-in person.
///
/// # Errors
/// [`Fault`].
pub async fn ask(app: &App, held: &SignedIn, caller: &Caller) -> Result<Asked, Fault> {
    if offered(app, &held.user).is_none() {
        return Ok(Asked::Nothing);
    }
    let (user, session, now) = (held.user.id, held.session.id, app.clock.now());
    let event = app.event(Kind::AddressAsked, caller)?;
    let event = event.by(Actor::User(user)).subject(user).session(session);
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    let token = Token::generate(Purpose::MailedLink)?;
    let link = app.config.issuer.at(PAGE);
    let link = format!("{link}?link={}", token.expose());
    let ceremony = waits(rng::uuid(now)?, user);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if !users::lock(tx, user).await? || !sessions::hold(tx, session).await? {
                    return Ok(Asked::Nothing);
                }
                let her = users::find(tx, user).await?;
                let address = her.as_ref().and_then(|her| her.profile.unconfirmed());
                let (Some(her), Some(address)) = (&her, address) else {
                    return Ok(Asked::Nothing);
                };
                let before = waiting(tx, user, now).await?;
                let mut asked = before.map_or_else(Vec::new, |(_, sent)| sent.asked);
                asked.retain(|at| now.since(*at) < MEMORY);
                let lately = asked.last().is_some_and(|at| now.since(*at) < APART);
                if lately || asked.len() >= AT_MOST {
                    return Ok(Asked::Lately);
                }
                asked.push(now);
                void(tx, user).await?;
                let until = now.plus(Lifetimes::ADDRESS_LINK);
                let sent = Sent {
                    link: *token.hash().as_bytes(),
                    address: address.to_owned(),
                    until,
                    asked,
                };
                ceremonies::begin(tx, ceremony, &sent, now.plus(MEMORY)).await?;
                let content = Content {
                    link: Some(link),
                    until: Some(until.millis()),
                    to: Some(sent.address),
                    ..Content::default()
                };
                let mail = NewMail::with((event.id(), user), &content, &her.keys)?;
                tx.record(event.mailed(Some(mail)));
                Ok(Asked::Sent)
            })
        })
        .await
}

/// The address that a link confirms, when the signed-in person opens it; nothing is spent.
///
/// # Errors
/// [`Fault`].
pub async fn look(app: &App, held: &SignedIn, link: &str) -> Result<Option<String>, Fault> {
    let (user, now) = (held.user.id, app.clock.now());
    let found = app
        .store
        .read(move |tx| Box::pin(waiting(tx, user, now)))
        .await?;
    let good = found.filter(|(_, sent)| sent.is_good(&held.user, link, now));
    Ok(good.map(|(_, sent)| sent.address))
}

/// Confirms the address that a link was sent to; false when it is over, spent, another person's, or when
/// she has another address by now.
///
/// # Errors
/// [`Fault`].
pub async fn confirm(
    app: &App,
    held: &SignedIn,
    link: &str,
    caller: &Caller,
) -> Result<bool, Fault> {
    let (user, session, now) = (held.user.id, held.session.id, app.clock.now());
    let event = app.event(Kind::AddressConfirmed, caller)?;
    let event = event.by(Actor::User(user)).subject(user).session(session);
    let event = app.pending(event, caller, Some(&held.user.keys))?;
    let link = link.to_owned();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if !users::lock(tx, user).await? || !sessions::hold(tx, session).await? {
                    return Ok(false);
                }
                let her = users::find(tx, user).await?;
                let found = waiting(tx, user, now).await?;
                let (Some(mut her), Some((id, sent))) = (her, found) else {
                    return Ok(false);
                };
                if !sent.is_good(&her, &link, now) {
                    return Ok(false);
                }
                let taken = ceremonies::take::<Sent>(tx, waits(id, user), now).await?;
                if taken.is_none() {
                    return Ok(false);
                }
                her.profile.confirm(now);
                users::change_profile(tx, &her, now).await?;
                tx.record(event);
                Ok(true)
            })
        })
        .await
}

/// Ends the link that was sent to an address, and the mail that brings it.
pub(super) async fn void(tx: &mut Tx, user: Uuid) -> Result<(), Fault> {
    ceremonies::end(tx, holder(user), PURPOSE).await?;
    mails::forget_links(tx, user).await
}

impl Sent {
    /// Whether this is the link, in time, to the address that she still has to confirm.
    fn is_good(&self, her: &User, link: &str, now: Timestamp) -> bool {
        TokenHash::from(self.link) == TokenHash::of(Purpose::MailedLink, link)
            && now < self.until
            && her.profile.unconfirmed() == Some(self.address.as_str())
    }
}

async fn waiting(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<Option<(Uuid, Sent)>, Fault> {
    ceremonies::waiting(tx, holder(user), PURPOSE, now).await
}

fn waits(id: Uuid, user: Uuid) -> Ceremony {
    Ceremony {
        id,
        holder: holder(user),
        purpose: PURPOSE,
    }
}

/// A person has one link at a time, whichever browser asked for it.
fn holder(user: Uuid) -> TokenHash {
    TokenHash::of(Purpose::Ceremony, &format!("person {user}"))
}
