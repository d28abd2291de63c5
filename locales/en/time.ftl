# Dates, times and counts. The spaces inside are no-break spaces.

## $month is m1 to m12.
month-name = { $month ->
     [m1] January
     [m2] February
     [m3] March
     [m4] April
     [m5] May
     [m6] June
     [m7] July
     [m8] August
     [m9] September
     [m10] October
     [m11] November
    *[m12] December
}

date-long = { $day } { $month } { $year }
date-with-time = { $date }, { $time } UTC
just-now = just now
minutes-ago = { $count } { $count ->
    [one] minute
   *[other] minutes
} ago
hours-ago = { $count } { $count ->
    [one] hour
   *[other] hours
} ago
seconds = { $count } { $count ->
    [one] second
   *[other] seconds
}
minutes = { $count } { $count ->
    [one] minute
   *[other] minutes
}
list-and = { $first } and { $last }

browser-on = { $program } on { $system }
browser-unknown = An unknown browser
