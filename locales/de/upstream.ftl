# Anmelden über den eigenen Anmeldedienst der Institution.

upstream-or = oder
upstream-sign-in = Mit { $name } anmelden
upstream-back = Zurück zur Anmeldung
upstream-beside = Noch ein Schritt
upstream-beside-what = { $name } hat uns gesagt, wer Sie sind. Weisen Sie es jetzt auch mit etwas nach, das Sie haben.
upstream-beside-refused = Dieser Code passt nicht. Geben Sie einen neuen ein.
upstream-beside-missing = Bitte geben Sie einen Code ein.
upstream-down = Wir erreichen { $name } gerade nicht. Über Sie wurde nichts entschieden. Versuchen Sie es in einigen Minuten wieder, oder melden Sie sich anders an.
upstream-declined = { $name } hat Sie nicht angemeldet. Versuchen Sie es noch einmal, oder melden Sie sich anders an.
upstream-wrong = Die Antwort von { $name } ist nicht die, auf die wir gewartet haben; es ist nichts geschehen. Versuchen Sie es noch einmal, oder melden Sie sich anders an.
upstream-unlinked = Ihr Zugang bei { $name } ist hier mit keinem Konto verknüpft. Melden Sie sich anders an, und verknüpfen Sie ihn dann in Ihrem Konto unter „Wie Sie sich anmelden“.
upstream-taken = Ihr Zugang bei { $name } ist schon mit einem Konto verknüpft. Entfernen Sie zuerst jene Verknüpfung, oder rufen Sie uns an.
upstream-closed = Ihr Zugang bei { $name } öffnet hier nichts. Melden Sie sich anders an, oder rufen Sie uns an.
upstream-account = Anmeldung mit { $name }
upstream-account-not = nicht verknüpft
upstream-account-link = Verknüpfen
upstream-account-manage = Verwalten
upstream-link-what = Nach dem Verknüpfen können Sie sich hier über { $name } anmelden. Alle Ihre anderen Geräte werden abgemeldet.
upstream-link-go = Weiter zu { $name }
upstream-link-then = Melden Sie sich bei { $name } an. Dann kommen Sie hierher zurück, und es ist verknüpft.
upstream-linked = Es ist verknüpft, und alle anderen Geräte sind abgemeldet.
upstream-unlink = Verknüpfung mit { $name } entfernen
upstream-unlink-what = { $name } öffnet hier dann nichts mehr, und alle Ihre anderen Geräte werden abgemeldet. Vorher fragen wir noch einmal, wer Sie sind.
upstream-unlink-button = Verknüpfung entfernen
upstream-unlinked-done = Die Verknüpfung ist entfernt, und alle anderen Geräte sind abgemeldet.
