//! Revocations and changes. A feed row commits together with what it tells of; `seq` comes from
//! one counter row, so commit order is sequence order. What was revoked within the longest token
//! lifetime stands in memory, where tokens are judged.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rules::protocol::AccessRecord;
use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::sql::{Conn, Sql};
use crate::fault::Fault;

/// Something that other nodes, and this one's memory, must learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened to what.
    pub what: What,
    /// When. Of a single token, the longest lifetime before it ends: what is forgotten by this time
    /// is so when nothing is left that it could stop.
    pub at: Timestamp,
}

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One access token was revoked.
    Token(Uuid),
    /// An authorization was revoked.
    Authorization(Uuid),
    /// A grant was revoked.
    Grant(Uuid),
    /// Every token under this grant issued until then is void: it carries what was taken back.
    GrantEpoch(Uuid),
    /// Everything issued to this client until then is void.
    ClientEpoch(String),
    /// Everything issued for this user until then is void.
    UserEpoch(Uuid),
    /// A client was registered or changed.
    Client(String),
    /// A resource was registered or changed.
    Resource(String),
    /// The signing keys changed.
    Keys,
    /// The database was restored: everything issued until then is void.
    Epoch,
    /// Something that a newer version of this server announced.
    Other,
}

/// How far an epoch reaches past its moment: what is being issued at the same time, on this node or
/// on one whose clock is a little ahead, is void too.
pub const EPOCH_MARGIN: Duration = Duration::from_secs(5);

impl What {
    fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Token(id) => ("token", id.to_string()),
            Self::Authorization(id) => ("authorization", id.to_string()),
            Self::Grant(id) => ("grant", id.to_string()),
            Self::ClientEpoch(id) => ("client_epoch", id.clone()),
            Self::GrantEpoch(id) => ("grant_epoch", id.to_string()),
            Self::UserEpoch(id) => ("user_epoch", id.to_string()),
            Self::Client(id) => ("client", id.clone()),
            Self::Resource(uri) => ("resource", uri.clone()),
            Self::Keys => ("keys", String::new()),
            Self::Epoch => ("epoch", String::new()),
            Self::Other => ("other", String::new()),
        }
    }

    fn read(kind: &str, subject: String) -> Option<Self> {
        let uuid = || Uuid::parse_str(&subject).ok();
        Some(match kind {
            // A node of the next version may announce what this one does not know.
            "token" => Self::Token(uuid()?),
            "authorization" => Self::Authorization(uuid()?),
            "grant" => Self::Grant(uuid()?),
            "grant_epoch" => Self::GrantEpoch(uuid()?),
            "user_epoch" => Self::UserEpoch(uuid()?),
            "client_epoch" => Self::ClientEpoch(subject),
            "client" => Self::Client(subject),
            "resource" => Self::Resource(subject),
            "keys" => Self::Keys,
            "epoch" => Self::Epoch,
            _ => Self::Other,
        })
    }
}

impl Tx {
    /// Announces a change; its row is written at the commit.
    pub fn announce(&mut self, what: What, at: Timestamp) {
        self.changes.push(Change { what, at });
    }

    /// Until when tokens under a grant are void, because something was taken back of it lately, or in
    /// this transaction.
    pub fn void_until(&self, grant: Uuid) -> Option<Timestamp> {
        let about = |change: &&Change| change.what == What::GrantEpoch(grant);
        let here = self.changes.iter().filter(about).map(|change| change.at);
        let revoked = self.shared.revocations.0.read();
        let revoked = revoked.unwrap_or_else(PoisonError::into_inner);
        here.max().max(revoked.epochs.get(&grant).copied())
    }
}

pub(super) async fn insert(conn: &mut Conn, change: &Change) -> Result<(), Fault> {
    const NEXT: Sql =
        Sql("UPDATE counters SET value = value + 1 WHERE name = 'feed' RETURNING value");
    const INSERT: Sql = Sql("INSERT INTO feed (seq, kind, subject, at) VALUES ($1, $2, $3, $4)");
    let row = conn.optional(NEXT, vec![]).await?;
    let seq = row
        .ok_or_else(|| Fault::Unreadable("counters.feed".to_owned()))?
        .int(0)?;
    let (kind, subject) = change.what.parts();
    let values = vec![seq.into(), kind.into(), subject.into(), change.at.into()];
    conn.execute(INSERT, values).await.map(drop)
}

/// How many changes are read at once.
pub const PAGE: usize = 10_000;

/// How far somebody has read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The number of the last change; 0 when nothing was read.
    seq: i64,
    /// What it was, unless it was removed before.
    last: Option<Change>,
    /// Whether everything there was has been read once: from then on no number may be missing.
    whole: bool,
}

/// The next changes, in order.
#[derive(Debug)]
pub struct Page {
    /// What changed, at most [`PAGE`] of it.
    pub changes: Vec<Change>,
    /// How far one has read with them.
    pub known: Known,
    /// Whether this is all there is.
    pub is_last: bool,
}

