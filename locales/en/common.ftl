# What stands on every page.

## The language's name, in itself.
language-name = English
language-choose = Language
help-at = Help
about-link = Is this really us?
error-prefix = Error
