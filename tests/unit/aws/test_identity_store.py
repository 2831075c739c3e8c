import re
from collections import Counter

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
    transport.on("ListUsers", {"Users": [described(STATE)]})
    transport.on("ListPermissionSets", {"PermissionSets": []})
    transport.on("ListGroupMembershipsForMember", {"GroupMemberships": []})
    transport.on("ListAccountAssignmentsForPrincipal", {"AccountAssignments": []})
    return Users(connection)


def named_in(asked):
    return asked["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"]


def identity(number):
    return f"{number:08d}-2222-4333-8444-555555555555"


def list_of(name, entries):
    """Answer a list in pages."""

    def page(asked):
        start = int(asked.get("NextToken", 0))
        end = start + asked["MaxResults"]
        return {name: entries[start:end]} | ({"NextToken": str(end)} if end < len(entries) else {})

    return page


def directory(transport, *user_names):
    """Let the stub hold users; return them as AWS has them, by name."""
    users = {
        name: described({"title": name}, UserName=name, UserId=identity(number))
        for number, name in enumerate(user_names)
    }

    def find(asked):
        name = named_in(asked).casefold()
        return next((user for user in users.values() if user["UserName"].casefold() == name), NOT_FOUND)

    transport.on("ListUsers", list_of("Users", list(users.values())))
    transport.on("GetUserId", find)
    transport.on(
        "DescribeUser", lambda asked: next(one for one in users.values() if one["UserId"] == asked["UserId"])
    )
    return users


CROWD = [f"user{number}" for number in range(1000)]


@pytest.mark.parametrize(
    ("wanted", "lists", "asked", "asked_again"),
    [
        (["user7", "nobody"], 2, 1, 2),  # of a large directory: half of what names cost is tried, once
        (["user999"], 1, 1, 1),
        (["user7"], 1, 0, 0),  # it is on the first page
        (CROWD[:150], 2, 0, 0),  # listing stops where all are found
        ([*CROWD, "nobody"], 10, 0, 0),
        (["USER7", *CROWD[100:900]], 10, 1, 1),  # another spelling: AWS tells whether it is the same one
    ],
)
def test_users_are_found_with_the_fewest_calls(users, transport, wanted, lists, asked, asked_again):
    there = directory(transport, *CROWD)
    for number, names in ((1, asked), (2, asked_again)):
        transport.calls.clear()
        found = users.existing(wanted)
        assert found == {
            name: (there[name.lower()]["UserId"], {"title": name.lower()})
            for name in wanted
            if name.lower() in there
        }
        assert len(transport.made("GetUserId")) == names
        if number == 1:
            assert len(transport.made("ListUsers")) == lists
    assert len(transport.made("ListUsers")) == (0 if names and lists < 10 else lists)
    assert all(asked["Extensions"] == [ENTERPRISE] for asked in transport.made("DescribeUser"))
    assert all(asked["Extensions"] == [ENTERPRISE] for asked in transport.made("ListUsers"))


def test_who_may_not_list_asks_by_name(users, transport):
    directory(transport, *CROWD)
    transport.on("ListUsers", Refusal("AccessDeniedException"))
    assert set(users.read(["user7", "user8", "nobody"])) == {"user7", "user8"}
    users.read(["user7", "user8", "nobody"])
    assert len(transport.made("ListUsers")) == 1


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


AUDITORS = {"GroupId": GROUP_ID, "DisplayName": "Auditors", "Description": "old"}


@pytest.fixture
def groups(connection, transport):
    transport.on("GetGroupId", {"GroupId": GROUP_ID})
    transport.on("DescribeGroup", AUDITORS)
    transport.on("UpdateGroup", {"GroupId": GROUP_ID})
    transport.on("ListGroups", {"Groups": [AUDITORS]})
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


def memberships_of(transport, members):
    """Let the stub hold groups, numbered, and users, numbered; `members` has the users of each group."""
    users = sorted({user for some in members.values() for user in some} | set(range(3)))
    transport.on(
        "ListUsers",
        list_of("Users", [{"UserId": identity(one), "UserName": f"user{one}"} for one in users]),
    )
    groups = [{"GroupId": identity(one), "DisplayName": f"group{one}"} for one in members]
    transport.on("ListGroups", list_of("Groups", groups))
    for operation, field in (("GetUserId", "UserId"), ("GetGroupId", "GroupId")):
        transport.on(
            operation,
            lambda asked, field=field: {field: identity(int(re.sub(r"\D", "", named_in(asked))))},
        )
    pairs = [
        {
            "GroupId": identity(group),
            "MemberId": {"UserId": identity(user)},
            "MembershipId": f"m-{user}-{group}",
        }
        for group, some in members.items()
        for user in some
    ]

    def those(**fields):
        return [one for one in pairs if fields.items() <= one.items()]

    transport.on(
        "ListGroupMemberships",
        lambda asked: list_of("GroupMemberships", those(GroupId=asked["GroupId"]))(asked),
    )
    transport.on(
        "ListGroupMembershipsForMember",
        lambda asked: list_of("GroupMemberships", those(MemberId=asked["MemberId"]))(asked),
    )
    transport.on(
        "GetGroupMembershipId",
        lambda asked: next(iter(those(GroupId=asked["GroupId"], MemberId=asked["MemberId"])), NOT_FOUND),
    )
    transport.on(
        "IsMemberInGroups",
        lambda asked: {
            "Results": [
                {"GroupId": group, "MembershipExists": bool(those(GroupId=group, MemberId=asked["MemberId"]))}
                for group in asked["GroupIds"]
            ]
        },
    )
    transport.calls.clear()


