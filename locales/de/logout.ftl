# Abmelden, weil eine App darum bittet.

logout-asked = Eine Website bittet darum, Sie hier abzumelden.
logout-failed = Dieser Link zum Abmelden funktioniert nicht
logout-failed-what = Die App, die Sie hierher geschickt hat, hat einen Fehler gemacht, darum haben wir angehalten. Sie sind hier nicht abgemeldet.
logout-failed-todo = Sie können sich hier selbst abmelden.
