"""What a person at the screen gets: a step's form, its plan, *Apply*, progress, and the way back.

The cell that shows a panel returns at once. Nothing is applied that the plan on the panel did not show.
"""

from __future__ import annotations

from typing import Any, Protocol

import ipywidgets as widgets

from idc_helpers.changes import Plan
from idc_helpers.display.form_choices import Choices
from idc_helpers.display.form_problems import problems_by_place, problems_in_words
from idc_helpers.display.gate import Gate
from idc_helpers.display.panel_actions import Actions, Labels, Screen
from idc_helpers.display.panel_list import ListForm
from idc_helpers.display.panel_save import SavedStep, SavePanel
from idc_helpers.display.panel_sections import make_form
from idc_helpers.display.panel_style import STYLE as PANEL_STYLE
from idc_helpers.display.tables import STYLE as TABLE_STYLE
from idc_helpers.display.tables import in_html, place_html
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.undo import UndoPlan

_PLAN_ONLY = "This run is in mode 'plan': plans are shown, and nothing is written."


class Panel:
    """A box of widgets that a cell shows as its last value.

    Parameters
    ----------
    context
        The run; the panel is headed with its place, and locked once its runbook is closed.
    """

    def __init__(self, context: RunContext) -> None:
        self.box = widgets.VBox()
        self.box.add_class("idc-panel")
        self._context = context
        self._screen = Screen()
        self.place = widgets.HTML(f"{TABLE_STYLE}{place_html(context.place)}")
        context.opening.watch(self._closed)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    def _closed(self) -> None:
        words = in_html(f"✘ Closed: {self._context.opening.refusal}")
        place = place_html(self._context.place)
        self.place.value = f'{TABLE_STYLE}{place}<div class="idc-problem" role="alert">{words}</div>'
        self._busy(True)
        self._screen.show("")
        self._screen.say(f"✘ Closed: {self._context.opening.refusal}")

    def _busy(self, busy: bool) -> None:
        """Lock what can be pressed or typed into, or unlock it."""


class FormStep(SavedStep, Protocol):
    """What a form needs of a step in a notebook."""

    title: str
    gate: Gate[Plan]
    undo_gate: Gate[UndoPlan]

    @property
    def context(self) -> RunContext:
        """The run, with the values of the form."""

    def set_values(self, values: Any) -> None:
        """Take values over."""


class FormTeardown(Protocol):
    """What a form needs of a teardown in a notebook."""

    title: str
    context: RunContext
    gate: Gate[UndoPlan]


class StepPanel(Panel):
    """Form, plan, apply and undo of one step.

    Parameters
    ----------
    step
        The step; it holds the values, so that showing the panel again shows them again.
    """

    def __init__(self, step: FormStep) -> None:
        super().__init__(step.context)
        self._step = step
        self._problems = widgets.HTML()
        self.form = make_form(step.values, Choices(lambda: step.context), self._edited)
        self.actions = Actions(
            step.gate,
            Labels("Review", "Apply"),
            self._screen,
            context=lambda: step.context,
            may_apply=self._may_write,
            on_busy=self._busy,
        )
        self.undo = Actions(
            step.undo_gate,
            Labels(
                "Undo this step …",
                "Confirm the undo",
                "Cancel the undo",
                is_aside=True,
                after="What was applied here is undone. To do it again: Review, then Apply.",
            ),
            self._screen,
            context=lambda: step.context,
            may_apply=self._may_undo,
            on_busy=self._busy,
        )
        self._fields = widgets.VBox([self.form.box])
        self._save = SavePanel(step)
        mode = "" if self._may_write() else _PLAN_ONLY
        self.box.children = (
            widgets.HTML(f"{PANEL_STYLE}<b>{in_html(step.title)}</b> {in_html(mode)}"),
            self.place,
            self._fields,
            self._problems,
            self.actions.box,
            self.undo.box,
            self._save.box,
            self._screen.box,
        )
        self._show_problems()

    def again(self) -> StepPanel:
        """Return the panel with fresh choices and the present values: its cell was run again."""
        if not (self._step.gate.running or self._step.undo_gate.running):
            before = self.form
            self.form = make_form(self._step.values, Choices(lambda: self._step.context), self._edited)
            if isinstance(before, ListForm) and isinstance(self.form, ListForm):
                self.form.show(before.shown)  # whoever edits an item goes on with that one
            self._fields.children = (self.form.box,)
            self._show_problems()
        return self

    def _edited(self) -> None:
        self._step.set_values(self.form.read())
        self._step.undo_gate.changed()
        self._screen.show("")
        self._screen.say("Changed: review the new values before you apply.")
        self._show_problems()

    def _show_problems(self) -> None:
        problems = self._step.values.problems
        self.form.show_problems(problems_by_place(problems, self._step.values))
        text = problems_in_words(problems, self._step.values)
        self._problems.value = f'<span class="idc-problem">✘ {in_html(text)}</span>' if text else ""

    def _busy(self, busy: bool) -> None:
        locked = busy or self._context.opening.is_closed
        self.form.disable(locked)
        self._save.disable(busy and not self._context.opening.is_closed)  # what was typed can still be kept
        for actions in (self.actions, self.undo):
            actions.lock(locked)

    def _may_write(self) -> bool:
        return self._step.context.mode == "apply"

    def _may_undo(self) -> bool:
        shown = self._step.undo_gate.shown
        return self._may_write() and shown is not None and bool(shown.plan.changes)


class TeardownPanel(Panel):
    """Plan and apply of the teardown.

    Parameters
    ----------
    teardown
        The teardown of the run's folder.
    """

    def __init__(self, teardown: FormTeardown) -> None:
        super().__init__(teardown.context)
        self._may_write = teardown.context.mode == "apply"
        self.actions = Actions(
            teardown.gate,
            Labels("Review what will be undone", "Apply the teardown"),
            self._screen,
            context=lambda: teardown.context,
            may_apply=lambda: self._may_write,
            on_busy=self._busy,
        )
        self.box.children = (
            widgets.HTML(
                f"<b>{in_html(teardown.title)}</b> {'' if self._may_write else in_html(_PLAN_ONLY)}"
            ),
            self.place,
            self.actions.box,
            self._screen.box,
        )

    def _busy(self, busy: bool) -> None:
        self.actions.lock(busy or self._context.opening.is_closed)
