"""What a person reaches: assignments by user and group, credentials that are enforced, and their end."""

from __future__ import annotations

import json
import re

import pytest
from botocore.exceptions import ClientError

from idc_sandbox.api import portal as access
from idc_sandbox.sign_in.people import Refusal


@pytest.fixture
def member_id(portal):
    return next(
        one for one in sorted(portal.accounts.values()) if one != portal.clients.management_account_id
    )


def accounts(portal, tokens):
    pages = portal.portal.get_paginator("list_accounts").paginate(accessToken=tokens["accessToken"])
    return [one for page in pages for one in page["accountList"]]


def roles(portal, tokens, account_id):
    paginator = portal.portal.get_paginator("list_account_roles")
    pages = paginator.paginate(accessToken=tokens["accessToken"], accountId=account_id)
    return [one["roleName"] for page in pages for one in page["roleList"]]


def refused(code, function, **arguments):
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response


# --- what is listed


def test_nothing_is_listed_for_who_has_nothing(portal, member_id):
    tokens = portal.log_in()
    assert accounts(portal, tokens) == []
    answer = refused(
        "ForbiddenException",
        portal.portal.list_account_roles,
        accessToken=tokens["accessToken"],
        accountId=member_id,
    )
    assert answer["Error"]["Message"] == "No access"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_assignments_of_the_user_and_of_groups_are_listed_once(portal, member_id):
    group_id = portal.add_group("Developers", portal.user_id)
    read_only = portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess")
    audit = portal.add_permission_set("audit", "SecurityAudit")
    portal.assign(read_only, member_id)
    portal.assign(read_only, member_id, PrincipalType="GROUP", PrincipalId=group_id)
    portal.assign(audit, member_id, PrincipalType="GROUP", PrincipalId=group_id)
    portal.assign(audit, portal.clients.management_account_id)
    tokens = portal.log_in()
    listed = accounts(portal, tokens)
    names = [one["accountName"] for one in listed]
    assert names == sorted(names, key=str.casefold)
    assert {one["accountId"] for one in listed} == {member_id, portal.clients.management_account_id}
    assert all("@" in one["emailAddress"] for one in listed)
    assert roles(portal, tokens, member_id) == ["audit", "ReadOnlyAccess"]
    assert roles(portal, tokens, portal.clients.management_account_id) == ["audit"]
    other = portal.log_in(portal.sign_in(portal.add_user("bea")))
    assert accounts(portal, other) == []


def test_lists_come_in_pages(portal, member_id):
    for number in range(3):
        portal.assign(portal.add_permission_set(f"set-{number}"), member_id)
    tokens = portal.log_in()
    first = portal.portal.list_account_roles(
        accessToken=tokens["accessToken"], accountId=member_id, maxResults=2
    )
    assert [one["roleName"] for one in first["roleList"]] == ["set-0", "set-1"]
    second = portal.portal.list_account_roles(
        accessToken=tokens["accessToken"], accountId=member_id, nextToken=first["nextToken"]
    )
    assert [one["roleName"] for one in second["roleList"]] == ["set-2"]
    assert "nextToken" not in second
    for wrong in ("x", "日本", ""):
        if wrong:
            refused(
                "InvalidRequestException",
                portal.portal.list_accounts,
                accessToken=tokens["accessToken"],
                nextToken=wrong,
            )


def test_changes_show_at_once(portal, member_id):
    arn = portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess")
    group_id = portal.add_group("Developers")
    portal.assign(arn, member_id, PrincipalType="GROUP", PrincipalId=group_id)
    tokens = portal.log_in()
    assert accounts(portal, tokens) == []
    membership_id = portal.add_member(group_id, portal.user_id)
    assert roles(portal, tokens, member_id) == ["ReadOnlyAccess"]
    portal.remove_member(membership_id)
    assert accounts(portal, tokens) == []
    portal.assign(arn, member_id)
    assert roles(portal, tokens, member_id) == ["ReadOnlyAccess"]
    portal.unassign(arn, member_id)
    assert accounts(portal, tokens) == []


