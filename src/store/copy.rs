//! The whole database, read in one consistent moment and written into an empty one, whichever
//! engine either is. What a row holds stays sealed as it is.

use std::collections::BTreeMap;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use super::sql::{Conn, Row, Sql, Value};
use super::{Db, Purpose, Store, migrate};
use crate::fault::Fault;

/// What one column of one row holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Datum {
    /// NULL.
    Null,
    /// TEXT.
    Text(String),
    /// BIGINT.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    Text,
    Int,
    Bytes,
}

/// A table of the database and its columns, by name.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    columns: Vec<(String, ColumnType)>,
}

impl Table {
    /// The names of its columns, in the order in which rows give them.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// One consistent moment of the database. Writers go on; nothing of what they do is seen.
pub struct Snapshot {
    conn: Conn,
    tables: Vec<Table>,
    schema: i64,
    /// Tells the checkpointer of `SQLite` not to wait for this reader.
    _reading: Option<super::sqlite::Reading>,
}

impl Store {
    /// Begins to read the whole database as it is now.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn snapshot(&self) -> Result<Snapshot, Fault> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut tx = self.connection(Purpose::LengthyReading).await?;
        // A reader that is dropped half-way must not hand its transaction to the next request.
        let reading = match (&mut tx.conn, &self.db) {
            (Conn::Sqlite(c), Db::Sqlite(db)) => {
                c.close_on_drop();
                Some(db.reading())
            }
            (Conn::Postgres(c), _) => {
                c.close_on_drop();
                None
            }
            (Conn::Sqlite(_), Db::Postgres(_)) => None,
        };
        let mut conn = tx.conn;
        let begin = match &conn {
            Conn::Sqlite(_) => "BEGIN",
            Conn::Postgres(_) => BEGIN,
        };
        conn.control(begin).await?;
        let schema = migrate::version(&mut conn).await?;
        let mut tables = Vec::new();
        for (name, columns) in columns(&mut conn).await? {
            let rows = count(&mut conn, &name).await?;
            tables.push(Table {
                name,
                rows,
                columns,
            });
        }
        // A trigger lists restored events as unsealed; what was so in truth is written after.
        tables.sort_by_key(|table| table.name == "audit_unsealed");
        Ok(Snapshot {
            conn,
            tables,
            schema,
            _reading: reading,
        })
    }
}

impl Snapshot {
    /// Every table, in the order in which they are to be written.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The version of the schema.
    #[must_use]
    pub const fn schema(&self) -> i64 {
        self.schema
    }

    /// The rows of a table, one after another.
    pub fn rows<'s>(&'s mut self, table: &'s Table) -> BoxStream<'s, Result<Vec<Datum>, Fault>> {
        let names: Vec<String> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), quoted(&table.name));
        // The names are those of our own schema.
        let sql = AssertSqlSafe(sql);
        let datums = |row: Row| read(&row, &table.columns);
        match &mut self.conn {
            Conn::Sqlite(c) => sqlx::query(sql)
                .fetch(&mut **c)
                .map_err(Fault::from)
                .map(move |row| row.and_then(|row| datums(Row::Sqlite(row))))
                .boxed(),
            Conn::Postgres(c) => sqlx::query(sql)
                .persistent(c.prepares())
                .fetch(&mut **c)
                .map_err(Fault::from)
                .map(move |row| row.and_then(|row| datums(Row::Postgres(row))))
                .boxed(),
        }
    }
}

/// The tables of the schema and their columns, by name.
pub(super) async fn columns(
    conn: &mut Conn,
) -> Result<BTreeMap<String, Vec<(String, ColumnType)>>, Fault> {
    let mut tables: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for line in migrate::describe(conn).await? {
        let unreadable = || Fault::Unreadable(format!("the schema: {line}"));
        let (table, rest) = line.split_once('.').ok_or_else(unreadable)?;
        let mut words = rest.split(' ');
        let (Some(column), Some(kind)) = (words.next(), words.next()) else {
            return Err(unreadable());
        };
        let kind = match kind {
            "text" => ColumnType::Text,
            "bigint" => ColumnType::Int,
            "bytea" => ColumnType::Bytes,
            _ => return Err(unreadable()),
        };
        let columns = tables.entry(table.to_owned()).or_default();
        columns.push((column.to_owned(), kind));
    }
    Ok(tables)
}

