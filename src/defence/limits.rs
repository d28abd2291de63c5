//! How often who may ask. A limit has a rate from the settings and counts by address, by client, by
//! both or by token; what it counts is in a [`Table`] of fixed size.
//!
//! An IPv4 address counts alone, an IPv6 address with its /64, because whoever has one has all of
//! that; the /48 around it may ask sixteen times as often as one /64. Requests whose address is not
//! known share one allowance.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

pub use super::table::{Left, Wait};
use super::table::{Table, Tag};
use crate::config::{self, Limit, Rate};

/// How much more often than a /64 a /48 may ask.
const WIDER: u64 = 16;
/// How often one limit is logged at the most.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Those of one address.
    Address(Option<IpAddr>),
    /// Those of one client.
    Client(&'a str),
    /// Those of one client from one address.
    ClientAt(&'a str, Option<IpAddr>),
    /// Those with one token.
    Token(Uuid),
}

/// A request that is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which limit.
    pub limit: Limit,
    /// Its rate.
    pub rate: Rate,
    /// How long until one more is let through.
    pub wait: Duration,
}

impl Exceeded {
    /// The same in whole seconds: who waits so long is let through.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0)
    }
}

/// How far an allowance is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Which limit.
    pub limit: Limit,
    /// Its rate.
    pub rate: Rate,
    /// What is left of it.
    pub left: Left,
}

/// Counts requests.
pub struct Limits {
    set: config::Limits,
    table: Table,
    /// When each limit was logged last, in seconds; 0 is never.
    logged: Vec<AtomicU64>,
}

