"""What a person sees of a run while it goes: events followed, a line for each, a table at the end."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from idc_aws.files import json_objects
from idc_aws.identifiers import counted
from idc_aws.scrubbing import clean
from idc_runner.summary import (
    ACTIONS,
    DONE_WORDS,
    PLAN_WORDS,
    NotebookResult,
    RunSummary,
    format_changes,
    format_seconds,
    text_table,
)

Event = dict[str, Any]


class TimedLines:
    """Writes lines with the time since the start; safe to call from several threads."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def say(self, text: str = "") -> None:
        """Write lines without the time."""
        with self._lock:
            self._stream.write(f"{clean(text)}\n")
            self._stream.flush()

    def tell(self, text: str) -> None:
        """Write a line with the time."""
        self.say(f"[{format_seconds(self.elapsed_s):>10}] {text}")


class Progress(TimedLines):
    """Says what the notebooks of a run do."""

    def __init__(self, stream: TextIO, mode: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream, clock=clock)
        self._planned = mode == "plan"

    def notebook_started(self, notebook: str, number: int, total: int) -> None:
        """Say which notebook runs now."""
        self.tell(f"{notebook} ({number} of {total})")

    def notebook_ended(self, result: NotebookResult) -> None:
        """Say what a notebook came to, and for a failed one why."""
        if result.status == "not run":
            return
        word = "passed" if result.status == "passed" else "FAILED"
        changes = format_changes(result.changes, planned=self._planned)
        checks = f"{counted(len(result.checks), 'check')}, {len(result.failed_checks)} failed"
        self.tell(f"{result.notebook} {word} in {format_seconds(result.wall_s)}: {changes}; {checks}")
        if result.failure is not None:
            self.say(indented(str(result.failure)))

    def event(self, entry: Event) -> None:
        """Say what a step just did; events that a person need not see are passed over."""
        step = str(entry.get("step") or entry.get("notebook"))
        kind = entry.get("event")
        if kind == "planned":
            if self._planned:
                changes = format_changes(entry.get("changes") or {}, planned=True)
                self.tell(f"  {step}: {changes}{_by_hand(entry)}")
        elif kind == "applying" and entry.get("total"):
            self.tell(f"  {step}: applying {counted(int(entry['total']), 'change')}")
        elif kind == "applied":
            self.tell(f"  {step}: {format_changes(entry.get('changes') or {})}")
        elif kind == "checked":
            self._checked(step, list(entry.get("checks") or ()))
        elif kind == "failed":
            first, *_ = str(entry.get("error", "")).splitlines() or [""]
            self.tell(f"  {step}: FAILED: {first}")

    def _checked(self, step: str, checks: list[dict[str, Any]]) -> None:
        failed = [check for check in checks if not check["passed"]]
        if not failed:
            self.tell(f"  {step}: {counted(len(checks), 'check')} passed")
            return
        self.tell(f"  {step}: {len(failed)} of {counted(len(checks), 'check')} FAILED")
        for check in failed:
            self.say(indented(f"{check['name']}: {check['detail']}"))
            if check.get("cause"):
                self.say(indented(f"  likely cause: {check['cause']}"))

    def summary(self, summary: RunSummary, report: Path) -> None:
        """Write the table of the run, the verdict and where the report is."""
        self.say(f"\n{summary_table(summary)}\n")
        verdict = "Every check in every notebook passed." if summary.passed else "The run did not succeed."
        self.say(f"{verdict} {format_seconds(summary.wall_s)} in all.")
        self.say(f"Report: {report}")


def indented(text: str) -> str:
    """Return lines as they stand below one with the time."""
    return "\n".join(f"{'':15}{line}" for line in text.splitlines())


def _by_hand(entry: Event) -> str:
    return f", {entry['by_hand']} by hand in the console" if entry.get("by_hand") else ""


def summary_table(summary: RunSummary) -> str:
    """Return one line for each notebook: status, time, changes, checks passed of checks made."""
    planned = summary.mode == "plan"
    heading = [(PLAN_WORDS if planned else DONE_WORDS)[action] for action in ACTIONS]
    rows = [["notebook", "status", "time", *heading, "checks"]]
    for result in summary.notebooks:
        rows.append([result.notebook, result.status, *_numbers(result)])
    status = "passed" if summary.passed else "failed"
    checks = f"{summary.checks_passed}/{len(summary.checks)}"
    counts = [str(number) for number in summary.totals().values()]
    rows.append(["all", status, format_seconds(summary.wall_s), *counts, checks])
    return text_table(rows, right=frozenset(range(2, len(rows[0]))))


def _numbers(result: NotebookResult) -> list[str]:
    if result.status == "not run":
        return ["", "", "", "", "", ""]
    passed = len(result.checks) - len(result.failed_checks)
    counts = [str(number) for number in result.changes.values()]
    return [format_seconds(result.wall_s), *counts, f"{passed}/{len(result.checks)}"]


_PERIOD_S = 0.1


class EventFollower:
    """Hands each new event of a file to a function, from a thread, until the block ends."""

    def __init__(self, path: Path, on_event: Callable[[Event], None]) -> None:
        self._path = path
        self._on_event = on_event
        self._offset = path.stat().st_size if path.exists() else 0
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="event-follower", daemon=True)

    def __enter__(self) -> EventFollower:
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._ended.set()
        self._thread.join()

    def catch_up(self) -> None:
        """Hand over what was written until now."""
        with self._lock:
            for entry in json_objects(self._new_lines()):
                self._on_event(entry)

    def _follow(self) -> None:
        while not self._ended.wait(_PERIOD_S):
            self.catch_up()
        self.catch_up()  # what was written between the last look and the end

    def _new_lines(self) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # a line still being written is left for the next look
        self._offset += len(whole)
        return whole


# Between two notebooks the run takes a dozen small steps, each of which would wait longer for the thread.
_SWITCH_S = 0.0005


class Meanwhile:
    """Does what it is given in a thread, beside the next notebooks; leaving the block waits for its end."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="meanwhile")
        self._pending: Future[object] | None = None
        self._preparation: threading.Thread | None = None
        self._usual_s = sys.getswitchinterval()

    def __enter__(self) -> Meanwhile:
        sys.setswitchinterval(_SWITCH_S)
        return self

    def __exit__(self, *_raised: object) -> None:
        self._thread.shutdown(wait=True)
        sys.setswitchinterval(self._usual_s)

    def prepare(self, work: Callable[[], object]) -> None:
        """Begin, once, a piece of work that later notebooks would do themselves."""
        if self._preparation is None:
            self._preparation = threading.Thread(target=work, name="preparation", daemon=True)
            self._preparation.start()

    def wait_for_preparation(self) -> None:
        """Wait until it is done, if it has begun."""
        if self._preparation is not None:
            self._preparation.join()

    def offer(self, work: Callable[[], object]) -> None:
        """Begin a piece of work, unless the one before still goes on; raises what that one raised."""
        pending = self._pending
        if pending is not None:
            if not pending.done():
                return
            self._pending = None
            pending.result()
        self._pending = self._thread.submit(work)
