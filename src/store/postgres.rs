//! `PostgreSQL`: READ COMMITTED, no retries; every transition is one conditional statement. Work
//! runs in spawned tasks, so that a client's disconnect never cancels between commit and what
//! follows it.

use std::ops::{Deref, DerefMut};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::error::Elapsed;

use super::audit::{self, PendingEvent};
use super::sql::Conn;
use super::{Alone, Guard, Shared, Tx, Work, unreachable};
use crate::crash::{Commit, Moment};
use crate::fault::Fault;

/// How many audit events share one statement at most.
const BATCH: usize = 256;
/// How many may wait; more are refused.
const QUEUE: usize = 4096;
const DEADLINE: Duration = Duration::from_secs(5);
/// How long one statement of a request may take. A database that is cut off answers never; a standby
/// that does not confirm holds a commit up for as long.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a URL says when a pooler stands between that hands out connections by the transaction.
pub(super) const UNPREPARED: &str = "statement-cache-capacity=0";
/// A connection that was idle for longer is asked whether it is still there before it is used.
const TRUSTED: Duration = Duration::from_millis(250);

type Appended = (Commit, PendingEvent, oneshot::Sender<Result<(), Fault>>);

#[derive(Clone)]
pub(super) struct Postgres {
    pool: Connections,
    appends: mpsc::Sender<Appended>,
}

/// Where connections come from.
#[derive(Clone)]
struct Connections {
    pool: PgPool,
    prepares: bool,
}

impl Connections {
    async fn acquire(&self) -> Result<Pg, Fault> {
        Ok(Pg::new(self.pool.acquire().await?, self.prepares))
    }
}

/// A connection of the pool, which goes back only when nothing is open on it.
pub(super) struct Pg {
    conn: Option<PoolConnection<sqlx::Postgres>>,
    prepares: bool,
    /// How long one statement may take.
    patience: Duration,
    /// A transaction was begun and not ended.
    open: bool,
    /// A statement was sent whose answer did not come.
    unheard: bool,
}

impl Pg {
    pub(super) fn new(conn: PoolConnection<sqlx::Postgres>, prepares: bool) -> Self {
        Self {
            conn: Some(conn),
            prepares,
            patience: PATIENCE,
            open: false,
            unheard: false,
        }
    }

    /// One that nobody waits for: its statements may take this long.
    pub(super) const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long one statement may take.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether statements may be prepared under a name, to be found again by the next transaction.
    pub(super) const fn prepares(&self) -> bool {
        self.prepares
    }

    /// Never lets it serve another request.
    pub(super) fn close_on_drop(&mut self) {
        if let Some(conn) = &mut self.conn {
            conn.close_on_drop();
        }
    }

    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        match self.conn.take() {
            Some(conn) => conn.close().await,
            None => Ok(()),
        }
    }

    /// A statement is about to be sent. Who gives it up before [`Pg::heard`] loses the connection:
    /// the network may have swallowed it, and then waiting for it to come right takes for ever.
    pub(super) const fn asks(&mut self) {
        self.unheard = true;
    }

    /// What a statement gave that was waited for no longer than [`Pg::patience`].
    pub(super) fn heard<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, Fault> {
        let answer = answer.map_err(|_| Fault::Busy("PostgreSQL does not answer"))?;
        self.unheard = false;
        Ok(answer?)
    }

    /// A statement without values. A connection whose transaction is not ended is closed, and its
    /// transaction undone, when it is dropped.
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<(), Fault> {
        if self.unheard {
            return Err(Fault::Busy("PostgreSQL does not answer"));
        }
        self.open |= sql.starts_with("BEGIN");
        self.asks();
        let answer =
            tokio::time::timeout(self.patience, sqlx::raw_sql(sql).execute(&mut **self)).await;
        self.heard(answer)?;
        if matches!(sql, "COMMIT" | "ROLLBACK") {
            self.open = false;
        }
        Ok(())
    }
}

impl Deref for Pg {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        let Some(conn) = &self.conn else {
            unreachable!("only closing takes it, and takes all of it")
        };
        conn
    }
}

impl DerefMut for Pg {
    fn deref_mut(&mut self) -> &mut PgConnection {
        let Some(conn) = &mut self.conn else {
            unreachable!("only closing takes it, and takes all of it")
        };
        conn
    }
}

