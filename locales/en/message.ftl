# Pages that tell one thing: what happened, what to do, the reference number.

message-reference = Reference
message-developers = For developers

foreign-form = This form came from somewhere else
foreign-form-what = We accept this only from our own page, and nothing was changed.
foreign-form-todo = Open the page again from our address and repeat what you did.

bad-request = This link does not work
bad-request-what = The app that sent you here made a mistake, so we stopped. Nothing was shared.
bad-request-todo = Go back to the app and start again. If it happens again, tell the app’s makers.

unavailable = We can’t do this right now
unavailable-what = This is our fault, and nothing was changed.
unavailable-todo = Please try again in a few minutes.

too-large = That was too much
too-large-what = More was sent than we accept (64 KiB), so we stopped.
too-slow = That took too long
too-slow-what = What you sent did not arrive in time, so we stopped. Please try again.

link-over = This link is over
link-over-what = It was opened before, or it waited too long. Nothing was shared.
link-over-todo = Go back to the app and start again.

gone = This page waited too long
gone-what = It was already answered, or its time is over. Nothing more was shared or paid.
gone-todo = Go back to where you came from and start again.

wrong-host = Wrong address
wrong-host-what = This server answers as { $issuer } only, and was asked for under another name.
wrong-host-todo = Check the address in your browser.

not-found = There is no such page
not-found-what = The address may be mistyped or old.
not-found-todo = Check the address, or start at your account page.

wrong-method = That cannot be done here
wrong-method-what = This address was asked for something it does not do. Nothing was changed.
wrong-method-todo = Go back to the page before and use its buttons, or start at your account page.

return-title = Back to { $app }
return-what = If it does not open by itself, choose Continue.
return-continue = Continue
