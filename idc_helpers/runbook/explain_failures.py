"""What a failed check teaches: the likely cause, the heading to go back to, and AWS's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.diagnostics import (
    absent_parts,
    holder_of_email,
    last_assignment_failure,
    other_delegate,
    why_no_instance,
)
from idc_aws.files import read_table
from idc_aws.resource import Resource
from idc_aws.signin.activation import PersonStatus
from idc_helpers.runbook.comparing import Check, CheckResults, differing_fields, format_state
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.records import Receipt
from idc_helpers.runbook.run import RunContext


@dataclass(frozen=True)
class Facts:
    """What is known besides the two states."""

    region: str = ""
    no_instance: str = ""
    absent: tuple[tuple[str, str], ...] = ()
    failure: str = ""
    email_holder: str = ""
    other_delegate: str = ""
    made_at: str = ""
    interrupted_at: str = ""
    taken_back_at: str = ""
    attested: State | None = None


@dataclass(frozen=True)
class Cause:
    """The likely cause, and the step of the lesson to go back to; an empty step means the check's own."""

    words: str
    step: str = ""


@cache
def _causes() -> dict[str, Any]:
    return read_table("causes", "idc_helpers")


def find_cause(name: str, step: str = "", **values: Any) -> Cause:
    """Return a cause in the words of ``data/causes.toml``, and the step that goes with it."""
    entry = _causes()[name]
    return Cause(entry["words"].format(**values), step or entry.get("step", ""))


def likely_cause(
    kind: str, wanted: State, found: State | None, facts: Facts, *, by_hand: bool = False
) -> Cause:
    """Return why something is not as wanted: the first question whose answer explains it."""
    known = asdict(facts)
    if facts.no_instance and kind != "instance":
        return find_cause("wrong_region", **known)
    if by_hand and kind != "instance":
        return _by_hand(facts) if found is None else find_cause("only_looked_at")
    if facts.absent:
        return _absent(kind, facts)
    if told := next((name for name in ("other_delegate", "email_holder", "failure") if known[name]), ""):
        return find_cause(told, **known)
    return _missing(kind, facts) if found is None else _differs(kind, wanted, found, facts)


def _by_hand(facts: Facts) -> Cause:
    if facts.attested is not None:
        return find_cause("recorded_otherwise", values=format_state(facts.attested))
    return find_cause("not_recorded")


def _absent(kind: str, facts: Facts) -> Cause:
    named = " and ".join(f"the {what.replace('_', ' ')} {name!r}" for what, name in facts.absent)
    named += " is" if len(facts.absent) == 1 else " are"
    what = facts.absent[0][0]
    where = "permission sets" if what == "permission_set" else "identity store"
    name = "absent_of_assignment" if kind == "account_assignment" else "absent"
    return find_cause(name, f"{what}s", named=named, where=where)  # a noun's step is its plural


def _missing(kind: str, facts: Facts) -> Cause:
    if kind == "instance":
        return _no_instance(facts)
    if facts.interrupted_at:
        return find_cause("interrupted", **asdict(facts))
    if facts.made_at:
        return find_cause("deleted_outside", **asdict(facts), trace=_trace("deleted", kind))
    return find_cause("undone" if facts.taken_back_at else "not_applied", **asdict(facts))


def _trace(change: str, kind: str) -> str:
    event = _causes()["events"][change].get(kind)
    return f"; CloudTrail knows by whom (event {event})" if event else ""


def _no_instance(facts: Facts) -> Cause:
    known = asdict(facts)
    cause = Cause(facts.no_instance) if facts.no_instance else find_cause("not_enabled", **known)
    return find_cause("was_enabled", before=cause.words, **known) if facts.made_at else cause


def _differs(kind: str, wanted: State, found: State, facts: Facts) -> Cause:
    outdated = found.get("accounts_to_provision") or []
    if outdated and differing_fields(wanted, found) == ["accounts_to_provision"]:
        return find_cause("not_provisioned", accounts=", ".join(outdated))
    if facts.made_at:
        return find_cause("changed_outside", **asdict(facts), trace=_trace("changed", kind))
    return find_cause("there_before")


def explain_failure(
    check: Check,
    key: str,
    wanted: State,
    found: State | None,
    *,
    context: RunContext,
    resource: Resource,
    step: str,
) -> Check:
    """Return a failed check with what it teaches; reads the target."""
    facts = _facts(context, resource, key, wanted, found)
    return taught(check, likely_cause(resource.kind, wanted, found, facts, by_hand=resource.by_hand), step)


def taught(check: Check, cause: Cause, step: str = "") -> Check:
    """Return a failed check with its likely cause, the heading to go back to and AWS's page."""
    entry = LESSON[cause.step or step]
    return replace(check, cause=cause.words, go_back=entry.place, source=entry.source)


def _facts(context: RunContext, resource: Resource, key: str, wanted: State, found: State | None) -> Facts:
    known = receipt_facts(context.receipts.read(), resource.kind, key)
    facts = replace(known, region=context.connection.region)
    if resource.by_hand:
        recorded = context.attestations.all_of(key)
        return replace(facts, attested=recorded[-1].value if recorded else None)
    facts = replace(facts, no_instance=why_no_instance(context.connection))
    if facts.no_instance:
        return facts
    if resource.kind == "user":
        return replace(facts, email_holder=_email_holder(context.connection, key, wanted, found))
    if resource.kind == "delegated_administrator":
        return replace(facts, other_delegate=other_delegate(context.connection, key))
    return facts if found is not None else _with_clues(facts, context.connection, resource.kind, wanted)


def _with_clues(facts: Facts, connection: Connection, kind: str, wanted: State) -> Facts:
    absent = absent_parts(connection, kind, wanted)
    is_whole_assignment = kind == "account_assignment" and not absent
    failure = last_assignment_failure(connection, wanted) if is_whole_assignment else ""
    return replace(facts, absent=absent, failure=failure)


def _email_holder(connection: Connection, user_name: str, wanted: State, found: State | None) -> str:
    email = str(wanted.get("email") or "")
    has_it = found is not None and found.get("email") == email
    return "" if has_it else holder_of_email(connection, email, user_name)


def receipt_facts(receipts: Sequence[Receipt], kind: str, key: str) -> Facts:
    """Return when a thing was made, interrupted or undone, from the newest receipt that names it."""
    of_it = [receipt for receipt in receipts if (receipt.kind, receipt.key) == (kind, key)]
    if not of_it:
        return Facts()
    newest = of_it[-1]
    at = f"{newest.at[:10]} {newest.at[11:19]} UTC"
    if newest.status == "started":
        return Facts(interrupted_at=at)
    if newest.status != "done":
        return Facts()
    return Facts(taken_back_at=at) if newest.undoes else Facts(made_at=at)


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
