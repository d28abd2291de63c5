//! `[outbound]`: where this server may call.

use std::path::PathBuf;
use std::time::Duration;

use rules::network::Cidr;
use serde::Deserialize;

use super::Refused;
use super::file::{refuse, within};
use super::list::list;

/// `[outbound]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "each setting is explained in countersign.example.toml"
)]
pub struct OutboundFile {
    #[serde(deserialize_with = "list")]
    pub allow: Vec<String>,
    pub ca_file: Option<PathBuf>,
    pub timeout_seconds: u64,
}

impl Default for OutboundFile {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ca_file: None,
            timeout_seconds: 10,
        }
    }
}

/// Where this server may call, and how long it waits.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// What may be called besides public addresses.
    pub allow: Vec<Allowed>,
    /// Certificates of more authorities than the system trusts, PEM.
    pub ca_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
}

/// Something inside that may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// These addresses.
    Block(Cidr),
    /// This name, in lower case, at whatever address of the institution it has.
    Host(String),
}

impl OutboundFile {
    pub(super) fn check(self) -> Result<Outbound, Refused> {
        within("outbound.timeout_seconds", self.timeout_seconds, 1, 60)?;
        let allow = self.allow.iter().map(|text| allowed(text));
        Ok(Outbound {
            allow: allow.collect::<Result<_, _>>()?,
            ca_file: self.ca_file,
            timeout: Duration::from_secs(self.timeout_seconds),
        })
    }
}

fn allowed(text: &str) -> Result<Allowed, Refused> {
    let looks_like_address =
        text.contains(['/', ':']) || text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if looks_like_address {
        return match text.parse() {
            Ok(block) => Ok(Allowed::Block(block)),
            Err(error) => refuse("outbound.allow", format!("{error}")),
        };
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(Allowed::Host(text.to_ascii_lowercase()));
    }
    refuse(
        "outbound.allow",
        format!("{text:?} must be a host name, an address, or a block such as 10.0.0.0/8"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_blocks_are_told_apart() {
        assert_eq!(
            allowed("Partner.Internal"),
            Ok(Allowed::Host("partner.internal".to_owned()))
        );
        for block in ["10.0.0.0/8", "127.0.0.1", "fd00::/8", "::1"] {
            let parsed = Allowed::Block(block.parse().unwrap());
            assert_eq!(allowed(block), Ok(parsed), "{block}");
        }
        for wrong in [
            "",
            "https://x",
            "a b",
            "10.0.0",
            "x..y",
            "x:80",
            "*",
            "10.0.0.1/8",
        ] {
            assert_eq!(
                allowed(wrong).unwrap_err().setting,
                "outbound.allow",
                "{wrong}"
            );
        }
    }
}
