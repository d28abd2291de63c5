# Pocket Budget, the partner app of the demo.

demo-home = Know what you can spend
demo-home-lead = Pocket Budget shows what is in your accounts, in one place. Your password stays between you and your bank.
demo-connect = Connect your bank
demo-connect-note = You go to { $bank }, sign in there, and choose what we may see.
demo-phone = The demo’s phone
demo-footer = Pocket Budget is part of the Countersign demo. The people, the bank and the money are invented.

## The accounts.
demo-accounts = Your accounts
demo-accounts-lead = Your accounts at { $bank }.
demo-hello = Hello, { $name }
demo-hello-you = Hello
demo-card = Card number
demo-card-of = of { $account }
demo-transactions-of = Transactions of { $account }
demo-balances-only = You share balances only. To see transactions here, share them with us at { $bank }.
demo-share-more = Share transactions, too
demo-manage = Manage what you share at { $bank }
demo-sign-out = Sign out here and at { $bank }
demo-disconnect = Disconnect { $bank }

## What is told instead of accounts.
demo-again = Connect again
demo-denied = Nothing was shared
demo-denied-text = You chose not to share, so { $bank } told us nothing. You can connect it whenever you like.
demo-card-title = The number of your card
demo-card-text = { $bank } shows it to us because you proved who you are with a key: { $number }
demo-stopped = Your bank says you stopped sharing
demo-stopped-text = { $bank } no longer shows us your accounts, and we have forgotten what we knew. Connect it again if you want them back.
demo-disconnected = Your bank is disconnected
demo-disconnected-text = We gave our access back to { $bank }. We can no longer see your accounts.
demo-signed-out = You are signed out
demo-signed-out-text = You are signed out here and at { $bank }. What you share stays shared.
demo-not-shared = Your accounts are not shared
demo-not-shared-text = { $bank } says that you do not share your accounts with us.
demo-late = Please start again
demo-late-text = This page waited too long, or belongs to another tab. Nothing was shared.
demo-late-again = Start again
demo-broken = That did not work
demo-broken-text = We could not finish this with { $bank }. Please try again in a minute.
demo-broken-again = Try again
demo-developer = For the developer

## What the three parties know of one another.
demo-strip = What just happened
demo-strip-person = The person
demo-strip-subject = subject
demo-strip-assurance = signed in as
demo-strip-app = The app
demo-strip-client = client
demo-strip-access-token = access token
demo-strip-refresh-token = refresh token
demo-strip-api = The API
demo-strip-api-name = Accounts API
demo-strip-resource = resource
demo-strip-asks = it asks Countersign about the token of every call
demo-strip-scopes = Scopes
demo-strip-introspection = The introspection answer
demo-strip-not-asked = The API has not asked about this token.
demo-strip-audit = The audit line

## The phone.
demo-phone-codes = Codes
demo-phone-change = The codes change within { $seconds } seconds
demo-phone-spent = This code was used. Each is good once; the next one comes in { $seconds } s.
demo-phone-mailbox = Mailbox
demo-phone-mailbox-note = What the bank sends by mail comes here; no mail leaves this machine.
demo-phone-still = Open a page that stands still, to read and type in peace.
demo-phone-invitation = { $name }: set up your sign-in
demo-phone-invited = You are invited. The link works once, within 24 hours.
demo-phone-used = This invitation was used. Sign in as { $username }.
demo-phone-set-up = Set up { $username }’s sign-in
demo-phone-to = To { $address }
demo-phone-text = Text
demo-phone-add = Add an account
demo-phone-add-note = This phone can stand in for an authenticator app: paste the key that is shown beside the QR code.
demo-phone-name = Name
demo-phone-key = Key
demo-phone-add-this = Add this account
demo-phone-another = Another account
demo-phone-not-whole = This is not a whole key. Copy all eight groups of four characters.
demo-phone-not-kept = The key could not be kept. The terminal says why.
