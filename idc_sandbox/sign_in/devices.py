"""MFA devices: authenticator apps, security keys or passkeys; and the practice phone, which holds keys."""

# Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-types.html,
# https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-allow-user-registration.html

from __future__ import annotations

import hmac
import json
import sqlite3
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import pyotp
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from idc_sandbox.context import Context
from idc_sandbox.errors import parse_json
from idc_sandbox.sign_in.people import (
    FormFields,
    clean_text,
    digest,
    matches,
    person_of,
    read_as,
    refuse,
    setting,
)

DeviceKind = Literal["totp", "webauthn"]
LIMIT_OF_KIND: dict[str, int] = {"totp": 2, "webauthn": 6}
TYPE_OF_KIND = {"totp": "authenticator-apps", "webauthn": "security-keys-and-built-in-authenticators"}
CHALLENGE_LIFETIME_S = 10 * 60.0
LONGEST_NAME = 64
_WORDS_OF_KIND = {"totp": "authenticator app", "webauthn": "security key"}


@dataclass(frozen=True)
class MfaDevice:
    """A registered device."""

    device_id: str
    user_id: str
    kind: str
    name: str
    registered_at: float
    last_used_at: float | None


def list_devices(context: Context, user_id: str, kind: str | None = None) -> list[MfaDevice]:
    """Return a user's devices, of one kind if wanted, oldest first."""
    return [read_as(MfaDevice, row) for row in _rows(context, user_id, kind)]


def rename_device(context: Context, user_id: str, device_id: str, name: str) -> MfaDevice:
    """Give a user's device another name, and return it. Writes."""
    device = _require_device(context, user_id, device_id)
    renamed = replace(device, name=_checked_name(name))
    context.execute("UPDATE mfa_device SET name = ? WHERE device_id = ?", renamed.name, device_id)
    return renamed


def delete_device(context: Context, user_id: str, device_id: str) -> MfaDevice:
    """Delete a user's device, and return what it was. Writes."""
    device = _require_device(context, user_id, device_id)
    context.delete("mfa_device", device_id=device_id)
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
    """Refuse what a user wants to change of their own devices where the administrator alone may."""
    if not may_manage_own_devices(context, user_id):
        raise refuse("devices-managed-by-administrator")


def require_device_room(context: Context, user_id: str, kind: DeviceKind) -> None:
    """Refuse to register a device of a kind that is not allowed, or of which the user has enough."""
    words = _WORDS_OF_KIND[kind]
    if kind not in allowed_kinds(context, person_of(context, user_id).instance_arn):
        raise refuse("device-type-not-allowed/kind", words=words)
    if len(list_devices(context, user_id, kind)) >= LIMIT_OF_KIND[kind]:
        raise refuse("too-many-devices", limit=LIMIT_OF_KIND[kind], words=words)


def add_device(
    context: Context, user_id: str, kind: DeviceKind, name: str | None, **columns: Any
) -> MfaDevice:
    """Keep a device that has proved itself, and return it; `columns` are what its kind needs. Writes."""
    require_device_room(context, user_id, kind)
    name = _checked_name(name) if name and name.strip() else _next_name(context, user_id, kind)
    device = MfaDevice(context.ids.uuid("mfa_device"), user_id, kind, name, context.now, last_used_at=None)
    context.insert("mfa_device", **asdict(device), **columns)
    return device


def _rows(context: Context, user_id: str, kind: str | None = None) -> list[sqlite3.Row]:
    return context.rows(
        "SELECT * FROM mfa_device WHERE user_id = ?1 AND (?2 IS NULL OR kind = ?2)"
        " ORDER BY registered_at, rowid",
        user_id,
        kind,
    )


def keep_challenge(context: Context, user_id: str, kind: str, secret: str) -> None:
    """Keep what the next answer of a device is held against; an earlier one is void. Writes."""
    expires_at = context.now + CHALLENGE_LIFETIME_S
    context.replace("device_challenge", user_id=user_id, kind=kind, secret=secret, expires_at=expires_at)


