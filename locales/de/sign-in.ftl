# Anmelden.

sign-in = Anmelden
sign-in-title-for = Anmelden, um mit { $app } fortzufahren
sign-in-for = um mit { $app } fortzufahren
sign-in-username = Benutzername
sign-in-password = Passwort
sign-in-code = Code
sign-in-code-hint = Die 6 Ziffern, die Ihre Authenticator-App jetzt zeigt, oder ein Wiederherstellungscode.
sign-in-cancel = Nicht fortfahren; zurück zu { $app }
sign-in-missing = Bitte geben Sie Ihren Namen, Ihr Passwort und einen Code ein.
sign-in-refused = Diese Angaben passen nicht zusammen. Prüfen Sie Ihr Passwort und geben Sie einen neuen Code ein.
sign-in-blocked = Für diesen Namen gab es zu viele Versuche, darum warten wir. Versuchen Sie es in { $wait } wieder.
