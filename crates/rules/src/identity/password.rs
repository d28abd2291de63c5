//! What a password may be (NIST SP 800-63B-4 §3.1.1.2, OWASP ASVS 5.0 V6.2).
//!
//! Long, not on a list, not made of words that belong to the person or the institution, and not
//! quickly guessed. Nothing about which characters it has, and nothing about when it changes. It
//! is compared exactly as typed, after NFC; letter case is folded only to search the list.

use std::{fmt, sync::LazyLock};

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;
use zxcvbn::{Score, feedback::Warning, zxcvbn};

/// The fewest code points of a new password.
pub const MIN_CHARS: usize = 12;

/// The most code points of a new password. The rule asks for 64 or more; the bound keeps hashing
/// and judging cheap. A longer password is refused, never cut.
pub const MAX_CHARS: usize = 128;

/// What zxcvbn is given at most: its work grows with the square of its input, and a password that
/// is still weak after so many characters deserves the refusal.
const JUDGED_CHARS: usize = 48;

/// Context words after this many, and shorter than [`MIN_WORD_CHARS`], are left out.
const MAX_WORDS: usize = 32;
const MIN_WORD_CHARS: usize = 3;

/// What must remain of a password when all context words are struck out.
const MIN_REST_CHARS: usize = 8;

/// See the head of the file for where the words come from.
static COMMON: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    include_str!("common_passwords.txt")
        .split_once("\n\n")
        .map_or_else(Vec::new, |(_, words)| words.lines().collect())
});

/// A password as it is hashed: in NFC, wiped from memory when dropped, never shown.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// What was typed, in NFC (Unicode Annex 15), so that two keyboards that compose differently
    /// type the same password. Nothing is trimmed, cut or folded.
    #[must_use]
    pub fn normalise(raw: &str) -> Self {
        // NFC makes UTF-8 at most three times as long; with the room taken at the start, no
        // unwiped copy is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(raw.len().saturating_mul(3)));
        text.extend(raw.nfc());
        Self(text)
    }

    /// The text itself, to be hashed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its length in code points.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer than [`MIN_CHARS`] code points.
    TooShort,
    /// More than [`MAX_CHARS`] code points.
    TooLong,
    /// On the list of known passwords.
    Common,
    /// Hardly more than a word of the person's or the institution's.
    Personal,
    /// Almost a known password.
    NearlyCommon,
    /// One word, more or less.
    OneWord,
    /// Names, more or less.
    Names,
    /// The same characters again and again.
    Repeats,
    /// Like `abcdef` or `987654`.
    Sequence,
    /// Neighbouring keys.
    Keyboard,
    /// A year or a date, more or less.
    Date,
    /// Guessed too quickly, for no single reason.
    Guessable,
}

impl Weakness {
    /// What to tell the person: what is wrong, then what to do.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::TooShort => {
                "This password is too short. Use at least 12 characters; four words that have \
                 nothing to do with each other work well."
            }
            Self::TooLong => "This password is too long. Use at most 128 characters.",
            Self::Common => {
                "This password is on lists that attackers try first. Choose one that is only \
                 yours."
            }
            Self::Personal => {
                "This password is close to your name or ours. Choose words that have nothing to \
                 do with you or us."
            }
            Self::NearlyCommon => {
                "This password is close to one that attackers try first. Changing a few letters \
                 or signs helps little; add another word or two."
            }
            Self::OneWord => {
                "One word is easy to guess. Add two or three words that have nothing to do with \
                 it."
            }
            Self::Names => "Names are easy to guess. Add two or three words that are not names.",
            Self::Repeats => "Repeated characters are easy to guess. Use different words instead.",
            Self::Sequence => {
                "Rows like abc or 6543 are easy to guess. Use a few unrelated words instead."
            }
            Self::Keyboard => {
                "Rows of neighbouring keys are easy to guess. Use a few unrelated words instead."
            }
            Self::Date => "Dates and years are easy to guess. Use a few unrelated words instead.",
            Self::Guessable => {
                "This password is easy to guess. Add another word or two; unusual ones are \
                 better."
            }
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Weakness {}

/// Judges a *new* password. `context`: the words that must not make it up (the institution's and
/// the product's name, the username, the e-mail address, the person's names); whole addresses and
/// names may be given, their parts are taken too.
///
/// Costs milliseconds, but some hundred for awkward input: call it off the async threads.
///
/// # Errors
/// The first [`Weakness`] found.
pub fn judge(password: &Password, context: &[&str]) -> Result<(), Weakness> {
    let chars = password.chars();
    if chars < MIN_CHARS {
        return Err(Weakness::TooShort);
    }
    if chars > MAX_CHARS {
        return Err(Weakness::TooLong);
    }
    let folded = fold(password.reveal());
    // ASVS 5.0, 6.2.4: the whole password is compared, not its parts
    if COMMON.binary_search(&folded.as_str()).is_ok() {
        return Err(Weakness::Common);
    }
    let words = context_words(context);
    // ASVS 5.0, 6.2.11
    if is_hardly_more_than(&words, &folded) {
        return Err(Weakness::Personal);
    }
    estimate(password.reveal(), &words)
}

