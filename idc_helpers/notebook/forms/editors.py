"""The editors of single values: texts, choices, trees, policies, relay states."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from idc_aws.errors import InvalidValueError
from idc_aws.identifiers import describe_length, identity_center_regions, read_length
from idc_aws.scenario.policies import (
    MOST_POLICY_CHARACTERS,
    inline_policy_size,
    policy_advice,
    policy_from_text,
    policy_refusals,
)
from idc_aws.scenario.values import Refusal
from idc_aws.scenario.yaml_lines import dotted
from idc_helpers.notebook.forms.choices import Choice, ChoiceList
from idc_helpers.notebook.tables import in_html
from idc_helpers.runbook.words import forms_table

ABSENT: Any = object()
"""What an empty editor says: the scenario does not name it."""
WIDE = widgets.Layout(width="98%", max_width="44em")


class Editor:
    """One widget, or several that hold one value together."""

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
    """One widget."""

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
    """Return an editor of a list, one item on each line."""
    area = widgets.Textarea(rows=max(2, min(6, len(value or []))))
    return SimpleEditor(
        area,
        lambda text: [read(line.strip()) for line in text.splitlines() if line.strip()],
        lambda values: "\n".join(write(part) for part in values or []),
        value,
    )


class PairsEditor(SimpleEditor):
    """A mapping, ``key = value`` on each line."""

    def __init__(self, value: Any) -> None:
        area = widgets.Textarea(rows=max(2, min(6, len(value or {}))), placeholder="key = value")
        super().__init__(
            area,
            lambda text: dict(_pairs(text)),
            lambda values: "\n".join(f"{key} = {part}" for key, part in (values or {}).items()),
            value,
        )

    def note(self) -> str:
        """Return which lines say less than they seem to."""
        pairs = _pairs(self.inputs[0].value)
        counts = Counter(key for key, _ in pairs)
        empty = [f"{key!r} has no value yet. Write key = value." for key, part in pairs if key and not part]
        twice = [
            f"{key!r} is there {number} times: the last one counts."
            for key, number in counts.items()
            if number > 1
        ]
        return " ".join([*empty, *twice])


def _pairs(text: str) -> list[tuple[str, str]]:
    parts = (line.partition("=") for line in text.splitlines() if line.strip())
    return [(key.strip(), part.strip()) for key, _, part in parts]


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


OTHER = "\0other"
MOST_BOXES = 40
"""More choices than these are a list in which several can be marked, and not a box each."""


class ChoiceEditor(Editor):
    """One of some choices; where others are allowed, which only lengths of time are, a text for one."""

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
        return (read_length(self._text.value.strip()) if chosen == OTHER else chosen) or ABSENT

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
            self._text.value = describe_length(value)
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
            # something to start from, in the spelling that is wanted
            self._text.value = describe_length(change["old"] or "")
        self._show_text()

    def _show_text(self) -> None:
        self._text.layout.display = "" if self._dropdown.value == OTHER else "none"


class SeveralEditor(Editor):
    """Several of some choices: a box each, under the headings of their tree; many of them as one list."""

    def __init__(self, offered: ChoiceList, value: Sequence[str] | None) -> None:
        unknown = [one for one in value or [] if not any(choice.means(one) for choice in offered.choices)]
        self._choices = [*offered.choices, *(Choice(one, f"{one} (not found)") for one in unknown)]
        self._first = list(value or [])
        self._label = widgets.HTML()
        if len(self._choices) > MOST_BOXES:
            options = [(" / ".join([*each.path, each.label]), each.value) for each in self._choices]
            self._list = widgets.SelectMultiple(options=options, rows=12, layout=WIDE)
            super().__init__(self._list, [self._list])
        else:
            self._list = None
            boxes = [widgets.Checkbox(description=choice.label, indent=False) for choice in self._choices]
            rows = _tree_rows(self._choices, boxes)
            super().__init__(widgets.VBox([self._label, *(rows or [widgets.HTML("None yet.")])]), boxes)
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
    """Names of AWS managed policies, one on each line, and a list from which one is added."""

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


WIDE_HIDDEN = {"width": "98%", "max_width": "44em", "display": "none"}


def policy_as_text(policy: Any) -> str:
    """Return a policy as indented JSON; a text as it is, nothing as an empty text."""
    if isinstance(policy, str):
        return policy
    return json.dumps(policy, indent=2, ensure_ascii=False) if policy else ""


_CURLY = re.compile("[\u2018-\u201f]")


def policy_state(text: str) -> str:
    """Return the state of a policy in words: valid or where it breaks, and its size against AWS's limit."""
    # Spaces do not count: https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
    if not text.strip():
        return f"Empty: no inline policy. At most {MOST_POLICY_CHARACTERS:,} characters, spaces not counted."
    used = inline_policy_size(text)
    size = f"{used:,} of {MOST_POLICY_CHARACTERS:,} characters, spaces not counted"
    if used > MOST_POLICY_CHARACTERS:
        size += f": {used - MOST_POLICY_CHARACTERS:,} too many"
    try:
        policy = policy_from_text(text)
    except InvalidValueError as error:
        at = error.__cause__
        if isinstance(at, json.JSONDecodeError):
            curly = " Its quotes are curly: JSON takes straight ones." if _CURLY.match(text, at.pos) else ""
            return f"✘ No valid JSON yet: line {at.lineno}, column {at.colno}: {at.msg}.{curly} {size}."
        return f"✘ {error.message}. {error.remedy} {size}."
    refusals = policy_refusals(policy)
    if refusals:
        return f"✘ {_in_words(refusals)} {size}."
    return f"✔ Valid policy. {size}. {_in_words(policy_advice(policy), 'Warning: ')}".rstrip()


