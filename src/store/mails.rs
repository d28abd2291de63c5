//! What people are told by mail: an outbox that is filled in the transaction of what it tells of.
//! A row names an audit event; what that does not say lies sealed under the person's own key.

use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Tx;
use super::outbox::{Statements, Waits};
use super::sql::{Conn, Sql, Value};
use crate::fault::Fault;
use crate::vault::{Cell, PersonKeys};

/// What an event does not say of itself.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Content {
    /// A one-time link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Until when it, or what is told of, is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Where it goes, in place of her address at the moment of sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What to call her, when nobody will know it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Her language (RFC 5646), when nobody will know it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content(…)")
    }
}

/// A mail that is written with the event that it tells of.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// Its identifier; the `Message-ID` is made of it.
    pub id: Uuid,
    /// To whom; the nil identifier is nobody, and costs the same statement.
    pub user_id: Uuid,
    /// The sealed [`Content`].
    pub content: Option<Vec<u8>>,
}

impl NewMail {
    /// One that says more than its event does.
    ///
    /// # Errors
    /// [`Fault::Randomness`].
    pub fn with(
        (id, user_id): (Uuid, Uuid),
        content: &Content,
        keys: &PersonKeys,
    ) -> Result<Self, Fault> {
        let plain =
            serde_json::to_vec(content).map_err(|error| Fault::Internal(error.to_string()))?;
        let plain = zeroize::Zeroizing::new(plain);
        let content = Some(keys.seal_profile(cell(&id), &plain)?);
        Ok(Self {
            id,
            user_id,
            content,
        })
    }
}

/// A mail that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its identifier.
    pub id: Uuid,
    /// The audit event that it tells of.
    pub event_id: Uuid,
    /// To whom.
    pub user_id: Uuid,
    content: Option<Vec<u8>>,
    /// Since when.
    pub created_at: Timestamp,
    /// How often it was tried, a running try included.
    pub attempts: u32,
}

impl Waiting {
    /// What its event does not say.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] under another person's key.
    pub fn content(&self, keys: &PersonKeys) -> Result<Content, Fault> {
        let Some(sealed) = &self.content else {
            return Ok(Content::default());
        };
        let plain = keys.open_profile(cell(&self.id), sealed)?;
        serde_json::from_slice(&plain).map_err(|_| Fault::Unreadable("mails.content".to_owned()))
    }
}

/// Writes one, when there is such a person.
pub(super) async fn insert(
    conn: &mut Conn,
    mail: NewMail,
    (event, at): (Uuid, Timestamp),
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO mails (id, event_id, user_id, content, created_at, attempts, due_at) \
         SELECT $1, $2, u.id, $4, CAST($5 AS BIGINT), 0, CAST($5 AS BIGINT) FROM users u WHERE u.id = $3",
    );
    let values = vec![
        mail.id.into(),
        event.into(),
        mail.user_id.into(),
        mail.content.into(),
        at.into(),
    ];
    conn.execute(INSERT, values).await.map(drop)
}

/// What has waited longest of what is due.
pub async fn due(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<Waiting>, Fault> {
    const DUE: Sql = Sql(
        "SELECT id, event_id, user_id, content, created_at, attempts FROM mails \
         WHERE due_at <= $1 ORDER BY due_at LIMIT $2",
    );
    let rows = tx.all(DUE, vec![now.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                id: row.uuid(0)?,
                event_id: row.uuid(1)?,
                user_id: row.uuid(2)?,
                content: row.opt_bytes(3)?,
                created_at: row.time(4)?,
                attempts: u32::try_from(row.int(5)?)
                    .map_err(|_| Fault::Unreadable("mails.attempts".to_owned()))?,
            })
        })
        .collect()
}

impl Waits for Waiting {
    const STATEMENTS: Statements = Statements {
        lease: Sql("UPDATE mails SET attempts = attempts + 1, due_at = $4 \
             WHERE id = $1 AND attempts = $2 AND due_at <= $3"),
        postpone: Sql("UPDATE mails SET due_at = $3 WHERE id = $1 AND attempts = $2"),
        remove: Sql("DELETE FROM mails WHERE id = $1 AND attempts = $2"),
    };

    fn held(&self) -> Vec<Value> {
        vec![self.id.into(), self.attempts.into()]
    }

    fn attempts(&mut self) -> &mut u32 {
        &mut self.attempts
    }
}

/// Whether a mail about this event of a person still waits.
pub async fn waits(tx: &mut Tx, event: Uuid, user: Uuid) -> Result<bool, Fault> {
    const WAITS: Sql = Sql("SELECT 1 FROM mails WHERE user_id = $1 AND event_id = $2 LIMIT 1");
    let found = tx.optional(WAITS, vec![user.into(), event.into()]).await?;
    Ok(found.is_some())
}

/// Forgets the mails of a person that bring links.
pub async fn forget_links(tx: &mut Tx, user: Uuid) -> Result<(), Fault> {
    const FORGET: Sql = Sql("DELETE FROM mails WHERE user_id = $1 AND event_id IN \
         (SELECT id FROM audit_events WHERE subject = $1 \
         AND kind NOT IN ('token.issued', 'token.refreshed') AND kind IN ('user.invited', 'address.asked'))");
    tx.execute(FORGET, vec![user.into()]).await.map(drop)
}

/// Forgets what a person was to be told.
pub async fn forget(tx: &mut Tx, user: Uuid) -> Result<(), Fault> {
    const FORGET: Sql = Sql("DELETE FROM mails WHERE user_id = $1");
    tx.execute(FORGET, vec![user.into()]).await.map(drop)
}

fn cell(id: &Uuid) -> Cell<'_> {
    Cell::new("mails", "content", id.as_bytes())
}
