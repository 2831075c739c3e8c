"""Which accounts a unit or tags stand for, and with how many calls that is found."""

from collections import Counter

import pytest
from stub_transport import ACCOUNT_ID, MEMBER_ID, Refusal

from idc_aws.assignments import AccountAssignments
from idc_aws.budget import known_sizes, reading_budget
from idc_aws.changes import Action, Change
from idc_aws.desired import WantInAccounts, account_assignment_states
from idc_aws.errors import AccessDeniedError, AmbiguousError, NotFoundError
from idc_aws.scenario.scenario import Scenario
from idc_aws.units import AccountGroups, NamedAccounts, forget_units, unit_calls

ROOT, WORKLOADS, PROD, EMPTY, SECURITY, TWIN, SLASHED = (
    "r-0001",
    "ou-0001-workload",
    "ou-0001-prodprod",
    "ou-0001-emptyone",
    "ou-0001-security",
    "ou-0001-prodtwin",
    "ou-0001-slashed0",
)
UNITS = {
    ROOT: [(WORKLOADS, "Workloads"), (EMPTY, "Empty"), (SECURITY, "Security"), (SLASHED, "A/B")],
    WORKLOADS: [(PROD, "Prod")],
    SECURITY: [(TWIN, "Prod")],
}
SHOP, BANK, OLD = "777788889999", "777788880000", "777788881111"
ACCOUNTS = {
    ROOT: [(ACCOUNT_ID, "Management", "ACTIVE")],
    WORKLOADS: [(MEMBER_ID, "Dev", "ACTIVE")],
    PROD: [(SHOP, "Shop", "ACTIVE"), (OLD, "Old shop", "SUSPENDED")],
    TWIN: [(BANK, "Bank", "ACTIVE")],
}
TAGS = {SHOP: {"env": "prod", "team": "shop"}, OLD: {"env": "prod"}, ACCOUNT_ID: {"env": "prod"}}


def entry(account_id, name, state, path=""):
    return {"Id": account_id, "Name": name, "State": state} | ({"Paths": [path]} if path else {})


def id_path(unit_id):
    parents = [parent for parent, units in UNITS.items() if unit_id in dict(units)]
    return f"{id_path(parents[0])}{unit_id}/" if parents else f"o-1/{unit_id}/"


@pytest.fixture(params=[False, True], ids=["without paths", "with paths"])
def with_paths(request):
    return request.param


@pytest.fixture
def organization(transport, with_paths):
    listed = [
        entry(*account, f"{id_path(unit)}{account[0]}/" if with_paths else "")
        for unit, accounts in ACCOUNTS.items()
        for account in accounts
    ]
    known = {ROOT, *(unit for units in UNITS.values() for unit, _ in units)}

    def of_parent(key, table, made):
        def answer(asked):
            if asked["ParentId"] not in known:
                return Refusal("ParentNotFoundException")
            return {key: [made(*one) for one in table.get(asked["ParentId"], [])]}

        return answer

    transport.on("ListAccounts", {"Accounts": listed[:2], "NextToken": "more"}, {"Accounts": listed[2:]})
    transport.on("ListRoots", {"Roots": [{"Id": ROOT, "Name": "Root"}]})
    units = of_parent("OrganizationalUnits", UNITS, lambda unit, name: {"Id": unit, "Name": name})
    transport.on("ListOrganizationalUnitsForParent", units)
    transport.on("ListAccountsForParent", of_parent("Accounts", ACCOUNTS, entry))
    transport.on(
        "ListTagsForResource",
        lambda asked: {
            "Tags": [{"Key": key, "Value": of} for key, of in TAGS.get(asked["ResourceId"], {}).items()]
        },
    )
    return transport


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (
            "Root",
            "Root: 3 accounts (Bank, Dev, Shop); 1 skipped (Old shop is SUSPENDED); "
            "without the management account, which must be named itself",
        ),
        ("Root/Workloads", "Root/Workloads: 2 accounts (Dev, Shop); 1 skipped (Old shop is SUSPENDED)"),
        ("Workloads", "Root/Workloads: 2 accounts (Dev, Shop); 1 skipped (Old shop is SUSPENDED)"),
        ("Security/Prod", "Root/Security/Prod: 1 account (Bank)"),
        (TWIN, f"{TWIN}: 1 account (Bank)"),
        ("Root/Empty", "Root/Empty: 0 accounts"),
        (EMPTY, f"{EMPTY}: 0 accounts"),
        ("Root/A/B", "Root/A/B: 0 accounts"),
        ("A/B", "Root/A/B: 0 accounts"),
    ],
)
def test_a_unit_stands_for_all_accounts_below_it(connection, organization, named, words):
    assert str(AccountGroups(connection).of_unit(named)) == words


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("Root/Workload", "no organizational unit 'Root/Workload'. Did you mean 'Root/Workloads'?"),
        ("root/security/prod", "Did you mean 'Root/Security/Prod'?"),
        ("Secrity", "Did you mean 'Root/Security'?"),
        ("Empy", "Did you mean 'Empty'?"),
        ("Root/workloads", "Did you mean 'Root/Workloads'?"),
        ("ou-0001-nowhere0", "no organizational unit 'ou-0001-nowhere0'"),
    ],
)
def test_a_unit_that_is_not_there_is_named_with_the_nearest_path(connection, organization, named, found):
    with pytest.raises(NotFoundError) as caught:
        AccountGroups(connection).of_unit(named)
    assert found in caught.value.message