def _in_words(found: list[Refusal], start: str = "") -> str:
    places = (f"{dotted(one.location)}: " if one.location else "" for one in found)
    return " ".join(
        f"{start}{place}{one.message.rstrip('.')}. {one.remedy}".rstrip()
        for place, one in zip(places, found, strict=True)
    )


class PolicyEditor(Editor):
    """A policy document."""

    def __init__(self, value: Any) -> None:
        self._area = widgets.Textarea(
            rows=10, layout=WIDE, placeholder='{"Version": "2012-10-17", "Statement": []}'
        )
        self._area.add_class("idc-code")
        self._state = widgets.HTML()
        super().__init__(widgets.VBox([self._area, self._state]), [self._area])
        self._area.observe(lambda _: self._say(), names="value")
        self.write(value)
        self._say()

    def read(self) -> Any:
        """Return the text as it was typed, or `ABSENT`: the model says what is wrong with it."""
        return self._area.value if self._area.value.strip() else ABSENT

    def write(self, value: Any) -> None:
        """Show a policy, indented."""
        self._area.value = policy_as_text(value)

    def _say(self) -> None:
        self._state.value = (
            f'<span class="idc-help" role="status">{in_html(policy_state(self._area.value))}</span>'
        )


_CONSOLE_ADDRESS = re.compile(
    r"https://(?:(?P<region>[a-z0-9-]+)\.)?console\.aws\.amazon\.com/(?P<path>[^?#]*)"
)


CONSOLES: Mapping[str, tuple[str, bool]] = forms_table()["consoles"]


class RelayStateEditor(Editor):
    """A page of the AWS console: which console, in which Region; or another address."""

    def __init__(self, value: str | None) -> None:
        consoles = [
            ("(the console's home page)", ""),
            *((name, path) for path, (name, _) in CONSOLES.items()),
        ]
        regions = [
            ("the Region that the person used last", ""),
            *((code, code) for code in identity_center_regions()),
        ]
        self._console = widgets.Dropdown(options=[*consoles, ("Another address …", OTHER)], layout=WIDE)
        self._region = widgets.Dropdown(
            options=regions, description="Region of the console", layout=widgets.Layout(**WIDE_HIDDEN)
        )
        self._text = widgets.Text(description="Address of the page", layout=widgets.Layout(**WIDE_HIDDEN))
        inputs = [self._console, self._region, self._text]
        super().__init__(widgets.VBox(inputs), inputs)
        self.write(value)
        self._console.observe(lambda _: self._show_parts(), names="value")

    def read(self) -> Any:
        """Return the address, or `ABSENT` for the home page."""
        path = self._console.value
        if path == OTHER:
            return self._text.value.strip() or ABSENT
        region = self._region.value if path and CONSOLES[path][1] else ""
        return f"https://{region}{'.' if region else ''}console.aws.amazon.com/{path}" if path else ABSENT

    def write(self, value: Any) -> None:
        """Show an address: as a console and a Region, where it is one of the list."""
        found = _CONSOLE_ADDRESS.fullmatch(value or "")
        known = found is not None and found["path"] in CONSOLES
        region = (found["region"] or "") if found else ""
        if known and found and region in ("", *identity_center_regions()):
            self._region.value = region
            self._console.value = found["path"]
        else:
            self._text.value = value or ""
            self._console.value = OTHER if value else ""
        self._show_parts()

    def note(self) -> str:
        """Return the address."""
        address = self.read()
        return "" if address is ABSENT or self._console.value == OTHER else str(address)

    def _show_parts(self) -> None:
        path = self._console.value
        self._text.layout.display = "" if path == OTHER else "none"
        regional = path in CONSOLES and CONSOLES[path][1]
        self._region.layout.display = "" if regional else "none"