/// The context words and their parts, folded, longest first.
fn context_words(context: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = context
        .iter()
        .map(|word| {
            word.nfkc()
                .flat_map(char::to_lowercase)
                .take(MAX_CHARS)
                .collect()
        })
        .flat_map(|word: String| {
            let joined: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
            let mut forms: Vec<String> = word
                .split(|c: char| !c.is_alphanumeric())
                .map(str::to_owned)
                .collect();
            forms.extend([joined, word]);
            forms
        })
        .filter(|word| word.chars().count() >= MIN_WORD_CHARS)
        .collect();
    words.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    words.dedup();
    words.truncate(MAX_WORDS);
    words
}

/// Whether too little of the password remains when the words are struck out of it.
fn is_hardly_more_than(words: &[String], folded: &str) -> bool {
    const STRUCK: char = '\0';
    let mut rest = Zeroizing::new(folded.to_owned());
    let mut struck = false;
    for word in words {
        if rest.contains(word.as_str()) {
            rest = Zeroizing::new(rest.replace(word.as_str(), "\0"));
            struck = true;
        }
    }
    struck && rest.chars().filter(|c| *c != STRUCK).count() < MIN_REST_CHARS
}

/// Refuses what zxcvbn thinks is found within 10^8 guesses, and says why. White space is left out:
/// it would hide repetitions, and between good words it is not missed.
fn estimate(password: &str, words: &[String]) -> Result<(), Weakness> {
    let mut start = Zeroizing::new(String::with_capacity(password.len()));
    start.extend(
        password
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(JUDGED_CHARS),
    );
    one_sign_for_a_letter(&mut start);
    let inputs: Vec<&str> = words.iter().map(String::as_str).collect();
    let estimate = zxcvbn(&start, &inputs);
    if estimate.score() >= Score::Three {
        return Ok(());
    }
    let warning = estimate
        .feedback()
        .and_then(zxcvbn::feedback::Feedback::warning);
    Err(warning.map_or(Weakness::Guessable, Weakness::from))
}

/// Signs that stand for the same letter, as in `p4$$w0rd`. Digits are left out: what they are is what
/// makes rows and dates of them.
const SIGNS: [&str; 2] = ["({[<", "!|+"];

/// Writes each letter that signs stand for with one sign throughout: zxcvbn tries all combinations of
/// them, which multiply.
fn one_sign_for_a_letter(text: &mut Zeroizing<String>) {
    let mut used = [None::<char>; SIGNS.len()];
    let first = |sign: char| {
        let group = SIGNS.iter().position(|signs| signs.contains(sign));
        group.map_or(sign, |group| *used[group].get_or_insert(sign))
    };
    let written: String = text.chars().map(first).collect();
    *text = Zeroizing::new(written);
}

impl From<Warning> for Weakness {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::StraightRowsOfKeysAreEasyToGuess
            | Warning::ShortKeyboardPatternsAreEasyToGuess => Self::Keyboard,
            Warning::RepeatsLikeAaaAreEasyToGuess
            | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => Self::Repeats,
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword => Self::Common,
            Warning::ThisIsSimilarToACommonlyUsedPassword => Self::NearlyCommon,
            Warning::SequencesLikeAbcAreEasyToGuess => Self::Sequence,
            Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => Self::Date,
            Warning::AWordByItselfIsEasyToGuess => Self::OneWord,
            Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
            | Warning::CommonNamesAndSurnamesAreEasyToGuess => Self::Names,
        }
    }
}