def find_challenge(context: Context, user_id: str, kind: str) -> str | None:
    """Return what was kept, or None when it is void, expired or not there."""
    row = context.find_live("device_challenge", user_id=user_id, kind=kind)
    return None if row is None else str(row["secret"])


def drop_challenge(context: Context, user_id: str, kind: str) -> None:
    """Make what was kept void: an answer counts once. Writes."""
    context.delete("device_challenge", user_id=user_id, kind=kind)


def _require_device(context: Context, user_id: str, device_id: str) -> MfaDevice:
    row = context.find("mfa_device", device_id=device_id, user_id=user_id)
    if row is None:
        raise refuse("unknown-device")
    return read_as(MfaDevice, row)


def register_device(context: Context, user_id: str, kind: str, form: FormFields) -> MfaDevice:
    """Register what a form proves: an app by its first code, a key by what the browser answered. Writes."""
    name = form.get("name") or None
    match kind:
        case "totp":
            return finish_app_registration(context, user_id, form.get("code", ""), name)
        case "webauthn":
            return finish_registration(context, user_id, form.get("credential", ""), name)
    raise refuse("unknown-kind", kind=kind[:32])


def _checked_name(name: str) -> str:
    text = clean_text(name, LONGEST_NAME + 1)
    if not 0 < len(text) <= LONGEST_NAME:
        raise refuse("device-name", longest=LONGEST_NAME)
    return text


def _next_name(context: Context, user_id: str, kind: str) -> str:
    taken = {device.name for device in list_devices(context, user_id)}
    words = _WORDS_OF_KIND[kind].capitalize()
    number = 1
    while (name := words if number == 1 else f"{words} {number}") in taken:
        number += 1
    return name


# Authenticator apps: RFC 6238 codes of six digits, each good once.

ISSUER = "Practice sandbox"
# The user's own registration and the administrator's have a key each: neither shows the other's.
_OWN_APP, APP_AT_CONSOLE = "totp-registration", "console-totp-registration"
_STEP_S = 30
# One step early or late: clocks differ, and typing takes time.
_STEPS_OF_GRACE = 1


@dataclass(frozen=True)
class TotpRegistration:
    """What an app needs to know."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def pending_registration(context: Context, user_id: str) -> TotpRegistration:
    """Return the secret that waits for an app's first code, or a new one. Writes."""
    require_device_room(context, user_id, "totp")
    secret = find_challenge(context, user_id, _OWN_APP)
    return _registration(context, user_id, secret or _new_secret(context, user_id, _OWN_APP))


def start_at_console(context: Context, user_id: str, known: str = "") -> TotpRegistration:
    """Return a new secret for the console, or the one that is `known` there while it waits. Writes."""
    require_device_room(context, user_id, "totp")
    is_waiting = bool(known) and matches(
        known, digest(find_challenge(context, user_id, APP_AT_CONSOLE) or "")
    )
    secret = known if is_waiting else _new_secret(context, user_id, APP_AT_CONSOLE)
    return _registration(context, user_id, secret)


def _new_secret(context: Context, user_id: str, challenge: str) -> str:
    secret = pyotp.random_base32()
    keep_challenge(context, user_id, challenge, secret)
    return secret


def _registration(context: Context, user_id: str, secret: str) -> TotpRegistration:
    name = person_of(context, user_id).user_name
    return TotpRegistration(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER))


def finish_app_registration(
    context: Context, user_id: str, code: str, name: str | None = None, challenge: str = _OWN_APP
) -> MfaDevice:
    """Register the app when its code is right, and return the device. Writes."""
    secret = find_challenge(context, user_id, challenge)
    if secret is None:
        raise refuse("registration-expired")
    step = _step_of(secret, code, after=None)
    if step is None:
        raise refuse("wrong-code")
    device = add_device(context, user_id, "totp", name, totp_secret=secret, totp_last_step=step)
    drop_challenge(context, user_id, challenge)
    return device


