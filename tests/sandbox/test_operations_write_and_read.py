"""Every member that a request may set is read back by the operation that shows it.

A row is a write with all that it may say and the read that must show it. A test holds that no member of any
writing operation of these services is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from application_center import CUSTOM, oidc_jwt
from operation_world import (
    GRANTS,
    METHOD,
    POLICY,
    Call,
    World,
    attributes,
    codes_of,
    good_requests,
    model_of,
    signed_operations,
    tags,
)

SERVICES = ("sso-admin", "identitystore", "account-access", "athena")
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
POWER = "arn:aws:iam::aws:policy/PowerUserAccess"
VPC = "arn:aws:ec2:us-east-1:111122223333:vpc/vpc-0123456789abcdef0"
NETWORK = {
    "VpceAccessRequired": True,
    "RestrictSourceVpcs": [VPC],
    "AllowSourceIps": ["203.0.113.0/24"],
    "ExcludeApplicationArns": [],
}
STORES_NETWORK = {
    "VpceAccessRequired": True,
    "ApiRestrictSourceVpcs": [VPC],
    "ApiAllowSourceIps": ["127.0.0.0/8"],
    "ScimAllowSourceIps": ["203.0.113.0/24"],
}
CUSTOMERS = {"CustomerManagedPolicyReference": {"Name": "mine", "Path": "/team/"}}
PORTAL = {"SignInOptions": {"Origin": "APPLICATION", "ApplicationUrl": "https://example.com/app"}}
ENTERPRISE = "aws:identitystore:enterprise"
PERSON = {
    "UserName": "new",
    "Name": {
        "Formatted": "Dr. Ada B. Lovelace III", "FamilyName": "Lovelace", "GivenName": "Ada",
        "MiddleName": "B.", "HonorificPrefix": "Dr.", "HonorificSuffix": "III",
    },
    "DisplayName": "Ada", "NickName": "A", "ProfileUrl": "https://example.com/ada",
    "Emails": [{"Value": "ada@example.com", "Type": "work", "Primary": True}],
    "Addresses": [
        {"StreetAddress": "1 St", "Locality": "L", "Region": "R", "PostalCode": "P", "Country": "C",
         "Formatted": "F", "Type": "home", "Primary": True}
    ],
    "PhoneNumbers": [{"Value": "+1 555", "Type": "work", "Primary": True}],
    "UserType": "staff", "Title": "Countess", "PreferredLanguage": "en", "Locale": "en-GB",
    "Timezone": "Europe/London",
    "Photos": [{"Value": "https://example.com/p", "Type": "photo", "Display": "Ada", "Primary": True}],
    "Website": "https://example.com", "Birthdate": "1815-12-10",
    "Roles": [{"Value": "analyst", "Type": "main", "Primary": True}],
    "Extensions": {ENTERPRISE: {"department": "Engines"}},
}  # fmt: skip


def rows(world: World) -> Iterator[tuple[Call, dict[str, Any], tuple[str, ...]]]:
    """Yield writes with all that they may say, and the reads that show it, of which each is asked."""
    for service, name, request, *reads in (
        *(("sso-admin", *row) for row in _of_instance(world)),
        *(("sso-admin", *row) for row in _of_permission_sets(world)),
        *(("sso-admin", *row) for row in _of_applications(world)),
        *(("identitystore", *row) for row in _of_identity_store(world)),
        *(("account-access", *row) for row in _of_account_access(world)),
        *(("athena", *row) for row in _of_athena(world)),
    ):
        yield (service, name), request, tuple(reads)


def _of_instance(world):
    instance = {"InstanceArn": world.arn}
    configuration = "DescribeInstanceAccessControlAttributeConfiguration"
    key = f"arn:aws:kms:us-east-1:{world.clients.management_account_id}:key/mrk-{'1' * 32}"
    encryption = {"EncryptionConfiguration": {"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": key}}
    named = {"InstanceAccessControlAttributeConfiguration": attributes("unit", "team")}
    yield (
        "CreateInstance",
        {"Name": "mine", "Tags": tags("a", "b"), "ClientToken": "token"},
        "DescribeInstance",
        "ListTagsForResource",
    )
    yield "UpdateInstance", {**instance, "Name": "other"}, "DescribeInstance"
    yield "UpdateInstance", {**instance, **encryption}, "DescribeInstance"
    yield "UpdateInstance", {**instance, "PermissionSetsEnabled": True}, "DescribeInstance"
    yield "UpdateInstance", {**instance, "NetworkConfiguration": NETWORK}, "DescribeInstance"
    yield "UpdateInstanceAccessControlAttributeConfiguration", {**instance, **named}, configuration
    yield "CreateInstanceAccessControlAttributeConfiguration", {**instance, **named}, configuration
    yield (
        "AddRegion",
        {**instance, "RegionName": "eu-central-1"},
        "DescribeRegion",
        "ListRegions",
        "DescribeInstance",
    )


def _of_permission_sets(world):
    first = {"InstanceArn": world.arn, "PermissionSetArn": world.spare}
    said = {"Description": "D", "SessionDuration": "PT2H", "RelayState": "https://x.example.com"}
    shown = ("DescribePermissionSet", "ListTagsForResource")
    boundary = "GetPermissionsBoundaryForPermissionSet"
    target = {"TargetType": "AWS_ACCOUNT", "TargetId": world.account}
    person = {"PrincipalType": "USER", "PrincipalId": world.user_id}
    yield (
        "CreatePermissionSet",
        {"InstanceArn": world.arn, "Name": "new", **said, "Tags": tags("a", "b")},
        *shown,
    )
    yield "UpdatePermissionSet", first | said, "DescribePermissionSet"
    yield (
        "TagResource",
        {"InstanceArn": world.arn, "ResourceArn": world.spare, "Tags": tags("x", "y")},
        shown[1],
    )
    yield (
        "AttachManagedPolicyToPermissionSet",
        {**first, "ManagedPolicyArn": POWER},
        "ListManagedPoliciesInPermissionSet",
    )
    yield (
        "AttachCustomerManagedPolicyReferenceToPermissionSet",
        first | CUSTOMERS,
        "ListCustomerManagedPolicyReferencesInPermissionSet",
    )
    yield (
        "PutInlinePolicyToPermissionSet",
        {**first, "InlinePolicy": POLICY},
        "GetInlinePolicyForPermissionSet",
    )
    yield "PutPermissionsBoundaryToPermissionSet", {**first, "PermissionsBoundary": CUSTOMERS}, boundary
    managed = {"PermissionsBoundary": {"ManagedPolicyArn": POWER}}
    yield "PutPermissionsBoundaryToPermissionSet", first | managed, boundary
    yield (
        "CreateAccountAssignment", first | target | person,
        "DescribeAccountAssignmentCreationStatus", "ListAccountAssignments",
        "ListAccountAssignmentsForPrincipal",
    )  # fmt: skip
    yield (
        "ProvisionPermissionSet", {**first, "PermissionSetArn": world.sets[0], **target},
        "DescribePermissionSetProvisioningStatus",
    )  # fmt: skip


def _of_applications(world):
    application = {"ApplicationArn": world.applications[1]}
    issuer = {"TrustedTokenIssuerType": "OIDC_JWT", "TrustedTokenIssuerConfiguration": oidc_jwt()}
    person = {"PrincipalType": "USER", "PrincipalId": world.users[1]}
    changed = dict(
        oidc_jwt(ClaimAttributePath="sub", IdentityStoreAttributePath="userName")["OidcJwtConfiguration"]
    )
    changed.pop("IssuerUrl")
    yield (
        "CreateApplication",
        {
            "InstanceArn": world.arn, "ApplicationProviderArn": CUSTOM, "Name": "new", "Description": "D",
            "PortalOptions": {**PORTAL, "Visibility": "DISABLED"}, "Status": "DISABLED", "Tags": tags("a"),
            "ClientToken": "token",
        },
        "DescribeApplication", "ListTagsForResource",
    )  # fmt: skip
    said = {"Name": "other", "Description": "D", "Status": "DISABLED", "PortalOptions": PORTAL}
    yield "UpdateApplication", application | said, "DescribeApplication"
    yield (
        "CreateApplicationAssignment",
        application | person,
        "ListApplicationAssignments",
        "DescribeApplicationAssignment",
    )
    for name, said in (
        ("AssignmentConfiguration", {"AssignmentRequired": False}),
        ("SessionConfiguration", {"UserBackgroundSessionApplicationStatus": "ENABLED"}),
        ("AccessScope", {"Scope": "a:new", "AuthorizedTargets": [world.applications[2]]}),
        ("AuthenticationMethod", METHOD),
        *(("Grant", {"GrantType": kind, "Grant": grant}) for kind, grant in GRANTS.items()),
        ("Grant", {"GrantType": BEARER, "Grant": _bearer(world)}),
    ):
        yield f"PutApplication{name}", application | said, f"GetApplication{name}"
    yield (
        "CreateTrustedTokenIssuer",
        {"InstanceArn": world.arn, "Name": "new", **issuer, "Tags": tags("a"), "ClientToken": "token"},
        "DescribeTrustedTokenIssuer", "ListTagsForResource",
    )  # fmt: skip
    said = {"Name": "other", "TrustedTokenIssuerConfiguration": {"OidcJwtConfiguration": changed}}
    yield (
        "UpdateTrustedTokenIssuer",
        {"TrustedTokenIssuerArn": world.issuers[0], **said},
        "DescribeTrustedTokenIssuer",
    )


def _bearer(world):
    trusted = {"TrustedTokenIssuerArn": world.issuers[0], "AuthorizedAudiences": ["a", "b"]}
    return {"JwtBearer": {"AuthorizedTokenIssuers": [trusted]}}


def _of_identity_store(world):
    store = {"IdentityStoreId": world.store_id}
    said = {"DisplayName": "new", "Description": "D"}
    member = {"GroupId": world.groups[1], "MemberId": {"UserId": world.users[1]}}
    yield "CreateUser", store | PERSON, "DescribeUser"
    yield "UpdateUser", {**store, "UserId": world.users[1], "Operations": _operations(PERSON)}, "DescribeUser"
    yield "CreateGroup", store | said, "DescribeGroup"
    yield (
        "UpdateGroup",
        {**store, "GroupId": world.groups[1], "Operations": _operations(said)},
        "DescribeGroup",
    )
    yield "CreateGroupMembership", store | member, "DescribeGroupMembership", "ListGroupMemberships"
    yield "UpdateIdentityStore", {**store, "NetworkConfiguration": STORES_NETWORK}, "DescribeIdentityStore"


def _operations(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the changes that set each of these."""
    paths = {
        name: name[:1].lower() + name[1:] for name in values if name not in ("Extensions", "Name", "UserName")
    }
    changes = [
        {"AttributePath": path, "AttributeValue": _lower(values[name])} for name, path in paths.items()
    ]
    for part, value in values.get("Name", {}).items():
        changes.append({"AttributePath": f"name.{part[:1].lower()}{part[1:]}", "AttributeValue": value})
    if "Extensions" in values:
        changes.append({"AttributePath": f"{ENTERPRISE}.department", "AttributeValue": "Engines"})
    return changes


