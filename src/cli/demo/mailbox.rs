//! The mailbox of the demo's people: a mail server on loopback that takes what the authorization server
//! sends, as much of RFC 5321 as that needs, and keeps it in memory for the phone's page.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite,
    AsyncWriteExt as _, BufStream,
};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::received::Received;

/// The most that a mail may hold, in bytes.
const MAIL_LIMIT: usize = 64 * 1024;
/// The most that a line may hold, in bytes; RFC 5321 §4.5.3.1.6 asks for 1000.
const LINE_LIMIT: u64 = 4 * 1024;
/// How many mails are kept.
const KEPT: usize = 50;
/// For how many people one mail may be; RFC 5321 §4.5.3.1.8 asks for 100.
const MOST_RECIPIENTS: usize = 100;
/// How long a conversation may take.
const CONVERSATION: Duration = Duration::from_secs(30);
/// How many conversations there may be at once; others wait.
const AT_ONCE: usize = 16;
/// How long to wait when the system has no connection to give.
const PAUSE: Duration = Duration::from_secs(1);

/// The mails that came, the last of them.
#[derive(Default)]
pub struct Mailbox(Mutex<VecDeque<Received>>);

impl Mailbox {
    /// Begins to take mail, on a port of 127.0.0.1 that the system chooses, and says which.
    ///
    /// # Errors
    /// A sentence that says why no mail can be taken.
    pub async fn open() -> Result<(Arc<Self>, u16), String> {
        let unusable = |error: io::Error| format!("the demo's mailbox cannot be opened: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(unusable)?;
        let port = listener.local_addr().map_err(unusable)?.port();
        let mailbox = Arc::new(Self::default());
        tokio::spawn(take_in(Arc::clone(&mailbox), listener));
        Ok((mailbox, port))
    }

    /// What came, the newest first.
    #[must_use]
    pub fn newest_first(&self) -> Vec<Received> {
        let mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.iter().cloned().collect()
    }

    fn keep(&self, mail: Received) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push_front(mail);
        mails.truncate(KEPT);
    }
}

async fn take_in(mailbox: Arc<Mailbox>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let mailbox = Arc::clone(&mailbox);
        tokio::spawn(async move {
            // Whoever breaks off has handed nothing over, and tries again.
            let _ = timeout(CONVERSATION, converse(stream, &mailbox)).await;
            drop(place);
        });
    }
}

/// One conversation (RFC 5321 §3).
async fn converse<S>(stream: S, mailbox: &Mailbox) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufStream::new(stream);
    let (mut begun, mut to) = (false, Vec::new());
    say(&mut stream, "220 mailbox.demo ESMTP").await?;
    while let Some(line) = line(&mut stream).await? {
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" | "HELO" | "RSET" => {
                (begun, to) = (false, Vec::new());
                match verb.as_str() {
                    "EHLO" => "250-mailbox.demo\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 65536",
                    _ => "250 mailbox.demo",
                }
            }
            "MAIL" if begun => "503 5.5.1 one mail after the other",
            "MAIL" => match address(rest, "FROM:") {
                Some(_) => {
                    begun = true;
                    "250 2.1.0 go on"
                }
                None => "501 5.5.4 MAIL FROM:<address>",
            },
            "RCPT" if !begun => "503 5.5.1 MAIL comes first",
            "RCPT" if to.len() >= MOST_RECIPIENTS => "452 4.5.3 too many people",
            "RCPT" => match address(rest, "TO:").filter(|address| !address.is_empty()) {
                Some(address) => {
                    to.push(address.to_owned());
                    "250 2.1.5 go on"
                }
                None => "501 5.5.4 RCPT TO:<address>",
            },
            "DATA" if to.is_empty() => "503 5.5.1 RCPT comes first",
            "DATA" => {
                say(&mut stream, "354 end with a full stop").await?;
                let Some(mail) = data(&mut stream).await? else {
                    return Ok(());
                };
                begun = false;
                let to = std::mem::take(&mut to).join(", ");
                match mail {
                    Ok(raw) => {
                        mailbox.keep(Received::read(to, &raw));
                        "250 2.0.0 taken"
                    }
                    Err(TooLong) => "552 5.3.4 more than 64 KiB",
                }
            }
            "NOOP" => "250 2.0.0 still here",
            "QUIT" => return say(&mut stream, "221 2.0.0 bye").await,
            _ => "502 5.5.1 not here",
        };
        say(&mut stream, reply).await?;
    }
    Ok(())
}

