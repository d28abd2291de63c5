# Why a new password is refused: what is wrong, then what to do.

password-too-short = This password is too short. Use at least 12 characters; four words that have nothing to do with each other work well.
password-too-long = This password is too long. Use at most 128 characters.
password-common = This password is on lists that attackers try first. Choose one that is only yours.
password-personal = This password is close to your name or ours. Choose words that have nothing to do with you or us.
password-nearly-common = This password is close to one that attackers try first. Changing a few letters or signs helps little; add another word or two.
password-one-word = One word is easy to guess. Add two or three words that have nothing to do with it.
password-names = Names are easy to guess. Add two or three words that are not names.
password-repeats = Repeated characters are easy to guess. Use different words instead.
password-sequence = Rows like abc or 6543 are easy to guess. Use a few unrelated words instead.
password-keyboard = Rows of neighbouring keys are easy to guess. Use a few unrelated words instead.
password-date = Dates and years are easy to guess. Use a few unrelated words instead.
password-guessable = This password is easy to guess. Add another word or two; unusual ones are better.
