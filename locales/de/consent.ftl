# Worum eine App bittet.

consent-share = { $things } teilen
consent-share-with = { $things } mit { $app } teilen?
consent-do-not-share = Nicht teilen
consent-confirm-for = Für { $app } bestätigen?
consent-confirm = Bestätigen
consent-do-not-confirm = Nicht bestätigen
consent-nothing = nichts
consent-marked = Was { $app } geschrieben hat, ist markiert.
consent-sign-in-to = Bei { $app } anmelden?
consent-continue = Fortfahren
consent-do-not-continue = Nicht fortfahren
consent-company = Unternehmen
consent-licence = Zulassung
consent-country = Datenstandort
consent-website = Website
consent-contact = Kontakt
consent-more = Mehr
consent-policy = Datenschutz
consent-terms = Bedingungen
consent-asks = Worum { $app } bittet
consent-choice = Ihre Wahl
consent-already = Schon geteilt
consent-no-money = Die App kann kein Geld bewegen und nichts ändern
consent-no-more = Die App erhält nichts, was hier nicht steht
consent-no-password = Die App sieht Ihr Passwort nie
consent-until = Das gilt, bis Sie es beenden, längstens bis { $date }. Beenden können Sie es jederzeit unter „Verbundene Apps“.
consent-next = Danach kommen Sie zu { $host }.
consent-signed-in-as = Angemeldet als { $name }.
consent-switch = Sind Sie das nicht?

## Was der Server selbst einer App erlaubt.

scope-openid = Sie wiedererkennen, wenn Sie zurückkommen
scope-profile = Ihren Namen und Ihr Profil sehen
scope-email = Ihre E-Mail-Adresse sehen
scope-address = Ihre Postanschrift sehen
scope-phone = Ihre Telefonnummer sehen
scope-offline-access = Zugriff behalten, wenn Sie die App nicht benutzen
