//! Public keys of clients, fetched from where they registered them (RFC 7591 §2, `jwks_uri`) and
//! kept for a while. Nothing is fetched before a request needs it; then one fetch serves everybody
//! who waits, and no client is asked more often than twice a minute, whatever is sent in its name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rules::jose::JwkSet;
use rules::time::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::outbound::Outbound;

/// How long keys are used without looking whether they changed.
const FRESH: Duration = Duration::from_hours(1);
/// How long keys are used when they cannot be fetched anew.
const STALE: Duration = Duration::from_hours(24);
/// How long between two fetches from one address, at the least.
const APART: Duration = Duration::from_secs(30);
/// The largest set, in bytes.
const LARGEST: usize = 64 * 1024;
/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The keys, by address.
#[derive(Default)]
pub struct ClientKeys(Mutex<HashMap<String, Arc<Entry>>>);

/// One address.
#[derive(Default)]
struct Entry {
    /// What was fetched, and when. Whoever finds it good enough waits for nobody.
    kept: RwLock<Option<(Arc<JwkSet>, Timestamp)>>,
    /// Held by whoever fetches; whoever waits for it finds what was fetched.
    last: Arc<tokio::sync::Mutex<Attempt>>,
}

/// The last fetch.
#[derive(Default)]
struct Attempt {
    at: Option<Timestamp>,
    /// Why it failed.
    failure: Option<String>,
}

impl ClientKeys {
    /// The keys at an address: those kept, or fetched when there are none or they are old.
    ///
    /// # Errors
    /// Why there are none; for the log, not for strangers.
    pub async fn get(
        &self,
        outbound: &Arc<Outbound>,
        url: &str,
        now: Timestamp,
    ) -> Result<Arc<JwkSet>, String> {
        let entry = self.entry(url);
        if let Some(keys) = entry.kept_for(FRESH, now) {
            return Ok(keys);
        }
        let last = match Arc::clone(&entry.last).try_lock_owned() {
            Ok(last) => last,
            Err(_) => match entry.kept_for(STALE, now) {
                Some(keys) => return Ok(keys),
                None => Arc::clone(&entry.last).lock_owned().await,
            },
        };
        let failure = entry.fetch(last, outbound, url, now).await;
        let keys = entry.kept_for(STALE, now);
        keys.ok_or_else(|| failure.unwrap_or_default())
    }

    /// The keys at an address when they are others than `seen`: a signature did not verify by those.
    pub async fn newer(
        &self,
        outbound: &Arc<Outbound>,
        url: &str,
        seen: &JwkSet,
        now: Timestamp,
    ) -> Option<Arc<JwkSet>> {
        let entry = self.entry(url);
        if let Some(others) = entry.others_than(seen) {
            return Some(others);
        }
        let last = Arc::clone(&entry.last).lock_owned().await;
        entry.fetch(last, outbound, url, now).await;
        entry.others_than(seen)
    }

    fn entry(&self, url: &str) -> Arc<Entry> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(entries.entry(url.to_owned()).or_default())
    }
}

impl Entry {
    fn kept(&self) -> Option<(Arc<JwkSet>, Timestamp)> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    /// What is kept, when it is younger than this.
    fn kept_for(&self, age: Duration, now: Timestamp) -> Option<Arc<JwkSet>> {
        let (keys, at) = self.kept()?;
        is_within(age, at, now).then_some(keys)
    }

    fn others_than(&self, seen: &JwkSet) -> Option<Arc<JwkSet>> {
        let (keys, _) = self.kept()?;
        (*keys != *seen).then_some(keys)
    }

    /// Fetches, unless that was tried a moment ago; gives why the last attempt failed, if it did. It
    /// is a task of its own: whoever hangs up does not end what others wait for.
    async fn fetch(
        self: &Arc<Self>,
        mut last: OwnedMutexGuard<Attempt>,
        outbound: &Arc<Outbound>,
        url: &str,
        now: Timestamp,
    ) -> Option<String> {
        if last.at.is_some_and(|at| is_within(APART, at, now)) {
            return last.failure.clone();
        }
        last.at = Some(now);
        let (entry, outbound, url) = (Arc::clone(self), Arc::clone(outbound), url.to_owned());
        let fetching = tokio::spawn(async move {
            last.failure = match read(&outbound, &url).await {
                Ok(keys) => {
                    let mut kept = entry.kept.write().unwrap_or_else(PoisonError::into_inner);
                    *kept = Some((Arc::new(keys), now));
                    None
                }
                Err(why) => {
                    tracing::warn!(jwks_uri = url, why, "a client's keys could not be fetched");
                    Some(why)
                }
            };
            last.failure.clone()
        });
        fetching
            .await
            .unwrap_or_else(|error| Some(error.to_string()))
    }
}

/// Whether something happened at most so long ago. When the clock was set back since, nobody knows.
fn is_within(age: Duration, at: Timestamp, now: Timestamp) -> bool {
    at <= now && now.since(at) < age
}

async fn read(outbound: &Outbound, url: &str) -> Result<JwkSet, String> {
    let accept = "application/jwk-set+json, application/json";
    let answer = outbound.get(url, accept, LARGEST, PATIENCE).await;
    let body = answer.map_err(|unreached| unreached.to_string())?;
    let keys = JwkSet::published(&body).map_err(|error| error.to_string())?;
    if keys.is_empty() {
        return Err("the set has no usable key".to_owned());
    }
    Ok(keys)
}
