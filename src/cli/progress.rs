//! How far long work has come, on standard error: where a person sees it, a line that is written
//! over; elsewhere, a line now and then.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::flows::Progress;

/// How long the work may take before anything is said, and how often it is said then.
const TERMINAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(200));
const ELSEWHERE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(10));

/// Tells on standard error how far `what` has come.
pub(super) fn on_stderr(what: &'static str) -> Progress {
    let terminal = io::stderr().is_terminal();
    let (after, every) = if terminal { TERMINAL } else { ELSEWHERE };
    let clock = Clock::system();
    let next = Mutex::new(after);
    Progress::to(move |done, all| {
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.monotonic();
        let last = done >= all && *next > after;
        if now < *next && !last {
            return;
        }
        *next = now + every;
        let text = format!("{what}: {done} of {all} ({} %)", percent(done, all));
        let mut stderr = io::stderr().lock();
        let end = if last { "\n" } else { "" };
        let _ = if terminal {
            write!(stderr, "\r{text}{end}")
        } else {
            writeln!(stderr, "{text}")
        };
    })
}

fn percent(done: u64, all: u64) -> u64 {
    (done.min(all).saturating_mul(100))
        .checked_div(all)
        .unwrap_or(100)
}
