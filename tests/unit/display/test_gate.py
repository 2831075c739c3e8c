import pytest

from idc_aws.changes import Plan
from idc_aws.errors import ApplyRefusedError, NotAppliedError
from idc_helpers.notebook.gate import Gate
from idc_helpers.runbook.applying import Outcome


class Scene:
    """A gate whose plan and apply are watched, and during which something may happen."""

    def __init__(self):
        self.applied = []
        self.meanwhile = lambda: None
        self.gate = Gate("Groups", self.plan, self.apply, lambda plan: plan)

    def plan(self):
        self.meanwhile()
        return Plan()

    def apply(self, plan, progress):
        self.applied.append(plan)
        self.meanwhile()
        return Outcome(plan)


@pytest.fixture
def scene():
    return Scene()


def test_nothing_is_applied_that_was_not_shown(scene):
    with pytest.raises(ApplyRefusedError, match="no plan of the present values of “Groups” was shown"):
        scene.gate.apply()
    assert scene.applied == []


def test_exactly_the_plan_that_was_shown_is_applied_and_only_once(scene):
    shown = scene.gate.show_plan()
    scene.gate.apply()
    assert scene.applied[0] is shown
    with pytest.raises(ApplyRefusedError):
        scene.gate.apply()


def test_a_value_that_changes_while_the_plan_is_made_keeps_the_gate_closed(scene):
    scene.meanwhile = scene.gate.changed
    scene.gate.show_plan()
    assert scene.gate.shown is None


def test_a_value_that_changes_during_an_apply_takes_its_outcome_back(scene):
    scene.gate.show_plan()
    scene.meanwhile = scene.gate.changed
    scene.gate.apply()
    assert scene.gate.outcome is None
    with pytest.raises(NotAppliedError):
        scene.gate.require()


def test_while_an_apply_is_at_work_a_cell_is_told_to_wait(scene):
    scene.gate.show_plan()
    told = []

    def ask():
        with pytest.raises(NotAppliedError) as raised:
            scene.gate.require()
        told.append(str(raised.value))

    scene.meanwhile = ask
    scene.gate.apply()
    assert told == ["“Groups” is being applied: wait until it is done, then run on from here"]


def test_a_plan_that_cannot_be_made_leaves_the_gate_closed(scene):
    scene.gate.show_plan()

    def fail():
        raise RuntimeError

    scene.meanwhile = fail
    heard = []
    scene.gate.watch(lambda: heard.append(scene.gate.shown))
    with pytest.raises(RuntimeError):
        scene.gate.show_plan()
    assert heard == [None]


def test_watchers_hear_of_every_opening_and_closing(scene):
    heard = []
    scene.gate.watch(lambda: heard.append((scene.gate.shown is not None, scene.gate.running)))
    scene.gate.show_plan()
    scene.gate.apply()
    scene.gate.changed()
    assert heard == [(True, False), (False, True), (False, False), (False, False)]
