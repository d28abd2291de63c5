//! One letter, ready to be handed over: text and HTML, and headers that nobody else can write into.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use rules::time::Timestamp;
use uuid::Uuid;

use super::Notice;

/// To whom, and what.
pub struct Letter {
    /// Its identifier: the same each time it is tried, so that a mail system that gets it twice sees it.
    pub id: Uuid,
    /// When what it tells of happened.
    pub at: Timestamp,
    /// What to call the person.
    pub name: String,
    /// Where it goes.
    pub address: String,
    /// What it says.
    pub notice: Notice,
}

/// Why no letter can be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotALetter {
    /// That is no address.
    Address,
    /// It cannot be put together.
    Text,
}

impl std::fmt::Display for NotALetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Address => "the address is none",
            Self::Text => "the mail cannot be put together",
        })
    }
}

impl Letter {
    /// As it is sent.
    ///
    /// # Errors
    /// [`NotALetter`].
    pub fn message(&self, from: &Mailbox, domain: &str) -> Result<Message, NotALetter> {
        let address = address(self.address.trim()).ok_or(NotALetter::Address)?;
        let millis = u64::try_from(self.at.millis()).unwrap_or(0);
        let name = one_line(&self.name);
        let name = (!name.is_empty()).then_some(name);
        let parts =
            MultiPart::alternative_plain_html(self.notice.text.clone(), self.notice.html.clone());
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(name, address))
            .subject(one_line(&self.notice.subject))
            .message_id(Some(format!("<{}@{domain}>", self.id)))
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .header(AutoSubmitted)
            .multipart(parts)
            .map_err(|_| NotALetter::Text)
    }
}

/// An address as mail servers know it: the domain in ASCII (RFC 5890 §2.3.2.1).
fn address(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    if domain.is_ascii() {
        return text.parse().ok();
    }
    match url::Host::parse(domain).ok()? {
        url::Host::Domain(domain) => Address::new(user, domain).ok(),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    }
}

/// A program wrote it, and programs should not answer (RFC 3834 §5).
#[derive(Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A text as it may stand in a header: nothing in it ends the line, or turns what follows around (Unicode
/// Standard Annex #9).
pub(super) fn one_line(text: &str) -> String {
    let harmless = |c: char| {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            c
        }
    };
    let turns = |c: &char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = text.chars().filter(|c| !turns(c));
    let shown: String = shown.map(harmless).take(200).collect();
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str, address: &str) -> Letter {
        Letter {
            id: Uuid::from_u128(7),
            at: Timestamp::from_secs(1_800_000_000),
            name: name.to_owned(),
            address: address.to_owned(),
            notice: Notice {
                subject: "Hello\r\nBcc: evil@evil.example".to_owned(),
                text: "text".to_owned(),
                html: "<p>text</p>".to_owned(),
            },
        }
    }

    fn raw(letter: &Letter) -> String {
        let from = "Bank <no-reply@bank.example>".parse().unwrap();
        let message = letter.message(&from, "login.bank.example").unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[test]
    fn nobody_writes_a_header_with_a_name_or_a_subject() {
        let name = "Ada\r\nBcc: evil@evil.example\r\n\r\n<script>";
        let raw = raw(&letter(name, "ada@mail.example"));
        let (head, _) = raw.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"));
        assert!(
            head.contains("Message-ID: <00000000-0000-0000-0000-000000000007@login.bank.example>")
        );
    }

    #[test]
    fn a_domain_is_written_as_mail_servers_know_it() {
        let raw = raw(&letter("Ada", "ada@müller.example"));
        assert!(raw.contains("ada@xn--mller-kva.example"), "{raw}");
    }

    #[test]
    fn what_is_no_address_makes_no_letter() {
        let from: Mailbox = "Bank <no-reply@bank.example>".parse().unwrap();
        for address in [
            "",
            "ada",
            "ada@mail.example\r\nRCPT TO:<x@y>",
            "a b@c",
            "<a@b>, c@d",
        ] {
            let made = letter("Ada", address).message(&from, "x.example");
            assert_eq!(made.map(drop), Err(NotALetter::Address), "{address:?}");
        }
    }
}
