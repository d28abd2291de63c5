//! `[mtls]`: client certificates (RFC 8705), by a listener of their own or from a proxy.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::file::refuse;
use super::list::list;
use super::{Issuer, Proxy, Refused, Tls};

/// `[mtls]`, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct MtlsFile {
    pub listen: Option<String>,
    pub url: Option<String>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub from_proxy: bool,
    pub authorities_file: Option<PathBuf>,
    #[serde(deserialize_with = "list")]
    pub revocation_files: Vec<PathBuf>,
}

/// How clients present certificates.
#[derive(Clone, Debug)]
pub struct Mtls {
    /// The listener that asks for them; none when a proxy hands them on.
    pub listener: Option<MtlsListener>,
    /// Where clients reach it: an origin.
    pub url: Issuer,
    /// Whether a configured proxy hands them on (RFC 9440).
    pub from_proxy: bool,
    /// Who may certify clients, PEM.
    pub authorities_file: Option<PathBuf>,
    /// What they took back: one list a file, PEM or DER.
    pub revocation_files: Vec<PathBuf>,
}

/// The listener that asks for certificates.
#[derive(Clone, Debug)]
pub struct MtlsListener {
    /// Its address.
    pub listen: SocketAddr,
    /// What it presents itself.
    pub tls: Tls,
}

impl MtlsFile {
    /// Demands of each setting what it needs; `None` when no certificate is asked for.
    ///
    /// # Errors
    /// [`Refused`], naming the setting.
    pub fn check(
        self,
        issuer: &Issuer,
        tls: Option<&Tls>,
        proxy: &Proxy,
    ) -> Result<Option<Mtls>, Refused> {
        if self.listen.is_none() && !self.from_proxy {
            let idle = self.url.is_some()
                || self.certificate_file.is_some()
                || self.key_file.is_some()
                || self.authorities_file.is_some()
                || !self.revocation_files.is_empty();
            if idle {
                return refuse(
                    "mtls.listen",
                    "nobody could present a certificate: set an address, such as 0.0.0.0:9443, or \
                     mtls.from_proxy"
                        .to_owned(),
                );
            }
            return Ok(None);
        }
        if self.from_proxy && !proxy.is_configured() {
            return refuse(
                "mtls.from_proxy",
                "no proxy is believed: name its address in proxy.peers".to_owned(),
            );
        }
        if self.authorities_file.is_none() && !self.revocation_files.is_empty() {
            return refuse(
                "mtls.revocation_files",
                "there is no authority whose lists they could be; set mtls.authorities_file"
                    .to_owned(),
            );
        }
        let listener = match &self.listen {
            None => None,
            Some(text) => Some(self.listener(text, tls)?),
        };
        let url = match (&self.url, &listener) {
            (Some(url), _) => url.clone(),
            (None, Some(listener)) => {
                let host = issuer.host();
                let host = if host.contains(':') {
                    format!("[{host}]")
                } else {
                    host.to_owned()
                };
                let port = listener.listen.port();
                let port = if port == 443 {
                    String::new()
                } else {
                    format!(":{port}")
                };
                format!("https://{host}{port}")
            }
            (None, None) => {
                return refuse(
                    "mtls.url",
                    "where do clients with certificates reach the proxy? Write it as \
                     https://mtls.bank.example"
                        .to_owned(),
                );
            }
        };
        let renamed = |refused: Refused| Refused {
            setting: "mtls.url",
            ..refused
        };
        let url = Issuer::parse(&url).map_err(renamed)?;
        // Only the same loopback as the issuer's may do without TLS, behind a proxy.
        if !url.is_secure() && (listener.is_some() || issuer.is_secure()) {
            return refuse(
                "mtls.url",
                format!("{} must begin with https://", url.as_str()),
            );
        }
        if url == *issuer && listener.is_some() {
            return refuse(
                "mtls.url",
                format!(
                    "{} is the issuer itself, whose listener asks for no certificate",
                    url.as_str()
                ),
            );
        }
        Ok(Some(Mtls {
            listener,
            url,
            from_proxy: self.from_proxy,
            authorities_file: self.authorities_file,
            revocation_files: self.revocation_files,
        }))
    }

