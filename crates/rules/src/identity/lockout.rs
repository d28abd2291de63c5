//! The arithmetic of wrong guesses.
//!
//! An attempt is *reserved* in its pool before anything is verified, so that a thousand parallel
//! guesses cannot all slip in under the limit; a success sets the pool back to zero. Only credential
//! failures count: a storage error, a refused consent or a malformed form gives its reservation back.
//!
//! Unknown browsers share one pool per person, so a guesser meets a growing block. A browser that
//! signed this person in before has a pool of its own, and a passkey needs none, so the guesser
//! cannot lock the person out (OWASP ASVS 5.0, 6.1.1).
//!
//! Rules met: PSD2 RTS Art. 4(3)(b) (a block after at most 5 failures in a row) and NIST
//! SP 800-63B-4 §3.2.2 (waits of 30 s to 1 h; an authenticator ends after 100 failures in a row).

use std::time::Duration;

use super::assurance::Method;
use crate::time::Timestamp;

/// The failure in a row, in one pool, that brings the first block.
pub const POOL_LIMIT: u32 = 5;

/// How long the first block lasts; each further failure doubles it.
pub const FIRST_BLOCK: Duration = Duration::from_secs(30);

/// No block lasts longer than this.
pub const LONGEST_BLOCK: Duration = Duration::from_hours(1);

/// As many failures in a row, counted over all pools, end the password itself.
pub const PASSWORD_LIMIT: u32 = 100;

/// Where an attempt is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pool {
    /// The one pool of all browsers that this person has not signed in from.
    Shared,
    /// The pool of one browser that signed this person in before.
    Device,
}

impl Pool {
    /// The pool in which an attempt with `method` counts; `None` when it counts in none, because a
    /// signature by a passkey cannot be guessed.
    ///
    /// `known_device`: the browser showed a valid device cookie *of this person*.
    ///
    /// A security key goes with a typed password, so it counts like one; so does the code or key that
    /// goes with a provider that is not believed. One that is believed signs what it says.
    #[must_use]
    pub fn of(method: Method, known_device: bool) -> Option<Self> {
        match method {
            Method::Passkey { .. } | Method::Upstream { two_factors: true } => None,
            Method::Password
            | Method::Totp
            | Method::Recovery
            | Method::SecurityKey
            | Method::Upstream { two_factors: false } => Some(if known_device {
                Self::Device
            } else {
                Self::Shared
            }),
        }
    }
}

/// How long a pool stays blocked after its `failures`th failure in a row, counted from that
/// failure; `None` while it is still open.
#[must_use]
pub fn block_after(failures: u32) -> Option<Duration> {
    let doublings = failures.checked_sub(POOL_LIMIT)?;
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    Some(FIRST_BLOCK.saturating_mul(factor).min(LONGEST_BLOCK))
}

/// How long a pool is still blocked at `now`, when its `failures`th failure in a row was at `last`;
/// `None` when an attempt may be made.
#[must_use]
pub fn still_blocked(failures: u32, last: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = block_after(failures)?.saturating_sub(now.since(last));
    (!left.is_zero()).then_some(left)
}

/// Whether so many failures in a row, over all pools and without a success between, end the
/// password: it then opens nothing until the person binds a new one.
#[must_use]
pub fn ends_password(consecutive: u32) -> bool {
    consecutive >= PASSWORD_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_blocks_and_each_further_one_doubles_the_block_up_to_an_hour() {
        let table = [
            (0, None),
            (1, None),
            (4, None),
            (5, Some(30)),
            (6, Some(60)),
            (7, Some(120)),
            (8, Some(240)),
            (9, Some(480)),
            (10, Some(960)),
            (11, Some(1920)),
            (12, Some(3600)),
            (13, Some(3600)),
            (36, Some(3600)),
            (37, Some(3600)),
            (u32::MAX, Some(3600)),
        ];
        for (failures, seconds) in table {
            assert_eq!(
                block_after(failures),
                seconds.map(Duration::from_secs),
                "after {failures} failures"
            );
        }
    }

    #[test]
    fn a_block_runs_out() {
        let last = Timestamp::from_secs(1000);
        let at = |secs| still_blocked(5, last, Timestamp::from_secs(secs));
        assert_eq!(at(1000), Some(Duration::from_secs(30)));
        assert_eq!(at(1029), Some(Duration::from_secs(1)));
        assert_eq!(at(1030), None);
        assert_eq!(still_blocked(4, last, last), None);
    }

    #[test]
    fn a_clock_that_steps_back_shortens_no_block() {
        let last = Timestamp::from_secs(1000);
        let earlier = Timestamp::from_secs(900);
        assert_eq!(still_blocked(5, last, earlier), Some(FIRST_BLOCK));
    }

    #[test]
    fn a_hundred_failures_in_a_row_end_a_password() {
        for (consecutive, ends) in [(0, false), (99, false), (100, true), (101, true)] {
            assert_eq!(ends_password(consecutive), ends, "{consecutive} failures");
        }
    }

    #[test]
    fn a_passkey_is_in_no_pool_and_a_known_device_has_its_own() {
        for user_verified in [false, true] {
            for known in [false, true] {
                let passkey = Method::Passkey {
                    user_verified,
                    synced: known,
                };
                assert_eq!(Pool::of(passkey, known), None);
            }
        }
        for method in [
            Method::Password,
            Method::Totp,
            Method::Recovery,
            Method::SecurityKey,
        ] {
            assert_eq!(Pool::of(method, false), Some(Pool::Shared));
            assert_eq!(Pool::of(method, true), Some(Pool::Device));
        }
    }
}
