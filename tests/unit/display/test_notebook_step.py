import sys
from dataclasses import replace

import pytest

from idc_aws.errors import CheckFailedError, NotAppliedError, ParametersError, WriteFailedError
from idc_aws.files import read_json_lines
from idc_helpers.notebook import screen
from idc_helpers.notebook.forms import values as form_values
from idc_helpers.notebook.steps import NotebookStep, NotebookTeardown


class Shown:
    def __init__(self):
        self.lines = []

    def __call__(self, line):
        self.update(line)
        return self

    def update(self, line):
        self.lines.append(str(line))


@pytest.fixture
def shown(monkeypatch):
    shown = Shown()
    monkeypatch.setattr(screen, "show_updatable", shown)
    return shown


@pytest.fixture
def step(context):
    return NotebookStep(context, "permission_sets")


def actions(table):
    return [row[0].split(" ", 1)[1] for row in table.rows]


def test_headless_the_four_movements_follow_each_other(step, shown):
    assert [row[1] for row in step.form().rows] == ["AdministratorAccess", "Auditor"]
    assert actions(step.plan()) == ["create", "create"]
    assert step.apply().outcome.counts()["create"] == 2
    assert [row[0] for row in step.check().rows] == ["✔ passed", "✔ passed"]
    assert shown.lines[-1] == "✔ 2 of 2 done"
    assert any("create permission set 'Auditor'" in line for line in shown.lines)


