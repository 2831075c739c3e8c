import pytest
from hypothesis import given
from hypothesis import strategies as st
from resource_tools import apply, create, delete, update
from stub_transport import Refusal

from idc_aws.errors import InvalidValueError, NotFoundError, WriteFailedError
from idc_aws.groups import GroupMemberships, Groups, membership_key
from idc_aws.scenario.people import User
from idc_aws.users import ENTERPRISE, Users, user_operations, user_request, user_state

USER_ID = "99999999-2222-4333-8444-555555555555"
GROUP_ID = "11111111-2222-4333-8444-555555555555"
NOT_FOUND = Refusal("ResourceNotFoundException")
FIELDS = set(User.model_fields) - {"user_name", "groups", "password_delivery"}
STATE = {
    "given_name": "Ana",
    "family_name": "Lima",
    "middle_name": "Maria",
    "honorific_prefix": "Dr.",
    "honorific_suffix": "Jr.",
    "display_name": "Ana Lima",
    "nick_name": "Ani",
    "title": "Analyst",
    "user_type": "Employee",
    "profile_url": "https://example.com/ana",
    "website": "https://example.com",
    "birthdate": "1990-04-23",
    "preferred_language": "pt-BR",
    "locale": "pt-BR",
    "timezone": "America/Sao_Paulo",
    "email": "ana@example.com",
    "email_type": "work",
    "phone_number": "+1-555-0100",
    "address": {
        "street_address": "1 Road",
        "locality": "Town",
        "region": "State",
        "postal_code": "00100",
        "country": "BR",
        "formatted": "1 Road, Town",
    },
    "enterprise": {
        "employee_number": "7",
        "cost_center": "CC1",
        "organization": "Example",
        "division": "North",
        "department": "Audit",
        "manager": "ben",
    },
}


def described(state, **members):
    return {"UserId": USER_ID, "UserName": "ana", "Revision": "1", **user_request(state), **members}


def test_every_field_of_the_model_goes_there_and_back():
    assert set(STATE) == FIELDS
    assert user_state(described(STATE)) == STATE


def test_the_request_is_in_awss_words():
    request = user_request(STATE)
    assert request["Emails"] == [{"Value": "ana@example.com", "Type": "work", "Primary": True}]
    assert request["Name"]["GivenName"] == "Ana"
    assert request["Addresses"][0]["PostalCode"] == "00100"
    assert request["Extensions"] == {
        ENTERPRISE: {
            "employeeNumber": "7",
            "costCenter": "CC1",
            "organization": "Example",
            "division": "North",
            "department": "Audit",
            "manager": {"value": "ben"},
        }
    }


def test_none_is_left_out():
    assert user_request({"given_name": "Ana", "title": None, "address": None, "enterprise": None}) == {
        "Name": {"GivenName": "Ana"}
    }


_texts = st.one_of(st.none(), st.text(min_size=1, max_size=5))
_states = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIELDS - {"address", "enterprise", "email_type"}, _texts),
        "address": st.dictionaries(
            st.sampled_from(sorted(STATE["address"])), st.text(min_size=1, max_size=3)
        ),
        "enterprise": st.dictionaries(
            st.sampled_from(sorted(STATE["enterprise"])), st.text(min_size=1, max_size=3)
        ),
    },
)


def carried_out(request, operations):
    """Apply operations the way AWS does: dotted paths, lists replaced whole, no value removes."""
    user = {**request, "Name": dict(request.get("Name", {}))}
    extension = dict(request.get("Extensions", {}).get(ENTERPRISE, {}))
    for operation in operations:
        path, value = operation["AttributePath"], operation.get("AttributeValue")
        if path.startswith(ENTERPRISE):
            extension[path.removeprefix(f"{ENTERPRISE}.")] = value
        elif path.startswith("name."):
            name = path.removeprefix("name.")
            user["Name"][name[0].upper() + name[1:]] = value
        else:
            if isinstance(value, list):
                value = [{key[0].upper() + key[1:]: item for key, item in entry.items()} for entry in value]
            user[path[0].upper() + path[1:]] = value
    user["Extensions"] = {ENTERPRISE: {name: value for name, value in extension.items() if value is not None}}
    return user


@given(_states, _states)
def test_operations_lead_from_any_state_to_any_other(before, after):
    reached = user_state(carried_out(user_request(before), user_operations(before, after)))
    assert reached == user_state(user_request(after))


@given(_states)
def test_nothing_differs_means_no_operation(state):
    assert user_operations(state, dict(state)) == []


