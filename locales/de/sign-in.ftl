# Anmelden.

sign-in = Anmelden
sign-in-title-for = Anmelden, um mit { $app } fortzufahren
sign-in-for = um mit { $app } fortzufahren
sign-in-username = Benutzername
sign-in-password = Passwort
show-password = Passwort anzeigen
sign-in-code = Code
sign-in-code-hint = Die 6 Ziffern, die Ihre Authenticator-App jetzt zeigt, oder ein Wiederherstellungscode.
sign-in-cancel = Nicht fortfahren; zurück zu { $app }
sign-in-missing = Bitte geben Sie Ihren Namen, Ihr Passwort und einen Code ein.
sign-in-refused = Diese Angaben passen nicht zusammen. Prüfen Sie Ihr Passwort und geben Sie einen neuen Code ein.
sign-in-blocked = Für diesen Namen gab es zu viele Versuche, darum warten wir. Versuchen Sie es in { $wait } wieder.

sign-in-with-passkey = Mit einem Passkey anmelden
sign-in-or = oder mit Ihrem Passwort
sign-in-with-key = Sicherheitsschlüssel anstelle des Codes benutzen
sign-in-passkey-instead = Stattdessen einen Passkey benutzen
passkey-failed = Kein Passkey oder Sicherheitsschlüssel hat geantwortet. Versuchen Sie es noch einmal, oder fahren Sie mit Passwort und Code fort.
passkey-late = Das hat länger als fünf Minuten gedauert, darum galt die Anfrage nicht mehr. Nichts wurde geändert. Versuchen Sie es noch einmal, dann fragen wir neu.
passkey-refused = Dieser Passkey öffnet hier nichts. Versuchen Sie einen anderen, oder fahren Sie mit Passwort und Code fort.

## Mehr Nachweis, als die Anmeldung gab.
step-up-title = Noch ein Schritt
step-up-what = Dafür fragen wir nach einem Passkey oder Sicherheitsschlüssel, denn ihn kann Ihnen keine gefälschte Seite abnehmen.
step-up-passkey = Passkey benutzen
step-up-key = Sicherheitsschlüssel benutzen
step-up-needs-script = Dieser Schritt braucht JavaScript. Schalten Sie es für diese Seite ein.
step-up-none = Sie haben noch keinen?
