//! Doing what migrations left to be done row by row (expand, backfill, contract).

use super::Progress;
use crate::clock::Clock;
use crate::fault::Fault;
use crate::store::Store;
use crate::store::backfill::{self, Backfill, Standing};

/// How many batches a server does at once beside its other work.
const AT_ONCE: u32 = 8;

/// Does all of it, and tells how far it is, over all of them together. Interrupted, it goes on where it was
/// when it is called again.
///
/// # Errors
/// [`Fault`]: what was done until then is done.
pub async fn finish(
    store: &Store,
    clock: &Clock,
    works: &[Backfill],
    progress: &Progress,
) -> Result<Vec<Standing>, Fault> {
    let mut standings = Vec::with_capacity(works.len());
    for work in works {
        loop {
            let standing = advance(store, clock, *work).await?;
            progress.tell(standing.done, standing.all);
            if standing.finished {
                standings.push(standing);
                break;
            }
        }
    }
    Ok(standings)
}

/// Does some batches of the first that is not finished; false when nothing is left to do.
///
/// # Errors
/// [`Fault`].
pub async fn go_on(store: &Store, clock: &Clock, works: &[Backfill]) -> Result<bool, Fault> {
    for work in works {
        for _ in 0..AT_ONCE {
            let standing = advance(store, clock, *work).await?;
            if standing.finished {
                tracing::debug!(name = standing.name, rows = standing.done, "backfilled");
                break;
            }
            tracing::info!(
                name = standing.name,
                done = standing.done,
                all = standing.all,
                "backfilling"
            );
        }
        if !look(store, *work).await?.is_some_and(|seen| seen.finished) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How far each has come; those that have not begun are left out.
///
/// # Errors
/// [`Fault`].
pub async fn standings(store: &Store, works: &[Backfill]) -> Result<Vec<Standing>, Fault> {
    let mut standings = Vec::with_capacity(works.len());
    for work in works {
        standings.extend(look(store, *work).await?);
    }
    Ok(standings)
}

/// One batch.
///
/// # Errors
/// [`Fault`].
pub async fn advance(store: &Store, clock: &Clock, work: Backfill) -> Result<Standing, Fault> {
    let now = clock.now();
    store
        .write(move |tx| Box::pin(backfill::advance(tx, work, now)))
        .await
}

async fn look(store: &Store, work: Backfill) -> Result<Option<Standing>, Fault> {
    store
        .read(move |tx| Box::pin(backfill::look(tx, work)))
        .await
}