@pytest.fixture
def users(connection, transport):
    transport.on("GetUserId", {"UserId": USER_ID})
    transport.on("DescribeUser", described(STATE))
    transport.on("UpdateUser", {"UserId": USER_ID})
    transport.on("ListPermissionSets", {"PermissionSets": []})
    transport.on("ListGroupMembershipsForMember", {"GroupMemberships": []})
    transport.on("ListAccountAssignmentsForPrincipal", {"AccountAssignments": []})
    return Users(connection)


def test_users_are_found_by_name_without_listing_all(users, transport):
    transport.on(
        "GetUserId",
        lambda asked: (
            {"UserId": USER_ID}
            if asked["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"] == "ana"
            else NOT_FOUND
        ),
    )
    assert users.read(["ana", "nobody"]) == {"ana": STATE}
    assert transport.made("DescribeUser")[0]["Extensions"] == [ENTERPRISE]
    assert transport.made("ListUsers") == []


def test_an_update_sends_only_what_differs_with_the_revision_read(users, transport):
    after = {
        **STATE,
        "title": "Lead",
        "enterprise": {**STATE["enterprise"], "cost_center": "CC2"},
        "nick_name": None,
    }
    apply(users, update(users, "ana", STATE, after))
    (request,) = transport.made("UpdateUser")
    assert request["Revision"] == "1"
    assert request["Operations"] == [
        {"AttributePath": "nickName"},
        {"AttributePath": "title", "AttributeValue": "Lead"},
        {"AttributePath": f"{ENTERPRISE}.costCenter", "AttributeValue": "CC2"},
    ]


def test_a_concurrent_change_is_read_again(users, transport):
    transport.on("DescribeUser", described(STATE), described(STATE, Revision="2"))
    transport.on(
        "UpdateUser", Refusal("ConflictException", Reason="CONCURRENT_MODIFICATION"), {"UserId": USER_ID}
    )
    apply(users, update(users, "ana", STATE, {**STATE, "title": "Lead"}))
    assert [request["Revision"] for request in transport.made("UpdateUser")] == ["1", "2"]


def test_a_change_of_the_same_field_is_not_overwritten(users, transport):
    transport.on("DescribeUser", described({**STATE, "title": "Chief"}))
    with pytest.raises(WriteFailedError, match="changed by somebody else since the plan was made: title"):
        apply(users, update(users, "ana", STATE, {**STATE, "title": "Lead"}))
    assert transport.writes() == []


def test_a_change_of_another_field_is_kept(users, transport):
    transport.on("DescribeUser", described({**STATE, "nick_name": "A"}))
    apply(users, update(users, "ana", STATE, {**STATE, "title": "Lead"}))
    (request,) = transport.made("UpdateUser")
    assert [operation["AttributePath"] for operation in request["Operations"]] == ["title"]


def test_what_is_done_already_is_not_done_again(users, transport):
    transport.on("DescribeUser", described({**STATE, "title": "Lead"}))
    apply(users, update(users, "ana", STATE, {**STATE, "title": "Lead"}))
    assert transport.writes() == []


def test_an_email_that_is_taken_is_refused_at_once(users, transport, clock):
    taken = Refusal("ConflictException", "Duplicate email", Reason="UNIQUENESS_CONSTRAINT_VIOLATION")
    transport.on("CreateUser", taken)
    with pytest.raises(
        WriteFailedError, match="create user 'ana' was refused: ConflictException: Duplicate email"
    ):
        apply(users, create(users, "ana", STATE))
    assert clock.slept == []


def test_a_user_is_deleted_by_the_id_that_the_receipt_names(users, transport):
    transport.on("DeleteUser", {})
    apply(users, delete(users, "ana", "another-id-than-the-one-found"))
    assert transport.made("DeleteUser")[0]["UserId"] == "another-id-than-the-one-found"


def test_deleting_what_is_gone_is_done(users, transport):
    for operation in ("DeleteUser", "ListGroupMembershipsForMember", "ListAccountAssignmentsForPrincipal"):
        transport.on(operation, NOT_FOUND)
    assert "ana" in apply(users, delete(users, "ana", USER_ID))


@pytest.fixture
def groups(connection, transport):
    transport.on("GetGroupId", {"GroupId": GROUP_ID})
    transport.on("DescribeGroup", {"GroupId": GROUP_ID, "DisplayName": "Auditors", "Description": "old"})
    transport.on("UpdateGroup", {"GroupId": GROUP_ID})
    return Groups(connection)


