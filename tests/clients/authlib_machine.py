"""A partner's job with a key of its own (private_key_jwt): no person, no shared secret.

    ISSUER=https://login.bank.example CLIENT_ID=… KEY=./private-key.jwk.json \\
    API=https://api.bank.example/accounts SCOPE=accounts:read python authlib_machine.py
"""

import json
import os
import time
from pathlib import Path

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

ISSUER = os.environ["ISSUER"]
bank = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()
assert bank["issuer"] == ISSUER

# A private key as a JWK; its public half is registered with the bank.
jwk = json.loads(Path(os.environ["KEY"]).read_text())


class Assertion(PrivateKeyJWT):
    """An assertion for this bank: good for a minute (Authlib's own hour is refused), once."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 60}
        # The audience is the issuer, not the token endpoint.
        return super().sign(auth, ISSUER)


session = OAuth2Session(
    os.environ["CLIENT_ID"],
    ECKey.import_key(jwk),
    token_endpoint_auth_method="private_key_jwt",
    scope=os.environ["SCOPE"],
)
session.register_client_auth_method(
    Assertion(alg="ES256", headers={"kid": jwk["kid"]})
)
session.fetch_token(bank["token_endpoint"], grant_type="client_credentials")
print(session.get(os.environ["API"]).text)
