"""CreateUser, DescribeUser, ListUsers, DeleteUser: what a user must, may and may not have."""

from __future__ import annotations

import pytest
from identity_store_harness import ACCOUNT_STORE, OUTSIDER, Directory, person

from idc_sandbox.api.identity_store import operations

FULL_PROFILE = {
    "UserName": "ana.silva",
    "Name": {
        "Formatted": "Dr. Ana Maria Silva M.D.",
        "FamilyName": "Silva",
        "GivenName": "Ana",
        "MiddleName": "Maria",
        "HonorificPrefix": "Dr.",
        "HonorificSuffix": "M.D.",
    },
    "DisplayName": "Ana Silva",
    "NickName": "ana",
    "ProfileUrl": "https://example.com/ana",
    "Emails": [{"Value": "Ana@example.com", "Type": "work", "Primary": True}],
    "Addresses": [
        {
            "StreetAddress": "1 Example Street",
            "Locality": "Springfield",
            "Region": "EX",
            "PostalCode": "00000",
            "Country": "US",
            "Formatted": "1 Example Street\nSpringfield",
            "Type": "work",
            "Primary": True,
        }
    ],
    "PhoneNumbers": [{"Value": "+1 555 0100", "Type": "work", "Primary": True}],
    "UserType": "Employee",
    "Title": "Auditor",
    "PreferredLanguage": "en-us",
    "Locale": "US",
    "Timezone": "America/New_York",
    "Photos": [{"Value": "https://example.com/ana.png", "Type": "photo", "Display": "Ana", "Primary": True}],
    "Website": "https://ana.example.com",
    "Birthdate": "1990-02-28",
    "Roles": [{"Value": "Auditor", "Type": "work", "Primary": True}],
}
ENTERPRISE = {
    "employeeNumber": "42",
    "costCenter": "4711",
    "organization": "Example",
    "division": "Cloud",
    "department": "Audit",
    "manager": {"value": "bo", "displayName": "Bo Example"},
}


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path)


def test_every_attribute_comes_back_as_it_was_given(directory):
    created = directory.call(
        "CreateUser", **FULL_PROFILE, Extensions={"aws:identitystore:enterprise": ENTERPRISE}
    )
    user = directory.describe_user(created["UserId"])
    assert {name: user[name] for name in FULL_PROFILE} == FULL_PROFILE
    assert user["Extensions"] == {"aws:identitystore:enterprise": ENTERPRISE}
    assert user["UserStatus"] == "ENABLED"
    assert user["Revision"] == created["Revision"]
    assert user["CreatedBy"] == user["UpdatedBy"] == "arn:aws:iam::111122223333:user/somebody"
    assert user["CreatedAt"] == user["UpdatedAt"] > 1.7e9


def test_the_answer_names_store_user_and_arn(directory):
    created = directory.call("CreateUser", **person())
    assert created["IdentityStoreId"] == "d-1234567890"
    assert created["UserId"].startswith("1234567890-")
    assert created["UserArn"] == f"arn:aws:identitystore:::user/{created['UserId']}"


def test_extensions_are_shown_only_when_asked_for(directory):
    user_id = directory.create_user(Extensions={"aws:identitystore:enterprise": {"costCenter": "1"}})
    assert "Extensions" not in directory.call("DescribeUser", UserId=user_id)
    assert "Extensions" not in directory.call("ListUsers")["Users"][0]
    listed = directory.call("ListUsers", Extensions=["aws:identitystore:enterprise"])["Users"]
    assert listed[0]["Extensions"] == {"aws:identitystore:enterprise": {"costCenter": "1"}}


@pytest.mark.parametrize("operation", ["DescribeUser", "ListUsers"])
@pytest.mark.parametrize(
    ("store", "code"),
    [("d-1234567890", "ValidationException"), ("d-0000000000", "ResourceNotFoundException")],
)
def test_an_unknown_store_is_refused_before_an_unknown_extension(directory, operation, store, code):
    named = {"UserId": directory.create_user()} if operation == "DescribeUser" else {}
    error = directory.refusal(operation, IdentityStoreId=store, Extensions=["aws:identitystore:no"], **named)
    assert error.code == code


