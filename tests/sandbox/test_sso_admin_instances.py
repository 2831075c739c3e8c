"""Instances: who may enable, see, change and delete one."""

from __future__ import annotations

import re

import pytest
from handler_harness import DEVELOPMENT, MANAGEMENT, PRODUCTION, SECURITY, Harness

from idc_sandbox.api.sso_admin.instances import enable_organization_instance
from idc_sandbox.errors import ServiceError


@pytest.fixture
def center(tmp_path) -> Harness:
    return Harness(tmp_path / "sandbox.db")


def create_account_instance(center: Harness, account: str = DEVELOPMENT, **request) -> str:
    return center.call("sso-admin", "CreateInstance", caller_account=account, **request)["InstanceArn"]


def describe(center: Harness, instance_arn: str, account: str = DEVELOPMENT, **options) -> dict:
    return center.call(
        "sso-admin", "DescribeInstance", caller_account=account, InstanceArn=instance_arn, **options
    )


def test_the_organization_instance_describes_itself(center):
    instance = describe(center, center.instance_arn, MANAGEMENT)
    assert re.fullmatch(r"arn:aws:sso:::instance/ssoins-7223[0-9a-f]{12}", instance["InstanceArn"])
    store_id = instance["IdentityStoreId"]
    assert instance["IdentityStoreArn"] == f"arn:aws:identitystore::{MANAGEMENT}:identitystore/{store_id}"
    assert (instance["Status"], instance["Name"]) == ("ACTIVE", "practice")
    assert (instance["PrimaryRegion"], instance["OwnerAccountId"]) == ("us-east-1", MANAGEMENT)
    assert instance["PermissionSetsEnabled"] is True
    assert instance["EncryptionConfigurationDetails"] == {
        "KeyType": "AWS_OWNED_KMS_KEY",
        "EncryptionStatus": "ENABLED",
    }
    assert "NetworkConfigurationDetails" not in instance


@pytest.mark.parametrize(
    ("account", "code"), [(DEVELOPMENT, "AccessDeniedException"), (MANAGEMENT, "ConflictException")]
)
def test_only_the_management_account_enables_the_organization_instance_and_once(center, account, code):
    with pytest.raises(ServiceError) as caught, center.context(account) as context:
        enable_organization_instance(context, region="eu-west-1")
    assert caught.value.code == code


def test_the_organization_instance_is_listed_for_every_account(center):
    for account in (MANAGEMENT, DEVELOPMENT):
        (instance,) = center.call("sso-admin", "ListInstances", caller_account=account)["Instances"]
        assert instance["InstanceArn"] == center.instance_arn
        assert instance["Regions"][0]["IsPrimaryRegion"] is True


def test_enabling_the_organization_instance_enables_trusted_access(center):
    assert center.double.trusted_services == {"sso.amazonaws.com"}


def test_an_account_instance_is_created_in_a_while(center):
    instance_arn = create_account_instance(center, Name="mine", Tags=[{"Key": "team", "Value": "a"}])
    assert describe(center, instance_arn)["Status"] == "CREATE_IN_PROGRESS"
    with pytest.raises(ServiceError, match="CREATE_IN_PROGRESS: wait"):
        center.call(
            "sso-admin", "UpdateInstance", caller_account=DEVELOPMENT, InstanceArn=instance_arn, Name="x"
        )
    center.wait()
    instance = describe(center, instance_arn)
    assert (instance["Status"], instance["PermissionSetsEnabled"]) == ("ACTIVE", False)
    tags = center.call(
        "sso-admin", "ListTagsForResource", caller_account=DEVELOPMENT, ResourceArn=instance_arn
    )
    assert tags["Tags"] == [{"Key": "team", "Value": "a"}]


def test_an_account_has_one_instance_whatever_the_region(center):
    first = create_account_instance(center, ClientToken="one")
    assert create_account_instance(center, ClientToken="one") == first
    for token, region in (("two", "us-east-1"), ("three", "eu-west-1")):
        with pytest.raises(ServiceError, match=first) as caught:
            create_account_instance(center, ClientToken=token, region=region)
        assert caught.value.code == "ConflictException"


