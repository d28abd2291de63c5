//! Signed-in browsers, and browsers that have signed somebody in before.

use std::net::IpAddr;

use rules::identity::{Method, Proof};
use rules::time::Timestamp;
use uuid::Uuid;

use super::feed::What;
use super::sql::{Row, Sql, Value};
use super::{Tx, logouts};
use crate::fault::Fault;
use crate::secret::TokenHash;
use crate::vault::{Cell, PersonKeys};

/// A signed-in browser.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its identifier (`sid`).
    pub id: Uuid,
    /// Who is signed in.
    pub user_id: Uuid,
    /// What she proved, and when.
    pub proofs: Vec<Proof>,
    /// The sealed `User-Agent`.
    agent: Vec<u8>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// When it was last used for her account pages, or signed in.
    pub account_seen_at: Timestamp,
    /// The sealed network address.
    address: Option<Vec<u8>>,
}

impl Session {
    /// The browser's own description of itself.
    pub fn agent(&self, keys: &PersonKeys) -> Result<String, Fault> {
        let plain = keys.open_activity(agent_cell(&self.id), &self.agent)?;
        Ok(String::from_utf8_lossy(&plain).into_owned())
    }

    /// The network address she signed in from, where it was noted.
    pub fn address(&self, keys: &PersonKeys) -> Result<Option<String>, Fault> {
        let Some(sealed) = &self.address else {
            return Ok(None);
        };
        let plain = keys.open_activity(address_cell(&self.id), sealed)?;
        Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
    }
}

/// What a sign-in writes into a session, a new one or one that goes on.
pub struct Written<'a> {
    /// The session's identifier.
    pub id: Uuid,
    /// The hash of the browser's cookie.
    pub token: TokenHash,
    /// Who signed in.
    pub user_id: Uuid,
    /// What she proved.
    pub proofs: &'a [Proof],
    /// The `User-Agent`, sealed under her key.
    pub agent: &'a str,
    /// The network address, sealed under her key.
    pub address: Option<IpAddr>,
}

impl Written<'_> {
    fn values(&self, keys: &PersonKeys, now: Timestamp) -> Result<Vec<Value>, Fault> {
        let [proofs, vouched] = written(self.proofs)?;
        let agent = keys.seal_activity(agent_cell(&self.id), self.agent.as_bytes())?;
        let address = self.address.map(|address| address.to_string());
        let address = address
            .map(|text| keys.seal_activity(address_cell(&self.id), text.as_bytes()))
            .transpose()?;
        Ok(vec![
            self.id.into(),
            self.token.into(),
            self.user_id.into(),
            proofs,
            agent.into(),
            address.into(),
            now.into(),
            vouched,
            self.shown_at(now).into(),
        ])
    }

    /// When she last showed herself: what the provider vouches for may be of before.
    fn shown_at(&self, now: Timestamp) -> Timestamp {
        let newest = self.proofs.iter().map(|proof| proof.at).max();
        newest.map_or(now, |at| at.min(now))
    }
}

/// What a person proved here and, apart from it, what the institution's own provider vouched for: a
/// binary that does not know that reads the rest.
fn written(proofs: &[Proof]) -> Result<[Value; 2], Fault> {
    let (vouched, own): (Vec<_>, Vec<_>) = proofs
        .iter()
        .partition(|proof| matches!(proof.method, Method::Upstream { .. }));
    let text = |proofs: &[&Proof]| {
        serde_json::to_string(proofs).map_err(|error| Fault::Internal(error.to_string()))
    };
    let vouched = (!vouched.is_empty()).then(|| text(&vouched));
    Ok([text(&own)?.into(), vouched.transpose()?.into()])
}

/// Begins a session.
pub async fn insert(
    tx: &mut Tx,
    new: &Written<'_>,
    keys: &PersonKeys,
    now: Timestamp,
) -> Result<(), Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO sessions (id, token_hash, user_id, proofs, agent, address, created_at, \
         seen_at, account_seen_at, upstream_proofs) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $9, $8)",
    );
    let values = new.values(keys, now)?;
    tx.execute(INSERT, values).await.map(drop)
}

