//! The loops of the jobs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info};

use super::until;
use crate::app::App;
use crate::fault::Fault;
use crate::jobs::{self, Job};

/// How long a stop waits for what runs.
const PATIENCE: Duration = Duration::from_secs(5);

/// The running loops.
pub(super) struct Background {
    stopping: watch::Sender<bool>,
    loops: JoinSet<()>,
}

impl Background {
    /// Starts a loop for each job.
    pub(super) fn start(app: &Arc<App>) -> Self {
        let (stopping, stopped) = watch::channel(false);
        let mut loops = JoinSet::new();
        for job in jobs::ALL {
            loops.spawn(repeat(job, Arc::clone(app), stopped.clone()));
        }
        Self { stopping, loops }
    }

    /// Lets running ticks end, as far as they do so soon, starts no more, and writes what is only
    /// counted in memory.
    pub(super) async fn stop(mut self, app: &Arc<App>) {
        self.stopping.send_replace(true);
        let ended = async { while self.loops.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            error!(
                "jobs were still at work when the server stopped; what they did not finish is done later"
            );
        }
        if let Err(fault) = jobs::refusals::tick(app).await {
            error!(job = "refusals", %fault, "counted refusals could not be written");
        }
        if let Err(fault) = jobs::first_uses::tick(app).await {
            error!(job = "first_uses", %fault, "first uses could not be written");
        }
    }
}

async fn repeat(job: Job, app: Arc<App>, stopped: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(job.every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut stop = std::pin::pin!(until(stopped));
    let mut failing = false;
    loop {
        // Only the waiting is interrupted: a tick that began is let to its end.
        tokio::select! {
            biased;
            () = &mut stop => return,
            _ = interval.tick() => {}
        }
        failing = report(job, &tick(job, &app).await, failing);
    }
}

/// One tick, in a task of its own: one that panics does not end the loop.
async fn tick(job: Job, app: &Arc<App>) -> Result<(), Fault> {
    let app = Arc::clone(app);
    tokio::spawn(async move { (job.tick)(&app).await })
        .await
        .unwrap_or_else(|error| Err(Fault::Internal(error.to_string())))
}

/// Logs the first of several faults, and when they are over; the others would only fill the log.
fn report(job: Job, outcome: &Result<(), Fault>, failing: bool) -> bool {
    let job = job.name;
    match outcome {
        Ok(()) if failing => info!(job, "the job succeeds again"),
        Ok(()) => {}
        Err(fault) if failing => debug!(job, %fault, "the job still fails"),
        Err(fault) => error!(job, %fault, "the job failed; it is tried again"),
    }
    outcome.is_err()
}
