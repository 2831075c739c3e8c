"""The checks of the person's half of the lesson, and their causes: pure, from what the target showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idc_helpers.aws.activation import PersonStatus
from idc_helpers.runbook.causes import Cause
from idc_helpers.runbook.checks import Check, CheckResults
from idc_helpers.runbook.teaching import taught

Settings = Mapping[str, Mapping[str, Any]]
_ENDED = {
    "AccessDenied": (
        "the role answers and refuses: its permission set does not allow this, or another profile was used"
    ),
    "No access": (
        "the portal knows no such role for this person: the assignment is gone, or the person left the group"
    ),
}


def activation_checks(person: PersonStatus, settings: Settings) -> CheckResults:
    """Return whether a person is active: enabled and, where it can be seen, password, MFA device, session.

    Parameters
    ----------
    settings
        The console-only settings by name; empty where nobody can read them.
    """
    checks = [_enabled(person)]
    if person.has_password is not None:
        checks += [_password(person, settings), _device(person, settings), _signed_in(person)]
    return CheckResults(tuple(checks))


def _enabled(person: PersonStatus) -> Check:
    status = person.user_status
    check = _check("the user is enabled", status == "ENABLED", status, "status ENABLED")
    words = (
        "an administrator chose “Disable user access” for this user: sign-in ends at once, and keys that are"
        " out already live to their end"
    )
    return check if check.passed else taught(check, Cause(words, "users"), "activation")


def _password(person: PersonStatus, settings: Settings) -> Check:
    check = _check("a password is set", bool(person.has_password), _yes(person.has_password), "a password")
    if check.passed:
        return check
    if not person.email:
        words = f"user {person.user_name!r} has no e-mail address, so no invitation and no code can arrive"
        return taught(check, Cause(words, "users"), "activation")
    words = "the invitation was not accepted yet: open the mailbox, follow the link, choose a password"
    if not settings.get("standard_authentication", {}).get("send_email_otp", True):
        words += (
            "; without it nothing happens by itself, because Send email OTP is off and a user made by API"
            " has no password"
        )
    return taught(check, Cause(words), "activation")


def _device(person: PersonStatus, settings: Settings) -> Check:
    kinds = ", ".join(sorted(set(person.device_kinds or ()))) or "none"
    check = _check("an MFA device is registered", bool(person.device_kinds), kinds, "at least one device")
    if check.passed:
        return check
    mfa = settings.get("multi_factor_authentication", {})
    if mfa.get("prompt") == "never":
        words = "MFA is off: “Prompt users for MFA” is never, so nobody is asked to register a device"
        return taught(check, Cause(words, "multi_factor_authentication"), "activation")
    without = mfa.get("user_without_device", "require-registration")
    if without != "require-registration":
        words = (
            f"who has no device is not asked to register one: the setting for them is {without!r}, not"
            " 'require-registration'"
        )
        return taught(check, Cause(words, "multi_factor_authentication"), "activation")
    words = (
        "nobody has signed in to the end yet: the device is asked for after the password, at first sign-in"
    )
    return taught(check, Cause(words), "activation")


def _signed_in(person: PersonStatus) -> Check:
    live = bool(person.session_count)
    check = _check("has signed in", live, _yes(live), "a live session of the access portal")
    if check.passed:
        return check
    ended = bool(person.has_password and person.device_kinds)
    words = (
        "there was a session and it is over: signed out, ended by an administrator, or older than the session"
        " duration allows (notebook 03)"
        if ended
        else "the sign-in was not gone to its end: password, then the second factor, then the portal"
    )
    return taught(check, Cause(words), "activation")


def command_line_checks(
    role: str, wanted_role: str, account: str | None, wanted_account: str
) -> CheckResults:
    """Return whether a profile is in the config file and reaches its account.

    Parameters
    ----------
    role
        The permission set that the file names, or ``"not there"``.
    account
        The account that answered, or what was said instead; None: not asked.
    """
    check = _check("the profile is in the config file", role == wanted_role, role, f"role {wanted_role!r}")
    if not check.passed:
        words = (
            "the profile was never written: aws configure sso ended early, or wrote another profile name or"
            " another file (AWS_CONFIG_FILE)"
            if role == "not there"
            else "the profile is there and names another permission set: it was configured for another role"
        )
        check = taught(check, Cause(words), "command_line")
    return CheckResults((check, *_reached(account, wanted_account)))


def _reached(account: str | None, wanted_account: str) -> list[Check]:
    if account is None:
        return []
    check = _check(
        "the profile reaches its account", account == wanted_account, account, f"account {wanted_account}"
    )
    return [check if check.passed else taught(check, *_why_not_reached(account))]


def _why_not_reached(found: str) -> tuple[Cause, str]:
    if found.isdigit():
        return Cause("the profile works, for another account than the one that was asked for"), "command_line"
    if "sso login" in found:
        words = (
            "there is no token, or the session of the access portal is over: signing out ends all sessions,"
            " and a portal session ends by itself (notebook 03 says when)"
        )
        return Cause(words), "sign_in"
    for word, words in _ENDED.items():
        if word in found:
            return Cause(words, "account_assignments"), "sign_in"
    return Cause("the client gave up before it was let in: read what it says, then sign in again"), "sign_in"


def credentials_checks(seen: Mapping[str, str]) -> CheckResults:
    """Return whether keys lived and died as they should.

    Parameters
    ----------
    seen
        What the keys answered: ``whole``, ``after`` their end, ``renewed``, and ``other``: whether the new
        keys are others (``yes`` | ``no``). What was not tried is not there.
    """
    whole, after = seen.get("whole", "not tried"), seen.get("after", "not tried")
    renewed, other = seen.get("renewed", "not tried"), seen.get("other", "not tried")
    alive = ":assumed-role/" in whole
    checks = (
        _check("the keys work before their end", alive, _role_and_person(whole), "the role's own name"),
        _check("they are refused after it", after == "ExpiredToken", after, "ExpiredToken"),
        _check(
            "new keys are for the same role",
            renewed == whole and alive,
            _role_and_person(renewed),
            _role_and_person(whole),
        ),
        _check("the new keys are other keys", other == "yes", other, "another access key id"),
    )
    first_of: dict[str, str] = {}
    return CheckResults(
        tuple(check if check.passed else _once(_taught_by_keys(check), first_of) for check in checks)
    )


def _once(check: Check, first_of: dict[str, str]) -> Check:
    """Return a check that says its cause, or which one above has the same."""
    first = first_of.setdefault(check.cause, check.name)
    return check if first == check.name else replace(check, cause=f"the same as for “{first}”")


def _taught_by_keys(check: Check) -> Check:
    if check.found == "not tried":
        return taught(check, Cause("the cells above were not run in this kernel"), "temporary_credentials")
    if check.name == "they are refused after it":
        words = (
            "the clock was set right again too early, or the keys are long-lived ones (AKIA), without an end"
        )
        return taught(check, Cause(words), "temporary_credentials")
    words = "there was no live session to get keys with: sign in with the profile first"
    return taught(check, Cause(words, "sign_in"), "temporary_credentials")


def _check(name: str, passed: bool, found: str, expected: str) -> Check:
    return Check(name, passed, found, expected=expected, found=found)


def _role_and_person(principal_arn: str) -> str:
    return principal_arn.partition(":assumed-role/")[2] or principal_arn


def _yes(value: bool | None) -> str:
    return "yes" if value else "no"
