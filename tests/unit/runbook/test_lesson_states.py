"""The states of the lesson's steps, of a target that is memory."""

import datetime
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from memory_resource import MemoryResource

from idc_aws import desired
from idc_aws.desired import Want
from idc_aws.errors import AccessDeniedError
from idc_aws.scenario.scenario import Scenario
from idc_aws.signin.profiles import SignedInProfiles
from idc_helpers.runbook import progress
from idc_helpers.runbook.lesson import LESSON, steps_of_notebook
from idc_helpers.runbook.progress import StepState, count_done, next_step, read_states
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
NO_PROFILES = SignedInProfiles((), None)
YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@dataclass
class Instance:
    instance_arn: str = "arn:aws:sso:::instance/ssoins-1"
    created_at: datetime.datetime = YESTERDAY


@dataclass
class Target:
    target: str = "aws"
    region: str = "us-east-1"
    is_sandbox: bool = False
    state_id: str = ""
    instance: Instance | None = field(default_factory=Instance)
    groups: MemoryResource = field(default_factory=lambda: MemoryResource("group"))

    class caller:
        account_id = "111122223333"

    def instance_or_none(self):
        return self.instance

    refresh_instance = instance_or_none


GROUPS = Want(lambda connection: connection.groups, desired.group_states)


def scenario_of(**groups):
    """A scenario with groups, by name their descriptions."""
    return Scenario(
        expected_account="111122223333",
        groups=[{"display_name": name, "description": words} for name, words in groups.items()],
    )


@pytest.fixture
def context(monkeypatch, tmp_path):
    for name, step in LESSON.items():
        if step.wants:
            monkeypatch.setitem(LESSON, name, replace(step, wants=(GROUPS,)))
    monkeypatch.setattr("idc_helpers.runbook.run.require_apply_allowed", lambda *_: None)
    monkeypatch.setattr("idc_helpers.runbook.progress.find_signed_in_profiles", lambda _: NO_PROFILES)
    return RunContext(Target(), scenario_of(Auditors="look"), "apply", "06_groups", tmp_path / "run")


def state(context):
    (reading,) = read_states(context, [11])
    return reading.state, reading.detail


def test_a_step_is_not_applied_and_then_done(context):
    assert state(context) == (StepState.NOT_APPLIED, "1 to create")
    Step(context, "groups").apply()
    assert state(context) == (StepState.DONE, "")


def test_nothing_but_the_first_step_can_be_done_without_an_instance(context):
    context.connection.instance = None
    readings = read_states(context)
    assert [reading.state for reading in readings[1:]] == [StepState.LATER] * 19
    assert readings[0].state is StepState.NOT_APPLIED
    assert next_step(readings) is readings[0]
    optional = LESSON["access_control_attributes"]
    assert [step for step in LESSON.values() if step.is_optional] == [optional]
    assert optional.task.endswith("(optional)")
    skipped = replace(readings[0], entry=optional)
    assert next_step([skipped, readings[0]]) is readings[0], "what is optional is never what comes next"
    assert count_done(readings) == 0


@pytest.mark.parametrize(
    ("names", "said"), [(("every-day", "practice"), "practice"), (("corp", "every-day"), "corp")]
)
def test_of_several_profiles_the_one_of_the_lessons_person_is_named(context, monkeypatch, names, said):
    found = SignedInProfiles(names, False)
    monkeypatch.setattr("idc_helpers.runbook.progress.find_signed_in_profiles", lambda _: found)
    configured, _, sign_in = read_states(context, [16, 17, 18])
    assert (configured.detail, sign_in.detail) == (f"profile {said}", f"aws sso login --profile {said}")


def test_what_this_kit_made_and_somebody_deleted_was_changed_outside(context):
    Step(context, "groups").apply()
    del context.connection.groups.states["Auditors"]
    assert state(context) == (StepState.CHANGED_OUTSIDE, "group Auditors is gone")


def test_what_this_kit_made_and_somebody_changed_was_changed_outside(context):
    Step(context, "groups").apply()
    context.connection.groups.states["Auditors"]["description"] = "theirs"
    assert state(context) == (StepState.CHANGED_OUTSIDE, "group Auditors: Description")


def test_what_somebody_else_made_otherwise_is_not_applied(context):
    context.connection.groups = MemoryResource("group", {"Auditors": {"description": "theirs"}})
    assert state(context) == (StepState.NOT_APPLIED, "1 to update")


