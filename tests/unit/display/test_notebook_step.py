import sys
from dataclasses import replace

import pytest

from idc_aws.calls import CONSOLE, Call
from idc_aws.errors import ApplyRefusedError, CheckFailedError, ParametersError, WriteFailedError
from idc_aws.files import read_json_lines
from idc_aws.rehearsal import Target
from idc_helpers.notebook import steps
from idc_helpers.notebook.calls import ShownCalls, format_call, shown_calls
from idc_helpers.notebook.forms import values as form_values
from idc_helpers.notebook.steps import NotebookStep, NotebookTeardown
from idc_helpers.runbook.applying import PlannedCalls


@pytest.fixture
def shown(monkeypatch):
    """What is shown below the cell, one after another."""
    shown = []
    monkeypatch.setattr(steps, "show", shown.append)
    return shown


@pytest.fixture
def step(context):
    return NotebookStep(context, "permission_sets")


def actions(table):
    return [row[0].split(" ", 1)[1] for row in table.rows]


def test_headless_each_is_shown_once_in_the_order_of_a_step(step, shown):
    checks = step.take()
    assert [type(one).__name__ for one in shown] == ["Table", "Table", "ShownCalls", "Table"]
    wanted, plan, calls, applied = shown
    assert [row[1] for row in wanted.rows] == ["AdministratorAccess", "Auditor"]
    assert actions(plan) == ["create", "create"]
    assert "The 2 calls that Apply makes" in calls._repr_html_()
    assert actions(applied) == ["created", "created"]
    assert [row[0] for row in checks.rows] == ["✔ passed", "✔ passed"]


def test_what_the_console_does_is_said_in_the_words_of_its_screen():
    mfa = {"prompt": "never", "users_manage_own_devices": True, "allowed_types": ["authenticator-apps"]}
    calls = [
        Call(CONSOLE, "settings/standard_authentication", {"send_email_otp": True}),
        Call(CONSOLE, "settings/multi_factor_authentication", mfa),
        Call(CONSOLE, "settings/sessions", {"user_interactive": "PT4H"}),
    ]
    shown = ShownCalls(PlannedCalls(tuple(calls)), Target("us-east-1"))
    for text in (repr(shown), shown._repr_html_(), "\n".join(map(format_call, calls))):
        for words in (
            "Send email OTP: turned on",
            "Prompt users for MFA: Never (disabled)",
            "MFA types: Authenticator apps",
            "User interactive sessions: 4 hours",
        ):
            assert words in text


def test_of_a_thousand_calls_the_first_are_shown_and_all_are_in_files(context):
    calls = tuple(Call("identitystore", "CreateGroup", {"DisplayName": f"Team {at}"}) for at in range(1000))
    shown = shown_calls(PlannedCalls(calls), Target("us-east-1"), context, "Groups")
    for text in (repr(shown), shown._repr_html_()):
        assert "Team 49" in text
        assert "Team 50" not in text
        assert "These are 50 of 1,000 calls" in text
    assert "The 1000 calls that Apply makes" in shown._repr_html_()
    names = [name.rpartition("/")[2] for name in shown.files]
    assert names == [f"{context.notebook}-groups_calls.sh", f"{context.notebook}-groups_calls.py"]
    for name in names:
        assert "Team 999" in (context.run_folder / "tables" / name).read_text()
    few = PlannedCalls(calls[:200])
    assert shown_calls(few, Target("us-east-1"), context, "x") == ShownCalls(few, Target("us-east-1"))


def test_where_nothing_is_to_do_no_calls_are_shown(step, shown):
    step.apply()
    step.take()
    assert [type(one).__name__ for one in shown] == ["Table", "Table", "Table"]


