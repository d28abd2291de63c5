//! How long a signed-in browser stays signed in (NIST SP 800-63B-4 §2.2.3 and §5.2; PSD2 RTS
//! Art. 4(3)(d) asks for five idle minutes where accounts are shown).

use std::time::Duration;

use crate::time::Timestamp;

/// Whether a session may still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Liveness {
    /// It may.
    Live,
    /// Nobody used it for the idle limit.
    Idle,
    /// It reached the absolute limit, however busy it was.
    Expired,
}

impl Liveness {
    /// Whether the session may still be used.
    #[must_use]
    pub fn is_live(self) -> bool {
        self == Self::Live
    }
}

/// Whether a session that was `created` and `last_seen` then has ended by `now`.
///
/// A limit that is exactly reached ends the session, so a limit of zero never lets one live. When
/// both limits are reached the absolute one is named, because no activity could have helped.
pub fn end_of(
    now: Timestamp,
    last_seen: Timestamp,
    created: Timestamp,
    idle: Duration,
    absolute: Duration,
) -> Liveness {
    if now.since(created) >= absolute {
        Liveness::Expired
    } else if now.since(last_seen) >= idle {
        Liveness::Idle
    } else {
        Liveness::Live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_mins(30);
    const ABSOLUTE: Duration = Duration::from_hours(12);

    fn minute(n: i64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + n * 60)
    }

    #[test]
    fn a_session_lives_until_one_of_its_limits_is_reached() {
        let cases = [
            (0, 0, Liveness::Live),
            (29, 0, Liveness::Live),
            (30, 0, Liveness::Idle),
            (719, 700, Liveness::Live),
            (720, 719, Liveness::Expired),
            (800, 0, Liveness::Expired),
        ];
        for (now, seen, expected) in cases {
            assert_eq!(
                end_of(minute(now), minute(seen), minute(0), IDLE, ABSOLUTE),
                expected,
                "at minute {now}, last seen at {seen}"
            );
        }
    }

    #[test]
    fn a_limit_of_zero_lets_no_session_live() {
        let at = minute(0);
        assert_eq!(end_of(at, at, at, Duration::ZERO, ABSOLUTE), Liveness::Idle);
        assert!(!end_of(at, at, at, IDLE, Duration::ZERO).is_live());
    }

    #[test]
    fn a_clock_that_steps_back_ends_no_session() {
        assert!(end_of(minute(0), minute(1), minute(1), IDLE, ABSOLUTE).is_live());
    }
}
