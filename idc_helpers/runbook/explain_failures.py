"""What a failed check teaches: the likely cause, the heading to go back to, and AWS's page."""

from __future__ import annotations

from collections.abc import Sequence
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
from idc_helpers.runbook.comparing import Check, differing_fields, format_state
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
    at = _readable(newest.at)
    if newest.status == "started":
        return Facts(interrupted_at=at)
    if newest.status != "done":
        return Facts()
    return Facts(taken_back_at=at) if newest.undoes else Facts(made_at=at)


def _readable(at: str) -> str:
    return f"{at[:10]} {at[11:19]} UTC"
