//! What happened in a person's account, for her to read.

use std::time::Duration;

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;
use uuid::Uuid;

use super::sessions::SignedIn;
use crate::app::App;
use crate::fault::Fault;
use crate::store::Tx;
use crate::store::audit::{self, Recorded, Span};
use crate::store::users::User;
use crate::vault::PersonKeys;

/// How far back a person looks.
const REACH: Duration = Duration::from_hours(90 * 24);

/// How many entries one page has.
pub const PAGE: u32 = 20;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The event's identifier.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: Kind,
    /// Who did it.
    pub by: By,
    /// The app it concerns (`client_id`).
    pub client: Option<String>,
    /// The scopes it concerns, space-delimited.
    pub scope: Option<String>,
    /// Whether it concerns every session.
    pub everywhere: bool,
    /// Whether it concerns where she is written to.
    pub address_changed: bool,
    /// The `User-Agent` it was done with.
    pub agent: Option<String>,
    /// The network address it came from.
    pub address: Option<String>,
}

/// Who did something, as the person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Somebody signed in as her.
    Her,
    /// The institution.
    Us,
    /// Nobody who is known.
    Somebody,
}

/// One page, newest first.
pub struct Page {
    /// At most [`PAGE`].
    pub entries: Vec<Entry>,
    /// Where the next older page begins.
    pub older: Option<Uuid>,
}

/// What happened before `before`, or lately.
pub async fn page(app: &App, held: &SignedIn, before: Option<Uuid>) -> Result<Page, Fault> {
    let mut entries = load(app, held, before, PAGE + 1).await?;
    let more = entries.len() > PAGE as usize;
    entries.truncate(PAGE as usize);
    let older = entries.last().map(|entry| entry.id).filter(|_| more);
    Ok(Page { entries, older })
}

/// The newest few.
pub async fn newest(app: &App, held: &SignedIn, limit: u32) -> Result<Vec<Entry>, Fault> {
    load(app, held, None, limit).await
}

/// One of hers.
pub async fn entry(app: &App, held: &SignedIn, id: Uuid) -> Result<Option<Entry>, Fault> {
    let just_after = Uuid::from_u128(id.as_u128().saturating_add(1));
    let found = load(app, held, Some(just_after), 1).await?;
    Ok(found.into_iter().find(|entry| entry.id == id))
}

async fn load(
    app: &App,
    held: &SignedIn,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Entry>, Fault> {
    let span = span(app, before, limit);
    let user = held.user.id;
    let recorded = app
        .store
        .read(move |tx| Box::pin(audit::of_subject(tx, user, span)))
        .await?;
    let read = |recorded| read(recorded, &held.user.keys);
    Ok(recorded.into_iter().map(read).collect())
}

/// The newest few of somebody, within a transaction.
pub(super) async fn of(
    app: &App,
    tx: &mut Tx,
    user: &User,
    limit: u32,
) -> Result<Vec<Entry>, Fault> {
    let recorded = audit::of_subject(tx, user.id, span(app, None, limit)).await?;
    let read = |recorded| read(recorded, &user.keys);
    Ok(recorded.into_iter().map(read).collect())
}

fn span(app: &App, before: Option<Uuid>, limit: u32) -> Span {
    Span {
        since: app.clock.now().minus(REACH),
        before,
        limit,
    }
}

fn read(recorded: Recorded, keys: &PersonKeys) -> Entry {
    let personal = recorded.personal(keys).unwrap_or_default();
    let event = recorded.event;
    let scope = event.detail.get("scope").and_then(|scope| scope.as_str());
    let changed = event.detail.get("changed").and_then(|names| names.as_str());
    let mut changed = changed.unwrap_or_default().split(' ');
    Entry {
        id: event.id,
        at: event.at,
        kind: event.kind,
        by: match event.actor {
            Actor::User(id) if event.subject == Some(id) => By::Her,
            Actor::Operator | Actor::Server => By::Us,
            Actor::User(_) | Actor::Client(_) | Actor::Anonymous => By::Somebody,
        },
        client: event.client,
        scope: scope.map(str::to_owned),
        address_changed: changed.any(|name| name == "email"),
        everywhere: event.detail.contains_key("ended_sessions"),
        agent: personal.user_agent,
        address: personal.address,
    }
}
