//! `[proxy]`: who stands in front of the listener, and how it tells whom it speaks for.

use std::net::IpAddr;

use rules::network::Cidr;
use serde::Deserialize;

use super::Refused;
use super::file::refuse;
use super::list::list;

/// `[proxy]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct ProxyFile {
    #[serde(deserialize_with = "list")]
    pub peers: Vec<String>,
    pub header: String,
}

impl Default for ProxyFile {
    fn default() -> Self {
        Self {
            peers: Vec::new(),
            header: "x-forwarded-for".to_owned(),
        }
    }
}

/// Who stands in front of the listener.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    peers: Vec<Cidr>,
    /// Which header is believed, when a peer sends it.
    pub header: ForwardedBy,
}

/// How a proxy tells whom it speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Proxy {
    /// Whether an address is one of the proxies'.
    #[must_use]
    pub fn is_peer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.peers.iter().any(|net| net.holds(address))
    }

    /// Whether there is a proxy at all.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        !self.peers.is_empty()
    }
}

impl ProxyFile {
    /// Demands of each setting what it needs.
    ///
    /// # Errors
    /// [`Refused`], naming the setting.
    pub fn check(self) -> Result<Proxy, Refused> {
        let peers = networks("proxy.peers", &self.peers)?;
        let header = match self.header.as_str() {
            "x-forwarded-for" => ForwardedBy::XForwardedFor,
            "forwarded" => ForwardedBy::Forwarded,
            other => {
                return refuse(
                    "proxy.header",
                    format!("{other:?} must be x-forwarded-for or forwarded"),
                );
            }
        };
        Ok(Proxy { peers, header })
    }
}

/// Reads addresses and networks of machines that are believed.
pub(super) fn networks(setting: &'static str, texts: &[String]) -> Result<Vec<Cidr>, Refused> {
    let mut networks = Vec::with_capacity(texts.len());
    for text in texts {
        let text = text.trim();
        match text.parse::<Cidr>() {
            Ok(net) if net.is_everything() => {
                return refuse(
                    setting,
                    format!(
                        "{text} is everybody, and anybody could then claim any address; name the \
                         proxies' own addresses"
                    ),
                );
            }
            Ok(net) => networks.push(net),
            Err(error) => return refuse(setting, error.to_string()),
        }
    }
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(peers: &[&str]) -> Result<Proxy, Refused> {
        ProxyFile {
            peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
            ..ProxyFile::default()
        }
        .check()
    }

    #[test]
    fn a_peer_is_an_address_or_a_network() {
        let proxy = proxy(&["127.0.0.1", "10.1.0.0/16", "fd00::/8"]).unwrap();
        for peer in ["127.0.0.1", "10.1.255.7", "fd12::1", "::ffff:10.1.0.1"] {
            assert!(proxy.is_peer(peer.parse().unwrap()), "{peer}");
        }
        for stranger in ["127.0.0.2", "10.2.0.1", "2001:db8::1", "64:ff9b::10.1.0.1"] {
            assert!(!proxy.is_peer(stranger.parse().unwrap()), "{stranger}");
        }
    }

    #[test]
    fn nobody_may_trust_everybody() {
        for wrong in [
            "0.0.0.0/0",
            "::/0",
            "proxy.bank.example",
            "10.0.0.0/33",
            "10.0.0.7/24",
        ] {
            assert_eq!(proxy(&[wrong]).unwrap_err().setting, "proxy.peers");
        }
        let file = ProxyFile {
            header: "x-real-ip".to_owned(),
            ..ProxyFile::default()
        };
        assert_eq!(file.check().unwrap_err().setting, "proxy.header");
    }
}
