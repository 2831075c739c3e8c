import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_resource import MemoryResource

from idc_aws.changes import Action, Plan
from idc_helpers.runbook.applying import Applier
from idc_helpers.runbook.comparing import plan_changes, undo_creation, undo_update
from idc_helpers.runbook.records import Origin, ReceiptBook
from idc_helpers.runbook.undo import plan_undo

ORIGIN = Origin("run", "05_permission_sets", "permission_sets", "sandbox", "111122223333", "us-east-1", "arn")

values = st.one_of(
    st.text("abc", max_size=3),
    st.integers(0, 3),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.text("k"), st.text("v"), max_size=1),
)
states = st.dictionaries(st.sampled_from(["description", "tags", "policy"]), values, max_size=3)
worlds = st.dictionaries(st.sampled_from(["ana", "ben", "eva", "kim"]), states, max_size=4)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    """Leave receipts in memory: that they are flushed is a test of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield


def applier(resource, folder):
    return Applier({resource.kind: resource}, ReceiptBook(folder / "receipts.jsonl"), ORIGIN)


@given(desired=worlds, actual=worlds)
def test_applying_a_plan_makes_the_next_plan_empty(desired, actual, tmp_path_factory):
    resource = MemoryResource(states=actual)
    plan = plan_changes("thing", desired, resource.read(desired))
    applier(resource, tmp_path_factory.mktemp("run")).apply(plan)
    again = plan_changes("thing", desired, resource.read(desired))
    assert again.is_empty
    assert again.counts() == {"create": 0, "update": 0, "delete": 0, "unchanged": len(desired)}


@given(desired=worlds, later=worlds, actual=worlds)
def test_undo_restores_the_state_before(desired, later, actual, tmp_path_factory):
    resource = MemoryResource(states=actual)
    before, identifiers = dict(resource.states), dict(resource.ids)
    folder = tmp_path_factory.mktemp("run")
    for wanted in (desired, later):
        applier(resource, folder).apply(plan_changes("thing", wanted, resource.read(wanted)))
    undo = plan_undo(ReceiptBook(folder / "receipts.jsonl").open_receipts(), {"thing": resource}, ORIGIN)
    applier(resource, folder).apply(undo.plan, undoes=undo.receipt_id)
    assert (resource.states, resource.ids) == (before, identifiers)
    assert ReceiptBook(folder / "receipts.jsonl").open_receipts() == []


@given(desired=worlds, actual=worlds)
def test_a_plan_never_touches_what_the_scenario_does_not_name(desired, actual, tmp_path_factory):
    resource = MemoryResource(states=actual)
    applier(resource, tmp_path_factory.mktemp("run")).apply(
        plan_changes("thing", desired, resource.read(desired))
    )
    for key, state in actual.items():
        wanted = desired.get(key, {})
        for name, value in state.items():
            if name not in wanted:
                assert resource.states[key][name] == value


def test_an_empty_plan_calls_nothing_that_writes(tmp_path):
    resource = MemoryResource(states={"ana": {"title": "Engineer"}})
    plan = plan_changes("thing", {"ana": {"title": "Engineer"}}, resource.read(["ana"]))
    outcome = applier(resource, tmp_path).apply(plan)
    assert resource.calls == []
    assert not (tmp_path / "receipts.jsonl").exists()
    assert outcome.counts() == {"create": 0, "update": 0, "delete": 0, "unchanged": 1}


def test_an_update_says_which_field_changes_from_what_to_what():
    (change,) = plan_changes(
        "permission_set", {"Admin": {"session_duration": "PT4H"}}, {"Admin": {"session_duration": "PT1H"}}
    ).changes
    assert change.action is Action.UPDATE
    assert change.reason == "Session duration: 1 hour → 4 hours"


def test_what_only_a_person_can_write_is_by_hand_and_counts_as_no_write():
    plan = plan_changes("console_setting", {"sessions": {"user_interactive": "PT8H"}}, {}, by_hand=True)
    assert [change.action for change in plan.changes] == [Action.BY_HAND]
    assert plan.writes == ()
    assert not plan.is_empty


def test_undo_leaves_another_thing_of_the_same_name_alone():
    change = undo_creation("group", "Admins", "group-1", {"description": "x"}, "group-2")
    assert change.action is Action.UNCHANGED
    assert "group-2" in change.reason


def test_undo_leaves_a_field_alone_that_was_changed_again():
    change = undo_update(
        "user",
        "ana",
        {"title": "A", "nick_name": "a"},
        {"title": "B", "nick_name": "b"},
        {"title": "C", "nick_name": "b"},
    )
    assert change.after == {"title": "C", "nick_name": "a"}
    untouched = undo_update("user", "ana", {"title": "A"}, {"title": "B"}, {"title": "C"})
    assert untouched.action is Action.UNCHANGED


def test_plans_add_up():
    one = plan_changes("group", {"A": {}}, {})
    two = plan_changes("user", {"b": {}}, {"b": {}})
    assert (one + two).counts() == {"create": 1, "update": 0, "delete": 0, "unchanged": 1}
    assert (Plan() + one).changes == one.changes