def test_the_management_account_cannot_have_an_account_instance(center):
    with pytest.raises(ServiceError, match="management account") as caught:
        create_account_instance(center, MANAGEMENT)
    assert caught.value.code == "ValidationException"


def test_an_account_instance_is_seen_by_its_own_account_alone(center):
    instance_arn = create_account_instance(center)
    seen = {
        account: {
            instance["InstanceArn"]
            for instance in center.call("sso-admin", "ListInstances", caller_account=account)["Instances"]
        }
        for account in (DEVELOPMENT, PRODUCTION, MANAGEMENT)
    }
    assert seen[DEVELOPMENT] == {center.instance_arn, instance_arn}
    assert seen[PRODUCTION] == seen[MANAGEMENT] == {center.instance_arn}


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("CreatePermissionSet", {"Name": "Admin"}),
        ("ListPermissionSets", {}),
        ("ListAccountAssignmentCreationStatus", {}),
        ("ListPermissionSetsProvisionedToAccount", {"AccountId": DEVELOPMENT}),
    ],
)
def test_account_instances_have_no_permission_sets(center, operation, request_):
    instance_arn = create_account_instance(center)
    center.wait()
    message = center.refused(
        operation, "ValidationException", InstanceArn=instance_arn, caller_account=DEVELOPMENT, **request_
    )
    assert message == "This operation is not supported for account instances"


def test_listing_is_regional_unless_asked_otherwise(center):
    instance_arn = create_account_instance(center, region="eu-west-1")

    def listed(**request):
        answer = center.call(
            "sso-admin", "ListInstances", caller_account=DEVELOPMENT, region="eu-west-1", **request
        )
        return {instance["InstanceArn"] for instance in answer["Instances"]}

    assert listed() == listed(RegionScope="CURRENT_REGION") == {instance_arn}
    assert listed(RegionScope="ALL_REGIONS") == {instance_arn, center.instance_arn}


def test_a_page_of_instances_has_ten_at_most(center):
    for number in range(11):
        center.execute(
            "INSERT INTO instance (instance_arn, identity_store_id, owner_account_id, kind, region, status,"
            " created_at) VALUES (?, ?, ?, 'ORGANIZATION', 'us-east-1', 'ACTIVE', 1.0)",
            f"arn:aws:sso:::instance/ssoins-{number:016d}",
            f"d-{number:010d}",
            f"{number:012d}",
        )
    first = center.call("sso-admin", "ListInstances", MaxResults=100)
    second = center.call("sso-admin", "ListInstances", MaxResults=100, NextToken=first["NextToken"])
    assert (len(first["Instances"]), len(second["Instances"])) == (10, 2)
    assert "NextToken" not in second


@pytest.mark.parametrize(
    ("account", "region", "instance_arn"),
    [
        (DEVELOPMENT, "us-east-1", None),
        (MANAGEMENT, "eu-west-1", None),
        (MANAGEMENT, "us-east-1", "arn:aws:sso:::instance/ssoins-0000000000000000"),
    ],
    ids=["a member account", "another Region", "no such instance"],
)
def test_an_instance_that_is_not_yours_here_is_denied(center, account, region, instance_arn):
    with pytest.raises(ServiceError) as caught:
        describe(center, instance_arn or center.instance_arn, account, region=region)
    assert caught.value.code == "AccessDeniedException"


def test_a_name_is_changed_alone(center):
    center.sso("UpdateInstance", Name="school")
    assert describe(center, center.instance_arn, MANAGEMENT)["Name"] == "school"
    center.sso("UpdateInstance", NetworkConfiguration={"VpceAccessRequired": False})
    assert describe(center, center.instance_arn, MANAGEMENT)["Name"] == "school"


def test_an_update_sets_one_configuration_at_a_time(center):
    message = center.refused(
        "UpdateInstance",
        "ValidationException",
        PermissionSetsEnabled=True,
        NetworkConfiguration={"VpceAccessRequired": False},
    )
    assert "PermissionSetsEnabled, NetworkConfiguration" in message


