"""``account-access`` and its runtime over the wire: application, entitlements, keys by a bearer token."""

from __future__ import annotations

import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from botocore.tokens import FrozenAuthToken

SERVICE = "account-access.amazonaws.com"
SCOPES = ["account_access:read_only", "account_access:assume"]


def trust(application_arn, account_id, *, actions=("sts:AssumeRole", "sts:SetContext"), **changes):
    condition = {"StringEquals": {"aws:SourceAccount": account_id, "aws:SourceArn": application_arn}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": list(actions),
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | changes]})


class AccountAccess:
    """The portal's house with an application of account access, and a role that trusts it."""

    def __init__(self, portal):
        self.portal, self.clients = portal, portal.clients
        self.management = self.clients.management_account_id
        self.organizations = self.clients.client("organizations")
        self.organizations.enable_aws_service_access(ServicePrincipal=SERVICE)
        self.client = self.clients.client("account-access")
        self.source = {"identityCenter": {"instanceArn": portal.instance["InstanceArn"]}}
        self.development = portal.accounts["Development"]
        self.arn = ""

    def create(self, **options):
        answer = self.client.create_application(identitySource=self.source, **options)
        self.arn = answer["applicationArn"]
        return self.arn

    def role(self, name="Builder", account=None, policy="AmazonS3ReadOnlyAccess", **options):
        """Make a role in a member account, and return its ARN; `options` change its trust."""
        iam = self.clients.client("iam", account=account or self.development)
        document = options.pop("document", None) or trust(
            self.arn, self.management, **options.pop("trust", {})
        )
        answer = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **options)["Role"]
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        return answer["Arn"]

    def entitle(self, role_arn, *, group=None, user=None, client=None):
        principal = {"groupId": group} if group else {"userId": user or self.portal.user_id}
        entitlement = {"principalRole": {"principal": {"identityCenter": principal}, "roleArn": role_arn}}
        answer = (client or self.client).create_entitlement(applicationArn=self.arn, entitlement=entitlement)
        return answer["entitlementId"]

    def listed(self, **wanted):
        pages = self.client.get_paginator("list_entitlements").paginate(
            applicationArn=self.arn,
            filter={"principalRole": wanted} if wanted else {},
            PaginationConfig={"PageSize": 1},
        )
        return [one for page in pages for one in page["entitlements"]]

    @property
    def tenant_id(self):
        return self.client.get_application(applicationArn=self.arn)["tenantId"]

    def runtime(self, token):
        """Return a client of the runtime with a bearer token, as botocore sends it over TLS."""
        session = boto3.Session(region_name="us-east-1")
        session._session.register_component("token_provider", Token(token))
        client = session.client("account-access-runtime", endpoint_url="https://127.0.0.1:8723")
        client.meta.events.register("before-send.*", self.clients._answer)
        return client

    def sign_in(self, scopes=SCOPES, user_id=None):
        tokens = self.portal.log_in(self.portal.sign_in(user_id), scopes=list(scopes))
        return self.runtime(tokens["accessToken"]), tokens


class Token:
    def __init__(self, token):
        self.token = token

    def load_token(self, **_options):
        return self

    def get_frozen_token(self):
        return FrozenAuthToken(self.token)


@pytest.fixture
def house(portal):
    return AccountAccess(portal)


@pytest.fixture
def access(house):
    house.create(tags={"team": "identity"})
    return house


def refused(call, *arguments, **options):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


# --- the application


def test_it_becomes_active_by_the_sandboxs_clock_and_is_deleted_so(house):
    house.clients.switches(asynchronous_duration_s=60.0)
    arn = house.create(tags={"a": "1"})
    about = house.client.get_application(applicationArn=arn)
    assert about["status"] == "CREATE_IN_PROGRESS"
    assert about["tags"] == {"a": "1"}
    assert about["tenantId"].startswith("aa-")
    assert about["identitySource"]["identityCenter"]["instanceArn"] == house.portal.instance["InstanceArn"]
    assert about["createdAt"] == about["updatedAt"]
    assert refused(house.client.delete_application, applicationArn=arn)[:2] == ("ConflictException", 409)
    assert refused(house.entitle, "arn:aws:iam::111122223333:role/x")[0] == "ConflictException"
    house.clients.advance_clock(61)
    house.client.get_waiter("application_active").wait(applicationArn=arn)
    (listed,) = house.client.list_applications()["applications"]
    assert (listed["applicationArn"], listed["tenantId"]) == (arn, about["tenantId"])
    house.client.delete_application(applicationArn=arn)
    assert house.client.get_application(applicationArn=arn)["status"] == "DELETE_IN_PROGRESS"
    house.client.delete_application(applicationArn=arn)
    house.clients.advance_clock(61)
    assert refused(house.client.get_application, applicationArn=arn)[:2] == ("ResourceNotFoundException", 404)
    answer = house.client.delete_application(applicationArn=arn)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert house.client.list_applications()["applications"] == []


