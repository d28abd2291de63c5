# Warum ein neues Passwort abgelehnt wird: was nicht stimmt, dann was zu tun ist.

password-too-short = Dieses Passwort ist zu kurz. Nehmen Sie mindestens 12 Zeichen; gut sind vier Wörter, die nichts miteinander zu tun haben.
password-too-long = Dieses Passwort ist zu lang. Nehmen Sie höchstens 128 Zeichen.
password-common = Dieses Passwort steht auf Listen, die Angreifer zuerst probieren. Wählen Sie eines, das nur Ihnen gehört.
password-personal = Dieses Passwort ähnelt Ihrem Namen oder unserem. Wählen Sie Wörter, die nichts mit Ihnen oder uns zu tun haben.
password-nearly-common = Dieses Passwort ähnelt einem, das Angreifer zuerst probieren. Einzelne Zeichen zu ändern hilft wenig; fügen Sie ein, zwei Wörter hinzu.
password-one-word = Ein einzelnes Wort ist leicht zu erraten. Fügen Sie zwei oder drei Wörter hinzu, die nichts damit zu tun haben.
password-names = Namen sind leicht zu erraten. Fügen Sie zwei oder drei Wörter hinzu, die keine Namen sind.
password-repeats = Wiederholte Zeichen sind leicht zu erraten. Nehmen Sie stattdessen verschiedene Wörter.
password-sequence = Reihen wie abc oder 6543 sind leicht zu erraten. Nehmen Sie stattdessen einige Wörter, die nichts miteinander zu tun haben.
password-keyboard = Benachbarte Tasten sind leicht zu erraten. Nehmen Sie stattdessen einige Wörter, die nichts miteinander zu tun haben.
password-date = Daten und Jahre sind leicht zu erraten. Nehmen Sie stattdessen einige Wörter, die nichts miteinander zu tun haben.
password-guessable = Dieses Passwort ist leicht zu erraten. Fügen Sie ein, zwei Wörter hinzu; ungewöhnliche sind besser.
