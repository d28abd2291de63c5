# An app asks who of several people goes on.

choose-title = Who signs in to { $app }?
choose-signed-in = You are signed in as { $name } ({ $username }).
choose-go-on = Go on as { $name }
choose-other = Sign in as somebody else
choose-cancel = Don’t continue; go back to { $app }
