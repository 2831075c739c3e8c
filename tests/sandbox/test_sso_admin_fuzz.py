"""Odd requests about applications, issuers and Regions get a refusal that the model names, or an answer."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from application_center import ACTOR_POLICY, ApplicationCenter, oidc_jwt
from fuzz import Fuzz
from handler_harness import DEVELOPMENT, MANAGEMENT

from idc_sandbox.errors import ServiceError
from idc_sandbox.wire.models import Shape, service_model
from idc_sandbox.wire.registry import call_operation

KEY = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
SEED, COUNT = 20_261_130, 3_000
# What a name of a type may stand for besides nonsense: so that many requests get past the model.
SANE = {
    "ApplicationProviderArn": ["arn:aws:sso::aws:applicationProvider/custom"],
    "ApplicationNameType": ["Reports", "é", "x" * 100],
    "ApplicationUrl": ["https://a.example/x"],
    "Scope": ["sso:account:access", "a:b", "openid"],
    "URI": ["https://a.example/back", "http://[", "javascript:x"],
    "RegionName": ["us-east-1", "eu-west-1", "af-south-1"],
    "TrustedTokenIssuerUrl": ["https://idp.example.com", "http://127.0.0.1:1"],
    "ClaimAttributePath": ["sub", "a.b"],
    "JMESPath": ["userName", "emails.value"],
    "TrustedTokenIssuerName": ["Okta", "Other"],
    "ActorPolicyDocument": [ACTOR_POLICY, {}, [], {"Version": "2012-10-17", "Statement": [{"Effect": []}]}],
    "TrustedTokenIssuerConfiguration": [oidc_jwt()],
    "ClientToken": ["one", "two"],
    "Grant": [
        {"RefreshToken": {}},
        {"TokenExchange": {}},
        {"AuthorizationCode": {"RedirectUris": ["https://a.example/back"]}},
        {"AuthorizationCode": {"RedirectUris": ["http://[", "javascript:x"]}},
        {"JwtBearer": {"AuthorizedTokenIssuers": [{}]}},
    ],
    "AuthenticationMethod": [
        {"Iam": {"ActorPolicy": ACTOR_POLICY}},
        {"Iam": {}},
        {"Iam": {"ActorPolicy": 1}},
    ],
    "EncryptionConfiguration": [{"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": KEY}],
    "Token": [""],
}


class Odd(Fuzz):
    """Requests in which every known type often has a value that is there."""

    def __init__(self, sane: dict[str, list]) -> None:
        super().__init__(SEED, ("key", "secret"))
        self.sane = sane

    def _value(self, shape: Shape, depth: int = 0):
        if shape.name in self.sane and self._random.random() < 0.9:
            return self._random.choice(self.sane[shape.name])
        if (enum := shape.metadata.get("enum")) and self._random.random() < 0.9:
            return self._random.choice(enum)
        if shape.type_name == "structure" and self._random.random() < 0.95:
            needed = shape.required_members
            names = [one for one in shape.members if self._random.random() < (0.97 if one in needed else 0.3)]
            return {name: self._value(shape.members[name], depth + 1) for name in names}
        return super()._value(shape, depth)

    def request(self, name: str):
        return self._value(service_model("sso-admin").operation_model(name).input_shape)


def operations() -> list[str]:
    words = ("Application", "TrustedTokenIssuer", "Region", "TagResource", "UntagResource", "TagsForResource")
    names = [n for n in service_model("sso-admin").operation_names if any(word in n for word in words)]
    return [*names, "UpdateInstance"]


@pytest.fixture
def center(tmp_path) -> ApplicationCenter:
    return ApplicationCenter(tmp_path / "sandbox.db")


def test_no_odd_request_is_a_defect(center):
    user, group = center.add_user("ana"), center.add_group("Analysts")
    issuer = center.add_issuer("First", "https://first.example.com")
    arns = [center.application_arn, center.add_application("Other")]
    odd = Odd(
        SANE
        | {
            "InstanceArn": [center.instance_arn],
            "ApplicationArn": arns,
            "ScopeTarget": [*arns, center.instance_arn],
            "TrustedTokenIssuerArn": [issuer],
            "PrincipalId": [user, group],
            "TaggableResourceArn": [*arns, issuer, center.instance_arn],
        }
    )
    accounts = [MANAGEMENT, MANAGEMENT, MANAGEMENT, DEVELOPMENT]
    model, choose, outcomes = service_model("sso-admin"), random.Random(SEED), Counter()
    names = operations()
    assert len(names) > 40
    for _ in range(COUNT):
        name = choose.choice(names)
        operation = model.operation_model(name)
        try:
            with center.context(choose.choice(accounts)) as context:
                context.execute("SAVEPOINT whole")
                call_operation(context, "sso-admin", operation, odd.request(name))
                if name.startswith("Delete"):
                    context.execute("ROLLBACK TO whole")  # or soon nothing is left
        except ServiceError as error:
            is_modelled = error.code in {shape.name for shape in operation.error_shapes}
            outcomes["refused" if is_modelled else f"{name}: {error.message}", error.code] += 1
        else:
            outcomes["answered", name] += 1
    assert {kind for kind, _ in outcomes} == {"answered", "refused"}
    answered = {name for kind, name in outcomes if kind == "answered"}
    assert len(answered) > len(names) * 0.9, sorted(set(names) - answered)
    assert {code for kind, code in outcomes if kind == "refused"} >= {
        "ValidationException",
        "AccessDeniedException",
        "ResourceNotFoundException",
        "ConflictException",
    }
