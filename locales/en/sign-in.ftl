# Signing in.

sign-in = Sign in
sign-in-title-for = Sign in to continue to { $app }
sign-in-for = to continue to { $app }
sign-in-username = User name
sign-in-password = Password
show-password = Show password
sign-in-code = Code
sign-in-code-hint = The 6 digits your authenticator app shows now, or a recovery code.
sign-in-cancel = Don’t continue; go back to { $app }
sign-in-missing = Please fill in your name, your password and a code.
sign-in-refused = These details don’t match. Check your password and enter a new code.
sign-in-blocked = There were too many attempts for this name, so we wait. Try again in { $wait }.

sign-in-with-passkey = Sign in with a passkey
sign-in-or = or with your password
sign-in-with-key = Use a security key in place of the code
sign-in-passkey-instead = Use a passkey instead
passkey-failed = No passkey or security key answered. Try again, or go on with your password and a code.
passkey-late = That took more than five minutes, so the question was over. Nothing was changed. Try again, and we ask anew.
passkey-refused = That passkey does not open anything here. Try another one, or go on with your password and a code.

## More proof than the sign-in gave.
step-up-title = One more step
step-up-what = For this we ask for a passkey or a security key, because no false page can take it from you.
step-up-passkey = Use a passkey
step-up-key = Use a security key
step-up-needs-script = This step needs JavaScript. Switch it on for this page.
step-up-none = You have none yet?
