"""What policies see of a person's role session: who it is, since when, and the attributes of ABAC.

AWS's own containment is a deny by user id, in a permission set's inline policy or in an SCP; each is tried
with a person's real credentials, which were good before.
"""

from __future__ import annotations

import datetime
import json

import pytest
from botocore.exceptions import ClientError
from portal_harness import Portal

from idc_sandbox import store

ATTRIBUTES = {
    "CostCenter": "${path:enterprise.costCenter}",
    "Mail": "${path:emails[primary eq true].value}",
    "Family": "${path:name.familyName}",
    "Login": "${path:userName}",
    "Nothing": "${path:title}",
    "Wrong": "a text",
    "Whole": "${path:name}",
}


class Team:
    """Two people with one permission set in one account, and what their credentials may do there."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.account_id = portal.accounts["Development"]
        self.people = {"ana": portal.user_id, "ben": portal.add_user("ben")}
        self.set_arn = portal.add_permission_set("Work", "AdministratorAccess")
        for user_id in self.people.values():
            portal.assign(self.set_arn, self.account_id, PrincipalId=user_id)
        self.store_arn = (
            f"arn:aws:identitystore::{portal.clients.management_account_id}"
            f":identitystore/{portal.instance['IdentityStoreId']}"
        )
        self.keys: dict[str, dict[str, str]] = {}

    def sign_in(self, name: str) -> None:
        tokens = self.portal.log_in(self.portal.sign_in(self.people[name]))
        self.keys[name] = self.portal.role_credentials(tokens["accessToken"], self.account_id, "Work")

    def may_work(self, name: str) -> bool:
        try:
            self.portal.clients.client("iam", credentials=self.keys[name]).list_users()
        except ClientError as error:
            if "explicit deny" not in str(error):
                raise
            return False
        return True

    def deny(self, condition: dict, where: str) -> None:
        statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        if where == "inline policy":
            place = {"InstanceArn": self.portal.instance["InstanceArn"], "PermissionSetArn": self.set_arn}
            self.portal.sso_admin.put_inline_policy_to_permission_set(**place, InlinePolicy=document)
            self.portal.sso_admin.provision_permission_set(**place, TargetType="ALL_PROVISIONED_ACCOUNTS")
            self.portal.sso_admin.list_instances()  # settles what is due
            return
        organizations = self.portal.clients.client("organizations")
        root_id = organizations.list_roots()["Roots"][0]["Id"]
        organizations.enable_policy_type(RootId=root_id, PolicyType="SERVICE_CONTROL_POLICY")
        policy = organizations.create_policy(
            Content=document, Description="", Name="Contain", Type="SERVICE_CONTROL_POLICY"
        )
        organizations.attach_policy(PolicyId=policy["Policy"]["PolicySummary"]["Id"], TargetId=root_id)


@pytest.fixture
def team(portal) -> Team:
    return Team(portal)


def turn_abac_on(portal: Portal) -> None:
    attributes = [{"Key": key, "Value": {"Source": [source]}} for key, source in ATTRIBUTES.items()]
    portal.sso_admin.create_instance_access_control_attribute_configuration(
        InstanceArn=portal.instance["InstanceArn"],
        InstanceAccessControlAttributeConfiguration={"AccessControlAttributes": attributes},
    )


def set_cost_center(portal: Portal, user_id: str, value: str) -> None:
    portal.identity_store.update_user(
        IdentityStoreId=portal.instance["IdentityStoreId"],
        UserId=user_id,
        Operations=[
            {"AttributePath": "aws:identitystore:enterprise.costCenter", "AttributeValue": value},
        ],
    )


# What the deny asks for, of a team; the person it is meant for is ana.
CONDITIONS = {
    "user id": lambda team: {"StringEquals": {"identitystore:UserId": team.people["ana"]}},
    "user id, other case": lambda team: {"StringEquals": {"identitystore:userId": [team.people["ana"]]}},
    "user id and store": lambda team: {
        "StringEquals": {"identitystore:UserId": team.people["ana"]},
        "ArnEquals": {"identitystore:IdentityStoreArn": team.store_arn},
    },
    "cost center": lambda _team: {"StringEquals": {"aws:PrincipalTag/CostCenter": "red"}},
    "e-mail address": lambda _team: {"StringLike": {"aws:PrincipalTag/Mail": "ana@*"}},
    "user name": lambda _team: {"StringEquals": {"aws:PrincipalTag/Login": "ana"}},
    "session's name": lambda _team: {"StringLike": {"aws:userId": "*:ana"}},
}


@pytest.mark.parametrize("where", ["inline policy", "SCP"])
@pytest.mark.parametrize("what", CONDITIONS)
def test_a_deny_contains_one_person_and_nobody_else(team, what, where):
    turn_abac_on(team.portal)
    set_cost_center(team.portal, team.people["ana"], "red")
    for name in team.people:
        team.sign_in(name)
        assert team.may_work(name)
    team.deny(CONDITIONS[what](team), where)
    assert [team.may_work(name) for name in ("ana", "ben")] == [False, True]
    team.sign_in("ana")
    assert not team.may_work("ana"), "signing in again does not help"


@pytest.mark.parametrize("where", ["inline policy", "SCP"])
def test_a_cleaned_user_returns_with_a_newer_session(team, where):
    """AWS's playbook: deny by user id what was issued before a moment, so that who signs in anew may work."""
    team.sign_in("ana")
    with team.portal.clients.store.transaction() as connection:
        moment = datetime.datetime.fromtimestamp(store.now(connection) + 5, datetime.UTC)
    condition = {
        "StringEquals": {"identitystore:UserId": team.people["ana"]},
        "DateLessThan": {"aws:TokenIssueTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }
    team.deny(condition, where)
    assert not team.may_work("ana")
    team.portal.clients.advance_clock(10)
    team.sign_in("ana")
    assert team.may_work("ana")


def test_attributes_are_session_tags_only_while_abac_is_on_and_where_the_user_has_them(team):
    set_cost_center(team.portal, team.people["ana"], "red")
    team.sign_in("ana")
    assert tags_of(team, "ana") == {}
    turn_abac_on(team.portal)
    team.sign_in("ana")
    expected = {"costcenter": "red", "mail": "ana@example.com", "family": "Test", "login": "ana"}
    assert tags_of(team, "ana") == expected
    team.sign_in("ben")
    assert "costcenter" not in tags_of(team, "ben")
    set_cost_center(team.portal, team.people["ana"], "blue")
    assert tags_of(team, "ana")["costcenter"] == "red", "a session keeps what it began with"


def tags_of(team: Team, name: str) -> dict[str, str]:
    double = team.portal.clients.double
    key = double.secret_of(team.keys[name]["aws_access_key_id"])
    context = double.access_policies(key.caller).context
    prefix = "aws:principaltag/"
    return {key.removeprefix(prefix): value for key, value in context.items() if key.startswith(prefix)}


def test_one_reads_the_reports_of_ones_own_cost_center(portal):
    """What notebook 02 says of ABAC, with a permission set like the one that the lesson makes."""
    turn_abac_on(portal)
    set_cost_center(portal, portal.user_id, "4711")
    account_id = portal.accounts["Development"]
    set_arn = portal.add_permission_set("Reports")
    place = "arn:aws:s3:::reports/${aws:PrincipalTag/CostCenter, 'none'}/*"
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": place}
    portal.sso_admin.put_inline_policy_to_permission_set(
        InstanceArn=portal.instance["InstanceArn"],
        PermissionSetArn=set_arn,
        InlinePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    portal.assign(set_arn, account_id)
    s3 = portal.clients.client("s3", account=account_id)
    s3.create_bucket(Bucket="reports")
    for center in ("4711", "0815", "none"):
        s3.put_object(Bucket="reports", Key=f"{center}/may.csv", Body=b"1")

    def readable() -> list[str]:
        tokens = portal.log_in()
        keys = portal.role_credentials(tokens["accessToken"], account_id, "Reports")
        reader, found = portal.clients.client("s3", credentials=keys), []
        for center in ("4711", "0815", "none"):
            try:
                reader.get_object(Bucket="reports", Key=f"{center}/may.csv")
                found.append(center)
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDenied":
                    raise
        return found

    assert readable() == ["4711"]
    portal.sso_admin.delete_instance_access_control_attribute_configuration(
        InstanceArn=portal.instance["InstanceArn"]
    )
    assert readable() == ["none"]


def test_sessions_survive_a_restart_with_what_they_carry(team):
    team.sign_in("ana")
    team.portal.clients.restart()
    team.deny({"StringEquals": {"identitystore:UserId": team.people["ana"]}}, "SCP")
    assert not team.may_work("ana")


def test_every_temporary_key_says_since_when_and_a_users_own_does_not(portal):
    double, clients = portal.clients.double, portal.clients
    session = clients.client("sts").get_session_token()["Credentials"]
    access_role = clients.credentials(portal.accounts["Development"])
    for key_id in (session["AccessKeyId"], access_role["aws_access_key_id"]):
        context = double.access_policies(double.secret_of(key_id).caller).context
        assert datetime.datetime.fromisoformat(context["aws:tokenissuetime"]).tzinfo is not None
        assert "identitystore:userid" not in context
    administrator = double.secret_of(clients.administrator_key()[0])
    assert "aws:tokenissuetime" not in double.access_policies(administrator.caller).context
