//! Upkeep: freeing space, and writing counted refusals down. Nothing here decides anything: what
//! has expired is refused when it is used, whether its row is still there or not.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rules::audit::{Actor, Kind};
use rules::time::Timestamp;

use super::Caller;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Lifetimes;
use crate::defence::{FirstUse, Refused};
use crate::fault::Fault;
use crate::store::audit::PendingEvent;
use crate::store::{authorizations, upkeep};

/// Revocations are kept this much longer than any token may live, against clocks that differ.
const MARGIN: Duration = Duration::from_hours(1);
/// How many batches of each kind one tick removes at the most: what is left waits for the next.
const ROUNDS: u32 = 2000;
/// How many counted refusals share one transaction.
const BATCH: usize = 128;

/// By how much the wall clock may run ahead of the monotonic one between two cleanings.
const STEP: Duration = Duration::from_mins(1);

/// When was last cleaned, by both clocks.
#[derive(Default)]
pub struct Cleaned(Mutex<Option<(Timestamp, Duration)>>);

impl Cleaned {
    /// Whether the wall clock was set forward since it was asked last.
    fn was_set(&self, clock: &Clock) -> bool {
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace((now, monotonic));
        before.is_some_and(|(on, at)| {
            now.since(on) > monotonic.saturating_sub(at).saturating_add(STEP)
        })
    }
}

/// Removes what ended long ago, in small batches, each a transaction of its own. After each it rests
/// for as long as the batch took, so that others write at least half of the time; a kind with much to
/// remove takes turns with the others, and one that cannot be removed does not hold them up. When the
/// clock was set forward, somebody has until the next time to set it right. A server that stops waits
/// for one batch at the most.
///
/// # Errors
/// The first [`Fault`] there was.
pub async fn clean(app: &App) -> Result<(), Fault> {
    if app.cleaned.was_set(&app.clock) {
        tracing::warn!(
            "the clock was set forward, or the machine slept: nothing is removed for now"
        );
        return Ok(());
    }
    let now = app.clock.now();
    let before = now.minus(Lifetimes::LONGEST_ACCESS_TOKEN + MARGIN);
    app.store.revocations().prune(before);
    let mut outcome = Ok(());
    let mut kinds: Vec<usize> = (0..upkeep::KINDS).collect();
    for _ in 0..ROUNDS {
        let mut left = Vec::new();
        for kind in kinds {
            if app.leaving.load(Ordering::Relaxed) {
                return outcome;
            }
            let began = app.clock.monotonic();
            let swept = app
                .store
                .write(move |tx| Box::pin(upkeep::sweep(tx, kind, now)))
                .await;
            if matches!(swept, Ok(upkeep::AT_ONCE..)) {
                left.push(kind);
                tokio::time::sleep(app.clock.monotonic().saturating_sub(began)).await;
            }
            outcome = outcome.and(swept.map(drop));
        }
        kinds = left;
        if kinds.is_empty() {
            break;
        }
    }
    outcome
}

/// Writes the refusals of the last minute to the audit log, one event for each kind, client and
/// reason, with their count. What cannot be written is counted again.
///
/// # Errors
/// The first [`Fault`] there was.
pub async fn flush_refusals(app: &App) -> Result<(), Fault> {
    let counted: Vec<_> = app.refusals.take().into_iter().collect();
    let mut outcome = Ok(());
    for batch in counted.chunks(BATCH) {
        let flushed = flush(app, batch).await;
        if flushed.is_err() {
            for (refused, count) in batch {
                app.refusals.put_back(refused.clone(), *count);
            }
        }
        outcome = outcome.and(flushed);
    }
    outcome
}

/// Writes down which authorizations APIs asked about for the first time.
///
/// # Errors
/// The first [`Fault`] there was.
pub async fn flush_first_uses(app: &App) -> Result<(), Fault> {
    let mut uses = app.first_uses.take();
    // The same order on every node, so that no two wait for each other.
    uses.sort_unstable_by_key(|used| used.authorization);
    let mut outcome = Ok(());
    for batch in uses.chunks(authorizations::USES) {
        let written = write_first_uses(app, batch).await;
        if written.is_err() {
            app.first_uses.put_back(batch.to_vec());
        }
        outcome = outcome.and(written);
    }
    outcome
}

async fn write_first_uses(app: &App, batch: &[FirstUse]) -> Result<(), Fault> {
    let caller = Caller::default();
    let now = app.clock.now();
    let mut events = HashMap::with_capacity(batch.len());
    for used in batch {
        let event = app
            .event(Kind::IntrospectionFirstUse, &caller)?
            .by(Actor::Client(used.api.clone()))
            .client(used.api.as_str())
            .authorization(used.authorization);
        events.insert(used.authorization, app.pending(event, &caller, None)?);
    }
    let used: Vec<_> = batch.iter().map(|used| used.authorization).collect();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                for first in authorizations::note_uses(tx, &used, now).await? {
                    if let Some(event) = events.remove(&first) {
                        tx.record(event);
                    }
                }
                Ok(())
            })
        })
        .await
}

async fn flush(app: &App, batch: &[(Refused, u64)]) -> Result<(), Fault> {
    let mut events = Vec::with_capacity(batch.len());
    for (refused, count) in batch {
        events.push(counted(app, refused, *count)?);
    }
    app.store
        .write(move |tx| {
            Box::pin(async move {
                for event in events {
                    tx.record(event);
                }
                Ok(())
            })
        })
        .await
}

fn counted(app: &App, refused: &Refused, count: u64) -> Result<PendingEvent, Fault> {
    let caller = Caller::default();
    let mut event = app
        .event(refused.kind, &caller)?
        .refused(refused.reason)
        .with("count", count);
    event.client.clone_from(&refused.client);
    event.subject = refused.subject;
    app.pending(event, &caller, None)
}
