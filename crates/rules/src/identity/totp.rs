//! The one code field of the sign-in page, and the replay rule of time-based codes.

use std::fmt;

use zeroize::Zeroizing;

use super::recovery::{RecoveryCode, is_separator};

/// How many digits a time-based code has.
pub const DIGITS: usize = 6;

/// How many seconds one step lasts (RFC 6238 §5.2).
pub const STEP_SECONDS: u64 = 30;

/// How many steps before and after the present one are accepted, for clocks that drift.
pub const SKEW_STEPS: u64 = 1;

/// A time-based code's digits.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpCode(Zeroizing<String>);

impl TotpCode {
    /// The six digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TotpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpCode(…)")
    }
}

/// What someone typed into the code field, told apart by its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedCode {
    /// Six digits: a code from an authenticator app.
    Totp(TotpCode),
    /// Sixteen base32 characters: a recovery code.
    Recovery(RecoveryCode),
}

impl TypedCode {
    /// Reads the field, spaces and dashes left out; `None` when it can be neither kind of code.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        totp(raw)
            .map(Self::Totp)
            .or_else(|| RecoveryCode::parse(raw).map(Self::Recovery))
    }
}

/// Whether a code that matched `step` may be used when the last one used matched `last`.
///
/// RFC 6238 §5.2: a code is accepted once. Older steps are refused too, or a code that was seen
/// over a shoulder could still be used after a newer one.
#[must_use]
pub fn accepts_step(step: u64, last: Option<u64>) -> bool {
    last.is_none_or(|last| step > last)
}

fn totp(raw: &str) -> Option<TotpCode> {
    let mut digits = Zeroizing::new(String::with_capacity(DIGITS));
    for c in raw.chars().filter(|c| !is_separator(*c)) {
        if digits.len() == DIGITS || !c.is_ascii_digit() {
            return None;
        }
        digits.push(c);
    }
    (digits.len() == DIGITS).then_some(TotpCode(digits))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a test may panic")]

    use super::*;

    #[test]
    fn six_digits_are_a_time_based_code() {
        for typed in ["012345", "012 345", " 012-345\n", "0\u{a0}1 2345"] {
            let Some(TypedCode::Totp(code)) = TypedCode::parse(typed) else {
                panic!("{typed} was not read as a time-based code");
            };
            assert_eq!(code.as_str(), "012345");
        }
    }

    #[test]
    fn sixteen_characters_are_a_recovery_code_even_if_all_are_digits() {
        for (typed, canonical) in [
            ("1234-5678-9012-3456", "1234567890123456"),
            ("olil abcd efgh jkmn", "0111ABCDEFGHJKMN"),
        ] {
            let Some(TypedCode::Recovery(code)) = TypedCode::parse(typed) else {
                panic!("{typed} was not read as a recovery code");
            };
            assert_eq!(code.as_str(), canonical);
        }
    }

    #[test]
    fn anything_else_is_no_code() {
        for typed in ["", "-", "12345", "1234567", "12345a", "١٢٣٤٥٦", "ol2345"] {
            assert_eq!(TypedCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn only_a_later_step_than_the_last_is_accepted() {
        assert!(accepts_step(0, None));
        assert!(accepts_step(11, Some(10)));
        assert!(!accepts_step(10, Some(10)));
        assert!(!accepts_step(9, Some(10)));
    }

    #[test]
    fn a_typed_code_does_not_show_itself_in_a_log() {
        for typed in ["012345", "1234-5678-9012-3456"] {
            let shown = format!("{:?}", TypedCode::parse(typed));
            assert!(!shown.contains("2345") && shown.contains('…'), "{shown}");
        }
    }
}
