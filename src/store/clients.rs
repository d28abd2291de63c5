//! Registered clients: one sealed document each.

use rules::protocol::Client;
use rules::time::Timestamp;

use super::feed::What;
use super::sql::{Row, Sql};
use super::{Tx, logouts};
use crate::fault::Fault;
use crate::vault::{Cell, KeyUse};

/// Every client.
pub async fn all(tx: &mut Tx) -> Result<Vec<Client>, Fault> {
    const ALL: Sql = Sql("SELECT id, document FROM clients ORDER BY id");
    let rows = tx.all(ALL, vec![]).await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// Every client, with the time when it was registered.
pub async fn dated(tx: &mut Tx) -> Result<Vec<(Client, Timestamp)>, Fault> {
    const DATED: Sql = Sql("SELECT id, document, created_at FROM clients ORDER BY id");
    let rows = tx.all(DATED, vec![]).await?;
    rows.iter()
        .map(|row| Ok((read(tx, row)?, row.time(2)?)))
        .collect()
}

/// One client.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Client>, Fault> {
    const FIND: Sql = Sql("SELECT id, document FROM clients WHERE id = $1");
    let row = tx.optional(FIND, vec![id.into()]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// One client, locked until the transaction ends, so that of two changes neither is lost.
pub async fn lock(tx: &mut Tx, id: &str) -> Result<Option<Client>, Fault> {
    const LOCK: Sql =
        Sql("UPDATE clients SET changed_at = changed_at WHERE id = $1 RETURNING id, document");
    let row = tx.optional(LOCK, vec![id.into()]).await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// Registers a client; false when the id is taken.
pub async fn insert(tx: &mut Tx, client: &Client, now: Timestamp) -> Result<bool, Fault> {
    const INSERT: Sql = Sql(
        "INSERT INTO clients (id, document, created_at, changed_at) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (id) DO NOTHING",
    );
    let document = seal(tx, client)?;
    let values = vec![(&client.id).into(), document.into(), now.into()];
    let inserted = tx.execute(INSERT, values).await? == 1;
    if inserted {
        tx.announce(What::Client(client.id.clone()), now);
        logouts::follow_registration(tx, client).await?;
    }
    Ok(inserted)
}

/// Replaces what is registered of a client; false when there is none.
pub async fn update(tx: &mut Tx, client: &Client, now: Timestamp) -> Result<bool, Fault> {
    const UPDATE: Sql = Sql("UPDATE clients SET document = $2, changed_at = $3 WHERE id = $1");
    let document = seal(tx, client)?;
    let values = vec![(&client.id).into(), document.into(), now.into()];
    let updated = tx.execute(UPDATE, values).await? == 1;
    if updated {
        tx.announce(What::Client(client.id.clone()), now);
        logouts::follow_registration(tx, client).await?;
    }
    Ok(updated)
}

fn seal(tx: &Tx, client: &Client) -> Result<Vec<u8>, Fault> {
    let plain = serde_json::to_vec(client).map_err(|error| Fault::Internal(error.to_string()))?;
    tx.vault()?.seal(KeyUse::Columns, cell(&client.id), &plain)
}

fn read(tx: &Tx, row: &Row) -> Result<Client, Fault> {
    let plain = tx.vault()?.open_cell(cell(&row.text(0)?), &row.bytes(1)?)?;
    serde_json::from_slice(&plain).map_err(|error| Fault::Unreadable(format!("clients: {error}")))
}

fn cell(id: &str) -> Cell<'_> {
    Cell::new("clients", "document", id.as_bytes())
}
