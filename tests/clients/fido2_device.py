"""Yubico's python-fido2 on the person's side: its client (what a browser does) speaks CTAP2 to an
authenticator in software that is made of its types. And its server, to judge other authenticators.

One JSON object a line comes in, one goes out. It does what it is told, also what no honest one does.
"""

import json
import os
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.client import (
    ClientError,
    DefaultClientDataCollector,
    Fido2Client,
    UserInteraction,
)
from fido2.cose import ES256
from fido2.ctap import CtapDevice, CtapError
from fido2.ctap2 import AssertionResponse, AttestationResponse, Ctap2, Info
from fido2.hid import CAPABILITY
from fido2.server import Fido2Server
from fido2.utils import sha256
from fido2.webauthn import (
    Aaguid,
    AttestedCredentialData,
    AuthenticatorData,
)

FLAG = AuthenticatorData.FLAG


class Device(CtapDevice):
    """An authenticator with one place for a discoverable credential (CTAP 2.1 §6)."""

    capabilities = CAPABILITY.CBOR
    verifies = True
    counter = 0
    credential = None
    # The site that it says it signs for, where that is a lie.
    site = None

    @classmethod
    def list_devices(cls):
        return iter(())

    def call(self, cmd, data=b"", event=None, on_keepalive=None):
        asked = cbor.decode(data[1:]) if len(data) > 1 else {}
        try:
            match data[0]:
                case Ctap2.CMD.GET_INFO:
                    answer = self.info()
                case Ctap2.CMD.MAKE_CREDENTIAL:
                    answer = self.make(*(asked.get(n) for n in range(1, 8)))
                case Ctap2.CMD.GET_ASSERTION:
                    answer = self.answer(asked[1], asked[2])
                case _:
                    raise CtapError(CtapError.ERR.INVALID_COMMAND)
        except CtapError as error:
            return bytes([error.code])
        return b"\0" + cbor.encode(dict(answer))

    def info(self):
        options = {"rk": True, "up": True, "uv": True, "plat": False}
        return Info(
            versions=["FIDO_2_0"],
            extensions=["credProtect"],
            options=options,
            # Its client wants one named; it verifies the person by itself.
            pin_uv_protocols=[2],
        )

    def make(self, client_hash, rp, user, params, exclude, extensions, options):
        if not any(one["alg"] == ES256.ALGORITHM for one in params):
            raise CtapError(CtapError.ERR.UNSUPPORTED_ALGORITHM)
        if not options.get("rk"):
            raise CtapError(CtapError.ERR.INVALID_OPTION)
        key = ec.generate_private_key(ec.SECP256R1())
        public = ES256.from_cryptography_key(key.public_key())
        self.credential = (os.urandom(32), key, user["id"])
        self.counter = 0
        attested = AttestedCredentialData.create(
            Aaguid.NONE, self.credential[0], public
        )
        data = self.data(rp["id"], attested, extensions)
        signed = key.sign(data + client_hash, ec.ECDSA(hashes.SHA256()))
        # Web Authentication Level 3 §8.2: signed by the new key itself.
        statement = {"alg": ES256.ALGORITHM, "sig": signed}
        return AttestationResponse("packed", data, statement)

    def answer(self, rp_id, client_hash):
        if self.credential is None:
            raise CtapError(CtapError.ERR.NO_CREDENTIALS)
        id, key, user = self.credential
        self.counter += 1
        data = self.data(rp_id)
        signed = key.sign(data + client_hash, ec.ECDSA(hashes.SHA256()))
        descriptor = {"id": id, "type": "public-key"}
        return AssertionResponse(descriptor, data, signed, {"id": user})

    def data(self, rp_id, attested=None, extensions=None):
        flags = FLAG.UP
        if self.verifies:
            flags |= FLAG.UV
        if attested:
            flags |= FLAG.AT
        if extensions:
            flags |= FLAG.ED
        site = sha256((self.site or rp_id).encode())
        return AuthenticatorData.create(
            site, flags, self.counter, attested or b"", extensions
        )


class Person(UserInteraction):
    def request_uv(self, permissions, rp_id):
        return True


class Lying(DefaultClientDataCollector):
    """A browser that lets every page ask for every site's keys."""

    def verify_rp_id(self, rp_id, origin):
        pass


device = Device()


def client(told):
    device.verifies = told.get("verifies", True)
    device.counter = told.get("counter", device.counter)
    device.site = told.get("site")
    collector = Lying if told.get("lies") else DefaultClientDataCollector
    return Fido2Client(device, collector(told["origin"]), Person())


def judge(told):
    """Judges what another authenticator made and answered, as a server of its own would."""
    created, asked = told["created"], told["asked"]
    server = Fido2Server(created["rp"])
    verification = created["authenticatorSelection"]["userVerification"]
    state = {"challenge": created["challenge"], "user_verification": verification}
    made = server.register_complete(state, told["made"])
    verification = asked["userVerification"]
    state = {"challenge": asked["challenge"], "user_verification": verification}
    server.authenticate_complete(state, [made.credential_data], told["answer"])
    return {"counter": made.counter}


def do(told):
    match told["do"]:
        case "create":
            return client(told).make_credential(told["options"])
        case "answer":
            return client(told).get_assertion(told["options"]).get_response(0)
        case "judge":
            return judge(told)


for line in sys.stdin:
    try:
        print(json.dumps(dict(do(json.loads(line)))), flush=True)
    except (ClientError, ValueError) as refused:
        print(json.dumps({"refused": repr(refused)}), flush=True)
