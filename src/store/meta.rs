//! Facts about the installation.

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;

/// A fact, when it is known.
pub async fn get(tx: &mut Tx, name: &'static str) -> Result<Option<String>, Fault> {
    const GET: Sql = Sql("SELECT value FROM meta WHERE name = $1");
    let row = tx.optional(GET, vec![name.into()]).await?;
    row.map(|row| row.text(0)).transpose()
}

/// Writes a fact that is not yet known; false when it was.
pub async fn establish(tx: &mut Tx, name: &'static str, value: &str) -> Result<bool, Fault> {
    const ESTABLISH: Sql =
        Sql("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
    Ok(tx
        .execute(ESTABLISH, vec![name.into(), value.into()])
        .await?
        == 1)
}
