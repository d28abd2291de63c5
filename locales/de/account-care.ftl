# Was eine Person mit ihrem Konto als Ganzem tut.

app-replace = App ersetzen
app-connect = App verbinden
app-new = Eine andere Authenticator-App verbinden
app-new-what = Was Sie jetzt haben, gilt, bis Sie einen Code der neuen App eingeben. Danach sind Codes der alten App wertlos, und alle Ihre anderen Geräte sind abgemeldet.
app-new-make = Weiter
app-new-keep = Behalten, was Sie haben; zurück zu Ihrem Konto
app-new-done = Ihre neue Authenticator-App gilt ab jetzt, und alle anderen Geräte sind abgemeldet.

your-data = Ihre Daten
data-download = Meine Daten herunterladen
data-what = Sie bekommen eine Datei (JSON) mit dem, was wir hier über Sie speichern: wer Sie sind, wie Sie sich anmelden, wo Sie angemeldet sind, welche Apps Sie verbunden haben, und was in den letzten 90 Tagen geschah. Passwörter, Schlüssel und Codes sind nicht darin.
data-kept = Bewahren Sie die Datei dort auf, wo nur Sie sie lesen können.
close-access = Meinen Zugang schließen
close-what = Wenn Ihr Zugang geschlossen ist, können Sie sich hier nicht mehr anmelden, jede App verliert ihren Zugriff, und wir löschen aus diesem System, wer Sie sind. Was wir über das Geschehene aufbewahren müssen, bewahren wir auf. Ihre Konten bei uns werden dadurch nicht geschlossen.
close-decide = Wir prüfen Ihren Wunsch und entscheiden darüber. Bis dahin geht alles weiter wie bisher, und Sie können ihn zurücknehmen.
close-ask = Um Schließung meines Zugangs bitten
close-asked = Sie haben am { $date } darum gebeten, Ihren Zugang zu schließen. Wir haben noch nicht entschieden.
close-take-back = Zurücknehmen
close-noted = Wir haben Ihren Wunsch, Ihren Zugang zu schließen. Bis wir entscheiden, können Sie ihn zurücknehmen.
close-taken-back = Ihr Zugang bleibt offen.

recovery-standing = Für Ihr Konto wurde eine neue Anmeldung verlangt
recovery-standing-what = Unsere Mitarbeitenden wurden gebeten, Sie Ihre Anmeldung neu einrichten zu lassen, weil Sie Ihr Passwort oder Ihr Telefon verloren haben. Das ist ab { $until } möglich. Wenn Sie nicht darum gebeten haben, brechen Sie es ab.
recovery-standing-approved = Zwei unserer Mitarbeitenden haben genehmigt, dass Sie Ihre Anmeldung neu einrichten. Wer den Link hat, den sie übergeben, wird zu Ihnen. Wenn Sie nicht darum gebeten haben, brechen Sie es jetzt ab.
recovery-cancel = Abbrechen
recovery-cancelled = Es ist abgebrochen: Niemand kann Ihre Anmeldung neu einrichten.

address-title = Ihre E-Mail-Adresse
address-what = Wir schreiben Ihnen an { $address } und wissen noch nicht, ob Sie das lesen. Wir können Ihnen einen Link schicken, der die Adresse bestätigt.
address-confirm = Diese Adresse bestätigen
address-sent = Wir haben einen Link an Ihre E-Mail-Adresse geschickt. Er gilt eine Stunde.
address-lately = Wir haben Ihnen schon einen Link geschickt. Suchen Sie die Mail, auch im Ordner für unerwünschte Mails, oder versuchen Sie es später noch einmal.
address-question = Ist { $address } Ihre E-Mail-Adresse? Dann bestätigen Sie sie.
address-confirmed = Ihre E-Mail-Adresse ist bestätigt.
address-over = Dieser Link gilt nicht
address-over-what = Er gilt einmal, eine Stunde lang, und nur für die Person und die Adresse, an die er ging; ein neuerer Link beendet ihn. Wenn Ihre Adresse noch zu bestätigen ist, verlangen Sie in Ihrem Konto einen neuen Link.
