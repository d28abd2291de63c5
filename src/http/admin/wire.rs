//! Frames on the administrators' socket: four bytes of length (big-endian), then JSON.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::command::AdminCommand;
use super::view::AdminReply;
use crate::flows::{AdminFailure, Progress};

/// The largest command, in bytes.
pub(super) const LARGEST_COMMAND: usize = 1 << 20;
/// The largest answer, in bytes: a long list of clients.
pub(super) const LARGEST_ANSWER: usize = 64 << 20;
/// How long a command may take. Making an RSA key on a busy machine takes some seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long one that is as long as the database is large may be silent.
const LONG_PATIENCE: Duration = Duration::from_mins(15);

/// How a command ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one answer at a time is on its way, and a box would be taken apart everywhere"
)]
pub enum Answer {
    /// It is under way: `(done, all)`. The answer comes later.
    Progress(u64, u64),
    /// It was carried out.
    Done(AdminReply),
    /// It was refused; the sentence says what to change.
    Refused(String),
    /// The server failed.
    Fault(String),
}

impl From<Result<AdminReply, AdminFailure>> for Answer {
    fn from(result: Result<AdminReply, AdminFailure>) -> Self {
        match result {
            Ok(reply) => Self::Done(reply),
            Err(AdminFailure::Refused(why)) => Self::Refused(why),
            Err(AdminFailure::Fault(fault)) => Self::Fault(fault.to_string()),
        }
    }
}

/// Sends a command to the server that listens on `socket`; `None` when nobody listens there.
///
/// # Errors
/// When the socket may not be opened, or the connection breaks.
pub async fn ask(socket: &Path, command: &AdminCommand) -> io::Result<Option<Answer>> {
    ask_telling(socket, command, &Progress::none()).await
}

/// As [`ask`], and tells how far long work has come.
///
/// # Errors
/// As [`ask`].
pub async fn ask_telling(
    socket: &Path,
    command: &AdminCommand,
    progress: &Progress,
) -> io::Result<Option<Answer>> {
    let mut stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                // A file that is left of a server that was killed refuses connections.
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let patience = if command.is_long() {
        LONG_PATIENCE
    } else {
        PATIENCE
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time");
    let sent = write(&mut stream, command, LARGEST_COMMAND);
    tokio::time::timeout(patience, sent).await.map_err(late)??;
    loop {
        let frame = read(&mut stream, LARGEST_ANSWER);
        match tokio::time::timeout(patience, frame)
            .await
            .map_err(late)??
        {
            Answer::Progress(done, all) => progress.tell(done, all),
            answer => return Ok(Some(answer)),
        }
    }
}

/// Reads one frame of at most `largest` bytes.
pub(super) async fn read<T, R>(from: &mut R, largest: usize) -> io::Result<T>
where
    T: DeserializeOwned,
    R: AsyncRead + Unpin,
{
    let length = from.read_u32().await? as usize;
    if length > largest {
        return Err(too_large(length, largest));
    }
    // It grows with what arrives, not with what was announced; secrets may be in it.
    let mut json = Zeroizing::new(Vec::new());
    let read = from.take(length as u64).read_to_end(&mut json).await?;
    if read < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&json).map_err(|error| invalid(error.to_string()))
}

/// Writes one frame of at most `largest` bytes.
pub(super) async fn write<T, W>(to: &mut W, message: &T, largest: usize) -> io::Result<()>
where
    T: Serialize,
    W: AsyncWrite + Unpin,
{
    let json = Zeroizing::new(serde_json::to_vec(message).map_err(io::Error::other)?);
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    if json.len() > largest {
        return Err(too_large(json.len(), largest));
    }
    to.write_u32(length).await?;
    to.write_all(&json).await?;
    to.flush().await
}

fn too_large(length: usize, largest: usize) -> io::Error {
    invalid(format!(
        "{length} bytes are more than the {largest} that are allowed"
    ))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