def user_of_registration(context: Context, secret: str) -> str | None:
    """Return whose app is being registered with a secret, or None."""
    found = (
        context.find_live("device_challenge", kind=kind, secret=secret) for kind in (_OWN_APP, APP_AT_CONSOLE)
    )
    return next((str(row["user_id"]) for row in found if row is not None), None)


def code_now(secret: str) -> tuple[str, int]:
    """Return the code that an app shows now and for how many seconds: by the machine's clock, as phones."""
    generator, now = pyotp.TOTP(secret), int(time.time())
    return generator.at(now), _STEP_S - now % _STEP_S


def verify_code(context: Context, user_id: str, code: str) -> bool:
    """Tell whether one of the user's apps shows this code, and use the code up. Writes."""
    for row in _rows(context, user_id, "totp"):
        step = _step_of(row["totp_secret"], code, after=row["totp_last_step"])
        if step is not None:
            context.update("mfa_device", row, totp_last_step=step, last_used_at=context.now)
            return True
    return False


def _step_of(secret: str, code: str, *, after: int | None) -> int | None:
    """Return the time step to which a code belongs, later than `after`, or None."""
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdecimal():
        return None
    now = int(time.time()) // _STEP_S
    generator = pyotp.TOTP(secret)
    for step in range(now - _STEPS_OF_GRACE, now + _STEPS_OF_GRACE + 1):
        fits = hmac.compare_digest(generator.at(step * _STEP_S), digits)
        if fits and (after is None or step > after):
            return step
    return None


# Security keys, passkeys and built-in authenticators, through WebAuthn.

RELYING_PARTY_NAME = "Practice sandbox"
# The console asks with a challenge of its own: it does not void the one that the user's page waits for.
_OWN_KEY, KEY_AT_CONSOLE = "webauthn-registration", "console-webauthn-registration"
_AUTHENTICATION = "webauthn-authentication"
_LARGEST_ANSWER = 64 * 1024


def _relying_party(context: Context) -> tuple[str, str]:
    """Return the host that keys are bound to, and the origin of the pages that the person sees."""
    site = urlsplit(context.site_url)
    return site.hostname or "", f"{site.scheme}://{site.netloc}"


def registration_options(context: Context, user_id: str, challenge: str = _OWN_KEY) -> str:
    """Return what ``navigator.credentials.create`` needs, as JSON with base64url for bytes. Writes."""
    require_device_room(context, user_id, "webauthn")
    person = person_of(context, user_id)
    options = webauthn.generate_registration_options(
        rp_id=_relying_party(context)[0],
        rp_name=RELYING_PARTY_NAME,
        user_id=user_id.encode(),
        user_name=person.user_name,
        user_display_name=person.display_name,
        exclude_credentials=_descriptors(_rows(context, user_id, "webauthn")),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    keep_challenge(context, user_id, challenge, bytes_to_base64url(options.challenge))
    return webauthn.options_to_json(options)


def finish_registration(
    context: Context,
    user_id: str,
    credential_json: str,
    name: str | None = None,
    challenge: str = _OWN_KEY,
) -> MfaDevice:
    """Register what the browser answered, and return the device. Writes."""
    relying_party_id, origin = _relying_party(context)
    asked = find_challenge(context, user_id, challenge)
    if asked is None:
        raise refuse("registration-expired/key")
    try:
        verified = webauthn.verify_registration_response(
            credential=_checked(credential_json),
            expected_challenge=base64url_to_bytes(asked),
            expected_rp_id=relying_party_id,
            expected_origin=origin,
        )
    except Exception as error:  # the answer is anybody's bytes: reading them can make webauthn raise anything
        raise refuse("device-not-verified") from error
    credential_id = bytes_to_base64url(verified.credential_id)
    if context.find("mfa_device", credential_id=credential_id):
        raise refuse("device-registered-already")
    device = add_device(
        context,
        user_id,
        "webauthn",
        name,
        credential_id=credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        relying_party_id=relying_party_id,
    )
    drop_challenge(context, user_id, challenge)
    return device


def authentication_options(context: Context, user_id: str) -> str:
    """Return what ``navigator.credentials.get`` needs, as JSON with base64url for bytes. Writes."""
    relying_party_id, _ = _relying_party(context)
    rows = _rows(context, user_id, "webauthn")
    rows = [row for row in rows if row["relying_party_id"] == relying_party_id]
    if not rows:
        raise refuse("device-of-other-address", relying_party_id=relying_party_id)
    options = webauthn.generate_authentication_options(
        rp_id=relying_party_id, allow_credentials=_descriptors(rows)
    )
    keep_challenge(context, user_id, _AUTHENTICATION, bytes_to_base64url(options.challenge))
    return webauthn.options_to_json(options)


def verify_answer(context: Context, user_id: str, credential_json: str) -> bool:
    """Tell whether one of the user's devices signed the challenge, and use the challenge up. Writes."""
    relying_party_id, origin = _relying_party(context)
    challenge = find_challenge(context, user_id, _AUTHENTICATION)
    drop_challenge(context, user_id, _AUTHENTICATION)
    if challenge is None:
        return False
    rows = _rows(context, user_id, "webauthn")
    try:
        answer = _checked(credential_json)
        given_id = str(json.loads(answer)["id"])
        row = next(row for row in rows if row["credential_id"] == given_id)
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=relying_party_id,
            expected_origin=origin,
            credential_public_key=row["public_key"],
            credential_current_sign_count=row["sign_count"],
        )
    except Exception:  # as at the registration
        return False
    context.update("mfa_device", row, sign_count=verified.new_sign_count, last_used_at=context.now)
    return True


