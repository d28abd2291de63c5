# Letzte Aktivitäten: was geschehen ist, wie es die Person liest.

activity-title = Letzte Aktivitäten
activity-all = Alle Aktivitäten
activity-reach = Was in den letzten 90 Tagen in Ihrem Konto geschehen ist.
activity-none = Hier gibt es nichts zu zeigen.

activity-invited = Wir haben eine Einladung für Sie erstellt
activity-activated = Sie haben Ihre Anmeldung eingerichtet
activity-disabled = Wir haben Ihr Konto gesperrt
activity-enabled = Wir haben Ihr Konto wieder geöffnet
activity-disputed = Sie haben gemeldet, dass Sie etwas nicht waren, und alles wurde angehalten
activity-password-changed = Sie haben Ihr Passwort geändert
activity-password-ended = Ihr Passwort wurde nach zu vielen falschen Versuchen gesperrt
activity-recovery-used = Ein Wiederherstellungscode wurde benutzt
activity-recovery-replaced = Sie haben Ihre Wiederherstellungscodes ersetzt
activity-change-refused = Jemand wollte in Ihrem Browser Ihr Konto ändern und wurde abgewiesen
activity-signed-in = Sie haben sich angemeldet: { $browser }
activity-signed-in-somewhere = Sie haben sich angemeldet
activity-sign-in-refused = Jemand wollte sich mit Ihrem Namen anmelden und wurde abgewiesen
activity-signed-out = Sie haben ein Gerät abgemeldet
activity-signed-out-everywhere = Sie haben sich überall abgemeldet
activity-session-ended = Wir haben ein Gerät abgemeldet
activity-shared = Sie haben { $app } Folgendes erlaubt:
activity-not-shared = Sie haben { $app } nichts erlaubt
activity-stopped = Sie haben das Teilen mit { $app } beendet
activity-disconnected = Wir haben das Teilen mit { $app } beendet
activity-key-reused = Wir haben den Zugriff von { $app } beendet: Etwas nur einmal Gültiges wurde zweimal benutzt
activity-something = In Ihrem Konto hat sich etwas geändert
