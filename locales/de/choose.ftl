# Eine App fragt, wer von mehreren Personen fortfährt.

choose-title = Wer meldet sich bei { $app } an?
choose-signed-in = Sie sind als { $name } ({ $username }) angemeldet.
choose-go-on = Als { $name } fortfahren
choose-other = Als andere Person anmelden
choose-cancel = Nicht fortfahren; zurück zu { $app }
