//! A lean HTTP/1.1 client that says exactly what became of a request: an answer, or none.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is kept, and made anew when it ended.
pub struct Wire {
    to: SocketAddr,
    stream: Option<TcpStream>,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Got {
    /// The status.
    pub status: u16,
    /// The lines before the body.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Got {
    /// A header's value, empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().skip(1).filter_map(|l| l.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code in the redirect; empty when there is none.
    pub fn code(&self) -> String {
        let location = self.header("location");
        let query = location.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "code")
            .map(|(_, code)| code.into_owned())
            .unwrap_or_default()
    }

    fn closes(&self) -> bool {
        self.header("connection").eq_ignore_ascii_case("close")
    }
}

/// A request's bytes.
pub fn request(
    method: &str,
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if method == "POST" {
        text.push_str("content-type: application/x-www-form-urlencoded\r\n");
        write!(text, "content-length: {}\r\n", body.len()).unwrap();
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// A form's text.
pub fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

impl Wire {
    /// To a node; nothing is connected yet.
    pub fn new(to: SocketAddr) -> Self {
        Self { to, stream: None }
    }

    /// Sends a request and waits for its answer. An error says that what became of it is unknown.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Got> {
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(self.to).await?;
            stream.set_nodelay(true)?;
            stream
        };
        stream.write_all(request).await?;
        let got = read(&mut stream).await?;
        if !got.closes() {
            self.stream = Some(stream);
        }
        Ok(got)
    }

    /// Whether the next request goes over a connection that was used before.
    pub fn is_kept(&self) -> bool {
        self.stream.is_some()
    }
}

/// Reads one answer.
pub async fn read(stream: &mut TcpStream) -> io::Result<Got> {
    let (head, mut body) = read_head(stream).await?.ok_or_else(ended)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status: u16 = status.ok_or_else(|| io::Error::other(format!("no answer: {head}")))?;
    let mut got = Got {
        status,
        head,
        body: Vec::new(),
    };
    let length = got.header("content-length").parse::<usize>();
    if status == 204 || status == 304 {
        return Ok(got);
    }
    match length {
        Ok(length) => {
            while body.len() < length {
                if stream.read_buf(&mut body).await? == 0 {
                    return Err(ended());
                }
            }
            body.truncate(length);
        }
        Err(_) if got.header("transfer-encoding") == "chunked" => {
            body = chunks(stream, body).await?;
        }
        Err(_) => {
            return Err(io::Error::other(format!("no length: {}", got.head)));
        }
    }
    got.body = body;
    Ok(got)
}

/// The head of a message and what came after it; nothing when the peer ended before one began.
pub async fn read_head(stream: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::with_capacity(2048);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            bytes.truncate(end + 2);
            let head = String::from_utf8(bytes).map_err(io::Error::other)?;
            return Ok(Some((head, body)));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return if bytes.is_empty() {
                Ok(None)
            } else {
                Err(ended())
            };
        }
    }
}

/// Everything of a chunked body, put together.
async fn chunks(stream: &mut TcpStream, mut raw: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = loop {
            if let Some(end) = raw.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            if stream.read_buf(&mut raw).await? == 0 {
                return Err(ended());
            }
        };
        let size = std::str::from_utf8(&raw[..line]).map_err(io::Error::other)?;
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        while raw.len() < line + 4 + size {
            if stream.read_buf(&mut raw).await? == 0 {
                return Err(ended());
            }
        }
        body.extend_from_slice(&raw[line + 2..line + 2 + size]);
        raw.drain(..line + 4 + size);
        if size == 0 {
            return Ok(body);
        }
    }
}

fn ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the connection ended before the answer did",
    )
}
