"""A partner's web app by FAPI 2.0 with Flask and Authlib: no secret, requests pushed, tokens bound to
a key. Authlib makes no DPoP proofs; joserfc does, which it brings along.

    ISSUER=https://login.bank.example CLIENT_ID=… KEY=./private-key.jwk.json \\
    PORT=8080 python authlib_fapi.py
"""

import os
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Auth, OAuth2Session
from authlib.oidc.core import CodeIDToken
from flask import Flask, jsonify, redirect, request
from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from authlib_key import ISSUER, assertion, bank, jwk, key

# Whether the bank demands signed and encrypted requests of this app.
SIGNED = "SIGNED" in os.environ
HOME = f"http://127.0.0.1:{os.environ['PORT']}"


class BoundToken(OAuth2Auth):
    """A token in the header, under the name of its kind."""

    SIGN_METHODS = {
        "dpop": lambda token, uri, headers, body, _: (
            uri,
            {**headers, "Authorization": f"DPoP {token}"},
            body,
        )
    }


class Session(OAuth2Session):
    """Each request carries a proof that the session holds its key, with the newest nonce."""

    token_auth_class = BoundToken

    def __init__(self):
        super().__init__(
            os.environ["CLIENT_ID"],
            key,
            token_endpoint_auth_method="private_key_jwt",
            revocation_endpoint_auth_method="private_key_jwt",
            token_endpoint=bank["token_endpoint"],
            redirect_uri=f"{HOME}/callback",
            scope="openid email offline_access accounts:read",
            code_challenge_method="S256",
        )
        self.register_client_auth_method(assertion)
        # The key that tokens are bound to. It is made here and never leaves.
        self.key, self.dpop_nonce = ECKey.generate_key("P-256"), None

    def proof(self, method, url, token):
        """A proof for one request (RFC 9449 §4.2)."""
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
        claims = {
            "jti": generate_token(24),
            "htm": method,
            "htu": url.split("?")[0],
            "iat": int(time.time()),
        }
        if token:
            digest = sha256(token.encode()).digest()
            claims["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if self.dpop_nonce:
            claims["nonce"] = self.dpop_nonce
        return jwt.encode(header, claims, self.key, algorithms=["ES256"])

    def request(self, method, url, withhold_token=False, auth=None, headers=None, **named):
        """Asks; once more when the bank wants a nonce in the proof. A new assertion goes along."""
        token = None
        # Where the app itself does not authenticate, the token does.
        if auth is None and not withhold_token:
            self.ensure_active_token(self.token)
            token = self.token["access_token"]
        for _ in range(2):
            proven = {**(headers or {}), "DPoP": self.proof(method, url, token)}
            answer = super().request(method, url, withhold_token, auth, headers=proven, **named)
            self.dpop_nonce = answer.headers.get("DPoP-Nonce", self.dpop_nonce)
            challenge = answer.headers.get("WWW-Authenticate", "")
            if "use_dpop_nonce" not in answer.text + challenge:
                break
        return answer


def request_object(asked):
    """The request as a JWT (RFC 9101): signed, and then encrypted to a key of the bank."""
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + 60}
    claims = {**asked, **times, "iss": session.client_id, "aud": ISSUER, "jti": generate_token(24)}
    header = {"typ": "oauth-authz-req+jwt", "alg": "ES256", "kid": jwk["kid"]}
    signed = jwt.encode(header, claims, key, algorithms=["ES256"])
    alg, enc = "ECDH-ES+A256KW", "A256GCM"
    keys = requests.get(bank["jwks_uri"], timeout=10).json()["keys"]
    to = next(one for one in keys if one["use"] == "enc" and one["alg"] == alg)
    header = {"alg": alg, "enc": enc, "kid": to["kid"], "cty": "JWT"}
    return jwe.encrypt_compact(header, signed, ECKey.import_key(to), algorithms=[alg, enc])


app = Flask(__name__)
# A real app keeps a session for each browser, and what belongs to it in its database.
session, kept = Session(), {}


@app.get("/sign-in")
def sign_in():
    """Pushes the request (PAR); the browser brings nothing but its name."""
    kept.update(verifier=generate_token(64), nonce=generate_token())
    url, kept["state"] = session.create_authorization_url(
        bank["authorization_endpoint"],
        code_verifier=kept["verifier"],
        nonce=kept["nonce"],
    )
    asked = dict(parse_qsl(urlsplit(url).query))
    if SIGNED:
        asked = {"request": request_object(asked)}
    pushed = session.post(
        bank["pushed_authorization_request_endpoint"],
        data=asked,
        auth=session.client_auth("private_key_jwt"),
    ).json()
    if "error" in pushed:
        raise OAuthError(pushed["error"], pushed.get("error_description"))
    short = {"client_id": session.client_id, "request_uri": pushed["request_uri"]}
    return redirect(f"{bank['authorization_endpoint']}?{urlencode(short)}")


@app.get("/callback")
def callback():
    """The browser is back: redeems the code with a proof, and verifies the ID token."""
    # RFC 9207: the answer must come from the bank that was asked.
    if request.args.get("iss") != ISSUER:
        raise OAuthError("wrong_issuer")
    if "error" in request.args:
        raise OAuthError(request.args["error"], request.args.get("error_description"))
    token = session.fetch_token(
        authorization_response=request.url,
        state=kept["state"],
        code_verifier=kept["verifier"],
    )
    keys = KeySet.import_key_set(requests.get(bank["jwks_uri"], timeout=10).json())
    found = jwt.decode(token["id_token"], keys, algorithms=["ES256"])
    expected = {
        "nonce": kept["nonce"],
        "client_id": session.client_id,
        "access_token": token["access_token"],
    }
    claims = CodeIDToken(found.claims, found.header, {"iss": {"value": ISSUER}}, expected)
    claims.validate(leeway=10)
    kept["person"] = dict(claims)
    return redirect(HOME)


@app.get("/")
def home():
    """What the ID token says of the sign-in, and userinfo of the person, with a proof."""
    answer = session.get(bank["userinfo_endpoint"])
    answer.raise_for_status()
    assert answer.json()["sub"] == kept["person"]["sub"]
    return jsonify({**kept["person"], **answer.json()})


@app.get("/refresh")
def refresh():
    """A new access token; the refresh token stays the same."""
    return jsonify(session.refresh_token())


@app.get("/disconnect")
def disconnect():
    """Gives everything back: the refresh token takes the access tokens along."""
    answer = session.revoke_token(bank["revocation_endpoint"], session.token["refresh_token"])
    return jsonify(disconnected=answer.ok)


@app.errorhandler(OAuthError)
def refused(error):
    """An OAuth error says what to change."""
    return jsonify(error=error.error, error_description=error.description), 502


@app.errorhandler(JoseError)
def unverified(error):
    """An ID token that is not for this app, or not of this sign-in."""
    return jsonify(error=error.error, error_description=error.description), 502


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=False)
