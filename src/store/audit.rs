//! Audit events. They commit with the change they record, or are appended before the answer leaves.

use std::sync::LazyLock;

use rules::audit::{Event, Kind, Personal};
use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Tx;
pub use super::audit_list::{Filter, list};
use super::mails::NewMail;
use super::postgres::Pg;
use super::sql::{Conn, Sql, Value};
use crate::fault::Fault;
use crate::rng;
use crate::vault::{Cell, KeyUse, PersonKeys, Vault};

const INSERT: Sql = Sql(
    "INSERT INTO audit_events (id, at, kind, subject, leaf, personal) VALUES ($1, $2, $3, $4, $5, $6)",
);

/// An event ready to be written.
#[derive(Debug)]
pub struct PendingEvent {
    event: Event,
    personal: Option<Vec<u8>>,
    mails: Vec<NewMail>,
}

/// Under whose key personal fields lie.
#[derive(Clone, Copy)]
pub enum Sealer<'a> {
    /// The person's own.
    Person(&'a PersonKeys),
    /// The institution's, for events that name no person.
    Institution(&'a Vault),
}

#[derive(Serialize, Deserialize)]
struct Opened {
    salt: [u8; 16],
    personal: Personal,
}

impl PendingEvent {
    /// An event, with its personal fields committed to and sealed.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn new(mut event: Event, personal: Personal, sealer: Sealer<'_>) -> Result<Self, Fault> {
        if personal.is_empty() {
            return Ok(Self {
                event,
                personal: None,
                mails: Vec::new(),
            });
        }
        let salt = rng::bytes()?;
        event.commitment = Some(personal.commit(salt));
        let plain = serde_json::to_vec(&Opened { salt, personal })
            .map_err(|error| Fault::Internal(error.to_string()))?;
        let cell = personal_cell(&event.id);
        let envelope = match sealer {
            Sealer::Person(keys) => keys.seal_activity(cell, &plain)?,
            Sealer::Institution(vault) => vault.seal(KeyUse::Activity, cell, &plain)?,
        };
        Ok(Self {
            event,
            personal: Some(envelope),
            mails: Vec::new(),
        })
    }
}

impl PendingEvent {
    /// The event's identifier.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.event.id
    }

    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.event.at
    }

    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.event.kind
    }

    /// Lets a person be told of it by mail, when it commits.
    #[must_use]
    pub fn mailed(mut self, mail: Option<NewMail>) -> Self {
        self.mails.extend(mail);
        self
    }

    /// Whether a mail is written with it.
    #[must_use]
    pub fn is_mailed(&self) -> bool {
        !self.mails.is_empty()
    }

    /// Lets nobody be told of it: something else tells the same.
    #[must_use]
    pub fn untold(mut self) -> Self {
        self.mails.clear();
        self
    }

    /// Takes the mails out, with the event and the time that they tell of.
    pub(super) fn take_mails(&mut self) -> Vec<(NewMail, (Uuid, Timestamp))> {
        let about = (self.event.id, self.event.at);
        let mails = self.mails.drain(..);
        mails.map(|mail| (mail, about)).collect()
    }

    /// Names the client it concerns, when that is only known inside the transaction.
    #[must_use]
    pub fn client(mut self, client: String) -> Self {
        self.event.client = Some(client);
        self
    }

    /// Names what was changed, when that is only known inside the transaction: names of fields,
    /// never what they hold.
    #[must_use]
    pub fn changed(mut self, fields: &[String]) -> Self {
        self.event = self.event.with("changed", fields.join(" "));
        self
    }

    /// Adds a detail that is only known inside the transaction; never a personal field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.event = self.event.with(name, value);
        self
    }
}

fn personal_cell(id: &Uuid) -> Cell<'_> {
    Cell::new("audit_events", "personal", id.as_bytes())
}

impl Tx {
    /// Records an event with this transaction.
    pub fn record(&mut self, event: PendingEvent) {
        self.events.push(event);
    }
}

/// Appends events, in as few statements as can be.
pub(super) async fn insert(conn: &mut Conn, events: Vec<PendingEvent>) -> Result<(), Fault> {
    if let Conn::Postgres(conn) = conn
        && events.len() > 1
    {
        return insert_many(conn, events).await;
    }
    let mut events = events.into_iter();
    while events.len() > 0 {
        let (size, sql) = statement(events.len());
        let mut values = Vec::with_capacity(COLUMNS * size);
        for PendingEvent {
            event, personal, ..
        } in events.by_ref().take(size)
        {
            let leaf = event.leaf_bytes();
            let kind = event.kind.as_str();
            let own: [Value; COLUMNS] = [
                event.id.into(),
                event.at.into(),
                kind.into(),
                event.subject.into(),
                leaf.into(),
                personal.into(),
            ];
            values.extend(own);
        }
        conn.execute(sql, values).await?;
    }
    Ok(())
}

