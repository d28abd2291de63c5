//! What a backup looks like: `magic ‖ length ‖ header (JSON) ‖ wrapped key ‖ sealed chunks`. The
//! chunks hold frames, each with its length before it. The header is readable without a key, so
//! that an operator can tell files apart; whoever changes it makes the file unreadable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rules::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::fault::Fault;
use crate::flows::AdminFailure;
use crate::store::copy::Datum;
use crate::vault::{BackupKey, CHUNK, Chunks, TAG, WRAPPED};

const MAGIC: &[u8; 8] = b"CSBACKUP";
/// The version of this format.
const FORMAT: u32 = 1;
/// The longest header, in bytes.
const LONGEST_HEADER: usize = 1 << 20;
/// The longest frame, in bytes: one row is never longer than what a request may carry.
const LONGEST_FRAME: usize = 64 << 20;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub format: u32,
    /// The version of the server that made it.
    pub version: String,
    /// The version of the schema.
    pub schema: i64,
    /// Whose data it is.
    pub issuer: String,
    /// Which engine it was read from.
    pub engine: String,
    /// The moment whose state it holds, in milliseconds.
    pub created_at: Timestamp,
    /// How many rows each table has.
    pub tables: BTreeMap<String, u64>,
}

impl Header {
    /// The header of a new backup.
    #[must_use]
    pub fn new(issuer: &str, engine: &str, schema: i64, created_at: Timestamp) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            issuer: issuer.to_owned(),
            engine: engine.to_owned(),
            created_at,
            tables: BTreeMap::new(),
        }
    }

    /// How many rows there are in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().sum()
    }
}

/// A piece of the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// What follows are rows of this table.
    Table {
        /// Its name.
        name: String,
        /// Its columns, in the order of the rows.
        columns: Vec<String>,
    },
    /// Some rows.
    Rows(Vec<Vec<Datum>>),
    /// There is no more.
    End {
        /// How many rows there were.
        rows: u64,
    },
}

/// Writes a backup.
pub struct Writer {
    file: File,
    chunks: Chunks,
    plain: Vec<u8>,
    written: u64,
}

impl Writer {
    /// Begins a backup in an empty file.
    pub async fn begin(mut file: File, key: &BackupKey, header: &Header) -> Result<Self, Fault> {
        let json = serde_json::to_vec(header).map_err(internal)?;
        let length = u32::try_from(json.len()).map_err(internal)?;
        let head = [MAGIC.as_slice(), &length.to_be_bytes(), &json].concat();
        let (wrapped, chunks) = key.begin(&head)?;
        file.write_all(&head).await.map_err(io)?;
        file.write_all(&wrapped).await.map_err(io)?;
        Ok(Self {
            file,
            chunks,
            plain: Vec::with_capacity(2 * CHUNK),
            written: (head.len() + wrapped.len()) as u64,
        })
    }

    /// Adds a frame.
    pub async fn frame(&mut self, frame: &Frame) -> Result<(), Fault> {
        let bytes = postcard::to_stdvec(frame).map_err(internal)?;
        let length = u32::try_from(bytes.len()).map_err(internal)?;
        self.plain.extend(length.to_be_bytes());
        self.plain.extend(bytes);
        // One chunk stays behind, so that there is always one to be the last.
        while self.plain.len() > CHUNK {
            let rest = self.plain.split_off(CHUNK);
            let chunk = std::mem::replace(&mut self.plain, rest);
            self.chunk(chunk, false).await?;
        }
        Ok(())
    }

    /// Ends it; everything is on the disk then. Returns the file's length.
    pub async fn finish(mut self) -> Result<u64, Fault> {
        let chunk = std::mem::take(&mut self.plain);
        self.chunk(chunk, true).await?;
        self.file.flush().await.map_err(io)?;
        self.file.sync_all().await.map_err(io)?;
        Ok(self.written)
    }

    async fn chunk(&mut self, mut chunk: Vec<u8>, last: bool) -> Result<(), Fault> {
        self.chunks.seal(&mut chunk, last)?;
        self.file.write_all(&chunk).await.map_err(io)?;
        self.written += chunk.len() as u64;
        Ok(())
    }
}

/// Reads a backup.
pub struct Reader {
    file: File,
    header: Header,
    chunks: Chunks,
    /// The next chunk, still sealed; empty after the last.
    ahead: Vec<u8>,
    plain: Vec<u8>,
    at: usize,
    seen: Seen,
}

/// What was read so far, against what the header says.
#[derive(Default)]
struct Seen {
    tables: BTreeSet<String>,
    table: Option<(String, u64)>,
    rows: u64,
    ended: bool,
}

/// Reads what a file says of itself, without a key: nothing vouches for it.
///
/// # Errors
/// [`AdminFailure::Refused`] when it is no backup.
pub async fn header(path: &Path) -> Result<Header, AdminFailure> {
    let mut file = open(path).await?;
    Ok(read_head(&mut file, path).await?.1)
}

impl Reader {
    /// Opens a backup.
    ///
    /// # Errors
    /// [`AdminFailure::Refused`]: it is none, or the root key does not open it.
    pub async fn open(path: &Path, key: &BackupKey) -> Result<Self, AdminFailure> {
        let mut file = open(path).await?;
        let (head, header) = read_head(&mut file, path).await?;
        let mut wrapped = vec![0; WRAPPED];
        file.read_exact(&mut wrapped)
            .await
            .map_err(|_| damaged("it ends within its head"))?;
        let chunks = key.resume(&head, &wrapped).map_err(|_| {
            AdminFailure::Refused(format!(
                "the root key does not open {}: it was made with another root key \
                 (vault.root_key_file), or its head was changed",
                path.display()
            ))
        })?;
        let ahead = block(&mut file).await?;
        Ok(Self {
            file,
            header,
            chunks,
            ahead,
            plain: Vec::new(),
            at: 0,
            seen: Seen::default(),
        })
    }

