"""What ``aws login`` is towards the sandbox: a browser at its page, and a client that proves its key."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from botocore import UNSIGNED
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from page_visitor import Place, Visitor

SAME_DEVICE, CROSS_DEVICE = (f"arn:aws:signin:::devtools/{kind}" for kind in ("same-device", "cross-device"))
REDIRECT_URI = "http://127.0.0.1:45123/oauth/callback"
CONFIRMATION_URI = "http://127.0.0.1:8723/v1/sessions/confirmation"
VERIFIER = "v" * 64
PASSWORD = "Console-horse-1"


def encoded(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class DpopKey:
    """A client's key, and the proofs that it makes; `changes` spoil one."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.jwk = {"kty": "EC", "crv": "P-256"}
        self.jwk |= {name: encoded(getattr(numbers, name).to_bytes(32)) for name in ("x", "y")}

    def proof(self, *, head: dict[str, Any] | None = None, **changes: Any) -> str:
        claims = {"htm": "POST", "htu": "http://127.0.0.1:8723/v1/token", "iat": int(time.time())}
        claims |= {"jti": str(uuid.uuid4())} | changes
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk} | (head or {})
        signed = f"{encoded(header)}.{encoded(claims)}"
        numbers = utils.decode_dss_signature(self.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{encoded(b''.join(number.to_bytes(32) for number in numbers))}"


class LoginClient:
    """One ``aws login`` in a sandbox in this process."""

    def __init__(self, place: Place, *, remote: bool = False) -> None:
        self.place, self.key = place, DpopKey()
        self.client_id = CROSS_DEVICE if remote else SAME_DEVICE
        self.redirect_uri = CONFIRMATION_URI if remote else REDIRECT_URI
        self.signin = place.clients.client("signin", config={"signature_version": UNSIGNED})
        self.proof: str | None = None
        self.signin.meta.events.register("before-call.signin.CreateOAuth2Token", self._prove)

    def _prove(self, params: dict[str, Any], **_event: Any) -> None:
        params["headers"]["DPoP"] = self.key.proof() if self.proof is None else self.proof

    def address(self, **changes: str | None) -> str:
        challenge = encoded(hashlib.sha256(VERIFIER.encode()).digest())
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "state": "the-state",
            "code_challenge_method": "SHA-256",
            "scope": "openid",
            "redirect_uri": self.redirect_uri,
            "code_challenge": challenge,
        }
        wanted = {name: value for name, value in (query | changes).items() if value is not None}
        return f"/v1/authorize?{urlencode(wanted)}"

    def allow(self, visitor: Visitor, **fields: str) -> str:
        """Allow it at the page, and return the code."""
        visitor.open(self.address())
        visitor.send("/v1/authorize", follow=False, answer="allow", **fields)
        if self.client_id == CROSS_DEVICE:
            shown = base64.b64decode(visitor.value("code")).decode()
        else:
            assert visitor.page.status_code == 303, visitor.message
            assert visitor.page.headers["location"].startswith(f"{REDIRECT_URI}?")
            shown = urlsplit(visitor.page.headers["location"]).query
        values = parse_qs(shown)
        assert values["state"] == ["the-state"]
        return values["code"][0]

    def exchange(self, code: str, **changes: str) -> dict[str, Any]:
        asked = {
            "clientId": self.client_id,
            "grantType": "authorization_code",
            "code": code,
            "codeVerifier": VERIFIER,
            "redirectUri": self.redirect_uri,
        }
        answer: dict[str, Any] = self.signin.create_o_auth2_token(tokenInput=asked | changes)["tokenOutput"]
        return answer

    def refresh(self, token: str, **changes: str) -> dict[str, Any]:
        asked = {"clientId": self.client_id, "grantType": "refresh_token", "refreshToken": token}
        answer: dict[str, Any] = self.signin.create_o_auth2_token(tokenInput=asked | changes)["tokenOutput"]
        return answer


def credentials_of(output: dict[str, Any]) -> dict[str, str]:
    """Return boto3's keyword arguments for the keys of an answer."""
    token = output["accessToken"]
    return {
        "aws_access_key_id": token["accessKeyId"],
        "aws_secret_access_key": token["secretAccessKey"],
        "aws_session_token": token["sessionToken"],
    }


def add_iam_user(
    place: Place, name: str = "maria", *, policy: str = "ReadOnlyAccess", path: str = "/"
) -> None:
    """Make an IAM user of the management account with a console password, who may sign in so."""
    iam = place.clients.client("iam")
    iam.create_user(UserName=name, Path=path)
    iam.create_login_profile(UserName=name, Password=PASSWORD)
    iam.attach_user_policy(UserName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    statement = {"Effect": "Allow", "Action": "signin:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="login", PolicyDocument=document)


def as_maria(place: Place, name: str = "maria") -> dict[str, str]:
    """Return the fields of the page's form."""
    return {"account_id": place.clients.management_account_id, "user_name": name, "password": PASSWORD}
