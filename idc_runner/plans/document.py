"""A plan of the lesson as a file: where, each change with before and after, and a digest over all of it."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from idc_aws.access import LONE_ACCOUNT_ID
from idc_aws.changes import Action, Change, Plan, State
from idc_aws.errors import ApplyRefusedError, RunFailedError
from idc_aws.files import explained, write_explained
from idc_aws.scrubbing import scrub_values
from idc_helpers import __version__

T = TypeVar("T")
FORMAT = "identity-center-plan/1"
_LARGEST = 100_000_000  # bytes


@dataclass(frozen=True)
class PlannedChange:
    """One change, with the fields that the scenario names, and what of it cannot be undone."""

    change: Change
    wanted: State
    stays: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it without what follows from the rest."""
        change = self.change
        told: dict[str, Any] = {"action": change.action.value, "kind": change.kind, "key": change.key}
        told |= {"reason": change.reason, "wanted": self.wanted}
        if change.action is not Action.UNCHANGED and change.before is not None:
            told["before"] = change.before
        return told | ({"stays": list(self.stays)} if self.stays else {})

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> PlannedChange:
        """Return the change of a file."""
        action, wanted, before = Action(told["action"]), dict(told["wanted"]), told.get("before")
        if action is Action.DELETE:
            raise ValueError("a plan deletes nothing")
        if action is Action.UNCHANGED:
            before = wanted
        after = {**(before or {}), **wanted}
        change = Change(action, told["kind"], told["key"], before, after, told["reason"])
        return cls(change, wanted, tuple(told.get("stays", ())))


@dataclass(frozen=True)
class StepPlan:
    """What one step of the lesson would do."""

    name: str
    notebook: str
    title: str
    changes: tuple[PlannedChange, ...]
    later: str = ""
    notes: tuple[str, ...] = ()
    """What words of the scenario stand for, such as a unit's accounts."""

    @property
    def plan(self) -> Plan:
        """Its changes, as a step applies them."""
        return Plan(tuple(each.change for each in self.changes), self.notes)

    def wanted(self, kind: str) -> dict[str, State]:
        """Return what is wanted of one kind of thing, by key."""
        return {each.change.key: each.wanted for each in self.changes if each.change.kind == kind}


@dataclass(frozen=True)
class PlanPlace:
    """Where a plan was made, and by whom."""

    target: str
    account_id: str
    account_name: str
    region: str
    caller: str
    instance_arn: str
    state_id: str = ""
    endpoint_url: str = ""

    def __str__(self) -> str:
        account = f"account {self.account_id}" + (f" ({self.account_name})" if self.account_name else "")
        parts = [self.target, account, f"Region {self.region}"]
        if self.endpoint_url and self.target != "sandbox":
            parts.append(f"endpoint overridden: {self.endpoint_url}, not AWS")
        return " · ".join(parts)


@dataclass(frozen=True)
class PlanScenario:
    """What applying needs to know of the scenario, beside the changes."""

    file: str
    instance_kind: str
    expected_account: str | None = None
    profile: str | None = None
    attestations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Widening:
    """Something that a reviewer should see: more access than before."""

    rule: str
    needs_accept: bool
    kind: str
    key: str
    words: str


def _now() -> str:
    """Return the time in UTC, such as ``"2026-11-29T21:14:18+00:00"``."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class LessonPlan:
    """One plan for all steps that were asked for."""

    place: PlanPlace
    scenario: PlanScenario
    steps: tuple[StepPlan, ...]
    widenings: tuple[Widening, ...] = ()  # what widens access
    denied: tuple[str, ...] = ()  # IAM actions that the caller lacks
    unknown: tuple[str, ...] = ()  # those of which nobody may ask
    accounts: Mapping[str, str] = field(default_factory=dict)  # their names by id
    effort: str = ""  # how many calls and how long, in words; empty where that is not known
    kit: str = __version__  # its version
    made_at: str = field(default_factory=_now)

    @property
    def plan(self) -> Plan:
        """All changes, in the order in which they are applied."""
        return sum((step.plan for step in self.steps), Plan())

    @property
    def changes(self) -> Iterator[PlannedChange]:
        """All changes, each with what is wanted."""
        return (change for step in self.steps for change in step.changes)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do, for the kit and for a person."""
        return self.plan.is_empty

    def to_accept(self) -> list[str]:
        """Return the rules that have to be accepted before it may be applied, sorted."""
        return sorted({widening.rule for widening in self.widenings if widening.needs_accept})

    def name_accounts(self, text: str) -> str:
        """Return a text with each account's name beside its id."""
        names = self.accounts
        return LONE_ACCOUNT_ID.sub(
            lambda at: f"{names[at[0]]} ({at[0]})" if names.get(at[0]) else at[0], text
        )

    def as_json(self) -> dict[str, Any]:
        """Return what the file holds, with its digest."""
        told = {
            "format": FORMAT,
            "kit": self.kit,
            "made_at": self.made_at,
            **{name: value for name, value in vars(self).items() if name != "steps"},  # they come last
            "place": vars(self.place),
            "scenario": vars(self.scenario),
            "widenings": [vars(widening) for widening in self.widenings],
            "steps": [
                {**vars(step), "changes": [change.as_json() for change in step.changes]}
                for step in self.steps
            ],
        }
        clean = scrub_values(told)
        _require_unscrubbed(told, clean)
        return {**clean, "digest": _digest(clean)}

    def write(self, path: Path) -> None:
        """Write it, readable by its owner alone: it holds all that is to be written, people included."""
        write_explained(path, json.dumps(self.as_json(), indent=1) + "\n")


