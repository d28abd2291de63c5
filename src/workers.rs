//! Threads of their own for slow work, so that it never stands in the way of tokens.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::fault::Fault;

type Job = Box<dyn FnOnce() + Send>;

/// A bounded pool.
#[derive(Clone, Debug)]
pub struct Workers {
    name: &'static str,
    queue: SyncSender<Job>,
    places: Arc<Semaphore>,
}

/// How the scheduler treats the threads of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Like any other.
    Normal,
    /// Only when nothing else wants the processor (`SCHED_IDLE`).
    Idle,
}

impl Workers {
    /// Starts `threads` threads; at most `waiting` jobs queue up before more are refused.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the system gives no thread.
    pub fn start(
        name: &'static str,
        threads: usize,
        waiting: usize,
        urgency: Urgency,
    ) -> Result<Self, Fault> {
        let (queue, jobs) = sync_channel::<Job>(threads + waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || work(&jobs, urgency))
                .map_err(|error| Fault::Internal(format!("no thread for {name}: {error}")))?;
        }
        let places = Arc::new(Semaphore::new(threads + waiting));
        Ok(Self {
            name,
            queue,
            places,
        })
    }

    /// Runs `job` on one of the threads.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many wait already.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        self.submit(place.map_err(|_| Fault::Busy(self.name))?, job)
            .await
    }

    /// The same, for work that something one-time was spent for: it waits for its turn.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the job panicked.
    pub async fn run_patiently<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        self.submit(place.map_err(|_| Fault::Busy(self.name))?, job)
            .await
    }

    /// The place goes with the job: whoever goes away meanwhile leaves the job in the queue.
    async fn submit<T: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            if !reply.is_closed() {
                drop(reply.send(job()));
            }
            drop(place);
        });
        self.queue
            .try_send(job)
            .map_err(|_| Fault::Busy(self.name))?;
        answer
            .await
            .map_err(|_| Fault::Internal(format!("{} panicked", self.name)))
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, urgency: Urgency) {
    if urgency == Urgency::Idle {
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
        if let Err(error) = set {
            tracing::warn!(error = ?error, "the hashing threads keep normal priority");
        }
    }
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => {
                // A panicking job loses its reply; the thread goes on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_than_may_wait_is_refused_at_once() {
        let workers = Workers::start("test", 1, 0, Urgency::Idle).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let slow = {
            let workers = workers.clone();
            tokio::spawn(async move {
                workers
                    .run(move || {
                        let _ = started.send(());
                        held.recv()
                    })
                    .await
            })
        };
        running.await.unwrap();
        assert!(matches!(workers.run(|| ()).await, Err(Fault::Busy("test"))));
        release.send(()).unwrap();
        assert!(slow.await.unwrap().is_ok());
        assert!(workers.run_patiently(|| ()).await.is_ok());
    }

    #[tokio::test]
    async fn a_job_that_nobody_waits_for_any_more_keeps_its_place() {
        let workers = Workers::start("test", 1, 0, Urgency::Normal).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let waiting = tokio::spawn({
            let workers = workers.clone();
            async move {
                let job = move || {
                    let _ = started.send(());
                    held.recv()
                };
                workers.run(job).await
            }
        });
        running.await.unwrap();
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert!(matches!(workers.run(|| ()).await, Err(Fault::Busy("test"))));
        release.send(()).unwrap();
        assert!(workers.run_patiently(|| ()).await.is_ok());
    }
}
