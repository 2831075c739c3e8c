"""Rules that hold for every operation, from its model and one good request.

It answers in the shape of its model; it refuses whatever the model forbids; each list is read page by page.
One that is signed needs the permission of its name, and says so where a thing is not there; one of people's
programs needs its token, code or proof.
"""

from __future__ import annotations

from collections import Counter

import pytest
from fuzz import Fuzz
from operation_world import (
    NOTHING,
    REFUSED_IN_WORLD,
    broken,
    codes_of,
    good_requests,
    model_of,
    signed_operations,
    token_and_size,
    unsigned_operations,
)
from program_world import ProgramWorld, program_requests
from test_authorization import allow, document

from idc_sandbox.wire.registry import SIGNING_NAMES

OPERATIONS = [pytest.param(call, id="-".join(call)) for call in signed_operations()]
CALLS = sorted([*signed_operations(), *unsigned_operations()])
ALL = [pytest.param(call, id="-".join(call)) for call in CALLS]

# Where an operation asks for more than its own name, as at AWS.
NEEDS_TOO = {
    "athena": ("glue:*", "s3:*"),
    "glue": ("glue:*",),
}
INVALID = {
    "": {"ValidationException"},
    "athena": {"InvalidRequestException"},
    "glue": {"InvalidInputException"},
    "sso": {"InvalidRequestException"},
    "sso-oidc": {"InvalidRequestException"},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = ProgramWorld(tmp_path_factory.mktemp("world"))
    yield made
    made.clients.store.close()


@pytest.fixture(scope="module")
def good(world):
    return good_requests(world) | program_requests(world)


def test_every_operation_has_a_good_request(good):
    assert sorted(good) == CALLS


@pytest.mark.parametrize("call", ALL)
def test_a_good_request_is_answered_in_the_shape_of_the_model(world, good, call):
    world.go_back()
    if call in REFUSED_IN_WORLD:
        assert world.refusal(call, good[call]) == REFUSED_IN_WORLD[call]
        assert REFUSED_IN_WORLD[call] in codes_of(call)
        return
    answer = world.call(call, good[call])
    shape = model_of(call).output_shape
    assert answer.keys() <= (set(shape.members) if shape else set())
    if shape:
        missing = set(shape.required_members) - answer.keys()
        assert not missing


# --- the permission of its name


@pytest.fixture(scope="module")
def nobody(world):
    """Return the name and the credentials of a user who may do nothing, until a policy is put on them."""
    credentials = world.person_with("nobody")
    world.go_on_from_here()
    return credentials


def let(world, *statements):
    """Replace what the user may do."""
    world.client_of("iam").put_user_policy(
        UserName="nobody", PolicyName="inline", PolicyDocument=document(*statements)
    )


@pytest.mark.parametrize("call", OPERATIONS)
def test_it_needs_the_permission_of_its_name_and_no_other(world, good, nobody, call):
    world.go_back()
    client = world.client_of(call[0], nobody)
    action = f"{SIGNING_NAMES.get(call[0], call[0])}:{call[1]}"
    let(world, {"Effect": "Allow", "NotAction": action, "Resource": "*"})
    denied = world.refusal(call, good[call], client)
    assert denied == "AccessDeniedException"
    let(world, allow(action, *NEEDS_TOO.get(call, NEEDS_TOO.get(call[0], ()))))
    assert world.refusal(call, good[call], client) == REFUSED_IN_WORLD.get(call, "")


# --- the token, code or secret that a program has

OF_TOKEN = {"accessToken": "UnauthorizedException"}
OF_PROGRAM = {"clientId": "InvalidClientException", "clientSecret": "InvalidClientException"}
LET_IN_BY = {
    **{
        ("sso", name): OF_TOKEN
        for name in ("GetRoleCredentials", "ListAccountRoles", "ListAccounts", "Logout")
    },
    ("sso-oidc", "StartDeviceAuthorization"): OF_PROGRAM,
    ("sso-oidc", "CreateToken"): OF_PROGRAM | {"deviceCode": "InvalidGrantException"},
    ("sso-oidc", "CreateTokenWithIAM"): dict.fromkeys(("code", "codeVerifier"), "InvalidGrantException"),
    ("signin", "CreateOAuth2Token"): dict.fromkeys(("code", "codeVerifier"), "ValidationException"),
}


@pytest.mark.parametrize("call", [pytest.param(call, id="-".join(call)) for call in LET_IN_BY])
def test_a_program_needs_the_very_token_code_and_secret(world, good, call):
    for name, wanted in LET_IN_BY[call].items():
        world.go_back()
        request = good[call]["tokenInput"] if call[0] == "signin" else good[call]
        odd = request | {name: ("y" if request[name][:1] == "x" else "x") + request[name][1:]}
        assert world.refusal(call, {"tokenInput": odd} if call[0] == "signin" else odd) == wanted, name


# --- what the model forbids


@pytest.mark.parametrize("call", ALL)
def test_it_refuses_whatever_its_model_forbids(world, good, call):
    client = world.client_of(call[0])
    shape = model_of(call).input_shape or NOTHING
    in_path = [name for name, one in shape.members.items() if one.serialization.get("location") == "uri"]
    wrong = [
        (path, value, code)
        for path, changed, value in broken(shape, good[call])
        if path[0] not in in_path or value
        if (code := world.refusal(call, changed, client)) not in INVALID.get(call[0], INVALID[""])
    ]
    assert wrong == []


# --- what is not there

UUID = "00000000-0000-4000-8000-000000000000"
# For each kind of id, one that no world has.
ABSENT = {
    "InstanceArn": "arn:aws:sso:::instance/ssoins-0000000000000000",
    "PermissionSetArn": "arn:aws:sso:::permissionSet/ssoins-0000000000000000/ps-0000000000000000",
    "ApplicationArn": "arn:aws:sso::111122223333:application/ssoins-0000000000000000/apl-0000000000000000",
    "TrustedTokenIssuerArn": (
        f"arn:aws:sso::111122223333:trustedTokenIssuer/ssoins-0000000000000000/tti-{UUID}"
    ),
    "ApplicationProviderArn": "arn:aws:sso::aws:applicationProvider/none",
    "ResourceArn": "arn:aws:sso::111122223333:application/ssoins-0000000000000000/apl-0000000000000000",
    "IdentityStoreId": "d-0000000000",
    "TargetId": "999999999999",
    "AccountId": "999999999999",
    "Scope": "a:none",
    "applicationArn": "arn:aws:account-access:us-east-1:111122223333:application/app-0000000000000000",
    "resourceArn": "arn:aws:account-access:us-east-1:111122223333:application/app-0000000000000000",
    "TableName": "none",
    "DatabaseName": "none",
    **dict.fromkeys(
        (
            *("UserId", "GroupId", "MembershipId", "PrincipalId", "entitlementId", "QueryExecutionId"),
            *("NamedQueryId", "AccountAssignmentCreationRequestId"),
            *("AccountAssignmentDeletionRequestId", "ProvisionPermissionSetRequestId"),
        ),
        UUID,
    ),
}
# Each id in the good request of an operation, and what is said where it names nothing.
IDS = {
    call: names
    for call in signed_operations()
    if (names := [name for name in (model_of(call).input_shape or NOTHING).members if name in ABSENT])
}
# What is said instead of ResourceNotFoundException; empty: taking away what is not there succeeds.
SAID_INSTEAD = {
    "athena": "InvalidRequestException",
    "glue": "EntityNotFoundException",
    ("athena", "GetDatabase"): "MetadataException",
    ("athena", "GetTableMetadata"): "MetadataException",
    ("athena", "ListTableMetadata"): "MetadataException",
    ("account-access", "DeleteApplication"): "",
    ("account-access", "DeleteEntitlement", "entitlementId"): "",
    ("sso-admin", "DeleteApplicationAccessScope", "Scope"): "",
    ("sso-admin", "DeleteApplicationAssignment", "PrincipalId"): "",
    ("sso-admin", "PutApplicationAccessScope", "Scope"): "",  # it makes it
    ("account-access", "GetEntitlement", "entitlementId"): "ValidationException",
    **{  # it is not the instance of the resource
        ("sso-admin", f"{name}Resource", "InstanceArn"): "ValidationException"
        for name in ("Tag", "Untag", "ListTagsFor")
    },
}


@pytest.mark.parametrize("call", [pytest.param(call, id="-".join(call)) for call in IDS])
def test_what_is_not_there_is_refused(world, good, call):
    for name in IDS[call]:
        world.go_back()
        # Operations whose model has no such error say that the instance is not the caller's.
        usual = "ResourceNotFoundException"
        usual = usual if usual in codes_of(call) else "AccessDeniedException"
        keys = [(*call, name), call, call[0]]
        wanted = next((SAID_INSTEAD[key] for key in keys if key in SAID_INSTEAD), usual)
        assert world.refusal(call, good[call] | {name: ABSENT[name]}) == wanted, name
        assert wanted in {*codes_of(call), ""}


# --- lists, page by page

# These have no third page: what is listed cannot be three things here, or the request names no size.
SHORT = {
    ("account-access", "ListApplications"): "an organization has one",
    ("athena", "ListDataCatalogs"): "there is one",
    ("athena", "ListEngineVersions"): "there is one",
    ("athena", "ListWorkGroups"): "there is one",
    ("cloudtrail", "ListTrails"): "it has no MaxResults",
    ("identitystore", "ListIdentityStores"): "an account sees one",
    ("signin", "ListSessions"): "test_aws_login.py reads its pages",
    ("sso-admin", "ListApplicationAuthenticationMethods"): "there is one kind, and no MaxResults",
    ("sso-admin", "ListApplicationGrants"): "there are four kinds, and no MaxResults",
    ("sso-admin", "ListInstances"): "an account sees two at most",
    ("sso-admin", "ListTagsForResource"): "it has no MaxResults",
}
ANY_PAGED = [call for call in CALLS if token_and_size(call)[0]]
BAD_TOKEN = {
    "athena": "InvalidRequestException",
    "glue": "InvalidInputException",
    "cloudtrail": "InvalidNextTokenException",
    "sso": "InvalidRequestException",
}
PAGED = [
    pytest.param(call, id="-".join(call))
    for call in ANY_PAGED
    if call not in SHORT and call != ("athena", "GetQueryResults")
]


def pages_of(world, call, request, size) -> tuple[list[list], list[str]]:
    """Return the pages of a list, and the tokens that led from one to the next."""
    token_name, size_name = token_and_size(call)
    pages, tokens = [], []
    while True:
        token = {token_name: tokens[-1]} if tokens else {}
        answer = world.call(call, {**request, size_name: size, **token})
        pages.append(next(value for value in answer.values() if isinstance(value, list)))
        if token_name not in answer:
            return pages, tokens
        tokens.append(answer[token_name])


@pytest.mark.parametrize("call", PAGED)
def test_a_list_is_read_in_pages_that_are_the_whole(world, good, call):
    world.go_back()
    request = good[call]
    if call == ("cloudtrail", "LookupEvents"):  # each look is an event: those of one kind stay the same
        request = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateGroup"}]}
    whole = next(value for value in world.call(call, request).values() if isinstance(value, list))
    for size in (1, 2):
        pages, _ = pages_of(world, call, request, size)
        assert [one for page in pages for one in page] == whole
        assert {len(page) for page in pages[:-1]} == {size}
        assert len(pages) >= 4 - size


@pytest.mark.parametrize("call", PAGED)
def test_a_token_is_good_for_its_own_question_and_account_alone(world, good, call):
    world.go_back()
    token_name, size_name = token_and_size(call)
    wanted = BAD_TOKEN.get(call, BAD_TOKEN.get(call[0], "ValidationException"))
    _, tokens = pages_of(world, call, good[call], 1)
    others = [other for other in ANY_PAGED if other[0] == call[0] and other != call]
    for other in others[:3]:
        name, _ = token_and_size(other)
        assert world.refusal(other, good[other] | {name: tokens[0]}) == BAD_TOKEN.get(other, wanted), other
    for odd in ("AAAA", tokens[0][:-4], tokens[0][4:]):
        assert world.refusal(call, good[call] | {token_name: odd}) == wanted
    again = world.call(call, good[call] | {token_name: tokens[0], size_name: 1})
    assert again == world.call(call, good[call] | {token_name: tokens[0], size_name: 1})


def test_a_token_is_not_good_for_another_account_or_other_parameters(world, good):
    world.go_back()
    call = ("sso-admin", "ListAccountAssignments")
    _, (token, *_) = pages_of(world, call, good[call], 2)
    world.clients.client("organizations").register_delegated_administrator(
        AccountId=world.account, ServicePrincipal="sso.amazonaws.com"
    )
    theirs = world.client_of(call[0], account=world.account)
    assert world.refusal(call, good[call], theirs) == ""
    assert world.refusal(call, good[call] | {"NextToken": token}, theirs) == "ValidationException"
    other = good[call] | {"AccountId": world.accounts["Production"], "NextToken": token}
    assert world.refusal(call, other) == "ValidationException"
    assert world.refusal(call, good[call] | {"NextToken": token}) == ""


def test_a_page_is_good_for_the_next_token_of_the_same_person(world, good):
    world.go_back()
    call = ("sso", "ListAccounts")
    _, (token, *_) = pages_of(world, call, good[call], 1)
    onward = good[call] | {"nextToken": token, "maxResults": 1}
    renewed = world.log_in(world.sign_in())["accessToken"]
    assert renewed != onward["accessToken"]
    assert world.call(call, onward | {"accessToken": renewed}) == world.call(call, onward)


# --- and with something odd in it

ODD, ODD_SEED = 3_000, 20_261_130
OF_PROGRAMS = ("account-access", "account-access-runtime", "signin", "sso", "sso-oidc")


@pytest.mark.parametrize("kind", ["JSON", "REST"])
def test_a_good_request_with_something_odd_in_it_never_gets_a_500(world, good, caplog, kind):
    """Requests that get past the door and most of the model, as those of `test_fuzz.py` hardly do."""
    world.go_back()
    fuzz = Fuzz(ODD_SEED, world.clients.administrator_key())
    calls = [call for call in sorted(good) if (call[0] in OF_PROGRAMS) == (kind == "REST")]
    defects, statuses = [], Counter()
    asked = fuzz.odd_requests([(call, good[call]) for call in calls], ODD, world.headers_of)
    for number, (what, request) in enumerate(asked):
        if number % 100 == 0:
            world.go_back()
        answer = world.clients.gateway.handle(request)
        statuses[answer.status] += 1
        if answer.status >= 500:
            defects.append(what[:300])
    assert not defects, caplog.text[-4000:]
    assert statuses[200] > ODD / 10