def _lower(value: Any) -> Any:
    if isinstance(value, list):
        return [_lower(one) for one in value]
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: item for name, item in value.items()}
    return value


def _of_account_access(world):
    source = {"identityCenter": {"instanceArn": world.arn}}
    reads = ("GetApplication", "ListTagsForResource")
    yield "CreateApplication", {"identitySource": source, "tags": {"a": "b"}}, *reads
    said = {"applicationArn": world.access, "entitlement": world.entitlement(world.roles[3])}
    yield "CreateEntitlement", said, "GetEntitlement", "ListEntitlements"
    for_groups = {
        "principalRole": {
            "principal": {"identityCenter": {"groupId": world.groups[0]}},
            "roleArn": world.roles[3],
        }
    }
    yield "CreateEntitlement", said | {"entitlement": for_groups}, "GetEntitlement"
    yield "TagResource", {"resourceArn": world.access, "tags": {"c": "d"}}, "ListTagsForResource"


def _of_athena(world):
    said = {"Name": "mine", "Description": "D", "QueryString": "SELECT 3"}
    place = {"Database": "default", "WorkGroup": "primary", "ClientRequestToken": "t" * 32}
    yield "CreateNamedQuery", said | place, "GetNamedQuery"
    yield "UpdateNamedQuery", {"NamedQueryId": world.named[0], **said}, "GetNamedQuery"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.clients.store.close()


