"""The lesson's steps in order, in one process: apply, apply again, take back; and who may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idc_aws.connection import connect
from idc_aws.errors import ApplyRefusedError, WrongAccountError
from idc_aws.identity_store import find_principal_id
from idc_aws.instances import Instances
from idc_aws.project import DEFAULT_SCENARIO, project_folder
from idc_aws.scenario.reading import load_scenario
from idc_aws.uses import count_holdings
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.progress import StepState, read_states
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown


@pytest.fixture(scope="module")
def lesson_folder(start_in):
    return start_in("lesson")


@pytest.fixture
def context(lesson_folder, tmp_path):
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    return RunContext(connect(state_folder=lesson_folder), scenario, "apply", "lesson", tmp_path / "run")


def apply_all(context):
    return [Step(context, name).apply().counts() for name in target_steps()]


def test_the_lesson_applies_is_unchanged_the_second_time_and_leaves_nothing(context):
    first = apply_all(context)
    assert sum(counts["create"] for counts in first) == 18
    assert all(Step(context, name).check().passed for name in target_steps())
    receipts = len(context.receipts.read())
    second = apply_all(context)
    assert [counts["create"] + counts["update"] + counts["delete"] for counts in second] == [0] * len(
        target_steps()
    )
    assert len(context.receipts.read()) == receipts, "an empty plan writes no receipt"
    teardown = Teardown(context)
    teardown.apply()
    assert teardown.check().passed
    assert context.connection.instance_or_none() is None


def test_an_instance_in_which_somebody_else_works_is_not_deleted(context):
    Step(context, "instance").apply()
    store = {"IdentityStoreId": context.connection.instance.identity_store_id}
    theirs = context.connection.client("identitystore").create_group(DisplayName="Theirs", **store)
    teardown = Teardown(context)
    teardown.apply()
    (check,) = teardown.check()
    assert (check.passed, "still holds group Theirs" in check.detail) == (False, True)
    assert count_holdings(context.connection)["groups"] == 1
    context.connection.client("identitystore").delete_group(GroupId=theirs["GroupId"], **store)
    Teardown(context).apply()
    assert context.connection.instance_or_none() is None


def test_what_a_group_deleted_by_somebody_leaves_behind_is_taken_back(context):
    apply_all(context)
    connection = context.connection
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    wanted = Step(context, "account_assignments").desired[0].states
    names = {state["principal_name"] for state in wanted.values() if state["principal_type"] == "GROUP"}
    for name in names:
        group_id = find_principal_id(connection, "GROUP", name)
        connection.client("identitystore").delete_group(GroupId=group_id, **store)
    teardown = Teardown(context)
    undo = teardown.plan()
    assert sum("left it behind" in change.reason for change in undo.plan.writes) == len(wanted)
    teardown.apply(undo)
    assert teardown.check().passed
    assert connection.instance_or_none() is None


def test_mode_plan_shows_and_never_writes(context):
    planning = replace(context, mode="plan")
    step = Step(planning, "instance")
    assert [change.action for change in step.plan().changes] == ["create"]
    with pytest.raises(ApplyRefusedError, match="nothing is written"):
        step.apply()
    (check,) = step.check()
    assert (check.passed, check.detail) == (True, "mode is 'plan', nothing was written: 1 to create")
    assert (
        Instances(connect(state_folder=context.connection.console.state_folder)).read(["organization"]) == {}
    )


def test_on_aws_another_account_than_the_expected_one_is_never_written_to(context, monkeypatch):
    monkeypatch.setattr(context.connection, "target", "aws")
    scenario = context.scenario.model_copy(update={"expected_account": "999999999999"})
    elsewhere = replace(context, scenario=scenario)
    with pytest.raises(WrongAccountError, match="999999999999"):
        elsewhere.require_apply()
    unsaid = replace(context, scenario=context.scenario.model_copy(update={"expected_account": None}))
    with pytest.raises(WrongAccountError):
        unsaid.require_apply()
    right = context.scenario.model_copy(update={"expected_account": context.connection.caller.account_id})
    replace(context, scenario=right).require_apply()


def test_the_map_tells_what_is_done_from_what_somebody_changed(context):
    assert [reading.state for reading in read_states(context)][:2] == [StepState.NOT_APPLIED, StepState.LATER]
    apply_all(context)
    states = {reading.entry.number: reading for reading in read_states(context)}
    assert {states[number].state for number in range(1, 14)} == {StepState.DONE}
    assert states[14].words == "✎ waiting for you: no password yet"
    directory = context.connection.client("identitystore")
    store = {"IdentityStoreId": context.connection.instance.identity_store_id}
    ids = {each["UserName"]: each["UserId"] for each in directory.list_users(**store)["Users"]}
    handed_over = {"delivery": "one-time-password"}
    context.connection.console.send("POST", f"users/{ids['richard.roe']}/reset-password", handed_over)
    (reading,) = read_states(context, [14])
    assert reading.words == "✎ waiting for you: no password yet", "of the lesson's person"
    assert {states[number].state for number in range(15, 21)} == {StepState.LATER}
    directory.delete_user(UserId=ids["richard.roe"], **store)
    (reading,) = read_states(context, [13])
    assert reading.state is StepState.CHANGED_OUTSIDE
    assert "user richard.roe is gone" in reading.detail
    Teardown(context).apply()
    assert read_states(context)[0].state is StepState.NOT_APPLIED
