# Is this really us?

about-what = Two things show that a page belongs to { $institution }. Check them whenever you are asked to sign in.
about-address = The address
about-address-begins = The address at the top of your browser begins with exactly this:
about-address-match = The part in bold must match letter for letter and end there, or be followed by a slash. Anything before or after it makes it someone else’s.
about-certificate = The certificate
about-certificate-check = Choose the symbol beside the address. Your browser should say that the connection is secure and that the certificate is valid for { $host }. If it warns you, do not go on.
about-certificate-demo = This is a demonstration on your own computer. It has no certificate, and nothing you type leaves this machine. A real service always has one.
about-never = What we never do
about-never-ask = We never ask for your password, a code or a recovery code by phone, mail or message.
about-doubt-call = If someone did, or you are in doubt, close this page and call us:
about-doubt-card = If someone did, or you are in doubt, close this page and call the number on your bank card or statement.