NAMES = [
    (service, name)
    for service, name in signed_operations()
    if service in SERVICES
    and name.startswith(("Create", "Update", "Put", "Add", "Attach", "Tag", "Provision"))
]


@pytest.mark.parametrize("call", [pytest.param(call, id="-".join(call)) for call in NAMES])
def test_every_member_that_is_written_is_read_back(world, call):
    mine = [row for row in rows(world) if row[0] == call]
    assert mine, "it has no row"
    said = set().union(*(_leaves(request) for _, request, _ in mine))
    settable = set(_settable(model_of(call).input_shape)) - NOT_SETTABLE.get(call, set())
    assert sorted(settable - said) == []
    for _, request, reads in mine:
        world.go_back()
        prepared(world, call)
        client = world.client_of(call[0], account=world.account) if call[1] == "CreateInstance" else None
        answer = world.call(call, request, client)
        found = [read(world, (call[0], name), request, answer, client) for name in reads]
        for member, value in _shown(request):
            is_asked_by = any(asked.get(member) == value for asked, _ in found)
            assert is_asked_by or any(shows(shown, member, value) for _, shown in found), (
                member,
                value,
                found,
            )


# What takes something away, and the read that shows it no more.
TAKEN_AWAY = {
    "sso-admin": {
        "DeleteAccountAssignment": "ListAccountAssignments",
        "DeleteApplication": "DescribeApplication",
        "DeleteApplicationAccessScope": "GetApplicationAccessScope",
        "DeleteApplicationAssignment": "DescribeApplicationAssignment",
        "DeleteApplicationAuthenticationMethod": "GetApplicationAuthenticationMethod",
        "DeleteApplicationGrant": "GetApplicationGrant",
        "DeleteInlinePolicyFromPermissionSet": "GetInlinePolicyForPermissionSet",
        "DeleteInstance": "DescribeInstance",
        "DeleteInstanceAccessControlAttributeConfiguration": (
            "DescribeInstanceAccessControlAttributeConfiguration"
        ),
        "DeletePermissionSet": "DescribePermissionSet",
        "DeletePermissionsBoundaryFromPermissionSet": "GetPermissionsBoundaryForPermissionSet",
        "DeleteTrustedTokenIssuer": "DescribeTrustedTokenIssuer",
        "DetachCustomerManagedPolicyReferenceFromPermissionSet": (
            "ListCustomerManagedPolicyReferencesInPermissionSet"
        ),
        "DetachManagedPolicyFromPermissionSet": "ListManagedPoliciesInPermissionSet",
        "RemoveRegion": "DescribeRegion",
        "UntagResource": "ListTagsForResource",
    },
    "identitystore": {
        "DeleteGroup": "DescribeGroup",
        "DeleteGroupMembership": "DescribeGroupMembership",
        "DeleteUser": "DescribeUser",
    },
    "account-access": {
        "DeleteApplication": "GetApplication",
        "DeleteEntitlement": "GetEntitlement",
        "UntagResource": "ListTagsForResource",
    },
    "athena": {"DeleteNamedQuery": "GetNamedQuery"},
    "glue": {"DeleteTable": "GetTable"},
}
TAKING = [
    (service, name)
    for service, name in signed_operations()
    if name.startswith(("Delete", "Detach", "Remove", "Untag"))
]


