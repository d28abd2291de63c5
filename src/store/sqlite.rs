//! `SQLite`: one writer runs queued work in savepoints, up to 256 a commit; readers have
//! connections of their own.

use std::fs::{File, TryLockError};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{mpsc, oneshot};

use super::audit::{self, PendingEvent};
use super::feed::Change;
use super::sql::Conn;
use super::{Alone, Guard, Purpose, Shared, Tx, Work};
use crate::crash::{Commit, Moment};
use crate::fault::Fault;
use crate::paths::beside;

/// How many pieces of work share one commit at most.
const BATCH: usize = 256;
/// How many may wait; more are refused.
const QUEUE: usize = 4096;
/// How long one may wait for a place before it is refused.
const DEADLINE: Duration = Duration::from_secs(5);
/// The write-ahead log is truncated at the next chance when it has grown past this.
const WAL_LIMIT: u64 = 64 << 20;

#[derive(Clone)]
pub(super) struct Sqlite {
    readers: SqlitePool,
    /// For what reads a whole table: it takes none of the connections that requests wait for.
    lengthy: SqlitePool,
    writer: SqlitePool,
    queue: mpsc::Sender<Queued>,
    wal: Arc<std::path::PathBuf>,
    /// How many long readers there are.
    readings: Arc<AtomicUsize>,
    /// Held for as long as the store lives: a second server on the same file is refused.
    _lock: Arc<File>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path, shared: &Arc<Shared>) -> Result<Self, Fault> {
        let lock = lock(path)?;
        private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(DEADLINE)
            .pragma("wal_autocheckpoint", "0")
            .pragma("trusted_schema", "OFF")
            .statement_cache_capacity(512);
        let writer = SqlitePoolOptions::new()
            .max_connections(2)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await?;
        let options = options.pragma("query_only", "ON");
        let reading = |many| {
            SqlitePoolOptions::new()
                .max_connections(many)
                .min_connections(0)
                .acquire_timeout(DEADLINE)
                .test_before_acquire(false)
        };
        let readers = reading(4).connect_with(options.clone()).await?;
        let lengthy = reading(2).idle_timeout(DEADLINE).connect_lazy_with(options);
        let (queue, jobs) = mpsc::channel(QUEUE);
        let tx = Tx::new(Conn::Sqlite(writer.acquire().await?), Arc::clone(shared));
        tokio::spawn(run(jobs, tx));
        Ok(Self {
            readers,
            lengthy,
            writer,
            queue,
            wal: Arc::new(beside(path, "-wal")),
            readings: Arc::default(),
            _lock: Arc::new(lock),
        })
    }

    pub(super) async fn acquire(
        &self,
        purpose: Purpose,
    ) -> Result<PoolConnection<sqlx::Sqlite>, Fault> {
        let pool = match purpose {
            Purpose::Writing => &self.writer,
            Purpose::Reading => &self.readers,
            Purpose::LengthyReading => &self.lengthy,
        };
        Ok(pool.acquire().await?)
    }

    pub(super) async fn write<T, F>(&self, commit: Commit, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        self.run(|reply| {
            Box::new(Write {
                commit,
                work: Some(work),
                done: None,
                reply,
            })
        })
        .await
    }

    pub(super) async fn write_alone(&self, commit: Commit, alone: Alone) -> Result<u64, Fault> {
        self.run(|reply| {
            Box::new(WriteAlone {
                commit,
                alone: Some(alone),
                changed: 0,
                reply,
            })
        })
        .await
    }

    /// Lets the writer do a job, which tells its outcome.
    async fn run<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Box<dyn Job>,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        self.submit(Queued::Work(job(reply))).await?;
        answer
            .await
            .map_err(|_| Fault::Busy("the writer stopped"))?
    }

    pub(super) async fn append(&self, commit: Commit, event: PendingEvent) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.submit(Queued::Append(commit, Box::new(event), reply))
            .await?;
        answer
            .await
            .map_err(|_| Fault::Busy("the writer stopped"))?
    }

    /// Whether the writer still takes work.
    pub(super) fn has_writer(&self) -> bool {
        !self.queue.is_closed()
    }

    async fn submit(&self, job: Queued) -> Result<(), Fault> {
        match self.queue.send_timeout(job, DEADLINE).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                Err(Fault::Busy("the database writer's queue is full"))
            }
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Fault::Busy("the writer stopped")),
        }
    }

    pub(super) async fn checkpoint(&self) -> Result<(), Fault> {
        // Truncating waits for readers, and lets no writer in meanwhile: not for a long one.
        let grown = self.readings.load(Ordering::Acquire) == 0
            && std::fs::metadata(self.wal.as_path()).is_ok_and(|file| file.len() > WAL_LIMIT);
        let mut conn = Conn::Sqlite(self.writer.acquire().await?);
        if grown {
            // Waits for the writer's commit and for readers, then starts the log anew.
            conn.control("PRAGMA wal_checkpoint(TRUNCATE)").await
        } else {
            conn.control("PRAGMA wal_checkpoint(PASSIVE)").await
        }
    }

    /// Announces a long reader, until the value is dropped.
    pub(super) fn reading(&self) -> Reading {
        self.readings.fetch_add(1, Ordering::AcqRel);
        Reading(Arc::clone(&self.readings))
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.lengthy.close().await;
        let _ = self.checkpoint().await;
    }
}

