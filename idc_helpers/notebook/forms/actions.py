"""The buttons of a step, its undo or the teardown: review, apply what was reviewed, check."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ipywidgets as widgets

from idc_aws.calls import Call, watched_writes
from idc_aws.changes import Change
from idc_aws.errors import CancelledError, KitError
from idc_aws.scrubbing import scrub
from idc_helpers.notebook.calls import calls_html, format_call, target_of
from idc_helpers.notebook.screen import Background, format_progress
from idc_helpers.notebook.tables import (
    TABLE_STYLE,
    checks_table,
    failed_checks,
    format_checks,
    format_outcome,
    format_plan,
    in_html,
    many_deletions,
    outcome_table,
    plan_table,
)
from idc_helpers.runbook.applying import Outcome, PlannedCalls, Reviewed
from idc_helpers.runbook.comparing import CheckResults

P = TypeVar("P")
_READS = "Reading the target …"
BUTTON = widgets.Layout(width="auto", min_width="12em")


@dataclass(frozen=True)
class Labels:
    """What the buttons say."""

    show: str
    apply: str
    cancel: str = "Cancel"
    is_aside: bool = False
    """Whether the button that applies is hidden until it may be pressed."""
    check: str = ""
    """The button that checks, which also happens after each apply; empty: there is none."""
    after: str = ""


class Screen:
    """A line that says what is going on, and the table below it."""

    def __init__(self) -> None:
        self.plan: object = None
        """The plan in the table: only what a person sees may be applied."""
        self._watchers: list[Callable[[], None]] = []
        self._status = widgets.HTML()
        self._table = widgets.HTML()
        self.box = widgets.VBox([self._status, self._table])

    def say(self, text: str) -> None:
        """Show a line; screen readers say it."""
        self._status.value = f'<div role="status" aria-live="polite">{in_html(scrub(text))}</div>'

    def show(self, html: str, plan: object = None) -> None:
        """Show a table, that of a plan or another one, in place of the one before; empty: none."""
        self._table.value = TABLE_STYLE + html if html else ""
        self.plan = plan
        for watcher in self._watchers:
            watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this whenever another table is shown."""
        self._watchers.append(watcher)


class WatchedApply:
    """One apply; says how far it is, and can be cancelled."""

    def __init__(self, expected: int, say: Callable[[str], None]) -> None:
        self._expected, self._say = expected, say
        self._cancelled = threading.Event()
        self._words = ""
        self._made = self._total = self._sent = 0

    def cancel(self) -> None:
        """Send no further call; the one that is under way is waited for. Safe from any thread."""
        self._cancelled.set()

    def progress(self, event: str, change: Change, made: int, total: int) -> None:
        """Say how far it is."""
        self._made, self._total = made, total
        self._words = format_progress(event, change, made, total)
        self._say(self._words)

    def about_to_send(self, call: Call) -> None:
        """Say which call comes, or refuse it."""
        if self._cancelled.is_set():
            raise CancelledError(
                f"cancelled: {self._made} of {self._total} changes are done, and no further call was sent",
                remedy="Everything done so far has receipts. Press Apply again to finish what is left,"
                " or undo this step.",
            )
        self._sent += 1
        number = f"{self._sent} of {max(self._expected, self._sent)}" if self._expected else str(self._sent)
        self._say(f"{self._words}\nCall {number}: {format_call(call)}")


class Question:
    """A question with two buttons, hidden until it is asked."""

    def __init__(self, yes: str, no: str, on_yes: Callable[[], None], on_no: Callable[[], None]) -> None:
        self._words = widgets.HTML()
        yes_button = widgets.Button(description=yes, button_style="danger", layout=BUTTON)
        no_button = widgets.Button(description=no, layout=BUTTON)
        yes_button.on_click(lambda _: self._answer(on_yes))
        no_button.on_click(lambda _: self._answer(on_no))
        self.box = widgets.HBox([self._words, yes_button, no_button])
        self.close()

    def ask(self, words: str) -> None:
        """Show the question; screen readers say it at once."""
        self._words.value = f'<b role="alert">{in_html(words)}</b>'
        self.box.layout.display = ""

    def close(self) -> None:
        """Hide the question: it counts no longer."""
        self._words.value = ""
        self.box.layout.display = "none"

    def _answer(self, then: Callable[[], None]) -> None:
        if self._words.value:  # else a click that was on its way when the question was closed
            self.close()
            then()