BY_GROUP, BY_USER, EACH = "ListGroupMemberships", "ListGroupMembershipsForMember", "GetGroupMembershipId"
SMALL = {group: range(group, group + 12) for group in range(3)}
EVERYWHERE = {group: range(group % 2, 3) for group in range(150)}
LARGE = {0: range(5000)}


@pytest.mark.parametrize(
    ("members", "wanted", "to_read", "to_find_ids"),
    [
        (SMALL, [(5, 0), (6, 0), (7, 2)], {BY_GROUP: 2}, {BY_GROUP: 2}),
        (SMALL, [(5, 0), (5, 1), (5, 2)], {"IsMemberInGroups": 1}, {BY_USER: 1}),
        (EVERYWHERE, [(0, one) for one in range(150)], {"IsMemberInGroups": 2}, {BY_USER: 1}),
        (LARGE, [(one, 0) for one in (4000, 4001, 7, 8)], {BY_GROUP: 2, EACH: 2}, {BY_GROUP: 2, EACH: 2}),
        (LARGE, [(one, 0) for one in range(450)], {BY_GROUP: 5}, {BY_GROUP: 5}),
    ],
)
def test_memberships_are_found_with_the_fewest_calls(
    memberships, transport, members, wanted, to_read, to_find_ids
):
    memberships_of(transport, members)
    there = {
        f"user{user} in group{group}": f"m-{user}-{group}" for user, group in wanted if user in members[group]
    }
    keys = [f"user{user} in group{group}" for user, group in wanted]
    lookups = {BY_GROUP, BY_USER, EACH, "IsMemberInGroups"}
    assert set(memberships.read(keys)) == set(there)
    assert Counter(name for name in transport.names() if name in lookups) == to_read
    transport.calls.clear()
    assert {key: one.identifier for key, one in memberships.existing(keys).items()} == there
    assert Counter(name for name in transport.names() if name in lookups) == to_find_ids


@pytest.mark.parametrize("refused", [{BY_GROUP}, {BY_USER}, {BY_GROUP, BY_USER}])
def test_memberships_are_asked_for_where_they_may_not_be_listed(memberships, transport, refused):
    memberships_of(transport, SMALL)
    for operation in refused:
        transport.on(operation, Refusal("AccessDeniedException"))
    keys = ["user5 in group0", "user2 in group2", "user0 in group2", "nobody in group1"]
    assert set(memberships.existing(keys)) == {"user5 in group0", "user2 in group2"}


def test_all_memberships_are_read_by_lists(memberships, transport):
    memberships_of(transport, SMALL)
    assert set(memberships.read_all()) == {
        f"user{user} in group{group}" for group, some in SMALL.items() for user in some
    }
    lists = Counter(name for name in transport.names() if name.startswith("List"))
    assert lists == {BY_GROUP: 3, "ListUsers": 1, "ListGroups": 1, "ListInstances": 1}


def test_the_id_and_the_state_of_a_principal_come_from_one_look(groups, users, transport):
    for resource, key, identifier, listed in (
        (groups, "Auditors", GROUP_ID, "ListGroups"),
        (users, "ana", USER_ID, "ListUsers"),
    ):
        transport.calls.clear()
        assert resource.existing([key]) == {key: (identifier, resource.read([key])[key])}
        assert len(transport.made(listed)) == 2  # this look, and the one to compare
        assert [
            name for name in transport.names() if name.startswith(("Get", "DescribeG", "DescribeU"))
        ] == []
        assert resource.existing([]) == {}
        assert resource.read_all() == resource.read([key])


def test_a_group_may_have_blanks_in_its_name(memberships, transport):
    member = {"GroupId": GROUP_ID, "MemberId": {"UserId": USER_ID}, "MembershipId": "m-1"}
    transport.on("ListGroupMemberships", {"GroupMemberships": [member]})
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
