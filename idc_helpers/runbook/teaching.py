"""Turns a failed check into a lesson: gathers the facts, names the likely cause, says where to go back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from idc_helpers.aws.clues import absent_parts, holder_of_email, last_assignment_failure, why_no_instance
from idc_helpers.aws.connected import Connection
from idc_helpers.changes import Resource, State
from idc_helpers.runbook.attestations import Attestation
from idc_helpers.runbook.causes import Cause, Facts, likely_cause
from idc_helpers.runbook.checks import Check, Teach
from idc_helpers.runbook.places import PLACES, SOURCES
from idc_helpers.runbook.receipts import Receipt
from idc_helpers.runbook.run_context import RunContext


def teacher(context: RunContext, resource: Resource, step: str) -> Teach:
    """Return what teaches the failed checks of one resource of a step; it reads the target when called."""

    def teach(check: Check, key: str, wanted: State, found: State | None) -> Check:
        facts = _facts(context, resource, key, wanted, found)
        return taught(
            check, likely_cause(resource.kind, wanted, found, facts, by_hand=resource.by_hand), step
        )

    return teach


def taught(check: Check, cause: Cause, step: str) -> Check:
    """Return a failed check with its likely cause, the heading to go back to and AWS's page."""
    where = cause.step or step
    return replace(check, cause=cause.words, go_back=PLACES.get(where), source=SOURCES.get(where, ""))


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
    """Return when a thing was made, interrupted or taken back, from the newest receipt that names it."""
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
