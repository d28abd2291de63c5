# Datum, Zeit und Anzahl. Die Leerzeichen darin sind geschützt.

## $month ist m1 bis m12.
month-name = { $month ->
     [m1] Januar
     [m2] Februar
     [m3] März
     [m4] April
     [m5] Mai
     [m6] Juni
     [m7] Juli
     [m8] August
     [m9] September
     [m10] Oktober
     [m11] November
    *[m12] Dezember
}

date-long = { $day }. { $month } { $year }
date-with-time = { $date }, { $time } Uhr (UTC)
just-now = gerade eben
minutes-ago = vor { $count } { $count ->
    [one] Minute
   *[other] Minuten
}
hours-ago = vor { $count } { $count ->
    [one] Stunde
   *[other] Stunden
}
seconds = { $count } { $count ->
    [one] Sekunde
   *[other] Sekunden
}
minutes = { $count } { $count ->
    [one] Minute
   *[other] Minuten
}
list-and = { $first } und { $last }

browser-on = { $program } auf { $system }
browser-unknown = Ein unbekannter Browser
