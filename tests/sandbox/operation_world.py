"""A sandbox in this process that has several of everything, and a good request for each signed operation.

Tests of rules that hold for all operations take a request from here, and change one thing in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from application_center import ACTOR_POLICY, CUSTOM, oidc_jwt
from botocore import xform_name
from botocore.exceptions import ClientError
from portal_harness import Portal

from idc_sandbox.wire import models, protocols, registry
from idc_sandbox.wire.models import OperationModel, service_model

Call = tuple[str, str]
NOTHING: Any = SimpleNamespace(
    type_name="structure", members={}, required_members=[]
)  # of what takes no input
COUNT = 5
SCOPES = ("a:one", "a:two", "a:three", "a:four", "a:five")
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}'
MANAGED = (
    "ReadOnlyAccess",
    "AmazonS3ReadOnlyAccess",
    "IAMReadOnlyAccess",
    "SecurityAudit",
    "job-function/Billing",
)
ACCESS = "account-access.amazonaws.com"
# They are a person's or a program's own, who signs nothing; or a policy of its own lets their caller in.
UNSIGNED = ("sso", "account-access-runtime")
PROGRAMS = (("sso-oidc", "CreateTokenWithIAM"), ("signin", "CreateOAuth2Token"))


def signed_operations() -> list[Call]:
    """Return the operations whose requests carry the signature of somebody whose policies decide."""
    return sorted(
        call
        for call in registry.handlers()
        if call[0] not in UNSIGNED and call not in PROGRAMS and _is_signed(*call)
    )


def unsigned_operations() -> list[Call]:
    """Return the operations of people and programs: a token, a code or an own policy lets their caller in."""
    return sorted(set(registry.handlers()) - set(signed_operations()))


@cache
def _rest_operations(service: str) -> dict[str, bool]:
    return {operation.model.name: operation.is_signed for _, operation in protocols._routes(service)}


def _is_signed(service: str, name: str) -> bool:
    """Tell whether a request carries a signature."""
    return service in registry.SERVICE_OF_TARGET_PREFIX.values() or _rest_operations(service).get(name, False)


def model_of(call: Call) -> OperationModel:
    """Return the model of an operation."""
    return service_model(call[0]).operation_model(call[1])


def token_and_size(call: Call) -> tuple[str, str]:
    """Return the names of a list's token and size in a request; empty where it has none."""
    shape = model_of(call).input_shape
    found = {name.lower(): name for name in shape.members} if shape else {}
    return found.get("nexttoken", ""), found.get("maxresults", "")


def codes_of(call: Call) -> set[str]:
    """Return the codes that an operation's model has for refusals."""
    return {
        code
        for shape in model_of(call).error_shapes
        for code in (shape.name, shape.metadata.get("error", {}).get("code", shape.name))
    }


