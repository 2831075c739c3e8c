"""A form made from a model: fields with labels and problems, groups that fold, lists, and the style."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from idc_aws.scenario.access import predefined_policy
from idc_helpers.notebook.forms.choices import Choice, ChoiceList, Choices
from idc_helpers.notebook.forms.editors import (
    ABSENT,
    ChoiceEditor,
    Editor,
    PairsEditor,
    PolicyEditor,
    PolicyNamesEditor,
    RelayStateEditor,
    SeveralEditor,
    lines_editor,
    policy_reference_editor,
    read_reference,
    short_policy,
    text_editor,
    truth_editor,
    write_reference,
)
from idc_helpers.notebook.forms.values import (
    FormValues,
    inactive_fields,
    inside,
    is_model,
    nested_model,
    unwrapped,
)
from idc_helpers.notebook.tables import in_html, style
from idc_helpers.runbook.words import (
    WHOLE_PROBLEM_AT,
    FieldGroup,
    FieldWords,
    groups_of,
    label_of,
    words_of,
)

_TYPED_WITH_SUGGESTIONS = ("locales", "time_zones", "managed_policy")


class FieldEditor:
    """A label, an editor, a line of help and a line for what is wrong."""

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
        return lines_editor(value, read_reference, write_reference) if is_model(item) else lines_editor(value)
    if origin is dict:
        return PairsEditor(value) if unwrapped(get_args(kind)[1]) is str else PolicyEditor(value)
    return policy_reference_editor(value) if is_model(kind) else text_editor(value)


def _literal(name: str, kind: Any) -> ChoiceList:
    labels = {value: label_of(name, value) or value for value in get_args(kind)}
    return ChoiceList(tuple(Choice(value, label) for value, label in labels.items()))


class Fold:
    """A button, and what it shows and hides, for keyboards and screen readers too."""

    def __init__(self, title: str, boxes: Sequence[Any], summary: Callable[[], str]) -> None:
        self._title, self._summary = title, summary
        self._is_open = False
        self._button = widgets.Button(layout=widgets.Layout(width="auto", min_width="16em"))
        self._button.add_class("idc-fold")
        self._inside = widgets.VBox(list(boxes))
        self._inside.add_class("idc-inside")
        self._button.on_click(lambda _: self._turn())
        self.box = widgets.VBox([self._button, self._inside])
        self.refresh()

    def open(self) -> None:
        """Show what is inside."""
        self._is_open = True
        self.refresh()

    def refresh(self) -> None:
        """Say on the button what is inside."""
        summary = self._summary()
        words = f" ({summary})" if summary and not self._is_open else ""
        self._button.description = f"{'▾' if self._is_open else '▸'} {self._title}{words}"
        self._button.tooltip = f"{'Hide' if self._is_open else 'Show'} {self._title}"
        self._inside.layout.display = "" if self._is_open else "none"

    def _turn(self) -> None:
        self._is_open = not self._is_open
        self.refresh()


class ModelForm:
    """The fields of one model, with its values as the scenario file would hold them."""

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
        """Show each problem at its field, unfolding where it is folded away."""
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

    def unfinished(self) -> str:
        """Return what was begun and is not in the values: of one model, nothing."""
        return ""

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


class ListForm:
    """A form for a list of models; the same face as `ModelForm`."""

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
        self._is_untouched = False
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
        self._add.on_click(lambda _: self._add_one())
        self._remove.on_click(lambda _: self._remove_shown())
        self._show(0)

    @property
    def shown(self) -> int:
        """Which item is on the screen; counted from 0."""
        return self._shown

    def show(self, number: int, *, is_new: bool = False) -> None:
        """Bring an item to the screen, or a new one after the last; no effect when there are not so many."""
        if number < len(self._items):
            self._show(number)
        elif is_new:
            self._add_one()

    def read(self) -> list[dict[str, Any]]:
        """Return all items, the hidden ones too, but not a new one into which nothing was typed."""
        return [dict(item) for item in (self._items[:-1] if self._is_untouched else self._items)]

    def unfinished(self) -> str:
        """Return that a new item is left out because nothing was typed into it, and what it needs."""
        if not self._is_untouched:
            return ""
        needed = [name for name, info in self._model.model_fields.items() if info.is_required()]
        names = [*needed, *filter(None, [WHOLE_PROBLEM_AT.get(self._model)])] or ["name"]
        labels = ", ".join(words_of(self._model, name).label for name in names)
        return f"No. {len(self._items)} is still empty and is left out. It needs: {labels}."

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

    def _add_one(self) -> None:
        """Show a new item, always the last one; it counts once something is typed into it."""
        if not self._is_untouched:
            self._items.append({})
        self._is_untouched = True
        self._show(len(self._items) - 1)

    def _remove_shown(self) -> None:
        if not self._items:
            return
        del self._items[self._shown]
        removed_untouched = self._is_untouched and self._shown == len(self._items)
        self._is_untouched = self._is_untouched and not removed_untouched
        self._show(max(0, self._shown - 1))
        if not removed_untouched:
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
        self._place.children = (self._form.box,) if self._form else (widgets.HTML("None yet."),)

    def _label_chooser(self, shown: int) -> None:
        self._silent = True
        wrong = {place.partition("]")[0] for place in self._problems}
        marks = ["✘ " if f"[{at}" in wrong else "" for at in range(len(self._items))]
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
        self._is_untouched = self._is_untouched and self._shown != len(self._items) - 1
        self._label_chooser(self._shown)
        self._on_change()


Item = Mapping[str, Any]


def make_form(values: FormValues, on_change: Callable[[], None]) -> ModelForm | ListForm:
    """Return the form of a step's section, showing the values that the kernel holds."""
    section, choices = values.section, Choices(values.step)
    if section.is_list:
        items = [_without_written_out(item) for item in values.values]
        return ListForm(section.model, items, choices, on_change, label=item_label, follow=following)
    return ModelForm(section.model, values.values, choices, on_change, section.fields)


def item_label(item: Item) -> str:
    """Return what a person calls an item of any of the lists."""
    if "permission_set" in item:
        return f"{item['permission_set']} for {item.get('group') or item.get('user') or '…'}"
    names = (item.get(name) for name in ("name", "user_name", "display_name", "predefined"))
    return str(next((name for name in names if name), ""))


def following(before: Item, after: Item) -> dict[str, Any]:
    """Return the fields of an item that follow from a change."""
    followed: dict[str, Any] = {}
    chosen = after.get("predefined")
    if (
        chosen
        and chosen != before.get("predefined")
        and after.get("name") in (None, before.get("predefined"))
    ):
        followed["name"] = chosen
    if _full_name(after) != _full_name(before) and after.get("display_name") in (None, _full_name(before)):
        followed["display_name"] = _full_name(after)
    return followed


def _full_name(item: Item) -> str:
    return " ".join(part for part in (item.get("given_name"), item.get("family_name")) if part)


def _without_written_out(item: dict[str, Any]) -> dict[str, Any]:
    # The policy of a predefined permission set is written out when the scenario is read. In the form the
    # choice stands for it: another choice must not leave the first one's policy behind.
    policy = predefined_policy(item.get("predefined"))
    if policy is None or "managed_policies" not in item:
        return item
    return {**item, "managed_policies": [other for other in item["managed_policies"] if other != policy]}


PANEL_STYLE = style("forms")
