"""Buttons that show a plan, apply exactly that plan in the background, and say how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ipywidgets as widgets

from idc_helpers.display.background import Background
from idc_helpers.display.call_lists import calls_html
from idc_helpers.display.gate import Gate
from idc_helpers.display.movements import outcome_in_words, outcome_table, plan_in_words, plan_table
from idc_helpers.display.tables import STYLE, in_html
from idc_helpers.display.watched_apply import WatchedApply
from idc_helpers.errors import CancelledError, KitError
from idc_helpers.runbook.rehearsing import PlannedCalls
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.scrubbing import scrub

P = TypeVar("P")


@dataclass(frozen=True)
class Labels:
    """What the buttons say.

    Attributes
    ----------
    is_aside
        Whether the second button is shown only once it may be pressed.
    after
        What to do when it is done.
    """

    show: str
    apply: str
    cancel: str = "Cancel"
    is_aside: bool = False
    after: str = "Run the cells below."


class Screen:
    """A line that says what is going on, and the table below it."""

    def __init__(self) -> None:
        self._status = widgets.HTML()
        self._table = widgets.HTML()
        self.box = widgets.VBox([self._status, self._table])

    def say(self, text: str) -> None:
        """Show a line; screen readers say it."""
        self._status.value = f'<div role="status" aria-live="polite">{in_html(scrub(text))}</div>'

    def show(self, html: str) -> None:
        """Show a table in place of the one before; empty: none."""
        self._table.value = STYLE + html if html else ""


class Actions(Generic[P]):
    """Buttons for one gate: review, apply what was reviewed, and cancel while that goes on.

    Parameters
    ----------
    gate
        Knows what may be applied.
    labels
        What the buttons say.
    screen
        Where plans, progress and outcomes are shown.
    context
        Returns the run, for where the calls go.
    may_apply
        Whether this run may write what was shown.
    on_busy
        Called with True when work begins and with False when it ends, to lock what else is on the panel.
    """

    def __init__(
        self,
        gate: Gate[P],
        labels: Labels,
        screen: Screen,
        *,
        context: Callable[[], RunContext],
        may_apply: Callable[[], bool],
        on_busy: Callable[[bool], None],
    ) -> None:
        self._gate, self._labels, self._screen, self._context = gate, labels, screen, context
        self._may_apply, self._on_busy = may_apply, on_busy
        self._background: Background[Any] = Background()
        self._locked = False
        place = gate.place
        on_aws = place is not None and not place.is_sandbox
        where = f" {'in' if place.is_sandbox else 'to'} {place.short}" if place else ""
        self._on_screen: P | None = None
        self._planned = PlannedCalls(())
        self._running: WatchedApply | None = None
        self.show_button = widgets.Button(description=labels.show, layout=_BUTTON)
        self.apply_button = widgets.Button(
            description=f"{labels.apply}{where}",
            tooltip=f"{labels.apply}: {place}" if place else "",
            button_style="danger" if on_aws else "warning" if labels.is_aside else "primary",
            layout=widgets.Layout(width="auto", min_width="12em"),
        )
        self.cancel_button = widgets.Button(description=labels.cancel, layout=widgets.Layout(display="none"))
        self.box = widgets.HBox([self.show_button, self.apply_button, self.cancel_button])
        self.show_button.on_click(lambda _: self._show())
        self.apply_button.on_click(lambda _: self._apply())
        self.cancel_button.on_click(lambda _: self._cancel())
        gate.watch(lambda: self._background.soon(self._gate_moved))
        self.refresh()

    def lock(self, locked: bool) -> None:
        """Lock both buttons while something else is at work."""
        self._locked = locked
        self.refresh()

    def refresh(self) -> None:
        """Unlock exactly what may be pressed now."""
        self.show_button.disabled = self._locked
        ready = self._gate.shown is not None and self._may_apply()
        self.apply_button.disabled = self._locked or not ready
        self.apply_button.layout.display = "" if ready or not self._labels.is_aside else "none"
        self.cancel_button.layout.display = "none" if self._running is None else ""

    def _gate_moved(self) -> None:
        shown = self._gate.shown
        if shown is not None and shown is not self._on_screen and not self._locked:
            self._point_to_cell(shown)
        self.refresh()

    def _point_to_cell(self, plan: P) -> None:
        """Show the calls of a plan that a cell has made and shows."""
        self._on_screen, self._planned = plan, PlannedCalls(())
        self._screen.show("")
        words = plan_in_words(self._gate.changes_of(plan))
        self._screen.say(f"Plan: {words}. The cell that was run last shows it.")

        def show_calls(planned: PlannedCalls | Exception) -> None:
            if isinstance(planned, PlannedCalls) and self._gate.shown is plan:
                self._planned = planned
                self._screen.show(calls_html(planned, self._context()))

        self._background.start(lambda: self._gate.calls_of(plan), show_calls)

    def _show(self, first: str = "") -> None:
        """Make a plan and show it, below a line that says what happened before it."""

        def work() -> tuple[P, PlannedCalls]:
            plan = self._gate.show_plan()
            return plan, self._gate.calls_of(plan)

        self._start("Reading the target …", work, lambda result: self._show_planned(result, first))

    def _apply(self) -> None:
        if self.apply_button.disabled:
            return  # a click that was on its way when the button was locked
        watched = WatchedApply(len(self._planned.calls), self._say_soon)
        self._running = watched
        self.cancel_button.disabled = False
        self._start("Applying …", lambda: watched.run(self._gate.apply), self._applied)

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

    def _show_planned(self, result: tuple[P, PlannedCalls], first: str = "") -> None:
        self._on_screen, self._planned = result
        changes = self._gate.changes_of(self._on_screen)
        table = plan_table(self._gate.title, changes, self._gate.place).html()
        self._screen.show(table + calls_html(self._planned, self._context()))
        self._screen.say("\n".join(filter(None, (first, f"Plan: {plan_in_words(changes)}."))))

    def _say_soon(self, text: str) -> None:
        self._background.soon(lambda: self._screen.say(text))

    def _applied(self, outcome: Any) -> None:
        self._screen.show(outcome_table(self._gate.title, outcome, self._gate.place).html())
        self._screen.say(f"✔ Done: {outcome_in_words(outcome)}. {self._labels.after}")

    def _failed(self, error: Exception) -> None:
        self._screen.say(f"✘ {type(error).__name__}: {error}")
        self._screen.show("")
        if not isinstance(error, KitError):
            raise error


_BUTTON = widgets.Layout(width="auto", min_width="12em")
