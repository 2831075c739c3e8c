"""Who reaches what, of accounts and assignments that are given."""

import pytest

from idc_aws.access import AssignmentRow
from idc_aws.errors import AccessDeniedError
from idc_aws.organization import Account, Organization, OrganizationalUnit
from idc_helpers.notebook import inventory
from idc_helpers.notebook.inventory import who_reaches_what

ROOT = OrganizationalUnit(
    "Root",
    (OrganizationalUnit("W", accounts=(Account("222233334444", "Dev", path="Root/W"),)),),
    (Account("111122223333", "Main", path="Root"),),
)
ROWS = [
    AssignmentRow("GROUP", "ops", "Read", "222233334444", "Dev", "g-1"),
    AssignmentRow("GROUP", "", "Read", "999900001111", "", "g-2"),
]


@pytest.fixture(autouse=True)
def target(monkeypatch):
    for name, answer in {
        "describe_organization": lambda _: Organization("o-1", "111122223333"),
        "list_roots": lambda _: [ROOT],
        "list_accounts": lambda _: [Account("111122223333", "Main")],
        "list_all_account_assignments": lambda _: ROWS,
        "list_people_access": lambda _: [ROWS[0]._replace(principal_type="USER", principal_name="ana")],
    }.items():
        monkeypatch.setattr(inventory, name, answer)


def refuse(_):
    raise AccessDeniedError("no")


def test_accounts_are_in_the_trees_order_and_one_that_left_comes_last():
    matrix = who_reaches_what(None)
    assert matrix.caption == "Who reaches what: 2 principals, 3 accounts"
    assert matrix.frame.columns.tolist() == [
        ("Root", "Main (111122223333)"),
        ("Root/W", "Dev (222233334444)"),
        ("not in the organization any more", "999900001111"),
    ]
    assert matrix.frame.index.tolist() == ["group (deleted) g-2", "group ops"]


def test_people_are_named_as_people():
    matrix = who_reaches_what(None, people=True)
    assert matrix.caption == "Who reaches what: 1 person, 2 accounts"
    assert "each row is a person" in repr(matrix)


def test_where_accounts_may_not_be_listed_those_that_somebody_reaches_are_shown(monkeypatch):
    monkeypatch.setattr(inventory, "list_roots", refuse)
    assert who_reaches_what(None).frame.columns.tolist() == [
        ("account", "222233334444"),
        ("account", "999900001111"),
    ]


def test_an_account_outside_of_an_organization(monkeypatch):
    monkeypatch.setattr(inventory, "describe_organization", lambda _: None)
    monkeypatch.setattr(inventory, "list_all_account_assignments", lambda _: [])
    matrix = who_reaches_what(None)
    assert matrix.frame.columns.tolist() == [("no organization", "Main (111122223333)")]
    assert "nobody reaches anything" in repr(matrix)