def test_permission_sets_are_turned_on_once_and_for_all(center):
    center.execute("UPDATE instance SET permission_sets_enabled = 0")
    message = center.refused("ListPermissionSets", "ValidationException")
    assert "UpdateInstance(PermissionSetsEnabled=true)" in message
    center.refused("UpdateInstance", "ValidationException", PermissionSetsEnabled=False)
    center.sso("UpdateInstance", PermissionSetsEnabled=True)
    assert center.sso("ListPermissionSets") == {"PermissionSets": []}


def test_a_customer_managed_key_needs_its_arn(center):
    key_arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
    for configuration in (
        {"KeyType": "CUSTOMER_MANAGED_KEY"},
        {"KeyType": "AWS_OWNED_KMS_KEY", "KmsKeyArn": key_arn},
    ):
        center.refused("UpdateInstance", "ValidationException", EncryptionConfiguration=configuration)
    center.sso(
        "UpdateInstance",
        EncryptionConfiguration={"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": key_arn},
    )
    details = describe(center, center.instance_arn, MANAGEMENT)["EncryptionConfigurationDetails"]
    assert details["KmsKeyArn"] == key_arn


def test_a_network_configuration_replaces_the_one_before(center):
    vpc_arn = "arn:aws:ec2:us-east-1:111122223333:vpc/vpc-01234567"

    def network():
        return describe(center, center.instance_arn, MANAGEMENT)["NetworkConfigurationDetails"]

    center.sso(
        "UpdateInstance",
        NetworkConfiguration={"VpceAccessRequired": True, "RestrictSourceVpcs": [vpc_arn]},
    )
    assert network()["RestrictSourceVpcs"] == [vpc_arn]
    center.sso(
        "UpdateInstance", NetworkConfiguration={"VpceAccessRequired": True, "AllowSourceIps": ["10.0.0.0/8"]}
    )
    assert (network()["RestrictSourceVpcs"], network()["AllowSourceIps"]) == ([], ["10.0.0.0/8"])
    center.sso(
        "UpdateInstance", NetworkConfiguration={"VpceAccessRequired": False, "AllowSourceIps": ["10.0.0.0/8"]}
    )
    assert network()["AllowSourceIps"] == []


@pytest.mark.parametrize(
    "configuration",
    [
        {"PermissionSetsEnabled": True},
        {
            "EncryptionConfiguration": {
                "KeyType": "CUSTOMER_MANAGED_KEY",
                "KmsKeyArn": "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef",
            }
        },
    ],
)
def test_account_instances_have_no_organization_features(center, configuration):
    instance_arn = create_account_instance(center)
    center.wait()
    message = center.refused(
        "UpdateInstance",
        "ValidationException",
        InstanceArn=instance_arn,
        caller_account=DEVELOPMENT,
        **configuration,
    )
    assert "not supported for account instances" in message


def test_deleting_the_instance_leaves_nothing_of_it(center):
    permission_set_arn = center.add_permission_set("Admin", Tags=[{"Key": "a", "Value": "b"}])
    center.assign(permission_set_arn, center.add_group("Admins"))
    assert center.double.roles
    center.sso("DeleteInstance")
    assert center.double.roles == {}
    assert center.call("sso-admin", "ListInstances") == {"Instances": []}
    for table in (
        "permission_set",
        "account_assignment",
        "provisioned_permission_set",
        "tag",
        "identity_group",
    ):
        assert center.execute(f"SELECT count(*) FROM {table}")[0][0] == 0, table
    for operation in ("DescribeInstance", "ListPermissionSets"):
        assert "has been deleted" in center.refused(operation, "AccessDeniedException")
    with center.context() as context:
        assert enable_organization_instance(context) != center.instance_arn


def test_only_the_owner_deletes_the_instance(center):
    center.double.delegates.add(SECURITY)
    assert describe(center, center.instance_arn, SECURITY)["Status"] == "ACTIVE"
    message = center.refused("DeleteInstance", "AccessDeniedException", caller_account=SECURITY)
    assert MANAGEMENT in message
