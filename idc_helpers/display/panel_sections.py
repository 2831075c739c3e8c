"""The form of each step: its model or its list of models, and the choices that follow from one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from idc_helpers.display.form_choices import Choices
from idc_helpers.display.form_values import FormValues
from idc_helpers.display.panel_form import ModelForm
from idc_helpers.display.panel_list import ListForm
from idc_helpers.identifiers import PREDEFINED

Item = Mapping[str, Any]


def make_form(values: FormValues, choices: Choices, on_change: Callable[[], None]) -> ModelForm | ListForm:
    """Return the form of a step's section, showing the values that the kernel holds."""
    section = values.section
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
    """Return the fields of an item that follow from a change.

    A predefined permission set is called like its policy, and a person's display name is the first and last
    name, as long as nobody has typed another.
    """
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
    policy = PREDEFINED.get(item.get("predefined") or "")
    if policy is None or "managed_policies" not in item:
        return item
    return {**item, "managed_policies": [other for other in item["managed_policies"] if other != policy]}
