"""One field of a form: its label, an editor chosen by its type and its choices, help, and what is wrong."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from idc_helpers.display.console_guide import CONSOLE_LABELS
from idc_helpers.display.form_choices import Choice, ChoiceList, Choices
from idc_helpers.display.form_words import FieldWords
from idc_helpers.display.panel_choices import (
    ChoiceEditor,
    PolicyNamesEditor,
    SeveralEditor,
    short_policy,
)
from idc_helpers.display.panel_editors import (
    Editor,
    lines_editor,
    pairs_editor,
    policy_reference_editor,
    read_reference,
    text_editor,
    truth_editor,
    write_reference,
)
from idc_helpers.display.panel_policy import PolicyEditor
from idc_helpers.display.panel_relay_state import RelayStateEditor
from idc_helpers.display.tables import in_html
from idc_helpers.models import CustomerManagedPolicy

_TYPED_WITH_SUGGESTIONS = ("locales", "time_zones", "managed_policy")


class FieldEditor:
    """A label, an editor, a line of help and a line for what is wrong.

    Parameters
    ----------
    name
        The field's name in the model.
    info
        pydantic's description of the field.
    words
        What the form says about it.
    value
        As the scenario file would hold it; None: absent.
    choices
        What can be chosen.
    on_change
        Called after each change by a person.
    """

    def __init__(
        self,
        name: str,
        info: FieldInfo,
        words: FieldWords,
        *,
        value: Any,
        choices: Choices,
        on_change: Callable[[], None],
    ) -> None:
        self.name, self.label, self._words = name, words.label, words
        self._default = None if info.is_required() else info.get_default(call_default_factory=True)
        value = self._default if value is None else value
        self.editor = _editor(name, info, words, value, choices)
        self.editor.name(words.label, words.help)
        self._help, self._problem = widgets.HTML(), widgets.HTML(layout={"display": "none"})
        self._inactive = ""
        self._locked = False
        self.box = widgets.VBox([self.editor.box, self._help, self._problem])
        self.box.add_class("idc-field")
        self._say()
        self.editor.watch(self._say)
        self.editor.watch(on_change)

    def read(self) -> Any:
        """Return the value as the scenario file would hold it, or `ABSENT`."""
        return self.editor.read()

    def write(self, value: Any) -> None:
        """Show another value."""
        self.editor.write(value)

    @property
    def is_set(self) -> bool:
        """Whether it holds anything but the model's default."""
        value = self.read()
        return bool(value) and value != self._default and isinstance(value, (str, list, dict, bool))

    def show_problems(self, problems: dict[str, str]) -> None:
        """Show what is wrong with this field, by the place inside it; nothing: all is well."""
        text = " ".join(problems.values())
        self._problem.value = (
            f'<span class="idc-problem" role="alert">✘ {in_html(text)}</span>' if text else ""
        )
        self._problem.layout.display = "" if text else "none"
        (self.box.add_class if text else self.box.remove_class)("idc-wrong")

    def inactivate(self, reason: str) -> None:
        """Lock the editor and say why; empty: unlock it."""
        self._inactive = reason
        self._say()
        self.disable(self._locked)

    def disable(self, disabled: bool) -> None:
        """Lock or unlock the editor; an inactive one stays locked."""
        self._locked = disabled
        self.editor.disable(disabled or bool(self._inactive))

    def _say(self) -> None:
        text = self._inactive or self.editor.note() or self._words.help
        self._help.value = f'<span class="idc-help">{in_html(text)}</span>' if text else ""
        self._help.layout.display = "" if text else "none"


def unwrapped(annotation: Any) -> Any:
    """Return a type without ``None`` and without what ``Annotated`` says about it."""
    if get_origin(annotation) is Annotated:
        return unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return unwrapped(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model that gets fields of its own, or None for a field of another type."""
    kind = unwrapped(annotation)
    return kind if _is_model(kind) and kind is not CustomerManagedPolicy else None


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _editor(name: str, info: FieldInfo, words: FieldWords, value: Any, choices: Choices) -> Editor:
    if words.source == "relay_state":
        return RelayStateEditor(value)
    offered = choices.of(words.source)
    if offered is not None:
        return _of_choices(words.source, offered, info, value)
    return _of_type(name, unwrapped(info.annotation), info, value)


def _of_choices(source: str, offered: ChoiceList, info: FieldInfo, value: Any) -> Editor:
    if source == "managed_policies":
        return PolicyNamesEditor(offered, value)
    if source == "managed_policy":
        value = short_policy(value, {choice.value for choice in offered.choices}) if value else value
    if source in _TYPED_WITH_SUGGESTIONS or (offered.is_open and not source.endswith("durations")):
        return text_editor(value, [choice.value for choice in offered.choices])
    if get_origin(unwrapped(info.annotation)) is list:
        return SeveralEditor(offered, value)
    none = "(none)" if type(None) in get_args(info.annotation) else None
    return ChoiceEditor(offered, value, none=none, other="Another length …")


def _of_type(name: str, kind: Any, info: FieldInfo, value: Any) -> Editor:
    origin = get_origin(kind)
    if kind is bool:
        return truth_editor(value)
    if origin is Literal:
        none = "(none)" if type(None) in get_args(info.annotation) else None
        return ChoiceEditor(_literal(name, kind), value, none=none)
    if origin is list:
        item = unwrapped(get_args(kind)[0])
        if get_origin(item) is Literal:
            return SeveralEditor(_literal(name, item), value)
        return (
            lines_editor(value, read_reference, write_reference) if _is_model(item) else lines_editor(value)
        )
    if origin is dict:
        return pairs_editor(value) if unwrapped(get_args(kind)[1]) is str else PolicyEditor(value)
    return policy_reference_editor(value) if _is_model(kind) else text_editor(value)


def _literal(name: str, kind: Any) -> ChoiceList:
    labels = {value: CONSOLE_LABELS.get((name, value), value) for value in get_args(kind)}
    return ChoiceList(tuple(Choice(value, label) for value, label in labels.items()))