/// The columns of an event.
const COLUMNS: usize = 6;
/// How many events one statement inserts, at most.
pub(super) const AT_ONCE: usize = 64;

/// The smallest statement that inserts `count` events, or the largest there is. What is not bound
/// is NULL, and left out: so that few statements are prepared, each once.
fn statement(count: usize) -> (usize, Sql) {
    static MANY: LazyLock<[(usize, Sql); 3]> = LazyLock::new(|| {
        [4, 16, AT_ONCE].map(|size| {
            let row = |n: usize| {
                let columns: Vec<_> = (1..=COLUMNS)
                    .map(|column| format!("${}", n * COLUMNS + column))
                    .collect();
                format!("({})", columns.join(", "))
            };
            let rows: Vec<_> = (0..size).map(row).collect();
            let sql = format!(
                "INSERT INTO audit_events (id, at, kind, subject, leaf, personal) SELECT * FROM \
                 (VALUES {}) WHERE column1 IS NOT NULL",
                rows.join(", ")
            );
            (size, Sql(String::leak(sql)))
        })
    });
    if count == 1 {
        return (1, INSERT);
    }
    let fits = MANY.iter().find(|(size, _)| count <= *size);
    fits.copied().unwrap_or(MANY[MANY.len() - 1])
}

/// Appends many with one statement.
pub(super) async fn insert_many(conn: &mut Pg, pending: Vec<PendingEvent>) -> Result<(), Fault> {
    const INSERT_MANY: &str = "INSERT INTO audit_events (id, at, kind, subject, leaf, personal) \
        SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[])";
    let mut ids = Vec::with_capacity(pending.len());
    let mut times = Vec::with_capacity(pending.len());
    let mut kinds = Vec::with_capacity(pending.len());
    let mut subjects = Vec::with_capacity(pending.len());
    let mut leaves = Vec::with_capacity(pending.len());
    let mut personals = Vec::with_capacity(pending.len());
    for PendingEvent {
        event, personal, ..
    } in pending
    {
        ids.push(event.id.as_bytes().to_vec());
        times.push(event.at.millis());
        kinds.push(event.kind.as_str());
        subjects.push(event.subject.map(|id| id.as_bytes().to_vec()));
        leaves.push(event.leaf_bytes());
        personals.push(personal);
    }
    let insert = sqlx::query(INSERT_MANY)
        .bind(ids)
        .bind(times)
        .bind(kinds)
        .bind(subjects)
        .bind(leaves)
        .bind(personals)
        .persistent(conn.prepares());
    conn.asks();
    let answer = tokio::time::timeout(conn.patience(), insert.execute(&mut **conn)).await;
    conn.heard(answer).map(drop)
}

/// The newest events, newest first, as their exact bytes.
pub async fn newest(tx: &mut Tx, limit: u32) -> Result<Vec<Vec<u8>>, Fault> {
    const NEWEST: Sql = Sql("SELECT leaf FROM audit_events ORDER BY id DESC LIMIT $1");
    let rows = tx.all(NEWEST, vec![limit.into()]).await?;
    rows.iter().map(|row| row.bytes(0)).collect()
}

/// An event of a person, for her to read.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What happened.
    pub event: Event,
    /// Its sealed personal fields.
    personal: Option<Vec<u8>>,
}

impl Recorded {
    /// From where it was done, when that lies under her key: what others did lies under theirs, or
    /// the institution's.
    #[must_use]
    pub fn personal(&self, keys: &PersonKeys) -> Option<Personal> {
        let sealed = self.personal.as_ref()?;
        let plain = keys
            .open_activity(personal_cell(&self.event.id), sealed)
            .ok()?;
        let opened = serde_json::from_slice::<Opened>(&plain).ok()?;
        Some(opened.personal)
    }
}

/// One event, by its identifier.
pub async fn one(tx: &mut Tx, id: Uuid) -> Result<Option<Recorded>, Fault> {
    const ONE: Sql = Sql("SELECT leaf, personal FROM audit_events WHERE id = $1");
    let row = tx.optional(ONE, vec![id.into()]).await?;
    row.map(|row| {
        let event = Event::parse(&row.bytes(0)?);
        Ok(Recorded {
            event: event
                .map_err(|error| Fault::Unreadable(format!("audit event {id}: {error}")))?,
            personal: row.opt_bytes(1)?,
        })
    })
    .transpose()
}

