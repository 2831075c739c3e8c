"""A list of items, such as permission sets: one shown at a time, a chooser, and buttons to add and remove."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
from pydantic import BaseModel

from idc_helpers.display.form_choices import Choices
from idc_helpers.display.form_problems import inside
from idc_helpers.display.panel_form import ModelForm


class ListForm:
    """A form for a list of models; the same face as `ModelForm`.

    Parameters
    ----------
    model
        The model of one item.
    values
        The items as the scenario file would hold them.
    choices
        What can be chosen.
    on_change
        Called after each change by a person.
    label
        Names an item in the chooser.
    follow
        Given an item before and after a change, returns fields that follow from it.
    """

    def __init__(
        self,
        model: type[BaseModel],
        values: list[dict[str, Any]],
        choices: Choices,
        on_change: Callable[[], None],
        *,
        label: Callable[[Mapping[str, Any]], str],
        follow: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        self._model, self._choices, self._on_change = model, choices, on_change
        self._label, self._follow = label, follow
        self._items = [dict(item) for item in values]
        self._problems: dict[str, str] = {}
        self._form: ModelForm | None = None
        self._silent = False
        self._chooser = widgets.Dropdown(
            description="Shown", style={"description_width": "initial"}, layout={"width": "36em"}
        )
        self._add = widgets.Button(description="Add another")
        self._remove = widgets.Button(description="Remove this one")
        self._place = widgets.VBox()
        self.box = widgets.VBox([widgets.HBox([self._chooser, self._add, self._remove]), self._place])
        self._chooser.observe(self._chosen, names="value")
        self._add.on_click(lambda _: self._change([*self._items, {}], len(self._items)))
        self._remove.on_click(lambda _: self._remove_shown())
        self._show(0)

    @property
    def shown(self) -> int:
        """Which item is on the screen; counted from 0."""
        return self._shown

    def show(self, number: int) -> None:
        """Bring an item to the screen; without effect when there are not so many."""
        if number < len(self._items):
            self._show(number)

    def read(self) -> list[dict[str, Any]]:
        """Return all items, the hidden ones too."""
        return [dict(item) for item in self._items]

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Show each problem at its field, and mark the items that have one in the chooser."""
        self._problems = dict(problems)
        self._label_chooser(self._shown)
        if self._form is not None:
            self._form.show_problems(inside(self._problems, f"[{self._shown}]"))

    def disable(self, disabled: bool) -> None:
        """Lock or unlock all fields and buttons."""
        for widget in (self._chooser, self._add, self._remove):
            widget.disabled = disabled
        if self._form is not None:
            self._form.disable(disabled)

    def _remove_shown(self) -> None:
        if self._items:
            self._change(
                [item for at, item in enumerate(self._items) if at != self._shown], max(0, self._shown - 1)
            )

    def _change(self, items: list[dict[str, Any]], shown: int) -> None:
        self._items = items
        self._show(shown)
        self._on_change()

    def _chosen(self, _: Any) -> None:
        if not self._silent and self._chooser.value is not None:
            self._show(self._chooser.value)

    def _show(self, shown: int) -> None:
        self._shown = shown
        self._label_chooser(shown)
        self._form = None
        if self._items:
            self._form = ModelForm(self._model, self._items[shown], self._choices, self._edited)
            self._form.show_problems(inside(self._problems, f"[{shown}]"))
        self._place.children = (self._form.box,) if self._form else (widgets.HTML("There is none yet."),)

    def _label_chooser(self, shown: int) -> None:
        self._silent = True
        marks = ["✘ " if inside(self._problems, f"[{at}]") else "" for at in range(len(self._items))]
        options = [
            (f"{mark}{at + 1}. {self._label(item) or '(new)'}", at)
            for at, (mark, item) in enumerate(zip(marks, self._items, strict=True))
        ]
        if tuple(self._chooser.options) != tuple(options):
            self._chooser.options = options
        self._chooser.value = shown if self._items else None
        self._silent = False

    def _edited(self) -> None:
        if self._form is None or self._silent:
            return
        before, after = self._items[self._shown], self._form.read()
        followed = self._follow(before, after)
        self._silent = True
        for name, value in followed.items():
            self._form.write(name, value)
        self._silent = False
        self._items[self._shown] = {**after, **followed}
        self._label_chooser(self._shown)
        self._on_change()