class World(Portal):
    """Users, groups, permission sets, assignments, applications, issuers, Regions, queries: five of most."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.clients.store._connection.execute("PRAGMA synchronous=OFF")
        self._made: dict[Any, Any] = {}
        self.arn, self.store_id = self.instance["InstanceArn"], self.instance["IdentityStoreId"]
        self.account = self.accounts["Development"]
        self.users = [self.user_id, *(self.add_user(f"person-{at}") for at in range(1, COUNT))]
        self.groups = [self.add_group(f"group-{at}", self.user_id) for at in range(COUNT)]
        self.memberships = [self.add_member(self.groups[0], user) for user in self.users[1:]]
        self._fill_permission_sets()
        self._fill_applications()
        self._fill_account_access()
        self._fill_athena()
        self.switches(requests_per_second=0)
        self.go_on_from_here()

    def switches(self, **values: Any) -> None:
        """Set switches."""
        self.clients.switches(**values)

    def go_on_from_here(self) -> None:
        """Keep the state as it is now."""
        self.clients.gateway.keep_checkpoint("begin")

    def go_back(self) -> None:
        """Make it again what it was at first."""
        self.clients.gateway.go_back("begin")

    def client_of(self, service: str, credentials: dict[str, str] | None = None, **options: Any) -> Any:
        """Return a client that sends whatever it is given, made once."""
        key = service, str(credentials), str(options)
        if key not in self._made:
            config = {"parameter_validation": False}
            self._made[key] = self.clients.client(service, credentials=credentials, config=config, **options)
        return self._made[key]

    def call(self, call: Call, request: dict[str, Any], client: Any = None) -> dict[str, Any]:
        """Send a request, and return the answer without what boto3 adds."""
        client = client or self.client_of(call[0])
        answer = getattr(client, xform_name(call[1]))(**request)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def refusal(self, call: Call, request: dict[str, Any], client: Any = None) -> str:
        """Return the code of a refusal; empty when there was none."""
        try:
            self.call(call, request, client)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    def person_with(self, name: str) -> dict[str, str]:
        """Return the credentials of a new IAM user without policies."""
        iam = self.clients.client("iam")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def _fill_permission_sets(self) -> None:
        self.sets = [self.add_permission_set(f"set-{at}") for at in range(COUNT)]
        first = {"InstanceArn": self.arn, "PermissionSetArn": self.sets[0]}
        for at, name in enumerate(MANAGED):
            managed = f"arn:aws:iam::aws:policy/{name}"
            self.sso_admin.attach_managed_policy_to_permission_set(**first, ManagedPolicyArn=managed)
            self.sso_admin.attach_customer_managed_policy_reference_to_permission_set(
                **{**first, "PermissionSetArn": self.sets[1]},
                CustomerManagedPolicyReference={"Name": f"policy-{at}", "Path": "/"},
            )
        self.sso_admin.put_inline_policy_to_permission_set(**first, InlinePolicy=POLICY)
        self.sso_admin.put_permissions_boundary_to_permission_set(
            **first, PermissionsBoundary={"ManagedPolicyArn": f"arn:aws:iam::aws:policy/{MANAGED[0]}"}
        )
        for user in self.users:
            self.assign(self.sets[0], self.account, PrincipalId=user)
        for permission_set in self.sets[2:]:
            self.assign(permission_set, self.account)
        for account in self.accounts.values():
            self.assign(self.sets[0], account, PrincipalId=self.users[1])
        for user in self.users[2:]:
            self.unassign(self.sets[0], self.account, PrincipalId=user)
            self.assign(self.sets[0], self.account, PrincipalId=user)
        self.spare = self.add_permission_set("spare")  # nobody has it: it may be deleted
        for _ in range(3):
            self.sso_admin.provision_permission_set(**first, TargetType="AWS_ACCOUNT", TargetId=self.account)
        self.sso_admin.create_instance_access_control_attribute_configuration(
            InstanceArn=self.arn, InstanceAccessControlAttributeConfiguration=attributes("team")
        )
        self.sso_admin.update_instance(
            InstanceArn=self.arn,
            EncryptionConfiguration={
                "KeyType": "CUSTOMER_MANAGED_KEY",
                "KmsKeyArn": f"arn:aws:kms:us-east-1:{self.clients.management_account_id}:key/mrk-{'0' * 32}",
            },
        )
        for region in ("eu-west-1", "eu-west-2"):
            self.sso_admin.add_region(InstanceArn=self.arn, RegionName=region)
            self.sso_admin.list_regions(InstanceArn=self.arn)  # it ends, as time passes
        self.requests = {
            kind: getattr(self.sso_admin, f"list_{kind}_status")(InstanceArn=self.arn)[answer][0]["RequestId"]
            for kind, answer in (
                ("account_assignment_creation", "AccountAssignmentsCreationStatus"),
                ("account_assignment_deletion", "AccountAssignmentsDeletionStatus"),
                ("permission_set_provisioning", "PermissionSetsProvisioningStatus"),
            )
        }

    def _fill_applications(self) -> None:
        self.applications = [
            self.sso_admin.create_application(
                InstanceArn=self.arn, ApplicationProviderArn=CUSTOM, Name=f"app-{at}"
            )["ApplicationArn"]
            for at in range(COUNT)
        ]
        first = {"ApplicationArn": self.applications[0]}
        for user in self.users:
            self.sso_admin.create_application_assignment(**first, PrincipalId=user, PrincipalType="USER")
        for arn in self.applications[1:]:
            self.sso_admin.create_application_assignment(
                ApplicationArn=arn, PrincipalId=self.user_id, PrincipalType="USER"
            )
        for scope in SCOPES:
            self.sso_admin.put_application_access_scope(**first, Scope=scope)
        self.issuers = [
            self.sso_admin.create_trusted_token_issuer(
                InstanceArn=self.arn,
                Name=f"issuer-{at}",
                TrustedTokenIssuerType="OIDC_JWT",
                TrustedTokenIssuerConfiguration=oidc_jwt(f"https://idp{at}.example.com"),
            )["TrustedTokenIssuerArn"]
            for at in range(COUNT)
        ]
        for kind, grant in GRANTS.items():
            self.sso_admin.put_application_grant(**first, GrantType=kind, Grant=grant)
        self.sso_admin.put_application_authentication_method(**first, **METHOD)
        self.sso_admin.tag_resource(ResourceArn=self.applications[0], Tags=tags("a", "b"))

    def _fill_account_access(self) -> None:
        management = self.clients.management_account_id
        self.clients.client("organizations").enable_aws_service_access(ServicePrincipal=ACCESS)
        client = self.clients.client("account-access")
        source = {"identityCenter": {"instanceArn": self.arn}}
        self.access = client.create_application(identitySource=source, tags={"a": "b"})["applicationArn"]
        client.list_applications()  # it ends, as time passes
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": ACCESS},
            "Action": ["sts:AssumeRole", "sts:SetContext"],
            "Condition": {"StringEquals": {"aws:SourceAccount": management, "aws:SourceArn": self.access}},
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam = self.clients.client("iam", account=self.account)
        self.roles = [
            iam.create_role(RoleName=f"role-{at}", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
            for at in range(4)
        ]
        self.entitlements = [
            client.create_entitlement(applicationArn=self.access, entitlement=self.entitlement(role))[
                "entitlementId"
            ]
            for role in self.roles[:3]
        ]

    def entitlement(self, role: str) -> dict[str, Any]:
        """Return an entitlement of the first user."""
        return {"principalRole": {"principal": {"identityCenter": {"userId": self.user_id}}, "roleArn": role}}

    def _fill_athena(self) -> None:
        self.clients.client("s3").create_bucket(Bucket="results")
        athena = self.athena = self.clients.client("athena")
        queries = [
            "CREATE DATABASE two", "CREATE DATABASE three",
            *(f"CREATE EXTERNAL TABLE table_{at} (a string) LOCATION 's3://results/t/'" for at in range(3)),
            "SELECT a FROM unnest(sequence(1, 3)) AS t(a)",
        ]  # fmt: skip
        for text in queries:
            self.query = athena.start_query_execution(QueryString=text, **RESULTS)["QueryExecutionId"]
            self._wait()
        self.named = [
            athena.create_named_query(Name=f"n{at}", Database="default", QueryString="SELECT 1")[
                "NamedQueryId"
            ]
            for at in range(3)
        ]

    def _wait(self) -> None:
        while True:
            status = self.athena.get_query_execution(QueryExecutionId=self.query)["QueryExecution"]["Status"]
            if status["State"] in ("SUCCEEDED", "FAILED"):
                assert status["State"] == "SUCCEEDED", status
                return
            time.sleep(0.02)


def tags(*keys: str) -> list[dict[str, str]]:
    """Return tags with these keys."""
    return [{"Key": key, "Value": f"of {key}"} for key in keys]


def attributes(*keys: str) -> dict[str, Any]:
    """Return a configuration of attributes for access control."""
    source = ["${path:enterprise.department}"]
    return {"AccessControlAttributes": [{"Key": key, "Value": {"Source": source}} for key in keys]}


GRANTS: dict[str, dict[str, Any]] = {
    "authorization_code": {"AuthorizationCode": {"RedirectUris": ["https://example.com/a"]}},
    "refresh_token": {"RefreshToken": {}},
    "urn:ietf:params:oauth:grant-type:token-exchange": {"TokenExchange": {}},
}
METHOD: dict[str, Any] = {
    "AuthenticationMethodType": "IAM",
    "AuthenticationMethod": {"Iam": {"ActorPolicy": ACTOR_POLICY}},
}
RESULTS = {"ResultConfiguration": {"OutputLocation": "s3://results/out/"}}


def good_requests(world: World) -> dict[Call, dict[str, Any]]:
    """Return a request for each signed operation that succeeds in a world as it was made."""
    return {
        (service, name): request
        for service, requests in (
            (
                "sso-admin",
                dict(_of_instances(world)) | dict(_of_permission_sets(world)) | _of_applications(world),
            ),
            ("identitystore", _of_identity_store(world)),
            ("account-access", _of_account_access(world)),
            ("signin", {"ListSessions": {}, "GetSession": {"sessionArn": NO_SESSION},
                        "BatchRevokeSessions": {"sessionArns": [NO_SESSION]}}),
            ("cloudtrail", _of_cloudtrail()),
            ("athena", _of_athena(world)),
            ("glue", _of_glue()),
        )
        for name, request in requests.items()
    }  # fmt: skip


NO_SESSION = "arn:aws:signin:us-east-1:111122223333:session/00000000-0000-4000-8000-000000000000"
# What succeeds only where something is there that a world does not have, with what is said instead.
REFUSED_IN_WORLD = {
    ("sso-admin", "CreateInstance"): "ValidationException",  # not in the management account
    ("sso-admin", "DeleteInstance"): "ConflictException",  # it has further Regions
    ("account-access", "CreateApplication"): "AlreadyCreatedException",
    ("sso-admin", "CreateInstanceAccessControlAttributeConfiguration"): "ConflictException",
    ("signin", "GetSession"): "ResourceNotFoundException",
}


def _of_instances(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    instance = {"InstanceArn": world.arn}
    configuration = {"InstanceAccessControlAttributeConfiguration": attributes("unit")}
    yield "CreateInstance", {"Name": "mine"}
    yield "ListInstances", {}
    yield "UpdateInstance", {**instance, "Name": "practice"}
    for name in ("DescribeInstance", "DeleteInstance", "ListRegions"):
        yield name, instance
    yield "AddRegion", {**instance, "RegionName": "eu-central-1"}
    for name in ("DescribeRegion", "RemoveRegion"):
        yield name, {**instance, "RegionName": "eu-west-1"}
    for name in ("Describe", "Delete"):
        yield f"{name}InstanceAccessControlAttributeConfiguration", instance
    for name in ("Create", "Update"):
        yield f"{name}InstanceAccessControlAttributeConfiguration", {**instance, **configuration}
    yield "ListTagsForResource", {"ResourceArn": world.applications[0]}
    yield "TagResource", {"ResourceArn": world.applications[0], "Tags": tags("c")}
    yield "UntagResource", {"ResourceArn": world.applications[0], "TagKeys": ["a"]}
    for name in ("ListTrustedTokenIssuers", "ListApplications", "ListPermissionSets"):
        yield name, instance


def _of_permission_sets(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    instance = {"InstanceArn": world.arn}
    first = {**instance, "PermissionSetArn": world.sets[0]}
    of_policies = {**instance, "PermissionSetArn": world.sets[1]}
    target = {"TargetType": "AWS_ACCOUNT", "TargetId": world.account}
    person = {"PrincipalType": "USER", "PrincipalId": world.user_id}
    managed = {"ManagedPolicyArn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}
    another = {"ManagedPolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess"}
    yield "CreatePermissionSet", {**instance, "Name": "new"}
    yield "UpdatePermissionSet", {**first, "Description": "new"}
    yield "DeletePermissionSet", {**instance, "PermissionSetArn": world.spare}
    yield "AttachManagedPolicyToPermissionSet", {**first, **another}
    yield "DetachManagedPolicyFromPermissionSet", {**first, **managed}
    for name, policy in (
        ("AttachCustomerManagedPolicyReferenceTo", "another"),
        ("DetachCustomerManagedPolicyReferenceFrom", "policy-0"),
    ):
        reference = {"CustomerManagedPolicyReference": {"Name": policy, "Path": "/"}}
        yield f"{name}PermissionSet", {**of_policies, **reference}
    yield "PutInlinePolicyToPermissionSet", {**first, "InlinePolicy": POLICY}
    yield "PutPermissionsBoundaryToPermissionSet", {**first, "PermissionsBoundary": another}
    yield "ListCustomerManagedPolicyReferencesInPermissionSet", of_policies
    for name in (
        *("DescribePermissionSet", "DeleteInlinePolicyFromPermissionSet", "GetInlinePolicyForPermissionSet"),
        *("DeletePermissionsBoundaryFromPermissionSet", "GetPermissionsBoundaryForPermissionSet"),
        *("ListManagedPoliciesInPermissionSet", "ListAccountsForProvisionedPermissionSet"),
    ):
        yield name, first
    yield "ProvisionPermissionSet", {**first, **target}
    yield "CreateAccountAssignment", {**of_policies, **target, **person}
    yield "DeleteAccountAssignment", {**first, **target, **person}
    yield "ListAccountAssignments", {**first, "AccountId": world.account}
    yield "ListAccountAssignmentsForPrincipal", {**instance, **person}
    yield "ListPermissionSetsProvisionedToAccount", {**instance, "AccountId": world.account}
    for kind, member in (
        ("AccountAssignmentCreation", "AccountAssignmentCreationRequestId"),
        ("AccountAssignmentDeletion", "AccountAssignmentDeletionRequestId"),
        ("PermissionSetProvisioning", "ProvisionPermissionSetRequestId"),
    ):
        yield f"Describe{kind}Status", {**instance, member: world.requests[xform_name(kind)]}
        yield f"List{kind}Status", instance


def _of_applications(world: World) -> dict[str, dict[str, Any]]:
    instance = {"InstanceArn": world.arn}
    application = {"ApplicationArn": world.applications[0]}
    person = {"PrincipalType": "USER", "PrincipalId": world.user_id}
    group = {"PrincipalType": "GROUP", "PrincipalId": world.groups[0]}
    issuer = {"TrustedTokenIssuerArn": world.issuers[0]}
    provider = {"ApplicationProviderArn": CUSTOM}
    method, kind = {"AuthenticationMethodType": "IAM"}, {"GrantType": "authorization_code"}
    issuer_of = {"TrustedTokenIssuerType": "OIDC_JWT", "TrustedTokenIssuerConfiguration": oidc_jwt()}
    return {
        "CreateApplication": {**instance, **provider, "Name": "new"},
        "UpdateApplication": {**application, "Name": "other"},
        "DescribeApplicationProvider": provider,
        "ListApplicationProviders": {},
        "CreateApplicationAssignment": {**application, **group},
        "DescribeApplicationAssignment": {**application, **person},
        "DeleteApplicationAssignment": {**application, **person},
        "ListApplicationAssignmentsForPrincipal": {**instance, **person},
        "PutApplicationAssignmentConfiguration": {**application, "AssignmentRequired": False},
        "PutApplicationSessionConfiguration": {
            **application, "UserBackgroundSessionApplicationStatus": "ENABLED"
        },
        "PutApplicationAccessScope": {**application, "Scope": "a:six"},
        "GetApplicationAccessScope": {**application, "Scope": SCOPES[0]},
        "DeleteApplicationAccessScope": {**application, "Scope": SCOPES[0]},
        "PutApplicationAuthenticationMethod": {**application, **METHOD},
        "GetApplicationAuthenticationMethod": {**application, **method},
        "DeleteApplicationAuthenticationMethod": {**application, **method},
        "PutApplicationGrant": {**application, **kind, "Grant": GRANTS["authorization_code"]},
        "GetApplicationGrant": {**application, **kind},
        "DeleteApplicationGrant": {**application, **kind},
        "CreateTrustedTokenIssuer": {**instance, "Name": "new", **issuer_of},
        "UpdateTrustedTokenIssuer": {**issuer, "Name": "other"},
        "DescribeTrustedTokenIssuer": issuer,
        "DeleteTrustedTokenIssuer": issuer,
        **dict.fromkeys(
            (
                *("DescribeApplication", "DeleteApplication", "GetApplicationAssignmentConfiguration"),
                *("GetApplicationSessionConfiguration", "ListApplicationAccessScopes"),
                *("ListApplicationAssignments", "ListApplicationAuthenticationMethods"),
                "ListApplicationGrants",
            ),
            application,
        ),
    }  # fmt: skip


def _of_identity_store(world: World) -> dict[str, dict[str, Any]]:
    store = {"IdentityStoreId": world.store_id}
    user, group = {**store, "UserId": world.user_id}, {**store, "GroupId": world.groups[0]}
    membership = {**store, "MembershipId": world.memberships[0]}
    member = {"MemberId": {"UserId": world.user_id}}
    path = {"AttributePath": "displayName", "AttributeValue": "Other"}
    return {
        "CreateUser": {
            **store, "UserName": "new", "DisplayName": "New", "Name": {"GivenName": "N", "FamilyName": "W"}
        },
        "CreateGroup": {**store, "DisplayName": "new"},
        "CreateGroupMembership": {
            **store, "GroupId": world.groups[1], "MemberId": {"UserId": world.users[1]}
        },
        "GetUserId": {**store, "AlternateIdentifier": by("userName", "ana")},
        "GetGroupId": {**store, "AlternateIdentifier": by("displayName", "group-0")},
        "GetGroupMembershipId": {**group, **member},
        "IsMemberInGroups": {**store, **member, "GroupIds": world.groups[:2]},
        "ListGroupMemberships": group,
        "ListGroupMembershipsForMember": {**store, **member},
        "UpdateUser": {**user, "Operations": [path]},
        "UpdateGroup": {**group, "Operations": [path]},
        "UpdateIdentityStore": {**store, "NetworkConfiguration": {"VpceAccessRequired": False}},
        **dict.fromkeys(("ListUsers", "ListGroups", "DescribeIdentityStore"), store),
        **dict.fromkeys(("DescribeUser", "DeleteUser"), user),
        **dict.fromkeys(("DescribeGroup", "DeleteGroup"), group),
        **dict.fromkeys(("DescribeGroupMembership", "DeleteGroupMembership"), membership),
        "ListIdentityStores": {},
    }  # fmt: skip


def by(path: str, value: str) -> dict[str, Any]:
    """Return the identifier of whatever has an attribute of this value."""
    return {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}


def _of_account_access(world: World) -> dict[str, dict[str, Any]]:
    application, resource = {"applicationArn": world.access}, {"resourceArn": world.access}
    entitlement = {**application, "entitlementId": world.entitlements[0]}
    return {
        "CreateApplication": {"identitySource": {"identityCenter": {"instanceArn": world.arn}}},
        "GetApplication": application,
        "DeleteApplication": application,
        "ListApplications": {},
        "CreateEntitlement": {**application, "entitlement": world.entitlement(world.roles[3])},
        "GetEntitlement": entitlement,
        "DeleteEntitlement": entitlement,
        "ListEntitlements": {**application, "filter": {}},
        "ListTagsForResource": resource,
        "TagResource": {**resource, "tags": {"c": "d"}},
        "UntagResource": {**resource, "tagKeys": ["a"]},
    }


def _of_cloudtrail() -> dict[str, dict[str, Any]]:
    named = {"Name": "organization-trail"}
    return {
        "DescribeTrails": {},
        "ListTrails": {},
        "LookupEvents": {},
        **dict.fromkeys(("GetTrail", "GetTrailStatus", "StartLogging", "StopLogging"), named),
    }


def _of_athena(world: World) -> dict[str, dict[str, Any]]:
    query, saved = {"QueryExecutionId": world.query}, {"NamedQueryId": world.named[0]}
    catalog, group = {"CatalogName": "AwsDataCatalog"}, {"WorkGroup": "primary"}
    database = {**catalog, "DatabaseName": "default"}
    return {
        "StartQueryExecution": {"QueryString": "SELECT 1", **RESULTS},
        "BatchGetQueryExecution": {"QueryExecutionIds": [world.query]},
        "BatchGetNamedQuery": {"NamedQueryIds": world.named[:2]},
        "CreateNamedQuery": {"Name": "n", "Database": "default", "QueryString": "SELECT 1"},
        "UpdateNamedQuery": {**saved, "Name": "n", "QueryString": "SELECT 2"},
        "GetDataCatalog": {"Name": "AwsDataCatalog"},
        "GetTableMetadata": {**database, "TableName": "table_0"},
        "GetDatabase": database,
        "ListTableMetadata": database,
        "ListDatabases": catalog,
        "GetWorkGroup": group,
        **dict.fromkeys(("GetNamedQuery", "DeleteNamedQuery"), saved),
        "ListWorkGroups": {},
        "ListEngineVersions": {},
        "ListDataCatalogs": {},
        "ListNamedQueries": {},
        "ListQueryExecutions": {},
        **dict.fromkeys(
            (
                *("GetQueryExecution", "GetQueryResults", "GetQueryRuntimeStatistics"),
                "StopQueryExecution",
            ),
            query,
        ),
    }


def _of_glue() -> dict[str, dict[str, Any]]:
    database = {"DatabaseName": "default"}
    return {
        "GetDatabase": {"Name": "default"},
        "GetDatabases": {},
        "GetTables": database,
        "GetTable": {**database, "Name": "table_0"},
        "DeleteTable": {**database, "Name": "table_0"},
    }


def broken(shape: Any, request: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any], Any]]:
    """Yield requests with one thing in them that a model forbids, with the member's path and its value."""
    for path, member, is_required in _members(shape, request):
        if is_required:
            yield path, _changed(request, path, None), None
        for value in _forbidden(member):
            yield path, _changed(request, path, value), value


