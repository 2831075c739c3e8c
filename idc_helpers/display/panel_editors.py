"""Editors of one value each: a widget or a few, read and written as the scenario file holds the value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

ABSENT: Any = object()
"""What an empty editor says: the scenario does not name it."""
WIDE = widgets.Layout(width="98%", max_width="44em")


class Editor:
    """One widget, or several that hold one value together.

    Parameters
    ----------
    box
        What is shown.
    inputs
        The widgets that a person changes.
    """

    def __init__(self, box: Any, inputs: Sequence[Any]) -> None:
        self.box, self.inputs = box, list(inputs)

    def read(self) -> Any:
        """Return the value as the scenario file would hold it, or `ABSENT`."""
        raise NotImplementedError

    def write(self, value: Any) -> None:
        """Show a value; None: nothing."""
        raise NotImplementedError

    def name(self, label: str, tooltip: str) -> None:
        """Give the first input its label; screen readers say it."""
        self.inputs[0].description = label
        self.inputs[0].tooltip = tooltip

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call this after each change by a person or by `write`."""
        for widget in self.inputs:
            widget.observe(lambda _: on_change(), names="value")

    def disable(self, disabled: bool) -> None:
        """Lock or unlock all inputs."""
        for widget in self.inputs:
            widget.disabled = disabled

    def note(self) -> str:
        """Return what to say of the present value in place of the field's help; empty: nothing."""
        return ""


class SimpleEditor(Editor):
    """One widget.

    Parameters
    ----------
    widget
        The widget.
    read, write
        From its value to the scenario's, and back.
    value
        Shown at first.
    """

    def __init__(
        self, widget: Any, read: Callable[[Any], Any], write: Callable[[Any], Any], value: Any = None
    ) -> None:
        super().__init__(widget, [widget])
        self._read, self._write = read, write
        widget.layout = WIDE
        self.write(value)

    def read(self) -> Any:
        """Return the value, or `ABSENT`."""
        return self._read(self.inputs[0].value)

    def write(self, value: Any) -> None:
        """Show a value."""
        self.inputs[0].value = self._write(value)


def text_editor(value: Any, suggestions: Sequence[str] = ()) -> SimpleEditor:
    """Return an editor of a text; what is typed is stripped, and nothing is absent."""
    widget = widgets.Combobox(options=tuple(suggestions)) if suggestions else widgets.Text()
    return SimpleEditor(
        widget, lambda typed: typed.strip() or ABSENT, lambda new: "" if new is None else str(new), value
    )


def truth_editor(value: Any) -> SimpleEditor:
    """Return an editor of yes or no."""
    return SimpleEditor(widgets.Checkbox(indent=False), bool, bool, value)


def lines_editor(
    value: Any, read: Callable[[str], Any] = str, write: Callable[[Any], str] = str
) -> SimpleEditor:
    """Return an editor of a list, one item on each line.

    Parameters
    ----------
    read, write
        From a line to an item, and back.
    """
    area = widgets.Textarea(rows=max(2, min(6, len(value or []))))
    return SimpleEditor(
        area,
        lambda text: [read(line.strip()) for line in text.splitlines() if line.strip()],
        lambda values: "\n".join(write(part) for part in values or []),
        value,
    )


def pairs_editor(value: Any) -> SimpleEditor:
    """Return an editor of a mapping, ``key = value`` on each line."""
    area = widgets.Textarea(rows=max(2, min(6, len(value or {}))), placeholder="key = value")
    return SimpleEditor(
        area,
        _pairs,
        lambda values: "\n".join(f"{key} = {part}" for key, part in (values or {}).items()),
        value,
    )


def _pairs(text: str) -> dict[str, str]:
    parts = (line.partition("=") for line in text.splitlines() if line.strip())
    return {key.strip(): part.strip() for key, _, part in parts}


def policy_reference_editor(value: Any) -> SimpleEditor:
    """Return an editor of one customer managed policy: its path and name in one, as IAM writes it."""
    return SimpleEditor(
        widgets.Text(),
        lambda typed: read_reference(typed.strip()) if typed.strip() else ABSENT,
        lambda new: "" if new is None else write_reference(new),
        value,
    )


def write_reference(policy: Mapping[str, Any]) -> str:
    """Return ``"/finance/ReadLedger"`` for a customer managed policy's path and name."""
    return f"{policy.get('path', '/')}{policy['name']}"


def read_reference(line: str) -> dict[str, str]:
    """Return path and name of a customer managed policy; without a slash, the name alone."""
    path, slash, name = line.rpartition("/")
    return {"path": f"{path}/", "name": name} if slash and path else {"name": name}
