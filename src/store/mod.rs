//! The only SQL. One file a table family; its functions are verbs that take a [`Tx`]. The store
//! seals columns and appends audit events itself, so that no caller can forget.

mod assertions;
pub mod audit;
mod audit_list;
pub mod authorizations;
pub mod backfill;
pub mod ceremonies;
pub mod clients;
pub mod codes;
pub mod copy;
pub mod epoch;
pub mod factors;
pub mod feed;
pub mod grants;
pub mod inspect;
pub mod interactions;
pub mod invites;
pub mod keys;
pub mod lockouts;
pub mod logouts;
pub mod mails;
pub mod meta;
mod migrate;
pub mod outbox;
pub mod person_proofs;
mod postgres;
mod proofs;
pub mod pushed;
pub mod recovery_renewals;
pub mod refresh;
pub mod reproofs;
pub mod resources;
pub mod restore;
pub mod sessions;
pub mod sql;
mod sqlite;
mod unreachable;
pub mod upkeep;
pub mod upstream_links;
pub mod users;
pub mod webauthn;

pub use assertions::consume as consume_assertion;
pub use proofs::consume as consume_proof;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;

use crate::crash::{Commit, Moment};
use crate::fault::Fault;
use crate::vault::Vault;
use audit::PendingEvent;
use feed::{Change, Revocations};
use sql::{Conn, Row, Sql, Statement, Value};

pub use migrate::{Applied, schema_version};

