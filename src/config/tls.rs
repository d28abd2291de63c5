//! `[tls]`: the listener's certificate and key.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::file::refuse;
use super::{Issuer, Refused};

/// `[tls]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct TlsFile {
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub minimum_version: String,
    pub redirect_listen: Option<String>,
}

impl Default for TlsFile {
    fn default() -> Self {
        Self {
            certificate_file: None,
            key_file: None,
            minimum_version: "1.2".to_owned(),
            redirect_listen: None,
        }
    }
}

/// How the listener speaks TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The section of the file that says so.
    pub section: &'static str,
    /// The server's certificate and what certifies it, in PEM, the server's first.
    pub certificate_file: PathBuf,
    /// Its private key, in PEM, not encrypted.
    pub key_file: PathBuf,
    /// Whether TLS 1.2 is spoken beside TLS 1.3.
    pub tls12: bool,
    /// Where plain HTTP is answered with the way to https.
    pub redirect_listen: Option<SocketAddr>,
}

impl TlsFile {
    /// Demands of each setting what it needs; `None` when the listener speaks plain HTTP.
    ///
    /// # Errors
    /// [`Refused`], naming the setting.
    pub fn check(self, issuer: &Issuer) -> Result<Option<Tls>, Refused> {
        let tls12 = match self.minimum_version.as_str() {
            "1.2" => true,
            "1.3" => false,
            other => {
                return refuse(
                    "tls.minimum_version",
                    format!("{other:?} must be \"1.2\" or \"1.3\""),
                );
            }
        };
        let (certificate_file, key_file) = match (self.certificate_file, self.key_file) {
            (Some(certificate_file), Some(key_file)) => (certificate_file, key_file),
            (None, None) if self.redirect_listen.is_some() => {
                return refuse(
                    "tls.redirect_listen",
                    "leads to the TLS listener, and there is none: set tls.certificate_file and \
                     tls.key_file"
                        .to_owned(),
                );
            }
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return refuse(
                    "tls.key_file",
                    "the certificate's key is missing".to_owned(),
                );
            }
            (None, Some(_)) => {
                return refuse(
                    "tls.certificate_file",
                    "the key's certificate is missing".to_owned(),
                );
            }
        };
        if !issuer.is_secure() {
            return refuse(
                "issuer",
                format!(
                    "{} begins with http://, but the listener speaks TLS; write https://, or leave \
                     [tls] out",
                    issuer.as_str()
                ),
            );
        }
        let redirect_listen = match self.redirect_listen {
            None => None,
            Some(text) => match text.parse() {
                Ok(address) => Some(address),
                Err(_) => {
                    return refuse(
                        "tls.redirect_listen",
                        format!("{text:?} must be an address and port, such as 0.0.0.0:80"),
                    );
                }
            },
        };
        Ok(Some(Tls {
            section: "tls",
            certificate_file,
            key_file,
            tls12,
            redirect_listen,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(issuer: &str, change: impl FnOnce(&mut TlsFile)) -> Result<Option<Tls>, Refused> {
        let mut file = TlsFile {
            certificate_file: Some("/etc/tls/chain.pem".into()),
            key_file: Some("/etc/tls/key.pem".into()),
            ..TlsFile::default()
        };
        change(&mut file);
        file.check(&Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn both_files_or_neither() {
        let issuer = "https://login.bank.example";
        assert!(check(issuer, |_| {}).unwrap().is_some_and(|tls| tls.tls12));
        assert!(
            check(issuer, |file| *file = TlsFile::default())
                .unwrap()
                .is_none()
        );
        let refused = |change: fn(&mut TlsFile)| check(issuer, change).unwrap_err().setting;
        assert_eq!(refused(|file| file.key_file = None), "tls.key_file");
        assert_eq!(
            refused(|file| file.certificate_file = None),
            "tls.certificate_file"
        );
        assert_eq!(
            refused(|file| file.minimum_version = "1.1".to_owned()),
            "tls.minimum_version"
        );
        assert_eq!(
            refused(|file| file.redirect_listen = Some("80".to_owned())),
            "tls.redirect_listen"
        );
    }

    #[test]
    fn an_issuer_without_tls_contradicts_a_certificate() {
        let refused = check("http://localhost:9400", |_| {}).unwrap_err();
        assert_eq!(refused.setting, "issuer");
    }
}