def _require_unscrubbed(told: Mapping[str, Any], clean: Mapping[str, Any]) -> None:
    """Refuse a plan that would write a secret: its file holds none, and would write something else."""
    for step, clean_step in zip(told["steps"], clean["steps"], strict=True):
        for change, clean_change in zip(step["changes"], clean_step["changes"], strict=True):
            if any(change[name] != clean_change[name] for name in ("kind", "key", "wanted")):
                raise RunFailedError(
                    f"{step['title']}: what is wanted of {clean_change['key']!r} looks like a secret, and a "
                    "plan keeps none",
                    remedy="Take it out of the scenario, and make it invalid where it was issued.",
                )


def _digest(told: Mapping[str, Any]) -> str:
    # Against mistakes, not against forgery: anyone who can write the file can write another digest.
    rest = {name: value for name, value in told.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


_AGAIN = "Make a new one with `idc plan --out FILE`, and read it."


def read_plan(path: Path) -> LessonPlan:
    """Return the plan of a file, as it was written by this version of the kit; reads nothing else."""
    told = _read(path)
    if told.get("format") != FORMAT:
        found = told.get("format")
        what = f"has the format {found!r:.60}" if found else "is not a plan of `idc plan`"
        raise ApplyRefusedError(f"{str(path)!r} {what}; this kit applies {FORMAT!r}", remedy=_AGAIN)
    wrong = []
    if told.get("kit") != __version__:
        wrong.append(
            f"it was made by version {told.get('kit')!r:.60} of the kit, and this is {__version__!r}"
        )
    if told.get("digest") != _digest(told):
        wrong.append("it was changed after it was made: its digest does not fit what it holds")
    if wrong:
        raise ApplyRefusedError(f"{str(path)!r} is not applied: {'; '.join(wrong)}", remedy=_AGAIN)
    try:
        return _plan_of(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ApplyRefusedError(
            f"{str(path)!r} holds something that is not part of a plan: {type(error).__name__}: {error}",
            remedy=_AGAIN,
        ) from error


def _read(path: Path) -> dict[str, Any]:
    with explained(f"the plan {str(path)!r} cannot be read", f"Check the path. {_AGAIN}"):
        if path.stat().st_size > _LARGEST:
            raise RunFailedError(f"{str(path)!r} is larger than any plan", remedy=_AGAIN)
        data = path.read_bytes()
    if not data.strip():
        raise ApplyRefusedError(f"{str(path)!r} is empty", remedy=_AGAIN)
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ApplyRefusedError(
            f"{str(path)!r} is not a whole plan: it is not JSON ({error})", remedy=_AGAIN
        ) from error
    return told if isinstance(told, dict) else {}


def _plan_of(told: Mapping[str, Any]) -> LessonPlan:
    values = {name: value for name, value in told.items() if name not in ("format", "digest")}
    return _filled(
        LessonPlan,
        values,
        place=PlanPlace(**told["place"]),
        scenario=_filled(PlanScenario, told["scenario"]),
        steps=tuple(
            _filled(StepPlan, step, changes=tuple(map(PlannedChange.from_json, step["changes"])))
            for step in told["steps"]
        ),
        widenings=tuple(Widening(**widening) for widening in told["widenings"]),
    )


def _filled(kind: type[T], values: Mapping[str, Any], **parts: Any) -> T:
    """Return a part of a plan; JSON has lists where it has tuples."""
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return kind(**{**given, **parts})
