import pytest
from memory_resource import MemoryResource

from idc_aws.changes import Action, WriteResult
from idc_aws.errors import ReceiptError, TargetError, WriteFailedError
from idc_helpers.runbook.applying import Applier
from idc_helpers.runbook.comparing import plan_changes
from idc_helpers.runbook.records import Origin, ReceiptBook
from idc_helpers.runbook.undo import Fate, plan_undo

ORIGIN = Origin("run", "06_groups", "groups", "sandbox", "111122223333", "us-east-1", "arn")


@pytest.fixture
def book(tmp_path):
    return ReceiptBook(tmp_path / "receipts.jsonl")


def apply(book, resource, desired):
    return Applier({resource.kind: resource}, book, ORIGIN).apply(
        plan_changes(resource.kind, desired, resource.read(desired))
    )


def test_a_failed_write_keeps_the_receipts_of_those_before_it(book):
    resource = MemoryResource(fail_on="ben")
    with pytest.raises(WriteFailedError):
        apply(book, resource, {"ana": {}, "ben": {}, "eva": {}})
    assert [(receipt.key, receipt.status) for receipt in book.read()] == [("ana", "done"), ("ben", "started")]
    resource.fail_on = None
    apply(book, resource, {"ana": {}, "ben": {}, "eva": {}})
    assert set(resource.states) == {"ana", "ben", "eva"}


def test_a_creation_interrupted_before_its_receipt_was_done_is_still_taken_back(book):
    resource = MemoryResource()
    plan = plan_changes("thing", {"ana": {}}, {})
    book.start(plan.changes[0], ORIGIN)
    resource._put("ana", {})  # the call went through, the process was killed before it could say so
    undo = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN)
    assert [change.action for change in undo.plan.changes] == [Action.DELETE]


def test_a_creation_that_was_refused_is_not_taken_back(book):
    resource = MemoryResource(fail_on="ana", refused=True)
    with pytest.raises(WriteFailedError):
        apply(book, resource, {"ana": {}})
    resource._put("ana", {})  # somebody else's, made a moment before ours was refused
    assert [receipt.status for receipt in book.read()] == ["refused"]
    assert plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes == ()


@pytest.mark.parametrize(
    ("actual", "action"),
    [
        ({"title": "Engineer", "tags": {"a": "1"}}, Action.DELETE),
        ({"title": "Engineer", "tags": {}}, Action.DELETE),
        ({"title": "Engineer", "tags": {"a": "2"}}, Action.UNCHANGED),
        ({"title": "Director"}, Action.UNCHANGED),
        ({"title": "Engineer", "policies": ["b"]}, Action.UNCHANGED),
        ({"title": "Engineer", "policies": ["a"]}, Action.DELETE),
    ],
)
def test_an_interrupted_creation_is_taken_back_only_if_the_thing_may_come_from_it(book, actual, action):
    wanted = {"title": "Engineer", "tags": {"a": "1"}, "policies": ["a"]}
    book.start(plan_changes("thing", {"ana": wanted}, {}).changes[0], ORIGIN)
    undo = plan_undo(book.open_receipts(), {"thing": MemoryResource(states={"ana": actual})}, ORIGIN)
    assert [change.action for change in undo.plan.changes] == [action]


def test_what_somebody_else_deleted_is_settled_and_not_asked_again(book):
    resource = MemoryResource()
    apply(book, resource, {"ana": {}})
    resource.states.clear()
    undo = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN)
    assert undo.plan.writes == ()
    assert [change.reason for change in undo.plan.changes] == ["is already gone"]
    assert [receipt.key for receipt in undo.receipts_of(Fate.GONE)] == ["ana"]


class Leaving(MemoryResource):
    """What is left behind keeps its id: no name leads to it any more."""

    def __init__(self):
        super().__init__()
        self.left = {}

    def forget_the_name(self, key):
        self.left[key, self.ids.pop(key)] = self.states.pop(key)

    def read_by_identifier(self, named):
        return {pair: self.left[pair] for pair in named if pair in self.left}


def test_what_is_left_behind_is_taken_back_by_its_id_once(book):
    resource = Leaving()
    apply(book, resource, {"ana": {"title": "Engineer"}})
    resource.forget_the_name("ana")
    apply(book, resource, {"ana": {"title": "Director"}})
    undo = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN)
    assert [(change.action, change.identifier) for change in undo.plan.changes] == [
        (Action.DELETE, "thing-2"),
        (Action.DELETE, "thing-1"),
    ]
    assert undo.plan.changes[1].before == {"title": "Engineer"}
    assert "left it behind" in undo.plan.changes[1].reason
    resource.left.clear()
    _, older = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes
    assert (older.action, older.before) == (Action.UNCHANGED, None)


