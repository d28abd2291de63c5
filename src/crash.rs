//! Named places at which a test lets this process die: around every commit that a flow asks for
//! (docs/adr/0007). Only debug builds have them; a release build compiles each to nothing, and
//! nothing that an operator can set reaches them.

/// The commit of one piece of work, named by the place in the source that asked for it:
/// `flows/redeem_code.rs:49`. Holds nothing in release builds.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    #[cfg(debug_assertions)]
    asked: &'static std::panic::Location<'static>,
}

/// When, around a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The work is done; the database was not yet told to commit.
    Before,
    /// The database has committed; nobody was told.
    After,
    /// The flow knows; whoever asked does not.
    Answer,
}

impl Moment {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 3] = [Self::Before, Self::After, Self::Answer];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Answer => "answer",
        }
    }
}

impl Commit {
    /// The commit that the caller asks for.
    #[must_use]
    #[cfg_attr(debug_assertions, track_caller)]
    pub const fn asked_here() -> Self {
        Self {
            #[cfg(debug_assertions)]
            asked: std::panic::Location::caller(),
        }
    }

    /// Passes one of its crash points: here the process dies when a test wants that.
    #[cfg(debug_assertions)]
    pub(crate) fn pass(self, moment: Moment) {
        armed::pass(self.asked, moment);
    }

    /// Nothing, in a release build.
    #[cfg(not(debug_assertions))]
    #[inline(always)]
    #[expect(clippy::unused_self, clippy::inline_always, reason = "it is nothing")]
    pub(crate) const fn pass(self, _: Moment) {}
}

#[cfg(debug_assertions)]
pub use armed::{arm, record, recorded};

#[cfg(debug_assertions)]
mod armed {
    use std::collections::BTreeSet;
    use std::panic::Location;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, PoisonError};

    use super::Moment;

    /// What a test wants.
    struct Wanted {
        die_at: Option<String>,
        passed: Option<BTreeSet<String>>,
    }

    static WATCHED: AtomicBool = AtomicBool::new(false);
    static WANTED: Mutex<Wanted> = Mutex::new(Wanted {
        die_at: None,
        passed: None,
    });

    /// Lets the process die at the crash point of this name, `flows/redeem_code.rs:49 before`, when
    /// it next passes; at none any more by an empty name.
    pub fn arm(point: &str) {
        change(|wanted| wanted.die_at = (!point.is_empty()).then(|| point.to_owned()));
    }

    /// Begins to write down which crash points are passed.
    pub fn record() {
        change(|wanted| wanted.passed = Some(BTreeSet::new()));
    }

    /// The names of the crash points that were passed since [`record`]; the list is emptied.
    #[must_use]
    pub fn recorded() -> Vec<String> {
        let mut wanted = WANTED.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = wanted.passed.as_mut().map(std::mem::take);
        passed.into_iter().flatten().collect()
    }

    fn change(how: impl FnOnce(&mut Wanted)) {
        let mut wanted = WANTED.lock().unwrap_or_else(PoisonError::into_inner);
        how(&mut wanted);
        let watched = wanted.die_at.is_some() || wanted.passed.is_some();
        WATCHED.store(watched, Ordering::Release);
    }

    pub(super) fn pass(asked: &Location<'_>, moment: Moment) {
        if !WATCHED.load(Ordering::Acquire) {
            return;
        }
        let file = asked.file();
        let file = file.split_once("src/").map_or(file, |(_, rest)| rest);
        let name = format!("{file}:{} {}", asked.line(), moment.as_str());
        let mut wanted = WANTED.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.die_at.as_ref() == Some(&name) {
            // Nothing is finished, flushed or told.
            std::process::abort();
        }
        if let Some(passed) = &mut wanted.passed {
            passed.insert(name);
        }
    }
}
