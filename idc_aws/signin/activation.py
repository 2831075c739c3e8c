"""How far a person is: password, MFA devices, sessions; and a scripted person who goes the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from idc_aws.connection import Connection
from idc_aws.errors import NotFoundError, SandboxError
from idc_aws.failures import failed_read
from idc_aws.identity_store import find_principal_id
from idc_aws.sandbox import PersonaProcess, PersonaRefusedError, SandboxConsole


@dataclass(frozen=True)
class PersonStatus:
    """How far a person is on the way to the access portal."""

    user_name: str
    user_id: str
    email: str
    user_status: str
    has_password: bool | None = None
    device_kinds: tuple[str, ...] | None = None
    session_count: int | None = None


def describe_person(connection: Connection, user_name: str) -> PersonStatus:
    """Return how far a person is; reads only."""
    user_id = find_principal_id(connection, "USER", user_name)
    if user_id is None:
        raise NotFoundError(
            f"there is no user {user_name!r} in the identity store",
            remedy="Apply notebook 08, or name one of your users in `user_name`.",
        )
    with failed_read(f"user {user_name!r}"):
        user = connection.call("identitystore", "describe_user", UserId=user_id)
    emails = [one["Value"] for one in user.get("Emails", [])]
    known = (user_name, user_id, emails[0] if emails else "", user.get("UserStatus", ""))
    if connection.console is None:
        return PersonStatus(*known)
    return PersonStatus(*known, *_shown_by_console(connection.console, user_id))


_DEVICES = {"totp": "authenticator app", "webauthn": "security key or passkey"}


def _shown_by_console(console: SandboxConsole, user_id: str) -> tuple[bool, tuple[str, ...], int]:
    user = f"users/{quote(user_id, safe='')}"
    # In this order: who is signed in has registered a device before, if they had to.
    sessions = console.send("GET", f"{user}/sessions")["sessions"]
    devices = console.send("GET", f"{user}/mfa-devices")["mfa_devices"]
    has_password = console.send("GET", f"{user}/password")["has_password"]
    kinds = tuple(_DEVICES.get(device["kind"], device["kind"]) for device in devices)
    return has_password, kinds, len(sessions)


def invite(connection: Connection, user_name: str) -> PersonStatus:
    """Send the invitation, as the sandbox's console does for a user without a password. Writes."""
    person = describe_person(connection, user_name)
    if not person.has_password:
        require_console(connection).send("POST", f"users/{person.user_id}/invite")
    return person


@contextmanager
def signed_in_person(connection: Connection, user_name: str) -> Iterator[PersonaProcess]:
    """Yield a scripted person of the sandbox who is signed in, activated first if need be. Writes."""
    console = require_console(connection)
    person = invite(connection, user_name)
    memory = Path(console.state_folder) / "people" / f"{person.user_id}.json"
    pages = console.pages(person.email or None, is_local=True)
    mailbox_url = pages["mailbox_url"]
    with closing(PersonaProcess(pages["site_url"], user_name, memory)) as persona:
        if not person.has_password:
            persona.do("accept_mail", mailbox_url=mailbox_url)
        try:
            persona.do("sign_in", mailbox_url=mailbox_url)
        except PersonaRefusedError:  # nobody has the password in mind: reset, as at AWS
            if not person.has_password:
                raise
            _start_over(console, person)
            persona.do("accept_mail", mailbox_url=mailbox_url)
            persona.do("sign_in", mailbox_url=mailbox_url)
        yield persona


def _start_over(console: SandboxConsole, person: PersonStatus) -> None:
    user = f"users/{person.user_id}"
    console.send("POST", f"{user}/reset-password", {"delivery": "email"})
    for device in console.send("GET", f"{user}/mfa-devices")["mfa_devices"]:
        console.send("POST", f"{user}/mfa-devices/{device['device_id']}/delete")


def require_console(connection: Connection) -> SandboxConsole:
    """Return the sandbox's console."""
    if connection.console is None:
        raise SandboxError(
            "on AWS no program can do a person's part of the lesson",
            remedy="Follow the guide of the notebook in your browser.",
        )
    return connection.console


def portal_settings(connection: Connection) -> dict[str, Any]:
    """Return ``start_url``, ``region`` and ``start_urls``, its other addresses; reads only."""
    instance = connection.instance
    if connection.console is not None:
        shown = connection.console.read_settings(instance.instance_arn)["access_portal"]
        return {"start_url": shown["url"], "region": instance.region, "start_urls": shown["start_urls"]}
    instance_id = instance.instance_arn.rpartition("/")[2]
    # On AWS no API shows a customized address: the first of these is the one that every portal has.
    start_urls = [
        f"https://{instance.identity_store_id}.awsapps.com/start",
        f"https://{instance_id}.portal.{instance.region}.app.aws",
        f"https://identitycenter.amazonaws.com/{instance_id}",
    ]
    return {"start_url": start_urls[0], "region": instance.region, "start_urls": start_urls}