def test_the_documented_delay_of_group_changes_is_a_switch(portal, member_id):
    portal.clients.switches(propagation_delay_s=3_000)
    group_id = portal.add_group("Developers")
    arn = portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess")
    portal.assign(arn, member_id, PrincipalType="GROUP", PrincipalId=group_id)
    tokens = portal.log_in()
    membership_id = portal.add_member(group_id, portal.user_id)
    assert accounts(portal, tokens) == []
    portal.clients.advance_clock(3_001)
    assert roles(portal, tokens, member_id) == ["ReadOnlyAccess"]
    tokens = portal.refresh(tokens)
    portal.remove_member(membership_id)
    assert roles(portal, tokens, member_id) == ["ReadOnlyAccess"]
    portal.clients.advance_clock(2_990)
    assert roles(portal, tokens, member_id) == ["ReadOnlyAccess"]
    portal.clients.advance_clock(20)
    assert accounts(portal, tokens) == []
    portal.add_member(group_id, portal.user_id)
    assert accounts(portal, tokens) == []
    portal.clients.switches(propagation_delay_s=None)
    assert roles(portal, tokens, member_id) == ["ReadOnlyAccess"]


def test_an_account_that_is_suspended_is_not_shown(portal, member_id):
    arn = portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess")
    portal.assign(arn, member_id)
    portal.assign(arn, portal.clients.management_account_id)
    tokens = portal.log_in()
    portal.clients.client("organizations").close_account(AccountId=member_id)
    assert [one["accountId"] for one in accounts(portal, tokens)] == [portal.clients.management_account_id]


# --- credentials


