"""What a caller may do, by its policies: for moto's services and for Identity Center's alike."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError


def refusal(call, *arguments, **options) -> dict[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    return caught.value.response["Error"]


def document(*statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions, resource="*", **more) -> dict:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions, resource="*", **more) -> dict:
    return {"Effect": "Deny", "Action": list(actions), "Resource": resource, **more}


def user_with(gateway_client, *statements, name="ana", managed=None) -> dict[str, str]:
    """Return the credentials of a new IAM user of the management account."""
    iam = gateway_client.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document(*statements))
    if managed:
        iam.attach_user_policy(UserName=name, PolicyArn=f"arn:aws:iam::aws:policy/{managed}")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def clients(gateway_client, credentials, *services):
    return [gateway_client.client(service, credentials=credentials) for service in services]


def test_a_user_without_policies_may_only_ask_who_it_is(gateway_client):
    sts, iam, s3, sso, organizations = clients(
        gateway_client, user_with(gateway_client), "sts", "iam", "s3", "sso-admin", "organizations"
    )
    assert sts.get_caller_identity()["Arn"].endswith("user/ana")
    assert refusal(iam.list_users)["Code"] == "AccessDenied"
    assert refusal(s3.list_buckets)["Code"] == "AccessDenied"
    assert refusal(organizations.list_accounts)["Code"] == "AccessDeniedException"
    error = refusal(sso.list_instances)
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"].startswith(
        "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: sso:ListInstances"
    )


def test_read_only_access_reads_and_does_not_write(gateway_client):
    gateway_client.client("s3").create_bucket(Bucket="readable")
    gateway_client.client("s3").put_object(Bucket="readable", Key="k", Body=b"text")
    credentials = user_with(gateway_client, managed="ReadOnlyAccess")
    s3, iam, organizations = clients(gateway_client, credentials, "s3", "iam", "organizations")
    assert s3.get_object(Bucket="readable", Key="k")["Body"].read() == b"text"
    assert s3.head_object(Bucket="readable", Key="k")["ContentLength"] == 4
    assert s3.list_objects_v2(Bucket="readable")["KeyCount"] == 1
    assert [user["UserName"] for user in iam.list_users()["Users"]]
    assert len(organizations.list_accounts()["Accounts"]) == 5
    for call, options in (
        (s3.put_object, {"Bucket": "readable", "Key": "new", "Body": b"x"}),
        (s3.delete_object, {"Bucket": "readable", "Key": "k"}),
        (s3.delete_objects, {"Bucket": "readable", "Delete": {"Objects": [{"Key": "k"}]}}),
        (s3.create_multipart_upload, {"Bucket": "readable", "Key": "k"}),
        (s3.put_bucket_versioning, {"Bucket": "readable", "VersioningConfiguration": {"Status": "Enabled"}}),
        (s3.delete_bucket, {"Bucket": "readable"}),
        (s3.create_bucket, {"Bucket": "another"}),
        (iam.create_user, {"UserName": "new"}),
    ):
        assert refusal(call, **options)["Code"] == "AccessDenied", call
    assert refusal(organizations.create_account, AccountName="a", Email="a@example.com")["Code"] == (
        "AccessDeniedException"
    )
    assert gateway_client.client("s3").list_objects_v2(Bucket="readable")["KeyCount"] == 1


def test_a_role_of_a_permission_set_is_held_to_its_policies(gateway_client):
    account_id = gateway_client.member_account_ids()["Development"]
    boundary = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    gateway_client.client("s3", account=account_id).create_bucket(Bucket="theirs")
    iam = gateway_client.client("iam", account=account_id)
    for name, limits in (("Open", {}), ("Bounded", {"PermissionsBoundary": boundary})):
        trust = allow("sts:AssumeRole", Principal={"AWS": gateway_client.management_account_id})
        del trust["Resource"]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), **limits)
        iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    sessions = {name: assume(gateway_client, account_id, name) for name in ("Open", "Bounded")}
    for name, credentials in sessions.items():
        s3, organizations, iam = clients(gateway_client, credentials, "s3", "organizations", "iam")
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["theirs"]
        assert refusal(iam.create_user, UserName="no")["Code"] == "AccessDenied"
        if name == "Open":
            assert organizations.describe_organization()["Organization"]
        else:
            error = refusal(organizations.describe_organization)
            assert "boundary" in error["Message"]


def assume(gateway_client, account_id, role_name, credentials=None, **options) -> dict[str, str]:
    sts = gateway_client.client("sts", credentials=credentials)
    role_arn = f"arn:aws:iam::{account_id}:role/{role_name}"
    issued = sts.assume_role(RoleArn=role_arn, RoleSessionName="tests", **options)["Credentials"]
    return {
        "aws_access_key_id": issued["AccessKeyId"],
        "aws_secret_access_key": issued["SecretAccessKey"],
        "aws_session_token": issued["SessionToken"],
    }


def test_a_session_policy_narrows_a_session(gateway_client):
    account_id = gateway_client.member_account_ids()["Development"]
    narrow = document(allow("iam:ListUsers"))
    credentials = assume(gateway_client, account_id, "OrganizationAccountAccessRole", Policy=narrow)
    iam = gateway_client.client("iam", credentials=credentials)
    assert iam.list_users()["Users"] == []
    assert refusal(iam.list_roles)["Code"] == "AccessDenied"


def test_only_those_whom_a_role_trusts_assume_it(gateway_client):
    management_id = gateway_client.management_account_id
    iam = gateway_client.client("iam")
    credentials = user_with(gateway_client, allow("s3:*"))
    outsider = user_with(gateway_client, allow("s3:*"), name="bob")
    trust = allow("sts:AssumeRole", Principal={"AWS": f"arn:aws:iam::{management_id}:user/ana"})
    trust["Condition"] = {"StringEquals": {"sts:ExternalId": "secret"}}
    del trust["Resource"]
    iam.create_role(RoleName="named", AssumeRolePolicyDocument=document(trust))
    assert assume(gateway_client, management_id, "named", credentials, ExternalId="secret")
    for who, options in (
        (credentials, {}),
        (credentials, {"ExternalId": "other"}),
        (outsider, {"ExternalId": "secret"}),
    ):
        sts = gateway_client.client("sts", credentials=who)
        role_arn = f"arn:aws:iam::{management_id}:role/named"
        error = refusal(sts.assume_role, RoleArn=role_arn, RoleSessionName="tests", **options)
        assert error["Code"] == "AccessDenied"


def test_an_account_that_is_trusted_still_needs_its_own_policy(gateway_client):
    account_id = gateway_client.member_account_ids()["Production"]
    role_arn = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
    poor = gateway_client.client("sts", credentials=user_with(gateway_client, allow("s3:*")))
    assert refusal(poor.assume_role, RoleArn=role_arn, RoleSessionName="tests")["Code"] == "AccessDenied"
    rich = user_with(gateway_client, allow("sts:AssumeRole", resource=role_arn), name="rich")
    assert assume(gateway_client, account_id, "OrganizationAccountAccessRole", rich)


def test_a_role_that_does_not_exist_is_not_assumed(gateway_client):
    sts = gateway_client.client("sts")
    for role_arn in ("arn:aws:iam::111122223333:role/missing", "arn:aws:iam::999999999999:role/missing"):
        assert refusal(sts.assume_role, RoleArn=role_arn, RoleSessionName="tests")["Code"] == "AccessDenied"


def test_nobody_assumes_the_role_of_a_permission_set_directly(gateway_client):
    account_id = gateway_client.member_account_ids()["Development"]
    role_arn = gateway_client.double.put_reserved_role(
        account_id,
        role_name="AWSReservedSSO_Reader_0123456789abcdef",
        path="/aws-reserved/sso.amazonaws.com/",
        description="",
        max_session_duration_s=43_200,
        saml_provider_arn=f"arn:aws:iam::{account_id}:saml-provider/AWSSSO_0_DO_NOT_DELETE",
    )
    error = refusal(gateway_client.client("sts").assume_role, RoleArn=role_arn, RoleSessionName="tests")
    assert error["Code"] == "AccessDenied"


def test_an_explicit_deny_wins_and_names_itself(gateway_client):
    credentials = user_with(gateway_client, deny("iam:CreateUser"), managed="AdministratorAccess")
    (iam,) = clients(gateway_client, credentials, "iam")
    iam.create_group(GroupName="people")
    error = refusal(iam.create_user, UserName="new")
    assert error["Code"] == "AccessDenied"
    assert "explicit deny" in error["Message"]
    assert "arn:aws:iam::111122223333:user/new" in error["Message"]


def test_policies_of_groups_count(gateway_client):
    credentials = user_with(gateway_client)
    iam = gateway_client.client("iam")
    iam.create_group(GroupName="readers")
    iam.attach_group_policy(GroupName="readers", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    (own,) = clients(gateway_client, credentials, "iam")
    assert refusal(own.list_users)["Code"] == "AccessDenied"
    iam.add_user_to_group(GroupName="readers", UserName="ana")
    assert len(own.list_users()["Users"]) == 2
    iam.remove_user_from_group(GroupName="readers", UserName="ana")
    assert refusal(own.list_users)["Code"] == "AccessDenied"


def test_a_policy_for_one_bucket_opens_no_other(gateway_client):
    admin = gateway_client.client("s3")
    for bucket in ("mine", "yours"):
        admin.create_bucket(Bucket=bucket)
        admin.put_object(Bucket=bucket, Key="k", Body=b"text")
    credentials = user_with(
        gateway_client, allow("s3:*", resource=["arn:aws:s3:::mine", "arn:aws:s3:::mine/*"])
    )
    (s3,) = clients(gateway_client, credentials, "s3")
    assert s3.get_object(Bucket="mine", Key="k")["Body"].read() == b"text"
    s3.put_object(Bucket="mine", Key="new", Body=b"x")
    s3.delete_objects(Bucket="mine", Delete={"Objects": [{"Key": "new"}]})
    assert refusal(s3.get_object, Bucket="yours", Key="k")["Code"] == "AccessDenied"
    source = {"Bucket": "yours", "Key": "k"}
    assert refusal(s3.copy_object, Bucket="mine", Key="stolen", CopySource=source)["Code"] == "AccessDenied"
    assert s3.copy_object(Bucket="mine", Key="copy", CopySource={"Bucket": "mine", "Key": "k"})[
        "CopyObjectResult"
    ]


def test_a_policy_for_objects_is_enough_to_delete_many(gateway_client):
    admin = gateway_client.client("s3")
    admin.create_bucket(Bucket="mine")
    for key in ("a", "b"):
        admin.put_object(Bucket="mine", Key=key, Body=b"")
    credentials = user_with(gateway_client, allow("s3:DeleteObject", resource="arn:aws:s3:::mine/*"))
    (s3,) = clients(gateway_client, credentials, "s3")
    answer = s3.delete_objects(Bucket="mine", Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    assert {item["Key"] for item in answer["Deleted"]} == {"a", "b"}
    assert refusal(s3.delete_bucket, Bucket="mine")["Code"] == "AccessDenied"


def test_a_policy_with_a_variable_lets_everybody_at_their_own_user(gateway_client):
    own = allow("iam:GetUser", "iam:CreateAccessKey", resource="arn:aws:iam::*:user/${aws:username}")
    (iam,) = clients(gateway_client, user_with(gateway_client, own), "iam")
    assert iam.get_user(UserName="ana")["User"]["UserName"] == "ana"
    assert iam.create_access_key()["AccessKey"]["UserName"] == "ana"
    assert refusal(iam.get_user, UserName="sandbox-administrator")["Code"] == "AccessDenied"


def test_service_control_policies_bind_members_and_not_the_management_account(gateway_client):
    account_id = gateway_client.member_account_ids()["Development"]
    organizations = gateway_client.client("organizations")
    root_id = organizations.list_roots()["Roots"][0]["Id"]
    policy_id = organizations.create_policy(
        Content=document(deny("iam:CreateUser")),
        Description="No users",
        Name="NoUsers",
        Type="SERVICE_CONTROL_POLICY",
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy_id, TargetId=root_id)
    member, management = gateway_client.client("iam", account=account_id), gateway_client.client("iam")
    member.create_user(UserName="before")  # the policy type is not enabled yet
    organizations.enable_policy_type(RootId=root_id, PolicyType="SERVICE_CONTROL_POLICY")
    assert "explicit deny" in refusal(member.create_user, UserName="after")["Message"]
    assert member.list_users()["Users"]
    management.create_user(UserName="after")
    organizations.detach_policy(PolicyId=policy_id, TargetId=root_id)
    member.create_user(UserName="after")


def test_the_access_role_of_a_new_member_account_is_an_administrator(gateway_client):
    organizations = gateway_client.client("organizations")
    status = organizations.create_account(AccountName="New", Email="new@example.com")["CreateAccountStatus"]
    iam = gateway_client.client("iam", account=status["AccountId"])
    iam.create_user(UserName="first")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["first"]
    assert gateway_client.double.describe_account(status["AccountId"])[1] == "New"
