"""The screen: live progress, whether a person is there, work in the background, errors without secrets."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from idc_aws.changes import Change
from idc_aws.errors import CheckFailedError, InvalidValueError
from idc_aws.project import INTERACTIVE_VARIABLE
from idc_aws.scrubbing import scrub, scrub_together
from idc_helpers.notebook.tables import Line, Table, checks_table, failed_checks, format_change
from idc_helpers.runbook.comparing import CheckResults
from idc_helpers.runbook.run import RunContext


class Handle(Protocol):
    """What IPython's ``display(..., display_id=True)`` returns."""

    def update(self, shown: Any) -> None:
        """Replace what is shown."""


class LiveLine:
    """One line of progress; made by the first word, updated in place."""

    def __init__(self) -> None:
        self._handle: Handle | None = None

    def say(self, text: str) -> None:
        """Show a line in place of the one before."""
        if self._handle is None:
            self._handle = show_updatable(Line(text))
        else:
            self._handle.update(Line(text))


def format_progress(event: str, change: Change, made: int, total: int) -> str:
    """Return such as ``"▶ 1 of 3 done · create group 'Auditors' …"``."""
    if event == "done" and made == total:
        return f"✔ {made} of {total} done"
    ending = " …" if event == "started" else " ✔"
    return f"▶ {made} of {total} done · {format_change(change)}{ending}"


def show(shown: Any) -> None:
    """Show an object below a cell; outside a notebook it is printed."""
    from IPython.display import display  # noqa: PLC0415 - only where something is shown

    display(shown)


def show_updatable(shown: Any) -> Handle:
    """Show an object and return the handle that replaces it; outside a notebook it is printed."""
    from IPython.display import display  # noqa: PLC0415 - only where something is shown

    handle: Handle | None = display(shown, display_id=True)
    return handle or _NoHandle()


class _NoHandle:
    def update(self, shown: Any) -> None:
        """Drop it: outside a notebook nothing can be replaced."""


def show_checks(title: str, results: CheckResults, context: RunContext | None = None) -> Table:
    """Return the table of checks, or show it with what each failed one teaches, and raise."""
    table = checks_table(title, results, context)
    try:
        results.require()
    except CheckFailedError as error:
        show(table)
        show(failed_checks(results))
        error.is_told_above = True
        raise
    return table


GUIDED, HEADLESS = "guided", "headless"


def is_guided() -> bool:
    """Return whether to show forms and to wait for buttons."""
    # The environment decides; without it, whether the front end can ask for input: papermill's cannot.
    wanted = os.environ.get(INTERACTIVE_VARIABLE, "").strip().casefold()
    if wanted:
        return _read(wanted)
    kernel = getattr(running_shell(), "kernel", None)
    # Private, and the only place where the front end says whether a person can answer.
    return bool(getattr(kernel, "_allow_stdin", False))


def _read(wanted: str) -> bool:
    if wanted not in (GUIDED, HEADLESS):
        raise InvalidValueError(
            f"the environment's {INTERACTIVE_VARIABLE} is {wanted!r}",
            remedy=f"Set it to {GUIDED!r} or {HEADLESS!r}, or unset it.",
        )
    return wanted == GUIDED


def running_shell() -> Any:
    """Return IPython's shell, or None outside of one; IPython is not imported for that."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def scrub_shown_errors(shell: Any) -> None:
    """Have IPython's shell show every exception scrubbed from now on; a second call changes nothing."""
    original = getattr(shell, "_showtraceback", None)
    if original is None or getattr(original, "scrubs", False):
        return

    def show(kind: type[BaseException], value: BaseException | str, lines: list[str]) -> None:
        original(kind, scrub(str(value)), _without_secrets(lines))

    show.scrubs = True  # type: ignore[attr-defined]
    # There is no public hook that covers both the traceback and the message that the notebook stores.
    shell._showtraceback = show


def _without_secrets(lines: list[str]) -> list[str]:
    """Return a traceback's parts scrubbed as one text: a secret may run over several of them."""
    return scrub_together([piece for line in lines for piece in (line, "\n")])[::2]


T = TypeVar("T")


class Background(Generic[T]):
    """Runs work in a thread and hands its result back on the kernel's loop."""

    # Made where the kernel's loop runs, in a cell. Without a loop, in a plain script, work is done at once.

    def __init__(self) -> None:
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        # The loop keeps only weak references: a task that nobody holds can vanish in the middle of its work.
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Do the work, then call `then` with its result or with what it raised, on the loop."""
        if self._loop is None:
            then(_result(work))
        else:
            self._loop.call_soon_threadsafe(self._schedule, work, then)

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call on the loop; safe from any thread."""
        if self._loop is None:
            call()
        else:
            self._loop.call_soon_threadsafe(call)

    def _schedule(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        task = asyncio.ensure_future(self._run(work, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        then(await asyncio.to_thread(_result, work))


def _result(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as error:
        return error
