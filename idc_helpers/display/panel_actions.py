"""Buttons that show a plan, apply exactly that plan in the background, and say how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ipywidgets as widgets

from idc_helpers.changes import Change
from idc_helpers.display.background import Background
from idc_helpers.display.gate import Gate
from idc_helpers.display.live import progress_in_words
from idc_helpers.display.movements import outcome_in_words, outcome_table, plan_in_words, plan_table
from idc_helpers.display.tables import STYLE, in_html
from idc_helpers.errors import KitError
from idc_helpers.scrubbing import scrub

P = TypeVar("P")


@dataclass(frozen=True)
class Labels:
    """What two buttons say."""

    show: str
    apply: str


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
    """Two buttons for one gate.

    Parameters
    ----------
    gate
        Knows what may be applied.
    labels
        What the buttons say.
    screen
        Where plans, progress and outcomes are shown.
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
        may_apply: Callable[[], bool],
        on_busy: Callable[[bool], None],
    ) -> None:
        self._gate, self._screen, self._may_apply, self._on_busy = gate, screen, may_apply, on_busy
        self._background: Background[Any] = Background()
        self._locked = False
        self.show_button = widgets.Button(description=labels.show, layout=_BUTTON)
        self.apply_button = widgets.Button(description=labels.apply, button_style="primary", layout=_BUTTON)
        self.show_button.on_click(lambda _: self._show())
        self.apply_button.on_click(lambda _: self._apply())
        gate.watch(lambda: self._background.soon(self.refresh))
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

    def _show(self) -> None:
        self._start("Reading the target …", self._gate.show_plan, self._planned)

    def _apply(self) -> None:
        if self.apply_button.disabled:
            return  # a click that was on its way when the button was locked
        self._start("Applying …", lambda: self._gate.apply(self._progress), self._applied)

    def _start(self, text: str, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self._on_busy(True)
        self._screen.say(text)

        def done(result: Any) -> None:
            self._on_busy(False)
            if isinstance(result, Exception):
                self._failed(result)
            else:
                then(result)

        self._background.start(work, done)

    def _planned(self, plan: P) -> None:
        changes = self._gate.changes_of(plan)
        self._screen.show(plan_table(self._gate.title, changes).html())
        self._screen.say(f"Plan: {plan_in_words(changes)}.")

    def _progress(self, event: str, change: Change, made: int, total: int) -> None:
        text = progress_in_words(event, change, made, total)
        self._background.soon(lambda: self._screen.say(text))

    def _applied(self, outcome: Any) -> None:
        self._screen.show(outcome_table(self._gate.title, outcome).html())
        self._screen.say(f"✔ Done: {outcome_in_words(outcome)}. Run the cells below.")

    def _failed(self, error: Exception) -> None:
        self._screen.say(f"✘ {type(error).__name__}: {error}")
        self._screen.show("")
        if not isinstance(error, KitError):
            raise error


_BUTTON = widgets.Layout(width="auto", min_width="12em")
