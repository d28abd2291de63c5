//! Following what other nodes changed. A node answers about tokens only while it knows the feed as
//! it stood less than 750 ms ago; otherwise the request waits for one shared, fresh look.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::store::feed::{self, Change, What};
use crate::store::{clients, epoch, keys, resources};

/// How often a node looks by itself.
pub const EVERY: Duration = Duration::from_millis(250);
/// How old a look may be. With the look itself this keeps the promise of one second.
const STALE: Duration = Duration::from_millis(750);
/// How long a look may take before requests are told that the database does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far this node has followed.
#[derive(Default)]
pub struct Follower {
    seq: AtomicI64,
    /// When the last successful look *started*, in milliseconds of the monotonic clock.
    looked_at: AtomicU64,
    /// How many looks have ended, well or not.
    looks: AtomicU64,
    looking: Mutex<()>,
}

/// Reads everything: clients, resources, keys, and what was revoked within the longest token
/// lifetime.
pub async fn load(app: &App) -> Result<(), Fault> {
    let mut looking = app.follower.looking.lock().await;
    // Before anything is judged: the feed forgets when the database was restored, this does not.
    let epoch = app.store.read(|tx| Box::pin(epoch::current(tx))).await?;
    if let Some(at) = epoch {
        let what = What::Epoch;
        app.store.revocations().apply(&Change { what, at });
    }
    look(app, &mut looking).await?;
    read_registry(app, &mut looking).await?;
    read_keys(app, &mut looking).await
}

/// Looks at the feed.
pub async fn poll(app: &App) -> Result<(), Fault> {
    look(app, &mut *app.follower.looking.lock().await).await
}

/// Makes sure that what this node knows is fresh enough to judge by.
pub async fn fresh(app: &App) -> Result<(), Fault> {
    if !app.store.is_shared() || age(app) < STALE {
        return Ok(());
    }
    // In a box of its own, as everything that most requests do not come to: a request's future is
    // moved, and what it could hold is moved with it.
    Box::pin(look_together(app)).await
}

/// One look for all that wait.
async fn look_together(app: &App) -> Result<(), Fault> {
    let before = app.follower.looks.load(Ordering::Acquire);
    let mut looking = app.follower.looking.lock().await;
    if age(app) < STALE {
        return Ok(());
    }
    // Those who waited for the same look share its failure: in turn they would wait for ever.
    if app.follower.looks.load(Ordering::Acquire) != before {
        return Err(Fault::Busy("the database did not answer a moment ago"));
    }
    look(app, &mut looking).await
}

/// Reads clients and resources anew.
pub async fn reload_registry(app: &App) -> Result<(), Fault> {
    read_registry(app, &mut *app.follower.looking.lock().await).await
}

/// Reads the signing keys anew.
pub async fn reload_keys(app: &App) -> Result<(), Fault> {
    read_keys(app, &mut *app.follower.looking.lock().await).await
}

/// Reading and replacing happen under one lock, or an older picture could replace a newer one.
async fn read_registry(app: &App, _looking: &mut ()) -> Result<(), Fault> {
    let (clients, resources) = app
        .store
        .read(|tx| {
            Box::pin(async move { Ok((clients::all(tx).await?, resources::all(tx).await?)) })
        })
        .await?;
    app.registry.replace(&app.config, clients, resources);
    Ok(())
}

async fn read_keys(app: &App, _looking: &mut ()) -> Result<(), Fault> {
    let stored = app.store.read(|tx| Box::pin(keys::signing(tx))).await?;
    app.keys.replace(&stored)
}

fn age(app: &App) -> Duration {
    let looked = Duration::from_millis(app.follower.looked_at.load(Ordering::Acquire));
    app.clock.monotonic().saturating_sub(looked)
}

async fn look(app: &App, looking: &mut ()) -> Result<(), Fault> {
    let looked = tokio::time::timeout(PATIENCE, look_patiently(app, looking)).await;
    app.follower.looks.fetch_add(1, Ordering::Release);
    looked.unwrap_or(Err(Fault::Busy("the database does not answer")))
}

async fn look_patiently(app: &App, looking: &mut ()) -> Result<(), Fault> {
    let started = app.clock.monotonic();
    let known = app.follower.seq.load(Ordering::Acquire);
    let (changes, seq) = app
        .store
        .read(move |tx| Box::pin(async move { feed::since(tx, known).await }))
        .await?;
    let oldest = app.clock.now().minus(Lifetimes::LONGEST_ACCESS_TOKEN);
    let mut registry = false;
    let mut keys = false;
    for change in changes {
        match change.what {
            What::Client(_) | What::Resource(_) => registry = true,
            What::Keys => keys = true,
            What::Epoch => {
                (registry, keys) = (true, true);
                app.store.revocations().apply(&change);
            }
            What::Other => (registry, keys) = (true, true),
            _ if change.at >= oldest => app.store.revocations().apply(&change),
            _ => {}
        }
    }
    if registry {
        read_registry(app, looking).await?;
    }
    if keys {
        read_keys(app, looking).await?;
    }
    app.follower.seq.store(seq, Ordering::Release);
    let millis = u64::try_from(started.as_millis()).unwrap_or(u64::MAX);
    app.follower.looked_at.store(millis, Ordering::Release);
    Ok(())
}
