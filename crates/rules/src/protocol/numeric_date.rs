//! `NumericDate` (RFC 7519 §2), as strangers write it.

use serde_json::Value;

use crate::time::Timestamp;

/// The last second of the year 9999; what lies behind is a mistake (milliseconds, mostly).
const MAX_SECONDS: i64 = 253_402_300_799;

/// Reads seconds since the epoch, possibly with a fraction; `None` for anything that is not a number
/// from 1970 to the year 9999, so that no sum of what is returned can overflow.
#[must_use]
pub fn read(value: &Value) -> Option<Timestamp> {
    let Value::Number(number) = value else {
        return None;
    };
    match (number.as_i64(), number.as_f64()) {
        (Some(secs), _) => Some(secs)
            .filter(|secs| (0..=MAX_SECONDS).contains(secs))
            .map(Timestamp::from_secs),
        (None, Some(secs)) => from_fraction(secs),
        (None, None) => None,
    }
}

fn from_fraction(secs: f64) -> Option<Timestamp> {
    // f64 holds every whole second up to the year 9999 exactly.
    let limit = 253_402_300_799.0;
    if !(0.0..=limit).contains(&secs) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was just checked, and the fraction of a millisecond does not matter"
    )]
    let millis = (secs * 1000.0) as i64;
    Some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_our_time_are_dates() {
        let of = |text: &str| read(&serde_json::from_str(text).unwrap());
        assert_eq!(of("0"), Some(Timestamp::from_secs(0)));
        assert_eq!(of("1.5"), Some(Timestamp::from_millis(1500)));
        assert_eq!(of("253402300799"), Some(Timestamp::from_secs(MAX_SECONDS)));
        for wrong in [
            "-1",
            "253402300800",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "1e300",
            "-1e300",
            "\"1\"",
            "null",
            "[1]",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
