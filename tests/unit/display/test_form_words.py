"""What is said beside a field has the words of the form: no name of a field in a file, no ISO duration."""

import re
from types import SimpleNamespace
from typing import get_origin

import pytest

from idc_aws.identifiers import read_length
from idc_aws.scenario.policies import CustomerManagedPolicy
from idc_aws.settings import KEY as ABAC
from idc_helpers.notebook.forms.values import (
    FormValues,
    describe_problems,
    format_problems,
    nested_model,
    problems_by_place,
    unwrapped,
)
from idc_helpers.notebook.tables import format_values
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.words import format_key, format_thing

ENTRIES = {entry.section: entry for entry in LESSON.values() if entry.wants}
USER = {"user_name": "ana", "given_name": "Ana", "family_name": "Example"}
WRONG = [
    *("", "x" * 1100, "\x00", "d-x", "PT13H", "AWSAdministrators", "1990-13-01", "ReadOnlyAcess"),
    "arn:aws:iam::123456789012:policy/x",
    *([], ["\x00"], ["12345"], ["ReadOnlyAccess", "ReadOnlyAccess"], ["arn:aws:iam::123456789012:policy/x"]),
    *([{"path": "x", "name": "?"}], {"aws:x": "y"}, {"a": "\x00"}, {"path": "x", "name": "?"}, False),
]
POLICIES = ['{"Statement": [', "[]", '{"Statement": {"Effect": "Allow"}}', '{"Statement": {"Action": "s3"}}']
ITEM = {
    "users": USER,
    "groups": {"display_name": "Auditors"},
    "permission_sets": {"name": "Auditor"},
    "account_assignments": {"permission_set": "Auditor", "group": "Auditors", "accounts": ["Dev"]},
}
OF_A_FILE = re.compile(
    r"[a-z]+_[a-z]+|\bP\d*T?\d+[DHM]|\[\d+\]|YAML|ISO 8601|in quotes|mapping|Add it|'(?:True|False)'",
    re.ASCII,
)


TYPES = {list: (list,), dict: (dict, str), bool: (bool,), CustomerManagedPolicy: (dict,)}


def fields_of(model, before=()):
    """Yield the path of each field that has a widget, and the types that the widget can give."""
    for name, info in model.model_fields.items():
        inner, kind = nested_model(info.annotation), unwrapped(info.annotation)
        types = TYPES.get(get_origin(kind) or kind, (str,))
        yield from fields_of(inner, (*before, name)) if inner else [((*before, name), types)]


def holding(section, path, wrong):
    """Return the values of a form that holds a wrong one at a place."""
    item = dict(ITEM.get(section, {}))
    at = item
    for name in path[:-1]:
        at = at.setdefault(name, {})
    at[path[-1]] = wrong
    return [item] if section in ITEM else item


def form_of(context, section):
    """Return the values of a section's form, of a step that only holds them."""
    entry = ENTRIES[section]
    step = SimpleNamespace(
        entry=entry,
        context=context,
        name=entry.name,
        scenario=context.scenario,
        problems=(),
        changed=lambda: None,
    )
    return FormValues(step)


def said_of(values, wrong):
    values.set(wrong)
    return [*problems_by_place(values).values(), *describe_problems(values).splitlines()]


@pytest.mark.parametrize("section", sorted(ENTRIES))
def test_no_message_beside_a_field_has_the_words_of_a_file(context, section):
    values = form_of(context, section)
    model, only = values.section.model, values.section.fields
    found = {
        (path, one)
        for path, types in fields_of(model)
        if not only or path[0] in only
        for wrong in (POLICIES if path[-1] == "inline_policy" else WRONG)
        if isinstance(wrong, types) and (types != (dict,) or "name" in wrong)
        for one in said_of(values, holding(section, path, wrong))
        if OF_A_FILE.search(one.replace(repr(wrong), ""))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("section", "wrong", "place", "words"),
    [
        ("permission_sets", [{"session_duration": "PT13H"}], "[0].name", "Permission set name is missing."),
        (
            "permission_sets",
            [{"name": "A", "session_duration": "PT13H"}],
            "[0].session_duration",
            "13 hours is not possible as a permission set's session duration."
            " Choose from 1 hour to 12 hours.",
        ),
        (
            "permission_sets",
            [{"name": "A", "session_duration": "long"}],
            "[0].session_duration",
            "'long' is not a duration in weeks, days, hours and minutes."
            " Write a length such as 90 minutes, 8 hours or 7 days.",
        ),
        (
            "permission_sets",
            [{"name": "A"}, {"name": "a"}],
            "[1].name",
            "'a' is there already: a permission set with name 'a' is at no. 1."
            " Change one of the two, or remove it.",
        ),
        (
            "permission_sets",
            [
                {
                    "name": "A",
                    "permissions_boundary": {
                        "managed_policy": "Billing",
                        "customer_managed_policy": {"name": "B"},
                    },
                }
            ],
            "[0].permissions_boundary",
            "a permissions boundary is one policy; found both. Give “AWS managed policy” or"
            " “Customer managed policy”, not both.",
        ),
        (
            "permission_sets",
            [{"name": "A", "managed_policies": ["Nothing"]}],
            "[0].managed_policies[0]",
            "'Nothing' is an unknown AWS managed policy. If AWS has added it lately, write its whole ARN;"
            " your own go under “Customer managed policies”.",
        ),
        (
            "account_assignments",
            [{"permission_set": "A", "accounts": ["Dev"]}],
            "[0]",
            "an account assignment has one principal. Choose a group or a user, not both.",
        ),
        (
            "account_assignments",
            [{"permission_set": "A", "group": "G", "accounts": []}],
            "[0].accounts",
            "AWS accounts is missing.",
        ),
        (
            "authentication.mfa",
            {"allowed_types": []},
            "allowed_types",
            "this does not go with “Prompt users for MFA” “Only when their sign-in context changes"
            " (context-aware)”: nobody could answer it. Allow at least one type, or set"
            " “Prompt users for MFA” to “Never (disabled)”.",
        ),
        ("users", [{"given_name": "A", "family_name": "B"}], "[0].user_name", "Username is missing."),
    ],
)
def test_what_is_wrong_is_said_as_the_form_calls_it(context, section, wrong, place, words):
    values = form_of(context, section)
    values.set(wrong)
    assert problems_by_place(values)[place] == words


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("90 minutes", "PT1H30M"),
        ("1 hour", "PT1H"),
        ("1 hour 30 minutes", "PT1H30M"),
        ("2 Days, 1 hour and 5 minutes", "P2DT1H5M"),
        ("PT2H", "PT2H"),
        ("two hours", "two hours"),
        ("8", "8"),
    ],
)
def test_a_length_is_typed_in_words_or_as_a_duration(typed, read):
    assert read_length(typed) == read