/// Where the data lies.
#[derive(Clone, Debug)]
pub enum Location<'a> {
    /// A file; made when it does not exist.
    Sqlite(&'a Path),
    /// A connection URL (`postgres://user:password@host/database`).
    Postgres(&'a str),
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Writing,
    Reading,
    /// Reading a whole table: for a minute, or an hour.
    LengthyReading,
}

/// The database, opened.
#[derive(Clone)]
pub struct Store {
    db: Db,
    shared: Arc<Shared>,
}

/// Which engine.
#[derive(Clone)]
enum Db {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// What every transaction of a store shares.
#[derive(Default)]
struct Shared {
    vault: std::sync::OnceLock<Arc<Vault>>,
    revocations: Revocations,
    statements: AtomicU64,
}

impl Shared {
    fn vault(&self) -> Result<&Arc<Vault>, Fault> {
        let vault = self.vault.get();
        vault.ok_or_else(|| Fault::Internal("the vault is not open".to_owned()))
    }
}

/// A statement that is all of its transaction, and so needs nothing around it.
#[derive(Debug)]
pub struct Alone {
    sql: Sql,
    values: Vec<Value>,
}

impl Alone {
    const fn new(sql: Sql, values: Vec<Value>) -> Self {
        Self { sql, values }
    }
}

/// What a flow does inside one transaction; it awaits nothing but its [`Tx`].
pub type Work<'t, T> = BoxFuture<'t, Result<T, Fault>>;

/// One database transaction (or, for reads, one connection).
pub struct Tx {
    conn: Conn,
    shared: Arc<Shared>,
    guard: Guard,
    events: Vec<PendingEvent>,
    changes: Vec<Change>,
}

/// What makes the writes of one piece of work undoable. It is begun before the first of them, so
/// that work which only reads, or records events, costs no statement more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// Nothing: reads, or a transaction that somebody else opened.
    Off,
    /// This statement opens it before the first write.
    Armed(&'static str),
    /// It is open.
    Open,
}

impl Store {
    /// Connects; nothing is migrated and nothing can be unsealed yet.
    ///
    /// # Errors
    /// [`Fault::Storage`] when the database cannot be reached, [`Fault::Busy`] when another server
    /// holds the file.
    pub async fn connect(location: Location<'_>) -> Result<Self, Fault> {
        let shared = Arc::<Shared>::default();
        let db = match location {
            Location::Sqlite(path) => Db::Sqlite(sqlite::Sqlite::open(path, &shared).await?),
            Location::Postgres(url) => Db::Postgres(postgres::Postgres::open(url, &shared).await?),
        };
        Ok(Self { db, shared })
    }

    /// Hands over the opened vault, once.
    pub fn unseal(&self, vault: Arc<Vault>) {
        let _ = self.shared.vault.set(vault);
    }

    /// What was revoked within the longest token lifetime, in memory.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.shared.revocations
    }

    /// Whether other nodes may write to this database.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// The engine's name, for people.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self.db {
            Db::Sqlite(_) => "SQLite",
            Db::Postgres(_) => "PostgreSQL",
        }
    }

    /// Applies what is missing of the schema.
    ///
    /// # Errors
    /// [`Fault::Storage`]; [`Fault::Internal`] when the database is newer than this binary.
    pub async fn migrate(&self) -> Result<Vec<Applied>, Fault> {
        let mut tx = self.connection(Purpose::Writing).await?;
        if migrate::is_ready(&mut tx.conn).await? {
            return Ok(Vec::new());
        }
        migrate::run(&mut tx.conn).await
    }

    /// Runs `work` in one transaction and commits it, its audit events and its feed rows together.
    /// An `Err` rolls everything back; a refusal is an `Ok` whose effects commit.
    ///
    /// # Errors
    /// [`Fault`]: nothing of the work has happened (or, when the connection broke at the commit,
    /// nobody was told that it did).
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn write<T, F>(&self, work: F) -> impl Future<Output = Result<T, Fault>> + Send
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let commit = Commit::asked_here();
        async move {
            let done = match &self.db {
                Db::Sqlite(db) => db.write(commit, work).await,
                Db::Postgres(db) => Box::pin(db.write(commit, work, &self.shared)).await,
            };
            if done.is_ok() {
                commit.pass(Moment::Answer);
            }
            done
        }
    }

    /// Runs one statement durably; tells how many rows it changed.
    ///
    /// # Errors
    /// [`Fault`]: as for [`Self::write`].
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn write_alone(&self, alone: Alone) -> impl Future<Output = Result<u64, Fault>> + Send {
        let commit = Commit::asked_here();
        async move {
            self.shared.statements.fetch_add(1, Ordering::Relaxed);
            let changed = match &self.db {
                Db::Sqlite(db) => db.write_alone(commit, alone).await?,
                Db::Postgres(db) => db.write_alone(commit, alone, &self.shared).await?,
            };
            commit.pass(Moment::Answer);
            Ok(changed)
        }
    }

    /// Runs `work` on one connection outside a transaction; it must not write.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn read<T, F>(&self, work: F) -> Result<T, Fault>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
    {
        self.read_as(Purpose::Reading, work).await
    }

    /// As [`Self::read`], for what reads a whole table.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn read_at_length<T, F>(&self, work: F) -> Result<T, Fault>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
    {
        self.read_as(Purpose::LengthyReading, work).await
    }

    async fn read_as<T, F>(&self, purpose: Purpose, work: F) -> Result<T, Fault>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
    {
        let mut tx = self.connection(purpose).await?;
        let together = matches!(&self.db, Db::Postgres(db) if db.reads_in_transactions());
        if together {
            tx.conn.control("BEGIN").await?;
        }
        let result = work(&mut tx).await;
        if together {
            tx.conn.control("ROLLBACK").await?;
        }
        debug_assert!(tx.events.is_empty() && tx.changes.is_empty());
        result
    }

    /// Appends one audit event durably, batched with others of this node.
    ///
    /// # Errors
    /// [`Fault`]: the event may not be stored, so whatever it records must not be released.
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn append(&self, event: PendingEvent) -> impl Future<Output = Result<(), Fault>> + Send {
        let commit = Commit::asked_here();
        async move {
            match &self.db {
                Db::Sqlite(db) => db.append(commit, event).await?,
                Db::Postgres(db) => db.append(commit, event).await?,
            }
            commit.pass(Moment::Answer);
            Ok(())
        }
    }

    /// How many statements flows have run: equal work is what equal timing is tested by.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::Relaxed)
    }

    /// Asks the database whether it answers.
    ///
    /// # Errors
    /// [`Fault`] when it does not.
    pub async fn ping(&self) -> Result<(), Fault> {
        const PING: Sql = Sql("SELECT value FROM counters WHERE name = 'feed'");
        self.read(|tx| Box::pin(async move { tx.optional(PING, vec![]).await.map(drop) }))
            .await?;
        if self.takes_work() {
            Ok(())
        } else {
            Err(Fault::Busy("the writer stopped"))
        }
    }

    /// Whether this process can still write: the one writer of `SQLite` runs. Asks nobody.
    #[must_use]
    pub fn takes_work(&self) -> bool {
        match &self.db {
            Db::Sqlite(db) => db.has_writer(),
            Db::Postgres(_) => true,
        }
    }

    /// Moves what the write-ahead log holds into the database file (`SQLite`; nothing elsewhere).
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn checkpoint(&self) -> Result<(), Fault> {
        match &self.db {
            Db::Sqlite(db) => db.checkpoint().await,
            Db::Postgres(_) => Ok(()),
        }
    }

    /// Finishes what is queued and closes every connection.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite(db) => db.close().await,
            Db::Postgres(db) => db.close().await,
        }
    }

    /// Prepares a statement without running it: what the test of all statements calls.
    ///
    /// # Errors
    /// [`Fault::Storage`] when the engine does not accept it.
    pub async fn prepare(&self, sql: &'static str) -> Result<(), Fault> {
        use sqlx::{Executor as _, SqlSafeStr as _};
        let mut tx = self.connection(Purpose::Writing).await?;
        match &mut tx.conn {
            Conn::Sqlite(c) => drop((&mut **c).prepare(sql.into_sql_str()).await?),
            Conn::Postgres(c) => drop((&mut **c).prepare(sql.into_sql_str()).await?),
        }
        Ok(())
    }

    /// The schema as the engine describes it: `table.column type`, sorted, in the words of
    /// `PostgreSQL`. A test compares the two.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn schema(&self) -> Result<Vec<String>, Fault> {
        self.read(|tx| Box::pin(async move { migrate::describe(&mut tx.conn).await }))
            .await
    }

    async fn connection(&self, purpose: Purpose) -> Result<Tx, Fault> {
        let conn = match &self.db {
            // What connecting takes is large, and seldom needed.
            Db::Sqlite(db) => Conn::Sqlite(Box::pin(db.acquire(purpose)).await?),
            Db::Postgres(db) => Conn::Postgres(Box::pin(db.acquire()).await?),
        };
        Ok(Tx::new(conn, Arc::clone(&self.shared)))
    }
}