/// A long reader, announced.
pub(super) struct Reading(Arc<AtomicUsize>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Takes the lock file beside the database.
pub(super) fn lock(path: &Path) -> Result<File, Fault> {
    let file = private(&beside(path, ".lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Fault::Busy(
            "another server has this database open (an SQLite file serves one server; use PostgreSQL for more)",
        )),
        Err(TryLockError::Error(error)) => Err(Fault::Storage(sqlx::Error::Io(error))),
    }
}

/// Opens a file that nobody but the server's account reads, made when it does not exist. What
/// `SQLite` puts beside its database takes over the mode.
pub(super) fn private(path: &Path) -> Result<File, Fault> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Fault::Storage(sqlx::Error::Io(error)))
}

/// What waits for the writer.
enum Queued {
    /// Work of a flow.
    Work(Box<dyn Job>),
    /// An event alone.
    Append(Commit, Box<PendingEvent>, Reply),
}

type Reply = oneshot::Sender<Result<(), Fault>>;

/// A piece of queued work.
trait Job: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), Fault>>;
    /// Called after the commit (`Ok`), or when the work or its batch failed.
    fn finish(self: Box<Self>, outcome: Result<(), Fault>);
    /// Whose commit it is.
    fn commit(&self) -> Commit;
}

struct Write<T, F> {
    commit: Commit,
    work: Option<F>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.done = Some(work(tx).await?);
            }
            Ok(())
        })
    }

    fn finish(self: Box<Self>, outcome: Result<(), Fault>) {
        let done = self.done;
        let result = outcome
            .and_then(|()| done.ok_or_else(|| Fault::Internal("work without a result".to_owned())));
        // A receiver that is gone was a client that went away; the work stands all the same.
        let _ = self.reply.send(result);
    }

    fn commit(&self) -> Commit {
        self.commit
    }
}

/// A statement that undoes itself when it fails: no savepoint is opened for it.
struct WriteAlone {
    commit: Commit,
    alone: Option<Alone>,
    changed: u64,
    reply: oneshot::Sender<Result<u64, Fault>>,
}

impl Job for WriteAlone {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if let Some(Alone { sql, values }) = self.alone.take() {
                self.changed = tx.conn.execute(sql, values).await?;
            }
            Ok(())
        })
    }

    fn finish(self: Box<Self>, outcome: Result<(), Fault>) {
        let _ = self.reply.send(outcome.map(|()| self.changed));
    }

    fn commit(&self) -> Commit {
        self.commit
    }
}

/// What of a batch was done, and is told when the batch is committed.
#[derive(Default)]
struct Done {
    work: Vec<Box<dyn Job>>,
    appends: Vec<(Commit, Reply)>,
    events: Vec<PendingEvent>,
    changes: Vec<Change>,
}

impl Done {
    fn tell(self, outcome: impl Fn() -> Result<(), Fault>) {
        for job in self.work {
            job.finish(outcome());
        }
        for (_, reply) in self.appends {
            let _ = reply.send(outcome());
        }
    }

    /// Passes the crash points of all that it holds.
    fn pass(&self, moment: Moment) {
        for job in &self.work {
            job.commit().pass(moment);
        }
        for (commit, _) in &self.appends {
            commit.pass(moment);
        }
    }
}

