"""Permission sets and assignments as boto3 sees them, down to the roles in the accounts' IAM."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

VIEW_ONLY = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
INLINE = json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}})


class Administrator:
    """The lesson's administrator: an instance, a permission set, a group, and a member account."""

    def __init__(self, gateway_client) -> None:
        self.client = gateway_client
        self.instance = {"InstanceArn": gateway_client.console("POST", "instance")["instance_arn"]}
        self.sso = gateway_client.client("sso-admin")
        self.account = sorted(gateway_client.double.account_ids() - {gateway_client.management_account_id})[0]
        created = self.sso.create_permission_set(**self.instance, Name="Viewer", SessionDuration="PT4H")
        self.permission_set = self.instance | {
            "PermissionSetArn": created["PermissionSet"]["PermissionSetArn"]
        }
        identity_store = gateway_client.client("identitystore")
        store_id = self.sso.describe_instance(**self.instance)["IdentityStoreId"]
        group = identity_store.create_group(IdentityStoreId=store_id, DisplayName="Viewers")
        self.assignment = self.permission_set | {
            "TargetId": self.account,
            "TargetType": "AWS_ACCOUNT",
            "PrincipalType": "GROUP",
            "PrincipalId": group["GroupId"],
        }

    def assign(self) -> dict:
        started = self.sso.create_account_assignment(**self.assignment)["AccountAssignmentCreationStatus"]
        assert started["Status"] == "IN_PROGRESS"
        self.client.advance_clock(1)
        return self.sso.describe_account_assignment_creation_status(
            **self.instance, AccountAssignmentCreationRequestId=started["RequestId"]
        )["AccountAssignmentCreationStatus"]

    def provision(self) -> None:
        started = self.sso.provision_permission_set(
            **self.permission_set, TargetType="ALL_PROVISIONED_ACCOUNTS"
        )["PermissionSetProvisioningStatus"]
        self.client.advance_clock(1)
        status = self.sso.describe_permission_set_provisioning_status(
            **self.instance, ProvisionPermissionSetRequestId=started["RequestId"]
        )["PermissionSetProvisioningStatus"]
        assert status["Status"] == "SUCCEEDED", status

    def iam(self):
        return self.client.client("iam", account=self.account)

    def roles(self) -> list[dict]:
        roles = self.iam().list_roles(PathPrefix="/aws-reserved/sso.amazonaws.com/")["Roles"]
        return [role for role in roles if role["RoleName"].startswith("AWSReservedSSO_")]

    def attached(self) -> set[str]:
        (role,) = self.roles()
        policies = self.iam().list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
        return {policy["PolicyArn"] for policy in policies}


@pytest.fixture
def administrator(gateway_client) -> Administrator:
    return Administrator(gateway_client)


def test_an_assignment_makes_the_role_and_its_deletion_takes_it_away(administrator):
    administrator.sso.attach_managed_policy_to_permission_set(
        **administrator.permission_set, ManagedPolicyArn=VIEW_ONLY
    )
    administrator.sso.put_inline_policy_to_permission_set(**administrator.permission_set, InlinePolicy=INLINE)
    assert administrator.assign()["Status"] == "SUCCEEDED"
    (role,) = administrator.roles()
    assert role["RoleName"].startswith("AWSReservedSSO_Viewer_")
    assert role["MaxSessionDuration"] == 43_200
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert "sts:AssumeRoleWithSAML" in statement["Action"]
    assert administrator.attached() == {VIEW_ONLY}
    (name,) = administrator.iam().list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    document = administrator.iam().get_role_policy(RoleName=role["RoleName"], PolicyName=name)[
        "PolicyDocument"
    ]
    assert document == json.loads(INLINE)
    administrator.sso.delete_account_assignment(**administrator.assignment)
    administrator.client.advance_clock(1)
    assert administrator.roles() == []
    administrator.sso.delete_permission_set(**administrator.permission_set)


def test_a_change_reaches_the_role_when_it_is_provisioned_and_survives_a_restart(administrator):
    administrator.assign()
    administrator.sso.attach_managed_policy_to_permission_set(
        **administrator.permission_set, ManagedPolicyArn=READ_ONLY
    )
    assert administrator.attached() == set()
    administrator.provision()
    assert administrator.attached() == {READ_ONLY}
    administrator.client.restart()
    assert administrator.attached() == {READ_ONLY}


def test_a_customer_managed_policy_is_looked_for_in_the_target_account(administrator):
    administrator.sso.attach_customer_managed_policy_reference_to_permission_set(
        **administrator.permission_set, CustomerManagedPolicyReference={"Name": "Deploy", "Path": "/team/"}
    )
    policy = json.dumps({"Version": "2012-10-17", "Statement": [json.loads(INLINE)["Statement"]]})
    elsewhere = administrator.client.client("iam")
    elsewhere.create_policy(PolicyName="Deploy", Path="/team/", PolicyDocument=policy)
    status = administrator.assign()
    assert status["Status"] == "FAILED"
    assert f"arn:aws:iam::{administrator.account}:policy/team/Deploy" in status["FailureReason"]
    assert administrator.roles() == []
    administrator.iam().create_policy(PolicyName="Deploy", Path="/team/", PolicyDocument=policy)
    assert administrator.assign()["Status"] == "SUCCEEDED"
    assert administrator.attached() == {f"arn:aws:iam::{administrator.account}:policy/team/Deploy"}


def test_a_delegated_administrator_creates_permission_sets(administrator):
    delegate = administrator.client.client("sso-admin", account=administrator.account)
    with pytest.raises(ClientError) as caught:
        delegate.create_permission_set(**administrator.instance, Name="Delegated")
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    administrator.client.client("organizations").register_delegated_administrator(
        AccountId=administrator.account, ServicePrincipal="sso.amazonaws.com"
    )
    created = delegate.create_permission_set(**administrator.instance, Name="Delegated")
    assert created["PermissionSet"]["Name"] == "Delegated"


def test_paginators_see_every_permission_set(administrator):
    for number in range(4):
        administrator.sso.create_permission_set(**administrator.instance, Name=f"Set{number}")
    pages = administrator.sso.get_paginator("list_permission_sets").paginate(
        **administrator.instance, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["PermissionSets"]) for page in pages] == [2, 2, 1]


def test_deleting_the_instance_takes_its_roles_away(administrator):
    administrator.assign()
    assert len(administrator.roles()) == 1
    administrator.sso.delete_instance(**administrator.instance)
    assert administrator.roles() == []
    assert administrator.sso.list_instances()["Instances"] == []