def test_somebody_elses_of_the_same_name_is_left_alone_and_ours_is_not(book):
    resource = Leaving()
    apply(book, resource, {"ana": {}})
    resource.forget_the_name("ana")
    resource._put("ana", {"title": "theirs"})
    (change,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes
    assert (change.action, change.identifier, change.before) == (Action.DELETE, "thing-1", {})
    resource.left.clear()
    (change,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes
    assert change.action is Action.UNCHANGED
    assert "another one (thing-2) than the receipt names (thing-1)" in change.reason


def test_an_update_is_taken_back_of_the_very_thing_only(book):
    resource = MemoryResource(states={"ana": {"title": "Engineer"}})
    apply(book, resource, {"ana": {"title": "Director"}})
    resource.ids["ana"] = "thing-2"  # deleted, and made anew by somebody
    (change,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes
    assert change.action is Action.UNCHANGED
    assert "another one (thing-2) than the receipt names (thing-1)" in change.reason


@pytest.mark.parametrize(
    ("now", "fate", "words"),
    [
        (["old", "a"], Fate.LEFT, "was changed again since"),  # something of ours is still there
        (["old", "theirs"], Fate.THEIRS, "was changed again since"),
        (["old"], Fate.GONE, "is as before"),
        ({"a": "theirs"}, Fate.THEIRS, "was changed again since"),
    ],
)
def test_what_somebody_changed_since_is_left_and_counted_by_what_is_ours_in_it(book, now, fate, words):
    resource = MemoryResource(states={"ana": {"policies": ["old"]}})
    apply(book, resource, {"ana": {"policies": ["old", "a", "b"]}})
    resource._put("ana", {"policies": now})
    (found,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).undoings
    assert (found.fate, found.change.writes) == (fate, False)
    assert found.change.reason.startswith(words)


def test_receipts_of_before_assignments_had_an_id_are_taken_back_by_their_key(book):
    resource = MemoryResource(states={"ana": {}})
    change = plan_changes("thing", {"ana": {}}, {}).changes[0]
    book.finish(book.start(change, ORIGIN), WriteResult("ana"))
    (change,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes
    assert (change.action, change.identifier) == (Action.DELETE, "thing-1")


def test_many_receipts_take_one_look_for_each_kind(book):
    resource, looks = MemoryResource(), []
    apply(book, resource, {f"user{number}": {} for number in range(50)})
    look, resource.existing = resource.existing, lambda keys: looks.append(len(keys)) or look(keys)
    undo = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN)
    assert len(undo.plan.writes) == 50
    assert looks == [50]


def test_only_what_receipts_name_is_deleted(book):
    resource = MemoryResource(states={"theirs": {}})
    apply(book, resource, {"ours": {}, "theirs": {}})
    undo = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN)
    assert [change.key for change in undo.plan.writes] == ["ours"]


def test_what_cannot_be_undone_is_said_not_tried(book):
    resource = MemoryResource(states={"access_portal": {"subdomain": None}})
    resource.no_way_back = {"": "AWS allows it once"}
    apply(book, resource, {"access_portal": {"subdomain": "practice"}})
    (change,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes
    assert change.action is Action.UNCHANGED
    assert "cannot be undone" in change.reason


@pytest.mark.parametrize(
    "other", [{"account_id": "999999999999"}, {"target": "aws"}, {"region": "eu-west-1"}]
)
def test_receipts_of_another_account_target_or_region_are_refused(book, other):
    resource = MemoryResource()
    apply(book, resource, {"ana": {}})
    elsewhere = Origin(**{**ORIGIN.__dict__, **other})
    with pytest.raises(ReceiptError, match="111122223333"):
        plan_undo(book.open_receipts(), {"thing": resource}, elsewhere)


@pytest.mark.parametrize(
    ("is_there", "fate", "words"),
    [
        (True, Fate.LEFT, "is in the instance arn: connect to that one"),
        (False, Fate.GONE, "is already gone, with its instance"),
    ],
)
def test_what_another_instance_holds_is_not_looked_for_in_this_one(book, is_there, fate, words):
    resource, instances = MemoryResource(), MemoryResource("instance")
    apply(book, resource, {"ana": {}})
    instances._renamed = {"arn": {"name": "practice"}} if is_there else {}
    here = Origin(**{**ORIGIN.__dict__, "instance_arn": "another arn"})
    (found,) = plan_undo(book.open_receipts(), {"instance": instances, "thing": resource}, here).undoings
    assert (found.fate, found.change.reason, found.change.writes) == (fate, words, False)


def test_a_receipt_of_a_kind_that_is_not_known_is_counted_and_keeps_no_other_from_being_undone(book):
    thing = MemoryResource()
    apply(book, MemoryResource(kind="application"), {"ana": {}})
    apply(book, thing, {"ben": {}})
    undo = plan_undo(book.open_receipts(), {"thing": thing}, ORIGIN)
    assert [change.key for change in undo.plan.writes] == ["ben"]
    assert "'application'" in undo.unreadable[0]


def test_what_is_in_the_way_of_one_change_keeps_no_other_from_being_made(book):
    resource = MemoryResource(fail_on="ben", refused=True)
    plan = plan_changes("thing", {"ana": {}, "ben": {}, "eva": {}}, {})
    applier = Applier({"thing": resource}, book, ORIGIN)
    with pytest.raises(WriteFailedError, match="'ben' failed"):
        applier.apply(plan, goes_on=True)
    assert set(resource.states) == {"ana", "eva"}
    assert {receipt.key: receipt.status for receipt in book.read()} == {
        "ana": "done",
        "ben": "refused",
        "eva": "done",
    }


def test_several_obstacles_are_told_together_and_a_target_that_fails_ends_all(book):
    plan = plan_changes("thing", {"ana": {}}, {}) + plan_changes("other", {"ben": {}, "eva": {}}, {})
    thing, other = MemoryResource(fail_on="ana", refused=True), MemoryResource("other", fail_on="ben")
    other.refused = True
    applier = Applier({"thing": thing, "other": other}, book, ORIGIN)
    with pytest.raises(WriteFailedError, match=r"2 things are in the way:\n- 'ana' failed.*\n- 'ben' failed"):
        applier.apply(plan, goes_on=True)
    assert set(other.states) == {"eva"}
    other.refused = False  # it may be half done: its receipt stays open
    with pytest.raises(WriteFailedError):
        applier.apply(plan_changes("other", {"ben": {}, "kim": {}}, {}), goes_on=True)
    assert set(other.states) == {"eva", "kim"}
    assert [one.status for one in book.read() if one.key == "ben"] == ["refused", "started"]
    other.fails_with = TargetError
    with pytest.raises(TargetError):
        applier.apply(plan_changes("other", {"ben": {}, "ned": {}}, {}), goes_on=True)
    assert set(other.states) == {"eva", "kim"}


def test_progress_counts_what_is_made(book):
    resource, seen = MemoryResource(), []
    plan = plan_changes("thing", {"ana": {}, "ben": {}}, {})
    Applier({"thing": resource}, book, ORIGIN).apply(
        plan, progress=lambda event, change, made, total: seen.append((event, change.key, made, total))
    )
    assert seen == [
        ("started", "ana", 0, 2),
        ("done", "ana", 1, 2),
        ("started", "ben", 1, 2),
        ("done", "ben", 2, 2),
    ]


def test_a_secret_in_a_value_enters_no_receipt_and_undo_does_not_restore_its_stand_in(book):
    secret = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
    resource = MemoryResource(states={"ana": {"note": secret}})
    apply(book, resource, {"ana": {"note": "nothing"}})
    assert secret not in book.path.read_text("utf-8")
    (change,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).plan.changes
    assert change.action is Action.UNCHANGED
    assert "set it by hand" in change.reason
    assert resource.states["ana"] == {"note": "nothing"}


TOKEN = {"tags": {"token": "team7-of-the-desk"}}


@pytest.mark.parametrize("before", [{}, {"tags": {}}])
def test_what_looks_like_a_secret_and_is_not_in_the_receipt_is_taken_back_all_the_same(book, before):
    resource = MemoryResource(states={"ana": before})
    apply(book, resource, {"ana": TOKEN})
    assert TOKEN["tags"]["token"] not in book.path.read_text("utf-8")
    (found,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).undoings
    assert (found.fate, found.change.after["tags"] or {}) == (Fate.UNDO, {})


def test_of_what_others_added_to_something_like_a_secret_ours_is_left_and_said(book):
    resource = MemoryResource(states={"ana": {}})
    apply(book, resource, {"ana": TOKEN})
    resource._put("ana", {"tags": {**TOKEN["tags"], "theirs": "1"}})
    (found,) = plan_undo(book.open_receipts(), {"thing": resource}, ORIGIN).undoings
    assert (found.fate, found.change.writes) == (Fate.LEFT, False)


def test_an_interrupted_creation_of_something_like_a_secret_is_taken_back(book):
    book.start(plan_changes("thing", {"ana": TOKEN}, {}).changes[0], ORIGIN)
    undo = plan_undo(book.open_receipts(), {"thing": MemoryResource(states={"ana": TOKEN})}, ORIGIN)
    assert [change.action for change in undo.plan.changes] == [Action.DELETE]
