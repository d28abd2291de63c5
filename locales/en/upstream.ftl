# Signing in through the institution's own provider.

upstream-or = or
upstream-sign-in = Sign in with { $name }
upstream-back = Back to sign-in
upstream-beside = One more step
upstream-beside-what = { $name } told us who you are. Now prove it with something of yours, too.
upstream-beside-refused = That code doesn’t fit. Enter a new one.
upstream-beside-missing = Please enter a code.
upstream-down = We can’t reach { $name } right now. Nothing was decided about you. Try again in a few minutes, or sign in another way.
upstream-declined = { $name } did not sign you in. Try again, or sign in another way.
upstream-wrong = The answer of { $name } is not the one that we waited for, so nothing was done. Try again, or sign in another way.
upstream-unlinked = What you have at { $name } is not linked with an account here. Sign in another way, then link it in your account under “How you sign in”.
upstream-taken = What you have at { $name } is linked with an account already. Remove that link first, or call us.
upstream-closed = What you have at { $name } opens nothing here. Sign in another way, or call us.
upstream-account = Sign-in with { $name }
upstream-account-not = not linked
upstream-account-link = Link
upstream-account-manage = Manage
upstream-link-what = When it is linked, you can sign in here through { $name }. All your other devices are signed out.
upstream-link-go = Go on to { $name }
upstream-link-then = Sign in at { $name }. Then you come back here, and it is linked.
upstream-linked = It is linked, and all other devices are signed out.
upstream-unlink = Remove the link with { $name }
upstream-unlink-what = { $name } opens nothing here any more then, and all your other devices are signed out. We ask who you are again first.
upstream-unlink-button = Remove the link
upstream-unlinked-done = The link is removed, and all other devices are signed out.
