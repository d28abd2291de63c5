//! An empty database that is being filled from a backup. Nothing of it is seen, and nothing of what
//! was there before is lost, until [`Restoring::commit`].

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rules::time::Timestamp;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Postgres, Sqlite};
use sqlx_core::transaction::TransactionManager as _;

use super::copy::{self, ColumnType, Datum};
use super::sql::{Conn, Sql};
use super::{Location, Shared, Tx, inspect, migrate, postgres, sqlite};
use crate::fault::Fault;
use crate::paths::{beside, folder_of};
use crate::vault::Vault;

type PgTransactions = <Postgres as sqlx::Database>::TransactionManager;
type SqliteTransactions = <Sqlite as sqlx::Database>::TransactionManager;

/// How long one statement may take: a new epoch changes every row of some tables.
const PATIENCE: Duration = Duration::from_hours(24);

/// What lies where a backup is to be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// Nothing, or a schema without an installation.
    Empty,
    /// An installation.
    Installed,
    /// An `SQLite` file that cannot be read.
    Damaged,
}

/// A database that is being filled.
pub struct Restoring {
    tx: Tx,
    place: Place,
    columns: std::collections::BTreeMap<String, Vec<(String, ColumnType)>>,
}

enum Place {
    /// The file that is being written, the place it will take, and the lock that keeps servers out.
    Sqlite {
        draft: PathBuf,
        path: PathBuf,
        _lock: File,
    },
    /// One transaction.
    Postgres,
}

/// What was found where a backup is to be restored, while nobody else may write there.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// What it is.
    pub occupied: Occupied,
    /// When the last thing happened that its audit log tells of.
    pub newest: Option<Timestamp>,
}

impl Found {
    const NOTHING: Self = Self {
        occupied: Occupied::Empty,
        newest: None,
    };

    async fn on(conn: &mut Conn) -> Result<Self, Fault> {
        if !copy::is_installed(conn).await? {
            return Ok(Self::NOTHING);
        }
        Ok(Self {
            occupied: Occupied::Installed,
            newest: inspect::newest_event(conn).await?,
        })
    }
}

impl Restoring {
    /// Begins: keeps everybody else out, says what is there, and makes an empty database of schema
    /// version `schema`. On `PostgreSQL` whatever installation is there goes away with the commit; an
    /// `SQLite` file is kept beside it.
    ///
    /// # Errors
    /// [`Fault`]: [`Fault::Busy`] when a server has the database open.
    pub async fn begin(location: &Location<'_>, schema: i64) -> Result<(Self, Found), Fault> {
        let (mut conn, place, found) = match location {
            Location::Sqlite(path) => begin_sqlite(path).await?,
            Location::Postgres(url) => begin_postgres(url).await?,
        };
        migrate::begin(&mut conn).await?;
        migrate::run_to(&mut conn, Some(schema)).await?;
        let shared = Arc::<Shared>::default();
        let restoring = Self {
            columns: copy::columns(&mut conn).await?,
            tx: Tx::new(conn, shared),
            place,
        };
        Ok((restoring, found))
    }

    /// The transaction that everything happens in.
    pub fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// Hands over the opened vault, once.
    pub fn unseal(&self, vault: Arc<Vault>) {
        let _ = self.tx.shared.vault.set(vault);
    }

    /// Begins a table: empties it, and makes sure that it has exactly these columns.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] when this schema has another table.
    pub async fn begin_table(&mut self, table: &str, columns: &[String]) -> Result<(), Fault> {
        let ours = self.columns.get(table);
        let fits = ours.is_some_and(|ours| ours.iter().map(|(name, _)| name).eq(columns.iter()));
        if !fits {
            return Err(Fault::Unreadable(format!(
                "the table {table} of the backup is not that of the schema it names"
            )));
        }
        copy::empty(&mut self.tx.conn, table).await
    }

