# Die Anmeldung einrichten: drei Schritte.

activate-title = Anmeldung einrichten
activate-welcome = Willkommen, { $name }
activate-invited = { $institution } lädt Sie ein, Ihre Anmeldung einzurichten. Das dauert etwa fünf Minuten, in drei Schritten:
activate-step-password = Passwort wählen
activate-step-factor = Passkey erstellen oder Authenticator-App auf dem Handy verbinden
activate-step-codes = Wiederherstellungscodes sichern
activate-once = Diese Einladung gilt einmal, bis { $until }. Wenn Sie sie nicht erwartet haben, schließen Sie diese Seite; es geschieht nichts.
activate-begin = Beginnen

activate-progress-label = Anmeldung einrichten
activate-progress = Schritt { $step } von 3

activate-password = Passwort wählen
activate-username = Ihr Benutzername
activate-username-hint = Mit diesem Namen melden Sie sich an. Er lässt sich hier nicht ändern.
activate-new-password = Neues Passwort
activate-new-password-hint = Mindestens 12 Zeichen. Gut sind mehrere Wörter, die nichts miteinander zu tun haben; Leerzeichen sind erlaubt.
activate-repeat = Dasselbe Passwort noch einmal
activate-save-password = Passwort speichern
activate-password-weak = Bitte wählen Sie ein anderes Passwort.
activate-passwords-differ = Die beiden Passwörter sind verschieden.
activate-passwords-differ-hint = Geben Sie in beiden Feldern dasselbe Passwort ein.

activate-factor = Zweiten Faktor wählen
activate-passkey = Ein Passkey
activate-passkey-what = Sie melden sich mit Fingerabdruck, Gesicht oder der PIN Ihres Geräts an, ohne Passwort und Code. Keine gefälschte Seite kann ihn Ihnen abnehmen.
activate-passkey-create = Passkey erstellen
activate-passkey-not-taken = Dieser Passkey ließ sich nicht verwenden. Versuchen Sie es noch einmal, oder verbinden Sie eine Authenticator-App.
activate-or-app = Oder eine Authenticator-App
activate-app = Authenticator-App verbinden
activate-app-what = Die App auf Ihrem Handy zeigt alle 30 Sekunden einen neuen Code. Sie brauchen einen bei jeder Anmeldung.
activate-app-add = 1. Konto hinzufügen
activate-app-scan = Wählen Sie in der App „Konto hinzufügen“ und scannen Sie dieses Bild.
activate-app-picture = QR-Code mit dem Schlüssel für Ihre Authenticator-App. Derselbe Schlüssel steht darunter.
activate-app-same-phone = Lesen Sie das auf diesem Handy?
activate-app-open = Konto hier hinzufügen
activate-app-type = Schlüssel eintippen
activate-app-account = Konto
activate-app-key = Schlüssel
activate-app-kind = Art
activate-app-time-based = Zeitbasiert
activate-app-test = 2. Ausprobieren
activate-app-code = Code aus der App
activate-app-code-hint = Die 6 Ziffern, die sie jetzt zeigt.
activate-app-connect = App verbinden
activate-app-wrong = Dieser Code stimmt nicht.
activate-app-wrong-hint = Geben Sie die sechs Ziffern ein, die die App jetzt zeigt. Wenn sie nie stimmen, prüfen Sie, ob die Uhr Ihres Handys automatisch gestellt wird.

activate-codes = Wiederherstellungscodes sichern
activate-codes-what = Wenn Ihr Handy verloren geht, melden Sie sich mit Ihrem Passwort und einem davon an. Jeder gilt einmal. Wir zeigen sie nur jetzt: Drucken Sie diese Seite, oder übernehmen Sie die Codes in einen Passwort-Manager oder auf Papier.
activate-codes-for = Wiederherstellungscodes für { $name }
activate-codes-print = Jeder gilt einmal, anstelle eines Codes. Bewahren Sie sie dort auf, wo nur Sie sie finden. Wir fragen nie am Telefon, per Post oder in einer Nachricht danach.
activate-codes-confirm = Geben Sie Code Nummer { $number } ein
activate-codes-confirm-hint = Damit wir wissen, dass sie gesichert sind. Er bleibt gültig.
activate-codes-finish = Einrichtung abschließen
activate-codes-wrong = Das ist nicht der Code, um den wir gebeten haben.
activate-codes-wrong-hint = Geben Sie den Code mit der gezeigten Nummer ein, aus der Liste, die Sie gesichert haben.

activate-done = Ihre Anmeldung ist bereit
activate-done-what = Von jetzt an melden Sie sich mit dem an, was Sie eben eingerichtet haben. Bewahren Sie Ihre Wiederherstellungscodes dort auf, wo nur Sie sie finden.
activate-done-never = Wir fragen nie am Telefon, per Post oder in einer Nachricht nach Ihrem Passwort oder einem Code.
activate-done-account = Zu Ihrem Konto

activate-over = Diese Einladung gilt nicht mehr
activate-over-what = Sie wurde schon benutzt, ist zu alt, oder es gibt eine neuere.
activate-over-todo = Bitten Sie uns um eine neue Einladung. Wenn Sie Ihr Konto schon eingerichtet haben, melden Sie sich an.