/// For comparing with words only; what is hashed is never folded.
fn fold(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: [&str; 5] = [
        "Northbank",
        "Countersign",
        "ana.meier",
        "ana.meier@example.com",
        "Ana",
    ];

    fn verdict(raw: &str) -> Result<(), Weakness> {
        judge(&Password::normalise(raw), &CONTEXT)
    }

    #[test]
    fn the_list_is_long_sorted_folded_and_within_the_length_rule() {
        assert!(COMMON.len() >= 3000, "{} entries", COMMON.len());
        assert!(COMMON.is_sorted());
        for word in COMMON.iter() {
            let length = word.chars().count();
            assert!((MIN_CHARS..=MAX_CHARS).contains(&length), "{word}");
            assert_eq!(fold(Password::normalise(word).reveal()).as_str(), *word);
        }
    }

    #[test]
    fn a_few_unrelated_words_are_a_good_password() {
        for raw in [
            "copper lantern vivid marsh",
            "kettle-orbit-ninety",
            "wQ7#mz0Lr!x2Vt",
            "лошадь скрепка батарея",
            "ana keeps seven quiet geese",
        ] {
            assert_eq!(verdict(raw), Ok(()), "{raw}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points_after_composing() {
        assert_eq!(verdict("zq7vw1xk9pj"), Err(Weakness::TooShort));
        assert_eq!(verdict("zq7vw1xk9pjé"), Ok(()));
        // eleven letters, one of them written as two code points
        assert_eq!(verdict("zq7vw1xk9pe\u{301}"), Err(Weakness::TooShort));
        assert_eq!(Password::normalise("e\u{301}").reveal(), "é");
        let longest: String = ('a'..='z').cycle().step_by(7).take(128).collect();
        assert_eq!(verdict(&longest), Ok(()));
        assert_eq!(verdict(&format!("{longest}x")), Err(Weakness::TooLong));
    }

    #[test]
    fn many_signs_for_the_same_letters_do_not_multiply_the_work() {
        let mut awkward =
            Zeroizing::new("4@8({[<369&#!1/|0$5+7%201234567894@8({[<369&#!1/".to_owned());
        one_sign_for_a_letter(&mut awkward);
        for signs in SIGNS {
            let used = signs.chars().filter(|sign| awkward.contains(*sign));
            assert!(used.count() <= 1, "{signs} in {}", awkward.as_str());
        }
        for usual in [
            "p4ssw0rd@1!",
            "copper lantern vivid marsh",
            "wQ7#mz0Lr!x2Vt",
        ] {
            let mut text = Zeroizing::new(usual.to_owned());
            one_sign_for_a_letter(&mut text);
            assert_eq!(text.as_str(), usual);
        }
    }

    #[test]
    fn rows_of_digits_are_refused_however_long() {
        for raw in [
            "123456789012345",
            "1234567890123456",
            "987654321098",
            "987654321987654321",
            "147258369147",
            "147896325147",
            "741852963012",
            "456789123456",
            "iloveyou0123456789",
            "01701234567890",
            "123456!@#$%^",
        ] {
            assert!(verdict(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_common_password_is_refused_in_any_case() {
        for raw in [
            "unbelievable",
            "UnbelievABLE",
            "1qaz2wsx3edc",
            "Password1234",
        ] {
            assert_eq!(verdict(raw), Err(Weakness::Common), "{raw}");
        }
    }

    #[test]
    fn a_password_made_of_names_that_belong_here_is_refused() {
        for raw in [
            "northbank2031!",
            "NORTHBANK-northbank",
            "Countersign#1",
            "ana.meier.1985",
            "meierana!!xy7",
            "anameier+northbank",
            "ana.meier@example.com",
        ] {
            assert_eq!(verdict(raw), Err(Weakness::Personal), "{raw}");
        }
    }

    #[test]
    fn short_or_missing_context_words_refuse_nothing() {
        let password = Password::normalise("kettle-orbit-ninety");
        assert_eq!(judge(&password, &[]), Ok(()));
        assert_eq!(judge(&password, &["", " ", "k", "et", "-"]), Ok(()));
    }

    #[test]
    fn what_is_guessed_quickly_is_refused_with_a_reason() {
        for (raw, weakness) in [
            ("ggggggggggggggggggggggg", Weakness::Repeats),
            ("cdefghijklmnopqrstu", Weakness::Sequence),
            ("p@ssw0rd p@ssw0rd", Weakness::Repeats),
            ("              ", Weakness::Guessable),
        ] {
            assert_eq!(verdict(raw), Err(weakness), "{raw}");
        }
        for raw in [
            "elizabethelizabeth",
            "hgfdsaqwertyuiop",
            "jessica 17.03.1985",
        ] {
            assert!(verdict(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn nothing_is_said_about_kinds_of_characters() {
        for raw in [
            "kzqvwjxyphbnmt",
            "839204716630598241",
            "              x q  v  z",
        ] {
            let said = verdict(raw).err();
            assert!(!matches!(said, Some(Weakness::TooShort)), "{raw}");
        }
        assert_eq!(verdict("kzqvwjxyphbnmt"), Ok(()));
        assert_eq!(verdict("839204716630598241"), Ok(()));
    }

    #[test]
    fn a_password_is_kept_exactly_as_typed() {
        let raw = "  Two Spaces, Then CASE  ";
        assert_eq!(Password::normalise(raw).reveal(), raw);
    }

    #[test]
    fn the_longest_awkward_password_is_judged_in_bounded_time() {
        for awkward in ["4@8({[<3691!|70$5+7%2", "aA1!", "qwertyuiop", "password1"] {
            let raw: String = awkward.chars().cycle().take(MAX_CHARS).collect();
            let context = [raw.as_str(); 40];
            // finishing is the test; the verdict is not
            let _ = judge(&Password::normalise(&raw), &context);
        }
    }

    #[test]
    fn a_password_does_not_show_itself_in_a_log() {
        let shown = format!("{:?}", Password::normalise("kettle-orbit-ninety"));
        assert_eq!(shown, "Password(…)");
    }

    #[test]
    fn every_message_says_what_to_do() {
        for weakness in [
            Weakness::TooShort,
            Weakness::TooLong,
            Weakness::Common,
            Weakness::Personal,
            Weakness::NearlyCommon,
            Weakness::OneWord,
            Weakness::Names,
            Weakness::Repeats,
            Weakness::Sequence,
            Weakness::Keyboard,
            Weakness::Date,
            Weakness::Guessable,
        ] {
            let message = weakness.message();
            assert!(message.matches('.').count() >= 2, "{message}");
            assert!(!message.contains('!'), "{message}");
        }
    }
}