def test_headless_no_widget_is_even_imported(step, shown, monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith(("ipywidgets", "idc_helpers.notebook.panel"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    step.form(), step.plan(), step.apply(), step.check()
    assert "ipywidgets" not in sys.modules


def test_applying_twice_changes_nothing_the_second_time(step, shown, memory):
    step.apply()
    calls = list(memory.resource("permission_set").calls)
    assert step.apply().outcome.counts() == {"create": 0, "update": 0, "delete": 0, "unchanged": 2}
    assert memory.resource("permission_set").calls == calls


def test_headless_apply_makes_the_plan_that_was_shown(step, shown, memory):
    step.plan()
    memory.resource("permission_set")._put("Auditor", {"session_duration": "PT2H"})
    done = [change.action.value for change, _ in step.apply().outcome.done]
    assert done == ["create", "create"]


def test_mode_plan_writes_nothing_and_says_so(context, shown, memory):
    step = NotebookStep(replace(context, mode="plan"), "permission_sets")
    assert repr(step.apply()) == "mode is 'plan': nothing was written (2 to create)"
    assert memory.resource("permission_set").calls == []
    assert "nothing was written" in step.check().rows[0][2]


def test_a_failed_check_raises_with_what_was_expected_and_found(step, shown, memory, capsys):
    step.apply()
    memory.resource("permission_set").states["Auditor"]["session_duration"] = "PT9H"
    with pytest.raises(CheckFailedError, match="'PT9H' → 'PT1H'") as raised:
        step.check()
    shown_above = capsys.readouterr().out
    assert "✘ failed" in shown_above
    assert "Likely cause: this run set it at" in shown_above
    assert "Go back to: 05_permission_sets, “Choose” (05_permission_sets.ipynb#Choose)" in shown_above
    told = raised.value._render_traceback_()
    assert told == ["CheckFailedError: 1 of 2 checks failed; see above for what to do."]


def test_guided_the_cell_asks_for_the_button(step, guided, shown, memory):
    with pytest.raises(NotAppliedError, match="press Apply in “Permission sets”, then run on from here"):
        step.apply()
    assert memory.resource("permission_set").calls == []
    step.step.apply_reviewed()
    assert step.apply().outcome.counts()["create"] == 2
    assert step.require().outcome is step.step.outcome


def test_guided_a_check_that_comes_too_early_says_so_in_one_line(step, guided, shown, capsys):
    step.form()
    with pytest.raises(NotAppliedError, match="“Permission sets” is not applied yet: press Apply"):
        step.check()
    assert "failed" not in capsys.readouterr().out


def test_guided_what_was_made_and_is_gone_is_told_by_the_check(context, guided, shown, memory, capsys):
    step = NotebookStep(context, "permission_sets")
    step.form()
    step.step.review()
    step.step.apply_reviewed()
    del memory.resource("permission_set").states["Auditor"]
    later = NotebookStep(context, "permission_sets")
    later.form()
    with pytest.raises(CheckFailedError):
        later.check()
    assert "it was deleted outside of this run" in capsys.readouterr().out


def test_guided_with_nothing_to_do_there_is_nothing_to_press(step, guided, shown):
    step.step.review()
    step.step.apply_reviewed()
    step.step.changed()
    assert step.apply().outcome.counts()["unchanged"] == 2


def test_guided_a_changed_value_takes_the_outcome_back(step, guided):
    step.step.review()
    step.step.apply_reviewed()
    values = step.values.values
    values[1]["session_duration"] = "PT2H"
    step.values.set(values)
    with pytest.raises(NotAppliedError):
        step.require()
    (change,) = [change for change in step.step.review().changes if change.key == "Auditor"]
    assert change.reason == "session_duration: 'PT1H' → 'PT2H'"


def test_a_form_with_a_wrong_value_is_neither_planned_nor_applied(step, guided, memory):
    step.step.review()
    values = step.values.values
    values[0]["session_duration"] = "PT13H"
    step.values.set(values)
    for movement in (step.plan, step.apply, step.check):
        with pytest.raises(ParametersError, match="PT13H"):
            movement()
    assert memory.resource("permission_set").calls == []


def test_a_failed_apply_closes_the_gate(step, guided, memory):
    memory.resource("permission_set").fail_on = "Auditor"
    step.step.review()
    with pytest.raises(WriteFailedError):
        step.step.apply_reviewed()
    assert (step.step.reviewed, step.step.outcome, step.step.running) == (None, None, False)
    with pytest.raises(NotAppliedError):
        step.apply()


def test_undo_takes_back_this_step_only(context, guided, memory):
    steps = [NotebookStep(context, name) for name in ("permission_sets", "groups")]
    for step in steps:
        step.step.review()
        step.step.apply_reviewed()
    steps[0].undo.review()
    steps[0].undo.apply_reviewed()
    assert memory.resource("permission_set").states == {}
    assert list(memory.resource("group").states) == ["Auditors"]
    with pytest.raises(NotAppliedError):
        steps[0].require()


def test_the_teardown_takes_everything_back(context, shown, memory):
    for name in ("permission_sets", "groups"):
        NotebookStep(context, name).apply()
    teardown = NotebookTeardown(context)
    assert actions(teardown.plan()) == ["delete"] * 3
    assert teardown.apply().outcome.counts()["delete"] == 3
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
    with pytest.raises(NotAppliedError, match="Teardown"):
        teardown.apply()
    assert list(memory.resource("group").states) == ["Auditors"]
    teardown.step.apply_reviewed()
    assert teardown.apply().outcome.counts()["delete"] == 1


def test_what_was_typed_survives_opening_the_notebook_again(context):
    step = NotebookStep(context, "groups")
    step.values.set([{"display_name": "Operators"}])
    again = NotebookStep(context, "groups")
    assert [row[1] for row in again.form().rows] == ["Operators"]


def test_what_was_typed_last_is_kept_as_plain_values(context):
    first = NotebookStep(context, "groups")
    first.values.set([{"display_name": "Operators"}])
    NotebookStep(context, "groups").values.set([{"display_name": "Auditors"}])
    first.values.set([{"display_name": "Readers"}])
    assert [row[1] for row in NotebookStep(context, "groups").form().rows] == ["Readers"]
    assert list(form_values.TYPED.values()) == [[{"display_name": "Readers"}]]


def test_another_scenario_wins_over_what_was_typed(context):
    NotebookStep(context, "groups").values.set([{"display_name": "Operators"}])
    other = replace(context, scenario=context.scenario.model_copy(update={"groups": []}))
    assert NotebookStep(other, "groups").form().rows == ()


def test_what_is_probably_not_meant_in_a_policy_is_said_below_the_plan(step):
    statement = {"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": statement}
    assert "Warning" not in step.plan().note
    step.values.set([{"name": "Own", "inline_policy": policy}])
    shown = step.plan()
    assert actions(shown) == ["create"]
    assert "Warning: permission_sets[0].inline_policy.Statement.Action: 's3' has no action" in shown.note
