//! Whom to tell that a session ended: an outbox that is filled in the transaction that ends it. What
//! lies here says who, never with which token: tokens are made when they are sent.

use rules::protocol::Client;
use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::outbox::{self, Statements, Waits};
use super::sql::{Sql, Value};
use crate::fault::Fault;

/// A client that is to be told of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The session that ended.
    pub session_id: Uuid,
    /// The client.
    pub client_id: String,
    /// Whose session it was.
    pub user_id: Uuid,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How often the client was told, the running attempt included.
    pub attempts: u32,
}

/// How telling a client goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many sessions it is still to be told of.
    pub pending: i64,
    /// When it last took a message.
    pub told_at: Option<Timestamp>,
    /// When it last did not.
    pub failed_at: Option<Timestamp>,
    /// Why.
    pub failure: Option<String>,
}

/// Notes for each client that took part in a session, and wants to know, that it ended.
pub(super) async fn queue(tx: &mut Tx, session: Uuid, now: Timestamp) -> Result<(), Fault> {
    const QUEUE: Sql = Sql(
        "INSERT INTO logouts (session_id, client_id, user_id, ended_at, attempts, due_at) \
         SELECT DISTINCT a.session_id, a.client_id, a.user_id, CAST($2 AS BIGINT), 0, CAST($2 AS BIGINT) \
         FROM authorizations a JOIN logout_receivers r ON r.client_id = a.client_id \
         WHERE a.session_id = $1 AND (' ' || a.scopes || ' ') LIKE '% openid %' \
         ON CONFLICT (session_id, client_id) DO NOTHING",
    );
    tx.execute(QUEUE, vec![session.into(), now.into()])
        .await
        .map(drop)
}

/// Notes whether a client wants to know, as it is registered now.
pub(super) async fn follow_registration(tx: &mut Tx, client: &Client) -> Result<(), Fault> {
    const WANTS: Sql = Sql(
        "INSERT INTO logout_receivers (client_id) VALUES ($1) ON CONFLICT (client_id) DO NOTHING",
    );
    let acts = client.disabled_at.is_none() && client.removed_at.is_none();
    if acts && client.metadata.backchannel_logout_uri.is_some() {
        return tx.execute(WANTS, vec![(&client.id).into()]).await.map(drop);
    }
    forget(tx, &client.id).await
}

/// Forgets a client and what it was to be told.
pub(super) async fn forget(tx: &mut Tx, client: &str) -> Result<(), Fault> {
    const RECEIVER: Sql = Sql("DELETE FROM logout_receivers WHERE client_id = $1");
    const WAITING: Sql = Sql("DELETE FROM logouts WHERE client_id = $1");
    tx.execute(RECEIVER, vec![client.into()]).await?;
    tx.execute(WAITING, vec![client.into()]).await.map(drop)
}

/// What is due, at most `limit` of it: of each client what has waited longest, and of none more than
/// of another that also waits, so that one with very much to be told holds nobody up. However much
/// waits, no more is read than is given.
pub async fn due(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<Waiting>, Fault> {
    // Whoever has waited longest comes first; each look goes to the beginning of an index.
    const CLIENTS: Sql = Sql("SELECT client_id FROM (SELECT r.client_id, \
         (SELECT MIN(l.due_at) FROM logouts l WHERE l.client_id = r.client_id) AS first_due \
         FROM logout_receivers r) AS waiting WHERE first_due <= $1 ORDER BY first_due LIMIT $2");
    const DUE: Sql = Sql(
        "SELECT session_id, client_id, user_id, ended_at, attempts FROM logouts \
         WHERE client_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3",
    );
    let clients = tx.all(CLIENTS, vec![now.into(), limit.into()]).await?;
    let mut left = limit;
    let mut due = Vec::new();
    for (at, client) in clients.iter().enumerate() {
        // What one leaves of its share, those after it may have.
        let waiting = u32::try_from(clients.len() - at).unwrap_or(u32::MAX);
        let values = vec![client.text(0)?.into(), now.into(), (left / waiting).into()];
        for row in tx.all(DUE, values).await? {
            left -= 1;
            due.push(Waiting {
                session_id: row.uuid(0)?,
                client_id: row.text(1)?,
                user_id: row.uuid(2)?,
                ended_at: row.time(3)?,
                attempts: u32::try_from(row.int(4)?)
                    .map_err(|_| Fault::Unreadable("logouts.attempts".to_owned()))?,
            });
        }
    }
    Ok(due)
}

impl Waits for Waiting {
    const STATEMENTS: Statements = Statements {
        lease: Sql("UPDATE logouts SET attempts = attempts + 1, due_at = $5 \
             WHERE session_id = $1 AND client_id = $2 AND attempts = $3 AND due_at <= $4"),
        postpone: Sql("UPDATE logouts SET due_at = $4 \
             WHERE session_id = $1 AND client_id = $2 AND attempts = $3"),
        remove: Sql(
            "DELETE FROM logouts WHERE session_id = $1 AND client_id = $2 AND attempts = $3",
        ),
    };

    fn held(&self) -> Vec<Value> {
        let client = (&self.client_id).into();
        vec![self.session_id.into(), client, self.attempts.into()]
    }

    fn attempts(&mut self) -> &mut u32 {
        &mut self.attempts
    }
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// The client took the message.
    Told,
    /// It did not; it is told again at that time.
    Again(Timestamp, String),
    /// It did not, and is not told again.
    Never(String),
}

/// Writes down how a leased attempt ended; false when the lease had run out and somebody else has it.
pub async fn settle(
    tx: &mut Tx,
    leased: &Waiting,
    ended: &Ended,
    now: Timestamp,
) -> Result<bool, Fault> {
    const TOLD: Sql = Sql("UPDATE logout_receivers SET told_at = $2 WHERE client_id = $1");
    const FAILED: Sql =
        Sql("UPDATE logout_receivers SET failed_at = $2, failure = $3 WHERE client_id = $1");
    let again = match ended {
        Ended::Told | Ended::Never(_) => None,
        Ended::Again(at, _) => Some(*at),
    };
    if !outbox::settle(tx, leased, again).await? {
        return Ok(false);
    }
    let client = &leased.client_id;
    match ended {
        Ended::Told => tx.execute(TOLD, vec![client.into(), now.into()]).await?,
        Ended::Again(_, why) | Ended::Never(why) => {
            tx.execute(FAILED, vec![client.into(), now.into(), why.into()])
                .await?
        }
    };
    Ok(true)
}

/// Lets everything that is due for a client wait: it cannot be reached now.
pub async fn postpone(
    tx: &mut Tx,
    client: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<(), Fault> {
    const POSTPONE: Sql =
        Sql("UPDATE logouts SET due_at = $3 WHERE client_id = $1 AND due_at <= $2");
    tx.execute(POSTPONE, vec![client.into(), now.into(), until.into()])
        .await
        .map(drop)
}

/// How telling a client goes; none when it does not want to know.
pub async fn standing(tx: &mut Tx, client: &str) -> Result<Option<Standing>, Fault> {
    const STANDING: Sql = Sql("SELECT r.told_at, r.failed_at, r.failure, \
         (SELECT COUNT(*) FROM logouts l WHERE l.client_id = r.client_id) \
         FROM logout_receivers r WHERE r.client_id = $1");
    let row = tx.optional(STANDING, vec![client.into()]).await?;
    row.map(|row| {
        Ok(Standing {
            told_at: row.opt_time(0)?,
            failed_at: row.opt_time(1)?,
            failure: row.opt_text(2)?,
            pending: row.int(3)?,
        })
    })
    .transpose()
}