def test_the_waiter_waits(house):
    house.clients.switches(asynchronous_duration_s=600.0)
    house.create()
    waiter = house.client.get_waiter("application_active")
    with pytest.raises(WaiterError, match="Max attempts"):
        waiter.wait(applicationArn=house.arn, WaiterConfig={"Delay": 0, "MaxAttempts": 2})


def test_identity_center_lists_its_own_application_beside_it(access):
    managed = access.client.get_application(applicationArn=access.arn)["identitySource"]["identityCenter"]
    sso, instance_arn = access.portal.sso_admin, access.portal.instance["InstanceArn"]
    (listed,) = sso.list_applications(InstanceArn=instance_arn)["Applications"]
    assert listed["ApplicationArn"] == managed["applicationArn"]
    access.client.delete_application(applicationArn=access.arn)
    assert sso.list_applications(InstanceArn=instance_arn)["Applications"] == []


def test_an_instance_has_one(access):
    assert refused(access.create)[:2] == ("AlreadyCreatedException", 400)


@pytest.mark.parametrize("kind", ["no trusted access", "a member account", "another Region", "no instance"])
def test_who_and_what_may_not_have_one(house, kind):
    client, source = house.client, house.source
    if kind == "no trusted access":
        house.organizations.disable_aws_service_access(ServicePrincipal=SERVICE)
        code = "AccessDeniedException"
    elif kind == "a member account":
        client, code = (
            house.clients.client("account-access", account=house.development),
            "AccessDeniedException",
        )
    elif kind == "another Region":
        client, code = house.clients.client("account-access", region="eu-west-1"), "ResourceNotFoundException"
    else:
        source = {"identityCenter": {"instanceArn": "arn:aws:sso:::instance/ssoins-0000000000000000"}}
        code = "ResourceNotFoundException"
    found = refused(client.create_application, identitySource=source)
    assert found[0] in (code, "ValidationException"), found


def test_a_delegated_administrator_manages_entitlements_and_not_the_application(access):
    security = access.portal.accounts["Security tooling"]
    member = access.clients.client("account-access", account=security)
    assert refused(member.get_application, applicationArn=access.arn)[:2] == ("AccessDeniedException", 403)
    assert member.list_applications()["applications"] == []
    access.organizations.register_delegated_administrator(AccountId=security, ServicePrincipal=SERVICE)
    assert member.get_application(applicationArn=access.arn)["status"] == "ACTIVE"
    assert access.entitle(access.role(), client=member)
    assert refused(member.delete_application, applicationArn=access.arn)[0] == "AccessDeniedException"