@pytest.mark.parametrize(
    ("missing", "path"),
    [("UserName", "userName"), ("DisplayName", "displayName"), ("Name", "name.givenName")],
)
def test_identity_center_needs_names(directory, missing, path):
    request = {name: value for name, value in person().items() if name != missing}
    error = directory.refusal("CreateUser", **request)
    assert error.code == "ValidationException"
    assert f"'{path}' is required" in error.message


def test_every_missing_name_is_named_at_once(directory):
    message = directory.refusal("CreateUser", Name={"Formatted": "Ana"}).message
    assert message.startswith("4 validation errors")
    for path in ("userName", "displayName", "name.givenName", "name.familyName"):
        assert path in message


@pytest.mark.parametrize("name", ["Administrator", "AWSAdministrators", "administrator"])
def test_reserved_user_names_are_refused(directory, name):
    assert "reserved" in directory.refusal("CreateUser", **person(name)).message


@pytest.mark.parametrize(
    "broken",
    [
        {"UserName": "x" * 129},
        {"UserName": "ana silva"},
        {"Emails": [{"Value": "a@example.com"}, {"Value": "b@example.com"}]},
        {"Emails": []},
        {"Emails": [{"Type": "work"}]},
        {"PhoneNumbers": [{"Type": "work"}]},
        {"Photos": [{"Value": str(number)} for number in range(4)]},
        {"Photos": [{"Value": "1", "Primary": True}, {"Value": "2", "Primary": True}]},
        {"Roles": [{"Value": "a"}, {"Value": "b"}]},
        {"Addresses": [{"Country": "US"}, {"Country": "PT"}]},
        {"NickName": "x" * 1025},
        {"NickName": ""},
        {"Title": 7},
        {"Birthdate": "28.02.1990"},
        {"Birthdate": "1990-02-30"},
        {"Birthdate": "19900228"},
        {"Extensions": {"aws:identitystore:other": {}}},
        {"Extensions": {"aws:identitystore:enterprise": {"salary": "1"}}},
        {"Extensions": {"aws:identitystore:enterprise": []}},
        {"Extensions": {"aws:identitystore:enterprise": {"costCenter": 4711}}},
        {"Extensions": {"aws:identitystore:enterprise": {"manager": "bo"}}},
        {"Extensions": {"aws:identitystore:enterprise": {"manager": {"value": ""}}}},
        {"Extensions": {"aws:identitystore:enterprise": "costCenter"}},
    ],
)
def test_a_value_outside_of_the_rules_is_refused_and_nothing_is_written(directory, broken):
    error = directory.refusal("CreateUser", **person(**broken))
    assert error.code == "ValidationException"
    assert directory.call("ListUsers")["Users"] == []


def test_an_unknown_extension_attribute_gets_a_suggestion(directory):
    extensions = {"aws:identitystore:enterprise": {"costCentre": "1"}}
    assert (
        "Did you mean 'costCenter'?"
        in directory.refusal("CreateUser", **person(Extensions=extensions)).message
    )


@pytest.mark.parametrize(
    ("first", "second", "attribute"),
    [
        (person("ana"), person("ana"), "UserName"),
        (person("ana"), person("ANA"), "UserName"),
        (
            person("ana", Emails=[{"Value": "x@example.com"}]),
            person("bo", Emails=[{"Value": "X@Example.com"}]),
            "Email",
        ),
    ],
)
def test_user_names_and_addresses_occur_once(directory, first, second, attribute):
    directory.call("CreateUser", **first)
    error = directory.refusal("CreateUser", **second)
    assert error.code == "ConflictException"
    assert error.members["Reason"] == "UNIQUENESS_CONSTRAINT_VIOLATION"
    assert error.message.startswith(f"Duplicate {attribute}")


