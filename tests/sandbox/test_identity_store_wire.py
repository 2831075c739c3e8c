"""The identity store and the console as boto3 and the whole gateway see them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from identity_store_harness import attribute_operations, person

from idc_sandbox.errors import ServiceError


@pytest.fixture
def instance(gateway_client):
    """Enable the organization's instance and return its settings."""
    return gateway_client.console("POST", "instance", {"name": "practice"})


@pytest.fixture
def store(gateway_client, instance):
    """Return a boto3 client and the id of the organization's identity store."""
    client = gateway_client.client("identitystore")
    return client, client.list_identity_stores()["IdentityStores"][0]["IdentityStoreId"]


def test_the_console_enables_the_organization_instance_once(gateway_client, instance):
    listed = gateway_client.client("sso-admin").list_instances()["Instances"]
    assert [one["InstanceArn"] for one in listed] == [instance["instance_arn"]]
    assert listed[0]["Name"] == "practice"
    assert instance["sessions"]["user_interactive"] == "PT8H"
    with pytest.raises(ServiceError) as caught:
        gateway_client.console("POST", "instance")
    assert caught.value.code == "ConflictException"


def test_the_console_enables_the_instance_in_the_region_that_was_chosen(gateway_client):
    settings = gateway_client.console("POST", "instance", {"region": "eu-west-1"})
    assert ".portal.eu-west-1.app.aws" in settings["access_portal"]["urls"]["dual_stack"]
    assert gateway_client.client("sso-admin").list_instances()["Instances"] == []
    listed = gateway_client.client("sso-admin", region="eu-west-1").list_instances()["Instances"]
    assert listed[0]["PrimaryRegion"] == "eu-west-1"
    body = {"instance_arn": settings["instance_arn"], "user_interactive": "PT1H"}
    assert gateway_client.console("PUT", "settings/sessions", body)["user_interactive"] == "PT1H"


@pytest.mark.parametrize("body", [{"region": "Ireland"}, {"region": 7}, {"name": ""}, {"name": "x" * 256}])
def test_the_console_offers_no_other_regions_and_names(gateway_client, body):
    with pytest.raises(ServiceError) as caught:
        gateway_client.console("POST", "instance", body)
    assert caught.value.code == "ValidationException"
    assert gateway_client.client("sso-admin").list_instances()["Instances"] == []


def test_boto3_reads_what_it_wrote(store):
    client, store_id = store
    created = client.create_user(
        IdentityStoreId=store_id,
        **person(Emails=[{"Value": "ana@example.com", "Primary": True}]),
        Extensions={"aws:identitystore:enterprise": {"costCenter": "4711", "manager": {"value": "bo"}}},
    )
    client.update_user(
        IdentityStoreId=store_id,
        UserId=created["UserId"],
        Operations=attribute_operations(
            ("aws:identitystore:enterprise.department", "Audit"), ("emails", [{"value": "ana2@example.com"}])
        ),
    )
    user = client.describe_user(
        IdentityStoreId=store_id, UserId=created["UserId"], Extensions=["aws:identitystore:enterprise"]
    )
    assert user["Emails"] == [{"Value": "ana2@example.com"}]
    assert user["Extensions"]["aws:identitystore:enterprise"] == {
        "costCenter": "4711",
        "manager": {"value": "bo"},
        "department": "Audit",
    }
    assert user["CreatedAt"] <= user["UpdatedAt"]
    found = client.get_user_id(
        IdentityStoreId=store_id,
        AlternateIdentifier={"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": "ana"}},
    )
    assert found["UserId"] == user["UserId"]


def test_boto3_pages_through_users_and_groups(store):
    client, store_id = store
    for number in range(5):
        client.create_user(IdentityStoreId=store_id, **person(f"user{number}"))
        client.create_group(IdentityStoreId=store_id, DisplayName=f"group{number}")
    for operation, listed, name in (
        ("list_users", "Users", "UserName"),
        ("list_groups", "Groups", "DisplayName"),
    ):
        pages = client.get_paginator(operation).paginate(
            IdentityStoreId=store_id, PaginationConfig={"PageSize": 2}
        )
        assert [one[name][-1] for page in pages for one in page[listed]] == list("01234")


