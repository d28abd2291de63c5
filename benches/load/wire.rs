//! HTTP/1.1 on one keep-alive connection, with as little work as can be: the generator must never
//! be what limits.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failed;
use crate::tls::{self, Stream};

/// A connection.
pub struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

/// An answer, read whole.
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The status line and the headers.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl Wire {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: tls::on(stream, address).await?,
            buffer: vec![0; 16 << 10],
        })
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Failed> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let mut filled = 0;
        let (head, total) = loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            filled += read;
            if let Some(head) = end_of_head(&self.buffer[..filled]) {
                let total = head + content_length(&self.buffer[..head])?;
                if filled >= total {
                    break (head, total);
                }
                if self.buffer.len() < total {
                    self.buffer.resize(total, 0);
                }
            }
        };
        let (head, body) = (&self.buffer[..head], &self.buffer[head..total]);
        let status = head.get(9..12).and_then(number).unwrap_or(0);
        Ok(Answer {
            status: u16::try_from(status)?,
            head,
            body,
        })
    }
}

impl<'a> Answer<'a> {
    /// The answer itself when it has this status; otherwise what came instead.
    pub fn expect(self, status: u16) -> Result<Self, Failed> {
        if self.status == status {
            return Ok(self);
        }
        let shown = &self.body[..self.body.len().min(400)];
        let shown = String::from_utf8_lossy(shown);
        Err(format!("status {} in place of {status}: {shown}", self.status).into())
    }

    /// Every value of a header.
    pub fn headers(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        lines(self.head).filter_map(move |line| std::str::from_utf8(value(line, name)?).ok())
    }

    /// Where a redirect leads.
    pub fn location(&self) -> Result<&'a str, Failed> {
        let found = self.headers("location").next();
        found.ok_or_else(|| "a redirect without Location".into())
    }
}

fn end_of_head(read: &[u8]) -> Option<usize> {
    let at = read.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn content_length(head: &[u8]) -> Result<usize, Failed> {
    lines(head)
        .find_map(|line| number(value(line, "content-length")?))
        .ok_or_else(|| "an answer without Content-Length".into())
}

/// The value of a line when it is this header, whose name may be written in any case.
fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let rest = rest.strip_prefix(b": ")?;
    found.eq_ignore_ascii_case(name.as_bytes()).then_some(rest)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
