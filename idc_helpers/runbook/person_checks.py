"""The checks of the person's half: an active person, a profile that reaches its account, keys that end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idc_aws.signin.activation import PersonStatus
from idc_helpers.runbook.comparing import Check, CheckResults
from idc_helpers.runbook.explain_failures import find_cause, taught

Settings = Mapping[str, Mapping[str, Any]]


def activation_checks(person: PersonStatus, settings: Settings) -> CheckResults:
    """Return whether a person is active: enabled and, where it can be seen, password, MFA device, session."""
    status, has_password, count = person.user_status, person.has_password, person.session_count
    kinds = ", ".join(sorted(set(person.device_kinds or ())))
    checks = [_check("the user is enabled", status == "ENABLED", status, "status ENABLED", "user_disabled")]
    if has_password is None:
        return CheckResults(tuple(checks))
    mfa = settings.get("multi_factor_authentication", {})
    without = mfa.get("user_without_device", "require-registration")
    no_password = _why_no_password(person, settings)
    no_device, session = _why_no_device(mfa.get("prompt"), without), "a live session of the access portal"
    no_session = "session_is_over" if has_password and kinds else "sign_in_not_ended"
    known = {"user_name": person.user_name, "without": without}
    checks += [
        _check("a password is set", has_password, _yes(has_password), "a password", no_password, **known),
        _check(
            "an MFA device is registered", kinds, kinds or "none", "at least one device", no_device, **known
        ),
        _check("has signed in", count, _yes(count), session, no_session),
    ]
    return CheckResults(tuple(checks))


def _why_no_password(person: PersonStatus, settings: Settings) -> str:
    if not person.email:
        return "no_email"
    sends_otp = settings.get("standard_authentication", {}).get("send_email_otp", True)
    return "not_accepted" if sends_otp else "not_accepted_without_otp"


def _why_no_device(prompt: object, without: str) -> str:
    if prompt == "never":
        return "mfa_is_off"
    return "device_asked_for_later" if without == "require-registration" else "device_not_asked_for"


def command_line_checks(
    role: str, wanted_role: str, account: str | None, wanted_account: str
) -> CheckResults:
    """Return whether a profile is in the config file and reaches its account."""
    cause, expected = "profile_not_written" if role == "not there" else "other_role", f"role {wanted_role!r}"
    checks = [_check("the profile is in the config file", role == wanted_role, role, expected, cause)]
    if account is not None:
        cause, expected = _why_not_reached(account), f"account {wanted_account}"
        reached = account == wanted_account
        checks.append(_check("the profile reaches its account", reached, account, expected, cause))
    return CheckResults(tuple(checks))


def _why_not_reached(found: str) -> str:
    if found.isdigit():
        return "other_account"
    words = {"sso login": "no_token", "AccessDenied": "role_refuses", "No access": "no_such_role"}
    return next((cause for word, cause in words.items() if word in found), "client_gave_up")


def credentials_checks(seen: Mapping[str, str]) -> CheckResults:
    """Return whether keys lived and died as they should."""
    whole, after, renewed, other = (
        seen.get(name, "not tried") for name in ("whole", "after", "renewed", "other")
    )
    alive = ":assumed-role/" in whole
    of_role, renewed_of = role_and_person(whole), role_and_person(renewed)
    asked = (
        ("the keys work before their end", alive, of_role, "the role's own name", "no_live_session"),
        ("they are refused after it", after == "ExpiredToken", after, "ExpiredToken", "clock_set_back"),
        (
            "new keys are for the same role",
            renewed == whole and alive,
            renewed_of,
            of_role,
            "no_live_session",
        ),
        ("the new keys are other keys", other == "yes", other, "another access key id", "no_live_session"),
    )
    first_of: dict[str, str] = {}
    checks = []
    for name, passed, found, expected, cause in asked:
        why = "cells_not_run" if found == "not tried" else cause
        check = _check(name, passed, found, expected, why)
        checks.append(check if passed else _once(check, first_of))
    return CheckResults(tuple(checks))


def _once(check: Check, first_of: dict[str, str]) -> Check:
    """Return a check that says its cause, or which one above has the same."""
    first = first_of.setdefault(check.cause, check.name)
    return check if first == check.name else replace(check, cause=f"the same as for “{first}”")


def _check(name: str, passed: object, found: str, expected: str, cause: str, **known: str) -> Check:
    check = Check(name, bool(passed), found, expected=expected, found=found)
    return check if passed else taught(check, find_cause(cause, **known))


def role_and_person(principal_arn: str) -> str:
    """Return the end of an assumed role's ARN, such as ``"AWSReservedSSO_Billing_1/ana"``."""
    return principal_arn.partition(":assumed-role/")[2] or principal_arn


def _yes(value: object) -> str:
    return "yes" if value else "no"
