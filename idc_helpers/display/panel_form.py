"""A form made from a model: a field for each field, a frame for each model inside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
from pydantic import BaseModel

from idc_helpers.display.panel_fields import ABSENT, FieldEditor, nested_model
from idc_helpers.display.tables import in_html


class ModelForm:
    """The fields of one model, with its values as the scenario file would hold them.

    Parameters
    ----------
    model
        The pydantic model.
    values
        What the form shows at first.
    on_change
        Called after each change by a person.
    fields
        Only these; empty: all.
    """

    def __init__(
        self,
        model: type[BaseModel],
        values: Mapping[str, Any],
        on_change: Callable[[], None],
        fields: tuple[str, ...] = (),
    ) -> None:
        self._parts: dict[str, FieldEditor | ModelForm] = {}
        boxes = []
        examples = _examples(model)
        for name, info in model.model_fields.items():
            if fields and name not in fields:
                continue
            inner = nested_model(info.annotation)
            if inner is None:
                part = FieldEditor(name, info, values.get(name), examples.get(name, []), on_change)
                self._parts[name] = part
                boxes.append(part.box)
            else:
                form = ModelForm(inner, values.get(name) or {}, on_change)
                self._parts[name] = form
                boxes.append(_framed(name, info.description or "", form))
        self.box = widgets.VBox(boxes)

    def read(self) -> dict[str, Any]:
        """Return the values; fields left empty are not in it, nor are frames without values."""
        found = {name: part.read() for name, part in self._parts.items()}
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

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Show each problem at its field.

        Parameters
        ----------
        problems
            Messages by the place in this form, such as ``"session_duration"`` or ``"enterprise.manager"``.
        """
        for name, part in self._parts.items():
            part.show_problems(inside(problems, name))

    def disable(self, disabled: bool) -> None:
        """Lock or unlock all fields."""
        for part in self._parts.values():
            part.disable(disabled)


def inside(problems: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the problems at or below one place, by the rest of their place."""
    found = {}
    for place, text in problems.items():
        if place == name or place.startswith((f"{name}.", f"{name}[")):
            found[place[len(name) :].removeprefix(".")] = text
    return found


def _framed(name: str, description: str, form: ModelForm) -> Any:
    title = in_html(name.replace("_", " ").capitalize())
    heading = widgets.HTML(f"<b>{title}</b> <small>{in_html(description)}</small>")
    layout = widgets.Layout(border="1px solid var(--jp-border-color2,#bdbdbd)", padding="4px", margin="4px 0")
    return widgets.VBox([heading, form.box], layout=layout)


def _examples(model: type[BaseModel]) -> dict[str, list[str]]:
    properties = model.model_json_schema().get("properties", {})
    return {name: _examples_of(schema) for name, schema in properties.items()}


def _examples_of(schema: Mapping[str, Any]) -> list[str]:
    choices = [schema, *schema.get("anyOf", [])]
    found: list[Any] = next((choice["examples"] for choice in choices if choice.get("examples")), [])
    return [example for example in found if isinstance(example, str)]
