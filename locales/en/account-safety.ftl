# What a person does on her account pages to stay safe.

account-agreed = You confirmed this on { $date }
account-since-until = Since { $since } · until { $until } at the latest
account-more-apps = All connected apps ({ $count } more)
account-more-sessions = All devices ({ $count } more)
account-sign-out-everywhere = Sign out everywhere, here too
account-app-since = Connected on { $since }
account-app-used = Connected on { $since } · last used on { $used }
account-codes-kept = { $count } left, made on { $made }
account-back = Back to your account
account-fill-in = Please fill in every field.
list-newest = Newest
list-newer = Newer
list-older = Older

## Asked again before a change.
proof-password = Current password
proof-weaker = You have a passkey or security key, so a code is not enough here: a false page could have taken it from you. Confirm with your passkey or security key, at the end of this form. If you have lost all of them, or blocked them lately, call us.
sign-in-away = You did not use your account pages for a while, so we ask you to sign in again.

change-password = Change password
change-password-what = We ask who you are again, so that nobody else can do this. All your other devices are signed out then. Apps stay connected, also while you are signed out; you can stop each on your account page.
change-password-save = Change password
change-password-same = This is your current password. Choose another one.
change-password-back = Keep your password; go back to your account
change-password-done = Your password is changed, and all other devices are signed out.

new-codes = New recovery codes
new-codes-what = We make ten new codes for you. The ones that you have now count until you have saved the new ones; then they are worth nothing.
new-codes-make = Make new codes
new-codes-keep = Keep the old codes; go back to your account
new-codes-save = Save your new recovery codes
new-codes-save-what = Print this page, or copy the codes to a password manager or onto paper. The old codes count until you type one of these.
new-codes-use = Use the new codes
new-codes-done = Your new recovery codes count from now on. The old ones are worth nothing.

not-me = This wasn’t me
not-me-question = Is something here not yours?
not-me-offer = If you did not do something that you see here, tell us. We stop everything at once.
not-me-then = When you confirm it, we stop everything at once:
not-me-devices = Every device is signed out, this one too, and we forget that we know your devices.
not-me-apps = Every app loses its access until you sign in with it again.
not-me-linked = What you have at { $name } no longer opens your account. You can link it again.
not-me-again = You can sign in again at any time.
not-me-suspects = These apps were connected lately. When you sign in with them again, the ticked ones ask you anew what they may see. Untick those that you trust.
not-me-keys = These ways to sign in were added lately. The ticked ones will open nothing any more; the last way to sign in that you have always stays. Untick those that you added.
not-me-added = Added on { $date }
not-me-connected = Connected on { $date }
not-me-yes = Stop everything
not-me-no = It was me; go back to your account
disputed = Everything is stopped
disputed-what = Every device is signed out, and no app can see anything.
disputed-still-open = One way to sign in that you ticked still opens your account, because you have no other. Call us now: we replace it.
disputed-now = What to do now
disputed-call = Call us:
disputed-call-us = Call us at the number on your card or your letters.
disputed-password = Sign in on a device that you trust, and change your password.
disputed-invitation = If somebody else may have your phone or your recovery codes, tell us on the phone. We then stop this sign-in at once. When you have shown us who you are, two of our staff let you set up a new one.
