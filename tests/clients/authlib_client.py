"""A partner's web app with Flask and Authlib: people sign in at the bank and share their accounts.

    ISSUER=https://login.bank.example CLIENT_ID=… CLIENT_SECRET=… \\
    API=https://api.bank.example/accounts PORT=8080 python authlib_client.py
"""

import os
import secrets

from authlib.integrations.flask_client import OAuth, OAuthError
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, jsonify, redirect, request, session, url_for

ISSUER, API = os.environ["ISSUER"], os.environ["API"]
CLIENT = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
# Tokens by session; a real app keeps them in its database.
tokens = {}

# Everything else about the bank is read from its discovery document.
bank = OAuth(app).register(
    "bank",
    client_id=CLIENT[0],
    client_secret=CLIENT[1],
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={
        "scope": "openid profile email offline_access accounts:read",
        "code_challenge_method": "S256",
    },
    update_token=lambda token, **_: tokens[session["id"]].update(token),
)


@app.get("/sign-in")
def sign_in():
    """Sends the browser to the bank; Authlib keeps state, nonce and PKCE verifier."""
    return bank.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    """The browser is back: redeems the code and verifies the ID token."""
    # RFC 9207: the answer must come from the bank that was asked. Authlib leaves this to the app.
    if request.args.get("iss") != ISSUER:
        return jsonify(error="wrong_issuer"), 400
    token = bank.authorize_access_token()
    session["id"] = secrets.token_urlsafe()
    tokens[session["id"]] = token
    return redirect(url_for("home"))


@app.get("/")
def home():
    """What the ID token says of the sign-in, and userinfo of the person."""
    token = tokens.get(session.get("id"))
    if token is None:
        return redirect(url_for("sign_in"))
    return jsonify({**token["userinfo"], **bank.userinfo(token=token)})


@app.get("/accounts")
def accounts():
    """Calls the API; Authlib refreshes the access token when its time is over."""
    token = tokens[session["id"]]
    return bank.get(API, token=token).json()


@app.get("/refresh")
def refresh():
    """A new access token, without waiting for the end of the one before it."""
    old = tokens[session["id"]]
    url = bank.load_server_metadata()["token_endpoint"]
    new = OAuth2Session(*CLIENT).refresh_token(url, old["refresh_token"])
    # The newest refresh token replaces the one before it.
    tokens[session["id"]] = {**old, **new}
    return jsonify(new)


@app.get("/disconnect")
def disconnect():
    """Gives everything back: the refresh token takes the access tokens along."""
    token = tokens.pop(session.pop("id"))
    url = bank.load_server_metadata()["revocation_endpoint"]
    answer = OAuth2Session(*CLIENT).revoke_token(url, token["refresh_token"])
    return jsonify(disconnected=answer.ok)


@app.get("/sign-out")
def sign_out():
    """Signs out here, and at the bank too: the ID token says whose session ends."""
    token = tokens.pop(session.pop("id"))
    back = url_for("signed_out", _external=True)
    return bank.logout_redirect(post_logout_redirect_uri=back, id_token_hint=token["id_token"])


@app.get("/signed-out")
def signed_out():
    """The browser is back; Authlib compares `state`."""
    bank.validate_logout_response()
    return jsonify(signed_out=True)


@app.errorhandler(OAuthError)
def refused(error):
    """An OAuth error says what to change."""
    return jsonify(error=error.error, error_description=error.description), 502


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