async fn run(mut jobs: mpsc::Receiver<Queued>, mut tx: Tx) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut clean = true;
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        // What is ready to write along is let in: a commit costs the same for all of them.
        tokio::task::yield_now().await;
        while batch.len() < BATCH
            && let Ok(queued) = jobs.try_recv()
        {
            batch.push(queued);
        }
        // What is written on a transaction that stayed open would be acknowledged without a commit.
        clean = clean || roll_back(&mut tx).await;
        if clean {
            clean = run_batch(&mut batch, &mut tx).await;
        } else {
            batch.clear();
        }
    }
}

/// Undoes what is open; true when nothing is open then.
async fn roll_back(tx: &mut Tx) -> bool {
    match tx.conn.control("ROLLBACK").await {
        Ok(()) => true,
        // It ended by itself, or was never begun.
        Err(fault) => fault.to_string().contains("no transaction is active"),
    }
}

/// True when nothing is open afterwards.
async fn run_batch(batch: &mut Vec<Queued>, tx: &mut Tx) -> bool {
    let mut clean = true;
    let size = batch.len();
    let mut done = Done::default();
    let outcome = commit_batch(batch.drain(..), tx, &mut done).await;
    match outcome {
        Ok(changes) => {
            for change in &changes {
                tx.shared.revocations.apply(change);
            }
            done.tell(|| Ok(()));
        }
        Err(fault) => {
            tx.discard();
            clean = roll_back(tx).await;
            tracing::error!(fault = %fault, jobs = size, "a batch of writes failed");
            done.tell(|| Err(Fault::Storage(sqlx::Error::WorkerCrashed)));
        }
    }
    tx.guard = Guard::Off;
    clean
}

/// Opens the first savepoint of a batch.
const FIRST: &str = "SAVEPOINT job";
/// Ends the savepoint of the work before, which ended well, and opens the next one.
const NEXT: &str = "RELEASE job; SAVEPOINT job";

/// Runs all work of the batch and commits; gives what was announced. Work that ended well moves to
/// `done`; one that violates a constraint or fails by itself is undone and told alone; a failing
/// database fails them all. Events of the whole batch are written together before the commit.
async fn commit_batch(
    batch: impl ExactSizeIterator<Item = Queued>,
    tx: &mut Tx,
    done: &mut Done,
) -> Result<Vec<Change>, Fault> {
    let mut begun = false;
    let mut savepoint = FIRST;
    let mut failed = None;
    for queued in batch {
        let mut job = match queued {
            Queued::Append(commit, event, reply) => {
                done.events.push(*event);
                done.appends.push((commit, reply));
                continue;
            }
            Queued::Work(job) if failed.is_some() => {
                done.work.push(job);
                continue;
            }
            Queued::Work(job) => job,
        };
        if !begun {
            begun = true;
            if let Err(fault) = tx.conn.control("BEGIN IMMEDIATE").await {
                failed = Some(fault);
                done.work.push(job);
                continue;
            }
        }
        tx.guard = Guard::Armed(savepoint);
        // A panic in one piece of work ends that piece alone, never the writer.
        let outcome = match AssertUnwindSafe(job.run(tx)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::Internal("work panicked".to_owned())),
        };
        match outcome {
            Ok(()) => {
                done.events.append(&mut tx.events);
                done.changes.append(&mut tx.changes);
                done.work.push(job);
                if tx.guard == Guard::Open {
                    savepoint = NEXT;
                }
            }
            Err(fault) => {
                tx.discard();
                let undone = match tx.guard {
                    Guard::Open => undo(tx).await.is_ok(),
                    Guard::Armed(_) | Guard::Off => true,
                };
                if matches!(fault, Fault::Storage(_)) || !undone {
                    done.work.push(job);
                    failed = Some(fault);
                    continue;
                }
                if tx.guard == Guard::Open {
                    savepoint = FIRST;
                }
                job.finish(Err(fault));
            }
        }
    }
    tx.guard = Guard::Off;
    if let Some(fault) = failed {
        return Err(fault);
    }
    tx.events.append(&mut done.events);
    tx.changes.append(&mut done.changes);
    // One statement is a transaction of its own.
    if !begun && tx.events.len() > audit::AT_ONCE {
        begun = true;
        tx.conn.control("BEGIN IMMEDIATE").await?;
    }
    if !begun {
        done.pass(Moment::Before);
    }
    let changes = tx.flush().await?;
    if begun {
        done.pass(Moment::Before);
        tx.conn.control("COMMIT").await?;
    }
    done.pass(Moment::After);
    Ok(changes)
}

async fn undo(tx: &mut Tx) -> Result<(), Fault> {
    tx.conn.control("ROLLBACK TO job; RELEASE job").await
}
