# Die Kontoseite.

account-title = Ihr Konto
account-hello = Guten Tag, { $name }
account-apps = Verbundene Apps
account-no-apps = Keine App kann Ihre Konten sehen. Wenn Sie es einer erlauben, erscheint sie hier, und Sie können es hier beenden.
account-stop = Teilen beenden
account-stop-with = mit { $app }
account-stopped = Das Teilen ist beendet. Die App sieht nichts mehr.
account-devices = Wo Sie angemeldet sind
account-this-device = Dieses Gerät
account-signed-in = Angemeldet am { $started } · zuletzt gesehen: { $seen }
account-signed-in-at = { $device }, angemeldet am { $started }
account-ended = Dieses Gerät ist abgemeldet.
account-ways = Wie Sie sich anmelden
account-password = Passwort
account-app = Authenticator-App
account-codes = Wiederherstellungscodes

stop-title = Teilen mit { $app } beenden?
stop-what = Das ist von jetzt an nicht mehr möglich:
stop-kept = Was { $app } schon gesehen hat, kann dort noch gespeichert sein. Fragen Sie dort, wenn Sie es gelöscht haben möchten.
stop-back = Weiter teilen; zurück zu Ihrem Konto
