//! The ceiling's durable rows: the least that a database must do for a token. Requests that wait
//! share a commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::clock::Clock;
use countersign::rng;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::Failed;

/// How many requests share a commit at most.
const BATCH: usize = 256;
/// The bytes of a row: about those of an audit event.
const BODY: [u8; 400] = [0x5a; 400];
/// How many rows there are to read and change.
const FAMILIES: i64 = 2000;
/// The write-ahead log is begun anew when it has grown past this.
const WAL_LIMIT: u64 = 64 << 20;

/// What must be durable before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// One new row.
    Append,
    /// A row read, a new row.
    Read,
    /// A row read and changed, a new row.
    Change,
    /// Three rows read, one changed, three new rows: a session's way to a code.
    Flow,
}

impl Job {
    /// How many rows are read, and how many are new.
    const fn rows(self) -> (usize, usize) {
        match self {
            Self::Append => (0, 1),
            Self::Read | Self::Change => (1, 1),
            Self::Flow => (3, 3),
        }
    }

    const fn changes(self) -> bool {
        matches!(self, Self::Change | Self::Flow)
    }
}

/// Does a job on a connection of either engine.
macro_rules! act {
    ($conn:expr, $job:expr) => {
        let job: Job = $job;
        let (read, new) = job.rows();
        for n in 0..read {
            let family = family(&new_id()?);
            let read = sqlx::query(READ).bind(family);
            read.fetch_one(&mut *$conn).await?;
            if n == 0 && job.changes() {
                let change = sqlx::query(CHANGE).bind(family);
                change.execute(&mut *$conn).await?;
            }
        }
        for _ in 0..new {
            let append = sqlx::query(APPEND).bind(new_id()?).bind(BODY.as_slice());
            append.execute(&mut *$conn).await?;
        }
    };
}

type Waiting = (Job, oneshot::Sender<bool>);

/// The database of the ceiling.
pub enum Rows {
    /// One writer, as the server has one.
    Sqlite(mpsc::Sender<Waiting>),
    /// Appends share a statement; anything else is a transaction of its own.
    Postgres(PgPool, mpsc::Sender<Waiting>),
}

const TABLES: [&str; 2] = [
    "CREATE TABLE bare_rows (id BYTES NOT NULL PRIMARY KEY, body BYTES NOT NULL)",
    "CREATE TABLE bare_families (id BIGINT NOT NULL PRIMARY KEY, generation BIGINT NOT NULL, body BYTES NOT NULL)",
];
const FAMILY: &str = "INSERT INTO bare_families (id, generation, body) VALUES ($1, 0, $2)";
const APPEND: &str = "INSERT INTO bare_rows (id, body) VALUES ($1, $2)";
const READ: &str = "SELECT generation, body FROM bare_families WHERE id = $1";
const CHANGE: &str = "UPDATE bare_families SET generation = generation + 1 WHERE id = $1";

impl Rows {
    /// Makes the tables and starts the writer. `url` is that of a database for the ceiling alone.
    pub async fn open(url: &str) -> Result<Self, Failed> {
        let (queue, jobs) = mpsc::channel(4096);
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = PathBuf::from(path);
            let mut conn = sqlite(&path).await?;
            for table in TABLES {
                let table = table.replace("BYTES", "BLOB").replace("BIGINT", "INTEGER");
                let table = format!("{table} STRICT, WITHOUT ROWID");
                sqlx::query(sqlx::AssertSqlSafe(table))
                    .execute(&mut conn)
                    .await?;
            }
            let mut tx = conn.begin().await?;
            for id in 0..FAMILIES {
                let insert = sqlx::query(FAMILY).bind(id).bind(BODY.as_slice());
                insert.execute(&mut *tx).await?;
            }
            tx.commit().await?;
            tokio::spawn(checkpoint(path.clone(), sqlite(&path).await?));
            tokio::spawn(write_all(jobs, conn));
            return Ok(Self::Sqlite(queue));
        }
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(16)
            .connect(url)
            .await?;
        for table in TABLES {
            let table = table.replace("BYTES", "BYTEA");
            sqlx::query(sqlx::AssertSqlSafe(table))
                .execute(&pool)
                .await?;
        }
        let mut tx = pool.begin().await?;
        for id in 0..FAMILIES {
            let insert = sqlx::query(FAMILY).bind(id).bind(BODY.as_slice());
            insert.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        tokio::spawn(append_all(jobs, pool.clone()));
        Ok(Self::Postgres(pool, queue))
    }

    /// Does a job; true when it is durable.
    pub async fn run(&self, job: Job) -> bool {
        let queue = match self {
            Self::Postgres(pool, _) if job != Job::Append => {
                return transact(pool, job).await.is_ok();
            }
            Self::Sqlite(queue) | Self::Postgres(_, queue) => queue,
        };
        let (reply, answer) = oneshot::channel();
        queue.send((job, reply)).await.is_ok() && answer.await.unwrap_or(false)
    }
}

async fn sqlite(path: &Path) -> Result<SqliteConnection, Failed> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("wal_autocheckpoint", "0");
    Ok(options.connect().await?)
}

/// Keeps the write-ahead log short, once a second, as the server does.
async fn checkpoint(path: PathBuf, mut conn: SqliteConnection) {
    let mut wal = path.into_os_string();
    wal.push("-wal");
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let grown = std::fs::metadata(&wal).is_ok_and(|file| file.len() > WAL_LIMIT);
        let pragma = if grown {
            "PRAGMA wal_checkpoint(TRUNCATE)"
        } else {
            "PRAGMA wal_checkpoint(PASSIVE)"
        };
        let _ = sqlx::query(pragma).execute(&mut conn).await;
    }
}

async fn write_all(mut jobs: mpsc::Receiver<Waiting>, mut conn: SqliteConnection) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let written = commit(&mut conn, &batch).await;
        if let Err(error) = &written {
            eprintln!("a batch was not written: {error}");
        }
        for (_, reply) in batch.drain(..) {
            let _ = reply.send(written.is_ok());
        }
    }
}

async fn commit(conn: &mut SqliteConnection, batch: &[Waiting]) -> Result<(), Failed> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
    for (job, _) in batch {
        act!(conn, *job);
    }
    sqlx::query("COMMIT").execute(&mut *conn).await?;
    Ok(())
}

async fn append_all(mut jobs: mpsc::Receiver<Waiting>, pool: PgPool) {
    const MANY: &str =
        "INSERT INTO bare_rows (id, body) SELECT * FROM unnest($1::bytea[], $2::bytea[])";
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let ids: Vec<Vec<u8>> = batch.iter().filter_map(|_| new_id().ok()).collect();
        let bodies: Vec<&[u8]> = batch.iter().map(|_| BODY.as_slice()).collect();
        let insert = sqlx::query(MANY).bind(ids).bind(bodies);
        let written = insert.execute(&pool).await;
        for (_, reply) in batch.drain(..) {
            let _ = reply.send(written.is_ok());
        }
    }
}

async fn transact(pool: &PgPool, job: Job) -> Result<(), Failed> {
    let mut tx = pool.begin().await?;
    act!(tx, job);
    Ok(tx.commit().await?)
}

/// Keys in the order of time: the next one lies beside the last.
fn new_id() -> Result<Vec<u8>, Failed> {
    let id = rng::uuid(Clock::system().now())?;
    Ok(id.as_bytes().to_vec())
}

/// Any family.
fn family(id: &[u8]) -> i64 {
    let random = id
        .last_chunk::<4>()
        .map_or(0, |tail| u32::from_be_bytes(*tail));
    i64::from(random) % FAMILIES
}
