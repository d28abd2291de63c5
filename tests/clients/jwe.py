"""Encrypted tokens as PyPI's joserfc reads and writes them: opens those of the file TOKENS, and
encrypts a text to each key of KEYS. Prints what was inside, and the new tokens, as JSON."""

import json
import os

from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey


def read(name):
    with open(os.environ[name], encoding="utf-8") as file:
        return json.load(file)


def kind(alg):
    return RSAKey if alg.startswith("RSA") else ECKey


NAMES = ["ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256", "A256GCM", "A128GCM"]

opened = []
for one in read("TOKENS"):
    key = kind(one["alg"]).import_key(one["pem"])
    found = jwe.decrypt_compact(one["token"], key, algorithms=NAMES)
    opened.append({"text": found.plaintext.decode(), "header": found.headers()})

sealed = []
for one in read("KEYS"):
    alg, enc = one["alg"], one["enc"]
    key = kind(alg).import_key(one["jwk"])
    header = {"alg": alg, "enc": enc, "kid": one["jwk"]["kid"], "cty": "JWT"}
    sealed.append(jwe.encrypt_compact(header, f"for {alg} with {enc}".encode(), key, algorithms=NAMES))

print(json.dumps({"opened": opened, "sealed": sealed}))
