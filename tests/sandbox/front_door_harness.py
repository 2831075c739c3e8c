"""People at the front door: the domain without moto or HTTP, and software that plays their devices."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cbor2
import pyotp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from handler_harness import Harness
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from idc_sandbox import store
from idc_sandbox.api import console
from idc_sandbox.context import Context
from idc_sandbox.sign_in import devices, flow, invitations, people
from idc_sandbox.sign_in.flow import Next
from idc_sandbox.sign_in.people import Refusal

PASSWORD = "Correct-horse-1"
RELYING_PARTY_ID, ORIGIN = "localhost", "http://localhost:8723"


class FrontDoor(Harness):
    """The front door of an organization's instance; each call is a transaction of its own, as a page is."""

    def __init__(self, folder: Path) -> None:
        self.renewed: dict[str, str] = {}
        self.site_url = ORIGIN
        super().__init__(folder / "sandbox.db")

    def do(self, function: Any, *arguments: Any, **options: Any) -> Any:
        """Call a function of the domain in a transaction; a sign-in goes on under its newest id.

        That is what the browser's cookie does; tests go on with the id that they began with.
        """
        newest = [self.renewed.get(one, one) if isinstance(one, str) else one for one in arguments]
        with self.context() as context:
            answer = function(context, *newest, **options)
        if isinstance(answer, Next) and answer.sign_in_id:
            self.renewed[arguments[0]] = answer.sign_in_id
        return answer

    def refusal(self, function: Any, *arguments: Any, **options: Any) -> Refusal:
        """Call a function that must refuse, and return how."""
        with pytest.raises(Refusal) as caught:
            self.do(function, *arguments, **options)
        assert caught.value.message.endswith(".")
        return caught.value

    @contextmanager
    def context(self, *arguments: Any, **options: Any) -> Iterator[Context]:
        """Yield a context of the pages' site."""
        with super().context(*arguments, **options) as context:
            yield replace(context, site_url=self.site_url)

    def take(self, step: str, sign_in_id: str, **form: str) -> Next:
        """Send the form of a step."""
        return self.do(flow.take, sign_in_id, step, form)

    def refused(self, step: str, sign_in_id: str, **form: str) -> Refusal:
        """Send the form of a step that must be refused, and return how."""
        return self.refusal(flow.take, sign_in_id, step, form)

    def console(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        with self.context() as context:
            return console.handle(context, method, path, {"instance_arn": self.instance_arn} | body)

    def set_mfa(self, **values: Any) -> None:
        self.console("PUT", "settings/multi_factor_authentication", **values)

    def advance(self, seconds: float) -> None:
        with self.store.transaction() as connection:
            store.advance_clock(connection, seconds)

    def reopen(self) -> None:
        """Close the state and open it as a process that starts does."""
        self.store.close()
        self.open()

    def add_person(
        self, user_name: str = "ana", *, password: str | None = PASSWORD, email: bool = True
    ) -> str:
        """Create a user, with a password chosen by the link of an invitation."""
        address = {"Emails": [{"Value": f"{user_name}@example.com"}]} if email else {}
        user_id = self.call(
            "identitystore",
            "CreateUser",
            IdentityStoreId=self.identity_store_id,
            UserName=user_name,
            DisplayName=user_name.capitalize(),
            Name={"GivenName": user_name, "FamilyName": "Test"},
            **address,
        )["UserId"]
        if password:
            link = self.do(invitations.invite, user_id).link
            self.do(invitations.accept, link.rpartition("/")[2], password)
        return user_id

    def begin(self, user_name: str, *, client: str = "127.0.0.1", browser_tokens: Any = ()) -> str:
        """Start a sign-in and enter the user name; return its id."""
        sign_in_id = self.do(flow.begin, client=client, browser_tokens=browser_tokens)
        self.take("user-name", sign_in_id, user_name=user_name)
        return sign_in_id

    def enter_password(
        self, user_name: str = "ana", password: str = PASSWORD, **options: Any
    ) -> tuple[str, Next]:
        """Sign in as far as the password; return the sign-in's id and what comes next."""
        sign_in_id = self.begin(user_name, **options)
        return sign_in_id, self.take("password", sign_in_id, password=password)

    def register_app(self, user_id: str) -> pyotp.TOTP:
        """Register an authenticator app, and return the app."""
        app = pyotp.TOTP(self.do(devices.pending_registration, user_id).secret)
        self.do(devices.finish_app_registration, user_id, app.at(devices.time.time()))
        return app

    def sign_in_without_mfa(self, user_name: str = "ana") -> str:
        """Return the token of a portal session; MFA must be off."""
        token = self.enter_password(user_name)[1].session_token
        assert token is not None
        return token

    def session(self, token: str) -> people.PortalSession | None:
        return self.do(people.find_session, token)

    def newest_code(self, address: str = "ana@example.com") -> str:
        """Return the six digits in the newest message to an address."""
        text = self.do(people.list_messages, address)[0].text
        return next(word for word in text.split() if len(word) == 6 and word.isdecimal())

    def finish_with_app(self, sign_in_id: str, app: pyotp.TOTP, **options: Any) -> Next:
        return self.take("totp", sign_in_id, code=app.at(devices.time.time()), **options)


def at_page(page: str, function: Any) -> Any:
    """Return a function of `devices` as a page of the sign-in calls it, for the person who is there."""
    return lambda context, sign_in_id: function(context, flow.person_at(context, sign_in_id, page).user_id)


NEW_APP = at_page("register-device", devices.pending_registration)
NEW_KEY = at_page("register-device", devices.registration_options)
ASK_KEY = at_page("mfa", devices.authentication_options)


class MachineTime(SimpleNamespace):
    """The machine's time as the codes see it, which a test moves."""

    def __init__(self) -> None:
        super().__init__(now=1_800_000_000.0)

    def time(self) -> float:
        return self.now


class SecurityKey:
    """A security key in software: an ES256 key with a counter, as a browser would hand on its answers."""

    def __init__(self, *, counts: bool = True) -> None:
        self._counts = counts  # passkeys that are synchronized always say zero
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = os.urandom(32)
        self.count = 0

    def create(self, options: str, *, origin: str = ORIGIN) -> str:
        """Answer ``navigator.credentials.create``."""
        wanted = json.loads(options)
        client_data = self._client_data("webauthn.create", wanted["challenge"], origin)
        identifier = len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(wanted["rp"]["id"], flags=0x45) + bytes(16) + identifier + self._public_key()
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            {
                "clientDataJSON": bytes_to_base64url(client_data),
                "attestationObject": bytes_to_base64url(attestation),
            }
        )

    def get(self, options: str, *, origin: str = ORIGIN) -> str:
        """Answer ``navigator.credentials.get``."""
        wanted = json.loads(options)
        self.count += int(self._counts)
        client_data = self._client_data("webauthn.get", wanted["challenge"], origin)
        data = self._data(wanted["rpId"], flags=0x05)
        signature = self._key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": bytes_to_base64url(client_data),
                "authenticatorData": bytes_to_base64url(data),
                "signature": bytes_to_base64url(signature),
            }
        )

    def _data(self, relying_party_id: str, *, flags: int) -> bytes:
        hashed = hashlib.sha256(relying_party_id.encode()).digest()
        return hashed + bytes([flags]) + self.count.to_bytes(4, "big")

    def _public_key(self) -> bytes:
        numbers = self._key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def _client_data(self, kind: str, challenge: str, origin: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin}).encode()

    def _answer(self, response: dict[str, str]) -> str:
        identifier = bytes_to_base64url(self.credential_id)
        assert base64url_to_bytes(identifier) == self.credential_id
        return json.dumps({"id": identifier, "rawId": identifier, "type": "public-key", "response": response})
