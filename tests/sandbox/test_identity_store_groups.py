"""Groups, memberships and lookups by what people know."""

from __future__ import annotations

import pytest
from identity_store_harness import DELEGATE, MEMBER, Directory, attribute_operations

from idc_sandbox.api.identity_store import operations


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path)


def test_a_group_comes_back_as_it_was_given(directory):
    created = directory.call("CreateGroup", DisplayName="Auditors of the cloud", Description="They look")
    group = directory.call("DescribeGroup", GroupId=created["GroupArn"])
    assert (group["DisplayName"], group["Description"]) == ("Auditors of the cloud", "They look")
    assert group["GroupArn"] == f"arn:aws:identitystore:::group/{created['GroupId']}"
    assert group["Revision"] == created["Revision"] == "1"
    assert group["CreatedBy"] == "arn:aws:iam::111122223333:user/somebody"


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"DisplayName": "AWSAdministrators"},
        {"DisplayName": ""},
        {"DisplayName": "x" * 1025},
        {"DisplayName": "a", "Description": ""},
    ],
)
def test_a_group_outside_of_the_rules_is_refused(directory, request_):
    assert directory.refusal("CreateGroup", **request_).code == "ValidationException"
    assert directory.call("ListGroups")["Groups"] == []


def test_group_names_occur_once(directory):
    directory.create_group("Auditors")
    error = directory.refusal("CreateGroup", DisplayName="auditors")
    assert (error.code, error.members["Reason"]) == ("ConflictException", "UNIQUENESS_CONSTRAINT_VIOLATION")
    assert error.message.startswith("Duplicate GroupDisplayName")


def test_groups_are_listed_in_pages_and_filtered_by_name(directory):
    for name in "abcde":
        directory.create_group(name)
    first = directory.call("ListGroups", MaxResults=2)
    rest = directory.call("ListGroups", NextToken=first["NextToken"])
    assert [group["DisplayName"] for group in first["Groups"] + rest["Groups"]] == list("abcde")
    assert "NextToken" not in rest
    filters = [{"AttributePath": "DisplayName", "AttributeValue": "c"}]
    assert [group["DisplayName"] for group in directory.call("ListGroups", Filters=filters)["Groups"]] == [
        "c"
    ]
    filters = [{"AttributePath": "Description", "AttributeValue": "c"}]
    assert directory.refusal("ListGroups", Filters=filters).code == "ValidationException"


def test_a_token_of_one_list_is_refused_by_another(directory):
    for name in "ab":
        directory.create_group(name)
    token = directory.call("ListGroups", MaxResults=1)["NextToken"]
    assert directory.refusal("ListUsers", NextToken=token).code == "ValidationException"


def test_deleting_a_group_takes_its_memberships_and_leaves_the_user(directory):
    user_id, group_id = directory.create_user(), directory.create_group()
    membership_id = directory.join(user_id, group_id)
    assert directory.call("DeleteGroup", GroupId=group_id, Revision="1") == {}
    error = directory.refusal("DescribeGroupMembership", MembershipId=membership_id)
    assert error.members == {"ResourceType": "GROUP_MEMBERSHIP", "ResourceId": membership_id}
    listed = directory.call("ListGroupMembershipsForMember", MemberId={"UserId": user_id})
    assert listed["GroupMemberships"] == []
    assert directory.refusal("DeleteGroup", GroupId=group_id).members["ResourceType"] == "GROUP"


def test_a_stale_revision_keeps_a_group_from_deletion(directory):
    group_id = directory.create_group()
    assert directory.refusal("DeleteGroup", GroupId=group_id, Revision="2").code == "ConflictException"
    assert directory.call("DescribeGroup", GroupId=group_id)["GroupId"] == group_id


def test_the_quota_of_groups_holds(directory, monkeypatch):
    monkeypatch.setitem(operations.QUOTA_OF_NOUN, "Group", 1)
    directory.create_group("a")
    assert directory.refusal("CreateGroup", DisplayName="b").code == "ServiceQuotaExceededException"


