//! Mail: how a letter is handed to the institution's own mail server, and what is written in it.
//! The server is the one that the operator named, so nothing of what people write decides where this
//! program connects to. Mail is never a factor: what is told may be read by others.

mod letter;
mod notice;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport as _, Tokio1Executor};
use rules::time::Timestamp;

use crate::config::{Mail, MailSecurity};

pub use letter::{Letter, NotALetter};
pub use notice::{Facts, Notice, compose, may_tell, tells, test_notice};

/// How long a mail is tried: after that nobody is told.
pub const TRIED_FOR: Duration = Duration::from_hours(72);

/// The first wait between two tries; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_mins(1);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// How long a server that cannot be reached is left alone.
const REST: Duration = Duration::from_secs(15);

/// How many conversations in a row break off before the server is left alone, too.
const BROKEN: u32 = 3;

/// Replies that are about this server and not about the person (RFC 4954 §6).
const ABOUT_US: [u16; 4] = [530, 534, 535, 538];

/// Replies that are about the person, when their enhanced code is one of [`NOBODY`].
const ABOUT_HER: [u16; 3] = [550, 551, 553];

/// That there is no such mailbox, and will be none (RFC 3463 §3.2, §3.3, RFC 7505 §4.2). The others of their
/// kind are about the sender.
const NOBODY: [&str; 7] = [
    "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1",
];

/// What hands letters over.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    settings: Mail,
    domain: String,
    rests_until: AtomicI64,
    broken: AtomicU32,
}

/// Why a letter was not handed over. None of it names a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// There is nobody at the address, and would not be the next time.
    Refused(String),
    /// The server does not take it now.
    NotNow(String),
    /// The conversation broke off in the midst: it may be the server, it may be this letter.
    Broken(String),
    /// The server is not there, or does not let us in: no letter would be taken.
    Unreachable(String),
}

impl std::fmt::Display for Unsent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) | Self::NotNow(why) | Self::Broken(why) | Self::Unreachable(why) => {
                f.write_str(why)
            }
        }
    }
}

impl Mailer {
    /// Reads what is set; nothing is connected to. `domain` is the issuer's host.
    ///
    /// # Errors
    /// A sentence that names the setting and the remedy.
    pub fn open(settings: &Mail, domain: &str) -> Result<Self, String> {
        let host = settings.host.as_str();
        let tls = match settings.security {
            MailSecurity::None => Tls::None,
            MailSecurity::Starttls => Tls::Required(parameters(settings)?),
            MailSecurity::Tls => Tls::Wrapper(parameters(settings)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(settings.timeout))
            .hello_name(ClientId::Domain(domain.to_owned()));
        if let Some((name, password)) = &settings.credentials {
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(name.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            settings: settings.clone(),
            domain: domain.to_owned(),
            rests_until: AtomicI64::new(0),
            broken: AtomicU32::new(0),
        })
    }

    /// Whether it is worth trying now: not while a server that was not there is left alone.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        now.millis() >= self.rests_until.load(Ordering::Relaxed)
    }

    /// Hands a letter over. A server that is not there is left alone for a while, and so is one that
    /// breaks off with one letter after the other.
    ///
    /// # Errors
    /// [`Unsent`].
    pub async fn send(&self, letter: &Letter, now: Timestamp) -> Result<(), Unsent> {
        let sent = self.send_alone(letter).await;
        let rests = match &sent {
            Err(Unsent::Broken(_)) => {
                self.broken
                    .fetch_add(1, Ordering::Relaxed)
                    .saturating_add(1)
                    >= BROKEN
            }
            sent => {
                self.broken.store(0, Ordering::Relaxed);
                matches!(sent, Err(Unsent::Unreachable(_)))
            }
        };
        if rests {
            let until = now.plus(REST).millis();
            self.rests_until.store(until, Ordering::Relaxed);
        }
        sent
    }