def test_errors_reach_boto3_with_their_members(store):
    client, store_id = store
    client.create_group(IdentityStoreId=store_id, DisplayName="Auditors")
    with pytest.raises(client.exceptions.ConflictException) as caught:
        client.create_group(IdentityStoreId=store_id, DisplayName="Auditors")
    assert caught.value.response["Reason"] == "UNIQUENESS_CONSTRAINT_VIOLATION"
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.describe_user(IdentityStoreId=store_id, UserId="11111111-2222-3333-4444-555555555555")
    assert caught.value.response["ResourceType"] == "USER"
    with pytest.raises(ClientError) as caught:
        client.create_user(IdentityStoreId=store_id, UserName="x" * 200)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "less than or equal to 128" in caught.value.response["Error"]["Message"]


def test_a_write_survives_a_restart(gateway_client, store):
    client, store_id = store
    group_id = client.create_group(IdentityStoreId=store_id, DisplayName="Auditors")["GroupId"]
    gateway_client.restart()
    group = gateway_client.client("identitystore").describe_group(IdentityStoreId=store_id, GroupId=group_id)
    assert group["DisplayName"] == "Auditors"


def test_a_change_to_active_directory_deletes_people_assignments_and_roles(gateway_client, instance, store):
    client, store_id = store
    administrator, iam = gateway_client.client("sso-admin"), gateway_client.client("iam")
    arn = {"InstanceArn": instance["instance_arn"]}
    user_id = client.create_user(IdentityStoreId=store_id, **person())["UserId"]
    group_id = client.create_group(IdentityStoreId=store_id, DisplayName="Auditors")["GroupId"]
    client.create_group_membership(IdentityStoreId=store_id, GroupId=group_id, MemberId={"UserId": user_id})
    permission_set = administrator.create_permission_set(Name="Audit", **arn)["PermissionSet"][
        "PermissionSetArn"
    ]
    named = {**arn, "PermissionSetArn": permission_set}
    target = {"TargetId": gateway_client.management_account_id, "TargetType": "AWS_ACCOUNT"}
    administrator.create_account_assignment(**named, **target, PrincipalType="GROUP", PrincipalId=group_id)
    gateway_client.advance_clock(60)
    reserved = {"PathPrefix": "/aws-reserved/"}
    account = {"AccountId": gateway_client.management_account_id}
    assert len(administrator.list_account_assignments(**named, **account)["AccountAssignments"]) == 1
    assert len(iam.list_roles(**reserved)["Roles"]) == 1

    body = {"instance_arn": instance["instance_arn"], "type": "active_directory"}
    answer = gateway_client.console("POST", "identity-source", body)

    assert answer["deleted"] == {"users": 1, "groups": 1, "account_assignments": 1}
    assert answer["identity_source"]["authentication_method"] == "active_directory"
    assert client.list_users(IdentityStoreId=store_id)["Users"] == []
    assert client.list_groups(IdentityStoreId=store_id)["Groups"] == []
    assert administrator.list_account_assignments(**named, **account)["AccountAssignments"] == []
    assert iam.list_roles(**reserved)["Roles"] == []
    assert administrator.list_permission_sets(**arn)["PermissionSets"] == [permission_set]


def test_an_assignment_that_was_under_way_fails_when_the_identity_source_changes(
    gateway_client, instance, store
):
    client, store_id = store
    administrator = gateway_client.client("sso-admin")
    gateway_client.switches(asynchronous_duration_s=3600)
    arn = {"InstanceArn": instance["instance_arn"]}
    group_id = client.create_group(IdentityStoreId=store_id, DisplayName="Auditors")["GroupId"]
    permission_set = administrator.create_permission_set(Name="Audit", **arn)["PermissionSet"][
        "PermissionSetArn"
    ]
    request_id = administrator.create_account_assignment(
        **arn,
        PermissionSetArn=permission_set,
        TargetId=gateway_client.management_account_id,
        TargetType="AWS_ACCOUNT",
        PrincipalType="GROUP",
        PrincipalId=group_id,
    )["AccountAssignmentCreationStatus"]["RequestId"]
    gateway_client.console(
        "POST", "identity-source", {"type": "active_directory", "instance_arn": arn["InstanceArn"]}
    )
    gateway_client.advance_clock(7200)
    status = administrator.describe_account_assignment_creation_status(
        **arn, AccountAssignmentCreationRequestId=request_id
    )["AccountAssignmentCreationStatus"]
    assert (status["Status"], status["FailureReason"]) == ("FAILED", "The identity source was changed.")