    /// What it says of itself, which the root key vouches for.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next frame; none after the last, when everything that was announced has come.
    ///
    /// # Errors
    /// [`AdminFailure::Refused`] when the file was changed or cut off.
    pub async fn next(&mut self) -> Result<Option<Frame>, AdminFailure> {
        if self.seen.ended {
            return match (self.plain.len() - self.at, self.ahead.is_empty()) {
                (0, true) => Ok(None),
                _ => Err(damaged("something follows its end")),
            };
        }
        let length = self.take(4).await?;
        let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
        if length > LONGEST_FRAME {
            return Err(damaged("a frame is too long"));
        }
        let bytes = self.take(length).await?;
        let frame = postcard::from_bytes(&bytes).map_err(|_| damaged("a frame cannot be read"))?;
        self.seen.see(&frame, &self.header).map_err(damaged)?;
        Ok(Some(frame))
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, AdminFailure> {
        while self.plain.len() - self.at < length {
            if self.ahead.is_empty() {
                return Err(damaged("it ends too early"));
            }
            let following = block(&mut self.file).await?;
            let mut chunk = std::mem::replace(&mut self.ahead, following);
            let last = self.ahead.is_empty();
            self.chunks
                .open(&mut chunk, last)
                .map_err(|fault| damaged(&fault.to_string()))?;
            self.plain.drain(..self.at);
            self.at = 0;
            self.plain.extend(chunk);
        }
        let taken = self.plain[self.at..self.at + length].to_vec();
        self.at += length;
        Ok(taken)
    }
}

impl Seen {
    fn see(&mut self, frame: &Frame, header: &Header) -> Result<(), &'static str> {
        match frame {
            Frame::Table { name, .. } => {
                self.end_table(header)?;
                if !header.tables.contains_key(name) || !self.tables.insert(name.clone()) {
                    return Err("it holds a table that it does not announce");
                }
                self.table = Some((name.clone(), 0));
            }
            Frame::Rows(rows) => {
                let table = self.table.as_mut().ok_or("it holds rows of no table")?;
                table.1 += rows.len() as u64;
                self.rows += rows.len() as u64;
            }
            Frame::End { rows } => {
                self.end_table(header)?;
                if *rows != self.rows || self.tables.len() != header.tables.len() {
                    return Err("it does not hold what it announces");
                }
                self.ended = true;
            }
        }
        Ok(())
    }

    fn end_table(&mut self, header: &Header) -> Result<(), &'static str> {
        match self.table.take() {
            Some((name, rows)) if header.tables.get(&name) != Some(&rows) => {
                Err("a table has another number of rows than announced")
            }
            _ => Ok(()),
        }
    }
}

async fn open(path: &Path) -> Result<File, AdminFailure> {
    File::open(path).await.map_err(|error| {
        AdminFailure::Refused(format!(
            "{} cannot be opened: {error}; name a file that `countersign backup` made",
            path.display()
        ))
    })
}

async fn read_head(file: &mut File, path: &Path) -> Result<(Vec<u8>, Header), AdminFailure> {
    let none = || {
        AdminFailure::Refused(format!(
            "{} is no backup; name a file that `countersign backup` made",
            path.display()
        ))
    };
    let mut head = vec![0; MAGIC.len() + 4];
    file.read_exact(&mut head).await.map_err(|_| none())?;
    if !head.starts_with(MAGIC) {
        return Err(none());
    }
    let length = head[MAGIC.len()..]
        .iter()
        .fold(0, |n, byte| n << 8 | usize::from(*byte));
    if length > LONGEST_HEADER {
        return Err(damaged("its head is too long"));
    }
    let from = head.len();
    head.resize(from + length, 0);
    file.read_exact(&mut head[from..])
        .await
        .map_err(|_| damaged("it ends within its head"))?;
    let header: Header =
        serde_json::from_slice(&head[from..]).map_err(|_| damaged("its head cannot be read"))?;
    if header.format != FORMAT {
        return Err(AdminFailure::Refused(format!(
            "{} has format {}, this version reads {FORMAT}; use version {} of countersign",
            path.display(),
            header.format,
            header.version
        )));
    }
    Ok((head, header))
}

/// One sealed chunk, or what is left.
async fn block(file: &mut File) -> Result<Vec<u8>, AdminFailure> {
    let mut block = Vec::with_capacity(CHUNK + TAG);
    let limit = (CHUNK + TAG) as u64;
    file.take(limit)
        .read_to_end(&mut block)
        .await
        .map_err(|error| AdminFailure::Refused(format!("the backup cannot be read: {error}")))?;
    Ok(block)
}

fn damaged(why: &str) -> AdminFailure {
    AdminFailure::Refused(format!(
        "the backup is damaged: {why}; nothing of it was used. Use another copy of it, or an older \
         backup"
    ))
}

fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::Internal(error.to_string())
}

fn io(error: std::io::Error) -> Fault {
    Fault::Storage(sqlx::Error::Io(error))
}
