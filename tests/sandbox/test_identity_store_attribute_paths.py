"""UpdateUser and UpdateGroup: paths, values, removal, revisions, and all or nothing."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_store_harness import Directory, attribute_operations, person

from idc_sandbox.api.identity_store.profiles import apply_operations, check_profile
from idc_sandbox.errors import ServiceError

ENTERPRISE = "aws:identitystore:enterprise"


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("nickName", "an", {"NickName": "an"}),
        ("NickName", "an", {"NickName": "an"}),
        ("userName", "ana2", {"UserName": "ana2"}),
        ("displayName", "Ana 2", {"DisplayName": "Ana 2"}),
        ("name.givenName", "Anna", {"Name": {"GivenName": "Anna", "FamilyName": "Example"}}),
        ("Name.MiddleName", "M", {"Name": {"GivenName": "ana", "FamilyName": "Example", "MiddleName": "M"}}),
        ("name", {"givenName": "A", "familyName": "B"}, {"Name": {"GivenName": "A", "FamilyName": "B"}}),
        ("birthdate", "1990-02-28", {"Birthdate": "1990-02-28"}),
        ("website", "https://example.com", {"Website": "https://example.com"}),
        ("timezone", "Europe/Lisbon", {"Timezone": "Europe/Lisbon"}),
        ("photos", [{"value": "p", "display": "me"}], {"Photos": [{"Value": "p", "Display": "me"}]}),
        ("addresses", [{"streetAddress": "1"}], {"Addresses": [{"StreetAddress": "1"}]}),
        (f"{ENTERPRISE}.costCenter", "4711", {"Extensions": {ENTERPRISE: {"costCenter": "4711"}}}),
        (f"{ENTERPRISE}.manager.value", "bo", {"Extensions": {ENTERPRISE: {"manager": {"value": "bo"}}}}),
        (ENTERPRISE, {"Division": "Cloud"}, {"Extensions": {ENTERPRISE: {"division": "Cloud"}}}),
    ],
)
def test_a_path_sets_its_attribute_and_no_other(directory, path, value, expected):
    user_id = directory.create_user()
    before = directory.describe_user(user_id)
    after = directory.update_user(user_id, (path, value))
    stamps = {"Revision", "UpdatedAt"}
    assert {name: after[name] for name in after.keys() - stamps} == {
        name: value for name, value in before.items() if name not in stamps
    } | expected


@pytest.mark.parametrize("key", ["value", "Value"])
def test_a_list_is_replaced_whole_and_its_keys_may_be_spelt_either_way(directory, key):
    user_id = directory.create_user(Emails=[{"Value": "old@example.com", "Type": "work", "Primary": True}])
    user = directory.update_user(user_id, ("emails", [{key: "new@example.com"}]))
    assert user["Emails"] == [{"Value": "new@example.com"}]


@pytest.mark.parametrize("value", [..., None])
def test_an_operation_without_a_value_removes(directory, value):
    extension = {"costCenter": "1", "manager": {"value": "bo"}}
    user_id = directory.create_user(
        NickName="an", Emails=[{"Value": "a@example.com"}], Extensions={ENTERPRISE: extension}
    )
    user = directory.update_user(
        user_id,
        ("nickName", value),
        ("emails", value),
        (f"{ENTERPRISE}.manager.value", value),
        ("title", value),
    )
    assert "NickName" not in user
    assert "Emails" not in user
    assert user["Extensions"] == {ENTERPRISE: {"costCenter": "1"}}
    assert "Extensions" not in directory.update_user(user_id, (f"{ENTERPRISE}.costCenter", value))


def test_a_null_inside_a_value_is_no_value():
    operations = attribute_operations(("emails", [{"value": "a@example.com", "type": None}]))
    after = apply_operations("User", {}, operations)
    assert after == {"Emails": [{"Value": "a@example.com"}]}


@pytest.mark.parametrize("path", ["userName", "displayName", "name", "name.givenName", "name.familyName"])
def test_what_identity_center_needs_cannot_be_removed(directory, path):
    user_id = directory.create_user()
    before = directory.describe_user(user_id)
    error = directory.refusal("UpdateUser", UserId=user_id, Operations=attribute_operations((path, ...)))
    assert (error.code, "cannot be removed" in error.message) == ("ValidationException", True)
    assert directory.describe_user(user_id) == before


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("nickname.first", "x", "below a plain value"),
        ("nicName", "x", "Did you mean 'nickName'?"),
        ("name.firstName", "x", "'firstName'"),
        ("emails.value", "x@example.com", "Unsupported update operation on multi-value attribute emails"),
        ("userStatus", "DISABLED", "cannot be written"),
        ("userId", "x", "cannot be written"),
        ("createdAt", 1, "cannot be written"),
        ("extensions", {}, "cannot be written"),
        (f"{ENTERPRISE}.costCentre", "x", "Did you mean 'costCenter'?"),
        (f"{ENTERPRISE}.costCenter.part", "x", "below a plain value"),
        (f"{ENTERPRISE}.manager.value.part", "x", "below a plain value"),
        (f"{ENTERPRISE}.manager.salary", "x", "'salary'"),
        (f"{ENTERPRISE}.manager", "bo", "must be of type structure"),
        ("aws:identitystore:other.thing", "x", "cannot be written"),
        ("emails", [], "length greater than or equal to 1"),
        ("emails", [{"address": "x"}], "'address'"),
        ("emails", "x@example.com", "must be of type list"),
        ("emails", [{"value": "a"}, {"value": "b"}], "length less than or equal to 1"),
        ("emails", [{"type": "work"}], "needs a value"),
        ("nickName", 7, "must be of type string"),
        ("nickName", "", "length greater than or equal to 1"),
        ("nickName", {}, "must be of type string"),
        ("addresses", [{"locality": {}}], "must be of type string"),
        (f"{ENTERPRISE}.manager", {"value": {}}, "must be of type string"),
        (ENTERPRISE, "", "must be of type structure"),
        ("name", "Ana", "must be of type structure"),
        ("userName", "Administrator", "reserved"),
        ("userName", "two words", "regular expression"),
        ("birthdate", "soon", "YYYY-MM-DD"),
        ("externalIds", [{"issuer": "okta"}], "must not be null"),
    ],
)
def test_a_path_or_value_that_is_wrong_is_refused_and_changes_nothing(directory, path, value, message):
    user_id = directory.create_user()
    before = directory.describe_user(user_id)
    operations = attribute_operations(("title", "Auditor"), (path, value))
    error = directory.refusal("UpdateUser", UserId=user_id, Operations=operations)
    assert error.code == "ValidationException"
    assert message in error.message
    assert directory.describe_user(user_id) == before


def test_an_update_keeps_names_and_addresses_unique_and_lets_the_user_keep_its_own(directory):
    directory.create_user("ana", Emails=[{"Value": "ana@example.com"}])
    user_id = directory.create_user("bo", Emails=[{"Value": "bo@example.com"}])
    for path, value in (("userName", "Ana"), ("emails", [{"value": "ANA@example.com"}])):
        error = directory.refusal(
            "UpdateUser", UserId=user_id, Operations=attribute_operations((path, value))
        )
        assert (error.code, error.members["Reason"]) == (
            "ConflictException",
            "UNIQUENESS_CONSTRAINT_VIOLATION",
        )
    user = directory.update_user(user_id, ("userName", "BO"), ("emails", [{"value": "Bo@example.com"}]))
    assert (user["UserName"], user["Emails"]) == ("BO", [{"Value": "Bo@example.com"}])
    assert directory.refusal("CreateUser", **person("bo")).code == "ConflictException"


def test_a_change_makes_a_revision_and_a_stale_one_is_refused(directory):
    user_id = directory.create_user()
    directory.advance_clock(60)
    first = directory.describe_user(user_id)
    second = directory.update_user(user_id, ("nickName", "an"), Revision=first["Revision"])
    assert second["Revision"] != first["Revision"]
    assert second["UpdatedAt"] - second["CreatedAt"] >= 60
    error = directory.refusal(
        "UpdateUser",
        UserId=user_id,
        Revision=first["Revision"],
        Operations=attribute_operations(("nickName", "x")),
    )
    assert (error.code, error.members["Reason"]) == ("ConflictException", "CONCURRENT_MODIFICATION")
    assert directory.describe_user(user_id)["NickName"] == "an"


def test_operations_apply_in_their_order(directory):
    user = directory.update_user(
        directory.create_user(), ("nickName", "a"), ("nickName", ...), ("nickName", "b")
    )
    assert user["NickName"] == "b"


def test_a_hundred_operations_pass_and_one_more_does_not(directory):
    user_id = directory.create_user()
    operations = attribute_operations(*[("nickName", str(number)) for number in range(101)])
    assert directory.call("UpdateUser", UserId=user_id, Operations=operations[:100])["Revision"] == "2"
    assert (
        directory.refusal("UpdateUser", UserId=user_id, Operations=operations).code == "ValidationException"
    )
    assert directory.refusal("UpdateUser", UserId=user_id, Operations=[]).code == "ValidationException"


def test_a_group_is_renamed_described_and_undescribed(directory):
    group_id = directory.create_group("Auditors", Description="They look")
    operations = attribute_operations(("displayName", "Reviewers"), ("description", ...))
    directory.call("UpdateGroup", GroupId=group_id, Operations=operations, Revision="1")
    group = directory.call("DescribeGroup", GroupId=group_id)
    assert (group["DisplayName"], group.get("Description"), group["Revision"]) == ("Reviewers", None, "2")
    assert directory.create_group("Auditors") != group_id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("displayName", ...),
        ("displayName", "administrator"),
        (f"{ENTERPRISE}.department", "x"),
        ("nickName", "x"),
    ],
)
def test_a_group_keeps_to_its_own_attributes(directory, path, value):
    group_id = directory.create_group()
    error = directory.refusal("UpdateGroup", GroupId=group_id, Operations=attribute_operations((path, value)))
    assert error.code == "ValidationException"
    assert directory.call("DescribeGroup", GroupId=group_id)["Revision"] == "1"


def test_a_group_cannot_take_another_groups_name_nor_a_stale_revision(directory):
    directory.create_group("Auditors")
    group_id = directory.create_group("Reviewers")
    rename = attribute_operations(("displayName", "AUDITORS"))
    error = directory.refusal("UpdateGroup", GroupId=group_id, Operations=rename)
    assert error.members["Reason"] == "UNIQUENESS_CONSTRAINT_VIOLATION"
    error = directory.refusal("UpdateGroup", GroupId=group_id, Operations=rename, Revision="9")
    assert error.members["Reason"] == "CONCURRENT_MODIFICATION"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["value", "type", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)
paths = st.sampled_from(
    ["emails", "name", "name.givenName", "nickName", ENTERPRISE, f"{ENTERPRISE}.manager", "photos"]
)


@given(st.lists(st.tuples(paths, json_values), max_size=4))
def test_whatever_is_sent_the_profile_before_stays_and_only_validation_errors_come(operations):
    profile = {
        "UserName": "ana",
        "DisplayName": "Ana",
        "Name": {"GivenName": "Ana", "FamilyName": "E"},
        "Extensions": {ENTERPRISE: {"division": "C"}},
    }
    before = copy.deepcopy(profile)
    codes = {"ValidationException"}
    try:
        after = apply_operations("User", profile, attribute_operations(*operations))
        check_profile("User", after)
    except ServiceError as error:
        codes.add(error.code)
    assert codes == {"ValidationException"}
    assert profile == before