    /// Hands a letter over; what comes of it says nothing about others.
    ///
    /// # Errors
    /// [`Unsent`].
    pub async fn send_alone(&self, letter: &Letter) -> Result<(), Unsent> {
        let message = letter
            .message(&self.settings.from, &self.domain)
            .map_err(|error| Unsent::Refused(error.to_string()))?;
        let sent = tokio::time::timeout(self.settings.timeout, self.transport.send(message)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err(Unsent::Broken(format!(
                "no answer within {} s",
                self.settings.timeout.as_secs()
            ))),
        }
    }
}

/// When to try again after the `attempts`th try failed; never once a mail is too old.
#[must_use]
pub fn next_try(attempts: u32, created: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let factor = 2_u32.saturating_pow(attempts.saturating_sub(1));
    let at = now.plus(FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT));
    (at <= created.plus(TRIED_FOR)).then_some(at)
}

fn parameters(settings: &Mail) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let shown = path.display();
        let pem = std::fs::read(path)
            .map_err(|error| format!("mail.ca_file: {shown} cannot be read: {error}"))?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|_| format!("mail.ca_file: {shown} holds no certificate in PEM"))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder
        .build()
        .map_err(|error| format!("mail.security: TLS cannot be set up: {error}"))
}

/// What went wrong, without anything that the server wrote: it may repeat the address.
fn explain(error: &Error) -> Unsent {
    use std::error::Error as _;
    if let Some(code) = error.status() {
        let code = u16::from(code);
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        return judge(code, &text);
    }
    let text = error.to_string();
    if error.is_client() && text.contains("SMTPUTF8") {
        let why = "the mail server takes no such address (SMTPUTF8, RFC 6531)";
        return Unsent::Refused(why.to_owned());
    }
    if error.is_response() {
        return Unsent::Broken("the mail server did not answer by SMTP".to_owned());
    }
    let why = if error.is_timeout() {
        "the mail server did not answer in time".to_owned()
    } else {
        format!("the mail server cannot be used: {text}")
    };
    // Before there is a conversation it is the server.
    if error.is_tls() || error.is_client() || text.starts_with("Connection error") {
        Unsent::Unreachable(why)
    } else {
        Unsent::Broken(why)
    }
}

/// What a reply means (RFC 5321 §4.2, RFC 3463): only that there is no such mailbox is final. Whatever else
/// is refused for good may be a setting that somebody mends within the days that a mail is tried.
fn judge(code: u16, text: &str) -> Unsent {
    let enhanced = text.split_whitespace().next().unwrap_or_default();
    if ABOUT_HER.contains(&code) && NOBODY.contains(&enhanced) {
        return Unsent::Refused(format!("the mail server answered {code} {enhanced}"));
    }
    let why = format!("the mail server answered {code}");
    if ABOUT_US.contains(&code) {
        Unsent::Unreachable(why)
    } else {
        Unsent::NotNow(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_end_after_three_days() {
        let start = Timestamp::from_secs(1_000_000);
        let (mut now, mut attempts) = (start, 1);
        while let Some(next) = next_try(attempts, start, now) {
            assert!(next.since(now) <= LONGEST_WAIT && next.since(now) >= FIRST_WAIT);
            now = next;
            attempts += 1;
        }
        assert!(now.since(start) > TRIED_FOR.saturating_sub(LONGEST_WAIT));
        assert!(attempts < 100);
    }

    #[test]
    fn only_that_there_is_nobody_is_final() {
        for (code, text) in [
            (550, "5.1.1 <x@y> unknown"),
            (553, "5.1.3 no"),
            (550, "5.2.1 off"),
        ] {
            let why = judge(code, text);
            assert!(matches!(&why, Unsent::Refused(_)), "{code} {text}: {why}");
            assert!(!why.to_string().contains('<'), "{why}");
        }
        for (code, text) in [
            (550, "no"),
            (550, "5.7.1 relaying denied"),
            (550, "5.1.8 bad sender"),
            (552, "5.2.2 full"),
            (554, "5.1.1 of another kind"),
            (451, "4.3.0 later"),
            (550, ""),
        ] {
            assert!(
                matches!(judge(code, text), Unsent::NotNow(_)),
                "{code} {text}"
            );
        }
        assert!(matches!(judge(535, "5.7.8 no"), Unsent::Unreachable(_)));
    }
}
