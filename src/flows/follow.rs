//! Following what other nodes changed. A node answers about tokens only while it knows the feed as
//! it stood less than 750 ms ago; otherwise the request waits for one shared, fresh look.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rules::time::Timestamp;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::app::App;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::store::feed::{self, Change, Known, What};
use crate::store::{clients, epoch, keys, resources};

/// How often a node looks by itself.
pub const EVERY: Duration = Duration::from_millis(250);
/// How old a look may be. With the look itself this keeps the promise of one second.
const STALE: Duration = Duration::from_millis(750);
/// How long one page of a look may take before requests are told that the database does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far this node has followed.
#[derive(Default)]
pub struct Follower {
    /// When the last successful look *started*, in milliseconds of the monotonic clock.
    looked_at: AtomicU64,
    /// The same by the wall clock: the other one stands still while the machine sleeps.
    looked_on: AtomicI64,
    /// How many looks have begun.
    begun: AtomicU64,
    looking: Mutex<Looking>,
}

/// What the one who looks knows. It outlives a look that fails or is given up half-way.
struct Looking {
    known: Known,
    /// What is to be read anew; all of it at first.
    epoch: bool,
    registry: bool,
    keys: bool,
    /// The numbers of the last looks that ended well, and not.
    done: u64,
    failed: u64,
}

impl Default for Looking {
    fn default() -> Self {
        Self {
            known: Known::default(),
            epoch: true,
            registry: true,
            keys: true,
            done: 0,
            failed: 0,
        }
    }
}

impl Looking {
    fn forget(&mut self) {
        *self = Self {
            done: self.done,
            failed: self.failed,
            ..Self::default()
        };
    }
}

/// Reads everything: clients, resources, keys, and what was revoked within the longest token
/// lifetime.
pub async fn load(app: &App) -> Result<(), Fault> {
    let mut looking = app.follower.looking.lock().await;
    looking.forget();
    look(app, &mut looking).await
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
    let arrived = app.follower.begun.load(Ordering::Acquire);
    let mut looking = app.follower.looking.lock().await;
    // A look that began later saw whatever was revoked before, however long it took.
    if age(app) < STALE || looking.done > arrived {
        return Ok(());
    }
    // Those who waited for the same look share its failure: in turn they would wait for ever.
    if looking.failed > arrived {
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
async fn read_registry(app: &App, looking: &mut Looking) -> Result<(), Fault> {
    looking.registry = true;
    let (clients, resources) = app
        .store
        .read(|tx| {
            Box::pin(async move { Ok((clients::all(tx).await?, resources::all(tx).await?)) })
        })
        .await?;
    app.registry.replace(&app.config, clients, resources);
    looking.registry = false;
    Ok(())
}

async fn read_keys(app: &App, looking: &mut Looking) -> Result<(), Fault> {
    looking.keys = true;
    let stored = app.store.read(|tx| Box::pin(keys::every(tx))).await?;
    app.keys.replace(&stored)?;
    looking.keys = false;
    Ok(())
}

/// The feed forgets when the database was restored; this does not.
async fn read_epoch(app: &App, looking: &mut Looking) -> Result<(), Fault> {
    let epoch = app.store.read(|tx| Box::pin(epoch::current(tx))).await?;
    if let Some(at) = epoch {
        let what = What::Epoch;
        app.store.revocations().apply(&Change { what, at });
    }
    looking.epoch = false;
    Ok(())
}

fn age(app: &App) -> Duration {
    let looked = Duration::from_millis(app.follower.looked_at.load(Ordering::Acquire));
    let age = app.clock.monotonic().saturating_sub(looked);
    let looked = Timestamp::from_millis(app.follower.looked_on.load(Ordering::Acquire));
    age.max(app.clock.now().since(looked))
}

async fn look(app: &App, looking: &mut Looking) -> Result<(), Fault> {
    let number = app.follower.begun.fetch_add(1, Ordering::AcqRel) + 1;
    let looked = look_patiently(app, looking).await;
    match looked {
        Ok(()) => looking.done = number,
        Err(_) => looking.failed = number,
    }
    looked
}

/// Reads on from what is known, page by page: what was taken in stays so when a later page fails.
async fn look_patiently(app: &App, looking: &mut Looking) -> Result<(), Fault> {
    let (started, on) = (app.clock.monotonic(), app.clock.now());
    while !in_time(next_page(app, looking)).await? {}
    // Before anything is judged.
    if looking.epoch {
        in_time(read_epoch(app, looking)).await?;
    }
    if looking.registry {
        in_time(read_registry(app, looking)).await?;
    }
    if looking.keys {
        in_time(read_keys(app, looking)).await?;
    }
    let millis = u64::try_from(started.as_millis()).unwrap_or(u64::MAX);
    app.follower.looked_on.store(on.millis(), Ordering::Release);
    app.follower.looked_at.store(millis, Ordering::Release);
    Ok(())
}

async fn in_time<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let done = timeout(PATIENCE, work).await;
    done.unwrap_or(Err(Fault::Busy("the database does not answer")))
}

/// Takes one page in; true when it was the last one. When the page does not continue what is known,
/// everything is read anew: what was missed may be anything.
async fn next_page(app: &App, looking: &mut Looking) -> Result<bool, Fault> {
    let known = looking.known.clone();
    let page = app
        .store
        .read(move |tx| Box::pin(async move { feed::after(tx, &known).await }))
        .await?;
    let Some(page) = page else {
        tracing::warn!("changes of other nodes were missed; everything is read anew");
        looking.forget();
        return Ok(false);
    };
    let oldest = app.clock.now().minus(Lifetimes::LONGEST_ACCESS_TOKEN);
    for change in page.changes {
        match change.what {
            What::Client(_) | What::Resource(_) => looking.registry = true,
            What::Keys => looking.keys = true,
            What::Epoch => {
                (looking.registry, looking.keys) = (true, true);
                app.store.revocations().apply(&change);
            }
            What::Other => (looking.registry, looking.keys) = (true, true),
            _ if change.at >= oldest => app.store.revocations().apply(&change),
            _ => {}
        }
    }
    looking.known = page.known;
    Ok(page.is_last)
}
