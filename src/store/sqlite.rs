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
use super::{Shared, Tx, Work};
use crate::fault::Fault;

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
    writer: SqlitePool,
    queue: mpsc::Sender<Box<dyn Job>>,
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
            .statement_cache_capacity(256);
        let writer = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options.clone())
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(DEADLINE)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let tx = Tx::new(Conn::Sqlite(writer.acquire().await?), Arc::clone(shared));
        tokio::spawn(run(jobs, tx));
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        Ok(Self {
            readers,
            writer,
            queue,
            wal: Arc::new(wal.into()),
            readings: Arc::default(),
            _lock: Arc::new(lock),
        })
    }

    pub(super) async fn acquire(&self, write: bool) -> Result<PoolConnection<sqlx::Sqlite>, Fault> {
        let pool = if write { &self.writer } else { &self.readers };
        Ok(pool.acquire().await?)
    }

    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Write {
            work: Some(work),
            done: None,
            reply,
        }))
        .await?;
        answer
            .await
            .map_err(|_| Fault::Busy("the writer stopped"))?
    }

    pub(super) async fn append(&self, event: PendingEvent) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        let event = Some(event);
        self.submit(Box::new(Append { event, reply })).await?;
        answer
            .await
            .map_err(|_| Fault::Busy("the writer stopped"))?
    }

    /// Whether the writer still takes work.
    pub(super) fn has_writer(&self) -> bool {
        !self.queue.is_closed()
    }

    async fn submit(&self, job: Box<dyn Job>) -> Result<(), Fault> {
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
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private(Path::new(&name))?;
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

/// A piece of queued work.
trait Job: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), Fault>>;
    /// Called after the commit (`Ok`), or when the work or its batch failed.
    fn finish(self: Box<Self>, outcome: Result<(), Fault>);
    /// A single statement needs no savepoint: the engine undoes it alone.
    fn is_single_statement(&self) -> bool;
}

struct Write<T, F> {
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

    fn is_single_statement(&self) -> bool {
        false
    }
}

struct Append {
    event: Option<PendingEvent>,
    reply: oneshot::Sender<Result<(), Fault>>,
}

impl Job for Append {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            match self.event.take() {
                Some(event) => audit::insert(&mut tx.conn, event).await,
                None => Ok(()),
            }
        })
    }

    fn finish(self: Box<Self>, outcome: Result<(), Fault>) {
        let _ = self.reply.send(outcome);
    }

    fn is_single_statement(&self) -> bool {
        true
    }
}

async fn run(mut jobs: mpsc::Receiver<Box<dyn Job>>, mut tx: Tx) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        run_batch(&mut batch, &mut tx).await;
    }
}

async fn run_batch(batch: &mut Vec<Box<dyn Job>>, tx: &mut Tx) {
    let mut done = Vec::with_capacity(batch.len());
    let mut changes = Vec::new();
    match commit_batch(batch, tx, &mut done, &mut changes).await {
        Ok(()) => {
            for change in &changes {
                tx.shared.revocations.apply(change);
            }
            for job in done {
                job.finish(Ok(()));
            }
        }
        Err(fault) => {
            tx.discard();
            let _ = tx.conn.control("ROLLBACK").await;
            tracing::error!(fault = %fault, jobs = done.len() + batch.len(), "a batch of writes failed");
            for job in done.into_iter().chain(batch.drain(..)) {
                job.finish(Err(Fault::Storage(sqlx::Error::WorkerCrashed)));
            }
        }
    }
}

/// Runs every job of the batch and commits. Jobs that ended well move to `done`; one that violates
/// a constraint or fails by itself is undone and told alone; a failing database fails them all.
async fn commit_batch(
    batch: &mut Vec<Box<dyn Job>>,
    tx: &mut Tx,
    done: &mut Vec<Box<dyn Job>>,
    changes: &mut Vec<Change>,
) -> Result<(), Fault> {
    tx.conn.control("BEGIN IMMEDIATE").await?;
    for mut job in batch.drain(..) {
        let guarded = !job.is_single_statement();
        if guarded {
            tx.conn.control("SAVEPOINT job").await?;
        }
        // A panic in one piece of work ends that piece alone, never the writer.
        let outcome = match AssertUnwindSafe(job.run(tx)).catch_unwind().await {
            Ok(Ok(())) => tx.flush().await,
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(Fault::Internal("work panicked".to_owned())),
        };
        match outcome {
            Ok(mut made) => {
                if guarded {
                    tx.conn.control("RELEASE job").await?;
                }
                changes.append(&mut made);
                done.push(job);
            }
            Err(fault) => {
                tx.discard();
                let storage = matches!(fault, Fault::Storage(_));
                if storage || (guarded && undo(tx).await.is_err()) {
                    done.push(job);
                    return Err(fault);
                }
                job.finish(Err(fault));
            }
        }
    }
    tx.conn.control("COMMIT").await
}

async fn undo(tx: &mut Tx) -> Result<(), Fault> {
    tx.conn.control("ROLLBACK TO job").await?;
    tx.conn.control("RELEASE job").await
}
