import json
from dataclasses import replace
from typing import get_args

import pytest
from test_panels import find, texts, type_in, walk

from idc_aws.identifiers import identity_center_regions
from idc_aws.organization import Account
from idc_aws.scenario.access import PredefinedName
from idc_aws.scenario.policies import MOST_POLICY_CHARACTERS
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.values import Model
from idc_helpers.notebook.forms import choices
from idc_helpers.notebook.forms.choices import Choice, ChoiceList, Choices
from idc_helpers.notebook.forms.editors import (
    ABSENT,
    MOST_BOXES,
    RelayStateEditor,
    SeveralEditor,
    policy_state,
)
from idc_helpers.notebook.steps import NotebookStep
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.words import forms_table

pytestmark = pytest.mark.usefixtures("guided")
ACCOUNTS = [
    Account("111122223333", "Management", path="Root"),
    Account("222233334444", "Production", path="Root/Workloads"),
    Account("333344445555", "Twin", path="Root/Workloads"),
    Account("444455556666", "Twin", path="Root/Workloads", status="SUSPENDED"),
]


@pytest.fixture
def accounts(monkeypatch):
    monkeypatch.setattr(choices, "list_accounts_with_paths", lambda connection: ACCOUNTS)


@pytest.fixture
def assignments(context, accounts):
    scenario = Scenario(
        permission_sets=[{"predefined": "Billing"}],
        groups=[{"display_name": "Auditors"}, {"display_name": "Operators"}],
        account_assignments=[
            {"permission_set": "Billing", "group": "Auditors", "accounts": ["222233334444", "Elsewhere"]}
        ],
    )
    return NotebookStep(replace(context, scenario=scenario), "account_assignments")


def wanted_accounts(step):
    return step.values.values[0]["accounts"]


def test_every_predefined_policy_is_offered_with_what_it_allows(context):
    policies = forms_table()["choices"]["predefined"]
    assert set(policies) == set(get_args(PredefinedName))
    panel = NotebookStep(context, "permission_sets").take()
    for name, (_, meaning) in policies.items():
        type_in(panel, "Policy for predefined permission set", name)
        assert meaning in texts(panel)


def models(model=Model):
    for below in model.__subclasses__():
        yield below.__name__, below
        yield from models(below)


def test_words_and_groups_name_every_field_once():
    known = dict(models())
    for name, words in forms_table()["fields"].items():
        assert set(words) <= set(known[name].model_fields), name
    for name, groups in forms_table()["groups"].items():
        names = [field for _, *fields in groups for field in fields]
        assert sorted(names) == sorted(known[name].model_fields), name


def test_accounts_are_boxes_in_the_tree_of_units(assignments):
    panel = assignments.take()
    assert "Workloads</span>" in texts(panel)
    assert find(panel, "Production (222233334444)").value is True
    assert find(panel, "Management (111122223333)").value is False
    assert find(panel, "Elsewhere (not found)").value is True
    find(panel, "Management (111122223333)").value = True
    assert wanted_accounts(assignments) == ["222233334444", "Elsewhere", "Management"]


def test_accounts_of_one_name_are_told_apart_by_their_ids(assignments):
    panel = assignments.take()
    find(panel, "Twin (444455556666, SUSPENDED)").value = True
    assert wanted_accounts(assignments)[-1] == "444455556666"


def test_groups_and_permission_sets_of_the_scenario_are_choices(assignments):
    panel = assignments.take()
    assert [value for _, value in find(panel, "Group").options] == ["", "Auditors", "Operators"]
    assert "Billing" in [value for _, value in find(panel, "Permission set").options]
    find(panel, "Group").value = ""
    shown = texts(panel)
    assert "an account assignment has one principal. Choose a group or a user, not both." in shown
    assert "1 value needs fixing" in texts(panel)


def test_what_cannot_be_read_leaves_what_the_scenario_names(context):
    choices = Choices(Step(context, "account_assignments"))
    assert choices.of("accounts") == ChoiceList(())
    assert [choice.value for choice in choices.of("groups").choices] == ["Auditors"]
    assert choices.of("") is None


def test_many_choices_are_one_list():
    offered = ChoiceList(tuple(Choice(str(n), f"no. {n}", path=("Root",)) for n in range(MOST_BOXES + 1)))
    editor = SeveralEditor(offered, ["3", "gone"])
    assert len(editor.inputs) == 1
    assert editor.read() == ["3", "gone"]
    editor.inputs[0].value = ("1", "3")
    assert editor.read() == ["3", "1"]
    assert ("Root / no. 1", "1") in editor.inputs[0].options