def _members(
    shape: Any, value: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    """Yield path, shape and necessity of each member that a request has, or may have beside what it has."""
    if shape is None or shape.type_name != "structure" or getattr(shape, "is_document_type", False):
        return
    for name, member in shape.members.items():
        is_choice = getattr(shape, "is_tagged_union", False)
        if is_choice and name not in value:
            continue
        yield (*path, name), member, name in shape.required_members
        if isinstance(value.get(name), dict):
            yield from _members(member, value[name], (*path, name))


def _forbidden(shape: Any) -> Iterator[Any]:
    """Yield values that a shape does not take, and that boto3 sends: one for each constraint."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    match shape.type_name:
        case "string":
            yield from ["x" * (low - 1)] if low else []
            yield from ["x" * (high + 1)] if high and high < 10**5 else []
            yield from ["\u0000 odd"] if shape.metadata.get("enum") or _is_narrow(shape) else []
        case "integer" | "long":
            yield from [low - 1] if low is not None else []
            yield from [high + 1] if high is not None and high < 2**31 - 1 else []
        case "list":
            yield from [[]] if low else []


def _is_narrow(shape: Any) -> bool:
    pattern = shape.metadata.get("pattern")
    return bool(pattern) and not models._compiled(pattern).fullmatch("\u0000 odd")


def _changed(request: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a request in which the member at a path has another value; None: it is not there."""
    name, *rest = path
    if rest:
        return {**request, name: _changed(request.get(name, {}), tuple(rest), value)}
    others = {other: item for other, item in request.items() if other != name}
    return others if value is None else {**others, name: value}
