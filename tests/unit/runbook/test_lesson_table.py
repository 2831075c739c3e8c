"""The lesson's one table: a row that is added to it is everywhere where a step must be."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from memory_resource import MemoryResource

from idc_aws.desired import Want
from idc_aws.permissions import required_actions
from idc_aws.scenario.scenario import Scenario
from idc_helpers.notebook.forms.values import section_of
from idc_helpers.notebook.lesson_map import LessonMap
from idc_helpers.runbook.comparing import Check
from idc_helpers.runbook.explain_failures import Cause, taught
from idc_helpers.runbook.lesson import (
    API,
    LESSON,
    LessonStep,
    resources_by_kind,
    steps_of_notebook,
    target_steps,
)
from idc_helpers.runbook.progress import StepReading, StepState
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown

ROOT = Path(__file__).parents[3]
NEW = LessonStep(
    number=21,
    name="reviews",
    task="Review who has access",
    who=API,
    notebook="08_users",
    heading="Choose",
    title="Access reviews",
    section="groups",
    source="https://docs.aws.amazon.com/singlesignon/latest/userguide/reviews.html",
    wants=(Want(lambda connection: connection.reviews, lambda _scenario: {"2026": {"state": "open"}}),),
)


class Target:
    target, region, is_sandbox, state_id = "sandbox", "us-east-1", True, ""
    instance_or_none = staticmethod(lambda: None)

    class caller:
        account_id = "111122223333"

    def __init__(self):
        self.reviews, self.cache = MemoryResource("review"), {}


@pytest.fixture
def added(monkeypatch):
    """The lesson with one more row, the only one that wants anything."""
    for name, step in LESSON.items():
        monkeypatch.setitem(LESSON, name, replace(step, wants=()))
    monkeypatch.setitem(LESSON, NEW.name, NEW)


@pytest.fixture
def context(added, tmp_path):
    return RunContext(Target(), Scenario(), "apply", NEW.notebook, tmp_path / "run")


def test_it_is_planned_applied_checked_and_undone_by_its_name(context):
    step = Step(context, NEW.name)
    assert step.title == "Access reviews"
    assert step.plan().counts()["create"] == 1
    step.apply()
    assert step.check().passed
    teardown = Teardown(context)
    assert [change.kind for change in teardown.plan().plan.writes] == ["review"]
    teardown.apply()
    assert context.connection.reviews.states == {}


def test_what_there_is_no_way_back_from_is_said_once(context):
    step = Step(context, NEW.name)
    step.plan()
    step.apply()
    context.connection.reviews.no_way_back = {"": "a review is for good"}
    teardown = Teardown(context)
    (left,) = teardown.plan().left_alone()
    assert left.reason == "cannot be undone: a review is for good"
    teardown.apply()
    assert (teardown.verdict().undone, teardown.verdict().left_alone) == (0, 1)
    assert Teardown(context).plan().undoings == ()


def test_the_map_the_headings_the_undo_and_the_permissions_have_it(added):
    assert target_steps() == [NEW.name]
    assert list(resources_by_kind(Target())) == ["review"]
    assert steps_of_notebook(NEW.notebook)[-1] is NEW
    shown = LessonMap(tuple(StepReading(step, StepState.DONE) for step in LESSON.values()))
    assert shown.table.rows[-1][:4] == ("21", NEW.task, NEW.notebook, API)
    assert f'href="{NEW.place.link}"' in shown._repr_html_()
    assert required_actions(NEW.notebook)


def test_a_check_that_fails_leads_to_it_and_its_form_shows_its_section(added):
    check = taught(Check("review 2026", False, "gone"), Cause("why"), NEW.name)
    assert (check.go_back, check.source) == (NEW.place, NEW.source)
    assert section_of(NEW.section).is_list


def test_every_section_is_one_of_the_scenario_and_every_step_has_permissions():
    for step in LESSON.values():
        if step.wants:
            assert required_actions(step.notebook), step.name
            assert section_of(step.section).dotted.split(".")[0] in Scenario.model_fields


def _tables(path):
    """Yield the keys of each dictionary that is written out in a module, and the line it begins in."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Dict):
            yield node.lineno, {key.value for key in node.keys if isinstance(key, ast.Constant)}


def test_no_other_table_is_keyed_by_steps():
    kinds = {
        "instance",
        "access_control_attributes",
        "delegated_administrator",
    }  # things that steps are called by
    names = set(LESSON) - kinds
    found = [
        f"{path.relative_to(ROOT)}:{line}: {sorted(keys & names)}"
        for package in ("idc_helpers", "idc_runner")
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, keys in _tables(path)
        if len(keys & names) > 1
    ]
    assert found == []
