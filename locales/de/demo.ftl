# Pocket Budget, die Partner-App der Demo.

demo-home = Wissen, was Sie ausgeben können
demo-home-lead = Pocket Budget zeigt an einem Ort, was auf Ihren Konten ist. Ihr Passwort bleibt zwischen Ihnen und Ihrer Bank.
demo-connect = Bank verbinden
demo-connect-note = Sie gehen zu { $bank }, melden sich dort an und wählen, was wir sehen dürfen.
demo-phone = Das Telefon der Demo
demo-footer = Pocket Budget gehört zur Demo von Countersign. Die Menschen, die Bank und das Geld sind erfunden.

## Die Konten.
demo-accounts = Ihre Konten
demo-accounts-lead = Ihre Konten bei { $bank }.
demo-hello = Guten Tag, { $name }
demo-hello-you = Guten Tag
demo-card = Kartennummer
demo-card-of = von { $account }
demo-transactions-of = Umsätze von { $account }
demo-balances-only = Sie teilen nur Kontostände. Um hier Umsätze zu sehen, teilen Sie sie bei { $bank } mit uns.
demo-share-more = Auch Umsätze teilen
demo-manage = Verwalten, was Sie bei { $bank } teilen
demo-sign-out = Hier und bei { $bank } abmelden
demo-disconnect = { $bank } trennen

## Was statt der Konten gesagt wird.
demo-again = Wieder verbinden
demo-denied = Es wurde nichts geteilt
demo-denied-text = Sie wollten nicht teilen, also hat { $bank } uns nichts gesagt. Sie können sie jederzeit verbinden.
demo-card-title = Die Nummer Ihrer Karte
demo-card-text = { $bank } zeigt sie uns, weil Sie sich mit einem Schlüssel ausgewiesen haben: { $number }
demo-stopped = Ihre Bank sagt, dass Sie nicht mehr teilen
demo-stopped-text = { $bank } zeigt uns Ihre Konten nicht mehr, und wir haben vergessen, was wir wussten. Verbinden Sie sie wieder, wenn Sie die Konten zurückhaben möchten.
demo-disconnected = Ihre Bank ist getrennt
demo-disconnected-text = Wir haben { $bank } unseren Zugang zurückgegeben. Wir sehen Ihre Konten nicht mehr.
demo-signed-out = Sie sind abgemeldet
demo-signed-out-text = Sie sind hier und bei { $bank } abgemeldet. Was Sie teilen, bleibt geteilt.
demo-not-shared = Ihre Konten sind nicht geteilt
demo-not-shared-text = { $bank } sagt, dass Sie Ihre Konten nicht mit uns teilen.
demo-late = Bitte beginnen Sie neu
demo-late-text = Diese Seite hat zu lange gewartet oder gehört zu einem anderen Tab. Es wurde nichts geteilt.
demo-late-again = Neu beginnen
demo-broken = Das hat nicht geklappt
demo-broken-text = Wir konnten das mit { $bank } nicht abschließen. Bitte versuchen Sie es in einer Minute noch einmal.
demo-broken-again = Noch einmal versuchen
demo-developer = Für die Entwicklung

## Was die drei Beteiligten voneinander wissen.
demo-strip = Was gerade geschehen ist
demo-strip-person = Die Person
demo-strip-subject = Subject
demo-strip-assurance = angemeldet als
demo-strip-app = Die App
demo-strip-client = Client
demo-strip-access-token = Access-Token
demo-strip-refresh-token = Refresh-Token
demo-strip-api = Die API
demo-strip-api-name = Konten-API
demo-strip-resource = Ressource
demo-strip-asks = sie fragt Countersign bei jedem Aufruf nach dem Token
demo-strip-scopes = Scopes
demo-strip-introspection = Die Antwort der Introspektion
demo-strip-not-asked = Die API hat noch nicht nach diesem Token gefragt.
demo-strip-audit = Die Zeile im Audit-Log

## Das Telefon.
demo-phone-codes = Codes
demo-phone-change = Die Codes wechseln innerhalb von { $seconds } Sekunden
demo-phone-spent = Dieser Code wurde benutzt. Jeder gilt einmal; der nächste kommt in { $seconds } s.
demo-phone-mailbox = Postfach
demo-phone-mailbox-note = Was die Bank per E-Mail schickt, kommt hier an; keine E-Mail verlässt diesen Rechner.
demo-phone-still = Öffnen Sie eine Seite, die stillsteht, um in Ruhe zu lesen und zu schreiben.
demo-phone-invitation = { $name }: Richten Sie Ihre Anmeldung ein
demo-phone-invited = Sie sind eingeladen. Der Link gilt einmal, innerhalb von 24 Stunden.
demo-phone-used = Diese Einladung wurde benutzt. Melden Sie sich als { $username } an.
demo-phone-set-up = Anmeldung von { $username } einrichten
demo-phone-to = An { $address }
demo-phone-text = Text
demo-phone-add = Konto hinzufügen
demo-phone-add-note = Dieses Telefon kann eine Authenticator-App vertreten: Fügen Sie den Schlüssel ein, der neben dem QR-Code steht.
demo-phone-name = Name
demo-phone-key = Schlüssel
demo-phone-add-this = Dieses Konto hinzufügen
demo-phone-another = Ein weiteres Konto
demo-phone-not-whole = Das ist kein ganzer Schlüssel. Kopieren Sie alle acht Gruppen zu vier Zeichen.
demo-phone-not-kept = Der Schlüssel konnte nicht behalten werden. Das Terminal sagt, warum.