def test_two_units_of_one_name_are_not_guessed(connection, organization):
    with pytest.raises(AmbiguousError) as caught:
        AccountGroups(connection).of_unit("Prod")
    assert f"Root/Workloads/Prod ({PROD})" in str(caught.value)
    assert f"Root/Security/Prod ({TWIN})" in str(caught.value)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (
            {"env": "prod"},
            "tags env=prod: 1 account (Shop); 1 skipped (Old shop is SUSPENDED); "
            "without the management account, which must be named itself",
        ),
        ({"env": "prod", "team": "shop"}, "tags env=prod, team=shop: 1 account (Shop)"),
        ({"env": "Prod"}, "tags env=Prod: 0 accounts"),
    ],
)
def test_tags_must_all_match(connection, organization, tags, words):
    groups = AccountGroups(connection)
    assert str(groups.with_tags(tags)) == words
    groups.with_tags({"other": "tags"})
    assert len(organization.made("ListTagsForResource")) == 5


@pytest.mark.parametrize("with_paths", [False, True], indirect=True)
def test_the_tree_is_read_once_and_only_on_the_way(connection, organization, with_paths):
    for _ in range(3):
        AccountGroups(connection).of_unit("Root/Workloads/Prod")
    calls = Counter(name for name in organization.names() if name.startswith("List"))
    # The units of Root and of Workloads lead there; without paths, Prod's own lists say what is in it.
    lists = 2 if with_paths else 3
    expected = {"ListAccounts": 2, "ListRoots": 1, "ListOrganizationalUnitsForParent": lists}
    assert calls == expected | ({} if with_paths else {"ListAccountsForParent": 1})
    made = Counter(f"organizations:{name}" for name in organization.names() if name != "ListAccounts")
    assert unit_calls(connection).items() <= made.items()
    assert known_sizes(connection).unit_calls == unit_calls(connection)
    forget_units(connection)
    assert unit_calls(connection) == {}
    AccountGroups(connection).of_unit("Root/Workloads/Prod")
    assert len(organization.made("ListRoots")) == 2


def test_by_name_each_unit_is_listed_once(connection, organization, with_paths):
    AccountGroups(connection).of_unit("Workloads")
    assert len(organization.made("ListOrganizationalUnitsForParent")) == 1 + len(UNITS[ROOT]) + 2
    assert str(AccountGroups(connection).of_unit(WORKLOADS)).startswith("Root/Workloads: 2 accounts")


def test_the_calls_for_units_and_tags_are_in_the_budget(connection, organization):
    AccountGroups(connection).with_tags({"env": "prod"})
    state = {"principal_type": "GROUP", "principal_name": "A", "permission_set": "B", "account_id": SHOP}
    change = Change(Action.CREATE, "account_assignment", "a", None, state, "")
    calls = reading_budget([change], known_sizes(connection)).calls
    assert (calls["organizations:ListTagsForResource"], calls["organizations:DescribeOrganization"]) == (5, 1)


def test_outside_of_an_organization_no_unit_stands_for_an_account(connection, transport):
    transport.on("DescribeOrganization", Refusal("AWSOrganizationsNotInUseException"))
    groups = AccountGroups(connection)
    for look in (lambda: groups.of_unit("Root"), lambda: groups.with_tags({"env": "prod"})):
        with pytest.raises(NotFoundError, match=f"account {ACCOUNT_ID} is in no organization"):
            look()


@pytest.mark.parametrize(
    "operation",
    ["DescribeOrganization", "ListAccounts", "ListRoots", "ListOrganizationalUnitsForParent"],
)
def test_a_missing_right_is_named(connection, organization, operation):
    organization.on(operation, Refusal("AccessDeniedException", "no"))
    with pytest.raises(AccessDeniedError, match=f"may not organizations:{operation}"):
        AccountGroups(connection).of_unit("Root/Workloads")


def test_a_missing_right_to_read_tags_is_named(connection, organization):
    organization.on("ListTagsForResource", Refusal("AccessDeniedException", "no"))
    with pytest.raises(AccessDeniedError, match="may not organizations:ListTagsForResource"):
        AccountGroups(connection).with_tags({"env": "prod"})


def test_of_many_wrong_names_the_organization_is_read_once_and_again_at_the_next_look(
    connection, organization
):
    entry = {"permission_set": "Read", "group": "Devs"}
    named = {"accounts": [f"No {number}" for number in range(300)], "organizational_units": ["Nope"] * 50}
    scenario = Scenario.model_validate({"account_assignments": [{**entry, **named}]})
    want = WantInAccounts(AccountAssignments, account_assignment_states)
    assert len(want.desired(connection, scenario).refusals) == 350
    assert (len(organization.made("ListAccounts")), len(organization.made("ListRoots"))) == (2, 1)
    assert len(organization.made("ListOrganizationalUnitsForParent")) == 7
    want.desired(connection, scenario)
    assert len(organization.made("ListRoots")) == 2


def test_an_id_is_enough_where_accounts_may_not_be_listed(connection, organization):
    organization.on("ListAccounts", Refusal("AccessDeniedException", "no"))
    accounts = NamedAccounts(connection)
    assert accounts(SHOP).account_id == SHOP
    with pytest.raises(AccessDeniedError):
        accounts("Shop")
