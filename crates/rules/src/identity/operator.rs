//! The names by which operators answer for something, where two of them must be two people.

use unicode_normalization::UnicodeNormalization as _;

use super::username::{MAX_RAW_BYTES, canonical, is_unfit};

/// The longest name of an operator, in code points.
pub const LONGEST: usize = 64;

/// Why something is no name of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorNameError {
    /// Nothing is left, it is too long, or a character in it cannot be seen.
    Unfit,
    /// Its letters are of several scripts, of which one imitates the other.
    Mixed,
}

/// A name in the form in which two of them are compared: NFKC, lower case, one space between its words.
///
/// # Errors
/// [`OperatorNameError`]; letters of several scripts are refused (UTS #39 §5.2, single script).
pub fn operator_name(raw: &str) -> Result<String, OperatorNameError> {
    if raw.len() > MAX_RAW_BYTES {
        return Err(OperatorNameError::Unfit);
    }
    let canonical = canonical(raw);
    let name = canonical.split_whitespace().collect::<Vec<_>>().join(" ");
    let seen = name.chars().all(|c| c == ' ' || !is_unfit(c));
    if name.is_empty() || name.chars().count() > LONGEST || !seen {
        return Err(OperatorNameError::Unfit);
    }
    let letters = name.chars().filter(|c| c.is_alphabetic());
    let mut scripts = letters.map(script);
    let first = scripts.next();
    if scripts.any(|script| Some(script) != first) {
        return Err(OperatorNameError::Mixed);
    }
    Ok(name)
}

/// Whether two such names could be taken for one another: they are one when accents are left out and each
/// character stands for those that look like it (UTS #39 §4, for the scripts that imitate Latin).
#[must_use]
pub fn look_alike(one: &str, other: &str) -> bool {
    skeleton(one) == skeleton(other)
}

/// A script, by its number. Those that are not named here are told apart by the block of 128 that a
/// letter lies in, which is stricter than need be.
const fn script(letter: char) -> u32 {
    match letter as u32 {
        0x41..=0x2af | 0x1d00..=0x1d7f | 0x1e00..=0x1eff | 0x2c60..=0x2c7f | 0xa720..=0xa7ff => 1,
        0x370..=0x3ff | 0x1f00..=0x1fff => 2,
        0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => 3,
        0x590..=0x5ff => 4,
        0x600..=0x6ff | 0x750..=0x77f | 0x870..=0x8ff => 5,
        0x10a0..=0x10ff | 0x1c90..=0x1cbf | 0x2d00..=0x2d2f => 6,
        // What Chinese, Japanese and Korean names are written in.
        0x1100..=0x11ff
        | 0x3005..=0x318f
        | 0x31f0..=0x31ff
        | 0x3400..=0x9fff
        | 0xa960..=0xa97f
        | 0xac00..=0xd7ff
        | 0x20000..=0x3ffff => 7,
        other => 16 + other / 128,
    }
}

fn skeleton(name: &str) -> String {
    let plain = name
        .nfd()
        .filter(|c| !matches!(c, ' ' | '\u{300}'..='\u{36f}'));
    let alike: String = plain.map(imitated).collect();
    alike.replace("rn", "m").replace("vv", "w")
}

/// What a lower-case character imitates.
const fn imitated(c: char) -> char {
    match c {
        'а' | 'α' | 'ɑ' => 'a',
        'ь' | 'в' | 'β' | 'ß' => 'b',
        'с' | 'ϲ' | 'ς' | 'ƈ' => 'c',
        'ԁ' | 'ɗ' | 'đ' => 'd',
        'е' | 'ε' | 'є' | 'э' => 'e',
        'ɡ' | 'ց' => 'g',
        'һ' | 'հ' | 'н' | 'η' => 'h',
        'і' | 'ι' | 'ı' | 'l' | '1' | '|' | '!' | 'ӏ' | 'ɩ' | 'ł' => 'i',
        'ј' | 'ϳ' | 'ȷ' => 'j',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'п' | 'ո' | 'ŋ' => 'n',
        'о' | 'ο' | 'σ' | 'օ' | '0' | 'ø' | 'ө' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' | '5' | '$' => 's',
        'т' | 'τ' | 'ŧ' => 't',
        'υ' | 'ս' | 'ц' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' | 'ш' => 'w',
        'х' | 'χ' | '×' => 'x',
        'у' | 'γ' | 'ү' => 'y',
        '-' | '_' | '.' | '\'' | '’' => '-',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn one_operator_is_not_two_by_another_spelling() {
        for same in [
            "Ada Lovelace",
            " ada  lovelace ",
            "ADA\tLOVELACE",
            "Ａｄａ\u{a0}Lovelace",
        ] {
            assert_eq!(operator_name(same).unwrap(), "ada lovelace", "{same:?}");
        }
        let hidden = ["ada\u{200b} lovelace", "ada\u{ad} lovelace", "\u{202e}ada"];
        for none in ["", "  ", &"x".repeat(65)].into_iter().chain(hidden) {
            let refused = operator_name(none).unwrap_err();
            assert_eq!(refused, OperatorNameError::Unfit, "{none:?}");
        }
    }

    #[test]
    fn letters_of_two_scripts_are_in_no_name() {
        // Each has one letter of Cyrillic or Greek among Latin ones.
        for mixed in ["Оlga", "olgа berg", "ada lοvelace", "Рavel", "Olga Борг"] {
            let refused = operator_name(mixed).unwrap_err();
            assert_eq!(refused, OperatorNameError::Mixed, "{mixed}");
        }
        for one in [
            "Ольга Берг",
            "Όλγα Μπεργκ",
            "אולגה ברג",
            "علی پورچ",
            "やまだ太郎",
            "김하늘",
            "Żółć Ñandú 2",
            "O’Neil, uid=1000 (ops)",
            "अदिति शर्मा",
        ] {
            assert!(operator_name(one).is_ok(), "{one}");
        }
    }

    #[test]
    fn names_that_look_alike_are_one() {
        for (one, other) in [
            ("olga", "о1ga"),
            ("аса", "aca"),
            ("росс", "pocc"),
            ("bob lind", "bob iind"),
            ("ann 0", "ann o"),
            ("marnie", "mamie"),
            ("jose", "josé"),
            ("anna lena", "annalena"),
            ("νονο", "vovo"),
        ] {
            assert!(look_alike(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("olga berg", "otto lind"),
            ("ada", "adam"),
            ("op 2", "op 3"),
        ] {
            assert!(!look_alike(one, other), "{one} {other}");
        }
    }
}
