//! Public keys of clients, fetched from where they registered them (RFC 7591 §2, `jwks_uri`) and
//! kept for a while. Nothing is fetched before a request needs it; then one fetch serves everybody
//! who waits, and no client is asked more often than twice a minute, whatever is sent in its name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rules::jose::JwkSet;
use rules::time::Timestamp;

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

/// One address. Whoever fetches holds the lock, and whoever waits for it finds what was fetched.
#[derive(Default)]
struct Entry(tokio::sync::Mutex<State>);

#[derive(Default)]
struct State {
    keys: Option<(Arc<JwkSet>, Timestamp)>,
    tried_at: Option<Timestamp>,
    /// Why the last fetch failed.
    failure: Option<String>,
}

impl ClientKeys {
    /// The keys at an address: those kept, or fetched when there are none or they are old.
    ///
    /// # Errors
    /// Why there are none; for the log, not for strangers.
    pub async fn get(
        &self,
        outbound: &Outbound,
        url: &str,
        now: Timestamp,
    ) -> Result<Arc<JwkSet>, String> {
        let entry = self.entry(url);
        let mut state = entry.0.lock().await;
        if let Some((keys, at)) = &state.keys
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(keys));
        }
        state.fetch(outbound, url, now).await;
        match &state.keys {
            Some((keys, at)) if now.since(*at) < STALE => Ok(Arc::clone(keys)),
            _ => Err(state.failure.clone().unwrap_or_default()),
        }
    }

    /// The keys at an address when they are others than `seen`: a signature did not verify by those.
    pub async fn newer(
        &self,
        outbound: &Outbound,
        url: &str,
        seen: &Arc<JwkSet>,
        now: Timestamp,
    ) -> Option<Arc<JwkSet>> {
        let entry = self.entry(url);
        let mut state = entry.0.lock().await;
        // Somebody else fetched them while this one waited, perhaps.
        if state.others_than(seen).is_none() {
            state.fetch(outbound, url, now).await;
        }
        state.others_than(seen)
    }

    /// Forgets what is kept for addresses that no client has any more.
    pub fn keep_only(&self, urls: &[&str]) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|url, _| urls.contains(&url.as_str()));
    }

    fn entry(&self, url: &str) -> Arc<Entry> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(entries.entry(url.to_owned()).or_default())
    }
}

impl State {
    fn others_than(&self, seen: &Arc<JwkSet>) -> Option<Arc<JwkSet>> {
        let (keys, _) = self.keys.as_ref()?;
        (**keys != **seen).then(|| Arc::clone(keys))
    }

    async fn fetch(&mut self, outbound: &Outbound, url: &str, now: Timestamp) {
        if self.tried_at.is_some_and(|at| now.since(at) < APART) {
            return;
        }
        self.tried_at = Some(now);
        let answer = outbound.get(
            url,
            "application/jwk-set+json, application/json",
            LARGEST,
            PATIENCE,
        );
        let read = match answer.await {
            Ok(body) => JwkSet::from_json(&body).map_err(|error| error.to_string()),
            Err(unreached) => Err(unreached.to_string()),
        };
        match read {
            Ok(keys) if keys.is_empty() => {
                self.failure = Some("the set has no usable key".to_owned());
            }
            Ok(keys) => {
                self.keys = Some((Arc::new(keys), now));
                self.failure = None;
            }
            Err(why) => {
                tracing::warn!(jwks_uri = url, why, "a client's keys could not be fetched");
                self.failure = Some(why);
            }
        }
    }
}
