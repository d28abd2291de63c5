# Wenn jemand zu oft kommt.

limits-title = Bitte warten Sie einen Moment
limits-what = Aus Ihrem Netz kamen viele Anfragen auf einmal; deshalb warten wir, bevor wir weitere annehmen. Es wurde nichts geändert.
limits-todo = Versuchen Sie es in { $wait } noch einmal.
limits-sign-ins = Aus Ihrem Netz sind zu viele Anmeldungen fehlgeschlagen; deshalb warten wir. Versuchen Sie es in { $wait } noch einmal.
