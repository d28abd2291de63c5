# Setting up a sign-in: three steps.

activate-title = Set up your sign-in
activate-welcome = Welcome, { $name }
activate-invited = { $institution } invites you to set up your sign-in. It takes about five minutes, in three steps:
activate-step-password = Choose a password
activate-step-factor = Create a passkey, or connect an authenticator app on your phone
activate-step-codes = Save your recovery codes
activate-once = This invitation works once, until { $until }. If you did not expect it, close this page; nothing happens.
activate-begin = Begin

activate-progress-label = Setting up your sign-in
activate-progress = Step { $step } of 3

activate-password = Choose a password
activate-username = Your user name
activate-username-hint = You sign in with this name. It cannot be changed here.
activate-new-password = New password
activate-new-password-hint = At least 12 characters. Several unrelated words make a good one; spaces are fine.
activate-repeat = The same password again
activate-save-password = Save password
activate-password-weak = Please choose another password.
activate-passwords-differ = The two passwords differ.
activate-passwords-differ-hint = Type the same password in both fields.

activate-factor = Choose your second factor
activate-passkey = A passkey
activate-passkey-what = You sign in with your fingerprint, your face or the PIN of your device, without password and code. No false page can take it from you.
activate-passkey-create = Create a passkey
activate-passkey-not-taken = This passkey could not be used. Try again, or connect an authenticator app.
activate-or-app = Or an authenticator app
activate-app = Connect your authenticator app
activate-app-what = The app on your phone shows a new code every 30 seconds. You need one each time you sign in.
activate-app-add = 1. Add this account
activate-app-scan = In the app, choose “add account” and scan this picture.
activate-app-picture = QR code with the key for your authenticator app. The same key is written below.
activate-app-same-phone = Reading this on that phone?
activate-app-open = Add the account here
activate-app-type = Type the key instead
activate-app-account = Account
activate-app-key = Key
activate-app-kind = Kind
activate-app-time-based = Time-based
activate-app-test = 2. Test it
activate-app-code = Code from the app
activate-app-code-hint = The 6 digits it shows now.
activate-app-connect = Connect app
activate-app-wrong = That code doesn’t match.
activate-app-wrong-hint = Enter the six digits that the app shows now. If they never match, check that the clock of your phone is set automatically.

activate-codes = Save your recovery codes
activate-codes-what = If your phone is lost, you sign in with your password and one of these. Each works once. We show them only now: print this page, or copy them to a password manager or onto paper.
activate-codes-for = Recovery codes for { $name }
activate-codes-print = Each works once, in place of a code. Keep them where only you can find them. We never ask for them by phone, mail or message.
activate-codes-confirm = Type code number { $number }
activate-codes-confirm-hint = So that we know they are saved. It stays usable.
activate-codes-finish = Finish set-up
activate-codes-wrong = That is not the code we asked for.
activate-codes-wrong-hint = Type the code with the number shown, from the list you saved.

activate-done = Your sign-in is ready
activate-done-what = From now on you sign in with what you have just set up. Keep your recovery codes where only you can find them.
activate-done-never = We never ask for your password or a code by phone, mail or message.
activate-done-account = Go to your account

activate-over = This invitation can’t be used
activate-over-what = It was used already, it is too old, or a newer one was sent.
activate-over-todo = Ask us for a new invitation. If you already set up your account, sign in.
