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
    /// When.
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

/// The changes after `seq`, in order, with the last number among them. A standby is refused: its
/// picture may be old, and a pooler may have led there unnoticed.
pub async fn since(tx: &mut Tx, seq: i64) -> Result<(Vec<Change>, i64), Fault> {
    const SINCE: Sql = Sql("SELECT seq, kind, subject, at FROM feed WHERE seq > $1 ORDER BY seq");
    const SINCE_AT_PRIMARY: Sql = Sql("SELECT f.seq, f.kind, f.subject, f.at, here.standby \
         FROM (SELECT pg_is_in_recovery()::int::bigint AS standby) here \
         LEFT JOIN feed f ON f.seq > $1 ORDER BY f.seq");
    let sql = match tx.conn {
        Conn::Sqlite(_) => SINCE,
        Conn::Postgres(_) => SINCE_AT_PRIMARY,
    };
    let mut last = seq;
    let mut changes = Vec::new();
    for row in tx.all(sql, vec![seq.into()]).await? {
        if matches!(tx.conn, Conn::Postgres(_)) && row.int(4)? != 0 {
            return Err(Fault::Busy("PostgreSQL answers from a standby"));
        }
        let Some(seq) = row.opt_int(0)? else { continue };
        last = seq;
        let at = row.time(3)?;
        let what = What::read(&row.text(1)?, row.text(2)?)
            .ok_or_else(|| Fault::Unreadable("feed.kind".to_owned()))?;
        changes.push(Change { what, at });
    }
    Ok((changes, last))
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
