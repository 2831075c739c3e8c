"""What a failed check teaches: the likely cause, the heading to go back to, and AWS's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.diagnostics import (
    absent_parts,
    holder_of_email,
    last_assignment_failure,
    other_delegate,
    why_no_instance,
)
from idc_aws.resource import Resource
from idc_helpers.runbook.comparing import Check, differing_fields, format_state
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.records import Attestation, Receipt
from idc_helpers.runbook.run import RunContext

_TRACES: Mapping[str, tuple[str, str]] = {
    "instance": ("DeleteInstance", "UpdateInstance, TagResource or UntagResource"),
    "access_control_attributes": (
        "DeleteInstanceAccessControlAttributeConfiguration",
        "UpdateInstanceAccessControlAttributeConfiguration, which replaces the whole list",
    ),
    "delegated_administrator": ("DeregisterDelegatedAdministrator", "RegisterDelegatedAdministrator"),
    "permission_set": ("DeletePermissionSet", "UpdatePermissionSet, or an Attach…, Detach… or Put… call"),
    "group": ("DeleteGroup", "UpdateGroup"),
    "account_assignment": ("DeleteAccountAssignment", "CreateAccountAssignment"),
    "user": ("DeleteUser", "UpdateUser"),
    "console_setting": ("", "a console setting has its own, such as UpdateSsoConfiguration"),
    "group_membership": ("DeleteGroupMembership, or RemoveMemberFromGroup in the console", ""),
}
_ONLY_LOOKED_AT = (
    "it is set otherwise than the scenario expects, and the kit only looks at it, because changing it can"
    " delete users, groups and assignments: correct the scenario, or have it changed knowingly"
)


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


def likely_cause(
    kind: str, wanted: State, found: State | None, facts: Facts, *, by_hand: bool = False
) -> Cause:
    """Return why something is not as wanted: the first question whose answer explains it."""
    if facts.no_instance and kind != "instance":
        words = f"{facts.no_instance} Identity Center is regional: is {facts.region!r} its home Region?"
        return Cause(words, "instance")
    if by_hand and kind != "instance":
        return _by_hand(facts) if found is None else Cause(_ONLY_LOOKED_AT)
    if facts.absent:
        return _absent(kind, facts)
    if facts.email_holder or facts.other_delegate:
        return _taken(facts)
    if facts.failure:
        return Cause(f"AWS tried to make it and failed: {facts.failure}")
    return _missing(kind, facts) if found is None else _differs(kind, wanted, found, facts)


def _taken(facts: Facts) -> Cause:
    if facts.other_delegate:
        return Cause(
            f"{facts.other_delegate} is the delegated administrator, and Identity Center has one at a time:"
            " deregister that account first, in Settings → Management or by DeregisterDelegatedAdministrator"
        )
    return Cause(
        f"the e-mail address is used by user {facts.email_holder!r} already, and it must be unique:"
        " choose another address, or clear it there first"
    )


def _by_hand(facts: Facts) -> Cause:
    if facts.attested is not None:
        values = format_state(facts.attested)
        return Cause(
            f"a person recorded it with other values ({values}); a record counts only for the values that"
            " it names, so the wish or the setting has changed since"
        )
    return Cause(
        "no API shows this setting, so the kit relies on what a person recorded, and nothing is recorded: it"
        " was never set, or set and not recorded, or recorded in another run folder"
    )


def _absent(kind: str, facts: Facts) -> Cause:
    named = " and ".join(f"the {what.replace('_', ' ')} {name!r}" for what, name in facts.absent)
    verb = "is" if len(facts.absent) == 1 else "are"
    where = "permission sets" if facts.absent[0][0] == "permission_set" else "identity store"
    words = (
        f"{named} {verb} not in this instance's {where}: not made yet, deleted, or spelled otherwise"
        " (a name must be the same, letter by letter)"
    )
    if kind == "account_assignment":
        words += "; with a principal or a permission set go all of its assignments"
    return Cause(words, f"{facts.absent[0][0]}s")  # a noun's step is its plural


def _missing(kind: str, facts: Facts) -> Cause:
    if kind == "instance":
        return _no_instance(facts)
    if facts.interrupted_at:
        return Cause(
            f"the call that makes it was begun at {facts.interrupted_at} and its end was never recorded:"
            " the run was interrupted, or AWS refused; apply again, completed work is kept"
        )
    if facts.made_at:
        event = _TRACES.get(kind, ("", ""))[0]
        trace = f"; CloudTrail knows by whom (event {event})" if event else ""
        return Cause(
            f"this run made it at {facts.made_at}, and it was deleted outside of this run since{trace}"
        )
    if facts.taken_back_at:
        return Cause(f"this run took it back itself, by undo or teardown, at {facts.taken_back_at}")
    return Cause(
        "it was not applied yet; or it was a moment ago and has not spread: AWS may take some seconds"
        " until a new thing shows everywhere, so check once more before anything else"
    )


def _no_instance(facts: Facts) -> Cause:
    words = facts.no_instance or f"it is not enabled yet, or its home Region is not {facts.region!r}."
    if facts.made_at:
        words += (
            f" This run enabled one at {facts.made_at}: it lives in another Region, or was deleted since."
        )
    return Cause(words)


def _differs(kind: str, wanted: State, found: State, facts: Facts) -> Cause:
    outdated = found.get("accounts_to_provision") or []
    if outdated and differing_fields(wanted, found) == ["accounts_to_provision"]:
        return Cause(
            f"the permission set is not provisioned to {', '.join(outdated)} since it was changed: those"
            " accounts keep the older version (LATEST_PERMISSION_SET_NOT_PROVISIONED) until"
            " ProvisionPermissionSet is called, which applying this step does"
        )
    if facts.made_at:
        event = _TRACES.get(kind, ("", ""))[1]
        trace = f"; CloudTrail knows by whom (event {event})" if event else ""
        return Cause(
            f"this run set it at {facts.made_at}, and it was changed outside of this run since{trace}"
        )
    return Cause(
        "it was there before this run, with other values, and the plan that would change it was not applied"
    )


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


def taught(check: Check, cause: Cause, step: str) -> Check:
    """Return a failed check with its likely cause, the heading to go back to and AWS's page."""
    entry = LESSON[cause.step or step]
    return replace(check, cause=cause.words, go_back=entry.place, source=entry.source)


def _facts(context: RunContext, resource: Resource, key: str, wanted: State, found: State | None) -> Facts:
    known = receipt_facts(context.receipts.read(), resource.kind, key)
    facts = replace(known, region=context.connection.region)
    if resource.by_hand:
        newest = _newest(context.attestations.all_of(key))
        return replace(facts, attested=newest.value if newest else None)
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
    at = _readable(newest.at)
    if newest.status == "started":
        return Facts(interrupted_at=at)
    if newest.status != "done":
        return Facts()
    return Facts(taken_back_at=at) if newest.undoes else Facts(made_at=at)


def _readable(at: str) -> str:
    return f"{at[:10]} {at[11:19]} UTC"


def _newest(attestations: Sequence[Attestation]) -> Attestation | None:
    return attestations[-1] if attestations else None