    /// Writes rows into a table that was begun.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn load(&mut self, table: &str, rows: &[Vec<Datum>]) -> Result<(), Fault> {
        let columns = self.columns.get(table).map_or(&[][..], Vec::as_slice);
        copy::insert(&mut self.tx.conn, table, columns, rows).await
    }

    /// Brings the restored data to the schema of this binary.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn migrate(&mut self) -> Result<(), Fault> {
        migrate::run_to(&mut self.tx.conn, None).await.map(drop)
    }

    /// Writes what was recorded, and puts the restored database in place, whole. What was there
    /// before is kept under the name that is returned (`SQLite`).
    ///
    /// # Errors
    /// [`Fault`]: nothing was replaced.
    pub async fn commit(mut self) -> Result<Option<PathBuf>, Fault> {
        self.tx.flush().await?;
        let mut conn = self.tx.conn;
        match &mut conn {
            Conn::Sqlite(c) => SqliteTransactions::commit(c).await?,
            Conn::Postgres(c) => PgTransactions::commit(c).await?,
        }
        close(conn).await;
        match &self.place {
            Place::Postgres => Ok(None),
            Place::Sqlite { draft, path, .. } => put_in_place(draft, path).await,
        }
    }

    /// Gives up; nothing was changed.
    pub async fn abandon(self) {
        let Self { tx, place, .. } = self;
        let mut conn = tx.conn;
        if let Conn::Postgres(c) = &mut conn {
            let _ = PgTransactions::rollback(c).await;
        }
        close(conn).await;
        if let Place::Sqlite { draft, .. } = place {
            let _ = fs::remove_file(draft);
        }
    }
}

/// What an `SQLite` file holds; the lock beside it is held.
async fn look_at(path: &Path) -> Found {
    let damaged = Found {
        occupied: Occupied::Damaged,
        newest: None,
    };
    if !path.exists() {
        return Found::NOTHING;
    }
    let Ok(mut conn) = one_sqlite(SqliteConnectOptions::new().filename(path)).await else {
        return damaged;
    };
    let found = Found::on(&mut conn).await;
    close(conn).await;
    found.unwrap_or(damaged)
}

async fn begin_sqlite(path: &Path) -> Result<(Conn, Place, Found), Fault> {
    let lock = sqlite::lock(path)?;
    let found = look_at(path).await;
    let draft = beside(path, ".restoring");
    // One that was killed left it behind; the lock says that nobody is at it.
    for left in [draft.clone(), beside(&draft, "-journal")] {
        if let Err(error) = fs::remove_file(&left)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(io(error));
        }
    }
    drop(sqlite::private(&draft)?);
    // What is half-written when the machine stops is thrown away: no journal needs to survive.
    let options = SqliteConnectOptions::new()
        .filename(&draft)
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
        .foreign_keys(false);
    let mut conn = one_sqlite(options).await?;
    if let Conn::Sqlite(c) = &mut conn {
        SqliteTransactions::begin(c, None).await?;
    }
    let place = Place::Sqlite {
        draft,
        path: path.to_owned(),
        _lock: lock,
    };
    Ok((conn, place, found))
}

/// How often it is looked, ten times a second, whether other servers are gone.
const LINGERS: u32 = 30;

