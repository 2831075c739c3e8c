"""Drift: what is not as the scenario says, since when, and what nobody manages; reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from idc_aws.access import LONE_ACCOUNT_ID, list_permission_sets, name_accounts
from idc_aws.changes import Action
from idc_aws.connection import Connection
from idc_aws.errors import KitError, TargetError, ThrottledError
from idc_aws.failures import failed_read
from idc_aws.identifiers import counted, first_of
from idc_aws.permission_sets import PermissionSets
from idc_aws.resource import Resource
from idc_aws.scrubbing import clean_values, scrub_values
from idc_helpers.runbook.comparing import differing_fields
from idc_helpers.runbook.records import Receipt, ReceiptBook, ReceiptPlace
from idc_helpers.runbook.words import format_key, format_thing
from idc_runner.plans.document import PlannedChange
from idc_runner.plans.making import ReadLesson
from idc_runner.plans.words import Line, Thing, diff_lines, printable, thing_of
from idc_runner.report import render_page
from idc_runner.summary import time_words

FORMAT_OF_DRIFT = "identity-center-drift/1"
_MOST_LISTED = 20
_LOOKED_FOR = (
    "permission_set",
    "group",
    "user",
    "group_membership",
    "account_assignment",
    "delegated_administrator",
)
"""Kinds of which there may be things that the scenario does not name."""
_IN_AN_ACCOUNT = ("group", "user", "group_membership")
"""Those of an account's own instance, which gives no access to accounts."""


@dataclass(frozen=True)
class Drifted:
    """One thing that is not as the scenario says."""

    planned: PlannedChange
    since: str
    """What a receipt of ours says of it, in words."""
    at: str = ""
    """When that receipt was written; empty: there is none."""

    @property
    def is_missing(self) -> bool:
        """Whether it is not there at all."""
        return self.planned.change.before is None

    def as_json(self) -> dict[str, Any]:
        """Return it field by field."""
        change, wanted = self.planned.change, self.planned.wanted
        found = change.before or {}
        names = wanted if self.is_missing else differing_fields(wanted, found)
        return {
            "kind": change.kind,
            "key": change.key,
            "what": "missing" if self.is_missing else "differs",
            "fields": {name: {"wanted": wanted[name], "found": found.get(name)} for name in names},
            "since": self.since,
            **({"receipt_at": self.at} if self.at else {}),
        }


@dataclass(frozen=True)
class Drift:
    """What differs, what is unmanaged, and what could not be looked at."""

    where: str  # the place in words
    scenario: str  # its file
    drifted: tuple[Drifted, ...]
    # keys of what exists and is not in the scenario, by kind; never touched
    unmanaged: Mapping[str, tuple[str, ...]]
    by_hand: tuple[str, ...] = ()  # settings that no API shows, and that nobody has attested
    unreadable: tuple[str, ...] = ()  # why something could not be looked for, in words
    is_complete: bool = False  # whether what the scenario does not name is drift too
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_drift(self) -> bool:
        """Whether something is not as the scenario says."""
        return bool(self.drifted or (self.is_complete and any(self.unmanaged.values())))

    @property
    def sentence(self) -> str:
        """What was found, in a sentence."""
        missing = sum(each.is_missing for each in self.drifted)
        others = sum(map(len, self.unmanaged.values()))
        parts = {
            "missing": missing,
            "different": len(self.drifted) - missing,
            "not in the scenario": others,
            "not readable": len(self.unreadable),
        }
        told = ", ".join(f"{number:,} {words}" for words, number in parts.items() if number)
        return f"{'Drift' if self.is_drift else 'No drift'}: {told or 'everything is as the scenario says'}."

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints, without secrets, and without people where they are masked."""
        told = {
            "format": FORMAT_OF_DRIFT,
            "drift": self.is_drift,
            "where": self.where,
            "scenario": self.scenario,
            "drifted": [each.as_json() for each in self.drifted],
            "unmanaged": {kind: list(keys) for kind, keys in self.unmanaged.items()},
            "by_hand": list(self.by_hand),
            "unreadable": list(self.unreadable),
        }
        return dict(clean_values(told))


def find_drift(lesson: ReadLesson, runs: Path, *, is_complete: bool = False) -> Drift:
    """Return how a target differs from the scenario that it was read for; reads what else exists."""
    connection = lesson.connection
    newest = _newest_receipts(runs, lesson.receipt_place)
    changes = [each for read in lesson.steps for each in read.planned.changes]
    drifted = [
        Drifted(each, *_since(each, newest.get(thing_of(each.change)))) for each in changes if _is_drift(each)
    ]
    unmanaged, unreadable = _unmanaged(lesson, changes)
    return Drift(
        where=str(connection),
        scenario=PurePath(lesson.scenario_file).name,
        drifted=tuple(drifted),
        unmanaged=unmanaged,
        by_hand=tuple(
            format_key(each.change.kind, each.change.key)
            for each in changes
            if each.change.action is Action.BY_HAND and each.change.before is None
        ),
        unreadable=tuple(unreadable),
        is_complete=is_complete,
        names=_names_in(connection, [*(each.planned.change.key for each in drifted), *_keys(unmanaged)]),
    )


def _keys(unmanaged: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for keys in unmanaged.values():
        yield from keys


def _names_in(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    return {key: name_accounts(connection, key) for key in keys if LONE_ACCOUNT_ID.search(key)}


def _is_drift(planned: PlannedChange) -> bool:
    change = planned.change
    # What no API shows is not known to be otherwise.
    return change.writes or (change.action is Action.BY_HAND and change.before is not None)


def _newest_receipts(runs: Path, place: ReceiptPlace) -> dict[Thing, Receipt]:
    """Return the newest receipt of each thing of a place, from all runs' folders."""
    found: dict[Thing, Receipt] = {}
    for path in sorted(runs.rglob("receipts.jsonl")) if runs.is_dir() else ():
        try:
            receipts = ReceiptBook(path, place).read()
        except KitError:
            continue  # somebody else's: it says nothing of since when
        for receipt in receipts:
            thing = (receipt.kind, receipt.key)
            if receipt.status == "done" and (thing not in found or found[thing].at <= receipt.at):
                found[thing] = receipt
    return found


