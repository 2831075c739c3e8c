import pytest
from resource_tools import apply, create, delete
from stub_transport import ACCOUNT_ID, MEMBER_ID, Refusal

from idc_aws.access import name_accounts
from idc_aws.errors import AccessDeniedError, AmbiguousError, NotFoundError, WriteFailedError
from idc_aws.organization import (
    DelegatedAdministrators,
    closed_accounts,
    describe_organization,
    is_management_account,
    list_accounts,
    list_accounts_with_paths,
    list_roots,
    resolve_account,
)

NOT_IN_USE = Refusal("AWSOrganizationsNotInUseException")
ACCOUNTS = [
    {"Id": ACCOUNT_ID, "Name": "Management", "Email": "m@example.com", "Status": "ACTIVE"},
    {"Id": MEMBER_ID, "Name": "Development", "Status": "SUSPENDED"},
    {"Id": "777788889999", "Name": "Twin"},
    {"Id": "777788880000", "Name": "Twin"},
]


@pytest.fixture
def organization(transport):
    transport.on("ListAccounts", {"Accounts": ACCOUNTS[:2], "NextToken": "more"}, {"Accounts": ACCOUNTS[2:]})
    return transport


def test_accounts_by_name_and_by_id(connection, organization):
    assert resolve_account(connection, "Development").account_id == MEMBER_ID
    assert resolve_account(connection, ACCOUNT_ID).name == "Management"
    assert len(organization.made("ListAccounts")) == 2


def test_accounts_have_name_email_and_status(connection, organization):
    accounts = list_accounts(connection)
    assert [account.name for account in accounts] == ["Development", "Management", "Twin", "Twin"]
    assert accounts[0].status == "SUSPENDED"
    assert accounts[1].email == "m@example.com"


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        ({"Status": "SUSPENDED"}, "SUSPENDED"),
        ({"State": "PENDING_CLOSURE", "Status": "PENDING_CLOSURE"}, "PENDING_CLOSURE"),
        ({"State": "CLOSED", "Status": "SUSPENDED"}, "CLOSED"),
        ({"State": "PENDING_ACTIVATION"}, "PENDING_ACTIVATION"),
        ({"State": "ACTIVE", "Status": "ACTIVE"}, "ACTIVE"),
        ({"Status": "ACTIVE"}, "ACTIVE"),
        ({}, "ACTIVE"),
    ],
)
def test_the_newer_state_counts_before_the_status(connection, transport, entry, status):
    transport.on("ListAccounts", {"Accounts": [{"Id": MEMBER_ID, "Name": "Dev", **entry}]})
    account = resolve_account(connection, "Dev")
    assert (account.status, account.is_active) == (status, status == "ACTIVE")
    assert closed_accounts(connection, [MEMBER_ID, ACCOUNT_ID]) == (
        set() if account.is_active else {MEMBER_ID}
    )


def test_a_closed_account_does_not_stand_in_the_way_of_a_new_one_of_its_name(connection, transport):
    old, new = {"Id": MEMBER_ID, "Name": "Dev", "State": "SUSPENDED"}, {"Id": "777788889999", "Name": "Dev"}
    transport.on("ListAccounts", {"Accounts": [old, new]})
    assert resolve_account(connection, "Dev").account_id == "777788889999"
    assert resolve_account(connection, MEMBER_ID).status == "SUSPENDED"


def test_a_name_that_is_not_there_offers_the_nearest_and_is_looked_up_again(connection, organization):
    with pytest.raises(NotFoundError, match=r"no account 'Developement'\. Did you mean 'Development'"):
        resolve_account(connection, "Developement")
    organization.on("ListAccounts", {"Accounts": [{"Id": "000000000001", "Name": "Developement"}]})
    assert resolve_account(connection, "Developement").account_id == "000000000001"


def test_a_name_of_two_accounts_is_not_guessed(connection, organization):
    with pytest.raises(AmbiguousError, match="777788880000, 777788889999"):
        resolve_account(connection, "Twin")


def test_where_accounts_may_not_be_listed_an_id_is_enough(member_connection, transport):
    transport.on("ListAccounts", Refusal("AccessDeniedException"))
    assert resolve_account(member_connection, MEMBER_ID).account_id == MEMBER_ID
    with pytest.raises(AccessDeniedError):
        resolve_account(member_connection, "Development")


