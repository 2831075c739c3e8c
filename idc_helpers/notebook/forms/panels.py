"""The panels: a step with its form, saving as a scenario, the teardown, records of what a person set."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from idc_aws.errors import KitError, ReceiptError
from idc_helpers.notebook.console_guide import ConsoleGuide, Doors, Guide, guide_html
from idc_helpers.notebook.forms.actions import BUTTON, Actions, Labels, Screen
from idc_helpers.notebook.forms.editors import WIDE
from idc_helpers.notebook.forms.form import PANEL_STYLE, Fold, ListForm, make_form
from idc_helpers.notebook.forms.values import (
    FormValues,
    describe_problems,
    format_problems,
    problems_by_place,
)
from idc_helpers.notebook.tables import (
    TABLE_STYLE,
    in_html,
    place_html,
)
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import StepUndo
from idc_helpers.runbook.teardown import Teardown


class SavePanel:
    """A path, a tick for changing a file that exists, and a button."""

    def __init__(self, values: FormValues) -> None:
        self._values = values
        self._path = widgets.Text(
            value="parameters/my-scenario.yaml", description="Scenario file", layout=WIDE
        )
        self._update = widgets.Checkbox(
            description="If the file exists, change this part of it", indent=False, layout=WIDE
        )
        self._button = widgets.Button(description="Save", layout=BUTTON)
        self._screen = Screen()
        field = widgets.VBox([self._path])
        field.add_class("idc-field")
        self._button.on_click(lambda _: self._save())
        inside = [field, self._update, self._button, self._screen.box]
        self.box = Fold("Save as scenario …", inside, lambda: "").box

    def disable(self, disabled: bool) -> None:
        """Lock or unlock everything."""
        for widget in (self._path, self._update, self._button):
            widget.disabled = disabled

    def _save(self) -> Any:
        if problems := describe_problems(self._values):
            self._screen.say(f"✘ {problems}")
            return
        try:
            saved = self._values.save(self._path.value.strip(), update=self._update.value)
        except KitError as error:
            self._screen.say(f"✘ {error}")
            return
        quoted = shlex.quote(str(saved))
        self._screen.say(
            f"✔ Saved to {saved}, with this form's values and the rest of the scenario.\n"
            f"Check it with: idc parameters check {quoted}\nRun it with: idc run --parameters {quoted}"
        )


_PLAN_ONLY = "This run is in mode 'plan': plans are shown, and nothing is written."
_FALLBACK = "A form that needs a running kernel. Run this cell again."


class Panel:
    """A box of widgets that a cell shows as its last value."""

    def __init__(self, context: RunContext) -> None:
        self.box = widgets.VBox()
        self.box.add_class("idc-panel")
        self._context = context
        self._screen = Screen()
        self.place = widgets.HTML(f"{PANEL_STYLE}{TABLE_STYLE}{place_html(context.place)}")
        context.opening.watch(self._closed)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        # The text is what a page shows that has no widgets, or whose kernel has ended.
        bundle = self.box._repr_mimebundle_(**options)
        return {**bundle, "text/plain": _FALLBACK}

    def _closed(self) -> None:
        words = in_html(f"✘ Closed: {self._context.opening.refusal}")
        place = place_html(self._context.place)
        self.place.value = (
            f'{PANEL_STYLE}{TABLE_STYLE}{place}<div class="idc-problem" role="alert">{words}</div>'
        )
        self._busy(True)
        self._screen.show("")
        self._screen.say(f"✘ Closed: {self._context.opening.refusal}")

    def _busy(self, busy: bool) -> None:
        """Lock what can be pressed or typed into, or unlock it."""


class StepPanel(Panel):
    """Form, plan, apply and undo of one step."""

    def __init__(self, values: FormValues, undo: StepUndo) -> None:
        step = self._step = values.step
        super().__init__(step.context)
        self._values, self._undo = values, undo
        self._is_undo_possible = _is_possible(undo)
        self._problems = widgets.HTML()
        self._doors, self._shown_doors = Doors.of(step), widgets.HTML()
        self.form = make_form(values, self._edited)
        self.actions = Actions(
            step,
            Labels("Review", "Apply", check="Check"),
            self._screen,
            may_apply=self._may_write,
            on_busy=self._busy,
            note=self._unfinished,
            problems=lambda: describe_problems(values),
        )
        self.undo = Actions(
            undo,
            Labels(
                "Undo this step …",
                "Confirm the undo",
                "Cancel the undo",
                is_aside=True,
                after="The changes applied here are undone. To do it again: Review, then Apply.",
            ),
            self._screen,
            may_apply=self._may_undo,
            on_busy=self._busy,
            is_offered=lambda: self._may_write() and self._is_undo_possible,
        )
        self._fields = widgets.VBox([self.form.box])
        self._save = SavePanel(values)
        mode = "" if self._may_write() else _PLAN_ONLY
        self.box.children = (
            widgets.HTML(f"<b>{in_html(step.title)}</b> {in_html(mode)}"),
            self.place,
            self._shown_doors,
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
        if not (self._step.running or self._undo.running):
            before = self.form
            self.form = make_form(self._values, self._edited)
            if isinstance(before, ListForm) and isinstance(self.form, ListForm):
                # A person who edits an item continues with it.
                self.form.show(before.shown, is_new=bool(before.unfinished()))
            self._fields.children = (self.form.box,)
            self._doors = Doors.of(self._step)  # its link may be one that works once
            self._is_undo_possible = _is_possible(self._undo)  # another notebook may have applied it
            self.undo.refresh()
            self._show_problems()
        return self

    def _edited(self) -> None:
        self._values.set(self.form.read())
        self._undo.changed()
        self._screen.show("")
        self._screen.say("Changed: review the new values before you apply.")
        self._show_problems()

    def _show_problems(self) -> None:
        self._shown_doors.value = self._doors._repr_html_()
        self.form.show_problems(problems_by_place(self._values))
        text = format_problems(self._values)
        self._problems.value = f'<span class="idc-problem">✘ {in_html(text)}</span>' if text else ""

    def _busy(self, busy: bool) -> None:
        locked = busy or self._context.opening.is_closed
        if not busy:
            self._is_undo_possible = _is_possible(self._undo)
        self.form.disable(locked)
        self._save.disable(busy and not self._context.opening.is_closed)  # what was typed can still be kept
        for actions in (self.actions, self.undo):
            actions.lock(locked)

    def _unfinished(self) -> str:
        return self.form.unfinished()  # of the form that is shown: `again` makes another one

    def _may_write(self) -> bool:
        return self._step.context.mode == "apply"

    def _may_undo(self) -> bool:
        shown = self._undo.reviewed
        return self._may_write() and shown is not None and bool(shown.plan.changes)


def _is_possible(undo: StepUndo) -> bool:
    """Return whether anything is there to undo; of receipts that cannot be read the undo says more."""
    try:
        return undo.is_possible()
    except ReceiptError:
        return True


class TeardownPanel(Panel):
    """Plan and apply of the teardown."""

    def __init__(self, teardown: Teardown) -> None:
        super().__init__(teardown.context)
        self._may_write = teardown.context.mode == "apply"
        self.actions = Actions(
            teardown,
            Labels("Review what will be undone", "Apply the teardown", check="Check"),
            self._screen,
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


_LABEL = {"description_width": "15em"}
_WIDE = widgets.Layout(width="98%", max_width="52em")
_RECORD_BUTTON = widgets.Layout(width="auto", min_width="14em")


class AttestationPanel(Panel):
    """The guide of each setting, with a form below it to record that it is set."""

    def __init__(self, guide: ConsoleGuide, context: RunContext, on_recorded: Callable[[], None]) -> None:
        super().__init__(context)
        self._on_recorded = on_recorded
        parts = (self._part(one, one in guide.to_record) for one in guide.guides)
        self.box.children = (self.place, *parts)

    def _part(self, guide: Guide, to_record: bool) -> Any:
        text = widgets.HTML(TABLE_STYLE + guide_html(guide))
        return widgets.VBox([text, self._form(guide)] if to_record else [text])

    def _form(self, guide: Guide) -> Any:
        by = widgets.Text(description="Who did it", style=_LABEL, layout=_WIDE)
        seen = widgets.Textarea(description="What the console shows now", style=_LABEL, layout=_WIDE, rows=2)
        button = widgets.Button(description="Record that it is set", layout=_RECORD_BUTTON)
        screen = Screen()

        def record(_: Any) -> None:
            try:
                attestation = self._record(guide, by.value, seen.value)
            except (KitError, ValueError, OSError) as error:
                screen.say(f"✘ {error}")
                return
            for widget in (by, seen, button):
                widget.disabled = True
            screen.say(
                f"✔ Recorded: {attestation.by} on {attestation.on}. Now check it in the form of the step."
            )

        button.on_click(record)
        heading = widgets.HTML(f"<b>{in_html(guide.title)}: record what you did</b>")
        return widgets.VBox([heading, by, seen, button, screen.box])

    def _record(self, guide: Guide, by: str, seen: str) -> Any:
        instance = self._context.connection.instance_or_none()
        attestation = self._context.attestations.record(
            guide.setting,
            guide.wanted,
            by=by,
            seen=seen,
            instance_arn=instance.instance_arn if instance else "",
        )
        self._on_recorded()
        return attestation
