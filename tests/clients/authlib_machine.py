"""A partner's job with a key of its own (private_key_jwt): no person, no shared secret.

    ISSUER=https://login.bank.example CLIENT_ID=… KEY=./private-key.jwk.json \\
    API=https://api.bank.example/accounts SCOPE=accounts:read python authlib_machine.py
"""

import os

from authlib.integrations.requests_client import OAuth2Session

from authlib_key import assertion, bank, key

session = OAuth2Session(
    os.environ["CLIENT_ID"],
    key,
    token_endpoint_auth_method="private_key_jwt",
    scope=os.environ["SCOPE"],
)
session.register_client_auth_method(assertion)
session.fetch_token(bank["token_endpoint"], grant_type="client_credentials")
print(session.get(os.environ["API"]).text)
