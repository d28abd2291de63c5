//! What defends the server. Refusals are counted in memory and reach the audit log a minute at a
//! time, so that a flood of garbage writes no flood of rows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rules::audit::Kind;

/// How many different refusals are told apart within a minute; the rest are counted together.
const BOUND: usize = 1024;

/// Who was refused what, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// What was refused.
    pub kind: Kind,
    /// Who asked, as far as is known.
    pub client: Option<String>,
    /// Why, as a stable word.
    pub reason: &'static str,
}

/// Refusals since they were last taken.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<Refused, u64>>);

impl Refusals {
    /// Counts one.
    pub fn count(&self, kind: Kind, client: Option<&str>, reason: &'static str) {
        let client = client.map(str::to_owned);
        let refused = Refused {
            kind,
            client,
            reason,
        };
        self.put_back(refused, 1);
    }

    /// Counts again what was taken and could not be written.
    pub fn put_back(&self, mut refused: Refused, times: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= BOUND && !counts.contains_key(&refused) {
            refused.client = None;
        }
        let count = counts.entry(refused).or_default();
        *count = count.saturating_add(times);
    }

    /// Takes what was counted.
    #[must_use]
    pub fn take(&self) -> HashMap<Refused, u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
