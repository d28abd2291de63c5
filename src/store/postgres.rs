//! `PostgreSQL`: READ COMMITTED, no retries; every transition is one conditional statement. Work
//! runs in spawned tasks, so that a client's disconnect never cancels between commit and what
//! follows it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::PgPool;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::{mpsc, oneshot};

use super::audit::{self, PendingEvent};
use super::sql::Conn;
use super::{Shared, Tx, Work, unreachable};
use crate::fault::Fault;

/// How many audit events share one statement at most.
const BATCH: usize = 256;
/// How many may wait; more are refused.
const QUEUE: usize = 4096;
const DEADLINE: Duration = Duration::from_secs(5);

type Appended = (PendingEvent, oneshot::Sender<Result<(), Fault>>);

#[derive(Clone)]
pub(super) struct Postgres {
    pool: PgPool,
    appends: mpsc::Sender<Appended>,
}

impl Postgres {
    pub(super) async fn open(url: &str, _shared: &Arc<Shared>) -> Result<Self, Fault> {
        let options = options(url)?;
        reach(&options).await?;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(DEADLINE)
            .connect_with(options.application_name("countersign"))
            .await?;
        let (appends, queue) = mpsc::channel(QUEUE);
        tokio::spawn(append_all(queue, pool.clone()));
        Ok(Self { pool, appends })
    }

    pub(super) async fn acquire(&self) -> Result<PoolConnection<sqlx::Postgres>, Fault> {
        Ok(self.pool.acquire().await?)
    }

    pub(super) async fn write<T, F>(&self, work: F, shared: &Arc<Shared>) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let conn = self.acquire().await?;
        let tx = Tx::new(Conn::Postgres(conn), Arc::clone(shared));
        tokio::spawn(transact(tx, work))
            .await
            .map_err(|error| Fault::Internal(error.to_string()))?
    }

    pub(super) async fn append(&self, event: PendingEvent) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.appends
            .send_timeout((event, reply), DEADLINE)
            .await
            .map_err(|_| Fault::Busy("the audit queue is full"))?;
        answer
            .await
            .map_err(|_| Fault::Busy("the audit writer stopped"))?
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Reads a connection URL.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, Fault> {
    url.parse()
        .map_err(|error| Fault::Unreachable(unreachable::of_url(&error)))
}

/// Connects once: a pool would only say that nobody answered in time, not why. Refuses a server
/// that is too old.
pub(super) async fn reach(options: &PgConnectOptions) -> Result<(), Fault> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let told = |why| Fault::Unreachable(why);
    let connection = tokio::time::timeout(DEADLINE, options.connect())
        .await
        .map_err(|_| told(unreachable::silent(options)))?
        .map_err(|error| told(unreachable::why(options, &error)))?;
    let old = unreachable::too_old(connection.server_version_num());
    // One that is closed or broken by then is not needed any more.
    let _ = connection.close().await;
    old.map_or(Ok(()), |why| Err(told(why)))
}

async fn transact<T, F>(mut tx: Tx, work: F) -> Result<T, Fault>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    tx.conn.control("BEGIN").await?;
    // A panic must not hand a connection with an open transaction to the next request.
    let outcome = AssertUnwindSafe(finish(&mut tx, work)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Fault::Internal("work panicked".to_owned())));
    match outcome {
        Ok(value) => Ok(value),
        Err(fault) => {
            if tx.conn.control("ROLLBACK").await.is_err()
                && let Conn::Postgres(conn) = &mut tx.conn
            {
                // A connection in an unknown state never serves another request.
                conn.close_on_drop();
            }
            Err(fault)
        }
    }
}

async fn finish<T, F>(tx: &mut Tx, work: F) -> Result<T, Fault>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    let value = work(tx).await?;
    let changes = tx.flush().await?;
    tx.conn.control("COMMIT").await?;
    for change in &changes {
        tx.shared.revocations.apply(change);
    }
    Ok(value)
}

async fn append_all(mut queue: mpsc::Receiver<Appended>, pool: PgPool) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let (events, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let outcome = audit::insert_many(&pool, events).await;
        if let Err(error) = &outcome {
            tracing::error!(error = %error, "audit events could not be appended");
        }
        for reply in replies {
            let told = match &outcome {
                Ok(()) => Ok(()),
                Err(_) => Err(Fault::Storage(sqlx::Error::WorkerCrashed)),
            };
            let _ = reply.send(told);
        }
    }
}
