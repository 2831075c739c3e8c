"""Editors that offer choices: one of some, or another one; several in a tree; policies by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from idc_helpers.display.form_choices import Choice, ChoiceList
from idc_helpers.display.panel_editors import ABSENT, WIDE, Editor
from idc_helpers.display.tables import in_html

OTHER = "\0other"
MOST_BOXES = 40
"""More choices than these are a list in which several can be marked, and not a box each."""


class ChoiceEditor(Editor):
    """One of some choices; where others are allowed, a text for another one.

    Parameters
    ----------
    offered
        What to choose from. A value that is none of them is added, so that it is not lost.
    value
        Shown at first.
    none
        What choosing nothing is called; None: something must be chosen.
    other
        What choosing something else is called.
    """

    def __init__(
        self, offered: ChoiceList, value: Any, *, none: str | None = None, other: str = "Another one …"
    ) -> None:
        self._offered, self._none = offered, none
        self._dropdown = widgets.Dropdown(layout=WIDE)
        self._text = widgets.Text(description=other.rstrip(" …"), layout=widgets.Layout(**WIDE_HIDDEN))
        super().__init__(widgets.VBox([self._dropdown, self._text]), [self._dropdown, self._text])
        self._other = other
        self.write(value)
        self._dropdown.observe(self._chosen, names="value")

    def read(self) -> Any:
        """Return what is chosen or typed, or `ABSENT`."""
        chosen = self._dropdown.value
        return (self._text.value.strip() if chosen == OTHER else chosen) or ABSENT

    def write(self, value: Any) -> None:
        """Show a value; one that is not among the choices is added, or typed where that is allowed."""
        choices = list(self._offered.choices)
        found = next((choice.value for choice in choices if value and choice.means(value)), None)
        if value and found is None and not self._offered.is_open:
            choices.append(Choice(value, f"{value} (not found)"))
            found = value
        options = [(choice.label, choice.value) for choice in choices]
        if self._none is not None or not value:
            options.insert(0, (self._none or "(choose)", ""))
        if self._offered.is_open:
            options.append((self._other, OTHER))
        if tuple(self._dropdown.options) != tuple(options):
            self._dropdown.options = options
        if value and found is None:
            self._text.value = value
            self._dropdown.value = OTHER
        else:
            self._dropdown.value = found or ""
        self._show_text()

    def name(self, label: str, tooltip: str) -> None:
        """Give the list its label, and the text for something else one that names the field too."""
        super().name(label, tooltip)
        self._text.description = f"{label}: {self._other.rstrip(' …').lower()}"

    def note(self) -> str:
        """Return what the present choice means."""
        return next((c.help for c in self._offered.choices if c.value == self._dropdown.value), "")

    def _chosen(self, change: Any) -> None:
        if change["new"] == OTHER and not self._text.value:
            self._text.value = change["old"] or ""  # something to start from, in the spelling that is wanted
        self._show_text()

    def _show_text(self) -> None:
        self._text.layout.display = "" if self._dropdown.value == OTHER else "none"


class SeveralEditor(Editor):
    """Several of some choices: a box each, under the headings of their tree; many of them as one list.

    Parameters
    ----------
    offered
        What to choose from. Values that are none of them are added.
    value
        Shown at first.
    """

    def __init__(self, offered: ChoiceList, value: Sequence[str] | None) -> None:
        unknown = [one for one in value or [] if not any(choice.means(one) for choice in offered.choices)]
        self._choices = [*offered.choices, *(Choice(one, f"{one} (not found)") for one in unknown)]
        self._first = list(value or [])
        self._label = widgets.HTML()
        if len(self._choices) > MOST_BOXES:
            self._list = widgets.SelectMultiple(options=_tree_options(self._choices), rows=12, layout=WIDE)
            super().__init__(self._list, [self._list])
        else:
            self._list = None
            boxes = [widgets.Checkbox(description=choice.label, indent=False) for choice in self._choices]
            rows = _tree_rows(self._choices, boxes)
            super().__init__(
                widgets.VBox([self._label, *(rows or [widgets.HTML("There is none yet.")])]), boxes
            )
        self.write(value)

    def read(self) -> list[str]:
        """Return the values chosen: first those that were there at first, as they were written."""
        chosen = [
            choice for choice, is_chosen in zip(self._choices, self._chosen(), strict=True) if is_chosen
        ]
        kept = [one for one in self._first if any(choice.means(one) for choice in chosen)]
        return [*kept, *(choice.value for choice in chosen if not any(map(choice.means, kept)))]

    def write(self, value: Any) -> None:
        """Show which are chosen."""
        marks = [any(choice.means(one) for one in value or []) for choice in self._choices]
        if self._list is not None:
            self._list.value = tuple(
                choice.value for choice, mark in zip(self._choices, marks, strict=True) if mark
            )
        else:
            for box, mark in zip(self.inputs, marks, strict=True):
                box.value = mark

    def name(self, label: str, tooltip: str) -> None:
        """Give the boxes a heading; each has a label of its own."""
        if self._list is not None:
            super().name(label, tooltip)
        else:
            self._label.value = f'<span class="idc-label">{in_html(label)}</span>'
            for box in self.inputs:
                box.tooltip = label

    def _chosen(self) -> list[bool]:
        if self._list is not None:
            return [choice.value in self._list.value for choice in self._choices]
        return [box.value for box in self.inputs]


class PolicyNamesEditor(Editor):
    """Names of AWS managed policies, one on each line, and a list from which one is added.

    Parameters
    ----------
    offered
        The policies that the kit knows.
    value
        Names or ARNs.
    """

    def __init__(self, offered: ChoiceList, value: Sequence[str] | None) -> None:
        self._known = {choice.value for choice in offered.choices}
        self._area = widgets.Textarea(rows=max(2, min(6, len(value or []))), layout=WIDE)
        self._add = widgets.Combobox(
            description="Add an AWS managed policy",
            options=tuple(choice.value for choice in offered.choices),
            placeholder="type a part of its name",
            continuous_update=False,
            layout=WIDE,
        )
        super().__init__(widgets.VBox([self._area, self._add]), [self._area, self._add])
        self.write(value)
        self._add.observe(lambda _: self._added(), names="value")

    def read(self) -> list[str]:
        """Return the names and ARNs."""
        return [line.strip() for line in self._area.value.splitlines() if line.strip()]

    def write(self, value: Any) -> None:
        """Show names; an ARN of a known policy as its name."""
        self._area.value = "\n".join(short_policy(name, self._known) for name in value or [])

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call this after each change of the list; what is being looked for is not in it yet."""
        self._area.observe(lambda _: on_change(), names="value")

    def _added(self) -> None:
        name = self._add.value.strip()
        if name in self._known:
            self._add.value = ""
            self._area.value = "\n".join(dict.fromkeys([*self.read(), name]))