/// The address in `FROM:<…>` or `TO:<…>`; a sender may be empty. What follows it does not matter here.
fn address<'l>(line: &'l str, keyword: &str) -> Option<&'l str> {
    let (named, rest) = line.split_at_checked(keyword.len())?;
    let rest = rest.trim_start().strip_prefix('<')?;
    let (address, _) = rest.split_once('>')?;
    named.eq_ignore_ascii_case(keyword).then_some(address)
}

async fn say<W: AsyncWrite + Unpin>(to: &mut W, reply: &str) -> io::Result<()> {
    to.write_all(reply.as_bytes()).await?;
    to.write_all(b"\r\n").await?;
    to.flush().await
}

/// A line with its end; none at the end of all, or when it is too long.
async fn line<R: AsyncBufRead + Unpin>(from: &mut R) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.take(LINE_LIMIT).read_until(b'\n', &mut line).await?;
    Ok(line.ends_with(b"\n").then_some(line))
}

/// It was read to its end, and thrown away.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// A mail, up to the line with a single full stop (RFC 5321 §4.5.2); none when it breaks off.
async fn data<R: AsyncBufRead + Unpin>(
    from: &mut R,
) -> io::Result<Option<Result<Vec<u8>, TooLong>>> {
    let mut mail = Ok(Vec::new());
    while let Some(line) = line(from).await? {
        if line == b".\r\n" {
            return Ok(Some(mail));
        }
        let line = line.strip_prefix(b".").unwrap_or(&line);
        if let Ok(kept) = &mut mail {
            if kept.len() + line.len() > MAIL_LIMIT {
                mail = Err(TooLong);
            } else {
                kept.extend_from_slice(line);
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says all that, and hears every first line of a reply's code.
    async fn talk(mailbox: &Mailbox, said: &str) -> Vec<String> {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let (mut reader, mut writer) = tokio::io::split(ours);
        writer.write_all(said.as_bytes()).await.unwrap();
        writer.shutdown().await.unwrap();
        converse(theirs, mailbox).await.unwrap();
        let mut heard = String::new();
        reader.read_to_string(&mut heard).await.unwrap();
        let last = heard.lines().filter(|line| line.get(3..4) == Some(" "));
        last.map(|line| line[..3].to_owned()).collect()
    }

    #[tokio::test]
    async fn a_mail_is_taken_and_kept() {
        let mailbox = Mailbox::default();
        let said = "EHLO localhost\r\nmail from:<no-reply@bank.example> BODY=8BITMIME\r\n\
                    RCPT TO:<ada@people.example>\r\nDATA\r\nSubject: Hello\r\n\r\n..dot\r\n.\r\nNOOP\r\nQUIT\r\n";
        let codes = talk(&mailbox, said).await;
        assert_eq!(
            codes,
            ["220", "250", "250", "250", "354", "250", "250", "221"]
        );
        let mails = mailbox.newest_first();
        assert_eq!(mails.len(), 1);
        assert_eq!(
            (mails[0].to.as_str(), mails[0].subject.as_str()),
            ("ada@people.example", "Hello")
        );
        assert_eq!(mails[0].text, ".dot\n");
    }

    #[tokio::test]
    async fn steps_out_of_turn_are_refused() {
        let mailbox = Mailbox::default();
        let said = "DATA\r\nRCPT TO:<a@b.example>\r\nMAIL TO:<>\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n\
                    RCPT TO:<>\r\nRCPT TO:<a@b.example>\r\nRSET\r\nDATA\r\nSTARTTLS\r\n\r\n";
        let codes = talk(&mailbox, said).await;
        assert_eq!(
            codes,
            [
                "220", "503", "503", "501", "250", "503", "501", "250", "250", "503", "502", "502"
            ]
        );
        assert!(mailbox.newest_first().is_empty());
    }

    #[tokio::test]
    async fn nobody_fills_the_memory() {
        let mailbox = Mailbox::default();
        let begin = "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n";
        let long = "x".repeat(990) + "\r\n";
        let said = format!("{begin}{}.\r\nQUIT\r\n", long.repeat(100));
        let codes = talk(&mailbox, &said).await;
        assert_eq!(codes[4..], ["552", "221"]);
        let endless = "x".repeat(100_000);
        assert_eq!(talk(&mailbox, &endless).await, ["220"]);
        // A mail that breaks off is none.
        talk(&mailbox, &format!("{begin}Subject: half\r\n")).await;
        assert!(mailbox.newest_first().is_empty());
        for n in 0..KEPT + 5 {
            talk(&mailbox, &format!("{begin}Subject: {n}\r\n.\r\n")).await;
        }
        let kept = mailbox.newest_first();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept[0].subject, (KEPT + 4).to_string());
    }
}
