# What a person does with her account as a whole.

app-replace = Replace the app
app-connect = Connect an app
app-new = Connect another authenticator app
app-new-what = What you have now counts until you type a code of the new app. Then codes of the old app are worth nothing, and all your other devices are signed out.
app-new-make = Go on
app-new-keep = Keep what you have; go back to your account
app-new-done = Your new authenticator app counts from now on, and all other devices are signed out.

your-data = Your data
data-download = Download my data
data-what = You get a file (JSON) with what we store about you here: who you are, how you sign in, where you are signed in, which apps you connected, and what happened in the last 90 days. Passwords, keys and codes are not in it.
data-kept = Keep the file where only you can read it.
close-access = Close my access
close-what = When your access is closed, you cannot sign in here any more, every app loses its access, and we delete who you are from this system. What the law obliges us to keep about what happened, we keep. Your accounts with us are not closed by it.
close-decide = We look at your request and decide about it. Until then everything goes on as it is, and you can take it back.
close-ask = Ask to close my access
close-asked = You asked on { $date } to close your access. We have not decided yet.
close-take-back = Take it back
close-noted = We have your request to close your access. You can take it back until we decide.
close-taken-back = Your access stays open.

recovery-standing = Someone asked for a new sign-in to your account
recovery-standing-what = Our staff were asked to let you set up your sign-in anew, because you lost your password or your phone. It can happen from { $until } on. If you did not ask for it, cancel it.
recovery-standing-approved = Two of our staff approved that you set up your sign-in anew. Whoever has the link that they hand over becomes you. If you did not ask for it, cancel it now.
recovery-cancel = Cancel it
recovery-cancelled = It is cancelled: nobody can set up your sign-in anew.

address-title = Your e-mail address
address-what = We write to { $address }, and do not know yet whether you read it. We can send you a link that confirms it.
address-confirm = Confirm this address
address-sent = We sent a link to your e-mail address. It works for an hour.
address-lately = We sent you a link already. Look for the mail, also in the folder for unwanted mail, or try again later.
address-question = Is { $address } your e-mail address? Then confirm it.
address-confirmed = Your e-mail address is confirmed.
address-over = This link is not good
address-over-what = It works once, for an hour, and only for the person and the address it was sent to; a newer link ends it. If your address is still to be confirmed, ask for another link in your account.