def _checked(credential_json: str) -> str:
    if len(credential_json) > _LARGEST_ANSWER or not isinstance(parse_json(credential_json), dict):
        raise ValueError("not a credential")
    return credential_json


def _descriptors(rows: list[sqlite3.Row]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(row["credential_id"])) for row in rows]


MOST_PHONES = 5  # that hold one key


@dataclass(frozen=True)
class PhoneKey:
    """A key on a phone, which is one browser's or the owner's."""

    key_id: str
    user_id: str
    phone: str = field(repr=False)
    name: str
    secret: str = field(repr=False)
    added_at: float


def list_keys(context: Context, phones: list[str] | None) -> list[PhoneKey]:
    """Return the keys on these phones, or on all with None, oldest first."""
    rows = context.rows("SELECT * FROM phone_key ORDER BY rowid")
    return [read_as(PhoneKey, row) for row in rows if phones is None or row["phone"] in phones]


def holds_key(context: Context, phones: list[str], secret: str) -> bool:
    """Tell whether one of these phones holds a key."""
    return any(one.secret == _spelt(secret) for one in list_keys(context, phones))


def add_key(context: Context, phone: str, secret: str) -> PhoneKey:
    """Put a key on a phone: one that a registration waits for now, so that nothing else gets in. Writes."""
    secret = _spelt(secret)
    user_id = user_of_registration(context, secret)
    if user_id is None:
        raise refuse("phone-key-unknown")
    holding = [one for one in list_keys(context, None) if one.secret == secret]
    if (found := next((one for one in holding if one.phone == phone), None)) is not None:
        return found
    if len(holding) >= MOST_PHONES:
        raise refuse("phone-key-everywhere", most=MOST_PHONES)
    name = f"{ISSUER}: {person_of(context, user_id).user_name}"
    key = PhoneKey(context.ids.uuid("phone_key"), user_id, phone, name, secret, context.now)
    context.insert("phone_key", **asdict(key))
    return key


def remove_key(context: Context, phones: list[str] | None, key_id: str) -> None:
    """Take a key off one of these phones. Writes."""
    if key_id not in [one.key_id for one in list_keys(context, phones)]:
        raise refuse("phone-key-gone")
    context.delete("phone_key", key_id=key_id)


def _spelt(secret: str) -> str:
    """Return a key as apps keep it, whatever the way in which a person types it."""
    return "".join(secret.split()).upper()
