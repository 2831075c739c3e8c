"""Access to whole units and to accounts by tag, in the sandbox: plan, apply, a new account, undo."""

import dataclasses

import pytest

from idc_aws.connection import connect
from idc_aws.errors import ParametersError
from idc_aws.scenario.reading import scenario_parameters, validate_scenario
from idc_aws.scenario.saving import dumped
from idc_helpers.notebook.tables import plan_table
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown


def scenario(**where):
    return validate_scenario(
        {
            "permission_sets": [{"predefined": "ReadOnlyAccess"}],
            "groups": [{"display_name": "Readers"}],
            "account_assignments": [{"permission_set": "ReadOnlyAccess", "group": "Readers", **where}],
        }
    )


@pytest.fixture(scope="module")
def opened(start_in):
    return connect(state_folder=start_in("units"))


def context(opened, tmp_path, **where):
    return RunContext(opened, scenario(**where), "apply", "lesson", tmp_path / "run")


def make_account(opened, name, unit_name, **tags):
    organizations = opened.client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    units = organizations.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
    unit_id = next(unit["Id"] for unit in units if unit["Name"] == unit_name)
    made = organizations.create_account(AccountName=name, Email=f"{name}@example.com")
    account_id = made["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=account_id, SourceParentId=root, DestinationParentId=unit_id)
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    organizations.tag_resource(ResourceId=account_id, Tags=listed)
    return account_id


def test_a_unit_is_assigned_as_a_whole_and_new_accounts_come_in_by_running_again(opened, tmp_path):
    run = context(opened, tmp_path, organizational_units=["Workloads"], account_tags={"env": "lab"})
    for name in ("instance", "permission_sets", "groups"):
        Step(run, name).apply()
    step = Step(run, "account_assignments")
    plan = step.plan()
    assert plan.counts()["create"] == 2
    shown = repr(plan_table("Account assignments", plan))
    assert "Root/Workloads: 2 accounts (Development, Production)\ntags env=lab: 0 accounts" in shown
    step.apply(plan)
    assert step.check().passed
    make_account(opened, "Staging", "Workloads")
    tagged = make_account(opened, "Lab", "Security", env="lab")
    plan = step.plan()
    assert plan.counts() == {"create": 2, "update": 0, "delete": 0, "unchanged": 2}
    assert plan.notes[1] == "tags env=lab: 1 account (Lab)"
    step.apply(plan)
    opened.client("organizations").close_account(AccountId=tagged)
    assert step.plan().notes[1] == "tags env=lab: 0 accounts; 1 skipped (Lab is SUSPENDED)"
    assert step.plan().counts()["unchanged"] == 4
    teardown = Teardown(run)
    teardown.apply()
    assert teardown.check().passed


def test_units_that_are_not_there_are_reported_with_their_lines_before_any_write(opened, tmp_path):
    units = ["Root/Workload", "Security", "Finance"]
    run = context(opened, tmp_path, organizational_units=units, account_tags={"env": "lab"})
    file = tmp_path / "scenario.yaml"
    file.write_text(dumped(scenario_parameters(run.scenario)), "utf-8")
    with pytest.raises(ParametersError) as caught:
        Step(dataclasses.replace(run, scenario_file=file), "account_assignments").apply()
    first, second = caught.value.problems
    lines = file.read_text("utf-8").splitlines()
    assert [lines[one.line - 1].strip() for one in (first, second)] == ["- Root/Workload", "- Finance"]
    assert (first.path, second.path) == tuple(
        f"account_assignments[0].organizational_units[{number}]" for number in (0, 2)
    )
    assert "no organizational unit 'Root/Workload'. Did you mean 'Root/Workloads'?" in first.message
    assert not (tmp_path / "run" / "receipts.jsonl").exists()
