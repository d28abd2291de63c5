//! Counting by the generic cell rate algorithm, in memory that never grows.
//!
//! Each key has one number: the time at which all that it used is given back. The table has a fixed
//! number of places, in sets of eight; a key's set follows from a hash under a key of this process,
//! so nobody can choose whom to meet there. When a set is full, the key that is nearest to owing
//! nothing gives way, and the newcomer takes over what that one owed, up to half of its own
//! allowance. So to be forgiven anything, somebody needs as many other addresses as the table has
//! places, each owing more than he does; and newcomers are never shut out by a flood.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::Rate;

/// Places in a set: two cache lines.
const WAYS: usize = 8;

#[derive(Clone, Copy, Default)]
struct Place {
    /// Whose it is; 0 is nobody's.
    tag: u64,
    /// When all that was used is given back, in nanoseconds.
    even_at: u64,
}

type Set = Mutex<[Place; WAYS]>;

/// What is left after a request was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many more may come at once.
    pub requests: u64,
    /// How long until nothing is owed.
    pub even_in: Duration,
}

/// How long to wait; then one more is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Duration);

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u64);

/// The table.
pub(super) struct Table {
    sets: Box<[Set]>,
    state: RandomState,
}

/// A rate in the units of the table.
#[derive(Clone, Copy)]
struct Cell {
    /// What one request costs, in nanoseconds.
    cost: u64,
    /// How much may be owed before one more.
    tolerance: u64,
}

impl Cell {
    fn of(rate: Rate) -> Self {
        let cost = (nanos(rate.window) / rate.count.max(1)).max(1);
        Self {
            cost,
            tolerance: cost.saturating_mul(rate.count.saturating_sub(1)),
        }
    }
}

impl Table {
    /// One that takes about so many bytes, whatever comes.
    pub(super) fn new(bytes: usize) -> Self {
        let sets = (bytes / size_of::<Set>()).max(64);
        // A power of two, so that the hash's low bits choose.
        let sets = 1 << sets.ilog2();
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            state: RandomState::new(),
        }
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.sets)
    }

    pub(super) fn tag(&self, whose: impl std::hash::Hash) -> Tag {
        Tag(self.state.hash_one(whose).max(1))
    }

    fn set(&self, tag: Tag) -> std::sync::MutexGuard<'_, [Place; WAYS]> {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits choose")]
        let index = tag.0 as usize & (self.sets.len() - 1);
        self.sets[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one request, unless too much is owed; what is turned away costs nothing.
    pub(super) fn take(&self, tag: Tag, rate: Rate, now: Duration) -> Result<Left, Wait> {
        let (cell, now) = (Cell::of(rate), nanos(now));
        let mut set = self.set(tag);
        let place = place(&mut set, tag, cell, now);
        let owed = place.even_at.saturating_sub(now);
        if owed > cell.tolerance {
            return Err(Wait(Duration::from_nanos(owed - cell.tolerance)));
        }
        let owed = owed + cell.cost;
        place.even_at = now + owed;
        Ok(Left {
            requests: (cell.tolerance + cell.cost - owed) / cell.cost,
            even_in: Duration::from_nanos(owed),
        })
    }

    /// Whether one more would be let through; nothing is counted.
    pub(super) fn look(&self, tag: Tag, rate: Rate, now: Duration) -> Result<(), Wait> {
        let (cell, now) = (Cell::of(rate), nanos(now));
        let set = self.set(tag);
        let known = set.iter().find(|place| place.tag == tag.0);
        let owed = known.map_or(0, |place| place.even_at.saturating_sub(now));
        if owed > cell.tolerance {
            return Err(Wait(Duration::from_nanos(owed - cell.tolerance)));
        }
        Ok(())
    }

    /// Gives one back.
    pub(super) fn give_back(&self, tag: Tag, rate: Rate) {
        let cell = Cell::of(rate);
        let mut set = self.set(tag);
        if let Some(place) = set.iter_mut().find(|place| place.tag == tag.0) {
            place.even_at = place.even_at.saturating_sub(cell.cost);
        }
    }
}

