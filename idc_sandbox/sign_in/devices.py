"""Registered MFA devices: at most two authenticator apps and six security keys or passkeys a user.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-types.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-allow-user-registration.html
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from idc_sandbox.context import Context
from idc_sandbox.sign_in.people import person_of, setting
from idc_sandbox.sign_in.refusals import Refusal
from idc_sandbox.sign_in.tokens import clean_text

DeviceKind = Literal["totp", "webauthn"]
LIMIT_OF_KIND: dict[str, int] = {"totp": 2, "webauthn": 6}
TYPE_OF_KIND = {"totp": "authenticator-apps", "webauthn": "security-keys-and-built-in-authenticators"}
CHALLENGE_LIFETIME_S = 10 * 60.0
LONGEST_NAME = 64
_WORDS_OF_KIND = {"totp": "authenticator app", "webauthn": "security key"}


@dataclass(frozen=True)
class MfaDevice:
    """A registered device.

    Attributes
    ----------
    kind
        ``"totp"`` (an authenticator app) or ``"webauthn"`` (a security key, a passkey, a built-in
        authenticator).
    registered_at, last_used_at
        Epoch seconds of the sandbox's clock; None when it was never used to sign in.
    """

    device_id: str
    user_id: str
    kind: str
    name: str
    registered_at: float
    last_used_at: float | None


def list_devices(context: Context, user_id: str, kind: str | None = None) -> list[MfaDevice]:
    """Return a user's devices, of one kind if wanted, oldest first."""
    rows = context.connection.execute(
        "SELECT * FROM mfa_device WHERE user_id = ?1 AND (?2 IS NULL OR kind = ?2)"
        " ORDER BY registered_at, rowid",
        (user_id, kind),
    ).fetchall()
    return [_device(row) for row in rows]


def rename_device(context: Context, user_id: str, device_id: str, name: str) -> MfaDevice:
    """Give a user's device another name, and return it. Writes.

    Raises
    ------
    Refusal
        ``unknown-device``, ``device-name`` for an empty or over-long name.
    """
    _require_device(context, user_id, device_id)
    context.connection.execute(
        "UPDATE mfa_device SET name = ? WHERE device_id = ?", (_checked_name(name), device_id)
    )
    return _require_device(context, user_id, device_id)


def delete_device(context: Context, user_id: str, device_id: str) -> MfaDevice:
    """Delete a user's device, and return what it was. Writes.

    Raises
    ------
    Refusal
        ``unknown-device``.
    """
    device = _require_device(context, user_id, device_id)
    context.connection.execute("DELETE FROM mfa_device WHERE device_id = ?", (device_id,))
    return device


def allowed_kinds(context: Context, instance_arn: str) -> list[str]:
    """Return the kinds of device that the instance's settings allow: of ``"totp"`` and ``"webauthn"``."""
    allowed = setting(context, instance_arn, "multi_factor_authentication")["allowed_types"]
    return [kind for kind, type_name in TYPE_OF_KIND.items() if type_name in allowed]


def may_manage_own_devices(context: Context, user_id: str) -> bool:
    """Tell whether users of this instance add and delete their devices themselves."""
    instance_arn = person_of(context, user_id).instance_arn
    return bool(setting(context, instance_arn, "multi_factor_authentication")["users_manage_own_devices"])


def require_own_management(context: Context, user_id: str) -> None:
    """Refuse what a user wants to change of their own devices where the administrator alone may.

    Raises
    ------
    Refusal
        ``devices-managed-by-administrator``.
    """
    if not may_manage_own_devices(context, user_id):
        raise Refusal(
            "devices-managed-by-administrator",
            "Your administrator manages the MFA devices here; ask for the change that you need.",
        )


def require_device_room(context: Context, user_id: str, kind: DeviceKind) -> None:
    """Refuse to register a device of a kind that is not allowed, or of which the user has enough.

    Raises
    ------
    Refusal
        ``device-type-not-allowed``, ``too-many-devices``.
    """
    words = _WORDS_OF_KIND[kind]
    if kind not in allowed_kinds(context, person_of(context, user_id).instance_arn):
        raise Refusal(
            "device-type-not-allowed", f"Your administrator does not allow to sign in with a {words}."
        )
    if len(list_devices(context, user_id, kind)) >= LIMIT_OF_KIND[kind]:
        raise Refusal(
            "too-many-devices",
            f"You have {LIMIT_OF_KIND[kind]} {words}s, and no more are possible. "
            "Delete one of them under MFA devices first.",
        )


def add_device(
    context: Context, user_id: str, kind: DeviceKind, name: str | None, **columns: Any
) -> MfaDevice:
    """Keep a device that has proved itself, and return it; `columns` are what its kind needs. Writes.

    Raises
    ------
    Refusal
        As `require_device_room`; ``device-name``.
    """
    require_device_room(context, user_id, kind)
    values = {
        "device_id": context.ids.uuid("mfa_device"),
        "user_id": user_id,
        "kind": kind,
        "name": _checked_name(name) if name and name.strip() else _next_name(context, user_id, kind),
        "registered_at": context.now,
        **columns,
    }
    context.connection.execute(
        f"INSERT INTO mfa_device ({', '.join(values)}) VALUES (:{', :'.join(values)})",  # noqa: S608
        values,
    )
    return _require_device(context, user_id, values["device_id"])


def keep_challenge(context: Context, user_id: str, kind: str, secret: str) -> None:
    """Keep what the next answer of a device is held against; an earlier one is void. Writes."""
    context.connection.execute(
        "INSERT OR REPLACE INTO device_challenge VALUES (?, ?, ?, ?)",
        (user_id, kind, secret, context.now + CHALLENGE_LIFETIME_S),
    )


def find_challenge(context: Context, user_id: str, kind: str) -> str | None:
    """Return what was kept, or None when it is void, expired or not there."""
    row = context.connection.execute(
        "SELECT secret FROM device_challenge WHERE user_id = ? AND kind = ? AND expires_at > ?",
        (user_id, kind, context.now),
    ).fetchone()
    return None if row is None else str(row[0])


def drop_challenge(context: Context, user_id: str, kind: str) -> None:
    """Make what was kept void: an answer counts once. Writes."""
    context.connection.execute("DELETE FROM device_challenge WHERE user_id = ? AND kind = ?", (user_id, kind))


def _require_device(context: Context, user_id: str, device_id: str) -> MfaDevice:
    row = context.connection.execute(
        "SELECT * FROM mfa_device WHERE device_id = ? AND user_id = ?", (device_id, user_id)
    ).fetchone()
    if row is None:
        raise Refusal("unknown-device", "There is no such device any more; load the list of devices again.")
    return _device(row)


def _checked_name(name: str) -> str:
    text = clean_text(name, LONGEST_NAME + 1)
    if not 0 < len(text) <= LONGEST_NAME:
        raise Refusal("device-name", f"Give the device a name of 1 to {LONGEST_NAME} characters.")
    return text


def _next_name(context: Context, user_id: str, kind: str) -> str:
    taken = {device.name for device in list_devices(context, user_id)}
    words = _WORDS_OF_KIND[kind].capitalize()
    number = 1
    while (name := words if number == 1 else f"{words} {number}") in taken:
        number += 1
    return name


def _device(row: sqlite3.Row) -> MfaDevice:
    return MfaDevice(
        device_id=row["device_id"],
        user_id=row["user_id"],
        kind=row["kind"],
        name=row["name"],
        registered_at=row["registered_at"],
        last_used_at=row["last_used_at"],
    )
