//! What defends the server. Refusals are counted in memory and reach the audit log a minute at a
//! time, so that a flood of garbage writes no flood of rows.

pub mod limits;
mod table;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use rules::audit::Kind;
use uuid::Uuid;

/// How many different refusals are told apart within a minute; the rest are counted together.
const BOUND: usize = 1024;

/// How many refused sign-ins a minute get an event of their own; the rest are counted.
const EVENTS_A_MINUTE: u32 = 120;

/// Who was refused what, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// What was refused.
    pub kind: Kind,
    /// Who asked, as far as is known.
    pub client: Option<String>,
    /// Whom it was about, when that is known.
    pub subject: Option<Uuid>,
    /// Why, as a stable word.
    pub reason: &'static str,
}

/// How many authorizations are remembered as used.
const REMEMBERED: usize = 200_000;

/// An API's first question about an authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstUse {
    /// The authorization.
    pub authorization: Uuid,
    /// The API that asked.
    pub api: String,
}

/// Which authorizations were used, as far as this node remembers, and the first uses that are not
/// yet written down.
#[derive(Default)]
pub struct FirstUses {
    known: RwLock<HashSet<Uuid>>,
    pending: Mutex<Vec<FirstUse>>,
}

impl FirstUses {
    /// Notes a use; most are known already, and cost one look.
    pub fn note(&self, authorization: Uuid, api: &str) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&authorization) {
            return;
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            // Forgetting costs one conditional statement that changes nothing.
            known.clear();
        }
        if known.insert(authorization) {
            let api = api.to_owned();
            self.put_back(vec![FirstUse { authorization, api }]);
        }
    }

    /// Takes what is to be written down.
    #[must_use]
    pub fn take(&self) -> Vec<FirstUse> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes back what could not be written, as far as there is room.
    pub fn put_back(&self, uses: Vec<FirstUse>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let room = REMEMBERED.saturating_sub(pending.len());
        pending.extend(uses.into_iter().take(room));
    }
}

/// Refusals since they were last taken.
#[derive(Default)]
pub struct Refusals {
    counts: Mutex<HashMap<Refused, u64>>,
    written: Mutex<Written>,
}

/// How many refused sign-ins got an event of their own in one minute.
#[derive(Default)]
struct Written {
    minute: u64,
    events: u32,
}

impl Refusals {
    /// Counts one.
    pub fn count(&self, kind: Kind, client: Option<&str>, reason: &'static str) {
        let client = client.map(str::to_owned);
        let refused = Refused {
            kind,
            client,
            subject: None,
            reason,
        };
        self.put_back(refused, 1);
    }

    /// Counts one about a person, as far as she is known.
    pub fn count_about(&self, kind: Kind, subject: Option<Uuid>, reason: &'static str) {
        let refused = Refused {
            kind,
            client: None,
            subject,
            reason,
        };
        self.put_back(refused, 1);
    }

    /// Whether a refused sign-in gets an event of its own, at the monotonic time `now`; else it is
    /// counted.
    #[must_use]
    pub fn is_worth_an_event(&self, now: Duration) -> bool {
        let minute = now.as_secs() / 60;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.minute != minute {
            *written = Written { minute, events: 0 };
        }
        let worth = written.events < EVENTS_A_MINUTE;
        written.events += u32::from(worth);
        worth
    }

    /// Counts again what was taken and could not be written.
    pub fn put_back(&self, mut refused: Refused, times: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= BOUND && !counts.contains_key(&refused) {
            refused.client = None;
            refused.subject = None;
        }
        let count = counts.entry(refused).or_default();
        *count = count.saturating_add(times);
    }

    /// Takes what was counted.
    #[must_use]
    pub fn take(&self) -> HashMap<Refused, u64> {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