async fn count(conn: &mut Conn, table: &str) -> Result<u64, Fault> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", quoted(table)));
    let row = match conn {
        Conn::Sqlite(c) => Row::Sqlite(sqlx::query(sql).fetch_one(&mut **c).await?),
        Conn::Postgres(c) => {
            let query = sqlx::query(sql).persistent(c.prepares());
            Row::Postgres(query.fetch_one(&mut **c).await?)
        }
    };
    Ok(u64::try_from(row.int(0)?).unwrap_or(0))
}

fn read(row: &Row, columns: &[(String, ColumnType)]) -> Result<Vec<Datum>, Fault> {
    let datum = |(at, (_, kind)): (usize, &(String, ColumnType))| {
        Ok(match kind {
            ColumnType::Text => row.opt_text(at)?.map(Datum::Text),
            ColumnType::Int => row.opt_int(at)?.map(Datum::Int),
            ColumnType::Bytes => row.opt_bytes(at)?.map(Datum::Bytes),
        }
        .unwrap_or(Datum::Null))
    };
    columns.iter().enumerate().map(datum).collect()
}

/// How many rows one statement writes at most.
const AT_ONCE: usize = 100;

/// Writes rows into a table whose columns are named; all of them or none.
pub(super) async fn insert(
    conn: &mut Conn,
    table: &str,
    columns: &[(String, ColumnType)],
    rows: &[Vec<Datum>],
) -> Result<(), Fault> {
    for rows in rows.chunks(AT_ONCE) {
        let mut values = Vec::with_capacity(rows.len() * columns.len());
        let mut groups = Vec::with_capacity(rows.len());
        for row in rows {
            if row.len() != columns.len() {
                return Err(Fault::Unreadable(format!(
                    "a row of {table} has the wrong length"
                )));
            }
            let first = values.len() + 1;
            for (datum, (name, kind)) in row.iter().zip(columns) {
                let value = value(datum, *kind)
                    .ok_or_else(|| Fault::Unreadable(format!("{table}.{name}")))?;
                values.push(value);
            }
            let places: Vec<String> = (first..=values.len()).map(|n| format!("${n}")).collect();
            groups.push(format!("({})", places.join(", ")));
        }
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}",
            quoted(table),
            names.join(", "),
            groups.join(", ")
        );
        conn.execute_owned(sql, values).await?;
    }
    Ok(())
}

/// Empties a table that a migration may have filled. One that is empty is left alone: the audit
/// log's guards refuse even that.
pub(super) async fn empty(conn: &mut Conn, table: &str) -> Result<(), Fault> {
    if count(conn, table).await? == 0 {
        return Ok(());
    }
    let sql = format!("DELETE FROM {}", quoted(table));
    conn.execute_owned(sql, Vec::new()).await
}

/// Whether an installation lies in the database.
pub(super) async fn is_installed(conn: &mut Conn) -> Result<bool, Fault> {
    const KEYS: Sql = Sql("SELECT id FROM vault_keys LIMIT 1");
    if !columns(conn).await?.contains_key("vault_keys") {
        return Ok(false);
    }
    Ok(conn.optional(KEYS, vec![]).await?.is_some())
}

fn value(datum: &Datum, kind: ColumnType) -> Option<Value> {
    Some(match (kind, datum) {
        (ColumnType::Text, Datum::Null) => Value::Text(None),
        (ColumnType::Int, Datum::Null) => Value::Int(None),
        (ColumnType::Bytes, Datum::Null) => Value::Bytes(None),
        (ColumnType::Text, Datum::Text(text)) => Value::Text(Some(text.clone())),
        (ColumnType::Int, Datum::Int(int)) => Value::Int(Some(*int)),
        (ColumnType::Bytes, Datum::Bytes(bytes)) => Value::Bytes(Some(bytes.clone())),
        _ => return None,
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