class Actions(Generic[P]):
    """Buttons for a step, its undo or the teardown: review, apply what was reviewed, cancel meanwhile."""

    def __init__(
        self,
        step: Reviewed[P],
        labels: Labels,
        screen: Screen,
        *,
        may_apply: Callable[[], bool],
        on_busy: Callable[[bool], None],
        is_offered: Callable[[], bool] = lambda: True,
        note: Callable[[], str] = str,
        problems: Callable[[], str] = str,
    ) -> None:
        self._step, self._labels, self._screen = step, labels, screen
        self._may_apply, self._on_busy = may_apply, on_busy
        self._is_offered, self._note, self._problems = is_offered, note, problems
        self._background: Background[Any] = Background()
        self._locked = False
        place = step.context.place
        where = f" {'in' if place.is_sandbox else 'to'} {place.short}"
        self._planned = PlannedCalls()
        self._running: WatchedApply | None = None
        # Each has a layout of its own: it is hidden at times.
        narrow, wide = ({"width": "auto", "min_width": width} for width in ("8em", "12em"))
        self.show_button = widgets.Button(description=labels.show, layout=narrow)
        self.apply_button = widgets.Button(
            description=f"{labels.apply}{where}",
            tooltip=f"{labels.apply}: {place}",
            button_style="warning" if labels.is_aside else "primary",
            layout=wide,
        )
        if not place.is_sandbox:
            self.apply_button.button_style = "danger"
        self.cancel_button = widgets.Button(description=labels.cancel, layout=widgets.Layout(display="none"))
        self.check_button = widgets.Button(
            description=labels.check, layout={**narrow, "display": "" if labels.check else "none"}
        )
        buttons = (self.show_button, self.apply_button, self.check_button, self.cancel_button)
        self._question = Question("Delete", "Keep", self._carry_out, self._keep)
        self.box = widgets.VBox([widgets.HBox(buttons), self._question.box])
        self.check_button.on_click(lambda _: self._start(_READS, step.check, self._checked))
        self.show_button.on_click(lambda _: self._show())
        self.apply_button.on_click(lambda _: self._apply())
        self.cancel_button.on_click(lambda _: self._cancel())
        step.watch(lambda: self._background.soon(self.refresh))
        screen.watch(self.refresh)
        self.refresh()

    def lock(self, locked: bool) -> None:
        """Lock all buttons while something else is running."""
        self._locked = locked
        self.refresh()

    def refresh(self) -> None:
        """Offer and unlock exactly what may be pressed now."""
        offered = self._is_offered()
        self.check_button.disabled, self.show_button.disabled = self._locked, self._locked or not offered
        self.show_button.layout.display = "" if offered else "none"
        reviewed = self._step.reviewed
        ready = reviewed is not None and reviewed is self._screen.plan and self._may_apply()
        self.apply_button.disabled = self._locked or not ready
        self.apply_button.layout.display = "" if ready or not self._labels.is_aside else "none"
        self.cancel_button.layout.display = "none" if self._running is None else ""
        if self.apply_button.disabled:
            self._question.close()

    def _show(self, first: str = "") -> None:
        """Make a plan and show it, below a line that says what happened before it."""
        if problems := self._problems():
            self._screen.show("")
            self._screen.say(f"✘ {problems}")
            return

        def work() -> tuple[P, PlannedCalls, str]:
            plan, context = self._step.review(), self._step.context
            with self._step.shown_or_dropped():
                planned = self._step.calls(plan)
                table = plan_table(self._step.title, self._step.changes(plan), context).html()
                return plan, planned, table + calls_html(planned, target_of(context))

        self._start(_READS, work, lambda result: self._show_planned(result, first))

    def _apply(self) -> None:
        if self.apply_button.disabled:
            return  # a click that was on its way when the button was locked
        plan = self._step.reviewed
        if plan is not None and (question := many_deletions(self._step.changes(plan))):
            self._question.ask(question)
        else:
            self._carry_out()

    def _keep(self) -> None:
        self._screen.say("Nothing was deleted.")

    def _carry_out(self) -> None:
        watched = WatchedApply(len(self._planned.calls), self._say_soon)
        self._running = watched
        self.cancel_button.disabled = False

        def work() -> tuple[Outcome, CheckResults | Exception | None]:
            with watched_writes(watched.about_to_send):
                outcome = self._step.apply_reviewed(watched.progress)
            try:
                return outcome, self._step.check() if self._labels.check else None
            except Exception as error:  # what was done is shown all the same
                return outcome, error

        self._start("Applying …", work, lambda result: self._applied(*result))

    def _cancel(self) -> None:
        if self._running is not None:
            self.cancel_button.disabled = True
            self._running.cancel()
            self._screen.say("Cancelling: the call that is under way is waited for …")

    def _start(self, text: str, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self._on_busy(True)
        self._screen.say(text)

        def done(result: Any) -> None:
            self._running = None
            self._on_busy(False)
            if isinstance(result, CancelledError):
                self._show(first=f"✘ {result}")  # so that Apply, pressed again, makes what this shows
            elif isinstance(result, Exception):
                self._failed(result)
            else:
                then(result)

        self._background.start(work, done)

    def _show_planned(self, result: tuple[P, PlannedCalls, str], first: str = "") -> None:
        plan, self._planned, table = result
        self._screen.show(table, plan)
        words = f"Plan: {format_plan(self._step.changes(plan))}."
        self._screen.say("\n".join(filter(None, (first, words, self._note()))))

    def _say_soon(self, text: str) -> None:
        self._background.soon(lambda: self._screen.say(text))

    def _applied(self, outcome: Outcome, checks: CheckResults | Exception | None) -> None:
        words, table = "", outcome_table(self._step.title, outcome, self._step.context).html()
        if isinstance(checks, Exception):
            words = f" It could not be checked. {type(checks).__name__}: {checks}"
        elif checks is not None:
            words, table = f" {format_checks(checks)}", table + self._checks_html(checks)
        self._screen.show(table)
        self._screen.say(f"✔ Done: {format_outcome(outcome)}.{words} {self._labels.after}".rstrip())

    def _checked(self, checks: CheckResults) -> None:
        self._screen.show(self._checks_html(checks))
        self._screen.say(f"{'✔ ' if checks.passed else ''}{format_checks(checks)}")

    def _checks_html(self, checks: CheckResults) -> str:
        lessons = "" if checks.passed else failed_checks(checks)._repr_html_()
        return checks_table(self._step.title, checks, self._step.context).html() + lessons

    def _failed(self, error: Exception) -> None:
        self._screen.say(f"✘ {type(error).__name__}: {error}")
        self._screen.show("")
        if not isinstance(error, KitError):
            raise error
