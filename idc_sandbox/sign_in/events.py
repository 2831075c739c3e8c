"""Which events a sign-in leaves in the trail, step by step."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.context import Context
from idc_sandbox.sign_in import devices
from idc_sandbox.sign_in.people import person_of, start_urls
from idc_sandbox.trail.people import record_authentication, record_challenge, record_verification

# What each step proves, and what each page asks for, in the trail's words.
_PROOF_OF_STEP = {
    "password": "PASSWORD",
    "one-time-password": "EMAIL_OTP",
    "totp": "TOTP",
    "webauthn": "WEBAUTHN",
    "email-code": "EMAIL_OTP",
}
_ASKED_ON_PAGE = {"password": "PASSWORD", "first-one-time-password": "EMAIL_OTP", "email-otp": "EMAIL_OTP"}
_STEPS_THAT_REGISTER = ("register-totp", "register-webauthn")


def note_proof(context: Context, row: sqlite3.Row, step: str, *, is_right: bool) -> sqlite3.Row:
    """Add whether what somebody typed was right, and return the sign-in with what is proved. Writes."""
    workflow = _workflow(row)
    record_verification(context, workflow["id"], _PROOF_OF_STEP[step], row["user_id"], is_right=is_right)
    if is_right:
        workflow["proved"].append(_PROOF_OF_STEP[step])
        context.update("sign_in", row, workflow_json=json.dumps(workflow))
        (row,) = context.find_all("sign_in", sign_in_hash=row["sign_in_hash"])
    return row


def note_page(context: Context, row: sqlite3.Row, step: str, page: str) -> None:
    """Add what the page asks for to which a step has led, or that the person is signed in. Writes."""
    workflow = _workflow(row)
    if page == "signed-in":
        more = {"LoginTo": start_urls(context)[0]}
        if step in _STEPS_THAT_REGISTER:
            more["DeviceEnrollmentRequired"] = "true"
        record_authentication(context, workflow["id"], ",".join(workflow["proved"]), row["user_id"], more)
        return
    kinds = [_ASKED_ON_PAGE[page]] if page in _ASKED_ON_PAGE else []
    user_id = row["user_id"]
    if page == "mfa":
        usable = devices.allowed_kinds(context, person_of(context, user_id).instance_arn)
        owned = {one.kind for one in devices.list_devices(context, user_id)}
        kinds = [kind.upper() for kind in usable if kind in owned]
    is_first = not workflow["proved"]
    if is_first:  # the step has just looked whose name it is
        (row,) = context.find_all("sign_in", sign_in_hash=row["sign_in_hash"])
        user_id = row["user_id"]
    name = person_of(context, user_id).user_name if user_id else None
    for kind in kinds:
        record_challenge(context, workflow["id"], kind, user_name=name, is_first=is_first)


def _workflow(row: sqlite3.Row) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(row["workflow_json"])
    return {"id": "", "proved": [], **kept}  # of a sign-in that began before there was a trail