ASSIGNMENT = {
    "principal_type": "GROUP",
    "principal_name": "A",
    "permission_set": "P",
    "account_id": "111122223333",
}


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        ({"session_duration": "PT8H", "description": ""}, "Session duration: 8 hours"),
        ({"user_background": "P7D"}, "User background sessions: 7 days"),
        ({"send_email_otp": True}, "Send email OTP: turned on"),
        (
            {"managed_policies": ["arn:aws:iam::aws:policy/job-function/Billing", "arn:aws:iam::1:policy/x"]},
            "AWS managed policies: Billing, arn:aws:iam::1:policy/x",
        ),
        ({"customer_managed_policies": [{"path": "/a/", "name": "B"}]}, "Customer managed policies: /a/B"),
        ({"enterprise": {"cost_center": "1"}}, "Job: Cost center: 1"),
        ({"tags": {"cost_center": "1"}}, "Tags: cost_center=1"),
        ({"inline_policy": {"Statement": []}}, 'Inline policy: {"Statement": []}'),
        (ASSIGNMENT, "Group: A\nPermission set: P\nAWS account: 111122223333"),
        ({**ASSIGNMENT, "principal_type": "USER"}, "User: A\nPermission set: P\nAWS account: 111122223333"),
    ],
)
def test_a_state_is_shown_in_the_consoles_words(state, lines):
    assert format_values(state) == lines


@pytest.mark.parametrize(
    ("kind", "key", "words", "thing"),
    [
        (
            "account_assignment",
            "GROUP USER A · P · 111122223333",
            "group USER A · P · 111122223333",
            "account assignment group USER A · P · 111122223333",
        ),
        ("console_setting", "sessions", "Session duration", "Session duration"),
        ("group", "sessions", "sessions", "group sessions"),
        ("access_control_attributes", ABAC, ABAC, ABAC),
    ],
)
def test_a_key_is_shown_as_people_call_the_thing(kind, key, words, thing):
    assert (format_key(kind, key), format_thing(kind, key)) == (words, thing)


ARN = "arn:aws:iam::111122223333:role/x"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("group A · P · 111122223333", "group A · P · Management (111122223333)"),
        ("in 111122223333, 999900001111.", "in Management (111122223333), 999900001111."),
        ("Management (111122223333)", "Management (111122223333)"),
        (
            f'{ARN} {{"aws:PrincipalAccount": "111122223333"}}',
            f'{ARN} {{"aws:PrincipalAccount": "111122223333"}}',
        ),
    ],
)
def test_an_account_has_its_name_beside_its_id(context, text, named):
    assert context.name_accounts(text) == named


def test_two_hundred_problems_at_once_are_each_at_their_field_and_the_first_are_named(context, monkeypatch):
    """For each of them all values were copied: with a thousand users the form stood still for minutes."""
    values = form_of(context, "users")
    values.set([{**USER, "user_name": f"ana{at}", "email": f"nope{at}"} for at in range(200)])
    copies = []
    monkeypatch.setattr("copy.deepcopy", lambda value: copies.append(value) or value)
    places = problems_by_place(values)
    assert len(places) == 200
    assert "nope" in places["[199].email"]
    assert copies == []
    lines = describe_problems(values).splitlines()
    assert (len(lines), lines[-1]) == (21, "and 180 more")
    assert format_problems(values).startswith("200 values need fixing: ")
    assert format_problems(values).endswith("; and 180 more. Apply stays disabled until then.")