async fn begin_postgres(url: &str) -> Result<(Conn, Place, Found), Fault> {
    const OTHERS: Sql = Sql("SELECT COUNT(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'countersign'");
    let mut conn = one_postgres(url).await?;
    // Until this connection ends, one that sets the database up waits, and finds what was restored.
    migrate::keep_others_out(&mut conn).await?;
    // PostgreSQL lists the connections of a server that just stopped for a moment longer.
    for patience in (0..LINGERS).rev() {
        let others = conn.optional(OTHERS, vec![]).await?;
        if others.map(|row| row.int(0)).transpose()?.unwrap_or(0) == 0 {
            break;
        }
        if patience == 0 {
            return Err(Fault::Busy(
                "another server has this database open; stop every server of it first",
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Conn::Postgres(c) = &mut conn {
        PgTransactions::begin(c, None).await?;
    }
    let found = Found::on(&mut conn).await?;
    for sql in migrate::undo() {
        conn.execute_owned(sql, Vec::new()).await?;
    }
    Ok((conn, Place::Postgres, found))
}

async fn one_sqlite(options: SqliteConnectOptions) -> Result<Conn, Fault> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options.create_if_missing(false))
        .await?;
    Ok(Conn::Sqlite(pool.acquire().await?))
}

async fn one_postgres(url: &str) -> Result<Conn, Fault> {
    let (options, prepares) = postgres::options(url)?;
    let options = options.application_name("countersign restore");
    postgres::reach(&options).await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    let conn = postgres::Pg::new(pool.acquire().await?, prepares);
    Ok(Conn::Postgres(conn.with_patience(PATIENCE)))
}

async fn close(conn: Conn) {
    let _ = match conn {
        Conn::Sqlite(c) => c.close().await,
        Conn::Postgres(c) => c.close().await,
    };
}

/// The draft takes the place. A write-ahead log that stays beside a replaced file would be written
/// into it, so what was there is first brought into one file.
async fn put_in_place(draft: &Path, path: &Path) -> Result<Option<PathBuf>, Fault> {
    sync(draft)?;
    let folder = folder_of(path);
    hand_over(draft, path, folder)?;
    let kept = keep_aside(path).await?;
    fs::rename(draft, path).map_err(io)?;
    sync(folder)?;
    Ok(kept)
}

/// What root restores belongs to whoever had what it replaces, or has its folder: the server's
/// account, which could not open it otherwise.
fn hand_over(draft: &Path, path: &Path, folder: &Path) -> Result<(), Fault> {
    let before = fs::metadata(path).or_else(|_| fs::metadata(folder));
    let (before, mine) = (before.map_err(io)?, fs::metadata(draft).map_err(io)?);
    if mine.uid() == 0 && before.uid() != 0 {
        chown(draft, Some(before.uid()), Some(before.gid())).map_err(io)?;
    }
    Ok(())
}

/// Keeps what is there under another name. Its parts go first: one that is left beside the draft, also
/// of a database that was moved away without it, would be written into it.
async fn keep_aside(path: &Path) -> Result<Option<PathBuf>, Fault> {
    const PARTS: [&str; 3] = ["-wal", "-shm", "-journal"];
    let parts = |of: &Path| PARTS.map(|end| beside(of, end));
    let kept = (1..10_000)
        .map(|n| beside(path, &format!(".replaced-{n}")))
        .find(|kept| !kept.exists() && !parts(kept).iter().any(|part| part.exists()))
        .unwrap_or_else(|| beside(path, ".replaced"));
    let whole = path.exists() && in_one_file(path).await.is_ok();
    let alone = whole && !parts(path).iter().any(|part| part.exists());
    // The name goes on to exist until the rename replaces what it means.
    if alone && fs::hard_link(path, &kept).is_ok() {
        return Ok(Some(kept));
    }
    // It cannot be read, or the file system has no links: the parts are kept together.
    let mut moved = false;
    let from = parts(path).into_iter().chain([path.to_owned()]);
    let to = parts(&kept).into_iter().chain([kept.clone()]);
    for (from, to) in from.zip(to).filter(|(from, _)| from.exists()) {
        fs::rename(from, to).map_err(io)?;
        moved = true;
    }
    sync(folder_of(path))?;
    Ok(moved.then_some(kept))
}

/// Makes a file, or the names in a folder, last.
fn sync(path: &Path) -> Result<(), Fault> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(io)
}

async fn in_one_file(path: &Path) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Delete);
    options.connect().await?.close().await
}

fn io(error: std::io::Error) -> Fault {
    Fault::Storage(sqlx::Error::Io(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// An account that is nobody's here.
    const SERVER: u32 = 54_321;

    #[test]
    fn what_root_restores_belongs_to_whose_folder_it_is() {
        let id = crate::rng::uuid(Timestamp::default()).unwrap();
        let folder = std::env::temp_dir().join(format!("countersign-hand-over-{id}"));
        fs::create_dir(&folder).unwrap();
        let (draft, path) = (folder.join("x.db.restoring"), folder.join("x.db"));
        fs::write(&draft, "").unwrap();
        let mine = fs::metadata(&draft).unwrap().uid();
        let owner = |path: &Path| {
            let file = fs::metadata(path).unwrap();
            (file.uid(), file.gid())
        };
        if mine == 0 {
            chown(&folder, Some(SERVER), Some(SERVER)).unwrap();
            hand_over(&draft, &path, &folder).unwrap();
            assert_eq!(owner(&draft), (SERVER, SERVER), "a new database");
            // What is replaced decides, when there is something.
            chown(&draft, Some(0), Some(0)).unwrap();
            fs::write(&path, "").unwrap();
            chown(&path, Some(SERVER + 1), Some(SERVER + 2)).unwrap();
            hand_over(&draft, &path, &folder).unwrap();
            assert_eq!(owner(&draft), (SERVER + 1, SERVER + 2), "one in its place");
            // Root's own stays root's.
            chown(&draft, Some(0), Some(0)).unwrap();
            chown(&path, Some(0), Some(0)).unwrap();
            hand_over(&draft, &path, &folder).unwrap();
            assert_eq!(owner(&draft), (0, 0));
        } else {
            eprintln!("only root gives files away: the rest of this test is skipped");
            hand_over(&draft, &path, &folder).unwrap();
            assert_eq!(owner(&draft).0, mine);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