@pytest.mark.parametrize("call", [pytest.param(call, id="-".join(call)) for call in TAKING])
def test_what_is_taken_away_is_shown_no_more(world, call):
    world.go_back()
    prepared(world, call)
    service, requests = call[0], good_requests(world)
    look = (service, TAKEN_AWAY[service][call[1]])
    shared = {name: value for name, value in requests[call].items() if name in requests[look]}
    before = world.call(look, requests[look] | shared)
    world.call(call, requests[call])
    world.sso_admin.list_instances()  # what takes its time ends
    refused = world.refusal(look, requests[look] | shared)
    if refused:
        assert refused in codes_of(look)
    else:
        left = json.dumps(world.call(look, requests[look] | shared), default=str)
        assert len(left) < len(json.dumps(before, default=str))


# What ClientToken makes of a request that is sent again, with what it would have made.
SENT_AGAIN = {
    ("sso-admin", "CreateApplication"): "ConflictException",
    ("sso-admin", "CreateTrustedTokenIssuer"): "ConflictException",
    ("sso-admin", "CreateInstance"): "ConflictException",
    ("athena", "CreateNamedQuery"): "InvalidRequestException",
    ("athena", "StartQueryExecution"): "InvalidRequestException",
}


def test_every_operation_with_a_client_token_is_tried():
    tokens = {"ClientToken", "ClientRequestToken", "clientToken"}
    assert {call for call in signed_operations() if tokens & set(model_of(call).input_shape.members)} == set(
        SENT_AGAIN
    )


