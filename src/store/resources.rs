//! Registered resources: one sealed document each.

use rules::protocol::Resource;
use rules::time::Timestamp;

use super::Tx;
use super::feed::What;
use super::sql::Sql;
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse};

/// Every resource.
pub async fn all(tx: &mut Tx) -> Result<Vec<Resource>, Fault> {
    const ALL: Sql = Sql("SELECT uri, document FROM resources ORDER BY uri");
    let vault = tx.vault()?;
    let rows = tx.all(ALL, vec![]).await?;
    rows.iter()
        .map(|row| {
            let plain = vault.open_cell(cell(&row.text(0)?), &row.bytes(1)?)?;
            serde_json::from_slice(&plain)
                .map_err(|error| Fault::Unreadable(format!("resources: {error}")))
        })
        .collect()
}

/// Holds every other change of resources off until this transaction ends.
pub async fn lock(tx: &mut Tx) -> Result<(), Fault> {
    const LOCK: Sql = Sql("UPDATE counters SET value = value WHERE name = 'resources'");
    tx.execute(LOCK, vec![]).await.map(drop)
}

/// Registers a resource, or replaces what is registered.
pub async fn put(tx: &mut Tx, resource: &Resource, now: Timestamp) -> Result<(), Fault> {
    const PUT: Sql = Sql(
        "INSERT INTO resources (uri, document, created_at, changed_at) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (uri) DO UPDATE SET document = excluded.document, changed_at = excluded.changed_at",
    );
    let plain = serde_json::to_vec(resource).map_err(|error| Fault::Internal(error.to_string()))?;
    let document = tx
        .vault()?
        .seal(KeyUse::Columns, cell(&resource.uri), &plain)?;
    let values = vec![(&resource.uri).into(), document.into(), now.into()];
    tx.announce(What::Resource(resource.uri.clone()), now);
    tx.execute(PUT, values).await.map(drop)
}

/// Forgets a resource; false when there is none.
pub async fn remove(tx: &mut Tx, uri: &str, now: Timestamp) -> Result<bool, Fault> {
    const REMOVE: Sql = Sql("DELETE FROM resources WHERE uri = $1");
    tx.announce(What::Resource(uri.to_owned()), now);
    Ok(tx.execute(REMOVE, vec![uri.into()]).await? == 1)
}

fn cell(uri: &str) -> Cell<'_> {
    Cell::new("resources", "document", uri.as_bytes())
}