def test_tags_are_written_read_and_taken_away(access):
    client, arn = access.client, access.arn
    client.tag_resource(resourceArn=arn, tags={"a key": "ä /+=", "team": "other"})
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"a key": "ä /+=", "team": "other"}
    client.untag_resource(resourceArn=arn, tagKeys=["a key", "unknown"])
    assert client.get_application(applicationArn=arn)["tags"] == {"team": "other"}
    for tags in ({"": "x"}, {"k" * 129: "x"}, {"k": "v" * 257}, {"aws:k": "x"}, {"k": "<"}):
        assert refused(client.tag_resource, resourceArn=arn, tags=tags)[0] == "ValidationException"
    many = {f"k{number}": "" for number in range(50)}
    assert refused(client.tag_resource, resourceArn=arn, tags=many)[0] == "ValidationException"
    gone = arn.rpartition("/")[0] + "/0000000000000000"
    for call in (client.list_tags_for_resource, client.get_application):
        name = "resourceArn" if call == client.list_tags_for_resource else "applicationArn"
        assert refused(call, **{name: gone})[:2] == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("get_application", {"applicationArn": "ARN"}),
        ("create_application", {"identitySource": "SOURCE"}),
        ("delete_application", {"applicationArn": "ARN"}),
        ("list_applications", {}),
        ("list_entitlements", {"applicationArn": "ARN", "filter": {}}),
        ("list_tags_for_resource", {"resourceArn": "ARN"}),
        ("tag_resource", {"resourceArn": "ARN", "tags": {}}),
        ("untag_resource", {"resourceArn": "ARN", "tagKeys": ["x"]}),
    ],
)
def test_each_needs_its_permission_on_the_application(access, name, options):
    iam = access.clients.client("iam")
    iam.create_user(UserName="limited")
    keys = iam.create_access_key(UserName="limited")["AccessKey"]
    credentials = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    client = access.clients.client("account-access", credentials=credentials)
    given = {"ARN": access.arn, "SOURCE": access.source}
    values = {
        key: given.get(value, value) if isinstance(value, str) else value for key, value in options.items()
    }
    code, status, text = refused(getattr(client, name), **values)
    assert (code, status) == ("AccessDeniedException", 403)
    assert "not authorized to perform: account-access:" in text
    resource = access.arn if "ARN" in options.values() else "*"
    statement = {"Effect": "Allow", "Action": "account-access:*", "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="limited", PolicyName="access", PolicyDocument=document)
    if name == "create_application":
        assert refused(getattr(client, name), **values)[0] == "AlreadyCreatedException"
    else:
        getattr(client, name)(**values)


# --- entitlements


def test_an_entitlement_is_written_read_listed_and_deleted(access):
    role = access.role(Path="/teams/")
    group = access.portal.add_group("Builders", access.portal.user_id)
    entitlement, other = access.entitle(role, group=group), access.entitle(role)
    assert access.entitle(role, group=group) == entitlement != other
    about = access.client.get_entitlement(applicationArn=access.arn, entitlementId=entitlement)
    details = {
        "principal": {"identityCenter": {"groupId": group}},
        "roleArn": role,
        "account": access.development,
        "accountName": "Development",
    }
    assert about["entitlement"]["principalRole"] == details
    assert about["applicationArn"] == access.arn
    assert {one["entitlementId"] for one in access.listed()} == {entitlement, other}
    for wanted in (
        {"principal": {"identityCenter": {"groupId": group}}},
        {"principal": {"identityCenter": {"groupId": group}}, "roleArn": role, "account": access.development},
    ):
        (found,) = access.listed(**wanted)
        assert found["entitlement"]["principalRole"] == details
    assert len(access.listed(roleArn=role)) == len(access.listed(account=access.development)) == 2
    assert access.listed(account=access.management) == []
    for _ in range(2):
        answer = access.client.delete_entitlement(applicationArn=access.arn, entitlementId=entitlement)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    found = refused(access.client.get_entitlement, applicationArn=access.arn, entitlementId=entitlement)
    assert found == ("ValidationException", 400, "Entitlement not found")


@pytest.mark.parametrize(
    "document",
    [
        {"actions": ["sts:AssumeRole"]},
        {"actions": ["sts:SetContext"]},
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Principal": {"AWS": "*"}},
        {"Effect": "Deny"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        {
            "Condition": {
                "StringEquals": {"aws:SourceArn": "arn:aws:account-access:us-east-1:1:application/x"}
            }
        },
    ],
)
def test_a_role_that_does_not_trust_the_application_is_refused(access, document):
    code, status, text = refused(access.entitle, access.role(trust=document))
    assert (code, status) == ("ValidationException", 400)
    assert "verifying role" in text


@pytest.mark.parametrize("document", [{}, {"actions": ["sts:*"]}, {"Condition": {}}])
def test_conditions_may_be_left_out_and_actions_be_wide(access, document):
    assert access.entitle(access.role(trust=document))


def test_a_role_or_principal_that_is_not_there_is_refused(access):
    missing = f"arn:aws:iam::{access.development}:role/Missing"
    assert "verifying role" in refused(access.entitle, missing)[2]
    assert "verifying role" in refused(access.entitle, "arn:aws:iam::999999999999:role/Builder")[2]
    role = access.role()
    nobody = "00000000-0000-0000-0000-000000000000"
    assert refused(access.entitle, role, user=nobody)[:2] == ("ResourceNotFoundException", 404)
    assert refused(access.entitle, role, group=nobody)[:2] == ("ResourceNotFoundException", 404)


def test_twenty_groups_share_a_role(access):
    role = access.role()
    groups = [access.portal.add_group(f"Group {number}") for number in range(21)]
    ids = [access.entitle(role, group=group) for group in groups[:20]]
    assert refused(access.entitle, role, group=groups[20])[:2] == ("ServiceQuotaExceededException", 402)
    assert access.entitle(role)  # users have no such limit
    assert access.entitle(role, group=groups[0]) == ids[0]


def test_deleting_the_application_deletes_its_entitlements(access):
    role = access.role()
    access.entitle(role)
    access.client.delete_application(applicationArn=access.arn)
    access.create()
    assert access.listed() == []


def test_what_was_answered_survives_a_restart(access):
    entitlement = access.entitle(access.role())
    access.clients.restart()
    client = access.clients.client("account-access")
    assert client.get_entitlement(applicationArn=access.arn, entitlementId=entitlement)["entitlementId"]


# --- the runtime


def test_a_person_lists_roles_and_gets_keys_that_their_policies_limit(access):
    role = access.role()
    access.entitle(role, group=access.portal.add_group("Builders", access.portal.user_id))
    runtime, tokens = access.sign_in()
    assert tokens["refreshToken"]
    pages = runtime.get_paginator("list_roles").paginate(tenantId=access.tenant_id)
    roles = [one for page in pages for one in page["roles"]]
    assert roles == [{"accountId": access.development, "accountName": "Development", "roleArn": role}]
    began = time.time()
    answer = runtime.get_role_credentials(
        tenantId=access.tenant_id, roleArn=role, accessType="PROGRAMMATIC_ACCESS"
    )["credentialsDetails"]["programmaticAccess"]
    credentials = {
        "aws_access_key_id": answer["accessKeyId"],
        "aws_secret_access_key": answer["secretAccessKey"],
        "aws_session_token": answer["sessionToken"],
    }
    arn = access.clients.client("sts", credentials=credentials).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{access.development}:assumed-role/Builder/ana"
    s3 = access.clients.client("s3", credentials=credentials)
    assert s3.list_buckets()["Buckets"] == []
    assert refused(s3.create_bucket, Bucket="mine")[0] == "AccessDenied"
    assert int(began) + 3599 <= answer["expiresAt"].timestamp() <= time.time() + 3600
    texts = access.clients.trail_texts()
    text = " ".join(texts)
    for secret in (tokens["accessToken"], answer["secretAccessKey"], answer["sessionToken"]):
        assert secret not in text
    records = [json.loads(text) for text in texts]
    (vended,) = [one for one in records if one["eventName"] == "GetRoleCredentials"]
    assert vended["userIdentity"]["onBehalfOf"]["userId"] == access.portal.user_id
    assert vended["userIdentity"]["credentialId"]
    access.clients.advance_clock(7200)
    assert refused(s3.list_buckets)[0] == "ExpiredToken"


def test_the_session_is_named_and_lasts_as_asked(access):
    role = access.role(MaxSessionDuration=7200)
    access.entitle(role)
    runtime, _ = access.sign_in()
    asked = {"tenantId": access.tenant_id, "roleArn": role, "accessType": "PROGRAMMATIC_ACCESS"}
    answer = runtime.get_role_credentials(**asked, sessionName="work", sessionDuration=7200)
    assert answer["credentialsDetails"]["programmaticAccess"]["accessKeyId"].startswith("ASIA")
    for seconds in (7201, 899, 0, -1):
        assert (
            refused(runtime.get_role_credentials, **asked, sessionDuration=seconds)[0]
            == "ValidationException"
        )
    for name in ("x", "a b", "n" * 65):
        assert refused(runtime.get_role_credentials, **asked, sessionName=name)[0] == "ValidationException"
    for wrong in ({"tenantId": "aa-000000000"}, {"roleArn": "x"}):
        assert refused(runtime.get_role_credentials, **(asked | wrong))[:2] == ("ValidationException", 400)


@pytest.mark.parametrize(
    "change",
    ["no entitlement", "left the group", "trust withdrawn", "denied to all", "role deleted", "another"],
)
def test_who_has_no_entitlement_or_whose_role_trusts_no_more_gets_no_keys(access, change):
    role = access.role()
    iam = access.clients.client("iam", account=access.development)
    group = access.portal.add_group("Builders")
    membership = access.portal.add_member(group, access.portal.user_id)
    entitlement = access.entitle(role, group=group)
    runtime, _ = access.sign_in()
    asked = {"tenantId": access.tenant_id, "roleArn": role, "accessType": "PROGRAMMATIC_ACCESS"}
    assert runtime.get_role_credentials(**asked)
    if change == "no entitlement":
        access.client.delete_entitlement(applicationArn=access.arn, entitlementId=entitlement)
    elif change == "left the group":
        access.portal.remove_member(membership)
    elif change == "trust withdrawn":
        iam.update_assume_role_policy(RoleName="Builder", PolicyDocument=trust("arn", "1"))
    elif change == "denied to all":
        document = json.loads(trust(access.arn, access.management))
        document["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})
        iam.update_assume_role_policy(RoleName="Builder", PolicyDocument=json.dumps(document))
    elif change == "role deleted":
        iam.detach_role_policy(RoleName="Builder", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        iam.delete_role(RoleName="Builder")
    else:
        runtime, _ = access.sign_in(user_id=access.portal.add_user("ben"))
    assert refused(runtime.get_role_credentials, **asked)[:2] == ("AccessDeniedException", 403)


@pytest.mark.parametrize("end", ["portal session", "token"])
def test_the_token_ends_with_the_persons_session_and_the_keys_live_on(access, end):
    role = access.role()
    access.entitle(role)
    runtime, tokens = access.sign_in()
    asked = {"tenantId": access.tenant_id, "roleArn": role, "accessType": "PROGRAMMATIC_ACCESS"}
    keys = runtime.get_role_credentials(**asked, sessionDuration=3600)["credentialsDetails"][
        "programmaticAccess"
    ]
    if end == "portal session":
        user = access.portal.user_id
        access.clients.console("POST", f"users/{user}/sessions/{tokens['session_id']}/delete")
    else:
        runtime = access.runtime("a token that nobody gave")
    assert refused(runtime.get_role_credentials, **asked)[:2] == ("UnauthorizedException", 401)
    assert refused(runtime.list_roles, tenantId=access.tenant_id)[:2] == ("UnauthorizedException", 401)
    credentials = {
        "aws_access_key_id": keys["accessKeyId"],
        "aws_secret_access_key": keys["secretAccessKey"],
        "aws_session_token": keys["sessionToken"],
    }
    assert access.clients.client("sts", credentials=credentials).get_caller_identity()["Account"]


@pytest.mark.parametrize(
    ("scopes", "lists", "gets"),
    [(SCOPES[:1], True, False), (SCOPES[1:], False, True), (["sso:account:access"], False, False)],
)
def test_each_scope_opens_its_own(access, scopes, lists, gets):
    role = access.role()
    access.entitle(role)
    runtime, _ = access.sign_in(scopes)
    calls = {
        lists: lambda: runtime.list_roles(tenantId=access.tenant_id),
    }
    if lists:
        assert calls[True]()["roles"]
    else:
        assert refused(calls[False])[0] == "UnauthorizedException"
    asked = {"tenantId": access.tenant_id, "roleArn": role, "accessType": "PROGRAMMATIC_ACCESS"}
    if gets:
        assert runtime.get_role_credentials(**asked)
    else:
        assert refused(runtime.get_role_credentials, **asked)[0] == "UnauthorizedException"


def test_lists_have_pages(access):
    for number in range(3):
        access.entitle(access.role(f"Role{number}"))
    runtime, _ = access.sign_in()
    first = runtime.list_roles(tenantId=access.tenant_id, maxResults=2)
    rest = runtime.list_roles(tenantId=access.tenant_id, nextToken=first["nextToken"])
    names = [one["roleArn"].rpartition("/")[2] for one in [*first["roles"], *rest["roles"]]]
    assert names == ["Role0", "Role1", "Role2"]
    for number in (0, 101, -5):
        found = refused(runtime.list_roles, tenantId=access.tenant_id, maxResults=number)
        assert found[0] == "ValidationException"


# --- the portal's pages


def test_the_portal_has_a_tile_and_a_page_of_roles_for_whom_an_entitlement_reaches(place):
    access = AccountAccess(place.portal)
    access.create()
    place.set_mfa(user_without_device="allow")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    assert "AWS account access" not in visitor.page.text
    role = access.role()
    access.entitle(role)
    visitor.open("/start")
    assert 'href="/start/account-access"' in visitor.page.text
    visitor.open("/start/account-access")
    assert (visitor.heading, visitor.value("tenant_id")) == ("AWS account access", access.tenant_id)
    assert f'data-role-arn="{role}"' in visitor.page.text
    visitor.open(f"/start/account-access/keys?role_arn={role}")
    credentials = {
        name: visitor.value(name)
        for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    }
    arn = access.clients.client("sts", credentials=credentials).get_caller_identity()["Arn"]
    assert arn.endswith("assumed-role/Builder/ana")
    records = [json.loads(text) for text in access.clients.trail_texts()]
    (record,) = [one for one in records if one["eventName"] == "GetRoleCredentials"]
    assert record["serviceEventDetails"] == {"role_arn": role}
    assert record["userIdentity"]["onBehalfOf"]["userId"] == place.portal.user_id
    assert credentials["aws_secret_access_key"] not in json.dumps(records)
    visitor.open("/start/account-access/keys?role_arn=arn:aws:iam::1:role/x")
    assert visitor.page.status_code == 403
