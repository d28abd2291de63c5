//! How often each person proved who she is of late. In the database, so that all nodes count together.

use rules::time::Timestamp;
use uuid::Uuid;

use super::Tx;
use super::sql::Sql;
use crate::config::Rate;
use crate::fault::Fault;

/// Counts one proof of a person, within the time that began with the first of them; when it is one too
/// many, nothing is counted, and the time is told at which one is taken again.
///
/// # Errors
/// [`Fault`].
pub async fn count(
    tx: &mut Tx,
    user: Uuid,
    rate: Rate,
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    const COUNT: Sql = Sql(
        "INSERT INTO person_proofs (user_id, begun_at, proofs) VALUES ($1, $2, 1) \
         ON CONFLICT (user_id) DO UPDATE SET \
         proofs = CASE WHEN person_proofs.begun_at > $3 THEN person_proofs.proofs + 1 ELSE 1 END, \
         begun_at = CASE WHEN person_proofs.begun_at > $3 THEN person_proofs.begun_at \
         ELSE excluded.begun_at END \
         WHERE person_proofs.begun_at <= $3 OR person_proofs.proofs < $4",
    );
    const BEGUN: Sql = Sql("SELECT begun_at FROM person_proofs WHERE user_id = $1");
    let most = i64::try_from(rate.count).unwrap_or(i64::MAX);
    let values = vec![
        user.into(),
        now.into(),
        now.minus(rate.window).into(),
        most.into(),
    ];
    if tx.execute(COUNT, values).await? == 1 {
        return Ok(None);
    }
    let row = tx.optional(BEGUN, vec![user.into()]).await?;
    let begun = row.map(|row| row.time(0)).transpose()?.unwrap_or(now);
    Ok(Some(begun.plus(rate.window)))
}