/// Gives a session new proofs and a new cookie; its limits begin anew.
pub async fn renew(
    tx: &mut Tx,
    again: &Written<'_>,
    keys: &PersonKeys,
    now: Timestamp,
) -> Result<(), Fault> {
    const RENEW: Sql = Sql(
        "UPDATE sessions SET token_hash = $2, proofs = $4, agent = $5, address = $6, \
         created_at = $7, seen_at = $7, account_seen_at = $9, upstream_proofs = $8 \
         WHERE id = $1 AND user_id = $3 AND ended_at IS NULL",
    );
    let values = again.values(keys, now)?;
    match tx.execute(RENEW, values).await? {
        0 => Err(Fault::Busy("the session was ended at the same moment")),
        _ => Ok(()),
    }
}

/// Gives a session other proofs and a new cookie; its limits stay.
pub async fn step_up(
    tx: &mut Tx,
    id: Uuid,
    token: TokenHash,
    proofs: &[Proof],
) -> Result<(), Fault> {
    const STEP: Sql = Sql(
        "UPDATE sessions SET token_hash = $2, proofs = $3, upstream_proofs = $4 WHERE id = $1 \
         AND ended_at IS NULL",
    );
    let [proofs, vouched] = written(proofs)?;
    let values = vec![id.into(), token.into(), proofs, vouched];
    match tx.execute(STEP, values).await? {
        0 => Err(Fault::Busy("the session was ended at the same moment")),
        _ => Ok(()),
    }
}

/// The session that a browser holds, unless it was ended. Whether its time is over is for the
/// caller to judge.
pub async fn find(tx: &mut Tx, token: TokenHash) -> Result<Option<Session>, Fault> {
    const FIND: Sql = Sql(
        "SELECT id, user_id, proofs, agent, created_at, seen_at, account_seen_at, address, \
         upstream_proofs FROM sessions \
         WHERE token_hash = $1 AND ended_at IS NULL",
    );
    let row = tx.optional(FIND, vec![token.into()]).await?;
    row.as_ref().map(read).transpose()
}

/// A session by its identifier, unless it was ended.
pub async fn by_id(tx: &mut Tx, id: Uuid) -> Result<Option<Session>, Fault> {
    const FIND: Sql = Sql(
        "SELECT id, user_id, proofs, agent, created_at, seen_at, account_seen_at, address, \
         upstream_proofs FROM sessions \
         WHERE id = $1 AND ended_at IS NULL",
    );
    let row = tx.optional(FIND, vec![id.into()]).await?;
    row.as_ref().map(read).transpose()
}

/// How many sessions of a person are listed, at most.
pub const LISTED: usize = 100;

/// A person's sessions that were not ended, newest first; at most [`LISTED`].
pub async fn of_user(tx: &mut Tx, user: Uuid, since: Timestamp) -> Result<Vec<Session>, Fault> {
    const LIST: Sql = Sql(
        "SELECT id, user_id, proofs, agent, created_at, seen_at, account_seen_at, address, \
         upstream_proofs FROM sessions \
         WHERE user_id = $1 AND ended_at IS NULL AND created_at > $2 ORDER BY id DESC LIMIT 100",
    );
    let rows = tx.all(LIST, vec![user.into(), since.into()]).await?;
    rows.iter().map(read).collect()
}

/// Makes sure that a session stands until this transaction ends; false when it was ended.
pub async fn hold(tx: &mut Tx, id: Uuid) -> Result<bool, Fault> {
    const HOLD: Sql =
        Sql("UPDATE sessions SET seen_at = seen_at WHERE id = $1 AND ended_at IS NULL");
    Ok(tx.execute(HOLD, vec![id.into()]).await? == 1)
}

/// Notes that a session was used.
pub async fn touch(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), Fault> {
    const TOUCH: Sql = Sql("UPDATE sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2");
    tx.execute(TOUCH, vec![id.into(), now.into()])
        .await
        .map(drop)
}

/// Notes that her account pages were used.
pub async fn touch_account(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), Fault> {
    const TOUCH: Sql = Sql("UPDATE sessions SET account_seen_at = $2, \
         seen_at = CASE WHEN seen_at > $2 THEN seen_at ELSE $2 END \
         WHERE id = $1 AND account_seen_at < $2");
    tx.execute(TOUCH, vec![id.into(), now.into()])
        .await
        .map(drop)
}