/// The identifiers of the events about a person of which no mail could tell her, since a moment.
pub async fn untold(tx: &mut Tx, user: Uuid, since: Timestamp) -> Result<Vec<Uuid>, Fault> {
    const UNTOLD: Sql = Sql("SELECT leaf FROM audit_events \
         WHERE subject = $1 AND id >= $2 AND kind NOT IN ('token.issued', 'token.refreshed') \
         AND kind = 'mail.not_sent' ORDER BY id DESC LIMIT 100");
    let values = vec![user.into(), first_of(since).into()];
    let rows = tx.all(UNTOLD, values).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let event = Event::parse(&row.bytes(0)?)
            .map_err(|_| Fault::Unreadable("audit_events.leaf".to_owned()))?;
        let about = event.detail.get("event").and_then(|id| id.as_str());
        events.extend(about.and_then(|id| Uuid::try_parse(id).ok()));
    }
    Ok(events)
}

/// Which events of a person.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// None before this moment.
    pub since: Timestamp,
    /// Only those before this one.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

/// The kinds of events that a person is told of; the rest is talk between machines.
pub const TOLD: [Kind; 34] = [
    Kind::UserInvited,
    Kind::UserActivated,
    Kind::UserChanged,
    Kind::UserDisabled,
    Kind::UserEnabled,
    Kind::UserDisputed,
    Kind::AddressAsked,
    Kind::AddressConfirmed,
    Kind::PasswordChanged,
    Kind::PasswordEnded,
    Kind::RecoveryCodeUsed,
    Kind::RecoveryCodesReplaced,
    Kind::PasskeyAdded,
    Kind::PasskeyRemoved,
    Kind::PasskeyBlocked,
    Kind::AppReplaced,
    Kind::UpstreamLinked,
    Kind::UpstreamUnlinked,
    Kind::RecoveryBegun,
    Kind::RecoveryApproved,
    Kind::RecoveryCancelled,
    Kind::RecoveryFinished,
    Kind::DataExported,
    Kind::CloseAsked,
    Kind::CloseTakenBack,
    Kind::ConfirmationRefused,
    Kind::SignInSucceeded,
    Kind::SignInRefused,
    Kind::SessionEnded,
    Kind::ConsentGiven,
    Kind::ConsentRefused,
    Kind::GrantRevoked,
    Kind::CodeReplayed,
    Kind::RefreshReused,
];

const OF_SUBJECT: Sql = Sql(
    "SELECT leaf, personal FROM audit_events WHERE subject = $1 AND id > $2 AND id < $3 \
     AND kind IN ('user.invited', 'user.activated', 'user.changed', 'user.disabled', 'user.enabled', \
     'user.disputed', 'address.asked', 'address.confirmed', 'password.changed', 'password.ended', 'recovery_code.used', \
     'recovery_codes.replaced', 'passkey.added', 'passkey.removed', 'passkey.blocked', \
     'authenticator_app.replaced', 'upstream.linked', 'upstream.unlinked', 'recovery.begun', 'recovery.approved', 'recovery.cancelled', \
     'recovery.finished', 'data.exported', 'close.asked', 'close.taken_back', 'confirmation.refused', 'sign_in.succeeded', \
     'sign_in.refused', 'session.ended', 'consent.given', 'consent.refused', 'grant.revoked', \
     'code.replayed', 'refresh.reused') ORDER BY id DESC LIMIT $4",
);

/// What happened to a person, newest first; of [`TOLD`] only.
pub async fn of_subject(tx: &mut Tx, subject: Uuid, span: Span) -> Result<Vec<Recorded>, Fault> {
    let values = vec![
        subject.into(),
        first_of(span.since).into(),
        span.before.unwrap_or(Uuid::max()).into(),
        span.limit.into(),
    ];
    let rows = tx.all(OF_SUBJECT, values).await?;
    rows.iter()
        .map(|row| {
            let leaf = row.bytes(0)?;
            let event = Event::parse(&leaf)
                .map_err(|_| Fault::Unreadable("audit_events.leaf".to_owned()))?;
            let personal = row.opt_bytes(1)?;
            Ok(Recorded { event, personal })
        })
        .collect()
}