impl Drop for Pg {
    fn drop(&mut self) {
        if self.open || self.unheard {
            self.close_on_drop();
        }
    }
}

impl Postgres {
    pub(super) async fn open(url: &str, _shared: &Arc<Shared>) -> Result<Self, Fault> {
        let (options, prepares) = options(url)?;
        reach(&options).await?;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(DEADLINE)
            // After a failover an address may lead to a standby for a while, whose picture is old.
            .after_connect(|conn, _| Box::pin(leads(conn)))
            // One that just served is not asked again whether it is still there.
            .test_before_acquire(false)
            .before_acquire(|conn, known| {
                Box::pin(async move {
                    if known.idle_for >= TRUSTED {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options.application_name("countersign"))
            .await?;
        let pool = Connections { pool, prepares };
        let (appends, queue) = mpsc::channel(QUEUE);
        tokio::spawn(append_all(queue, pool.clone()));
        Ok(Self { pool, appends })
    }

    pub(super) async fn acquire(&self) -> Result<Pg, Fault> {
        self.pool.acquire().await
    }

    /// Whether what one task reads must be read in one transaction, for each may be at another
    /// connection.
    pub(super) const fn reads_in_transactions(&self) -> bool {
        !self.pool.prepares
    }

    pub(super) async fn write<T, F>(
        &self,
        commit: Commit,
        work: F,
        shared: &Arc<Shared>,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let conn = self.acquire().await?;
        let mut tx = Tx::new(Conn::Postgres(conn), Arc::clone(shared));
        tx.guard = Guard::Armed("BEGIN");
        tokio::spawn(transact(tx, commit, work, self.appends.clone()))
            .await
            .map_err(|error| Fault::Internal(error.to_string()))?
    }

    pub(super) async fn write_alone(
        &self,
        commit: Commit,
        alone: Alone,
        shared: &Arc<Shared>,
    ) -> Result<u64, Fault> {
        if !self.pool.prepares {
            // Behind a pooler only a transaction keeps a statement at one connection.
            return self
                .write(
                    commit,
                    move |tx| Box::pin(tx.conn.execute(alone.sql, alone.values)),
                    shared,
                )
                .await;
        }
        let conn = self.acquire().await?;
        let alone = async move {
            commit.pass(Moment::Before);
            let mut conn = Conn::Postgres(conn);
            let changed = conn.execute(alone.sql, alone.values).await?;
            commit.pass(Moment::After);
            Ok(changed)
        };
        // Whoever goes away meanwhile breaks no connection.
        tokio::spawn(alone)
            .await
            .map_err(|error| Fault::Internal(error.to_string()))?
    }

    pub(super) async fn append(&self, commit: Commit, event: PendingEvent) -> Result<(), Fault> {
        append(&self.appends, commit, event).await
    }

    pub(super) async fn close(&self) {
        self.pool.pool.close().await;
    }
}

/// Reads a connection URL; tells whether statements may be prepared.
pub(super) fn options(url: &str) -> Result<(PgConnectOptions, bool), Fault> {
    let options: PgConnectOptions = url
        .parse()
        .map_err(|error| Fault::Unreachable(unreachable::of_url(&error)))?;
    if url.contains(UNPREPARED) {
        // Poolers refuse what they cannot hand on; no number here is a fraction.
        return Ok((options.extra_float_digits(None), false));
    }
    Ok((options, true))
}

/// Refuses a standby: its picture may be old, and it takes no writes.
async fn leads(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    const STANDBY: &str = "SELECT pg_is_in_recovery()::int::bigint";
    let row = conn.fetch_one(sqlx::raw_sql(STANDBY)).await?;
    if row.try_get::<i64, _>(0)? == 0 {
        return Ok(());
    }
    Err(sqlx::Error::Configuration(unreachable::STANDBY.into()))
}

/// Connects once: a pool would only say that nobody answered in time, not why. Refuses a server
/// that is too old.
pub(super) async fn reach(options: &PgConnectOptions) -> Result<(), Fault> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let told = |why| Fault::Unreachable(why);
    let mut connection = tokio::time::timeout(DEADLINE, options.connect())
        .await
        .map_err(|_| told(unreachable::silent(options)))?
        .map_err(|error| told(unreachable::why(options, &error)))?;
    leads(&mut connection)
        .await
        .map_err(|error| told(unreachable::why(options, &error)))?;
    let old = unreachable::too_old(connection.server_version_num());
    // One that is closed or broken by then is not needed any more.
    let _ = connection.close().await;
    old.map_or(Ok(()), |why| Err(told(why)))
}

/// Events that share a statement with those of others; durable when this returns.
async fn append(
    queue: &mpsc::Sender<Appended>,
    commit: Commit,
    event: PendingEvent,
) -> Result<(), Fault> {
    let (reply, answer) = oneshot::channel();
    queue
        .send_timeout((commit, event, reply), DEADLINE)
        .await
        .map_err(|_| Fault::Busy("the audit queue is full"))?;
    answer
        .await
        .map_err(|_| Fault::Busy("the audit writer stopped"))?
}

async fn transact<T, F>(
    mut tx: Tx,
    commit: Commit,
    work: F,
    appends: mpsc::Sender<Appended>,
) -> Result<T, Fault>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    // A panic must not hand a connection with an open transaction to the next request.
    let outcome = AssertUnwindSafe(finish(&mut tx, commit, work))
        .catch_unwind()
        .await;
    let outcome = outcome.unwrap_or_else(|_| Err(Fault::Internal("work panicked".to_owned())));
    match outcome {
        // Nothing was written: one event of its own is a statement of its own, and shares it.
        Ok(value) if tx.guard != Guard::Open => {
            let events = std::mem::take(&mut tx.events);
            drop(tx);
            for event in events {
                append(&appends, commit, event).await?;
            }
            Ok(value)
        }
        Ok(value) => Ok(value),
        Err(fault) => {
            // A connection that cannot do it is closed.
            if tx.guard == Guard::Open {
                let _ = tx.conn.control("ROLLBACK").await;
            }
            Err(fault)
        }
    }
}

/// Runs the work and commits what it wrote; an event that is all there is to write is left.
async fn finish<T, F>(tx: &mut Tx, commit: Commit, work: F) -> Result<T, Fault>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    // Without prepared statements each statement is two messages, which only a transaction keeps at
    // one connection behind a pooler.
    if matches!(&tx.conn, Conn::Postgres(conn) if !conn.prepares()) {
        tx.open_guard().await?;
    }
    let value = work(tx).await?;
    let mailed = tx.events.iter().any(PendingEvent::is_mailed);
    if tx.guard != Guard::Open && tx.changes.is_empty() && tx.events.len() <= 1 && !mailed {
        return Ok(value);
    }
    tx.open_guard().await?;
    let changes = tx.flush().await?;
    commit.pass(Moment::Before);
    tx.conn.control("COMMIT").await?;
    commit.pass(Moment::After);
    for change in &changes {
        tx.shared.revocations.apply(change);
    }
    Ok(value)
}

async fn append_batch(pool: &Connections, events: Vec<PendingEvent>) -> Result<(), Fault> {
    let mut conn = pool.acquire().await?;
    if conn.prepares() {
        return audit::insert_many(&mut conn, events).await;
    }
    conn.control("BEGIN").await?;
    audit::insert_many(&mut conn, events).await?;
    conn.control("COMMIT").await
}

async fn append_all(mut queue: mpsc::Receiver<Appended>, pool: Connections) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut events = Vec::with_capacity(batch.len());
        let mut replies = Vec::with_capacity(batch.len());
        for (commit, event, reply) in batch.drain(..) {
            commit.pass(Moment::Before);
            events.push(event);
            replies.push((commit, reply));
        }
        // A panic must not end the one who appends for all.
        let appended = AssertUnwindSafe(append_batch(&pool, events)).catch_unwind();
        let panicked = |_| Err(Fault::Internal("appending panicked".to_owned()));
        let outcome = appended.await.unwrap_or_else(panicked);
        if let Err(error) = &outcome {
            tracing::error!(error = %error, "audit events could not be appended");
        }
        for (commit, reply) in replies {
            let told = match &outcome {
                Ok(()) => {
                    commit.pass(Moment::After);
                    Ok(())
                }
                Err(_) => Err(Fault::Storage(sqlx::Error::WorkerCrashed)),
            };
            let _ = reply.send(told);
        }
    }
}
