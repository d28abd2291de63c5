//! Recovery codes: what a person prints and keeps (NIST SP 800-63B-4 §3.1.2, look-up secrets).

use std::fmt;

use zeroize::Zeroizing;

/// How many codes a set has.
pub const SET_SIZE: usize = 10;

/// How many random bytes make one code: 80 bits.
pub const RANDOM_BYTES: usize = 10;

/// How many characters a code has, without its dashes.
pub const CODE_CHARS: usize = 16;

const GROUP: usize = 4;

/// Crockford's base32: no I, L, O or U, so that nothing can be misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// One recovery code in its canonical form: 16 upper-case characters without dashes. That form is
/// what is hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// The code that 80 random bits spell, most significant bits first.
    #[must_use]
    pub fn from_random(random: &[u8; RANDOM_BYTES]) -> Self {
        let mut code = Zeroizing::new(String::with_capacity(CODE_CHARS));
        for chunk in random.chunks(5) {
            let bits = chunk
                .iter()
                .fold(0_u64, |bits, b| (bits << 8) | u64::from(*b));
            for shift in (0..8).rev() {
                let digit = (bits >> (shift * 5)) & 0x1f;
                code.push(char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]));
            }
        }
        Self(code)
    }

    /// What a person typed, with or without dashes and spaces, in either case, with I or L for 1
    /// and O for 0; `None` when it cannot be a recovery code.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(CODE_CHARS));
        for c in raw.chars().filter(|c| !is_separator(*c)) {
            if code.len() == CODE_CHARS {
                return None;
            }
            code.push(canonical(c)?);
        }
        (code.len() == CODE_CHARS).then_some(Self(code))
    }

    /// The canonical 16 characters, to be hashed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form to show and print: `XXXX-XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn shown(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(CODE_CHARS + 3));
        for (i, c) in self.0.chars().enumerate() {
            if i > 0 && i % GROUP == 0 {
                shown.push('-');
            }
            shown.push(c);
        }
        shown
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// Whether people put this between the characters of a code without meaning it: white space, and
/// the hyphens and dashes that keyboards and word processors make.
pub(super) fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn canonical(c: char) -> Option<char> {
    let upper = c.to_ascii_uppercase();
    let meant = match upper {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    };
    ALPHABET
        .iter()
        .any(|known| char::from(*known) == meant)
        .then_some(meant)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eighty_bits_are_spelled_in_four_groups() {
        let shown = |random| RecoveryCode::from_random(&random).shown().to_string();
        assert_eq!(shown([0; 10]), "0000-0000-0000-0000");
        assert_eq!(shown([0xff; 10]), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        // 00001 00010 00011 00100 00101 00110 00111 01000, twice
        let counting = [0x08, 0x86, 0x42, 0x98, 0xe8];
        let mut random = [0; 10];
        random[..5].copy_from_slice(&counting);
        random[5..].copy_from_slice(&counting);
        assert_eq!(shown(random), "1234-5678-1234-5678");
    }

    #[test]
    fn what_people_mistype_is_read_as_meant() {
        let meant = RecoveryCode::parse("1010-ABCD-EFGH-JKMN").unwrap();
        for typed in [
            "1010abcdefghjkmn",
            " iolo abcd efgh jkmn ",
            "LoIO\u{2013}ABCD\u{2013}EFGH\u{2013}JKMN",
        ] {
            assert_eq!(RecoveryCode::parse(typed).as_ref(), Some(&meant), "{typed}");
        }
        assert_eq!(meant.as_str(), "1010ABCDEFGHJKMN");
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for typed in [
            "",
            "1234-5678-1234-567",
            "1234-5678-1234-56789",
            "U234-5678-1234-5678",
            "1234_5678_1234_5678",
            "ı234-5678-1234-5678",
        ] {
            assert_eq!(RecoveryCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_code_does_not_show_itself_in_a_log() {
        let code = RecoveryCode::from_random(&[7; 10]);
        assert_eq!(format!("{code:?}"), "RecoveryCode(…)");
    }

    proptest! {
        #[test]
        fn a_shown_code_is_read_back(random: [u8; 10]) {
            let code = RecoveryCode::from_random(&random);
            let from_shown = RecoveryCode::parse(&code.shown());
            prop_assert_eq!(from_shown.as_ref(), Some(&code));
            let from_canonical = RecoveryCode::parse(code.as_str());
            prop_assert_eq!(from_canonical.as_ref(), Some(&code));
        }

        #[test]
        fn different_bits_make_different_codes(a: [u8; 10], b: [u8; 10]) {
            prop_assert_eq!(
                a == b,
                RecoveryCode::from_random(&a) == RecoveryCode::from_random(&b)
            );
        }
    }
}