/// The changes after what is `known`; none when they do not continue it: they were removed meanwhile,
/// or the database was replaced by one that never had what is known, such as a standby that was
/// behind. A standby is refused: its picture may be old, and a pooler may have led there unnoticed.
pub async fn after(tx: &mut Tx, known: &Known) -> Result<Option<Page>, Fault> {
    // The last that is known is read again, and compared.
    const PAGE_FROM: Sql = Sql(
        "SELECT f.seq, f.kind, f.subject, f.at, c.value FROM counters c \
         LEFT JOIN (SELECT seq, kind, subject, at FROM feed WHERE seq >= $1 ORDER BY seq LIMIT 10000) f \
         ON TRUE WHERE c.name = 'feed' ORDER BY f.seq",
    );
    const PAGE_AT_PRIMARY: Sql = Sql("SELECT f.seq, f.kind, f.subject, f.at, c.value, \
         pg_is_in_recovery()::int::bigint FROM counters c \
         LEFT JOIN (SELECT seq, kind, subject, at FROM feed WHERE seq >= $1 ORDER BY seq LIMIT 10000) f \
         ON TRUE WHERE c.name = 'feed' ORDER BY f.seq");
    let at_postgres = matches!(tx.conn, Conn::Postgres(_));
    let sql = if at_postgres {
        PAGE_AT_PRIMARY
    } else {
        PAGE_FROM
    };
    let mut page = Page {
        changes: Vec::new(),
        known: known.clone(),
        is_last: false,
    };
    let rows = tx.all(sql, vec![known.seq.into()]).await?;
    page.is_last = rows.len() < PAGE;
    let mut counted = 0;
    for row in rows {
        if at_postgres && row.int(5)? != 0 {
            return Err(Fault::Busy("PostgreSQL answers from a standby"));
        }
        counted = row.int(4)?;
        let Some(seq) = row.opt_int(0)? else { break };
        let what = What::read(&row.text(1)?, row.text(2)?)
            .ok_or_else(|| Fault::Unreadable("feed.kind".to_owned()))?;
        let at = row.time(3)?;
        let change = Change { what, at };
        if seq == known.seq {
            if known.last.as_ref() != Some(&change) {
                return Ok(None);
            }
            continue;
        }
        if known.whole && seq != page.known.seq + 1 {
            return Ok(None);
        }
        page.known.seq = seq;
        page.changes.push(change);
    }
    if let Some(last) = page.changes.last() {
        page.known.last = Some(last.clone());
    }
    if page.is_last && page.known.seq != counted {
        if known.whole {
            return Ok(None);
        }
        (page.known.seq, page.known.last) = (counted, None);
    }
    page.known.whole |= page.is_last;
    Ok(Some(page))
}

/// What was revoked, in memory. It holds at most what happened within the longest token lifetime.
#[derive(Default)]
pub struct Revocations(RwLock<Revoked>);

#[derive(Default)]
struct Revoked {
    by_id: HashMap<Uuid, Timestamp>,
    /// Of users and grants.
    epochs: HashMap<Uuid, Timestamp>,
    clients: HashMap<String, Timestamp>,
    /// Of the whole database: when it was last restored.
    everything: Option<Timestamp>,
}

impl Revocations {
    /// Takes a change in; in any order, and as often as one likes.
    pub fn apply(&self, change: &Change) {
        let mut revoked = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match &change.what {
            What::Token(id) | What::Authorization(id) | What::Grant(id) => {
                revoked.by_id.insert(*id, change.at);
            }
            What::UserEpoch(id) | What::GrantEpoch(id) => {
                later(revoked.epochs.entry(*id).or_default(), change.at);
            }
            What::ClientEpoch(id) => {
                later(revoked.clients.entry(id.clone()).or_default(), change.at);
            }
            What::Epoch => revoked.everything = revoked.everything.max(Some(change.at)),
            What::Client(_) | What::Resource(_) | What::Keys | What::Other => {}
        }
    }

    /// Whether nothing the token points to was revoked since it was issued.
    #[must_use]
    pub fn spare(&self, token: &AccessRecord) -> bool {
        let revoked = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let listed = |id: &Uuid| !revoked.by_id.is_empty() && revoked.by_id.contains_key(id);
        let epoch = |id: Option<Uuid>| id.and_then(|id| revoked.epochs.get(&id));
        let ended = |epoch: Option<&Timestamp>| epoch.is_some_and(|at| token.issued_at <= *at);
        !(listed(&token.id)
            || listed(&token.authorization)
            || token.grant.as_ref().is_some_and(listed)
            || ended(epoch(token.user))
            || ended(epoch(token.grant))
            || ended(revoked.clients.get(&token.client_id))
            || ended(revoked.everything.as_ref()))
    }

    /// When the database was last restored: what was made at or before it is void.
    #[must_use]
    pub fn epoch(&self) -> Option<Timestamp> {
        let revoked = self.0.read().unwrap_or_else(PoisonError::into_inner);
        revoked.everything
    }

    /// Forgets what is older than any living token.
    pub fn prune(&self, before: Timestamp) {
        let mut revoked = self.0.write().unwrap_or_else(PoisonError::into_inner);
        revoked.by_id.retain(|_, at| *at >= before);
        revoked.epochs.retain(|_, at| *at >= before);
        revoked.clients.retain(|_, at| *at >= before);
    }
}

fn later(entry: &mut Timestamp, at: Timestamp) {
    *entry = at.max(*entry);
}
