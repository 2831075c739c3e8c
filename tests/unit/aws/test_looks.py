"""One look asks for the same thing once, and never for what may have changed."""

import pytest
from companies import Company, refusal

from idc_aws.calls import end_look, in_threads, one_look
from idc_aws.changes import Action, Change
from idc_aws.groups import Groups


@pytest.fixture
def connection():
    connection = Company().connection()
    groups = Groups(connection)
    changes = [Change(Action.CREATE, "group", f"Team {number}", None, {}, "") for number in range(250)]
    list(groups.write_all(changes, lambda _change: None))
    connection.clients.calls.clear()
    return connection


def lists(connection):
    return connection.clients.calls["identitystore:ListGroups"]


def test_within_one_look_the_same_is_asked_for_once(connection):
    groups = Groups(connection)
    with one_look():
        there = groups.read_all()
        with one_look():  # the same look
            assert groups.read(list(there)) == there
        assert in_threads(lambda _: groups.read_all(), range(3)) == [there] * 3
        assert lists(connection) == 3  # its pages
    groups.read_all()
    assert lists(connection) == 6


def test_pages_that_nobody_asked_for_yet_are_read_later(connection):
    groups = Groups(connection)
    with one_look():
        assert len(groups.read(["Team 0", "Team 1", "Team 2"])) == 3
        assert lists(connection) == 1
        assert len(groups.read_all()) == 250
        assert lists(connection) == 3


@pytest.mark.parametrize("end", ["write", "end_look"])
def test_after_a_write_everything_is_asked_for_anew(connection, end):
    groups = Groups(connection)
    with one_look():
        groups.read_all()
        if end == "write":
            list(
                groups.write_all([Change(Action.CREATE, "group", "New", None, {}, "")], lambda _change: None)
            )
        else:
            end_look()
        assert ("New" in groups.read_all()) == (end == "write")
        assert lists(connection) == 6
        with one_look():  # another one, of what there is now
            groups.read_all()
            groups.read_all()
        assert lists(connection) == 9


def test_a_list_that_broke_off_is_not_taken_for_a_whole_one(connection):
    calls = iter(range(100))

    def break_off(**_request):
        if next(calls) == 0:
            raise refusal("ThrottlingException", "ListGroups")
        return connection.clients.groups.values()

    connection.clients.do_list_groups = break_off
    with one_look():
        for _ in range(2):
            with pytest.raises(Exception, match="ThrottlingException"):
                Groups(connection).read_all()
    assert len(Groups(connection).read_all()) == 250
