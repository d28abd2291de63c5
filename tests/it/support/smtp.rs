//! A mail server on loopback: real TCP, and TLS when it has a certificate. It answers as it is told
//! and keeps what it got.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use countersign::config::{File, MailFile};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{Engine, TestServer};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It takes everything.
    Takes,
    /// To commands that begin so, with this reply.
    Answers(&'static str, &'static str),
    /// It takes a letter in, and never says so.
    HangsAfterData,
}

/// A letter that it took in.
#[derive(Clone, Debug)]
pub struct Got {
    /// The address that the envelope names.
    pub to: String,
    /// Headers and body, as they came.
    pub raw: String,
    /// Whether it came over TLS.
    pub sealed: bool,
}

impl Got {
    /// A header, unfolded; empty when it is missing.
    pub fn header(&self, name: &str) -> String {
        let (head, _) = self.raw.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let prefix = format!("{}:", name.to_lowercase());
        let found = head
            .lines()
            .find(|line| line.to_lowercase().starts_with(&prefix));
        found.map_or_else(String::new, |line| line[prefix.len()..].trim().to_owned())
    }

    /// The plain text.
    pub fn text(&self) -> String {
        self.part("text/plain")
    }

    /// The HTML.
    pub fn html(&self) -> String {
        self.part("text/html")
    }

    fn part(&self, kind: &str) -> String {
        let part = self.raw.split(kind).nth(1).unwrap_or_default();
        let (head, body) = part.split_once("\r\n\r\n").unwrap_or_default();
        let body = body.split("\r\n--").next().unwrap_or_default();
        if head.contains("quoted-printable") {
            unquoted(body)
        } else {
            assert!(!head.contains("base64"), "{head}");
            body.to_owned()
        }
    }
}

/// Undoes quoted-printable (RFC 2045 §6.7).
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        if first == b'=' {
            let digits = std::str::from_utf8(&rest[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The server.
#[derive(Clone)]
pub struct Smtp {
    /// Its port.
    pub port: u16,
    state: Arc<State>,
    running: Arc<JoinHandle<()>>,
}

struct State {
    manner: Mutex<Manner>,
    got: Mutex<Vec<Got>>,
    commands: Mutex<Vec<String>>,
    arrived: Notify,
    tls: Option<TlsAcceptor>,
}

impl Smtp {
    /// One without TLS.
    pub async fn start() -> Self {
        Self::listen(0, None).await
    }

    /// One that offers `STARTTLS` under a certificate and key in these files.
    pub async fn start_tls(certificate: &Path, key: &Path) -> Self {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let chain = CertificateDer::pem_file_iter(certificate).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
            .unwrap();
        Self::listen(0, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(port: u16, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            manner: Mutex::new(Manner::Takes),
            got: Mutex::default(),
            commands: Mutex::default(),
            arrived: Notify::new(),
            tls,
        });
        let shared = Arc::clone(&state);
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { shared.welcome(stream).await });
            }
        });
        Self {
            port,
            state,
            running: Arc::new(running),
        }
    }

    /// A countersign server that sends its mail here.
    pub async fn server(&self, engine: Engine) -> TestServer {
        TestServer::start_with(engine, |file| self.configure(file)).await
    }

    /// Settings that send mail here.
    pub fn configure(&self, file: &mut File) {
        file.mail = settings(self.port);
    }

    /// Lets it answer otherwise.
    pub fn answer(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// Nobody listens any more.
    pub async fn stop(&self) {
        self.running.abort();
        while !self.running.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    /// Everything that it took in since it was asked last.
    pub fn take(&self) -> Vec<Got> {
        std::mem::take(&mut *self.state.got.lock().unwrap())
    }

    /// Every command that it was given.
    pub fn commands(&self) -> Vec<String> {
        self.state.commands.lock().unwrap().clone()
    }

    /// Waits until a letter is in.
    pub async fn arrival(&self) {
        let waits = self.state.arrived.notified();
        tokio::time::timeout(std::time::Duration::from_secs(20), waits)
            .await
            .unwrap();
    }
}

/// Settings that send mail to a server on this port.
pub fn settings(port: u16) -> MailFile {
    MailFile {
        host: Some("localhost".to_owned()),
        port: Some(port),
        security: "none".to_owned(),
        from: Some("Test Bank <no-reply@bank.example>".to_owned()),
        timeout_seconds: 5,
        ..MailFile::default()
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl State {
    async fn welcome(&self, stream: tokio::net::TcpStream) {
        let mut plain = BufStream::new(stream);
        let _ = plain.write_all(b"220 mail.test ESMTP\r\n").await;
        let _ = plain.flush().await;
        if self.converse(&mut plain, false).await == Some(Next::Tls)
            && let Some(tls) = &self.tls
            && let Ok(sealed) = tls.accept(plain.into_inner()).await
        {
            self.converse(&mut BufStream::new(sealed), true).await;
        }
    }

    async fn converse<S: Stream>(&self, stream: &mut BufStream<S>, sealed: bool) -> Option<Next> {
        let mut to = String::new();
        loop {
            let line = line(stream).await?;
            self.commands.lock().unwrap().push(line.clone());
            let manner = *self.manner.lock().unwrap();
            let mut reply = match line.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" if self.tls.is_some() && !sealed => "250-mail.test\r\n250 STARTTLS",
                "EHLO" => "250-mail.test\r\n250 AUTH PLAIN LOGIN",
                "STARTTLS" => "220 go on",
                "AUTH" => "235 welcome",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            if let Manner::Answers(verb, other) = manner
                && line.starts_with(verb)
            {
                reply = other;
            }
            if let Some(address) = line.strip_prefix("RCPT TO:<") {
                address.split('>').next().unwrap().clone_into(&mut to);
            }
            stream.write_all(reply.as_bytes()).await.ok()?;
            stream.write_all(b"\r\n").await.ok()?;
            stream.flush().await.ok()?;
            if reply.starts_with("354") {
                let raw = data(stream).await?;
                let to = to.clone();
                self.got.lock().unwrap().push(Got { to, raw, sealed });
                self.arrived.notify_one();
                if manner == Manner::HangsAfterData {
                    std::future::pending::<()>().await;
                }
                stream.write_all(b"250 taken\r\n").await.ok()?;
                stream.flush().await.ok()?;
            }
            match line.as_str() {
                "STARTTLS" => return Some(Next::Tls),
                "QUIT" => return Some(Next::End),
                _ => {}
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Tls,
    End,
}

async fn line<S: Stream>(stream: &mut BufStream<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

/// Up to the line with a single full stop (RFC 5321 §4.5.2).
async fn data<S: Stream>(stream: &mut BufStream<S>) -> Option<String> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == ".\r\n" {
            return Some(raw);
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
