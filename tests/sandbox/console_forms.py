"""The forms of a page as a browser has them: what they hold, what can be chosen, and their buttons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from page_visitor import Visitor

_TYPED = re.compile(r"type (?:the .*?: )?(\S+)\s*$", re.IGNORECASE)


@dataclass
class Field:
    """One field: its value, and whether a browser sends it as it is."""

    name: str
    kind: str
    value: str
    is_on: bool = True
    identifier: str = ""
    is_required: bool = False


@dataclass
class Form:
    """One form."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)
    buttons: list[list[str]] = field(default_factory=list)  # name, value, label

    def values(self) -> dict[str, list[str]]:
        """Return what a browser sends."""
        found: dict[str, list[str]] = {}
        for one in self.fields:
            if one.is_on and one.name:
                found.setdefault(one.name, []).append(one.value)
        return found

    def choices(self, name: str) -> list[str]:
        """Return the values of boxes, radio buttons or options of a name."""
        return [one.value for one in self.fields if one.name == name]


class _Reader(HTMLParser):
    """Reads forms, and the labels of fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.labels: dict[str, str] = {}
        self._form: Form | None = None
        self._select = ""
        self._label: str | None = None
        self._target: str | None = None  # what the text that follows belongs to
        self._text: list[str] | None = None
        self._named: dict[str, list[list[str]]] = {}  # buttons that stand outside the form that they name

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(values.get("action", ""), values.get("method", "get"))
            self.forms.append(self._form)
            if "id" in values:
                self._form.buttons = self._named.setdefault(values["id"], [])
        elif tag == "label":
            self._label = values.get("for")
        elif tag == "button" and (self._form is not None or "form" in values):
            if "disabled" not in values:
                self._button = [values.get("name", ""), values.get("value", ""), ""]
                self._buttons_of(values.get("form")).append(self._button)
                self._target = "button"
        elif self._form is None:
            return
        elif tag == "input" and values.get("type") not in ("submit", "button"):
            kind = values.get("type", "text")
            is_on = "checked" in values if kind in ("checkbox", "radio") else True
            self._add(values, kind, values.get("value", "on" if kind == "checkbox" else ""), is_on)
        elif tag == "textarea":
            self._add(values, "textarea", "")
            self._target = "textarea"
        elif tag == "select":
            self._select = values.get("name", "")
            self._first = True
        elif tag == "option":
            self._form.fields.append(
                Field(self._select, "select", values.get("value", ""), "selected" in values)
            )

    def _buttons_of(self, identifier: str | None) -> list[list[str]]:
        if identifier is not None:
            return self._named.setdefault(identifier, [])
        assert self._form is not None
        return self._form.buttons

    def _add(self, values: dict[str, str], kind: str, value: str, is_on: bool = True) -> None:
        assert self._form is not None
        found = Field(values.get("name", ""), kind, value, is_on, values.get("id", ""), "required" in values)
        self._form.fields.append(found)

    def handle_data(self, data: str) -> None:
        if self._label is not None:
            self.labels[self._label] = self.labels.get(self._label, "") + data
        if self._target == "button":
            self._button[2] += data
        elif self._target == "textarea" and self._form is not None:
            self._form.fields[-1].value += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "label":
            self._label = None
        elif tag in ("textarea", "button"):
            self._target = None
        elif tag == "select" and self._form is not None:
            options = [one for one in self._form.fields if one.name == self._select]
            if options and not any(one.is_on for one in options):
                options[0].is_on = True


def read_forms(visitor: Visitor) -> list[Form]:
    """Return the forms of the page."""
    reader = _Reader()
    reader.feed(visitor.page.text)
    for form in reader.forms:
        for button in form.buttons:
            button[2] = " ".join(button[2].split())
        for one in form.fields:
            one.name_of_label = reader.labels.get(one.identifier, "")  # type: ignore[attr-defined]
    return reader.forms


def press(visitor: Visitor, label: str, *, form: int | None = None, **changes: Any) -> None:
    """Press the button that is labelled so, after changing fields; all others are sent as they are.

    `form` says which of several forms with such a button, by its place among them.
    """
    having = [(one, button) for one in read_forms(visitor) for button in one.buttons if button[2] == label]
    labels = [button[2] for one in read_forms(visitor) for button in one.buttons]
    assert having, f"no button {label!r} on {visitor.heading!r}, only {labels}: {visitor.message}"
    assert form is not None or len({id(one) for one, _ in having}) == 1, f"several forms have {label!r}"
    found, (name, value, _) = having[form or 0]
    unknown = changes.keys() - {one.name for one in found.fields}
    assert not unknown, f"the form with {label!r} has no field {unknown}: {sorted(found.values())}"
    data: dict[str, Any] = {**found.values(), **changes}
    if name:
        data[name] = value
    send_form(visitor, found, data)


def send_form(visitor: Visitor, form: Form, data: dict[str, Any]) -> None:
    """Send a form."""
    if form.method.lower() == "post":
        visitor.page = visitor.client.post(form.action, data=data, follow_redirects=True)
    else:
        visitor.page = visitor.client.get(form.action, params=data, follow_redirects=True)


def filled(form: Form, *, is_whole: bool) -> dict[str, Any]:
    """Return what somebody sends who ticks everything, and fills in what is needed or, `is_whole`, all."""
    data: dict[str, Any] = {}
    for one in form.fields:
        typed = _TYPED.search(getattr(one, "name_of_label", ""))
        if one.kind == "checkbox":
            data.setdefault(one.name, []).append(one.value)
        elif one.kind in ("radio", "select"):
            if one.is_on or is_whole or one.name not in data:  # all: the last one, and not what is chosen
                data[one.name] = one.value
        elif one.kind == "hidden":
            data.setdefault(one.name, []).append(one.value)
        elif typed or one.is_required or is_whole:
            words = typed[1] if typed else one.value + ("a@example.com" if "mail" in one.name else "7")
            data.setdefault(one.name, []).append(words)
        else:
            data.setdefault(one.name, []).append(one.value)
    return data