impl Tx {
    fn new(conn: Conn, shared: Arc<Shared>) -> Self {
        Self {
            conn,
            shared,
            guard: Guard::Off,
            events: Vec::new(),
            changes: Vec::new(),
        }
    }

    async fn execute(&mut self, sql: Sql, values: Vec<Value>) -> Result<u64, Fault> {
        let statement = self.guarded(sql).await?;
        self.conn.execute(statement, values).await
    }

    async fn optional(&mut self, sql: Sql, values: Vec<Value>) -> Result<Option<Row>, Fault> {
        let statement = self.guarded(sql).await?;
        self.conn.optional(statement, values).await
    }

    async fn all(&mut self, sql: Sql, values: Vec<Value>) -> Result<Vec<Row>, Fault> {
        let statement = self.guarded(sql).await?;
        self.conn.all(statement, values).await
    }

    /// The statement, with the guard before the first one that does more than read. `SQLite` is told
    /// both at once, because each turn of the writer's thread costs more than most statements.
    async fn guarded(&mut self, sql: Sql) -> Result<Statement, Fault> {
        self.shared.statements.fetch_add(1, Ordering::Relaxed);
        match (self.guard, &self.conn) {
            (Guard::Armed(guard), Conn::Sqlite(_)) if !sql.only_reads() => {
                self.guard = Guard::Open;
                Ok(Statement::after(guard, sql))
            }
            (Guard::Armed(_), Conn::Postgres(_)) if !sql.only_reads() => {
                self.open_guard().await?;
                Ok(sql.into())
            }
            _ => Ok(sql.into()),
        }
    }

    async fn open_guard(&mut self) -> Result<(), Fault> {
        if let Guard::Armed(open) = self.guard {
            self.conn.control(open).await?;
            self.guard = Guard::Open;
        }
        Ok(())
    }

    fn vault(&self) -> Result<Arc<Vault>, Fault> {
        self.shared.vault().map(Arc::clone)
    }

    /// Writes the audit events, mails and feed rows of work that ended well. The feed's counter is taken
    /// last, so that commit order is sequence order and its row is locked briefly.
    async fn flush(&mut self) -> Result<Vec<Change>, Fault> {
        let mut events = std::mem::take(&mut self.events);
        let mails: Vec<_> = events
            .iter_mut()
            .flat_map(PendingEvent::take_mails)
            .collect();
        audit::insert(&mut self.conn, events).await?;
        for (mail, about) in mails {
            mails::insert(&mut self.conn, mail, about).await?;
        }
        let changes = std::mem::take(&mut self.changes);
        for change in &changes {
            feed::insert(&mut self.conn, change).await?;
        }
        Ok(changes)
    }

    fn discard(&mut self) {
        self.events.clear();
        self.changes.clear();
    }
}