def test_read_only_is_denied_a_write_and_administrator_access_is_not(portal, member_id):
    portal.assign(portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess"), member_id)
    portal.assign(portal.add_permission_set("AdministratorAccess", "AdministratorAccess"), member_id)
    tokens = portal.log_in()
    reader = portal.role_credentials(tokens["accessToken"], member_id, "ReadOnlyAccess")
    administrator = portal.role_credentials(tokens["accessToken"], member_id, "AdministratorAccess")
    identity = portal.clients.client("sts", credentials=reader).get_caller_identity()
    assert identity["Account"] == member_id
    assert re.fullmatch(
        rf"arn:aws:sts::{member_id}:assumed-role/AWSReservedSSO_ReadOnlyAccess_[0-9a-f]{{16}}/ana",
        identity["Arn"],
    )
    assert reader["aws_access_key_id"].startswith("ASIA")
    s3 = portal.clients.client("s3", credentials=reader)
    assert s3.list_buckets()["Buckets"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.create_bucket(Bucket="a-bucket-of-ana")
    portal.clients.client("s3", credentials=administrator).create_bucket(Bucket="a-bucket-of-ana")
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["a-bucket-of-ana"]


@pytest.mark.parametrize(("duration", "seconds"), [("PT1H", 3600), ("PT4H", 4 * 3600), ("PT12H", 12 * 3600)])
def test_credentials_stop_at_the_session_duration_of_the_set(portal, member_id, duration, seconds):
    portal.assign(
        portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess", SessionDuration=duration), member_id
    )
    tokens = portal.log_in()
    answer = portal.portal.get_role_credentials(
        accessToken=tokens["accessToken"], accountId=member_id, roleName="ReadOnlyAccess"
    )["roleCredentials"]
    now = portal.clients.double.now()
    assert answer["expiration"] / 1000 == pytest.approx(now + seconds, abs=60)
    credentials = portal.role_credentials(tokens["accessToken"], member_id, "ReadOnlyAccess")
    sts = portal.clients.client("sts", credentials=credentials)
    portal.clients.advance_clock(seconds - 60)
    sts.get_caller_identity()
    portal.clients.advance_clock(120)
    with pytest.raises(ClientError, match="ExpiredToken"):
        sts.get_caller_identity()


def test_keys_that_were_changed_or_invented_are_refused(portal, member_id):
    portal.assign(portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess"), member_id)
    good = portal.role_credentials(portal.log_in()["accessToken"], member_id, "ReadOnlyAccess")
    for change, code in (
        ({"aws_access_key_id": "ASIA" + "X" * 16}, "InvalidClientTokenId"),
        ({"aws_secret_access_key": "x" * 40}, "SignatureDoesNotMatch"),
        ({"aws_session_token": good["aws_session_token"][:-4] + "abcd"}, "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError, match=code):
            portal.clients.client("sts", credentials={**good, **change}).get_caller_identity()


@pytest.mark.parametrize("role_name", ["AdministratorAccess", "readonlyaccess", "", "x" * 5000, "日本"])
def test_a_role_that_one_does_not_have_is_refused(portal, member_id, role_name):
    portal.assign(portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess"), member_id)
    tokens = portal.log_in()
    for account in (member_id, portal.clients.management_account_id, "999999999999"):
        refused(
            "ForbiddenException",
            portal.portal.get_role_credentials,
            accessToken=tokens["accessToken"],
            accountId=account,
            roleName=role_name,
        )


def test_credentials_outlive_assignment_session_and_user_but_no_new_ones_come(portal, member_id):
    arn = portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess")
    portal.assign(arn, member_id)
    portal.assign(arn, member_id, PrincipalId=portal.add_user("bea"))  # so that the role stays
    tokens = portal.log_in()
    sts = portal.clients.client(
        "sts", credentials=portal.role_credentials(tokens["accessToken"], member_id, "ReadOnlyAccess")
    )
    portal.unassign(arn, member_id)
    wanted = {"accessToken": tokens["accessToken"], "accountId": member_id, "roleName": "ReadOnlyAccess"}
    refused("ForbiddenException", portal.portal.get_role_credentials, **wanted)
    portal.clients.console("POST", f"users/{portal.user_id}/disable")
    refused("UnauthorizedException", portal.portal.get_role_credentials, **wanted)
    assert sts.get_caller_identity()["Account"] == member_id


def test_a_deny_by_user_name_cuts_live_credentials(portal, member_id):
    arn = portal.add_permission_set("AdministratorAccess", "AdministratorAccess")
    portal.assign(arn, member_id)
    credentials = portal.role_credentials(portal.log_in()["accessToken"], member_id, "AdministratorAccess")
    s3 = portal.clients.client("s3", credentials=credentials)
    s3.list_buckets()
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    statement["Condition"] = {"StringLike": {"aws:UserId": "*:ana"}}
    instance_arn = portal.instance["InstanceArn"]
    portal.sso_admin.put_inline_policy_to_permission_set(
        InstanceArn=instance_arn,
        PermissionSetArn=arn,
        InlinePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    portal.sso_admin.provision_permission_set(
        InstanceArn=instance_arn, PermissionSetArn=arn, TargetType="ALL_PROVISIONED_ACCOUNTS"
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_buckets()


def test_a_role_that_somebody_deleted_gives_no_credentials(portal, member_id):
    portal.assign(portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess"), member_id)
    portal.do(access.issue_role_credentials, portal.user_id, member_id, "ReadOnlyAccess")
    (role_name,) = portal.clients.double.list_reserved_roles(member_id)
    portal.clients.double.delete_reserved_role(member_id, role_name)
    with pytest.raises(Refusal) as caught:
        portal.do(access.issue_role_credentials, portal.user_id, member_id, "ReadOnlyAccess")
    assert caught.value.code == "no-access"


@pytest.mark.parametrize(
    ("user_name", "session_name"),
    [("ana", "ana"), ("ana.maria+x@example.com", "ana.maria+x@example.com"), ("a", "a-"), ("Zoë", "Zo-"),
     ("x" * 128, "x" * 64), ("日本", "--")],
)  # fmt: skip
def test_a_session_is_named_as_sts_takes_it(user_name, session_name):
    assert access.role_session_name(user_name) == session_name
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", session_name, re.ASCII)


def test_credentials_and_login_survive_a_restart(portal, member_id):
    portal.assign(portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess"), member_id)
    tokens = portal.log_in()
    credentials = portal.role_credentials(tokens["accessToken"], member_id, "ReadOnlyAccess")
    portal.clients.restart()
    identity = portal.clients.client("sts", credentials=credentials).get_caller_identity()
    assert identity["Account"] == member_id
    assert roles(portal, tokens, member_id) == ["ReadOnlyAccess"]


# --- logging out


def test_a_logout_ends_the_session_its_tokens_and_nobody_elses(portal, member_id):
    portal.assign(portal.add_permission_set("ReadOnlyAccess", "ReadOnlyAccess"), member_id)
    first, second = portal.log_in(), portal.log_in()
    portal.portal.logout(accessToken=first["accessToken"])
    refused("UnauthorizedException", portal.portal.list_accounts, accessToken=first["accessToken"])
    refused("UnauthorizedException", portal.portal.logout, accessToken=first["accessToken"])
    refused("InvalidGrantException", portal.refresh, tokens=first)
    assert roles(portal, second, member_id) == ["ReadOnlyAccess"]
