# Seiten, die eines sagen: was geschehen ist, was zu tun ist, die Kennung.

message-reference = Vorgangsnummer
message-developers = Für Entwickler

foreign-form = Dieses Formular kam von anderswo
foreign-form-what = Wir nehmen das nur von unserer eigenen Seite an; es wurde nichts geändert.
foreign-form-todo = Öffnen Sie die Seite noch einmal unter unserer Adresse und wiederholen Sie, was Sie getan haben.

bad-request = Dieser Link funktioniert nicht
bad-request-what = Die App, die Sie hierher geschickt hat, hat einen Fehler gemacht; darum haben wir angehalten. Es wurde nichts geteilt.
bad-request-todo = Gehen Sie zur App zurück und beginnen Sie von vorn. Wenn es wieder geschieht, sagen Sie es dem Hersteller der App.

unavailable = Das geht gerade nicht
unavailable-what = Das liegt an uns; es wurde nichts geändert.
unavailable-todo = Bitte versuchen Sie es in einigen Minuten noch einmal.

too-large = Das war zu viel
too-large-what = Es wurde mehr gesendet, als wir annehmen (64 KiB); darum haben wir angehalten.
too-slow = Das hat zu lange gedauert
too-slow-what = Was Sie gesendet haben, kam nicht rechtzeitig an; darum haben wir angehalten. Bitte versuchen Sie es noch einmal.

link-over = Dieser Link gilt nicht mehr
link-over-what = Er wurde schon geöffnet, oder er hat zu lange gewartet. Es wurde nichts geteilt.
link-over-todo = Gehen Sie zur App zurück und beginnen Sie von vorn.

gone = Diese Seite hat zu lange gewartet
gone-what = Sie wurde schon beantwortet, oder ihre Zeit ist vorbei. Es wurde nichts weiter geteilt oder bezahlt.
gone-todo = Gehen Sie dorthin zurück, woher Sie kamen, und beginnen Sie von vorn.

wrong-host = Falsche Adresse
wrong-host-what = Dieser Server antwortet nur als { $issuer } und wurde unter einem anderen Namen gefragt.
wrong-host-todo = Prüfen Sie die Adresse in Ihrem Browser.

not-found = Diese Seite gibt es nicht
not-found-what = Die Adresse ist vielleicht falsch eingegeben oder alt.
not-found-todo = Prüfen Sie die Adresse, oder beginnen Sie auf Ihrer Kontoseite.

wrong-method = Das geht hier nicht
wrong-method-what = Diese Adresse wurde um etwas gebeten, das sie nicht tut. Es wurde nichts geändert.
wrong-method-todo = Gehen Sie auf die Seite davor zurück und benutzen Sie deren Schaltflächen, oder beginnen Sie auf Ihrer Kontoseite.

return-title = Zurück zu { $app }
return-what = Wenn es nicht von selbst weitergeht, wählen Sie „Weiter“.
return-continue = Weiter
