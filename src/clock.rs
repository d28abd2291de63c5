//! Time, injected: the one place that asks the system what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rules::time::Timestamp;

/// Tells the time. Cloning shares the source.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    Manual(Arc<Manual>),
}

/// A clock that only tests move, in milliseconds.
#[derive(Debug)]
struct Manual {
    now: AtomicI64,
    monotonic: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place that may")]
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        let monotonic = start.since(Timestamp::default()).as_millis();
        Self(Source::Manual(Arc::new(Manual {
            now: AtomicI64::new(start.millis()),
            monotonic: AtomicU64::new(u64::try_from(monotonic).unwrap_or_default()),
        })))
    }

    /// Now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place that may")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(_) => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp::default().plus(since)
            }
            Source::Manual(manual) => Timestamp::from_millis(manual.now.load(Ordering::SeqCst)),
        }
    }

    /// Time that never goes back, for measuring how old a reading is; its start means nothing. While
    /// the machine sleeps it may stand still.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place that may")]
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System(start) => start.elapsed(),
            Source::Manual(manual) => {
                Duration::from_millis(manual.monotonic.load(Ordering::SeqCst))
            }
        }
    }

    /// Moves a manual clock later; the machine's clock is left alone.
    pub fn advance(&self, by: Duration) {
        self.step(by);
        if let Source::Manual(manual) = &self.0 {
            let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            manual.monotonic.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock later, as somebody does who sets the machine's; the monotonic time stays.
    pub fn step(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            manual.now.fetch_add(by, Ordering::SeqCst);
        }
    }
}
