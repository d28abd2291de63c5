//! `[hook]`: the proxies in front of the institution's APIs that ask here whether a request may pass.

use std::net::IpAddr;

use rules::network::Cidr;
use serde::Deserialize;

use super::Refused;
use super::list::list;
use super::proxy::networks;

/// `[hook]`, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct HookFile {
    #[serde(deserialize_with = "list")]
    pub peers: Vec<String>,
    pub client_certificates: bool,
}

/// Who may ask.
#[derive(Clone, Debug, Default)]
pub struct Hook {
    peers: Vec<Cidr>,
    /// Whether they hand on the caller's certificate (RFC 9440), and never what a caller wrote there.
    pub client_certificates: bool,
}

impl HookFile {
    /// Demands of each setting what it needs.
    ///
    /// # Errors
    /// [`Refused`], naming the setting.
    pub fn check(self) -> Result<Hook, Refused> {
        let peers = networks("hook.peers", &self.peers)?;
        Ok(Hook {
            peers,
            client_certificates: self.client_certificates,
        })
    }
}

impl Hook {
    /// Whether an address is one of those proxies'.
    #[must_use]
    pub fn is_peer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.peers.iter().any(|net| net.holds(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_never_known_by_an_address_that_embeds_its_own() {
        let file = HookFile {
            peers: vec!["10.1.0.0/16".to_owned()],
            ..HookFile::default()
        };
        let hook = file.check().unwrap();
        for peer in ["10.1.0.7", "::ffff:10.1.0.7"] {
            assert!(hook.is_peer(peer.parse().unwrap()), "{peer}");
        }
        for stranger in ["10.2.0.1", "64:ff9b::10.1.0.7", "2002:a01:7::1"] {
            assert!(!hook.is_peer(stranger.parse().unwrap()), "{stranger}");
        }
    }
}
