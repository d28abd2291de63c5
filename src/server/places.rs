//! How many connections each address has open. A few cheap machines must not take every place that
//! there is; the proxies that are configured speak for many and may.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::Proxy;
use crate::defence::limits::network;

/// How often it is logged at the most that an address has too many.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// Who has how many places. It holds no more than two networks for each connection.
pub(super) struct Places {
    taken: Mutex<HashMap<Net, usize>>,
    each: usize,
    proxy: Proxy,
    /// When it was logged last, in seconds; 0 is never.
    logged: AtomicU64,
}

/// An IPv4 address, or an IPv6 network and how many bits of it count.
type Net = (u32, (u8, u128));

/// Whoever has an IPv6 address has all of its /64, and often all of its /48: that may have so many times
/// as many places.
const OF_A_SITE: usize = 16;

/// A place that is taken, until it is dropped.
pub(super) struct Place(Option<(Arc<Places>, [Net; 2])>);

impl Places {
    /// `each` is how many one address may have.
    pub(super) fn new(each: usize, proxy: Proxy) -> Arc<Self> {
        Arc::new(Self {
            taken: Mutex::default(),
            each,
            proxy,
            logged: AtomicU64::new(0),
        })
    }

    /// Takes a place for a connection from an address; none when that has all it may have.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        if self.proxy.is_peer(peer) {
            return Some(Place(None));
        }
        let nets = [64, 48].map(|bits| (bits, network(Some(peer), bits)));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |net| taken.get(net).copied().unwrap_or_default();
        let [own, site] = &nets;
        if has(own) >= self.each || has(site) >= self.each.saturating_mul(OF_A_SITE) {
            return None;
        }
        for net in nets {
            *taken.entry(net).or_default() += 1;
        }
        drop(taken);
        Some(Place(Some((Arc::clone(self), nets))))
    }

    /// Whether it is to be logged at the monotonic time `now` that an address has too many.
    pub(super) fn is_worth_a_line(&self, now: Duration) -> bool {
        let (now, last) = (now.as_secs().max(1), self.logged.load(Ordering::Relaxed));
        let due = last == 0 || now.saturating_sub(last) >= LOG_EVERY.as_secs();
        due && self
            .logged
            .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((places, nets)) = &self.0 else {
            return;
        };
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for net in nets {
            if let Some(left) = taken.get_mut(net) {
                *left -= 1;
                if *left == 0 {
                    taken.remove(net);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::config::ProxyFile;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let places = Places::new(2, Proxy::default());
        let mut held: Vec<_> = (0..2)
            .map(|_| places.take(ip("192.0.2.1")).unwrap())
            .collect();
        assert!(places.take(ip("192.0.2.1")).is_none());
        assert!(places.take(ip("::ffff:192.0.2.1")).is_none());
        assert!(places.take(ip("192.0.2.2")).is_some());
        held.pop();
        assert!(places.take(ip("192.0.2.1")).is_some());
        held.clear();
        assert!(places.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_a_proxy_not_at_all() {
        let proxy = ProxyFile {
            peers: vec!["192.0.2.7".to_owned()],
            ..ProxyFile::default()
        };
        let places = Places::new(1, proxy.check().unwrap());
        let _held = places.take(ip("2001:db8::1")).unwrap();
        assert!(places.take(ip("2001:db8::2")).is_none());
        assert!(places.take(ip("2001:db8:0:1::2")).is_some());
        let many: Vec<_> = (0..100).map(|_| places.take(ip("192.0.2.7"))).collect();
        assert!(many.iter().all(Option::is_some));
    }

    #[test]
    fn a_site_of_many_networks_does_not_take_every_place() {
        let places = Places::new(2, Proxy::default());
        let from = |net: u16| places.take(ip(&format!("2001:db8:0:{net:x}::1")));
        let mut held: Vec<_> = (0..OF_A_SITE * 2)
            .map(|net| from(u16::try_from(net).unwrap()).unwrap())
            .collect();
        assert!(from(99).is_none());
        assert!(places.take(ip("2001:db8:1::1")).is_some());
        held.pop();
        held.push(from(99).unwrap());
        assert!(from(98).is_none());
        held.clear();
        assert!(places.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn one_line_a_minute_is_enough() {
        let places = Places::new(1, Proxy::default());
        let lines = (0..180).filter(|second| places.is_worth_a_line(Duration::from_secs(*second)));
        assert_eq!(lines.count(), 3);
    }
}
