"""Policies that are written for resources of Identity Center allow and refuse by them."""

import pytest
from test_authorization import allow, clients, deny, refusal, user_with

from idc_sandbox.context import Caller
from idc_sandbox.wire.permissions import resources_of

ACCOUNT = "111122223333"


@pytest.fixture
def center(gateway_client):
    """An organization instance with a permission set, a group and two users."""
    gateway_client.console("POST", "instance")
    sso, store = gateway_client.client("sso-admin"), gateway_client.client("identitystore")
    instance = sso.list_instances()["Instances"][0]
    arn, store_id = instance["InstanceArn"], instance["IdentityStoreId"]
    made = {"arn": arn, "store_id": store_id, "store_arn": instance["IdentityStoreArn"]}
    made["set_arn"] = sso.create_permission_set(InstanceArn=arn, Name="Readers")["PermissionSet"][
        "PermissionSetArn"
    ]
    made["group_id"] = store.create_group(IdentityStoreId=store_id, DisplayName="Readers")["GroupId"]
    for name in ("ana", "ben"):
        names = {"GivenName": name, "FamilyName": "X"}
        user = store.create_user(IdentityStoreId=store_id, UserName=name, DisplayName=name, Name=names)
        made[name] = user["UserId"]
    return made


def test_an_assignment_needs_the_instance_the_permission_set_and_the_account(gateway_client, center):
    own = [center["arn"], center["set_arn"], f"arn:aws:sso:::account/{ACCOUNT}"]
    credentials = user_with(gateway_client, allow("sso:*AccountAssignment*", resource=own))
    (sso,) = clients(gateway_client, credentials, "sso-admin")
    request = {
        "InstanceArn": center["arn"],
        "PermissionSetArn": center["set_arn"],
        "TargetType": "AWS_ACCOUNT",
        "PrincipalType": "GROUP",
        "PrincipalId": center["group_id"],
    }
    status = sso.create_account_assignment(TargetId=ACCOUNT, **request)["AccountAssignmentCreationStatus"]
    assert status["Status"] == "IN_PROGRESS"
    other = next(account for account in gateway_client.member_account_ids().values() if account != ACCOUNT)
    error = refusal(sso.create_account_assignment, TargetId=other, **request)
    assert error["Code"] == "AccessDeniedException"
    assert f"on resource: arn:aws:sso:::account/{other}" in error["Message"]
    assert refusal(sso.list_permission_sets, InstanceArn=center["arn"])["Code"] == "AccessDeniedException"


def test_a_directory_may_be_opened_one_person_at_a_time(gateway_client, center):
    ana = f"arn:aws:identitystore:::user/{center['ana']}"
    credentials = user_with(gateway_client, allow("identitystore:*", resource=[center["store_arn"], ana]))
    (store,) = clients(gateway_client, credentials, "identitystore")
    read = {"IdentityStoreId": center["store_id"]}
    assert store.describe_user(UserId=center["ana"], **read)["UserName"] == "ana"
    for call, request in (
        (store.describe_user, {"UserId": center["ben"]}),
        (store.list_users, {}),
        (store.describe_group, {"GroupId": center["group_id"]}),
        (
            store.create_group_membership,
            {"GroupId": center["group_id"], "MemberId": {"UserId": center["ana"]}},
        ),
    ):
        assert refusal(call, **read, **request)["Code"] == "AccessDeniedException"


def test_a_permission_set_can_be_put_out_of_reach(gateway_client, center):
    statements = (allow("sso:*"), deny("sso:Delete*", resource=center["set_arn"]))
    (sso,) = clients(gateway_client, user_with(gateway_client, *statements), "sso-admin")
    request = {"InstanceArn": center["arn"], "PermissionSetArn": center["set_arn"]}
    assert "explicit deny" in refusal(sso.delete_permission_set, **request)["Message"]
    assert sso.describe_permission_set(**request)["PermissionSet"]["Name"] == "Readers"


@pytest.mark.parametrize(
    ("service", "operation", "members", "found"),
    [
        ("sso-admin", "ListInstances", {}, ["*"]),
        ("sso-admin", "CreatePermissionSet", {"InstanceArn": 7}, ["*"]),
        ("sso-admin", "TagResource", {"InstanceArn": "i", "ResourceArn": "i"}, ["i"]),
        (
            "identitystore",
            "IsMemberInGroups",
            {"IdentityStoreId": "d-1", "MemberId": {"UserId": "u"}, "GroupIds": ["g", "arn:x:::group/h"]},
            [
                f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-1",
                "arn:aws:identitystore:::user/u",
                "arn:aws:identitystore:::group/g",
                "arn:aws:identitystore:::group/h",
            ],
        ),
        ("identitystore", "ListUsers", {}, ["arn:aws:identitystore:::user/*"]),
    ],
)
def test_resources_are_read_from_the_requests_members(gateway_client, service, operation, members, found):
    caller = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ana", "AKIA")
    with gateway_client.store.transaction() as connection:
        assert resources_of(connection, caller, service, operation, members) == found