@pytest.mark.parametrize("call", [pytest.param(call, id="-".join(call)) for call in SENT_AGAIN])
def test_a_request_that_is_sent_again_makes_nothing_more(world, call):
    world.go_back()
    client = world.client_of(call[0], account=world.account) if call[1] == "CreateInstance" else None
    token = "ClientRequestToken" if call[0] == "athena" else "ClientToken"
    request = good_requests(world)[call] | {token: "token-" + "0" * 32}
    first = world.call(call, request, client)
    assert world.call(call, request, client) == first
    changed = "QueryString" if call[0] == "athena" else "Name"
    assert world.refusal(call, request | {changed: "Another"}, client) == SENT_AGAIN[call]
    if call[1] != "CreateInstance":  # an account has one
        assert world.call(call, request | {token: "other-" + "0" * 32} | _renamed(call), client) != first


def _renamed(call: Call) -> dict[str, Any]:
    if call[1] != "CreateTrustedTokenIssuer":
        return {}
    return {"Name": "another", "TrustedTokenIssuerConfiguration": oidc_jwt("https://other.example.com")}


# What identifies a change to a thing of which its row has no need.
NOT_SETTABLE = {
    ("identitystore", "UpdateUser"): {"Revision"},
    ("identitystore", "UpdateGroup"): {"Revision"},
}
PATHS = {"Operations", "AttributePath", "AttributeValue"}
# They say for which call, in which instance, to what kind of thing.
_NOT_SHOWN = ("ClientToken", "ClientRequestToken", "InstanceArn", "TargetType")


