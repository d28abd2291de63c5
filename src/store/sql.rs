//! One SQL for two engines: `$1` placeholders; TEXT, BIGINT and bytes only.

use futures_util::TryStreamExt as _;
use rules::time::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Either, Executor as _, Postgres, Row as _, Sqlite};
use tokio::time::timeout;
use uuid::Uuid;

use super::postgres::Pg;
use crate::fault::Fault;
use crate::secret::TokenHash;

/// A statement, written once for both engines. A test prepares every one of them on each.
#[derive(Clone, Copy, Debug)]
pub struct Sql(pub &'static str);

impl Sql {
    /// Whether it changes and locks nothing.
    pub(super) fn only_reads(self) -> bool {
        self.0.starts_with("SELECT ") && !self.0.contains(" FOR ")
    }
}

/// What is sent in one turn: a statement, and what must be done right before it.
#[derive(Clone, Copy)]
pub(super) struct Statement {
    /// Without values.
    before: Option<&'static str>,
    sql: Sql,
}

impl Statement {
    pub(super) const fn after(before: &'static str, sql: Sql) -> Self {
        Self {
            before: Some(before),
            sql,
        }
    }
}

impl From<Sql> for Statement {
    fn from(sql: Sql) -> Self {
        Self { before: None, sql }
    }
}

/// A value bound to a placeholder.
#[derive(Clone, Debug)]
pub enum Value {
    /// TEXT.
    Text(Option<String>),
    /// BIGINT.
    Int(Option<i64>),
    /// BYTEA or BLOB.
    Bytes(Option<Vec<u8>>),
}

macro_rules! values {
    ($($from:ty => |$value:ident| $to:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        }
    )*};
}

values! {
    &str => |value| Self::Text(Some(value.to_owned()));
    String => |value| Self::Text(Some(value));
    &String => |value| Self::Text(Some(value.clone()));
    Option<String> => |value| Self::Text(value);
    i64 => |value| Self::Int(Some(value));
    u32 => |value| Self::Int(Some(value.into()));
    bool => |value| Self::Int(Some(value.into()));
    Timestamp => |value| Self::Int(Some(value.millis()));
    Option<Timestamp> => |value| Self::Int(value.map(Timestamp::millis));
    Vec<u8> => |value| Self::Bytes(Some(value));
    &[u8] => |value| Self::Bytes(Some(value.to_vec()));
    [u8; 32] => |value| Self::Bytes(Some(value.to_vec()));
    Option<Vec<u8>> => |value| Self::Bytes(value);
    TokenHash => |value| Self::Bytes(Some(value.as_bytes().to_vec()));
    Option<TokenHash> => |value| Self::Bytes(value.map(|hash| hash.as_bytes().to_vec()));
    Uuid => |value| Self::Bytes(Some(value.as_bytes().to_vec()));
    Option<Uuid> => |value| Self::Bytes(value.map(|id| id.as_bytes().to_vec()));
}

/// A row that came back; columns are read by position.
pub enum Row {
    /// From `SQLite`.
    Sqlite(SqliteRow),
    /// From `PostgreSQL`.
    Postgres(PgRow),
}

macro_rules! getters {
    ($($name:ident -> $type:ty, $doc:literal;)*) => {$(
        #[doc = $doc]
        pub fn $name(&self, column: usize) -> Result<$type, Fault> {
            match self {
                Self::Sqlite(row) => row.try_get(column),
                Self::Postgres(row) => row.try_get(column),
            }
            .map_err(|error| Fault::Unreadable(error.to_string()))
        }
    )*};
}

impl Row {
    getters! {
        text -> String, "TEXT.";
        opt_text -> Option<String>, "TEXT, maybe NULL.";
        int -> i64, "BIGINT.";
        opt_int -> Option<i64>, "BIGINT, maybe NULL.";
        bytes -> Vec<u8>, "Bytes.";
        opt_bytes -> Option<Vec<u8>>, "Bytes, maybe NULL.";
    }

    /// A point in time, stored as milliseconds.
    pub fn time(&self, column: usize) -> Result<Timestamp, Fault> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// A point in time, maybe NULL.
    pub fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, Fault> {
        Ok(self.opt_int(column)?.map(Timestamp::from_millis))
    }

    /// An identifier, stored as 16 bytes.
    pub fn uuid(&self, column: usize) -> Result<Uuid, Fault> {
        self.exact(column).map(Uuid::from_bytes)
    }

    /// An identifier, maybe NULL.
    pub fn opt_uuid(&self, column: usize) -> Result<Option<Uuid>, Fault> {
        self.opt_bytes(column)?
            .map(|bytes| Uuid::from_slice(&bytes).map_err(|_| unreadable(column)))
            .transpose()
    }