@pytest.mark.parametrize(
    ("wanted", "operation"),
    [
        ("new", {"AttributePath": "description", "AttributeValue": "new"}),
        (None, {"AttributePath": "description"}),
    ],
)
def test_a_groups_description_is_changed_or_removed(groups, transport, wanted, operation):
    assert groups.read(["Auditors"]) == {"Auditors": {"description": "old"}}
    apply(groups, update(groups, "Auditors", {"description": "old"}, {"description": wanted}))
    assert transport.made("UpdateGroup")[0]["Operations"] == [operation]


def test_a_group_without_description(groups, transport):
    transport.on("CreateGroup", {"GroupId": GROUP_ID})
    assert apply(groups, create(groups, "Auditors", {}))["Auditors"].identifier == GROUP_ID
    assert transport.made("CreateGroup") == [{"IdentityStoreId": "d-1234567890", "DisplayName": "Auditors"}]


@pytest.fixture
def memberships(connection, groups, users, transport):
    return GroupMemberships(connection)


def member_of(*group_ids):
    return lambda asked: {
        "Results": [{"GroupId": one, "MembershipExists": one in group_ids} for one in asked["GroupIds"]]
    }


def test_memberships_are_read_a_hundred_groups_at_a_time(memberships, transport):
    def group_id(asked):
        number = int(asked["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"])
        return {"GroupId": f"{number:08d}-2222-4333-8444-555555555555"}

    transport.on("GetGroupId", group_id)
    transport.on("IsMemberInGroups", member_of("00000007-2222-4333-8444-555555555555"))
    keys = [membership_key("ana", str(number)) for number in range(150)]
    assert memberships.read(keys) == {"ana in 7": {"user_name": "ana", "group": "7"}}
    assert sorted(len(asked["GroupIds"]) for asked in transport.made("IsMemberInGroups")) == [50, 100]
    assert len(transport.made("GetUserId")) == 1


def test_ids_of_memberships_look_each_user_and_each_group_up_once(memberships, transport):
    transport.on("GetUserId", lambda request: {"UserId": USER_ID})
    transport.on("GetGroupId", lambda request: {"GroupId": GROUP_ID})
    transport.on("GetGroupMembershipId", {"MembershipId": "m-1"})
    keys = [membership_key(f"user{number}", "Auditors") for number in range(12)]
    transport.calls.clear()
    found = memberships.existing(keys)
    assert {key: one.identifier for key, one in found.items()} == dict.fromkeys(keys, "m-1")
    assert found[keys[3]].state == {"user_name": "user3", "group": "Auditors"}
    assert transport.made("IsMemberInGroups") == []
    assert len(transport.made("GetGroupId")) == 1
    assert len(transport.made("GetUserId")) == len(transport.made("GetGroupMembershipId")) == 12


def test_the_id_and_the_state_of_a_principal_come_from_one_look(groups, users, transport):
    for resource, key, identifier, names in (
        (groups, "Auditors", GROUP_ID, ("GetGroupId", "DescribeGroup")),
        (users, "ana", USER_ID, ("GetUserId", "DescribeUser")),
    ):
        transport.calls.clear()
        assert resource.existing([key]) == {key: (identifier, resource.read([key])[key])}
        assert [len(transport.made(name)) for name in names] == [2, 2]  # this look, and the one to compare
        assert resource.existing([]) == {}


def test_a_group_may_have_blanks_in_its_name(memberships, transport):
    transport.on("IsMemberInGroups", member_of(GROUP_ID))
    key = membership_key("ana", "all in one")
    assert memberships.read([key]) == {key: {"user_name": "ana", "group": "all in one"}}


def test_a_user_that_does_not_exist_yet_has_no_memberships(memberships, transport):
    transport.on("GetUserId", NOT_FOUND)
    assert memberships.read(["ana in Auditors"]) == {}
    with pytest.raises(NotFoundError, match="no user 'ana'"):
        apply(memberships, create(memberships, "ana in Auditors", {"user_name": "ana", "group": "Auditors"}))


def test_a_text_that_is_no_membership(memberships):
    with pytest.raises(InvalidValueError, match="USER in GROUP"):
        memberships.read(["ana"])


def test_a_membership_is_made_and_deleted_by_its_id(memberships, transport):
    transport.on("CreateGroupMembership", {"MembershipId": "m-1"})
    transport.on("DeleteGroupMembership", {})
    state = {"user_name": "ana", "group": "Auditors"}
    assert (
        apply(memberships, create(memberships, "ana in Auditors", state))["ana in Auditors"].identifier
        == "m-1"
    )
    apply(memberships, delete(memberships, "ana in Auditors", "m-1"))
    assert transport.made("DeleteGroupMembership")[0]["MembershipId"] == "m-1"
