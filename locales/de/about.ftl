# Sind das wirklich wir?

about-what = Zwei Dinge zeigen, dass eine Seite zu { $institution } gehört. Prüfen Sie sie, wann immer Sie sich anmelden sollen.
about-address = Die Adresse
about-address-begins = Die Adresse oben in Ihrem Browser beginnt genau so:
about-address-match = Der fette Teil muss Buchstabe für Buchstabe stimmen und dort enden, oder es folgt ein Schrägstrich. Steht davor oder danach etwas anderes, gehört die Seite jemand anderem.
about-certificate = Das Zertifikat
about-certificate-check = Wählen Sie das Symbol neben der Adresse. Ihr Browser sollte sagen, dass die Verbindung sicher ist und das Zertifikat für { $host } gilt. Wenn er Sie warnt, machen Sie nicht weiter.
about-certificate-demo = Dies ist eine Vorführung auf Ihrem eigenen Rechner. Sie hat kein Zertifikat, und nichts, was Sie eingeben, verlässt diesen Rechner. Ein echter Dienst hat immer eines.
about-never = Was wir nie tun
about-never-ask = Wir fragen nie am Telefon, per Post oder in einer Nachricht nach Ihrem Passwort, einem Code oder einem Wiederherstellungscode.
about-doubt-call = Wenn es jemand getan hat oder Sie unsicher sind, schließen Sie diese Seite und rufen Sie uns an:
about-doubt-card = Wenn es jemand getan hat oder Sie unsicher sind, schließen Sie diese Seite und rufen Sie die Nummer auf Ihrer Bankkarte oder Ihrem Kontoauszug an.