def test_a_scenario_that_wants_something_new_is_not_applied(context):
    Step(context, "groups").apply()
    wants_more = replace(context, scenario=scenario_of(Auditors="look", Billing="pay"))
    assert state(wants_more) == (StepState.NOT_APPLIED, "1 to create, 1 as wanted")


def test_what_was_taken_back_is_not_applied(context):
    Step(context, "groups").apply()
    Teardown(context).apply()
    assert state(context) == (StepState.NOT_APPLIED, "1 to create")


def test_receipts_of_an_instance_that_is_gone_say_nothing_of_the_next(context):
    Step(context, "groups").apply()
    del context.connection.groups.states["Auditors"]
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    context.connection.instance = Instance(created_at=tomorrow)
    assert state(context) == (StepState.NOT_APPLIED, "1 to create")
    context.connection.instance = Instance(instance_arn="arn:aws:sso:::instance/ssoins-2")
    assert state(context) == (StepState.NOT_APPLIED, "1 to create")


def test_what_a_form_had_otherwise_than_the_scenario_is_done_until_the_scenario_changes(context):
    step = Step(context, "groups")
    step.scenario = scenario_of(Auditors="typed")
    step.apply()
    assert state(context) == (StepState.DONE, "with values of your own, not the scenario's")
    edited = replace(context, scenario=scenario_of(Auditors="edited"))
    assert state(edited) == (StepState.NOT_APPLIED, "1 to update")
    context.connection.groups.states["Auditors"]["description"] = "theirs"
    assert state(context) == (StepState.CHANGED_OUTSIDE, "group Auditors: Description")


def test_what_a_form_had_otherwise_is_not_done_once_it_is_taken_back(context):
    step = Step(context, "groups")
    step.scenario = scenario_of(Auditors="typed")
    step.apply()
    Teardown(context).apply()
    assert state(context) == (StepState.NOT_APPLIED, "1 to create")


def test_a_form_that_says_what_the_scenario_says_has_no_values_of_its_own(context):
    step = Step(context, "groups")
    step.scenario = scenario_of(Auditors="look")
    step.apply()
    assert "own_values" not in context.events.path.read_text("utf-8")


def test_what_only_a_person_can_do_waits_for_you(context):
    context.connection.groups.by_hand = True
    assert state(context) == (StepState.WAITING, "1 to set in the console")


def test_a_scenario_without_it_does_not_ask_for_it(context):
    assert state(replace(context, scenario=Scenario()))[0] is StepState.NOT_ASKED


def test_what_cannot_be_read_says_why_and_the_others_are_read(context, monkeypatch):
    def refuse(context, name):
        if name == "groups":
            raise AccessDeniedError("you may not list groups")
        return Step(context, name)

    monkeypatch.setattr(progress, "Step", refuse)
    readings = {reading.entry.number: reading for reading in read_states(context)}
    assert readings[11].words == "? cannot be read: you may not list groups"
    assert readings[10].state is StepState.NOT_APPLIED


def test_on_aws_no_api_shows_the_persons_password_and_session(context):
    states = [reading.state for reading in read_states(context, range(14, 21))]
    by_yourself, later = StepState.BY_YOURSELF, StepState.LATER
    assert states == [by_yourself, by_yourself, by_yourself, later, later, later, later]


def test_each_state_has_a_symbol_and_a_word_of_its_own():
    assert (
        len({each.symbol for each in StepState}) == len({each.word for each in StepState}) == len(StepState)
    )


def test_the_steps_are_twenty_in_their_order():
    assert [entry.number for entry in LESSON.values()] == list(range(1, 21))


@pytest.mark.parametrize("name", LESSON)
def test_each_step_links_to_a_heading_of_its_notebook(name):
    entry = LESSON[name]
    cells = json.loads((NOTEBOOKS / f"{entry.notebook}.ipynb").read_text("utf-8"))["cells"]
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown")
    headings = [line.lstrip("# ").replace("`", "") for line in lines.splitlines() if line.startswith("#")]
    assert headings.count(entry.heading) == 1, f"{entry.heading!r} is not one of {headings}"


def test_a_notebooks_steps_are_neighbours():
    assert [entry.number for entry in steps_of_notebook("02_settings")] == [2, 3, 4, 5]
    assert steps_of_notebook("00_start_here") == ()