def test_a_membership_says_who_is_in_what(directory):
    user_id, group_id = directory.create_user(), directory.create_group()
    created = directory.call(
        "CreateGroupMembership",
        GroupId=f"arn:aws:identitystore:::group/{group_id}",
        MemberId={"UserId": f"arn:aws:identitystore:::user/{user_id}"},
    )
    membership = directory.call("DescribeGroupMembership", MembershipId=created["MembershipArn"])
    assert (membership["GroupId"], membership["MemberId"]) == (group_id, {"UserId": user_id})
    assert membership["CreatedAt"] == membership["UpdatedAt"]
    by_key = directory.call("GetGroupMembershipId", GroupId=group_id, MemberId={"UserId": user_id})
    assert by_key["MembershipId"] == created["MembershipId"]


def test_a_second_membership_is_a_conflict(directory):
    user_id, group_id = directory.create_user(), directory.create_group()
    directory.join(user_id, group_id)
    error = directory.refusal("CreateGroupMembership", GroupId=group_id, MemberId={"UserId": user_id})
    assert (error.code, error.members["Reason"]) == ("ConflictException", "UNIQUENESS_CONSTRAINT_VIOLATION")


def test_memberships_need_a_group_a_user_and_exactly_one_member(directory):
    user_id, group_id = directory.create_user(), directory.create_group()
    error = directory.refusal("CreateGroupMembership", GroupId=user_id, MemberId={"UserId": user_id})
    assert error.members["ResourceType"] == "GROUP"
    error = directory.refusal("CreateGroupMembership", GroupId=group_id, MemberId={"UserId": group_id})
    assert error.members["ResourceType"] == "USER"
    assert (
        directory.refusal("CreateGroupMembership", GroupId=group_id, MemberId={}).code
        == "ValidationException"
    )


def test_a_deleted_membership_is_gone_once(directory):
    user_id, group_id = directory.create_user(), directory.create_group()
    membership_id = directory.join(user_id, group_id)
    assert directory.call("DeleteGroupMembership", MembershipId=membership_id) == {}
    assert (
        directory.refusal("DeleteGroupMembership", MembershipId=membership_id).code
        == "ResourceNotFoundException"
    )
    error = directory.refusal("GetGroupMembershipId", GroupId=group_id, MemberId={"UserId": user_id})
    assert error.members["ResourceType"] == "GROUP_MEMBERSHIP"


def test_memberships_are_listed_by_group_and_by_member_in_pages(directory):
    people = [directory.create_user(name) for name in ("ana", "bo", "cy")]
    group_ids = [directory.create_group(name) for name in ("a", "b")]
    for user_id in people:
        directory.join(user_id, group_ids[0])
    directory.join(people[0], group_ids[1])
    first = directory.call("ListGroupMemberships", GroupId=group_ids[0], MaxResults=2)
    rest = directory.call("ListGroupMemberships", GroupId=group_ids[0], NextToken=first["NextToken"])
    members = [one["MemberId"]["UserId"] for one in first["GroupMemberships"] + rest["GroupMemberships"]]
    assert members == people
    listed = directory.call("ListGroupMembershipsForMember", MemberId={"UserId": people[0]})[
        "GroupMemberships"
    ]
    assert [one["GroupId"] for one in listed] == group_ids
    for operation, named in (
        ("ListGroupMemberships", {"GroupId": people[0]}),
        ("ListGroupMembershipsForMember", {"MemberId": {"UserId": group_ids[0]}}),
    ):
        assert directory.refusal(operation, **named).code == "ResourceNotFoundException"


def test_is_member_in_groups_answers_in_the_order_asked(directory):
    user_id = directory.create_user()
    group_ids = [directory.create_group(name) for name in "abc"]
    directory.join(user_id, group_ids[1])
    asked = [group_ids[2], f"arn:aws:identitystore:::group/{group_ids[1]}", group_ids[0]]
    results = directory.call("IsMemberInGroups", MemberId={"UserId": user_id}, GroupIds=asked)["Results"]
    assert [(one["GroupId"], one["MembershipExists"]) for one in results] == [
        (group_ids[2], False),
        (group_ids[1], True),
        (group_ids[0], False),
    ]
    many = {"MemberId": {"UserId": user_id}, "GroupIds": [group_ids[0]] * 101}
    assert directory.refusal("IsMemberInGroups", **many).code == "ValidationException"
    unknown = {"MemberId": {"UserId": user_id}, "GroupIds": [user_id]}
    assert directory.refusal("IsMemberInGroups", **unknown).members["ResourceType"] == "GROUP"


