# Was eine Person auf ihren Kontoseiten für ihre Sicherheit tut.

account-agreed = Von Ihnen bestätigt am { $date }
account-since-until = Seit { $since } · längstens bis { $until }
account-more-apps = Alle verbundenen Apps ({ $count } weitere)
account-more-sessions = Alle Geräte ({ $count } weitere)
account-sign-out-everywhere = Überall abmelden, auch hier
account-app-since = Verbunden am { $since }
account-app-used = Verbunden am { $since } · zuletzt benutzt am { $used }
account-codes-kept = Noch { $count }, erstellt am { $made }
account-back = Zurück zu Ihrem Konto
account-fill-in = Bitte füllen Sie jedes Feld aus.
list-newest = Neueste
list-newer = Neuere
list-older = Ältere

## Vor einer Änderung noch einmal gefragt.
proof-password = Bisheriges Passwort
proof-weaker = Sie haben einen Passkey oder Sicherheitsschlüssel; darum genügt ein Code hier nicht: Eine gefälschte Seite könnte ihn Ihnen entlockt haben. Bestätigen Sie mit Ihrem Passkey oder Sicherheitsschlüssel, am Ende dieses Formulars. Wenn Sie alle verloren oder kürzlich gesperrt haben, rufen Sie uns an.
sign-in-away = Sie haben Ihre Kontoseiten eine Weile nicht benutzt. Bitte melden Sie sich noch einmal an.

change-password = Passwort ändern
change-password-what = Wir fragen noch einmal, wer Sie sind, damit das niemand anders tun kann. Danach sind alle anderen Geräte abgemeldet. Apps bleiben verbunden, auch während Sie abgemeldet sind; jede können Sie auf Ihrer Kontoseite stoppen.
change-password-save = Passwort ändern
change-password-same = Das ist Ihr bisheriges Passwort. Bitte wählen Sie ein anderes.
change-password-back = Passwort behalten; zurück zu Ihrem Konto
change-password-done = Ihr Passwort ist geändert, und alle anderen Geräte sind abgemeldet.

new-codes = Neue Wiederherstellungscodes
new-codes-what = Wir erstellen zehn neue Codes für Sie. Ihre jetzigen gelten, bis Sie die neuen gesichert haben; danach sind sie wertlos.
new-codes-make = Neue Codes erstellen
new-codes-keep = Alte Codes behalten; zurück zu Ihrem Konto
new-codes-save = Sichern Sie Ihre neuen Wiederherstellungscodes
new-codes-save-what = Drucken Sie diese Seite, oder übertragen Sie die Codes in einen Passwortmanager oder auf Papier. Die alten Codes gelten, bis Sie einen von diesen eingeben.
new-codes-use = Neue Codes verwenden
new-codes-done = Ihre neuen Wiederherstellungscodes gelten ab jetzt. Die alten sind wertlos.

not-me = Das war ich nicht
not-me-question = Gehört etwas hier nicht zu Ihnen?
not-me-offer = Wenn Sie etwas, das Sie hier sehen, nicht getan haben, sagen Sie es uns. Wir halten alles sofort an.
not-me-then = Wenn Sie es bestätigen, halten wir alles sofort an:
not-me-devices = Jedes Gerät wird abgemeldet, auch dieses, und wir vergessen, dass wir Ihre Geräte kennen.
not-me-apps = Jede App verliert ihren Zugriff, bis Sie sich mit ihr wieder anmelden.
not-me-linked = Ihr Zugang bei { $name } öffnet Ihr Konto nicht mehr. Sie können ihn wieder verknüpfen.
not-me-again = Sie können sich jederzeit wieder anmelden.
not-me-suspects = Diese Apps wurden in letzter Zeit verbunden. Wenn Sie sich mit ihnen wieder anmelden, fragen Sie die angehakten neu, was sie sehen dürfen. Nehmen Sie das Häkchen bei denen weg, denen Sie vertrauen.
not-me-keys = Diese Anmeldewege kamen in letzter Zeit dazu. Die angehakten öffnen nichts mehr; der letzte Anmeldeweg, den Sie haben, bleibt immer. Nehmen Sie das Häkchen bei denen weg, die Sie selbst hinzugefügt haben.
not-me-added = Hinzugefügt am { $date }
not-me-connected = Verbunden am { $date }
not-me-yes = Alles anhalten
not-me-no = Das war ich; zurück zu Ihrem Konto
disputed = Alles ist angehalten
disputed-what = Jedes Gerät ist abgemeldet, und keine App kann etwas sehen.
disputed-still-open = Ein Anmeldeweg, den Sie angehakt haben, öffnet Ihr Konto noch, weil Sie keinen anderen haben. Rufen Sie uns jetzt an: Wir ersetzen ihn.
disputed-now = Was Sie jetzt tun
disputed-call = Rufen Sie uns an:
disputed-call-us = Rufen Sie uns unter der Nummer an, die auf Ihrer Karte oder in Ihren Briefen steht.
disputed-password = Melden Sie sich auf einem Gerät an, dem Sie vertrauen, und ändern Sie Ihr Passwort.
disputed-invitation = Wenn jemand anders Ihr Handy oder Ihre Wiederherstellungscodes haben könnte, sagen Sie es uns am Telefon. Dann sperren wir diese Anmeldung sofort. Wenn Sie uns gezeigt haben, wer Sie sind, lassen zwei unserer Mitarbeitenden Sie eine neue einrichten.
