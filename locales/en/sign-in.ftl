# Signing in.

sign-in = Sign in
sign-in-title-for = Sign in to continue to { $app }
sign-in-for = to continue to { $app }
sign-in-username = User name
sign-in-password = Password
sign-in-code = Code
sign-in-code-hint = The 6 digits your authenticator app shows now, or a recovery code.
sign-in-cancel = Don’t continue; go back to { $app }
sign-in-missing = Please fill in your name, your password and a code.
sign-in-refused = These details don’t match. Check your password and enter a new code.
sign-in-blocked = There were too many attempts for this name, so we wait. Try again in { $wait }.
