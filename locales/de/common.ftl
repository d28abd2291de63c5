# Was auf jeder Seite steht.

## Der Name der Sprache, in ihr selbst.
language-name = Deutsch
language-choose = Sprache
help-at = Hilfe
about-link = Sind das wirklich wir?
error-prefix = Fehler