/// The least identifier that an event of this moment can have (`UUIDv7`, RFC 9562 §5.7).
pub(super) fn first_of(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// Events not yet in the tree, oldest first: `(id, exact bytes)`.
pub async fn unsealed(tx: &mut Tx, limit: u32) -> Result<Vec<(Uuid, Vec<u8>)>, Fault> {
    const UNSEALED: Sql = Sql(
        "SELECT u.id, e.leaf FROM audit_unsealed u JOIN audit_events e ON e.id = u.id \
         ORDER BY u.id LIMIT $1",
    );
    let rows = tx.all(UNSEALED, vec![limit.into()]).await?;
    rows.iter()
        .map(|row| Ok((row.uuid(0)?, row.bytes(1)?)))
        .collect()
}

/// Makes events leaves, numbered from `first`. False when one of them was sealed already; then the
/// transaction must not commit.
pub async fn seal(tx: &mut Tx, first: i64, leaves: &[(Uuid, [u8; 32])]) -> Result<bool, Fault> {
    const TAKE: Sql = Sql("DELETE FROM audit_unsealed WHERE id = $1");
    const LEAF: Sql = Sql("INSERT INTO audit_leaves (n, id, hash) VALUES ($1, $2, $3)");
    let mut n = first;
    let (many, few) = leaves.as_chunks::<AT_ONCE>();
    for chunk in many {
        let (take, insert) = *BULK;
        let ids = chunk.iter().map(|(id, _)| (*id).into()).collect();
        if tx.execute(take, ids).await? != AT_ONCE as u64 {
            return Ok(false);
        }
        let mut values = Vec::with_capacity(3 * AT_ONCE);
        for (id, hash) in chunk {
            values.extend([n.into(), (*id).into(), (*hash).into()]);
            n += 1;
        }
        tx.execute(insert, values).await?;
    }
    for (id, hash) in few {
        if tx.execute(TAKE, vec![(*id).into()]).await? == 0 {
            return Ok(false);
        }
        let values = vec![n.into(), (*id).into(), (*hash).into()];
        tx.execute(LEAF, values).await?;
        n += 1;
    }
    Ok(true)
}

/// The statements of [`seal`], [`AT_ONCE`] rows each.
static BULK: LazyLock<(Sql, Sql)> = LazyLock::new(|| {
    let numbers: Vec<String> = (1..=AT_ONCE).map(|n| format!("${n}")).collect();
    let rows: Vec<String> = (0..AT_ONCE)
        .map(|row| format!("(${}, ${}, ${})", 3 * row + 1, 3 * row + 2, 3 * row + 3))
        .collect();
    let take = format!(
        "DELETE FROM audit_unsealed WHERE id IN ({})",
        numbers.join(", ")
    );
    let insert = format!(
        "INSERT INTO audit_leaves (n, id, hash) VALUES {}",
        rows.join(", ")
    );
    (Sql(String::leak(take)), Sql(String::leak(insert)))
});

/// The newest checkpoint: `(size, frontier, signed note)`.
pub async fn checkpoint(tx: &mut Tx) -> Result<Option<(i64, Vec<u8>, String)>, Fault> {
    const NEWEST: Sql =
        Sql("SELECT size, frontier, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1");
    let row = tx.optional(NEWEST, vec![]).await?;
    row.map(|row| Ok((row.int(0)?, row.bytes(1)?, row.text(2)?)))
        .transpose()
}

/// Stores a checkpoint.
pub async fn insert_checkpoint(
    tx: &mut Tx,
    size: i64,
    frontier: Vec<u8>,
    note: String,
    now: Timestamp,
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO audit_checkpoints (size, frontier, note, created_at) VALUES ($1, $2, $3, $4)",
    );
    let values = vec![size.into(), frontier.into(), note.into(), now.into()];
    tx.execute(INSERT, values).await.map(drop)
}

/// Every leaf in order, with its event's bytes where the event is still kept:
/// `(n, hash, leaf bytes)`.
pub async fn leaves(
    tx: &mut Tx,
    from: i64,
    limit: u32,
) -> Result<Vec<(i64, Vec<u8>, Option<Vec<u8>>)>, Fault> {
    const LEAVES: Sql = Sql(
        "SELECT l.n, l.hash, e.leaf FROM audit_leaves l LEFT JOIN audit_events e ON e.id = l.id \
         WHERE l.n >= $1 ORDER BY l.n LIMIT $2",
    );
    let rows = tx.all(LEAVES, vec![from.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.bytes(1)?, row.opt_bytes(2)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_names_every_kind_that_is_told_and_no_other() {
        let (_, list) = OF_SUBJECT.0.split_once(" AND kind IN (").unwrap();
        let named = Kind::ALL
            .iter()
            .filter(|kind| list.contains(&format!("'{kind}'")));
        let mut named: Vec<_> = named.map(|kind| kind.as_str()).collect();
        let mut told: Vec<_> = TOLD.iter().map(|kind| kind.as_str()).collect();
        named.sort_unstable();
        told.sort_unstable();
        assert_eq!(named, told);
    }
}
