"""One widget for each field of a model, chosen by its type; read as a scenario file would hold the value."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from idc_helpers.display.tables import in_html
from idc_helpers.models import CustomerManagedPolicy

ABSENT: Any = object()
"""What an empty field says: the scenario does not name it."""
_WIDE = widgets.Layout(width="98%", max_width="52em")
_BELOW = {"margin": "-4px 0 4px 15.5em"}
# What only a person who writes YAML needs to know.
_IN_A_FILE = re.compile(r",? in quotes(?:: [^.]*)?")
_RED = "color:var(--jp-error-color1,#c62828)"
_LABEL = {"description_width": "15em"}


class FieldEditor:
    """A label, a widget, a line of help and a line for what is wrong.

    Parameters
    ----------
    name
        The field's name in the model.
    info
        pydantic's description of the field.
    value
        As the scenario file would hold it; None: absent.
    examples
        Offered as suggestions for a text.
    on_change
        Called after each change by a person.
    """

    def __init__(
        self, name: str, info: FieldInfo, value: Any, examples: list[str], on_change: Callable[[], None]
    ) -> None:
        self.name = name
        label = name.replace("_", " ").capitalize()
        kind = unwrapped(info.annotation)
        value = _default(info) if value is None else value
        self.widget, self._read, self._write = _choose(kind, value, examples, optional=_takes_none(info))
        self.widget.description = label
        self.widget.style = _LABEL
        self.widget.layout = _WIDE
        self.widget.tooltip = info.description or ""
        self._problem = widgets.HTML(layout={"margin": _BELOW["margin"], "display": "none"})
        help_text = widgets.HTML(
            f"<small>{in_html(_help(kind, info.description or ''))}</small>", layout=_BELOW
        )
        self.box = widgets.VBox([self.widget, help_text, self._problem])
        self.widget.observe(lambda _: on_change(), names="value")

    def read(self) -> Any:
        """Return the value as the scenario file would hold it, or `ABSENT`."""
        return self._read(self.widget.value)

    def write(self, value: Any) -> None:
        """Show another value."""
        self.widget.value = self._write(value)

    def show_problems(self, problems: dict[str, str]) -> None:
        """Show what is wrong with this field, by the place inside it; nothing: all is well."""
        text = " ".join(problems.values())
        self._problem.value = f'<span role="alert" style="{_RED}">✘ {in_html(text)}</span>'
        self._problem.layout.display = "" if text else "none"

    def disable(self, disabled: bool) -> None:
        """Lock or unlock the widget."""
        self.widget.disabled = disabled


def unwrapped(annotation: Any) -> Any:
    """Return a type without ``None`` and without what ``Annotated`` says about it."""
    if get_origin(annotation) is Annotated:
        return unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return unwrapped(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model that gets a frame of its own, or None for a field of another type."""
    kind = unwrapped(annotation)
    return kind if _is_model(kind) and kind is not CustomerManagedPolicy else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _takes_none(info: FieldInfo) -> bool:
    return type(None) in get_args(info.annotation)


def _default(info: FieldInfo) -> Any:
    return None if info.is_required() else info.get_default(call_default_factory=True)


def _help(kind: Any, description: str) -> str:
    description = _IN_A_FILE.sub("", description)
    if _is_model(kind):
        return f"{description} Its path and name in one, such as /finance/ReadLedger."
    if get_origin(kind) is list and get_origin(unwrapped(get_args(kind)[0])) is not Literal:
        return f"{description} One on each line."
    if get_origin(kind) is dict and unwrapped(get_args(kind)[1]) is str:
        return f"{description} Each on a line of its own: key = value."
    return description


Widget = tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]


def _choose(kind: Any, value: Any, examples: list[str], *, optional: bool) -> Widget:
    """Return the widget, how to read its value, and how to write one."""
    origin = get_origin(kind)
    if kind is bool:
        return widgets.Checkbox(bool(value), indent=True), bool, bool
    if origin is Literal:
        return _one_of(list(get_args(kind)), value, optional=optional)
    if origin is list:
        return _list(unwrapped(get_args(kind)[0]), value)
    if _is_model(kind):
        line = "" if value is None else _reference_line(value)
        return (
            widgets.Text(line),
            lambda typed: _reference(typed.strip()) if typed.strip() else ABSENT,
            _reference_line,
        )
    if origin is dict:
        return _pairs(value) if unwrapped(get_args(kind)[1]) is str else _json(value)
    text = "" if value is None else str(value)
    box = widgets.Combobox(value=text, options=examples) if examples else widgets.Text(text)
    return box, lambda typed: typed.strip() or ABSENT, lambda new: "" if new is None else str(new)


def _one_of(choices: list[str], value: Any, *, optional: bool) -> Widget:
    options = [*([("(none)", "")] if optional else []), *((choice, choice) for choice in choices)]
    chosen = value if value in choices else options[0][1]
    return (
        widgets.Dropdown(options=options, value=chosen),
        lambda picked: picked or ABSENT,
        lambda new: new or "",
    )


def _list(item: Any, value: Any) -> Widget:
    if get_origin(item) is Literal:
        choices = list(get_args(item))
        chosen = tuple(choice for choice in choices if choice in (value or []))
        return widgets.SelectMultiple(options=choices, value=chosen, rows=len(choices)), list, tuple
    write, read = (_reference_line, _reference) if _is_model(item) else (str, str)

    def lines(values: Any) -> str:
        return "\n".join(write(part) for part in values or [])

    area = widgets.Textarea(lines(value), rows=max(2, min(6, len(value or []))))
    return area, lambda text: [read(line.strip()) for line in text.splitlines() if line.strip()], lines


def _reference_line(policy: Any) -> str:
    values = policy.model_dump() if isinstance(policy, BaseModel) else policy
    return f"{values.get('path', '/')}{values['name']}"


def _reference(line: str) -> Any:
    # A customer managed policy as IAM writes it: its path and its name in one, such as /finance/ReadLedger.
    path, slash, name = line.rpartition("/")
    return {"path": f"{path}/", "name": name} if slash and path else {"name": name}


def _pairs(value: Any) -> Widget:
    def lines(values: Any) -> str:
        return "\n".join(f"{key} = {part}" for key, part in (values or {}).items())

    def read(text: str) -> dict[str, str]:
        parts = (line.partition("=") for line in text.splitlines() if line.strip())
        return {key.strip(): part.strip() for key, _, part in parts}

    return widgets.Textarea(lines(value), rows=max(2, min(6, len(value or {})))), read, lines


def _json(value: Any) -> Widget:
    def text_of(values: Any) -> str:
        return values if isinstance(values, str) else json.dumps(values, indent=2) if values else ""

    # The text goes to the model as it is: the model says where it is not JSON.
    area = widgets.Textarea(text_of(value), rows=8)
    return area, lambda text: text if text.strip() else ABSENT, text_of
