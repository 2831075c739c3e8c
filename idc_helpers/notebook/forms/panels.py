"""A step's panel: form, plan, apply, undo, attestation, and saving as a scenario."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ipywidgets as widgets

from idc_aws.calls import Call, watched_writes
from idc_aws.changes import Change
from idc_aws.errors import CancelledError, KitError, ReceiptError
from idc_aws.scrubbing import scrub
from idc_helpers.notebook.calls import calls_html, format_call, target_of
from idc_helpers.notebook.console_guide import ConsoleGuide, Doors, Guide, guide_html
from idc_helpers.notebook.forms.form import PANEL_STYLE, Fold, ListForm, make_form
from idc_helpers.notebook.forms.values import (
    FormValues,
    describe_problems,
    format_problems,
    problems_by_place,
)
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
    place_html,
    plan_table,
)
from idc_helpers.runbook.applying import Outcome, PlannedCalls, Reviewed
from idc_helpers.runbook.comparing import CheckResults
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import StepUndo
from idc_helpers.runbook.undo import Teardown

P = TypeVar("P")
_BUTTON = widgets.Layout(width="auto", min_width="12em")


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
        yes_button = widgets.Button(description=yes, button_style="danger", layout=_BUTTON)
        no_button = widgets.Button(description=no, layout=_BUTTON)
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
        self.check_button.on_click(lambda _: self._check())
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

        self._start("Reading the target …", work, lambda result: self._show_planned(result, first))

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

    def _check(self) -> None:
        self._start("Reading the target …", self._step.check, self._checked)

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


_SAVE_WIDE = widgets.Layout(width="98%", max_width="44em")


class SavePanel:
    """A path, a tick for changing a file that exists, and a button."""

    def __init__(self, values: FormValues) -> None:
        self._values = values
        self._path = widgets.Text(
            value="parameters/my-scenario.yaml", description="Scenario file", layout=_SAVE_WIDE
        )
        self._update = widgets.Checkbox(
            description="If the file exists, change this part of it", indent=False, layout=_SAVE_WIDE
        )
        self._button = widgets.Button(description="Save", layout=_BUTTON)
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
        typed = self._path.value.strip()
        if problems := describe_problems(self._values):
            self._screen.say(f"✘ {problems}")
            return
        try:
            saved = self._values.save(typed, update=self._update.value)
        except KitError as error:
            self._screen.say(f"✘ {error}")
            return
        self._screen.say(
            f"✔ Saved to {saved}, with this form's values and the rest of the scenario.\n"
            f"Check it with: idc parameters check {saved}\nRun it with: idc run --parameters {saved}"
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
        return self.form.unfinished()

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


_RECORD_BUTTON = widgets.Layout(width="auto", min_width="14em")
