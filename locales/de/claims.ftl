# Was eine App über eine Person erfahren darf, einzeln: Zeilen der Zustimmungs- und der Kontoseite.

claim-name = Ihren vollen Namen sehen
claim-family-name = Ihren Nachnamen sehen
claim-given-name = Ihren Vornamen sehen
claim-middle-name = Ihren zweiten Vornamen sehen
claim-nickname = Ihren Rufnamen sehen
claim-preferred-username = Den Kurznamen sehen, den Sie gern verwenden
claim-profile = Die Adresse Ihrer Profilseite sehen
claim-picture = Ihr Bild sehen
claim-website = Die Adresse Ihrer Website sehen
claim-gender = Ihr Geschlecht sehen
claim-birthdate = Ihr Geburtsdatum sehen
claim-zoneinfo = Ihre Zeitzone sehen
claim-locale = Ihre Sprache sehen
claim-updated-at = Sehen, wann sich Ihre Angaben zuletzt geändert haben
claim-email = Ihre E-Mail-Adresse sehen
claim-email-verified = Sehen, ob Ihre E-Mail-Adresse geprüft wurde
claim-address = Ihre Postanschrift sehen
claim-phone-number = Ihre Telefonnummer sehen
claim-phone-number-verified = Sehen, ob Ihre Telefonnummer geprüft wurde