def prepared(world: World, call: Call) -> None:
    """Take away what is in the way of a thing of which there can be one."""
    if call[1] == "CreateInstanceAccessControlAttributeConfiguration":
        world.sso_admin.delete_instance_access_control_attribute_configuration(InstanceArn=world.arn)
    if call == ("account-access", "CreateApplication"):
        world.call(("account-access", "DeleteApplication"), {"applicationArn": world.access})
    if call[1] in ("UpdateInstance", "DeleteInstance"):  # one of several Regions keeps its key, and stays
        for region in ("eu-west-1", "eu-west-2"):
            world.sso_admin.remove_region(InstanceArn=world.arn, RegionName=region)
            world.sso_admin.list_regions(InstanceArn=world.arn)


def read(world: World, call: Call, request, answer, client) -> tuple[dict[str, Any], Any]:
    """Return what a read was asked by, of what a write said and answered, and all that it shows."""
    answered = dict(_flat(answer))
    flat = request | answered
    resource = next((answered[name] for name in _RESOURCES if name in answered), "")
    extra = {
        "ResourceArn": resource or flat.get("ResourceArn"),
        "resourceArn": flat.get("applicationArn", flat.get("resourceArn")),
        "AccountId": flat.get("TargetId"),
        "filter": {},
        "Extensions": [ENTERPRISE],
        "AccountAssignmentCreationRequestId": flat.get("RequestId"),
        "ProvisionPermissionSetRequestId": flat.get("RequestId"),
    }
    asked = {
        name: (flat | extra).get(name)
        for name in model_of(call).input_shape.members
        if (flat | extra).get(name) is not None
    }
    asked = {
        name: value
        for name, value in asked.items()
        if name != "InstanceArn" or call[1] != "ListTagsForResource"
    }
    return asked, world.call(call, asked, client)


_RESOURCES = ("PermissionSetArn", "ApplicationArn", "TrustedTokenIssuerArn", "InstanceArn")


def _flat(value: Any) -> Iterator[tuple[str, Any]]:
    for name, item in value.items() if isinstance(value, dict) else ():
        yield name, item
        yield from _flat(item)


def _shown(request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in request.items():
        if name == "Operations":
            for change in value:
                yield change["AttributePath"].rpartition(".")[2], change["AttributeValue"]
        elif name == "EncryptionConfiguration":
            yield from value.items()
        elif name not in _NOT_SHOWN:
            yield name, value


def shows(answer: Any, member: str, value: Any) -> bool:
    """Tell whether somewhere in an answer a member has a value, or more than it."""
    if isinstance(answer, list):
        return any(shows(one, member, value) for one in answer)
    if not isinstance(answer, dict):
        return answer == value  # an item of a list that has no name, as of ListAccounts…
    names = {name.lower(): item for name, item in answer.items()}
    if any(_includes(names.get(f"{member.lower()}{more}"), value) for more in ("", "details")):
        return True
    if _includes(names.get(f"{member.lower()}s"), [value]):
        return True
    return any(shows(item, member, value) for item in answer.values())


def _includes(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) and isinstance(wanted, dict):
        found = json.loads(found)
    if isinstance(wanted, dict) and isinstance(found, dict):
        names = {name.lower(): item for name, item in found.items()}
        return all(
            name.lower() in names and _includes(names[name.lower()], item) for name, item in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(found, list):
        return all(any(_includes(one, item) for one in found) for item in wanted)
    return bool(found == wanted)


def _settable(shape: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each member of a request that is no structure, list or map itself."""
    if shape.type_name == "structure" and shape.members and not getattr(shape, "is_document_type", False):
        for name, member in shape.members.items():
            yield from _settable(member, f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list":
        yield from _settable(shape.member, path)
    else:
        yield path


def _leaves(value: Any, path: str = "") -> set[str]:
    """Return the paths of a request's values, as `_settable` names them."""
    if isinstance(value, dict):
        return {path}.union(*(_leaves(item, f"{path}.{name}".lstrip(".")) for name, item in value.items()))
    if isinstance(value, list):
        return {path}.union(*(_leaves(item, path) for item in value))
    return {path}
