from types import SimpleNamespace

import pytest

from idc_aws.changes import Action, Change, Plan
from idc_aws.errors import ApplyRefusedError
from idc_helpers.runbook.applying import Outcome, Reviewed
from idc_helpers.runbook.run import Opening


class Groups(Reviewed):
    """A step whose plan and apply are watched, and during which something may happen."""

    def __init__(self):
        super().__init__(SimpleNamespace(opening=Opening()), "Groups")
        self.applied = []
        self.meanwhile = lambda: None
        self.outside = None

    def plan(self):
        self.meanwhile()
        return Plan()

    def apply(self, plan=None, *, progress=None):
        self.applied.append(plan)
        self.meanwhile()
        return Outcome(plan)

    def changes(self, plan):
        return plan

    check = resources = None

    def changed_since(self, plan):
        return self.outside


@pytest.fixture
def step():
    return Groups()


def test_nothing_is_applied_that_was_not_shown(step):
    with pytest.raises(ApplyRefusedError, match="no plan of the present values of “Groups” was shown"):
        step.apply_reviewed()
    assert step.applied == []


def test_exactly_the_plan_that_was_shown_is_applied_and_only_once(step):
    shown = step.review()
    step.apply_reviewed()
    assert step.applied[0] is shown
    with pytest.raises(ApplyRefusedError):
        step.apply_reviewed()


def test_what_has_changed_since_is_named_and_nothing_is_applied(step):
    step.review()
    step.outside = Change(Action.UPDATE, "console_setting", "sessions", {}, {}, "")
    with pytest.raises(ApplyRefusedError, match="the Session duration has changed since the plan was shown"):
        step.apply_reviewed()
    assert (step.applied, step.reviewed, step.running) == ([], None, False)
    step.review()
    step.apply_reviewed(looks_again=False)
    assert len(step.applied) == 1


def test_a_value_that_changes_while_the_plan_is_made_leaves_nothing_to_apply(step):
    step.meanwhile = step.changed
    step.review()
    assert step.reviewed is None


def test_a_value_that_changes_during_an_apply_needs_a_review_of_its_own(step):
    step.review()
    step.meanwhile = step.changed
    step.apply_reviewed()
    with pytest.raises(ApplyRefusedError):
        step.apply_reviewed()


def test_a_plan_that_cannot_be_made_leaves_nothing_to_apply(step):
    step.review()

    def fail():
        raise RuntimeError

    step.meanwhile = fail
    heard = []
    step.watch(lambda: heard.append(step.reviewed))
    with pytest.raises(RuntimeError):
        step.review()
    assert heard == [None]


def test_watchers_hear_of_every_opening_and_closing(step):
    heard = []
    step.watch(lambda: heard.append((step.reviewed is not None, step.running)))
    step.review()
    step.apply_reviewed()
    step.changed()
    assert heard == [(True, False), (False, True), (False, False), (False, False)]
