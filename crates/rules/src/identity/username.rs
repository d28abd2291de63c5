//! The one form of a name that lookups use.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

/// The most code points that a canonical name has.
pub const MAX_CHARS: usize = 128;

/// A raw name of more bytes is refused unread; no name within the limit needs as many.
pub(super) const MAX_RAW_BYTES: usize = 4096;

/// A name in its canonical form: NFKC, lower case, no white space, nothing invisible. Lookups hash
/// this form, so `Ana@Example.com` and `ana@example.com` are one person.
///
/// It tells who somebody is, so `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

/// Why something is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsernameError {
    /// Nothing but white space was typed.
    Empty,
    /// More than [`MAX_CHARS`] code points.
    TooLong,
    /// White space, a control character or an invisible character inside.
    Character,
}

impl Username {
    /// The canonical form of what was typed: trimmed, NFKC, lower case. E-mail addresses are names.
    ///
    /// # Errors
    /// [`UsernameError`] when nothing is left, when it is too long, or when a character in it
    /// cannot be seen.
    pub fn parse(raw: &str) -> Result<Self, UsernameError> {
        if raw.len() > MAX_RAW_BYTES {
            return Err(UsernameError::TooLong);
        }
        let canonical = canonical(raw.trim());
        match canonical.chars().count() {
            0 => Err(UsernameError::Empty),
            n if n > MAX_CHARS => Err(UsernameError::TooLong),
            _ if canonical.chars().any(is_unfit) => Err(UsernameError::Character),
            _ => Ok(Self(canonical)),
        }
    }

    /// The canonical name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username(…)")
    }
}

impl UsernameError {
    /// What to tell the person who chooses a name.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Empty => "Enter a name.",
            Self::TooLong => "This name is too long. Use at most 128 characters.",
            Self::Character => {
                "This name has a space or a character that cannot be seen. Use letters, digits \
                 and signs."
            }
        }
    }
}

impl fmt::Display for UsernameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for UsernameError {}

/// Lower case can undo the normal form and the other way round, so both are repeated until
/// nothing changes; two rounds are enough for every name, the third is a bound.
pub(super) fn canonical(raw: &str) -> String {
    let mut name = one_round(raw);
    for _ in 0..2 {
        let next = one_round(&name);
        if next == name {
            break;
        }
        name = next;
    }
    name
}

/// Character by character, because `str::to_lowercase` makes two forms of sigma from where it stands.
fn one_round(name: &str) -> String {
    name.nfkc()
        .flat_map(char::to_lowercase)
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .nfkc()
        .collect()
}

/// White space, controls, and Unicode's default-ignorable characters: a name with one of them looks
/// like another person's (UTS #39 §3.1).
pub(super) fn is_unfit(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_name_have_one_form() {
        for (typed, canonical) in [
            ("ana", "ana"),
            ("  Ana@Example.COM\t", "ana@example.com"),
            ("Ａｎａ", "ana"),
            ("Ame\u{301}lie", "amélie"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("οδυσσευς", "οδυσσευσ"),
            ("ﬁnn", "finn"),
        ] {
            assert_eq!(
                Username::parse(typed).unwrap().as_str(),
                canonical,
                "{typed}"
            );
        }
    }

    #[test]
    fn a_name_has_1_to_128_code_points() {
        let parse = |n: usize| Username::parse(&"é".repeat(n));
        assert_eq!(parse(0), Err(UsernameError::Empty));
        assert_eq!(Username::parse(" \n "), Err(UsernameError::Empty));
        assert!(parse(1).is_ok() && parse(128).is_ok());
        assert_eq!(parse(129), Err(UsernameError::TooLong));
        assert_eq!(parse(100_000), Err(UsernameError::TooLong));
        // one ligature, eighteen characters
        assert_eq!(
            Username::parse(&"\u{fdfa}".repeat(8)),
            Err(UsernameError::TooLong)
        );
    }

    #[test]
    fn what_cannot_be_seen_is_in_no_name() {
        for typed in [
            "ana maria",
            "ana\u{a0}maria",
            "ana\0",
            "ana\nb",
            "a\u{200b}na",
            "ana\u{202e}x",
            "\u{feff}ana",
            "a\u{ad}na",
        ] {
            assert_eq!(
                Username::parse(typed),
                Err(UsernameError::Character),
                "{typed:?}"
            );
        }
    }

    #[test]
    fn a_name_does_not_show_itself_in_a_log() {
        assert_eq!(
            format!("{:?}", Username::parse("ana").unwrap()),
            "Username(…)"
        );
    }

    proptest! {
        #[test]
        fn a_canonical_name_is_its_own_form(raw in "\\PC{1,40}") {
            if let Ok(name) = Username::parse(&raw) {
                prop_assert_eq!(Username::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(!name.as_str().chars().any(is_unfit));
            }
        }
    }
}