/// The key's own place, or one that it takes over.
fn place(set: &mut [Place; WAYS], tag: Tag, cell: Cell, now: u64) -> &mut Place {
    let mut chosen = 0;
    for (n, place) in set.iter().enumerate() {
        if place.tag == tag.0 {
            chosen = n;
            break;
        }
        if place.even_at < set[chosen].even_at {
            chosen = n;
        }
    }
    let place = &mut set[chosen];
    if place.tag != tag.0 {
        place.tag = tag.0;
        place.even_at = place.even_at.min(now.saturating_add(cell.tolerance / 2));
    }
    place
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        count: 10,
        window: Duration::from_mins(1),
    };
    const START: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn a_whole_allowance_may_come_at_once_and_then_its_share() {
        let table = Table::new(1 << 20);
        let tag = table.tag("somebody");
        for left in (0..10).rev() {
            assert_eq!(table.take(tag, RATE, START).unwrap().requests, left);
        }
        let Wait(wait) = table.take(tag, RATE, START).unwrap_err();
        assert_eq!(wait, Duration::from_secs(6));
        let early = START + wait.checked_sub(Duration::from_nanos(1)).unwrap();
        assert!(
            table.take(tag, RATE, early).is_err(),
            "not a moment earlier"
        );
        assert!(table.take(tag, RATE, START + wait).is_ok());
        assert!(table.take(tag, RATE, START + wait).is_err());
    }

    #[test]
    fn what_is_turned_away_costs_nothing() {
        let table = Table::new(1 << 20);
        let tag = table.tag("somebody");
        for _ in 0..1000 {
            let _ = table.take(tag, RATE, START);
        }
        let Wait(wait) = table.look(tag, RATE, START).unwrap_err();
        assert_eq!(wait, Duration::from_secs(6));
    }

    #[test]
    fn one_given_back_may_be_taken_again() {
        let table = Table::new(1 << 20);
        let tag = table.tag("somebody");
        for _ in 0..10 {
            table.take(tag, RATE, START).unwrap();
        }
        table.give_back(tag, RATE);
        assert!(table.take(tag, RATE, START).is_ok());
        assert!(table.take(tag, RATE, START).is_err());
    }

    #[test]
    fn a_clock_that_steps_back_locks_nobody_out_for_longer() {
        let table = Table::new(1 << 20);
        let tag = table.tag("somebody");
        for _ in 0..10 {
            table.take(tag, RATE, START).unwrap();
        }
        let earlier = START.checked_sub(Duration::from_secs(5)).unwrap();
        let Wait(wait) = table.take(tag, RATE, earlier).unwrap_err();
        assert_eq!(wait, Duration::from_secs(11));
    }

    #[test]
    fn ten_million_addresses_take_no_more_memory_and_forgive_nobody() {
        let table = Table::new(8 << 20);
        let bytes = table.bytes();
        assert!(bytes <= 8 << 20, "{bytes}");
        let guilty: Vec<_> = (0..100).map(|n| table.tag(("guilty", n))).collect();
        for tag in &guilty {
            while table.take(*tag, RATE, START).is_ok() {}
        }
        for n in 0..10_000_000_u32 {
            let tag = table.tag(("stranger", n));
            assert!(table.take(tag, RATE, START).is_ok(), "a newcomer is let in");
        }
        assert_eq!(table.bytes(), bytes);
        for tag in &guilty {
            assert!(
                table.take(*tag, RATE, START).is_err(),
                "nothing is forgiven"
            );
        }
    }

    #[test]
    fn whoever_comes_back_after_giving_way_owes_what_the_least_of_the_others_owe() {
        let table = Table::new(1);
        let tag = table.tag("pushed out");
        table.take(tag, RATE, START).unwrap();
        for n in 0..100_000 {
            let _ = table.take(table.tag(n), RATE, START);
        }
        let left = table.take(tag, RATE, START).unwrap();
        assert!(left.requests <= 5, "{left:?}");
        assert!(
            left.requests >= 4,
            "half of the allowance is left: {left:?}"
        );
    }
}
