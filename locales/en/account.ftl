# The account page.

account-title = Your account
account-hello = Hello, { $name }
account-apps = Connected apps
account-no-apps = No app can see your accounts. When you let one, it appears here, and you can stop it here.
account-stop = Stop sharing
account-stop-with = with { $app }
account-stopped = Sharing has stopped. The app can see nothing more.
account-devices = Where you are signed in
account-this-device = This device
account-signed-in = Signed in { $started } · last seen { $seen }
account-signed-in-at = { $device }, signed in { $started }
account-ended = That device is signed out.
account-ways = How you sign in
account-password = Password
account-app = Authenticator app
account-codes = Recovery codes

stop-title = Stop sharing with { $app }?
stop-what = From now on it can no longer do this:
stop-kept = What { $app } has already seen, it may still keep. Ask them if you want it deleted.
stop-back = Keep sharing; go back to your account