def lookup(path, value):
    return {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}


def test_a_user_is_looked_up_by_name_address_and_external_id(directory):
    user_id = directory.create_user("ana", Emails=[{"Value": "Ana@example.com"}])
    directory.update_user(user_id, ("externalIds", [{"Issuer": "https://idp.example.com", "Id": "00u1"}]))
    external_id = {"ExternalId": {"Issuer": "https://idp.example.com", "Id": "00u1"}}
    for identifier in (lookup("userName", "ANA"), lookup("emails.value", "ana@example.com"), external_id):
        found = directory.call("GetUserId", AlternateIdentifier=identifier)
        assert (found["UserId"], found["UserArn"]) == (user_id, f"arn:aws:identitystore:::user/{user_id}")
    for identifier in (lookup("userName", "bo"), {"ExternalId": {"Issuer": "other", "Id": "00u1"}}):
        error = directory.refusal("GetUserId", AlternateIdentifier=identifier)
        assert (error.code, error.members["ResourceType"]) == ("ResourceNotFoundException", "USER")


def test_a_group_is_looked_up_by_name_and_external_id(directory):
    group_id = directory.create_group("Auditors")
    operations = attribute_operations(("externalIds", [{"issuer": "idp", "id": "g1"}]))
    directory.call("UpdateGroup", GroupId=group_id, Operations=operations)
    for identifier in (lookup("displayName", "Auditors"), {"ExternalId": {"Issuer": "idp", "Id": "g1"}}):
        assert directory.call("GetGroupId", AlternateIdentifier=identifier)["GroupId"] == group_id
    error = directory.refusal("GetGroupId", AlternateIdentifier=lookup("displayName", "Reviewers"))
    assert error.members["ResourceType"] == "GROUP"


def test_an_external_id_occurs_once(directory):
    given = ("externalIds", [{"Issuer": "idp", "Id": "1"}])
    directory.update_user(directory.create_user("ana"), given)
    user_id = directory.create_user("bo")
    error = directory.refusal("UpdateUser", UserId=user_id, Operations=attribute_operations(given))
    assert error.code == "ConflictException"


@pytest.mark.parametrize(
    ("operation", "identifier"),
    [
        ("GetUserId", lookup("displayName", "Ana")),
        ("GetUserId", lookup("userName", "")),
        ("GetUserId", lookup("userName", 7)),
        ("GetGroupId", lookup("userName", "ana")),
        ("GetUserId", {}),
        ("GetUserId", lookup("userName", "ana") | {"ExternalId": {"Issuer": "i", "Id": "1"}}),
    ],
)
def test_a_lookup_by_anything_else_is_refused(directory, operation, identifier):
    assert directory.refusal(operation, AlternateIdentifier=identifier).code == "ValidationException"


def test_members_read_delegates_write(directory):
    group_id = directory.create_group("Auditors")
    user_id = directory.create_user()
    assert directory.call("DescribeGroup", account=MEMBER, GroupId=group_id)["DisplayName"] == "Auditors"
    assert directory.call("ListUsers", account=MEMBER)["Users"][0]["UserId"] == user_id
    for operation, request in (
        ("CreateGroup", {"DisplayName": "Others"}),
        ("DeleteGroup", {"GroupId": group_id}),
        ("UpdateUser", {"UserId": user_id, "Operations": attribute_operations(("nickName", "x"))}),
        ("DeleteUser", {"UserId": user_id}),
        ("CreateGroupMembership", {"GroupId": group_id, "MemberId": {"UserId": user_id}}),
    ):
        assert directory.refusal(operation, account=MEMBER, **request).code == "AccessDeniedException"
    created = directory.call("CreateGroup", account=DELEGATE, DisplayName="Others")
    group = directory.call("DescribeGroup", GroupId=created["GroupId"])
    assert group["CreatedBy"] == f"arn:aws:iam::{DELEGATE}:user/somebody"
