"""Security keys, passkeys and built-in authenticators, through WebAuthn.

The page layer says where the person is: the relying party's id (the host name) and the origin. A device works
only where it was registered, because the browser sees to that.
Source: https://www.w3.org/TR/webauthn-3/
"""

from __future__ import annotations

import json
import sqlite3

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from idc_sandbox.context import Context
from idc_sandbox.json_documents import parse_json
from idc_sandbox.sign_in.devices import (
    MfaDevice,
    add_device,
    drop_challenge,
    find_challenge,
    keep_challenge,
    require_device_room,
)
from idc_sandbox.sign_in.people import person_of
from idc_sandbox.sign_in.refusals import Refusal

RELYING_PARTY_NAME = "Practice sandbox"
_REGISTRATION, _AUTHENTICATION = "webauthn-registration", "webauthn-authentication"
_LARGEST_ANSWER = 64 * 1024


def registration_options(context: Context, user_id: str, *, relying_party_id: str) -> str:
    """Return what ``navigator.credentials.create`` needs, as JSON with base64url for bytes. Writes.

    Raises
    ------
    Refusal
        As `devices.require_device_room`.
    """
    require_device_room(context, user_id, "webauthn")
    person = person_of(context, user_id)
    options = webauthn.generate_registration_options(
        rp_id=relying_party_id,
        rp_name=RELYING_PARTY_NAME,
        user_id=user_id.encode(),
        user_name=person.user_name,
        user_display_name=person.display_name,
        exclude_credentials=_descriptors(_rows(context, user_id)),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
    )
    keep_challenge(context, user_id, _REGISTRATION, bytes_to_base64url(options.challenge))
    return webauthn.options_to_json(options)


def finish_registration(
    context: Context,
    user_id: str,
    credential_json: str,
    *,
    relying_party_id: str,
    origin: str,
    name: str | None = None,
) -> MfaDevice:
    """Register what the browser answered, and return the device. Writes.

    Raises
    ------
    Refusal
        ``registration-expired``, ``device-not-verified``, ``device-registered-already``, and as
        `devices.add_device`.
    """
    challenge = find_challenge(context, user_id, _REGISTRATION)
    if challenge is None:
        raise Refusal("registration-expired", "This took too long. Start again and touch your device.")
    try:
        verified = webauthn.verify_registration_response(
            credential=_checked(credential_json),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=relying_party_id,
            expected_origin=origin,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise Refusal(
            "device-not-verified", "The device's answer could not be verified. Start again."
        ) from error
    credential_id = bytes_to_base64url(verified.credential_id)
    _refuse_known(context, credential_id)
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
    drop_challenge(context, user_id, _REGISTRATION)
    return device


def authentication_options(context: Context, user_id: str, *, relying_party_id: str) -> str:
    """Return what ``navigator.credentials.get`` needs, as JSON with base64url for bytes. Writes.

    Raises
    ------
    Refusal
        ``device-of-other-address`` when the user's devices were registered under another host name.
    """
    rows = [row for row in _rows(context, user_id) if row["relying_party_id"] == relying_party_id]
    if not rows:
        raise Refusal(
            "device-of-other-address",
            f"Your security keys were registered at another address than {relying_party_id!r}, and work only "
            "there. Open that address, or use another device.",
        )
    options = webauthn.generate_authentication_options(
        rp_id=relying_party_id, allow_credentials=_descriptors(rows)
    )
    keep_challenge(context, user_id, _AUTHENTICATION, bytes_to_base64url(options.challenge))
    return webauthn.options_to_json(options)


def verify_answer(
    context: Context, user_id: str, credential_json: str, *, relying_party_id: str, origin: str
) -> bool:
    """Tell whether one of the user's devices signed the challenge, and use the challenge up. Writes."""
    challenge = find_challenge(context, user_id, _AUTHENTICATION)
    drop_challenge(context, user_id, _AUTHENTICATION)
    if challenge is None:
        return False
    try:
        answer = _checked(credential_json)
        given_id = str(json.loads(answer)["id"])
        row = next(row for row in _rows(context, user_id) if row["credential_id"] == given_id)
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=relying_party_id,
            expected_origin=origin,
            credential_public_key=row["public_key"],
            credential_current_sign_count=row["sign_count"],
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, StopIteration):
        return False
    context.connection.execute(
        "UPDATE mfa_device SET sign_count = ?, last_used_at = ? WHERE device_id = ?",
        (verified.new_sign_count, context.now, row["device_id"]),
    )
    return True


def _checked(credential_json: str) -> str:
    if len(credential_json) > _LARGEST_ANSWER or not isinstance(parse_json(credential_json), dict):
        raise ValueError("not a credential")
    return credential_json


def _refuse_known(context: Context, credential_id: str) -> None:
    known = context.connection.execute(
        "SELECT 1 FROM mfa_device WHERE credential_id = ?", (credential_id,)
    ).fetchone()
    if known:
        raise Refusal("device-registered-already", "This device is registered already; use another one.")


def _rows(context: Context, user_id: str) -> list[sqlite3.Row]:
    return context.connection.execute(
        "SELECT * FROM mfa_device WHERE user_id = ? AND kind = 'webauthn' ORDER BY registered_at", (user_id,)
    ).fetchall()


def _descriptors(rows: list[sqlite3.Row]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(row["credential_id"])) for row in rows]
