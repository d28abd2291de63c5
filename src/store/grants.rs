//! Standing consent: what a person lets a client do, until she stops it.

use rules::protocol::Scopes;
use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::feed::What;
use super::sql::{Row, Sql};
use crate::fault::Fault;

/// Standing consent.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its identifier.
    pub id: Uuid,
    /// Given to whom.
    pub client_id: String,
    /// For what.
    pub scopes: Scopes,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last given anew.
    pub changed_at: Timestamp,
}

/// What stands between a person and a client.
pub async fn standing(tx: &mut Tx, user: Uuid, client_id: &str) -> Result<Option<Grant>, Fault> {
    const FIND: Sql = Sql(
        "SELECT id, client_id, scopes, created_at, changed_at FROM grants \
         WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL",
    );
    let row = tx
        .optional(FIND, vec![user.into(), client_id.into()])
        .await?;
    row.as_ref().map(read).transpose()
}

/// Everything that stands for a person, newest first.
pub async fn of_user(tx: &mut Tx, user: Uuid) -> Result<Vec<Grant>, Fault> {
    const LIST: Sql = Sql(
        "SELECT id, client_id, scopes, created_at, changed_at FROM grants \
         WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 500",
    );
    let rows = tx.all(LIST, vec![user.into()]).await?;
    rows.iter().map(read).collect()
}

/// Adds to what stands, or makes a first grant under `id`; returns the whole.
pub async fn give(
    tx: &mut Tx,
    id: Uuid,
    (user, client_id): (Uuid, &str),
    target: &rules::protocol::target::Target,
    now: Timestamp,
) -> Result<Grant, Fault> {
    const LOCK: Sql = Sql("UPDATE grants SET changed_at = $3 \
         WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL \
         RETURNING id, client_id, scopes, created_at, changed_at, resources");
    const WIDEN: Sql = Sql("UPDATE grants SET scopes = $2, resources = $3 WHERE id = $1");
    const INSERT: Sql = Sql(
        "INSERT INTO grants (id, client_id, user_id, scopes, resources, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $6) \
         ON CONFLICT (user_id, client_id) WHERE revoked_at IS NULL DO NOTHING",
    );
    let key = || vec![user.into(), client_id.into(), now.into()];
    let mut locked = tx.optional(LOCK, key()).await?;
    if locked.is_none() {
        let values = vec![
            id.into(),
            client_id.into(),
            user.into(),
            target.scopes.to_string().into(),
            target.resources.join(" ").into(),
            now.into(),
        ];
        tx.execute(INSERT, values).await?;
        // Now it is there, ours or that of another tab.
        locked = tx.optional(LOCK, key()).await?;
    }
    let row = locked.ok_or_else(|| Fault::Busy("the grant was revoked at the same moment"))?;
    let mut grant = read(&row)?;
    let resources = row.text(5)?;
    grant.scopes = grant.scopes.union(&target.scopes);
    let mut uris: Vec<&str> = resources.split(' ').filter(|uri| !uri.is_empty()).collect();
    uris.extend(target.resources.iter().map(String::as_str));
    uris.sort_unstable();
    uris.dedup();
    let values = vec![
        grant.id.into(),
        grant.scopes.to_string().into(),
        uris.join(" ").into(),
    ];
    tx.execute(WIDEN, values).await?;
    Ok(grant)
}

/// Stops a grant of a person; false when it is not hers or was stopped before.
pub async fn revoke(
    tx: &mut Tx,
    id: Uuid,
    user: Uuid,
    now: Timestamp,
) -> Result<Option<String>, Fault> {
    const REVOKE: Sql = Sql(
        "UPDATE grants SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL \
         RETURNING client_id",
    );
    let row = tx
        .optional(REVOKE, vec![id.into(), user.into(), now.into()])
        .await?;
    if row.is_some() {
        tx.announce(What::Grant(id), now);
    }
    row.map(|row| row.text(0)).transpose()
}

fn read(row: &Row) -> Result<Grant, Fault> {
    Ok(Grant {
        id: row.uuid(0)?,
        client_id: row.text(1)?,
        scopes: Scopes::parse(&row.text(2)?)
            .map_err(|_| Fault::Unreadable("grants.scopes".to_owned()))?,
        created_at: row.time(3)?,
        changed_at: row.time(4)?,
    })
}