def _since(planned: PlannedChange, receipt: Receipt | None) -> tuple[str, str]:
    """Return what the newest receipt of a thing says of its drift, and when it was written."""
    if receipt is None:
        return "no receipt names it: it was not applied from these runs", ""
    when = f"{time_words(receipt.at)}, run {receipt.run_id}"
    if receipt.undoes:
        return f"an undo of ours took it away or set it back: {when}", receipt.at
    left, wanted = receipt.after or {}, scrub_values(planned.wanted)
    names = differing_fields(wanted, scrub_values(planned.change.before or {}))
    if not any(left.get(name) != wanted[name] for name in names):
        return f"we left it as wanted: {when}; it was changed outside since", receipt.at
    return f"we left it with other values: {when}; the scenario has changed since", receipt.at


def _unmanaged(
    lesson: ReadLesson, changes: Iterable[PlannedChange]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return what exists and is not in the scenario, by kind; and why something could not be looked for."""
    known = {thing_of(each.change) for each in changes}
    resources: dict[str, Resource] = {
        part.resource.kind: part.resource for read in lesson.steps for part in read.desired
    }
    found: dict[str, tuple[str, ...]] = {}
    unreadable = []
    instance = lesson.connection.instance_or_none()
    kinds = _IN_AN_ACCOUNT if instance is not None and instance.kind == "account" else _LOOKED_FOR
    for kind, resource in resources.items():
        if kind not in kinds:
            continue
        try:
            keys = _keys_of(lesson.connection, resource)
        except (TargetError, ThrottledError):
            raise
        except KitError as error:
            unreadable.append(f"{kind.replace('_', ' ')}: {error.message}")
            continue
        if others := sorted(key for key in keys if (kind, key) not in known):
            found[kind] = tuple(others)
    return found, unreadable


def _keys_of(connection: Connection, resource: Resource) -> Collection[str]:
    """Return the keys of all that exist of a kind, with the fewest calls."""
    if resource.kind != PermissionSets.kind or connection.instance_or_none() is None:
        return resource.read_all()
    with failed_read("the permission sets"):
        return list_permission_sets(connection)  # the state of each takes seven calls, and is not asked for


def drift_lines(drift: Drift) -> Iterator[str]:
    """Yield a drift for a terminal: ``-`` is what is there, ``+`` what the scenario says."""
    yield from (f"Where     {printable(drift.where)}", f"Scenario  {printable(drift.scenario)}")
    for each in drift.drifted:
        yield from ("", f"{_title(drift, each)}: {each.since}")
        yield from (f"    {line}" for line in _lines(each))
    for heading, lines in _lists(drift, most=_MOST_LISTED).items():
        yield from ("", f"{heading}:", *(f"  {line}" for line in lines))
    yield from ("", drift.sentence)


def _title(drift: Drift, each: Drifted) -> str:
    change = each.planned.change
    name = format_thing(change.kind, drift.names.get(change.key, change.key))
    return f"{'✘ missing' if each.is_missing else '≠ differs'}: {printable(name)}"


def _lines(each: Drifted) -> list[Line]:
    return [] if each.is_missing else diff_lines(each.planned)


def _lists(drift: Drift, *, most: int | None = None) -> dict[str, list[str]]:
    """Return what is listed beside the differences, by heading; of each at most so many, the rest counted."""
    lists = {
        f"Not in the scenario, left alone: {counted(len(keys), kind.replace('_', ' '))}": [
            printable(format_key(kind, drift.names.get(key, key))) for key in keys
        ]
        for kind, keys in drift.unmanaged.items()
    }
    lists["No API shows it, and nobody has attested it"] = list(drift.by_hand)
    lists["Could not be looked for"] = [printable(words) for words in drift.unreadable]
    return {heading: first_of(lines, most or len(lines)) for heading, lines in lists.items() if lines}


def drift_page(drift: Drift) -> str:
    """Return the page of a drift, complete."""
    rows = [
        {"title": _title(drift, each), "diff": "\n".join(map(str, _lines(each))), "result": each.since}
        for each in drift.drifted
    ]
    return render_page(
        "plan.html.j2",
        title="Identity Center drift",
        verdict="drift" if drift.is_drift else "no drift",
        sentence=drift.sentence,
        about={"Where": drift.where, "Scenario": drift.scenario},
        kinds=[],
        steps=[{"heading": "", "changes": rows}] if rows else [],
        notices=_lists(drift),
        changes_heading="Differences",
        signs="In a difference, - is what is there, and + is what the scenario says.",
        checks=[],
    )
