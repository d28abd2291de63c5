"""What apps with a key of their own share (private_key_jwt): the bank, the key, and how they prove that
they hold it.

    ISSUER=https://login.bank.example KEY=./private-key.jwk.json
"""

import json
import os
import time
from pathlib import Path

import requests
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

ISSUER = os.environ["ISSUER"]
bank = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()
assert bank["issuer"] == ISSUER

# A private key as a JWK; its public half is registered with the bank.
jwk = json.loads(Path(os.environ["KEY"]).read_text())
key = ECKey.import_key(jwk)


class Assertion(PrivateKeyJWT):
    """An assertion for this bank: good for a minute (Authlib's own hour is refused), once."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 60}
        # The audience is the issuer, whatever is asked.
        return super().sign(auth, ISSUER)


assertion = Assertion(alg="ES256", headers={"kid": jwk["kid"]})