def test_a_standalone_account_is_the_only_one(connection, transport):
    transport.on("ListAccounts", NOT_IN_USE)
    transport.on("DescribeOrganization", NOT_IN_USE)
    assert [account.account_id for account in list_accounts(connection)] == [ACCOUNT_ID]
    assert resolve_account(connection, ACCOUNT_ID).account_id == ACCOUNT_ID
    assert describe_organization(connection) is None
    assert not is_management_account(connection)


def test_who_is_in_charge(connection, member_connection):
    assert is_management_account(connection)
    assert not is_management_account(member_connection)
    assert describe_organization(connection).management_account_id == ACCOUNT_ID


def test_the_tree_names_the_units_above_each_account(connection, transport):
    empty = {"Id": "ou-3", "Name": "Empty"}
    units = {"r-1": [{"Id": "ou-1", "Name": "Workloads"}, empty], "ou-1": [{"Id": "ou-2", "Name": "Prod"}]}
    accounts = {"r-1": ACCOUNTS[:1], "ou-2": ACCOUNTS[1:2]}
    transport.on("ListRoots", {"Roots": [{"Id": "r-1", "Name": "Root"}]})
    transport.on(
        "ListOrganizationalUnitsForParent",
        lambda asked: {"OrganizationalUnits": units.get(asked["ParentId"], [])},
    )
    transport.on("ListAccountsForParent", lambda asked: {"Accounts": accounts.get(asked["ParentId"], [])})
    found = [(account.path, account.name) for account in list_accounts_with_paths(connection)]
    assert found == [("Root", "Management"), ("Root/Workloads/Prod", "Development")]
    (root,) = list_roots(connection)
    assert [unit.name for unit in root.units] == ["Empty", "Workloads"]
    assert root.units[0].accounts == ()


@pytest.fixture
def delegates(connection, transport):
    transport.on("ListDelegatedAdministrators", {"DelegatedAdministrators": [{"Id": MEMBER_ID}]})
    return DelegatedAdministrators(connection)


def test_delegates_are_read_for_identity_center_alone(delegates, transport):
    assert delegates.read([MEMBER_ID, ACCOUNT_ID]) == {MEMBER_ID: {"service_principal": "sso.amazonaws.com"}}
    assert transport.made("ListDelegatedAdministrators")[0]["ServicePrincipal"] == "sso.amazonaws.com"


def test_delegates_are_registered_and_deregistered(delegates, transport):
    transport.on("RegisterDelegatedAdministrator", {}, Refusal("AccountAlreadyRegisteredException"))
    transport.on("DeregisterDelegatedAdministrator", {})
    change = create(delegates, MEMBER_ID, {"service_principal": "sso.amazonaws.com"})
    apply(delegates, change, change)
    apply(delegates, delete(delegates, MEMBER_ID, MEMBER_ID))
    request = {"AccountId": MEMBER_ID, "ServicePrincipal": "sso.amazonaws.com"}
    assert transport.made("RegisterDelegatedAdministrator") == [request, request]
    assert transport.made("DeregisterDelegatedAdministrator") == [request]


def test_a_delegate_that_aws_refuses_is_named(delegates, transport):
    transport.on("RegisterDelegatedAdministrator", Refusal("ConstraintViolationException", "too many"))
    with pytest.raises(WriteFailedError, match=f"'{MEMBER_ID}'.*too many"):
        apply(delegates, create(delegates, MEMBER_ID, {}))


def test_accounts_are_read_once_and_only_for_a_text_that_holds_an_id(connection, organization):
    arn = f"arn:aws:iam::{MEMBER_ID}:role/x"
    assert name_accounts(connection, f"no id, {arn}, Development ({MEMBER_ID})").startswith("no id, arn")
    assert organization.made("ListAccounts") == []
    assert name_accounts(connection, f"in {MEMBER_ID}") == f"in Development ({MEMBER_ID})"
    assert name_accounts(connection, "in 000000000001") == "in 000000000001"
    assert len(organization.made("ListAccounts")) == 2, "two pages"