/// Ends a session of a person, and what was issued for as long as it lasts; false when it is not
/// hers or was ended before. The clients that took part are told.
pub async fn end(tx: &mut Tx, id: Uuid, user: Uuid, now: Timestamp) -> Result<bool, Fault> {
    const END: Sql = Sql(
        "UPDATE sessions SET ended_at = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL",
    );
    const REVOKE: Sql = Sql("UPDATE authorizations SET revoked_at = $2 \
         WHERE session_id = $1 AND offline = 0 AND revoked_at IS NULL AND expires_at > $2 RETURNING id");
    if tx
        .execute(END, vec![id.into(), user.into(), now.into()])
        .await?
        == 0
    {
        return Ok(false);
    }
    for row in tx.all(REVOKE, vec![id.into(), now.into()]).await? {
        let authorization = row.uuid(0)?;
        tx.announce(What::Authorization(authorization), now);
    }
    logouts::queue(tx, id, now).await?;
    Ok(true)
}

/// Ends every session of a person but `kept`, one by one, with all that hangs on each; says which.
pub async fn end_others(
    tx: &mut Tx,
    user: Uuid,
    kept: Option<Uuid>,
    now: Timestamp,
) -> Result<Vec<Uuid>, Fault> {
    const OTHERS: Sql = Sql(
        "SELECT id FROM sessions WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL ORDER BY id",
    );
    let kept = kept.unwrap_or(Uuid::nil());
    let mut ended = Vec::new();
    for row in tx.all(OTHERS, vec![user.into(), kept.into()]).await? {
        let id = row.uuid(0)?;
        if end(tx, id, user, now).await? {
            ended.push(id);
        }
    }
    Ok(ended)
}

/// Ends every session of a person, of whom nothing is valid any more; says how many. The clients
/// that took part are told.
pub async fn end_all(tx: &mut Tx, user: Uuid, now: Timestamp) -> Result<usize, Fault> {
    const END: Sql = Sql(
        "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL RETURNING id",
    );
    let ended = tx.all(END, vec![user.into(), now.into()]).await?;
    for row in &ended {
        logouts::queue(tx, row.uuid(0)?, now).await?;
    }
    Ok(ended.len())
}

/// Whether a browser has signed this person in before; notes that it was seen.
pub async fn knows_device(
    tx: &mut Tx,
    token: TokenHash,
    user: Uuid,
    since: Timestamp,
) -> Result<bool, Fault> {
    const FIND: Sql =
        Sql("SELECT 1 FROM devices WHERE token_hash = $1 AND user_id = $2 AND seen_at > $3");
    let values = vec![token.into(), user.into(), since.into()];
    Ok(tx.optional(FIND, values).await?.is_some())
}

/// Remembers a browser.
pub async fn remember_device(
    tx: &mut Tx,
    token: TokenHash,
    user: Uuid,
    now: Timestamp,
) -> Result<(), Fault> {
    const PUT: Sql = Sql(
        "INSERT INTO devices (token_hash, user_id, created_at, seen_at) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (token_hash) DO UPDATE SET seen_at = excluded.seen_at \
         WHERE devices.user_id = excluded.user_id",
    );
    tx.execute(PUT, vec![token.into(), user.into(), now.into()])
        .await
        .map(drop)
}

/// Forgets the browsers that signed a person in before, all but `kept`.
pub async fn forget_devices(tx: &mut Tx, user: Uuid, kept: Option<TokenHash>) -> Result<(), Fault> {
    const FORGET: Sql = Sql("DELETE FROM devices WHERE user_id = $1 AND token_hash <> $2");
    let kept = kept.unwrap_or_else(|| TokenHash::from([0; 32]));
    tx.execute(FORGET, vec![user.into(), kept.into()])
        .await
        .map(drop)
}

fn read(row: &Row) -> Result<Session, Fault> {
    let parse = |text: String| -> Result<Vec<Proof>, Fault> {
        serde_json::from_str(&text).map_err(|_| Fault::Unreadable("sessions.proofs".to_owned()))
    };
    let mut proofs = parse(row.text(2)?)?;
    if let Some(vouched) = row.opt_text(8)? {
        proofs.extend(parse(vouched)?);
    }
    Ok(Session {
        id: row.uuid(0)?,
        user_id: row.uuid(1)?,
        proofs,
        agent: row.bytes(3)?,
        created_at: row.time(4)?,
        seen_at: row.time(5)?,
        account_seen_at: row.time(6)?,
        address: row.opt_bytes(7)?,
    })
}

fn agent_cell(id: &Uuid) -> Cell<'_> {
    Cell::new("sessions", "agent", id.as_bytes())
}

fn address_cell(id: &Uuid) -> Cell<'_> {
    Cell::new("sessions", "address", id.as_bytes())
}
