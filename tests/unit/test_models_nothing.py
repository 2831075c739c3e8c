"""Nothing, in each way that a file says it, for each field of each model that may be left out."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from idc_aws.scenario.access import PermissionSet
from idc_aws.scenario.people import User
from idc_aws.scenario.reading import load_scenario
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.values import Model
from tests.unit.scenario_refusals import accepted, refused, user

# What a model needs beside the field that is tried.
NEEDED: dict[str, dict[str, Any]] = {
    "PermissionSet": {"name": "A"},
    "PermissionsBoundary": {"managed_policy": "Billing"},
    "CustomerManagedPolicy": {"name": "a"},
    "Group": {"display_name": "A"},
    "AccountAssignment": {"permission_set": "A", "group": "B", "accounts": ["C"]},
    "User": user(),
    "AccessControlAttributes": {"attributes": {"team": "${path:enterprise.division}"}},
    "Attestation": {
        "setting": "sessions",
        "value": {"user_interactive": "PT1H"},
        "by": "A",
        "on": "2026-01-31",
        "seen": "B",
    },
}
# The field itself is one of two of which one is needed.
NEEDED_OTHERWISE = {
    ("PermissionSet", "name"): {"predefined": "Billing"},
    ("PermissionsBoundary", "managed_policy"): {"customer_managed_policy": {"name": "a"}},
    ("AccountAssignment", "accounts"): {
        "permission_set": "A",
        "group": "B",
        "organizational_units": ["Root"],
    },
    ("AccountAssignment", "group"): {"permission_set": "A", "user": "b", "accounts": ["C"]},
}
NOTHINGS = (None, "", [], {})
SAYS_SOMETHING = {("Mfa", "allowed_types", "[]")}


def models_in(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    found = {model.__name__: model}
    for field in model.model_fields.values():
        waiting = [field.annotation]
        while waiting:
            annotation = waiting.pop()
            waiting += get_args(annotation)
            if isinstance(annotation, type) and issubclass(annotation, Model) and annotation is not model:
                found |= models_in(annotation)
    return found


CASES = [
    (model, name, nothing)
    for model in models_in(Scenario).values()
    for name, field in model.model_fields.items()
    for nothing in NOTHINGS
    if not field.is_required() and (model.__name__, name, repr(nothing)) not in SAYS_SOMETHING
]


def test_nothing_is_read_as_left_out_in_every_field_that_may_be():
    assert len(CASES) > 200
    for model, name, nothing in CASES:
        default = NEEDED.get(model.__name__, {})
        needed = NEEDED_OTHERWISE.get((model.__name__, name), default)
        without = {key: value for key, value in needed.items() if key != name}
        assert model.model_validate({**without, name: nothing}) == model.model_validate(without), (
            f"{model.__name__}.{name}: {nothing!r}"
        )


def test_no_authentication_methods_are_something():
    mfa = {"allowed_types": [], "prompt": "never"}
    assert accepted({"authentication": {"mfa": mfa}}).authentication.mfa.allowed_types == []


def test_what_is_needed_may_not_be_empty():
    for field in ("user_name", "given_name", "family_name"):
        for nothing in NOTHINGS:
            assert list(refused({"users": [user(**{field: nothing})]})) == [f"users[0].{field}"]
    assert list(refused({"permission_sets": [{"name": ""}]})) == ["permission_sets[0].name"]
    assert list(refused({"groups": [{"display_name": ""}]})) == ["groups[0].display_name"]


@pytest.mark.parametrize("empty", NOTHINGS)
def test_a_predefined_set_keeps_its_policy_beside_empty_fields(empty):
    made = PermissionSet.model_validate({"predefined": "Billing", "managed_policies": empty, "name": empty})
    assert made == PermissionSet.model_validate({"predefined": "Billing"})


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\u3000"])
def test_blanks_that_aws_takes_are_taken(blank):
    made = User.model_validate(user(given_name=blank, family_name=blank, title=blank))
    assert (made.family_name, made.display_name) == (blank, f"{blank} {blank}")
    accepted({"groups": [{"display_name": blank, "description": blank}]})


def test_blanks_that_aws_refuses_are_refused():
    assert list(refused({"users": [user(user_name=" ")]})) == ["users[0].user_name"]
    assert list(refused({"permission_sets": [{"name": " "}]})) == ["permission_sets[0].name"]
    assert accepted({"permission_sets": [{"name": "A", "description": " "}]})


def test_two_that_say_nothing_are_no_repetition(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "users:\n"
        "- {user_name: a, given_name: A, family_name: ' ', email: ''}\n"
        "- {user_name: b, given_name: B, family_name: S, email: '', address: {}, groups: ''}\n"
        "person: {user_name: '', account: null}\n"
        "permission_sets:\n"
        "- {name: '', predefined: Billing, inline_policy: '', permissions_boundary: {}, tags: null}\n"
        "account_assignments: ''\n"
        "access_control_attributes: {}\n"
        "mode: ''\n",
        "utf-8",
    )
    scenario = load_scenario(file)
    assert [one.email for one in scenario.users] == [None, None]
    assert scenario.permission_sets[0].inline_policy is None
