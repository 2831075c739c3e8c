"""Permission sets: names, session durations, changes, deletion, lists, and who may manage them."""

from __future__ import annotations

import re

import pytest
from handler_harness import DEVELOPMENT, MANAGEMENT, SECURITY, Harness


@pytest.fixture
def center(tmp_path) -> Harness:
    return Harness(tmp_path / "sandbox.db")


def described(center: Harness, permission_set_arn: str) -> dict:
    return center.sso("DescribePermissionSet", PermissionSetArn=permission_set_arn)["PermissionSet"]


def test_a_new_permission_set_has_awss_defaults(center):
    created = center.sso("CreatePermissionSet", Name="Admin")["PermissionSet"]
    instance_id = center.instance_arn.rpartition("/")[2]
    assert re.fullmatch(
        f"arn:aws:sso:::permissionSet/{instance_id}/ps-[0-9a-f]{{16}}", created["PermissionSetArn"]
    )
    assert created["SessionDuration"] == "PT1H"
    assert "Description" not in created
    assert "RelayState" not in created
    assert described(center, created["PermissionSetArn"]) == created


def test_a_permission_set_keeps_what_it_was_given(center):
    given = {
        "Description": "All",
        "SessionDuration": "PT4H",
        "RelayState": "https://console.aws.amazon.com/ec2",
    }
    permission_set_arn = center.add_permission_set("Admin", **given, Tags=[{"Key": "a", "Value": "b"}])
    assert given.items() <= described(center, permission_set_arn).items()
    tags = center.call("sso-admin", "ListTagsForResource", ResourceArn=permission_set_arn)["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]


def test_a_name_is_taken_once(center):
    center.add_permission_set("Admin")
    message = center.refused("CreatePermissionSet", "ConflictException", Name="Admin")
    assert message == "PermissionSet with name Admin already exists."


@pytest.mark.parametrize("name", ["with space", "x" * 33, ""])
def test_impossible_names_are_refused(center, name):
    assert "'name'" in center.refused("CreatePermissionSet", "ValidationException", Name=name)


@pytest.mark.parametrize("duration", ["PT1H", "PT12H", "PT60M", "PT3600S", "PT1H30M", "P0DT2H"])
def test_session_durations_between_one_and_twelve_hours(center, duration):
    permission_set_arn = center.add_permission_set("Admin", SessionDuration=duration)
    assert described(center, permission_set_arn)["SessionDuration"] == duration


@pytest.mark.parametrize(
    "duration", ["PT13H", "PT59M", "PT12H1S", "PT0S", "P1D", "P1Y", "P1M", "-PT2H", "PT99H", "P1W"]
)
def test_other_session_durations_are_refused_by_name(center, duration):
    permission_set_arn = center.add_permission_set("Other")
    for operation, more in (
        ("CreatePermissionSet", {"Name": "Admin"}),
        ("UpdatePermissionSet", {"PermissionSetArn": permission_set_arn}),
    ):
        message = center.refused(operation, "ValidationException", SessionDuration=duration, **more)
        assert f"'{duration}'" in message
        assert "PT1H to PT12H" in message


def test_an_update_changes_what_it_names_and_clears_a_relay_state_that_it_does_not(center):
    permission_set_arn = center.add_permission_set(
        "Admin", Description="All", SessionDuration="PT4H", RelayState="https://a"
    )
    center.sso("UpdatePermissionSet", PermissionSetArn=permission_set_arn, SessionDuration="PT2H")
    after = described(center, permission_set_arn)
    assert (after["Description"], after["SessionDuration"]) == ("All", "PT2H")
    assert "RelayState" not in after
    center.sso(
        "UpdatePermissionSet", PermissionSetArn=permission_set_arn, Description="Few", RelayState="https://b"
    )
    after = described(center, permission_set_arn)
    assert (after["Description"], after["SessionDuration"], after["RelayState"]) == (
        "Few",
        "PT2H",
        "https://b",
    )


def test_a_deleted_permission_set_is_not_found_and_its_name_is_free(center):
    permission_set_arn = center.add_permission_set("Admin")
    center.sso("DeletePermissionSet", PermissionSetArn=permission_set_arn)
    for operation in ("DescribePermissionSet", "DeletePermissionSet", "UpdatePermissionSet"):
        message = center.refused(operation, "ResourceNotFoundException", PermissionSetArn=permission_set_arn)
        assert "Could not find PermissionSet with id ps-" in message
    assert center.add_permission_set("Admin") != permission_set_arn


def test_a_permission_set_in_use_cannot_be_deleted(center):
    permission_set_arn, group_id = center.add_permission_set("Admin"), center.add_group("Admins")

    def refusal() -> str:
        return center.refused("DeletePermissionSet", "ConflictException", PermissionSetArn=permission_set_arn)

    center.sso("CreateAccountAssignment", **center.assignment(permission_set_arn, group_id))
    assert "PermissionSet has ApplicationProfile associated with it" in refusal()
    assert "still in progress" in refusal()
    center.wait()
    assert DEVELOPMENT in refusal()
    center.sso("DeleteAccountAssignment", **center.assignment(permission_set_arn, group_id))
    refusal()
    center.wait()
    center.sso("DeletePermissionSet", PermissionSetArn=permission_set_arn)
    assert center.sso("ListPermissionSets") == {"PermissionSets": []}


def test_a_permission_set_that_is_only_provisioned_cannot_be_deleted(center):
    permission_set_arn = center.add_permission_set("Admin")
    center.sso(
        "ProvisionPermissionSet",
        PermissionSetArn=permission_set_arn,
        TargetType="AWS_ACCOUNT",
        TargetId=DEVELOPMENT,
    )
    center.wait()
    message = center.refused("DeletePermissionSet", "ConflictException", PermissionSetArn=permission_set_arn)
    assert DEVELOPMENT in message


def test_lists_come_in_pages(center):
    arns = {center.add_permission_set(f"Set{number}") for number in range(5)}
    pages = center.pages("ListPermissionSets", "PermissionSets", MaxResults=2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {arn for page in pages for arn in page} == arns


def test_a_token_of_another_list_is_refused(center):
    center.add_permission_set("One")
    center.add_permission_set("Two")
    token = center.sso("ListPermissionSets", MaxResults=1)["NextToken"]
    center.refused("ListPermissionSetProvisioningStatus", "ValidationException", NextToken=token)


def test_three_thousand_five_hundred_permission_sets_and_no_more(center):
    with center.store.transaction() as connection:
        connection.executemany(
            "INSERT INTO permission_set (permission_set_arn, instance_arn, name, session_duration,"
            " created_at) VALUES (?, ?, ?, 'PT1H', 0.0)",
            [(f"arn{number}", center.instance_arn, f"Set{number}") for number in range(3499)],
        )
    center.add_permission_set("Last")
    message = center.refused("CreatePermissionSet", "ServiceQuotaExceededException", Name="OneMore")
    assert "3500" in message


def test_a_delegated_administrator_manages_what_the_management_account_does_not_use(center):
    center.double.delegates.add(SECURITY)
    own = center.add_permission_set("Own", caller_account=SECURITY)
    shared = center.add_permission_set("Shared")
    group_id = center.add_group("Admins")
    center.assign(shared, group_id, MANAGEMENT)
    center.sso("UpdatePermissionSet", caller_account=SECURITY, PermissionSetArn=own, Description="x")
    requests = {
        "UpdatePermissionSet": {"Description": "x"},
        "DeletePermissionSet": {},
        "PutInlinePolicyToPermissionSet": {"InlinePolicy": "{}"},
        "AttachManagedPolicyToPermissionSet": {"ManagedPolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        "ProvisionPermissionSet": {"TargetType": "ALL_PROVISIONED_ACCOUNTS"},
        "CreateAccountAssignment": center.assignment(shared, group_id, DEVELOPMENT),
        "DeleteAccountAssignment": center.assignment(shared, group_id, MANAGEMENT),
    }
    for operation, request in requests.items():
        message = center.refused(
            operation,
            "AccessDeniedException",
            caller_account=SECURITY,
            **({"PermissionSetArn": shared} | request),
        )
        assert "'Shared'" in message, operation
    assert described(center, shared)["Name"] == "Shared"


def test_a_permission_set_belongs_to_one_instance(center):
    center.execute(
        "INSERT INTO instance (instance_arn, identity_store_id, owner_account_id, kind, region, status,"
        " created_at)"
        " VALUES ('other', 'd-0000000000', '000000000000', 'ORGANIZATION', 'us-east-1', 'ACTIVE', 0.0)"
    )
    permission_set_arn = center.add_permission_set("Admin")
    center.execute("UPDATE permission_set SET instance_arn = 'other'")
    center.refused("DescribePermissionSet", "ResourceNotFoundException", PermissionSetArn=permission_set_arn)
    assert center.sso("ListPermissionSets") == {"PermissionSets": []}


def test_member_accounts_may_not_read_permission_sets(center):
    permission_set_arn = center.add_permission_set("Admin")
    center.refused(
        "DescribePermissionSet",
        "AccessDeniedException",
        caller_account=DEVELOPMENT,
        PermissionSetArn=permission_set_arn,
    )