def short_policy(name_or_arn: str, known: set[str]) -> str:
    """Return the name of an AWS managed policy for its ARN, where the kit knows it."""
    name = name_or_arn.rpartition("/")[2]
    return name if name_or_arn.startswith("arn:aws:iam::aws:policy/") and name in known else name_or_arn


def _headings(path: tuple[str, ...], shown: set[tuple[str, ...]]) -> list[tuple[int, str]]:
    new = [path[: depth + 1] for depth in range(len(path)) if path[: depth + 1] not in shown]
    shown.update(new)
    return [(len(part) - 1, part[-1]) for part in new]


def _tree_rows(choices: Sequence[Choice], boxes: Sequence[Any]) -> list[Any]:
    shown: set[tuple[str, ...]] = set()
    rows = []
    for choice, box in zip(choices, boxes, strict=True):
        for depth, heading in _headings(choice.path, shown):
            rows.append(
                widgets.HTML(
                    f'<span class="idc-unit" style="margin-left:{depth * 1.4}em">{in_html(heading)}</span>'
                )
            )
        box.layout = widgets.Layout(margin=f"0 0 0 {len(choice.path) * 1.4}em", width="auto")
        rows.append(box)
    return rows


def _tree_options(choices: Sequence[Choice]) -> list[tuple[str, str]]:
    return [(" / ".join([*choice.path, choice.label]), choice.value) for choice in choices]


WIDE_HIDDEN = {"width": "98%", "max_width": "44em", "display": "none"}
