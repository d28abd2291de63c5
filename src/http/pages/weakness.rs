//! Why a new password is refused, for the person who chose it.

use rules::identity::Weakness;

use crate::words::Words;

/// What is wrong with it, then what to do.
pub(super) fn weakness(say: Words, weakness: Weakness) -> String {
    match weakness {
        Weakness::TooShort => say.password_too_short(),
        Weakness::TooLong => say.password_too_long(),
        Weakness::Common => say.password_common(),
        Weakness::Personal => say.password_personal(),
        Weakness::NearlyCommon => say.password_nearly_common(),
        Weakness::OneWord => say.password_one_word(),
        Weakness::Names => say.password_names(),
        Weakness::Repeats => say.password_repeats(),
        Weakness::Sequence => say.password_sequence(),
        Weakness::Keyboard => say.password_keyboard(),
        Weakness::Date => say.password_date(),
        Weakness::Guessable => say.password_guessable(),
    }
}
