"""A form made from a model: its fields in the console's groups, those that are optional folded away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
from pydantic import BaseModel

from idc_helpers.display.form_choices import Choices
from idc_helpers.display.form_dependence import inactive_fields
from idc_helpers.display.form_problems import inside
from idc_helpers.display.form_words import WHOLE_PROBLEM_AT, FieldGroup, groups_of, words_of
from idc_helpers.display.panel_editors import ABSENT
from idc_helpers.display.panel_fields import FieldEditor, nested_model
from idc_helpers.display.panel_fold import Fold


class ModelForm:
    """The fields of one model, with its values as the scenario file would hold them.

    Parameters
    ----------
    model
        The pydantic model.
    values
        What the form shows at first.
    choices
        What can be chosen.
    on_change
        Called after each change by a person.
    fields
        Only these; empty: all.
    """

    def __init__(
        self,
        model: type[BaseModel],
        values: Mapping[str, Any],
        choices: Choices,
        on_change: Callable[[], None],
        fields: tuple[str, ...] = (),
    ) -> None:
        self._model, self._choices, self._on_change = model, choices, on_change
        self._parts: dict[str, FieldEditor | ModelForm] = {}
        self._folds: dict[str, Fold] = {}
        self._settling = False
        boxes = [self._group(group, values) for group in groups_of(model, fields)]
        self.box = widgets.VBox([box for box in boxes if box is not None])
        self._settle()

    def read(self) -> dict[str, Any]:
        """Return the values; fields left empty are not in it, nor are frames without values."""
        found = {name: self._parts[name].read() for name in self._model.model_fields if name in self._parts}
        nested = {name for name, part in self._parts.items() if isinstance(part, ModelForm)}
        return {
            name: value
            for name, value in found.items()
            if value is not ABSENT and not (name in nested and not any(value.values()))
        }

    def write(self, name: str, value: Any) -> None:
        """Show another value in one field."""
        part = self._parts[name]
        if isinstance(part, FieldEditor):
            part.write(value)

    @property
    def is_set(self) -> bool:
        """Whether any field holds anything but its default."""
        return any(part.is_set for part in self._parts.values())

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Show each problem at its field, unfolding where it is folded away.

        Parameters
        ----------
        problems
            Messages by the place in this form, such as ``"session_duration"`` or ``"enterprise.manager"``.
        """
        problems = dict(problems)
        whole = problems.pop("", "")
        at = WHOLE_PROBLEM_AT.get(self._model, "")
        if whole and at in self._parts:
            problems[at] = whole
        for name, part in self._parts.items():
            own = inside(problems, name)
            part.show_problems(own)
            if own and name in self._folds:
                self._folds[name].open()

    def disable(self, disabled: bool) -> None:
        """Lock or unlock all fields."""
        for part in self._parts.values():
            part.disable(disabled)

    def _group(self, group: FieldGroup, values: Mapping[str, Any]) -> Any:
        if not group.names:
            return None
        parts = {name: self._part(name, values.get(name)) for name in group.names}
        self._parts.update(parts)
        boxes = [part.box for part in parts.values()]
        if not group.title:
            return widgets.VBox(boxes)
        fold = Fold(group.title, boxes, lambda: self._summary(parts))
        is_custom = self._model.__name__ == "PermissionSet" and not values.get("predefined")
        if group.title == "Policies" and is_custom and values:
            fold.open()
        self._folds.update(dict.fromkeys(parts, fold))
        return fold.box

    def _part(self, name: str, value: Any) -> FieldEditor | ModelForm:
        info = self._model.model_fields[name]
        inner = nested_model(info.annotation)
        if inner is not None:
            return ModelForm(inner, value or {}, self._choices, self._changed)
        words = words_of(self._model, name)
        return FieldEditor(name, info, words, value=value, choices=self._choices, on_change=self._changed)

    def _summary(self, parts: Mapping[str, FieldEditor | ModelForm]) -> str:
        number = sum(part.is_set for part in parts.values())
        return f"{number} filled in" if number else "optional"

    def _changed(self) -> None:
        if self._settling:
            return
        self._settle()
        for fold in self._folds.values():
            fold.refresh()
        self._on_change()

    def _settle(self) -> None:
        """Lock what the other choices leave no choice for, and say why."""
        self._settling = True
        inactive = inactive_fields(self._model, self.read())
        for name, part in self._parts.items():
            if isinstance(part, FieldEditor):
                if name in inactive and inactive[name].value is not None:
                    part.write(inactive[name].value)
                part.inactivate(inactive[name].reason if name in inactive else "")
        self._settling = False