def test_headless_no_widget_is_even_imported(step, shown, monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith(("ipywidgets", "idc_helpers.notebook.panel"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    step.take()
    assert "ipywidgets" not in sys.modules


def test_applying_twice_changes_nothing_the_second_time(step, shown, memory):
    step.apply()
    calls = list(memory.resource("permission_set").calls)
    assert actions(step.apply()) == ["unchanged", "unchanged"]
    assert memory.resource("permission_set").calls == calls


def test_headless_apply_makes_the_plan_that_was_shown(step, shown, memory):
    step.plan()
    memory.resource("permission_set")._put("Auditor", {"session_duration": "PT2H"})
    assert actions(step.apply()) == ["created", "created"]


def test_mode_plan_writes_nothing_and_says_so(context, shown, memory):
    step = NotebookStep(replace(context, mode="plan"), "permission_sets")
    assert repr(step.apply()) == "mode is 'plan': nothing was written (2 to create)"
    assert memory.resource("permission_set").calls == []
    assert "nothing was written" in step.check().rows[0][2]


def test_a_failed_check_raises_with_what_was_expected_and_found(step, shown, memory, capsys):
    step.apply()
    memory.resource("permission_set").states["Auditor"]["session_duration"] = "PT9H"
    with pytest.raises(CheckFailedError, match="Session duration: 9 hours → 1 hour") as raised:
        step.check()
    shown_above = capsys.readouterr().out
    assert "✘ failed" in shown_above
    assert "Likely cause: this run set it at" in shown_above
    assert "Go back to: 05_permission_sets, “Choose” (05_permission_sets.ipynb#Choose)" in shown_above
    told = raised.value._render_traceback_()
    assert told == ["CheckFailedError: 1 of 2 checks failed; see above for what to do."]


def test_guided_no_cell_writes_and_the_panel_is_the_same_again(step, guided, shown, memory):
    panel = step.take()
    assert step.take() is panel
    assert shown == []
    step.step.review()
    with pytest.raises(ApplyRefusedError, match=r"only the button \*Apply\* of “Permission sets” writes"):
        step.apply()
    assert memory.resource("permission_set").calls == []


def test_a_form_with_a_wrong_value_is_neither_planned_nor_applied(step, guided, memory):
    step.step.review()
    values = step.values.values
    values[0]["session_duration"] = "PT13H"
    step.values.set(values)
    for movement in (step.plan, step.apply, step.check):
        with pytest.raises(ParametersError, match="PT13H"):
            movement()
    assert memory.resource("permission_set").calls == []


def test_a_failed_apply_ends_the_review(step, guided, memory):
    memory.resource("permission_set").fail_on = "Auditor"
    step.step.review()
    with pytest.raises(WriteFailedError):
        step.step.apply_reviewed()
    assert (step.step.reviewed, step.step.running) == (None, False)


def test_undo_takes_back_this_step_only(context, guided, memory):
    taken = [NotebookStep(context, name) for name in ("permission_sets", "groups")]
    for step in taken:
        step.step.review()
        step.step.apply_reviewed()
    taken[0].undo.review()
    taken[0].undo.apply_reviewed()
    assert memory.resource("permission_set").states == {}
    assert list(memory.resource("group").states) == ["Auditors"]


def test_the_teardown_takes_everything_back(context, shown, memory):
    for name in ("permission_sets", "groups"):
        NotebookStep(context, name).apply()
    teardown = NotebookTeardown(context)
    assert actions(teardown.plan()) == ["delete"] * 3
    assert actions(teardown.apply()) == ["deleted"] * 3
    assert teardown.check().rows[0][0] == "✔ passed"
    counts = [
        event["counts"] for event in read_json_lines(context.events.path) if event["event"] == "verdict"
    ]
    assert counts == [{"undone": 3, "left_alone": 0, "unreadable": 0, "to_undo": 0}]
    assert not any(resource.states for resource in memory.resources.values())


def test_guided_the_teardown_waits_for_its_button(context, shown, memory, monkeypatch):
    NotebookStep(context, "groups").apply()
    monkeypatch.setenv("IDC_INTERACTIVE", "guided")
    teardown = NotebookTeardown(context)
    teardown.take()
    with pytest.raises(ApplyRefusedError, match="Teardown"):
        teardown.apply()
    assert list(memory.resource("group").states) == ["Auditors"]
    teardown.step.review()
    assert teardown.step.apply_reviewed().counts()["delete"] == 1


def test_what_was_typed_survives_opening_the_notebook_again(context):
    step = NotebookStep(context, "groups")
    step.values.set([{"display_name": "Operators"}])
    again = NotebookStep(context, "groups")
    assert [row[1] for row in again.wanted().rows] == ["Operators"]


def test_what_was_typed_last_is_kept_as_plain_values(context):
    first = NotebookStep(context, "groups")
    first.values.set([{"display_name": "Operators"}])
    NotebookStep(context, "groups").values.set([{"display_name": "Auditors"}])
    first.values.set([{"display_name": "Readers"}])
    assert [row[1] for row in NotebookStep(context, "groups").wanted().rows] == ["Readers"]
    assert list(form_values.TYPED.values()) == [[{"display_name": "Readers"}]]


def test_another_scenario_wins_over_what_was_typed(context):
    NotebookStep(context, "groups").values.set([{"display_name": "Operators"}])
    other = replace(context, scenario=context.scenario.model_copy(update={"groups": []}))
    assert NotebookStep(other, "groups").wanted().rows == ()


def test_what_is_probably_not_meant_in_a_policy_is_said_below_the_plan(step):
    statement = {"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": statement}
    assert "Warning" not in step.plan().note
    step.values.set([{"name": "Own", "inline_policy": policy}])
    shown = step.plan()
    assert actions(shown) == ["create"]
    assert "Warning: permission_sets[0].inline_policy.Statement.Action: 's3' has no action" in shown.note
