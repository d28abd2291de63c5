//! Network addresses: which ones a server may call on behalf of somebody who only named a host, and
//! blocks of them, as an operator writes them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What is not on the public internet though it looks like IPv4 (IANA special-purpose registry,
/// RFC 6890 and its updates).
const SPECIAL_V4: [Cidr; 16] = [
    v4(0, 0, 0, 0, 8),        // this network (RFC 791 §3.2)
    v4(10, 0, 0, 0, 8),       // private (RFC 1918)
    v4(100, 64, 0, 0, 10),    // shared by carriers (RFC 6598)
    v4(127, 0, 0, 0, 8),      // loopback (RFC 1122)
    v4(169, 254, 0, 0, 16),   // link-local, with the clouds' metadata (RFC 3927)
    v4(172, 16, 0, 0, 12),    // private (RFC 1918)
    v4(192, 0, 0, 0, 24),     // protocol assignments (RFC 6890)
    v4(192, 0, 2, 0, 24),     // documentation (RFC 5737)
    v4(192, 88, 99, 0, 24),   // relays of 6to4 (RFC 7526)
    v4(192, 168, 0, 0, 16),   // private (RFC 1918)
    v4(198, 18, 0, 0, 15),    // benchmarks (RFC 2544)
    v4(198, 51, 100, 0, 24),  // documentation (RFC 5737)
    v4(203, 0, 113, 0, 24),   // documentation (RFC 5737)
    v4(224, 0, 0, 0, 4),      // multicast (RFC 5771)
    v4(240, 0, 0, 0, 4),      // reserved, and broadcast (RFC 1112)
    v4(168, 63, 129, 16, 32), // a cloud's own services, reachable from inside only
];

/// What is not on the public internet though it lies in `2000::/3`.
const SPECIAL_V6: [Cidr; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments, Teredo among them (RFC 2928)
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation (RFC 3849)
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4 wraps any IPv4 address (RFC 3056)
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation (RFC 9637)
];

/// Global unicast (RFC 4291 §2.4).
const GLOBAL_V6: Cidr = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// The well-known prefix of NAT64 (RFC 6052 §2.1): what follows is an IPv4 address.
const NAT64: Cidr = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Whether an address is one of the public internet. Everything that is not certainly so is not:
/// an IPv4 address in the clothes of IPv6 is judged as what it is.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(_) => !SPECIAL_V4.iter().any(|block| block.contains(address)),
        IpAddr::V6(_) => {
            GLOBAL_V6.contains(address) && !SPECIAL_V6.iter().any(|block| block.contains(address))
        }
    }
}

/// Whether nothing can be called there, whoever allows it: unspecified, multicast, broadcast.
#[must_use]
pub fn is_nowhere(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

/// Whether an address is this machine's own loopback.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    plain(address).is_loopback()
}

/// Whether a URL's host (as `url::Url::host_str` writes it) can only be this machine (RFC 8252 §7.3).
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether an address is link-local, where machines keep what only they may read.
#[must_use]
pub fn is_link_local(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// The address that is reached: IPv4 inside IPv6 (mapped, RFC 4291 §2.5.5.2; NAT64) taken out.
fn plain(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if NAT64.holds(IpAddr::V6(v6)) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    }
}

/// A block of addresses (RFC 4632 §3.1): `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Cidr {
    Cidr {
        network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        bits,
    }
}

const fn v6(s: [u16; 8], bits: u8) -> Cidr {
    Cidr {
        network: IpAddr::V6(Ipv6Addr::new(
            s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7],
        )),
        bits,
    }
}

impl Cidr {
    /// Whether it is every address there is.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.bits == 0
    }

    /// Whether an address lies in it; an IPv4 address inside IPv6 counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.holds(plain(address))
    }

    /// Whether an address lies in it, taken as it is written.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let differ = |width: u32, difference: u128| {
            let free = width.saturating_sub(self.bits.into());
            difference.checked_shr(free).unwrap_or(0) != 0
        };
        match (self.network, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => !differ(32, (a.to_bits() ^ b.to_bits()).into()),
            (IpAddr::V6(a), IpAddr::V6(b)) => !differ(128, a.to_bits() ^ b.to_bits()),
            _ => false,
        }
    }
}

/// What is not a block of addresses, with what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCidr(pub String);

impl fmt::Display for BadCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadCidr {}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}

impl FromStr for Cidr {
    type Err = BadCidr;

    fn from_str(text: &str) -> Result<Self, BadCidr> {
        let bad = |why: &str| BadCidr(format!("{text:?} {why}"));
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let network: IpAddr = address
            .parse()
            .map_err(|_| bad("is no address; write 10.1.2.3 or 10.0.0.0/8"))?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let bits = match bits.map(str::parse::<u8>) {
            None => width,
            Some(Ok(bits)) if bits <= width => bits,
            Some(_) => return Err(bad("has no such number of bits after the slash")),
        };
        let block = Self { network, bits };
        // 10.1.2.3/8 is more likely a slip of the pen than a wish.
        let first = match network {
            IpAddr::V4(v4) => v4.to_bits().checked_shl(bits.into()).unwrap_or(0) == 0,
            IpAddr::V6(v6) => v6.to_bits().checked_shl(bits.into()).unwrap_or(0) == 0,
        };
        if first {
            Ok(block)
        } else {
            Err(bad("is not the first address of its block"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_on_the_internet_is_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::200e",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(is_public(ip(text)), "{text}");
            assert!(!is_nowhere(ip(text)), "{text}");
        }
    }

    #[test]
    fn what_is_inside_is_not_public_however_it_is_written() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:101:101::",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip(text)), "{text}");
        }
    }

    #[test]
    fn nothing_is_called_where_nobody_is() {
        for text in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:0.0.0.0",
        ] {
            assert!(is_nowhere(ip(text)), "{text}");
        }
        for text in ["127.0.0.1", "10.0.0.1", "::1", "169.254.1.1"] {
            assert!(!is_nowhere(ip(text)), "{text}");
        }
        assert!(is_link_local(ip("::ffff:169.254.169.254")) && is_link_local(ip("fe80::1")));
        assert!(is_loopback(ip("::ffff:127.0.0.1")) && !is_loopback(ip("10.0.0.1")));
    }

    #[test]
    fn a_block_holds_its_addresses_and_no_others() {
        let block: Cidr = "10.20.0.0/14".parse().unwrap();
        for (text, inside) in [
            ("10.20.0.0", true),
            ("10.23.255.255", true),
            ("10.24.0.0", false),
            ("10.19.255.255", false),
            ("::ffff:10.21.0.1", true),
            ("fd00::1", false),
        ] {
            assert_eq!(block.contains(ip(text)), inside, "{text}");
        }
        let one: Cidr = "fd00::7".parse().unwrap();
        assert!(one.contains(ip("fd00::7")) && !one.contains(ip("fd00::8")));
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains(ip("8.8.8.8")) && !all.contains(ip("fd00::8")));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.1/8",
            "::1/64",
            "x/8",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
        for text in [
            "10.0.0.0/8",
            "10.1.2.3",
            "10.1.2.3/32",
            "::/0",
            "::1/128",
            "0.0.0.0/0",
        ] {
            assert!(text.parse::<Cidr>().is_ok(), "{text}");
        }
    }
}
