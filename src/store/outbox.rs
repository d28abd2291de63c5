//! What mails and logouts have in common: rows that wait until they are due. One conditional statement leases a
//! row for one try; what became of it is written down by whoever still has the lease.

use rules::time::Timestamp;

use super::Tx;
use super::sql::{Sql, Value};
use crate::fault::Fault;

/// The statements of a table. The values of each begin with a row's key and its attempts.
pub struct Statements {
    /// Counts one attempt more, and is due again at the last value, where it is due by the one before.
    pub lease: Sql,
    /// Is due again at the last value.
    pub postpone: Sql,
    /// Deletes.
    pub remove: Sql,
}

/// A row that waits.
pub trait Waits {
    /// The statements of its table.
    const STATEMENTS: Statements;

    /// Its key, and how often it was tried, a running try included.
    fn held(&self) -> Vec<Value>;

    /// The latter.
    fn attempts(&mut self) -> &mut u32;
}

/// Takes a row for this try; none when somebody else did. Until `until` it is nobody else's; then, if
/// this server died in between, it is due again.
pub async fn lease<W: Waits>(
    tx: &mut Tx,
    mut found: W,
    (now, until): (Timestamp, Timestamp),
) -> Result<Option<W>, Fault> {
    let mut values = found.held();
    values.extend([now.into(), until.into()]);
    let leased = tx.execute(W::STATEMENTS.lease, values).await? == 1;
    *found.attempts() += u32::from(leased);
    Ok(leased.then_some(found))
}

/// Lets a leased row wait until then, or removes it; false when the lease had run out and somebody else
/// has it.
pub async fn settle<W: Waits>(
    tx: &mut Tx,
    leased: &W,
    again: Option<Timestamp>,
) -> Result<bool, Fault> {
    let mut values = leased.held();
    values.extend(again.map(Value::from));
    let statement = match again {
        Some(_) => W::STATEMENTS.postpone,
        None => W::STATEMENTS.remove,
    };
    Ok(tx.execute(statement, values).await? == 1)
}
