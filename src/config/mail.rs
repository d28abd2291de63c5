//! `[mail]`: how people are told by mail what happened in their accounts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;
use rules::network::is_loopback_host;
use serde::Deserialize;

use super::Refused;
use super::file::{refuse, within};
use crate::secret::Secret;

/// `[mail]`, as written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct MailFile {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub security: String,
    pub username: Option<String>,
    pub password: Option<String>,
    pub password_file: Option<PathBuf>,
    pub from: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub timeout_seconds: u64,
    pub invitations: bool,
}

impl Default for MailFile {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            security: "starttls".to_owned(),
            username: None,
            password: None,
            password_file: None,
            from: None,
            ca_file: None,
            timeout_seconds: 30,
            invitations: true,
        }
    }
}

impl std::fmt::Debug for MailFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may hold a password.
        f.debug_struct("MailFile")
            .field("host", &self.host)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// How the way to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte (RFC 8314 §3.3).
    Tls,
    /// TLS after `STARTTLS` (RFC 3207), or nothing at all.
    Starttls,
    /// None; for a server on this machine.
    None,
}

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is protected.
    pub security: MailSecurity,
    /// Who this server is there: name and password.
    pub credentials: Option<(String, Secret)>,
    /// The file with the password, when one has it.
    pub password_file: Option<PathBuf>,
    /// From whom mail comes.
    pub from: Mailbox,
    /// Certificates of more authorities than the system trusts, PEM.
    pub ca_file: Option<PathBuf>,
    /// How long handing one mail over may take.
    pub timeout: Duration,
    /// Whether invitations go by mail, too.
    pub invitations: bool,
}

impl MailFile {
    /// None when no mail server is named.
    pub(super) fn check(self) -> Result<Option<Mail>, Refused> {
        let host = self.host.unwrap_or_default().trim().to_owned();
        if host.is_empty() {
            if self.from.is_some() || self.username.is_some() {
                let why = "must be the name or address of the mail server".to_owned();
                return refuse("mail.host", why);
            }
            return Ok(None);
        }
        let (security, port) = match self.security.as_str() {
            "tls" => (MailSecurity::Tls, 465),
            "starttls" => (MailSecurity::Starttls, 587),
            "none" if is_loopback_host(&host) => (MailSecurity::None, 25),
            "none" => {
                let why = "none is for a mail server on this machine alone; set tls or starttls";
                return refuse("mail.security", why.to_owned());
            }
            other => {
                let why = format!("{other:?} must be tls, starttls or none");
                return refuse("mail.security", why);
            }
        };
        within("mail.timeout_seconds", self.timeout_seconds, 1, 120)?;
        let from = self.from.unwrap_or_default();
        let Ok(from) = from.parse::<Mailbox>() else {
            let why = format!("{from:?} must be an address, such as Bank <no-reply@bank.example>");
            return refuse("mail.from", why);
        };
        let password = match (self.password, &self.password_file) {
            (Some(_), Some(_)) => {
                let why = "mail.password is set too; keep one of the two".to_owned();
                return refuse("mail.password_file", why);
            }
            (Some(password), None) => Some(Secret::new(password)),
            (None, Some(path)) => Some(read_password(path)?),
            (None, None) => None,
        };
        let credentials = match (self.username, password) {
            (Some(name), Some(password)) => Some((name, password)),
            (None, None) => None,
            _ => {
                let why = "a name needs a password (mail.password or mail.password_file), and a \
                           password a name";
                return refuse("mail.username", why.to_owned());
            }
        };
        Ok(Some(Mail {
            host,
            port: self.port.unwrap_or(port),
            security,
            credentials,
            password_file: self.password_file,
            from,
            ca_file: self.ca_file,
            timeout: Duration::from_secs(self.timeout_seconds),
            invitations: self.invitations,
        }))
    }
}

/// The first line of a file.
fn read_password(path: &Path) -> Result<Secret, Refused> {
    let text = std::fs::read_to_string(path).map(Secret::new);
    match text {
        Ok(text) => Ok(Secret::new(
            text.expose().lines().next().unwrap_or_default().to_owned(),
        )),
        Err(error) => {
            let why = format!("{} cannot be read: {error}", path.display());
            refuse("mail.password_file", why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> MailFile {
        MailFile {
            host: Some("mail.bank.example".to_owned()),
            from: Some("Bank <no-reply@bank.example>".to_owned()),
            ..MailFile::default()
        }
    }

    #[test]
    fn without_protection_mail_goes_to_this_machine_alone() {
        let with = |host: &str, security: &str| {
            let mut file = file();
            file.host = Some(host.to_owned());
            file.security = security.to_owned();
            let mail = file.check().map_err(|refused| refused.setting)?;
            Ok(mail.map(|mail| (mail.security, mail.port)))
        };
        let far = "mail.bank.example";
        assert_eq!(
            with(far, "starttls"),
            Ok(Some((MailSecurity::Starttls, 587)))
        );
        assert_eq!(with(far, "tls"), Ok(Some((MailSecurity::Tls, 465))));
        assert_eq!(
            with("127.0.0.1", "none"),
            Ok(Some((MailSecurity::None, 25)))
        );
        for security in ["none", "plain", ""] {
            assert_eq!(with(far, security), Err("mail.security"), "{security:?}");
        }
    }

    #[test]
    fn without_a_server_there_is_no_mail() {
        assert!(MailFile::default().check().is_ok_and(|mail| mail.is_none()));
    }

    #[test]
    fn each_mistake_names_its_setting() {
        type Change = fn(&mut MailFile);
        let changes: [(Change, &str); 6] = [
            (|file| file.host = None, "mail.host"),
            (|file| file.from = Some("nobody".to_owned()), "mail.from"),
            (|file| file.from = None, "mail.from"),
            (|file| file.username = Some("x".to_owned()), "mail.username"),
            (|file| file.timeout_seconds = 0, "mail.timeout_seconds"),
            (
                |file| file.password_file = Some("/nowhere/at/all".into()),
                "mail.password_file",
            ),
        ];
        for (change, setting) in changes {
            let mut file = file();
            change(&mut file);
            let refused = file.check().map(drop).map_err(|refused| refused.setting);
            assert_eq!(refused, Err(setting));
        }
    }
}
