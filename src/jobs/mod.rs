//! What happens without being asked. A job is a `tick` that calls one flow; when it ticks is the
//! server's business, and tests call it themselves.

pub mod audit_sealer;
pub mod backfills;
pub mod checkpointer;
pub mod cleaner;
pub mod first_uses;
pub mod follow;
pub mod key_schedule;
pub mod logouts;
pub mod mails;
pub mod refusals;
pub mod rest;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::app::App;
use crate::fault::Fault;

/// A job and how often it ticks.
#[derive(Clone, Copy)]
pub struct Job {
    /// Its name, for the log.
    pub name: &'static str,
    /// How long after the beginning of one tick the next begins.
    pub every: Duration,
    /// One tick.
    pub tick: for<'a> fn(&'a App) -> BoxFuture<'a, Result<(), Fault>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({} every {:?})", self.name, self.every)
    }
}

/// Every job.
pub const ALL: [Job; 11] = [
    Job {
        name: "follow",
        every: follow::EVERY,
        tick: |app| Box::pin(follow::tick(app)),
    },
    Job {
        name: "cleaner",
        every: cleaner::EVERY,
        tick: |app| Box::pin(cleaner::tick(app)),
    },
    Job {
        name: "checkpointer",
        every: checkpointer::EVERY,
        tick: |app| Box::pin(checkpointer::tick(app)),
    },
    Job {
        name: "audit_sealer",
        every: audit_sealer::EVERY,
        tick: |app| Box::pin(audit_sealer::tick(app)),
    },
    Job {
        name: "refusals",
        every: refusals::EVERY,
        tick: |app| Box::pin(refusals::tick(app)),
    },
    Job {
        name: "first_uses",
        every: first_uses::EVERY,
        tick: |app| Box::pin(first_uses::tick(app)),
    },
    Job {
        name: "logouts",
        every: logouts::EVERY,
        tick: |app| Box::pin(logouts::tick(app)),
    },
    Job {
        name: "mails",
        every: mails::EVERY,
        tick: |app| Box::pin(mails::tick(app)),
    },
    Job {
        name: "rest",
        every: rest::EVERY,
        tick: |app| Box::pin(rest::tick(app)),
    },
    Job {
        name: "key_schedule",
        every: key_schedule::EVERY,
        tick: |app| Box::pin(key_schedule::tick(app)),
    },
    Job {
        name: "backfills",
        every: backfills::EVERY,
        tick: |app| Box::pin(backfills::tick(app)),
    },
];
