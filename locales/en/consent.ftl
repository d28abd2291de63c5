# What an app asks for.

consent-share = Share { $things }
consent-share-with = Share { $things } with { $app }?
consent-do-not-share = Don’t share
consent-confirm-for = Confirm this for { $app }?
consent-confirm = Confirm
consent-do-not-confirm = Don’t confirm
consent-nothing = nothing
consent-marked = What { $app } wrote is marked.
consent-sign-in-to = Sign in to { $app }?
consent-continue = Continue
consent-do-not-continue = Don’t continue
consent-company = Company
consent-licence = Licence
consent-country = Data kept in
consent-website = Website
consent-contact = Contact
consent-more = More
consent-policy = Privacy policy
consent-terms = Terms
consent-asks = What { $app } asks for
consent-choice = Your choice
consent-already = Already shared
consent-no-money = It cannot move money or change anything
consent-no-more = It gets nothing that is not listed here
consent-no-password = It never sees your password
consent-until = This lasts until you stop it, at the latest { $date }. You can stop this any time under Connected apps.
consent-next = Next you go to { $host }.
consent-signed-in-as = Signed in as { $name }.
consent-switch = Not you?

## What the server itself lets an app do.

scope-openid = Recognise you when you come back
scope-profile = See your name and profile
scope-email = See your e-mail address
scope-address = See your postal address
scope-phone = See your phone number
scope-offline-access = Keep access when you are not using the app
