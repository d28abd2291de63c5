# Abmelden.

sign-out = Abmelden
sign-out-title = Abmelden?
sign-out-as = Sie sind angemeldet als { $name }.
sign-out-asked = { $app } bittet darum, Sie auch hier abzumelden.
sign-out-apps = Apps, mit denen Sie Konten teilen, bleiben verbunden.
sign-out-stay = Angemeldet bleiben
signed-out = Sie sind abgemeldet
signed-out-what = Niemand kann in diesem Browser Ihr Konto sehen.
signed-out-again = Wieder anmelden
