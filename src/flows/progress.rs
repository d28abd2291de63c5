//! How far long work has come.

use std::sync::Arc;

/// Tells how far long work has come: `(done, all)`.
#[derive(Clone)]
pub struct Progress(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl Progress {
    /// Nobody listens.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Calls `listener` as the work goes on.
    pub fn to(listener: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Says how far it is.
    pub fn tell(&self, done: u64, all: u64) {
        if let Some(listener) = &self.0 {
            listener(done, all);
        }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress(…)")
    }
}