impl Limits {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new(set: &config::Limits) -> Self {
        Self {
            set: set.clone(),
            table: Table::new(set.memory),
            logged: Limit::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Counts a request, at the monotonic time `now`.
    ///
    /// # Errors
    /// [`Exceeded`] when it is one too many; it was not counted then.
    pub fn take(
        &self,
        limit: Limit,
        whose: Whose<'_>,
        now: Duration,
    ) -> Result<Option<Allowance>, Exceeded> {
        let Some(rate) = self.set.rate(limit) else {
            return Ok(None);
        };
        let exceeded = |Wait(wait)| Exceeded { limit, rate, wait };
        let tag = self.tag(limit, whose);
        let left = self.table.take(tag, rate, now).map_err(exceeded)?;
        if let Some((tag_around, wider)) = self.around(limit, whose, rate)
            && let Err(wait) = self.table.take(tag_around, wider, now)
        {
            self.table.give_back(tag, rate);
            return Err(exceeded(wait));
        }
        Ok(Some(Allowance { limit, rate, left }))
    }

    /// Whether one more would be let through.
    ///
    /// # Errors
    /// [`Exceeded`] when it would not.
    pub fn look(&self, limit: Limit, whose: Whose<'_>, now: Duration) -> Result<(), Exceeded> {
        let Some(rate) = self.set.rate(limit) else {
            return Ok(());
        };
        let exceeded = |Wait(wait)| Exceeded { limit, rate, wait };
        let tag = self.tag(limit, whose);
        self.table.look(tag, rate, now).map_err(exceeded)?;
        match self.around(limit, whose, rate) {
            Some((tag, wider)) => self.table.look(tag, wider, now).map_err(exceeded),
            None => Ok(()),
        }
    }

    /// Gives back what [`Limits::take`] counted: it was a success, and only failures count.
    pub fn give_back(&self, limit: Limit, whose: Whose<'_>) {
        let Some(rate) = self.set.rate(limit) else {
            return;
        };
        self.table.give_back(self.tag(limit, whose), rate);
        if let Some((tag, wider)) = self.around(limit, whose, rate) {
            self.table.give_back(tag, wider);
        }
    }

    /// Whether this limit is to be logged now: a flood fills no log.
    #[must_use]
    pub fn is_worth_a_line(&self, limit: Limit, now: Duration) -> bool {
        let Some(logged) = self.logged.get(limit as usize) else {
            return false;
        };
        let (now, last) = (now.as_secs().max(1), logged.load(Ordering::Relaxed));
        let due = last == 0 || now.saturating_sub(last) >= LOG_EVERY.as_secs();
        due && logged
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    fn tag(&self, limit: Limit, whose: Whose<'_>) -> Tag {
        match whose {
            Whose::Address(address) => self.table.tag((limit, 0_u8, network(address, 64))),
            Whose::Client(client) => self.table.tag((limit, 1_u8, client)),
            Whose::ClientAt(client, address) => {
                self.table.tag((limit, 2_u8, client, network(address, 64)))
            }
            Whose::Token(token) => self.table.tag((limit, 3_u8, token)),
        }
    }

    /// The wider network around an IPv6 address, with its rate.
    fn around(&self, limit: Limit, whose: Whose<'_>, rate: Rate) -> Option<(Tag, Rate)> {
        let (kind, client, address) = match whose {
            Whose::Address(address) => (4_u8, "", address),
            Whose::ClientAt(client, address) => (5_u8, client, address),
            Whose::Client(_) | Whose::Token(_) => return None,
        };
        let IpAddr::V6(_) = address?.to_canonical() else {
            return None;
        };
        let tag = self.table.tag((limit, kind, client, network(address, 48)));
        let count = rate.count.saturating_mul(WIDER);
        Some((tag, Rate { count, ..rate }))
    }
}

/// An address as a number: IPv4 whole, of IPv6 the first bits.
pub(crate) fn network(address: Option<IpAddr>, bits: u32) -> (u8, u128) {
    match address.map(|address| address.to_canonical()) {
        None => (0, 0),
        Some(IpAddr::V4(address)) => (4, u32::from(address).into()),
        Some(IpAddr::V6(address)) => (6, u128::from(address) >> (128 - bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LimitsFile;

    const NOW: Duration = Duration::from_secs(1_000_000);
    const LIMIT: Limit = Limit::AuthorizePerAddress;

    fn limits(rate: &str) -> Limits {
        Limits::new(&LimitsFile::all(rate).checked())
    }

    fn address(text: &str) -> Whose<'static> {
        Whose::Address(Some(text.parse().unwrap()))
    }

    fn how_many(limits: &Limits, whose: impl Fn(u32) -> Whose<'static>) -> u32 {
        let turned_away = (0..10_000).find(|n| limits.take(LIMIT, whose(*n), NOW).is_err());
        turned_away.unwrap_or(u32::MAX)
    }

    #[test]
    fn each_ipv4_address_counts_alone_also_when_it_is_written_as_ipv6() {
        let limits = limits("10/min");
        assert_eq!(how_many(&limits, |_| address("192.0.2.1")), 10);
        assert_eq!(how_many(&limits, |_| address("::ffff:192.0.2.1")), 0);
        assert_eq!(how_many(&limits, |_| address("192.0.2.2")), 10);
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let limits = limits("10/min");
        let rotating = |n| address(&format!("2001:db8:0:1::{n:x}"));
        assert_eq!(how_many(&limits, rotating), 10);
        assert_eq!(how_many(&limits, |_| address("2001:db8:0:2::1")), 10);
    }

    #[test]
    fn rotating_through_the_networks_of_a_site_ends_too() {
        let limits = limits("10/min");
        let rotating = |n| address(&format!("2001:db8:7:{n:x}::1"));
        assert_eq!(how_many(&limits, rotating), 160);
        assert_eq!(how_many(&limits, |_| address("2001:db8:8:1::1")), 10);
    }

    #[test]
    fn requests_without_an_address_share_one_allowance() {
        let limits = limits("10/min");
        assert_eq!(how_many(&limits, |_| Whose::Address(None)), 10);
        assert_eq!(how_many(&limits, |_| address("0.0.0.0")), 10);
    }

    #[test]
    fn limits_and_clients_do_not_mix() {
        let limits = limits("10/min");
        assert_eq!(how_many(&limits, |_| Whose::Client("a")), 10);
        assert_eq!(how_many(&limits, |_| Whose::Client("b")), 10);
        assert_eq!(how_many(&limits, |_| Whose::ClientAt("a", None)), 10);
        let other = Limit::PagesPerAddress;
        assert!(limits.take(other, Whose::Client("a"), NOW).is_ok());
    }

    #[test]
    fn off_is_off() {
        let limits = limits("off");
        assert_eq!(how_many(&limits, |_| address("192.0.2.1")), u32::MAX);
    }

    #[test]
    fn waiting_the_whole_seconds_is_enough() {
        let limits = limits("7/min");
        let whose = address("192.0.2.1");
        while limits.take(LIMIT, whose, NOW).is_ok() {}
        let exceeded = limits.take(LIMIT, whose, NOW).unwrap_err();
        assert_eq!(exceeded.seconds(), 9);
        let then = NOW + Duration::from_secs(exceeded.seconds());
        assert!(limits.take(LIMIT, whose, then).is_ok());
    }

    #[test]
    fn a_limit_is_logged_once_a_minute() {
        let limits = limits("1/min");
        let times = (0..300)
            .filter(|n| limits.is_worth_a_line(LIMIT, NOW + Duration::from_secs(*n)))
            .count();
        assert_eq!(times, 5);
    }
}