def test_two_users_without_an_address_are_fine_and_stores_are_apart(directory):
    directory.create_user("ana")
    directory.create_user("bo")
    directory.call("CreateUser", account=OUTSIDER, IdentityStoreId=ACCOUNT_STORE, **person("ana"))
    assert [user["UserName"] for user in directory.call("ListUsers")["Users"]] == ["ana", "bo"]


def test_a_deleted_user_frees_name_and_address_and_is_gone_from_groups(directory):
    user_id = directory.create_user(Emails=[{"Value": "ana@example.com"}])
    group_id = directory.create_group()
    directory.join(user_id, group_id)
    assert directory.call("DeleteUser", UserId=user_id) == {}
    assert directory.call("ListGroupMemberships", GroupId=group_id)["GroupMemberships"] == []
    error = directory.refusal("DescribeUser", UserId=user_id)
    assert (error.code, error.members) == (
        "ResourceNotFoundException",
        {"ResourceType": "USER", "ResourceId": user_id},
    )
    assert directory.refusal("DeleteUser", UserId=user_id).code == "ResourceNotFoundException"
    assert directory.create_user(Emails=[{"Value": "ana@example.com"}]) != user_id


def test_a_stale_revision_keeps_a_user_from_deletion(directory):
    user_id = directory.create_user()
    directory.update_user(user_id, ("nickName", "an"))
    error = directory.refusal("DeleteUser", UserId=user_id, Revision="1")
    assert (error.code, error.members["Reason"]) == ("ConflictException", "CONCURRENT_MODIFICATION")
    directory.call("DeleteUser", UserId=user_id, Revision="2")
    assert directory.call("ListUsers")["Users"] == []


def test_a_user_is_found_by_id_and_by_arn_and_not_by_a_groups_arn(directory):
    user_id = directory.create_user()
    arn = f"arn:aws:identitystore:::user/{user_id}"
    assert directory.call("DescribeUser", UserId=arn)["UserId"] == user_id
    error = directory.refusal("DescribeUser", UserId=arn.replace("user/", "group/"))
    assert (error.code, "names a group" in error.message) == ("ValidationException", True)


def test_a_user_of_another_store_is_not_found(directory):
    user_id = directory.create_user()
    error = directory.refusal("DescribeUser", account=OUTSIDER, IdentityStoreId=ACCOUNT_STORE, UserId=user_id)
    assert error.code == "ResourceNotFoundException"


def test_pages_hold_all_users_once_and_in_order(directory):
    names = [f"user{number:02}" for number in range(7)]
    for name in names:
        directory.create_user(name)
    seen, token = [], None
    while True:
        request = {"MaxResults": 3} | ({"NextToken": token} if token else {})
        page = directory.call("ListUsers", **request)
        assert len(page["Users"]) <= 3
        seen += [user["UserName"] for user in page["Users"]]
        token = page.get("NextToken")
        if token is None:
            break
    assert seen == names


def test_the_deprecated_filter_finds_a_user_and_no_other_filter_works(directory):
    directory.create_user("ana")
    directory.create_user("bo")
    filters = [{"AttributePath": "UserName", "AttributeValue": "bo"}]
    assert [user["UserName"] for user in directory.call("ListUsers", Filters=filters)["Users"]] == ["bo"]
    assert len(directory.call("ListUsers", Filters=[])["Users"]) == 2
    nobody = [{"AttributePath": "UserName", "AttributeValue": "cy"}]
    assert directory.call("ListUsers", Filters=nobody)["Users"] == []
    other = [{"AttributePath": "Title", "AttributeValue": "Auditor"}]
    assert "'UserName'" in directory.refusal("ListUsers", Filters=other).message
    assert directory.refusal("ListUsers", Filters=filters * 2).code == "ValidationException"


def test_the_quota_of_users_holds(directory, monkeypatch):
    monkeypatch.setitem(operations.QUOTA_OF_NOUN, "User", 1)
    directory.create_user("ana")
    assert directory.refusal("CreateUser", **person("bo")).code == "ServiceQuotaExceededException"


def test_the_same_seed_gives_the_same_ids(tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(Directory(tmp_path / name).create_user())
    assert made[0] == made[1]
