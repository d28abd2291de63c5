//! Refresh tokens: `family ‖ generation ‖ HMAC(family secret, generation)`. Public clients rotate
//! (RFC 9700 §2.2.2); clients that authenticate do not, because their token is bound to them.

use std::time::Duration;

use super::proof::Confirmation;
use crate::time::Timestamp;

/// How long the token before the current one still gets the same successor: long enough for a
/// retry after a lost answer.
pub const RETRY_WINDOW: Duration = Duration::from_secs(30);

/// A family, as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The generation that is current.
    pub generation: i64,
    /// When the current generation was first handed out by a rotation.
    pub rotated_at: Option<Timestamp>,
    /// The absolute end.
    pub expires_at: Timestamp,
    /// Whether this client's tokens rotate.
    pub rotates: bool,
    /// What its tokens are bound to: the tokens of clients that authenticate are bound to the
    /// client and to nothing here (RFC 9449 §5, RFC 8705 §4).
    pub confirmation: Option<Confirmation>,
}

/// What a presented, authentic token of the family means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It stays as it is.
    Keep,
    /// It is the current one: the next generation takes its place.
    Rotate,
    /// Its answer was lost and is being asked for again: the same successor once more.
    Repeat,
    /// Somebody holds a token that was replaced: everything ends.
    Reused,
    /// The family's time is over.
    Expired,
}

/// Judges generation `presented`.
#[must_use]
pub fn judge(family: &Family, presented: i64, now: Timestamp) -> Judgement {
    if now >= family.expires_at {
        return Judgement::Expired;
    }
    if presented == family.generation {
        return if family.rotates {
            Judgement::Rotate
        } else {
            Judgement::Keep
        };
    }
    let retry = presented.checked_add(1) == Some(family.generation)
        && family
            .rotated_at
            .is_some_and(|at| now < at.plus(RETRY_WINDOW));
    if retry {
        Judgement::Repeat
    } else {
        Judgement::Reused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(generation: i64) -> Family {
        Family {
            generation,
            rotated_at: Some(Timestamp::from_secs(100)),
            expires_at: Timestamp::from_secs(1000),
            rotates: true,
            confirmation: None,
        }
    }

    #[test]
    fn the_current_one_rotates_and_the_last_repeats_for_thirty_seconds() {
        let now = Timestamp::from_secs(129);
        assert_eq!(judge(&family(5), 5, now), Judgement::Rotate);
        assert_eq!(judge(&family(5), 4, now), Judgement::Repeat);
        assert_eq!(
            judge(&family(5), 4, Timestamp::from_secs(130)),
            Judgement::Reused
        );
    }

    #[test]
    fn older_and_impossible_ones_are_reuse() {
        for presented in [0, 3, 6, i64::MAX, i64::MIN] {
            assert_eq!(
                judge(&family(5), presented, Timestamp::from_secs(101)),
                Judgement::Reused
            );
        }
    }

    #[test]
    fn the_end_is_absolute() {
        assert_eq!(
            judge(&family(5), 5, Timestamp::from_secs(1000)),
            Judgement::Expired
        );
    }
}