    fn listener(&self, text: &str, tls: Option<&Tls>) -> Result<MtlsListener, Refused> {
        let Ok(listen) = text.parse::<SocketAddr>() else {
            return refuse(
                "mtls.listen",
                format!("{text:?} must be an address and port, such as 0.0.0.0:9443"),
            );
        };
        let (certificate_file, key_file) = match (&self.certificate_file, &self.key_file, tls) {
            (Some(certificate), Some(key), _) => (certificate.clone(), key.clone()),
            (None, None, Some(tls)) => (tls.certificate_file.clone(), tls.key_file.clone()),
            (Some(_), None, _) => {
                return refuse(
                    "mtls.key_file",
                    "the certificate's key is missing".to_owned(),
                );
            }
            (None, Some(_), _) => {
                return refuse(
                    "mtls.certificate_file",
                    "the key's certificate is missing".to_owned(),
                );
            }
            (None, None, None) => {
                return refuse(
                    "mtls.certificate_file",
                    "the listener needs a certificate of its own; there is none in [tls] either"
                        .to_owned(),
                );
            }
        };
        Ok(MtlsListener {
            listen,
            tls: Tls {
                section: "mtls",
                certificate_file,
                key_file,
                tls12: tls.is_none_or(|tls| tls.tls12),
                redirect_listen: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProxyFile;

    fn check(change: impl FnOnce(&mut MtlsFile)) -> Result<Option<Mtls>, Refused> {
        let mut file = MtlsFile::default();
        change(&mut file);
        let issuer = Issuer::parse("https://login.bank.example")?;
        let proxy = ProxyFile {
            peers: vec!["10.0.0.1".to_owned()],
            ..ProxyFile::default()
        };
        let tls = Tls {
            section: "tls",
            certificate_file: "/c".into(),
            key_file: "/k".into(),
            tls12: true,
            redirect_listen: None,
        };
        file.check(&issuer, Some(&tls), &proxy.check()?)
    }

    #[test]
    fn a_listener_is_enough_and_takes_certificate_and_host_of_the_other() {
        assert!(check(|_| ()).unwrap().is_none());
        let mtls = check(|file| file.listen = Some("0.0.0.0:9443".to_owned()));
        let mtls = mtls.unwrap().unwrap();
        assert_eq!(mtls.url.as_str(), "https://login.bank.example:9443");
        assert_eq!(mtls.listener.unwrap().tls.key_file, PathBuf::from("/k"));
    }

    #[test]
    fn each_mistake_names_its_setting() {
        type Spoil = fn(&mut MtlsFile);
        let cases: [(Spoil, &str); 7] = [
            (
                |file| file.authorities_file = Some("/ca".into()),
                "mtls.listen",
            ),
            (|file| file.listen = Some("9443".to_owned()), "mtls.listen"),
            (|file| file.from_proxy = true, "mtls.url"),
            (
                |file| {
                    file.from_proxy = true;
                    file.url = Some("http://mtls.bank.example".to_owned());
                },
                "mtls.url",
            ),
            (
                |file| {
                    file.listen = Some("0.0.0.0:9443".to_owned());
                    file.url = Some("https://login.bank.example".to_owned());
                },
                "mtls.url",
            ),
            (
                |file| {
                    file.listen = Some("0.0.0.0:9443".to_owned());
                    file.key_file = Some("/x".into());
                },
                "mtls.certificate_file",
            ),
            (
                |file| {
                    file.listen = Some("0.0.0.0:9443".to_owned());
                    file.revocation_files = vec!["/crl".into()];
                },
                "mtls.revocation_files",
            ),
        ];
        for (spoil, setting) in cases {
            assert_eq!(check(spoil).unwrap_err().setting, setting);
        }
    }
}
