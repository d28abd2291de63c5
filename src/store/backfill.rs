//! Work that a migration leaves to be done row by row, because the table may be large: in batches,
//! each a transaction of its own that also writes down how far it came. Killed in the midst of it, it
//! goes on where it was; the server serves meanwhile, and the version before runs beside it.

use rules::time::Timestamp;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;

/// One such work.
#[derive(Clone, Copy, Debug)]
pub struct Backfill {
    /// Its name, never used again for another.
    pub name: &'static str,
    /// Counts the rows that there are, for people who wait.
    pub count: Sql,
    /// Does the next rows, in the order of their keys, and returns these: `UPDATE t SET … WHERE id
    /// IN (SELECT id FROM t WHERE id > $1 ORDER BY id LIMIT $2) RETURNING id`. `$1` is the last key
    /// that was done, empty at the beginning. Keys are bytes. A row that is done already counts, too.
    pub step: Sql,
}

/// What this version does, oldest first. Empty: no migration so far needed any.
pub const ALL: &[Backfill] = &[];

/// How many rows one batch does: others write between two of them.
pub const BATCH: u32 = 500;

/// How far one has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: &'static str,
    /// How many rows are done.
    pub done: u64,
    /// How many there were when it began.
    pub all: u64,
    /// Whether it is finished.
    pub finished: bool,
}

/// Does the next batch, unless all is done; two nodes take turns.
///
/// # Errors
/// [`Fault`]: nothing of the batch is done then.
pub async fn advance(tx: &mut Tx, work: Backfill, now: Timestamp) -> Result<Standing, Fault> {
    const LOCK: Sql = Sql("UPDATE backfills SET rows_all = rows_all WHERE name = $1 \
         RETURNING key, rows_done, rows_all, finished_at");
    const SAVE: Sql = Sql(
        "UPDATE backfills SET key = $2, rows_done = $3, rows_all = $4, finished_at = $5 \
         WHERE name = $1",
    );
    begin(tx, work).await?;
    let row = tx.optional(LOCK, vec![work.name.into()]).await?;
    let row = row.ok_or_else(|| Fault::Unreadable("backfills".to_owned()))?;
    let (key, done, all) = (row.bytes(0)?, row.int(1)?, row.int(2)?);
    if row.opt_time(3)?.is_some() {
        return standing(work, done, all, true);
    }
    let rows = tx.all(work.step, vec![key.into(), BATCH.into()]).await?;
    let keys = rows.iter().map(|row| row.bytes(0));
    let keys = keys.collect::<Result<Vec<_>, Fault>>()?;
    let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
    let finished = count < i64::from(BATCH);
    // Rows that came since need nothing: the new version writes them whole.
    let done = done.saturating_add(count);
    let all = if finished { done } else { all.max(done) };
    if let Some(last) = keys.into_iter().max() {
        let until = finished.then_some(now);
        let values = vec![
            work.name.into(),
            last.into(),
            done.into(),
            all.into(),
            until.into(),
        ];
        tx.execute(SAVE, values).await?;
    } else {
        const FINISH: Sql =
            Sql("UPDATE backfills SET rows_all = rows_done, finished_at = $2 WHERE name = $1");
        tx.execute(FINISH, vec![work.name.into(), now.into()])
            .await?;
    }
    standing(work, done, all, finished)
}

/// How far one has come; none when it has not begun.
///
/// # Errors
/// [`Fault`].
pub async fn look(tx: &mut Tx, work: Backfill) -> Result<Option<Standing>, Fault> {
    const LOOK: Sql = Sql("SELECT rows_done, rows_all, finished_at FROM backfills WHERE name = $1");
    let row = tx.optional(LOOK, vec![work.name.into()]).await?;
    row.map(|row| standing(work, row.int(0)?, row.int(1)?, row.opt_time(2)?.is_some()))
        .transpose()
}

async fn begin(tx: &mut Tx, work: Backfill) -> Result<(), Fault> {
    const BEGIN: Sql = Sql(
        "INSERT INTO backfills (name, key, rows_done, rows_all) VALUES ($1, $2, 0, $3) \
         ON CONFLICT (name) DO NOTHING",
    );
    if look(tx, work).await?.is_some() {
        return Ok(());
    }
    let all = tx.optional(work.count, vec![]).await?;
    let all = all.map(|row| row.int(0)).transpose()?.unwrap_or(0);
    let values = vec![work.name.into(), Vec::<u8>::new().into(), all.into()];
    tx.execute(BEGIN, values).await.map(drop)
}

fn standing(work: Backfill, done: i64, all: i64, finished: bool) -> Result<Standing, Fault> {
    let number = |n: i64| u64::try_from(n).map_err(|_| Fault::Unreadable("backfills".to_owned()));
    Ok(Standing {
        name: work.name,
        done: number(done)?,
        all: number(all)?,
        finished,
    })
}
