"""Changes that do not depend on each other are made at the same time, each with a receipt of its own."""

import threading
from collections import Counter
from itertools import count

import pytest
from companies import Company, refusal

from idc_aws.calls import one_look
from idc_aws.changes import Action, Change, Plan
from idc_aws.errors import ApplyRefusedError, ThrottledError, WriteFailedError
from idc_aws.rehearsal import Rehearsal
from idc_aws.users import Users
from idc_helpers.runbook.applying import Applier
from idc_helpers.runbook.records import Origin, ReceiptBook
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown

ORIGIN = Origin("run", "08_users", "users", "aws", "111122223333", "us-east-1", "arn:instance")
NAMES = [f"person{number:02d}" for number in range(40)]


@pytest.fixture
def connection():
    return Company().connection()


@pytest.fixture
def apply(connection, tmp_path):
    """Create the users and return the status of each receipt, by name."""

    def create(**options):
        book = ReceiptBook(tmp_path / "receipts.jsonl")
        changes = tuple(Change(Action.CREATE, "user", name, None, {"title": "a"}, "") for name in NAMES)
        try:
            Applier({"user": Users(connection)}, book, ORIGIN).apply(Plan(changes), **options)
        finally:
            create.statuses = {receipt.key: receipt.status for receipt in book.read()}
        return create.statuses

    return create


def refuse(connection, fails):
    """Let creations fail: `fails` returns an error, or None, for the number of the creation and the name."""
    really, numbers = connection.clients.do_create_user, count(1)

    def create(**request):
        error = fails(next(numbers), request["UserName"])
        if error is not None:
            raise error
        return really(**request)

    connection.clients.do_create_user = create


def test_as_many_as_the_connection_says_are_made_at_the_same_time(connection, apply):
    together = threading.Barrier(connection.writers, timeout=30)

    def wait_for_all(_number, _name):
        together.wait()

    refuse(connection, wait_for_all)
    assert apply() == dict.fromkeys(NAMES, "done")
    assert len(connection.clients.users) == len(NAMES)


def test_each_is_started_before_it_is_sent(connection, apply, tmp_path):
    unstarted = []

    def look(_number, name):
        if f'"{name}"' not in (tmp_path / "receipts.jsonl").read_text():
            unstarted.append(name)

    refuse(connection, look)
    apply()
    assert unstarted == []


def test_the_outcome_is_in_the_plans_order_whatever_ends_first(connection, tmp_path):
    others = threading.Event()

    def hold_the_first(number, name):
        if name == NAMES[0]:
            assert others.wait(timeout=30)
        elif number > connection.writers:
            others.set()

    refuse(connection, hold_the_first)
    changes = tuple(Change(Action.CREATE, "user", name, None, {"title": "a"}, "") for name in NAMES)
    applier = Applier({"user": Users(connection)}, ReceiptBook(tmp_path / "receipts.jsonl"), ORIGIN)
    assert [change.key for change, _ in applier.apply(Plan(changes)).done] == NAMES


def test_a_refusal_lets_those_under_way_end_and_starts_no_more(connection, apply):
    taken = refusal("ConflictException", "CreateUser")
    taken.response["Reason"] = "UNIQUENESS_CONSTRAINT_VIOLATION"
    refuse(connection, lambda _number, name: taken if name == "person03" else None)
    with pytest.raises(WriteFailedError, match="create user 'person03' was refused"):
        apply()
    statuses = apply.statuses
    assert statuses.pop("person03") == "refused"
    assert set(statuses.values()) == {"done"}
    made = {user["UserName"] for user in connection.clients.users.values()}
    assert made == set(statuses)
    assert len(made) < len(NAMES)


def test_of_several_failures_each_receipt_says_whether_something_may_be_there(connection, apply):
    together = threading.Barrier(2, timeout=30)

    def fails(_number, name):
        if name not in ("person00", "person01"):
            return None
        together.wait()
        code = "InternalServerException" if name == "person00" else "ValidationException"
        return refusal(code, "CreateUser")

    refuse(connection, fails)
    with pytest.raises(WriteFailedError) as raised:
        apply()
    assert "2 changes failed" in str(raised.value)
    assert all(name in str(raised.value) for name in ("person00", "person01"))
    assert apply.statuses["person01"] == "refused"  # nothing of it is there
    assert apply.statuses["person00"] == "started"  # something may be there


