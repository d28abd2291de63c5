# Signing out.

sign-out = Sign out
sign-out-title = Sign out?
sign-out-as = You are signed in as { $name }.
sign-out-asked = { $app } asks to sign you out here too.
sign-out-apps = Apps you share accounts with stay connected.
sign-out-stay = Stay signed in
signed-out = You are signed out
signed-out-what = Nobody can use this browser to see your account.
signed-out-again = Sign in again
