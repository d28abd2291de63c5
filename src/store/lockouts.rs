//! Failed sign-ins. Blocks are counted per pool; failures in a row are counted per person, over all
//! pools. An attempt is counted before it is verified, so that fifty at once are not one.

use rules::identity::lockout;
use rules::time::Timestamp;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;

/// Whose failures bring a block together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool([u8; 32]);

impl Pool {
    /// By its keyed hash.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

/// Where an attempt counts.
#[derive(Clone, Copy, Debug)]
pub struct Pools {
    /// Where it brings a block: the name's, or that of a device which the person used before.
    pub block: Pool,
    /// Where it counts in the person's row of failures: the name's.
    pub person: Pool,
}

/// The answer to somebody who wants to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The attempt is counted as failed until it succeeds.
    Counted(Counted),
    /// Not now.
    Blocked {
        /// When trying makes sense again.
        until: Timestamp,
    },
}

/// What counting an attempt did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Failures in a row since the last success, this one included.
    pub consecutive: u32,
    /// The end of the block that it brought.
    pub blocked_until: Option<Timestamp>,
}

/// Counts an attempt.
pub async fn reserve(tx: &mut Tx, pools: Pools, now: Timestamp) -> Result<Reservation, Fault> {
    // The row stays locked from here to the commit, so attempts on one pool queue up.
    const COUNT: Sql = Sql(
        "INSERT INTO lockouts (pool, failures, consecutive, blocked_until, changed_at) \
         VALUES ($1, 1, 0, 0, $2) ON CONFLICT (pool) DO UPDATE SET \
         failures = lockouts.failures + 1, changed_at = $2 \
         WHERE lockouts.blocked_until <= $2 RETURNING failures",
    );
    const BLOCK: Sql = Sql("UPDATE lockouts SET blocked_until = $2 WHERE pool = $1");
    const UNTIL: Sql = Sql("SELECT blocked_until FROM lockouts WHERE pool = $1");
    const IN_A_ROW: Sql = Sql(
        "INSERT INTO lockouts (pool, failures, consecutive, blocked_until, changed_at) \
         VALUES ($1, 0, 1, 0, $2) ON CONFLICT (pool) DO UPDATE SET \
         consecutive = lockouts.consecutive + 1, changed_at = $2 RETURNING consecutive",
    );
    let Pools { block, person } = pools;
    let values = vec![block.0.into(), now.into()];
    let Some(row) = tx.optional(COUNT, values).await? else {
        let row = tx.optional(UNTIL, vec![block.0.into()]).await?;
        let until = row.map_or(Ok(now), |row| row.time(0))?;
        return Ok(Reservation::Blocked { until });
    };
    let blocked_until = lockout::block_after(count(row.int(0)?)).map(|wait| now.plus(wait));
    if let Some(until) = blocked_until {
        tx.execute(BLOCK, vec![block.0.into(), until.into()])
            .await?;
    }
    let values = vec![person.0.into(), now.into()];
    let row = tx.optional(IN_A_ROW, values).await?;
    let consecutive = count(row.map_or(Ok(1), |row| row.int(0))?);
    Ok(Reservation::Counted(Counted {
        consecutive,
        blocked_until,
    }))
}

/// Gives a reservation back: the attempt came to no verdict, because something here failed. A block
/// that later failures brought stays.
pub async fn give_back(tx: &mut Tx, pools: Pools, counted: Counted) -> Result<(), Fault> {
    const UNCOUNT: Sql =
        Sql("UPDATE lockouts SET failures = failures - 1 WHERE pool = $1 AND failures > 0");
    const UNBLOCK: Sql =
        Sql("UPDATE lockouts SET blocked_until = 0 WHERE pool = $1 AND blocked_until = $2");
    const IN_A_ROW: Sql = Sql(
        "UPDATE lockouts SET consecutive = consecutive - 1 WHERE pool = $1 AND consecutive > 0",
    );
    let block = || pools.block.0.into();
    tx.execute(UNCOUNT, vec![block()]).await?;
    if let Some(until) = counted.blocked_until {
        tx.execute(UNBLOCK, vec![block(), until.into()]).await?;
    }
    tx.execute(IN_A_ROW, vec![pools.person.0.into()])
        .await
        .map(drop)
}

/// An attempt succeeded: its pool is open again, and the person's row of failures is over. Blocks
/// of other pools stay, or a stranger's would end whenever the person signs in.
pub async fn succeeded(tx: &mut Tx, pools: Pools) -> Result<(), Fault> {
    const OPEN: Sql = Sql("UPDATE lockouts SET failures = 0, blocked_until = 0 WHERE pool = $1");
    tx.execute(OPEN, vec![pools.block.0.into()]).await?;
    row_ends(tx, pools.person).await
}

/// Whether a person still has failed too often in a row for her password to stand.
pub async fn ends_password(tx: &mut Tx, pools: Pools) -> Result<bool, Fault> {
    const IN_A_ROW: Sql = Sql("SELECT consecutive FROM lockouts WHERE pool = $1");
    let row = tx.optional(IN_A_ROW, vec![pools.person.0.into()]).await?;
    let consecutive = row.map(|row| row.int(0)).transpose()?.map_or(0, count);
    Ok(lockout::ends_password(consecutive))
}

/// The failures in a row are over: they were against a password that is no more. Blocks stay.
pub async fn row_ends(tx: &mut Tx, person: Pool) -> Result<(), Fault> {
    const ROW_ENDS: Sql = Sql("UPDATE lockouts SET consecutive = 0 WHERE pool = $1");
    tx.execute(ROW_ENDS, vec![person.0.into()]).await.map(drop)
}

/// Forgets a person's failures: her credentials are new.
pub async fn forget(tx: &mut Tx, person: Pool) -> Result<(), Fault> {
    const FORGET: Sql = Sql("DELETE FROM lockouts WHERE pool = $1");
    tx.execute(FORGET, vec![person.0.into()]).await.map(drop)
}

fn count(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