def test_what_all_would_meet_stops_at_once_also_where_others_resume(connection, apply):
    denied = ThrottledError("too many")
    refuse(connection, lambda number, _name: denied if number > 4 else None)
    with pytest.raises(ThrottledError):
        apply(goes_on=True)
    assert list(apply.statuses.values()).count("done") == 4
    assert len(apply.statuses) <= 4 + connection.writers


def test_where_others_resume_all_the_rest_is_made_and_each_failure_is_named(connection, apply):
    bad = ("person05", "person06", "person30")
    refuse(connection, lambda _number, name: refusal("ValidationException", "x") if name in bad else None)
    with pytest.raises(WriteFailedError) as raised:
        apply(goes_on=True)
    assert all(f"create user {name!r}" in str(raised.value) for name in bad)
    assert apply.statuses == dict.fromkeys(NAMES, "done") | dict.fromkeys(bad, "refused")


def test_a_rehearsal_keeps_the_order(connection):
    rehearsal = Rehearsal(connection)
    changes = [Change(Action.CREATE, "user", name, None, {}, "") for name in NAMES]
    list(Users(rehearsal.connection).write_all(changes, lambda _change: None))
    assert [call.request["UserName"] for call in rehearsal.calls] == NAMES


def test_a_plan_is_compared_with_what_is_there_before_it_is_applied_whatever_was_read_to_make_it(
    connection, tmp_path
):
    company = Company(users=3)
    step = Step(RunContext(connection, company.validated(), "apply", "08_users", tmp_path), "groups")
    with one_look():
        step.review()
        connection.clients.do_create_group(DisplayName="Team 001", Description="of somebody else")
        with pytest.raises(ApplyRefusedError, match="group Team 001 has changed since the plan was shown"):
            step.apply_reviewed()
    assert len(connection.clients.groups) == 1


def test_what_was_under_way_when_a_run_was_killed_is_found_and_undone(connection, tmp_path):
    company = Company(users=40, groups=3)
    context = RunContext(connection, company.validated(), "apply", "08_users", tmp_path)
    Step(context, "groups").apply()
    there = set(connection.clients.groups)

    def killed(event, _change, made, _total):
        if event == "done" and made == 10:
            raise KeyboardInterrupt  # what is under way ends, and nobody writes down how

    with pytest.raises(KeyboardInterrupt):
        Step(context, "users").apply(progress=killed)
    statuses = Counter(receipt.status for receipt in context.receipts.read() if receipt.kind == "user")
    assert statuses["done"] == 10
    assert 1 <= statuses["started"] <= connection.writers
    assert len(connection.clients.users) > 10
    undo = Teardown(context, frozenset({"users"}))
    undo.apply()
    assert undo.check().passed
    assert connection.clients.users == {}
    assert set(connection.clients.groups) == there


def test_an_apply_that_stops_half_way_says_what_is_done_and_a_rehearsal_does_not(connection, apply, tmp_path):
    refused = refusal("ValidationException", "CreateUser")
    refuse(connection, lambda _, name: refused if name == NAMES[-1] else None)
    with pytest.raises(WriteFailedError) as raised:
        apply()
    done = Counter(apply.statuses.values())["done"]
    assert raised.value.remedy.splitlines()[-1] == (
        f"{done} of 40 changes are done, with receipts: review and apply again to make the rest."
    )
    book = ReceiptBook(tmp_path / "none.jsonl")
    rehearsed = Applier({"user": Users(connection)}, book, ORIGIN, is_rehearsal=True)
    changes = tuple(Change(Action.CREATE, "user", name, None, {"title": "b"}, "") for name in NAMES)
    with pytest.raises(WriteFailedError) as raised:
        rehearsed.apply(Plan(changes))
    assert "changes are done" not in str(raised.value)


def test_nothing_is_added_where_nothing_was_done(connection, apply):
    refuse(connection, lambda *_: refusal("ValidationException", "CreateUser"))
    with pytest.raises(WriteFailedError) as raised:
        apply()
    assert "done, with receipts" not in str(raised.value)