@pytest.mark.parametrize(
    ("address", "console", "region"),
    [
        ("https://console.aws.amazon.com/ec2/", "ec2/", ""),
        ("https://eu-west-1.console.aws.amazon.com/s3/", "s3/", "eu-west-1"),
        ("https://console.aws.amazon.com/billing/", "billing/", ""),
    ],
)
def test_relay_states_of_common_consoles_are_chosen_by_name_and_region(address, console, region):
    editor = RelayStateEditor(address)
    chosen, where, text = editor.inputs
    assert (chosen.value, where.value, editor.read()) == (console, region, address)
    assert text.layout.display == "none"
    assert editor.note() == address


def test_any_other_relay_state_is_typed_and_none_is_absent():
    editor = RelayStateEditor("https://example.com/")
    assert (editor.read(), editor.inputs[2].layout.display) == ("https://example.com/", "")
    editor.inputs[0].value = ""
    assert editor.read() is ABSENT
    editor.inputs[0].value = "ec2/"
    editor.inputs[1].value = "us-east-2"
    assert editor.read() == "https://us-east-2.console.aws.amazon.com/ec2/"
    assert {"us-east-1", "eu-central-1"} <= set(identity_center_regions())


def test_managed_policies_are_shown_by_name_and_added_from_a_list(context):
    step = NotebookStep(context, "permission_sets")
    panel = step.take()
    find(panel, "Shown").value = 1
    assert find(panel, "AWS managed policies").value == "ReadOnlyAccess"
    find(panel, "Add an AWS managed policy").value = "Billing"
    assert find(panel, "AWS managed policies").value == "ReadOnlyAccess\nBilling"
    assert find(panel, "Add an AWS managed policy").value == ""
    assert step.step.scenario.permission_sets[1].managed_policies[1].endswith("/Billing")


def test_time_zones_and_locales_are_suggested_and_others_may_be_typed(context):
    panel = NotebookStep(context, "users").take()
    assert "Europe/Zurich" in find(panel, "Time zone").options
    assert "de-CH" in find(panel, "Locale").options
    type_in(panel, "Locale", "gsw-CH")
    assert "needs fixing" not in texts(panel)


def test_a_policy_tells_line_and_column_and_its_room():
    broken = '{\n  "Version": "2012-10-17",\n  "Statement": [}\n}'
    assert policy_state(broken).startswith("✘ No valid JSON yet: line 3, column 17: ")
    policy = {"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}
    characters = len("".join(json.dumps(policy).split()))
    assert policy_state(json.dumps(policy, indent=4)).startswith(f"✔ Valid policy. {characters} of 10,240 ")
    filled = json.dumps({"Statement": "x" * MOST_POLICY_CHARACTERS})
    assert ": 16 too many" in policy_state(filled)
    assert policy_state("{\u201cVersion\u201d: 1}").startswith("✘ No valid JSON yet: line 1, column 2: ")
    assert "Its quotes are curly: JSON takes straight ones." in policy_state("{\u201cVersion\u201d: 1}")
    assert "curly" not in policy_state(broken)
    assert policy_state('{"Version": "2012-10-17"}').startswith("✘ a policy document needs a Statement")
    assert policy_state('{"Statement": [], "Statement": []}').startswith("✘ ")
    misspelt = json.dumps({"Statement": {"Effect": "Allow", "Actions": "s3:Get*", "Resource": "*"}})
    assert "Statement.Actions: unknown key 'Actions' in a statement. Did you mean 'Action'?" in policy_state(
        misspelt
    )
    unknown = json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "*"}})
    assert "Warning: Statement.Action: 's3' has no action 'GetObjekt'" in policy_state(unknown)
    assert policy_state(" ").startswith("Empty: no inline policy.")


def test_the_state_of_a_policy_follows_what_is_typed(context):
    panel = NotebookStep(context, "permission_sets").take()
    type_in(panel, "Inline policy", '{"Statement": ')
    assert "No valid JSON yet: line 1, column 15" in texts(panel)
    assert "▾ Policies" in [getattr(widget, "description", "") for widget in walk(panel.box)]