    /// A stored hash.
    pub fn hash(&self, column: usize) -> Result<TokenHash, Fault> {
        self.exact::<32>(column).map(TokenHash::from)
    }

    fn exact<const N: usize>(&self, column: usize) -> Result<[u8; N], Fault> {
        <[u8; N]>::try_from(self.bytes(column)?).map_err(|_| unreadable(column))
    }
}

fn unreadable(column: usize) -> Fault {
    Fault::Unreadable(format!("column {column} has the wrong length"))
}

/// A connection to one of the two.
pub(super) enum Conn {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(Pg),
}

impl Conn {
    /// How many rows the statement changed.
    pub(super) async fn execute(
        &mut self,
        sql: impl Into<Statement>,
        values: Vec<Value>,
    ) -> Result<u64, Fault> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(c) => {
                let mut results = (&mut **c).fetch_many(sqlite(sql, values));
                let mut changed = 0;
                // What stands before it repeats the count of an older one.
                while let Some(result) = results.try_next().await? {
                    if let Either::Left(done) = result {
                        changed = done.rows_affected();
                    }
                }
                changed
            }
            Self::Postgres(c) => {
                let query = postgres(sql, values).persistent(c.prepares());
                c.asks();
                let answer = timeout(c.patience(), query.execute(&mut **c)).await;
                c.heard(answer)?.rows_affected()
            }
        })
    }

    pub(super) async fn optional(
        &mut self,
        sql: impl Into<Statement>,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Fault> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(c) => sqlite(sql, values)
                .fetch_optional(&mut **c)
                .await?
                .map(Row::Sqlite),
            Self::Postgres(c) => {
                let query = postgres(sql, values).persistent(c.prepares());
                c.asks();
                let answer = timeout(c.patience(), query.fetch_optional(&mut **c)).await;
                c.heard(answer)?.map(Row::Postgres)
            }
        })
    }

    pub(super) async fn all(
        &mut self,
        sql: impl Into<Statement>,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Fault> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(c) => {
                let rows = sqlite(sql, values).fetch_all(&mut **c).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(c) => {
                let query = postgres(sql, values).persistent(c.prepares());
                c.asks();
                let answer = timeout(c.patience(), query.fetch_all(&mut **c)).await;
                c.heard(answer)?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// A statement that was put together here, of names of our own schema.
    pub(super) async fn execute_owned(
        &mut self,
        sql: String,
        values: Vec<Value>,
    ) -> Result<(), Fault> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(c) => {
                let query = values.into_iter().fold(sqlx::query(sql), bind_sqlite);
                query.execute(&mut **c).await.map(drop)?;
            }
            Self::Postgres(c) => {
                let query = values.into_iter().fold(sqlx::query(sql), bind_postgres);
                let query = query.persistent(c.prepares());
                query.execute(&mut **c).await.map(drop)?;
            }
        }
        Ok(())
    }

    /// A statement without values, sent as it is (`BEGIN`, `COMMIT`, `SAVEPOINT`).
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<(), Fault> {
        match self {
            Self::Sqlite(c) => sqlx::query(sql).execute(&mut **c).await.map(|_| ())?,
            Self::Postgres(c) => c.control(sql).await?,
        }
        Ok(())
    }

    /// Statements without values that may take as long as they like: what a migration does.
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), Fault> {
        match self {
            Self::Sqlite(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(|_| ())?,
            Self::Postgres(c) => sqlx::raw_sql(sql).execute(&mut **c).await.map(|_| ())?,
        }
        Ok(())
    }
}

fn sqlite(statement: Statement, values: Vec<Value>) -> Query<'static, Sqlite, SqliteArguments> {
    let query = match (statement.before, statement.sql.0) {
        (None, sql) => sqlx::query(sql),
        // Names nothing but constants; prepared once, like any other.
        (Some(before), sql) => sqlx::query(AssertSqlSafe(format!("{before}; {sql}"))),
    };
    values.into_iter().fold(query, bind_sqlite)
}

fn bind_sqlite(
    query: Query<'static, Sqlite, SqliteArguments>,
    value: Value,
) -> Query<'static, Sqlite, SqliteArguments> {
    match value {
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Bytes(bytes) => query.bind(bytes),
    }
}

/// What stands before a statement was said in a turn of its own.
fn postgres(statement: Statement, values: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    debug_assert!(statement.before.is_none());
    let query = sqlx::query(statement.sql.0);
    values.into_iter().fold(query, bind_postgres)
}

fn bind_postgres(
    query: Query<'static, Postgres, PgArguments>,
    value: Value,
) -> Query<'static, Postgres, PgArguments> {
    match value {
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Bytes(bytes) => query.bind(bytes),
    }
}
