"""What a run came to, as ``summary.json`` and as a table: from receipts and events, never from outputs."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from idc_aws.files import write_whole
from idc_aws.scrubbing import clean, clean_values
from idc_helpers.runbook.records import ReceiptBook, read_events
from idc_runner.engine import NotebookFailure
from idc_runner.notebooks import read_record

Status = Literal["passed", "failed", "not run"]
ACTIONS = ("create", "update", "delete", "unchanged")
LESSON_NAMES = ("expected", "found", "cause", "go_back", "source")


@dataclass(frozen=True)
class CheckResult:
    """One check as the run's events tell it."""

    name: str
    passed: bool
    detail: str
    lesson: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NotebookResult:
    """What one notebook came to."""

    notebook: str
    status: Status
    wall_s: float = 0.0
    changes: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    checks: tuple[CheckResult, ...] = ()
    by_hand: int = 0
    failure: NotebookFailure | None = None
    teardown: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed_checks(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True)
class RunSummary:
    """What a run came to."""

    run_id: str
    target: str
    mode: str
    started: str
    wall_s: float
    notebooks: tuple[NotebookResult, ...]

    @property
    def passed(self) -> bool:
        """Whether there were notebooks and every one of them passed."""
        return bool(self.notebooks) and all(result.status == "passed" for result in self.notebooks)

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The checks of all notebooks."""
        return tuple(check for result in self.notebooks for check in result.checks)

    @property
    def checks_passed(self) -> int:
        """How many of them passed."""
        return sum(check.passed for check in self.checks)

    def totals(self) -> dict[str, int]:
        """Return the changes of all notebooks together."""
        return {action: sum(result.changes[action] for result in self.notebooks) for action in ACTIONS}

    def as_json(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds."""
        return {
            "run_id": self.run_id,
            "target": self.target,
            "mode": self.mode,
            "started": self.started,
            "wall_s": round(self.wall_s, 3),
            "notebooks": [_notebook_json(result) for result in self.notebooks],
        }

    def write(self, path: Path) -> None:
        """Write ``summary.json``, replacing the one before in one step."""
        write_whole(path, json.dumps(clean_values(self.as_json()), indent=2, ensure_ascii=False) + "\n")


def _notebook_json(result: NotebookResult) -> dict[str, Any]:
    is_incomplete = any(number for name, number in result.teardown.items() if name != "undone")
    return {
        "notebook": result.notebook,
        "status": result.status,
        "wall_s": round(result.wall_s, 3),
        "changes": dict(result.changes),
        "checks": [
            {"name": check.name, "passed": check.passed, "detail": check.detail} for check in result.checks
        ],
        **({"teardown": dict(result.teardown)} if is_incomplete else {}),
    }


def notebook_result(
    run_folder: Path, notebook: str, *, mode: str, wall_s: float, failure: NotebookFailure | None
) -> NotebookResult:
    """Return what a notebook came to, from the receipts and events that it left; reads only."""
    events = list(read_events(run_folder / "events.jsonl", notebook))
    planned = _last_of_each_step(events, "planned")
    checks = tuple(_checks(_last_of_each_step(events, "checked").values()))
    if mode == "apply":  # by the receipts: a notebook that failed half-way counts what it really did
        settled = {**planned, **_last_of_each_step(events, "applied")}
        changes = _made(run_folder, notebook) | {"unchanged": _sum(settled.values())["unchanged"]}
    else:
        changes = {action: _sum(planned.values())[action] for action in ACTIONS}
    passed = failure is None and all(check.passed for check in checks)
    return NotebookResult(
        notebook=notebook,
        status="passed" if passed else "failed",
        wall_s=wall_s,
        changes=changes,
        checks=checks,
        by_hand=sum(int(entry.get("by_hand", 0)) for entry in planned.values()),
        failure=failure,
        teardown=_last_of_each_step(events, "verdict").get("teardown", {}).get("counts", {}),
    )


def _last_of_each_step(events: Iterable[Mapping[str, Any]], event: str) -> dict[str, Mapping[str, Any]]:
    return {entry.get("step", ""): entry for entry in events if entry.get("event") == event}


def _sum(entries: Iterable[Mapping[str, Any]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for entry in entries:
        total.update(entry.get("changes") or {})
    return total


def _made(run_folder: Path, notebook: str) -> dict[str, int]:
    receipts = ReceiptBook(run_folder / "receipts.jsonl").read()
    record = read_record(run_folder)
    place = (record.target, record.region, record.sandbox_state_id) if record else None
    made = Counter(
        entry.action
        for entry in receipts
        if entry.notebook == notebook
        and entry.status == "done"
        and place in (None, (entry.target, entry.region, entry.state_id))
    )
    return {action: made[action] for action in ACTIONS}


def _checks(entries: Iterable[Mapping[str, Any]]) -> Iterable[CheckResult]:
    for entry in entries:
        for check in entry.get("checks") or ():
            lesson = {name: clean(str(check[name])) for name in LESSON_NAMES if check.get(name)}
            yield CheckResult(str(check["name"]), bool(check["passed"]), clean(str(check["detail"])), lesson)


_LEFT_WORDS = {"unchanged": "unchanged", "skipped": "skipped"}
DONE_WORDS = {"create": "created", "update": "updated", "delete": "deleted", **_LEFT_WORDS}
PLAN_WORDS = {"create": "to create", "update": "to update", "delete": "to delete", **_LEFT_WORDS}


def text_table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Return rows as columns that line up; the first row is the heading."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = [
        "  ".join(_cell(text, widths[i], i in right) for i, text in enumerate(row)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def format_changes(changes: Mapping[str, int], *, planned: bool = False) -> str:
    """Return numbers of changes as a person says them, such as ``"3 created, 1 unchanged"``."""
    words = PLAN_WORDS if planned else DONE_WORDS
    parts = [f"{changes[action]} {word}" for action, word in words.items() if changes.get(action)]
    return ", ".join(parts) or "nothing to do"


def time_words(iso: str) -> str:
    """Return a time as ``"29 November 2026, 21:14 UTC"``."""
    at = datetime.datetime.fromisoformat(iso).astimezone(datetime.UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def format_seconds(seconds: float) -> str:
    """Return a time as ``"7.3 s"`` or ``"2 min 05 s"``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
