"""The organization's tree, of an organization and assignments that are given."""

import pytest

from idc_aws.access import AssignmentRow
from idc_aws.errors import InstanceNotFoundError
from idc_aws.organization import Account, Organization, OrganizationalUnit
from idc_helpers.notebook import inventory
from idc_helpers.notebook.inventory import organization_tree

MAIN, DEV = Account("111122223333", "Management"), Account("222233334444", "Dev", status="SUSPENDED")
ROOT = OrganizationalUnit(
    "Root",
    (OrganizationalUnit("Empty"), OrganizationalUnit("Workloads", accounts=(DEV,))),
    (MAIN,),
)


def row(principal, permission_set, account_id, kind="GROUP"):
    return AssignmentRow(kind, principal, permission_set, account_id, "", f"id of {principal}")


@pytest.fixture
def organization(monkeypatch):
    """An organization; its ``"rows"`` are the account assignments, or what reading them raises."""
    given = {"rows": [], "reads": 0}

    def read(_):
        given["reads"] += 1
        if isinstance(given["rows"], Exception):
            raise given["rows"]
        return given["rows"]

    for name, answer in {
        "describe_organization": lambda _: Organization("o-1", "111122223333"),
        "list_roots": lambda _: [ROOT],
        "management_account_id": lambda _: "111122223333",
        "list_all_account_assignments": read,
        "list_accounts": lambda _: [MAIN],
    }.items():
        monkeypatch.setattr(inventory, name, answer)
    return given


def test_every_unit_is_drawn_and_an_empty_one_says_so(organization):
    assert repr(organization_tree(None)).splitlines() == [
        "The organization",
        "Root",
        "├── Empty (no accounts)",
        "├── Workloads",
        "│   └── Dev · 222233334444 (suspended)",
        "└── Management · 111122223333 (management account)",
    ]
    assert organization["reads"] == 0, "assignments are read only where they are asked for"


def test_the_assignments_stand_below_their_accounts(organization):
    organization["rows"] = [
        row("ops", "Read", "222233334444"),
        row("ana", "Read", "222233334444", "USER"),
        row("", "Admin", "222233334444"),
    ]
    lines = repr(organization_tree(None, assignments=True)).splitlines()
    assert lines[0] == "The organization, with who reaches what: 3 account assignments in 1 account"
    assert lines[5:7] == [
        "│           Admin ← group (deleted) id of ",
        "│           Read ← group ops, user ana",
    ]


def test_an_account_that_left_is_shown_apart(organization):
    organization["rows"] = [row("ops", "Read", "999900001111")]
    lines = repr(organization_tree(None, assignments=True)).splitlines()
    assert lines[-3:] == [
        "Not in the organization any more",
        "└── 999900001111",
        "        Read ← group ops",
    ]


def test_before_anything_is_assigned_and_before_there_is_an_instance(organization):
    assert "no account assignments yet" in repr(organization_tree(None, assignments=True))
    organization["rows"] = InstanceNotFoundError("none")
    shown = repr(organization_tree(None, assignments=True))
    assert shown.splitlines()[0] == "The organization"
    assert "There is no instance yet" in shown


def test_outside_of_an_organization_the_account_stands_alone(organization, monkeypatch):
    monkeypatch.setattr(inventory, "describe_organization", lambda _: None)
    assert repr(organization_tree(None)).splitlines() == [
        "This account is in no organization",
        "Management · 111122223333",
    ]


def test_thirty_accounts_with_twenty_groups_each_stay_one_line_a_permission_set(organization, monkeypatch):
    accounts = tuple(Account(f"{number:012d}", f"Account {number}") for number in range(30))
    monkeypatch.setattr(inventory, "list_roots", lambda _: [OrganizationalUnit("Root", (), accounts)])
    organization["rows"] = [
        row(f"group {group:02d}", "Read", account.account_id) for account in accounts for group in range(20)
    ]
    tree = organization_tree(None, assignments=True)
    assert len(repr(tree).splitlines()) == 2 + 30 * 2
    assert repr(tree).count("group group 19") == 30
    assert len(tree._repr_html_()) < 60_000
