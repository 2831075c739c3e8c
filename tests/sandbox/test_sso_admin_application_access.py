"""What applications may ask for, and by whose tokens: scopes, grants, actor policies, issuers."""

from __future__ import annotations

import copy
import re

import pytest
from application_center import (
    ACTOR_POLICY,
    ISSUER_URL,
    JWT_BEARER,
    TOKEN_EXCHANGE,
    ApplicationCenter,
    oidc_jwt,
)
from handler_harness import DEVELOPMENT, MANAGEMENT, SECURITY

from idc_sandbox.errors import ServiceError


@pytest.fixture
def center(tmp_path) -> ApplicationCenter:
    return ApplicationCenter(tmp_path / "sandbox.db")


def test_scopes_are_read_back_with_their_targets(center):
    targets = [center.application_arn, center.instance_arn]
    center.app("PutApplicationAccessScope", Scope="s3:access_grants:read_write", AuthorizedTargets=targets)
    center.app("PutApplicationAccessScope", Scope="openid")
    found = {"Scope": "s3:access_grants:read_write", "AuthorizedTargets": targets}
    assert center.app("GetApplicationAccessScope", Scope=found["Scope"]) == found
    assert center.app("ListApplicationAccessScopes")["Scopes"] == [{"Scope": "openid"}, found]
    center.app("PutApplicationAccessScope", Scope=found["Scope"])
    assert center.app("GetApplicationAccessScope", Scope=found["Scope"]) == {"Scope": found["Scope"]}
    for _ in range(2):
        center.app("DeleteApplicationAccessScope", Scope=found["Scope"])
    message = center.app_refused(
        "GetApplicationAccessScope", "ResourceNotFoundException", Scope=found["Scope"]
    )
    assert "PutApplicationAccessScope sets one" in message


def test_scopes_come_ten_on_a_page(center):
    for number in range(11):
        center.app("PutApplicationAccessScope", Scope=f"scope_{number}")
    pages = center.pages("ListApplicationAccessScopes", "Scopes", ApplicationArn=center.application_arn)
    assert [len(page) for page in pages] == [10, 1]


@pytest.mark.parametrize("scope", ["sso:account:access", "account_access:read_only", "account_access:assume"])
def test_only_an_administrator_gives_access_to_accounts(center, scope):
    own = center.add_application("Own", caller_account=DEVELOPMENT)
    request = {"ApplicationArn": own, "Scope": scope}
    message = center.refused(
        "PutApplicationAccessScope", "AccessDeniedException", caller_account=DEVELOPMENT, **request
    )
    assert "management account" in message
    assert repr(scope) in message
    center.sso("PutApplicationAccessScope", caller_account=DEVELOPMENT, ApplicationArn=own, Scope="openid")
    center.double.delegates.add(SECURITY)
    center.sso("PutApplicationAccessScope", caller_account=SECURITY, **request)


def test_an_account_instance_gives_no_access_to_accounts(center):
    instance_arn = center.call("sso-admin", "CreateInstance", caller_account=DEVELOPMENT)["InstanceArn"]
    center.wait()
    own = center.add_application("Own", caller_account=DEVELOPMENT, InstanceArn=instance_arn)
    message = center.refused(
        "PutApplicationAccessScope",
        "ValidationException",
        caller_account=DEVELOPMENT,
        ApplicationArn=own,
        Scope="sso:account:access",
    )
    assert "account instances" in message


GRANTS = [
    ("authorization_code", {"AuthorizationCode": {"RedirectUris": ["https://app.example.com/back"]}}),
    ("refresh_token", {"RefreshToken": {}}),
    (TOKEN_EXCHANGE, {"TokenExchange": {}}),
]


@pytest.mark.parametrize(("grant_type", "grant"), GRANTS)
def test_a_grant_is_read_back(center, grant_type, grant):
    message = center.app_refused("GetApplicationGrant", "ResourceNotFoundException", GrantType=grant_type)
    assert grant_type in message
    center.app("PutApplicationGrant", GrantType=grant_type, Grant=grant)
    assert center.app("GetApplicationGrant", GrantType=grant_type) == {"Grant": grant}
    assert center.app("ListApplicationGrants")["Grants"] == [{"GrantType": grant_type, "Grant": grant}]
    for _ in range(2):
        center.app("DeleteApplicationGrant", GrantType=grant_type)
    assert center.app("ListApplicationGrants")["Grants"] == []


def test_a_grant_by_assertion_names_issuers_of_the_instance(center):
    arn = center.add_issuer()
    issuer = {"TrustedTokenIssuerArn": arn, "AuthorizedAudiences": ["reports", "0oa"]}
    grant = {"JwtBearer": {"AuthorizedTokenIssuers": [issuer]}}
    center.app("PutApplicationGrant", GrantType=JWT_BEARER, Grant=grant)
    assert center.app("GetApplicationGrant", GrantType=JWT_BEARER) == {"Grant": grant}
    issuer["TrustedTokenIssuerArn"] = f"{arn[:-1]}{'0' if arn[-1] != '0' else '1'}"
    center.app_refused("PutApplicationGrant", "ResourceNotFoundException", GrantType=JWT_BEARER, Grant=grant)


@pytest.mark.parametrize(
    ("grant_type", "grant", "why"),
    [
        ("refresh_token", {"TokenExchange": {}}, "needs the Grant RefreshToken, found TokenExchange"),
        ("authorization_code", {"AuthorizationCode": {}}, "needs RedirectUris"),
        (JWT_BEARER, {"JwtBearer": {}}, "needs AuthorizedTokenIssuers"),
        (JWT_BEARER, {"JwtBearer": {"AuthorizedTokenIssuers": [{}]}}, "found neither"),
        ("refresh_token", {}, "exactly one of"),
        ("refresh_token", {"RefreshToken": {}, "TokenExchange": {}}, "exactly one of"),
        *(
            ("authorization_code", {"AuthorizationCode": {"RedirectUris": [uri]}}, "http or https")
            for uri in (
                "javascript:alert(1)",
                "app://x",
                "https://",
                "https://a/#x",
                "https://a b/",
                "https://a/;x",
                "https://a,b/",
                "https://a/'",
                "https://[x/",
                "https://é.example/",
                "https://a/\r\nx",
            )
        ),
    ],
)
def test_a_grant_must_fit_its_type(center, grant_type, grant, why):
    message = center.app_refused(
        "PutApplicationGrant", "ValidationException", GrantType=grant_type, Grant=grant
    )
    assert why in message
    assert center.app("ListApplicationGrants")["Grants"] == []


def test_the_actor_policy_is_read_back(center):
    kind = {"AuthenticationMethodType": "IAM"}
    method = {"Iam": {"ActorPolicy": ACTOR_POLICY}}
    center.app_refused("GetApplicationAuthenticationMethod", "ResourceNotFoundException", **kind)
    center.app("PutApplicationAuthenticationMethod", **kind, AuthenticationMethod=method)
    assert center.app("GetApplicationAuthenticationMethod", **kind) == {"AuthenticationMethod": method}
    listed = center.app("ListApplicationAuthenticationMethods")["AuthenticationMethods"]
    assert listed == [kind | {"AuthenticationMethod": method}]
    for _ in range(2):
        center.app("DeleteApplicationAuthenticationMethod", **kind)
    assert center.app("ListApplicationAuthenticationMethods")["AuthenticationMethods"] == []


def changed(**statement):
    policy = copy.deepcopy(ACTOR_POLICY)
    policy["Statement"][0] |= statement
    return policy


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("{}", "must be a JSON object, found str"),
        ([], "must be a JSON object, found list"),
        ({}, "Version must be '2012-10-17', found None"),
        (ACTOR_POLICY | {"Version": "2008-10-17"}, "Version must be"),
        (ACTOR_POLICY | {"Statement": []}, "must have a Statement"),
        (ACTOR_POLICY | {"Statement": ["x"]}, "must have a Statement"),
        ({"Version": "2012-10-17", "Statement": {"Effect": "Allow"}}, "statement 1 must have Action"),
        (changed(Principal="role"), "statement 1 must name roles or services"),
        (changed(Principal={"Federated": "x"}), "statement 1 must name roles or services"),
        (changed(Principal={"AWS": [1]}), "statement 1 must name roles or services"),
        (changed(Resource="arn:aws:sso:::instance/x"), "statement 1 must have the Resource '*'"),
        (changed(Action="sso-oauth:CreateToken"), "statement 1 may have the actions"),
        (changed(Action=["sso-oauth:CreateTokenWithIAM", "s3:*"]), "statement 1 may have the actions"),
        (changed(Effect="Maybe"), "Effect"),
        (changed(Condition=[]), "Condition"),
        (changed(Other=1), "Other"),
        (ACTOR_POLICY | {"More": 1}, "More"),
    ],
)
def test_an_actor_policy_has_its_own_rules(center, policy, why):
    message = center.app_refused(
        "PutApplicationAuthenticationMethod",
        "ValidationException",
        AuthenticationMethodType="IAM",
        AuthenticationMethod={"Iam": {"ActorPolicy": policy}},
    )
    assert why in message


@pytest.mark.parametrize(
    "policy",
    [
        changed(Principal="*"),
        changed(Principal={"Service": "lambda.amazonaws.com"}),
        changed(Action=["sso-oauth:CreateTokenWithIAM", "sso-oauth:RevokeTokenWithIAM"]),
        changed(Resource=["*"], Sid="App", Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}}),
    ],
)
def test_actor_policies_that_are_taken(center, policy):
    center.app(
        "PutApplicationAuthenticationMethod",
        AuthenticationMethodType="IAM",
        AuthenticationMethod={"Iam": {"ActorPolicy": policy}},
    )


def test_background_sessions_are_switched(center):
    center.app("PutApplicationSessionConfiguration", UserBackgroundSessionApplicationStatus="ENABLED")
    center.app("PutApplicationSessionConfiguration")
    found = center.app("GetApplicationSessionConfiguration")
    assert found == {"UserBackgroundSessionApplicationStatus": "ENABLED"}


def test_an_issuer_is_read_back(center):
    arn = center.add_issuer(Tags=[{"Key": "a", "Value": "b"}])
    instance_id = center.instance_arn.rpartition("/")[2]
    assert re.fullmatch(
        rf"arn:aws:sso::{MANAGEMENT}:trustedTokenIssuer/{instance_id}/tti-[-0-9a-f]{{36}}", arn
    )
    shown = {"TrustedTokenIssuerArn": arn, "Name": "Okta", "TrustedTokenIssuerType": "OIDC_JWT"}
    named = {"TrustedTokenIssuerArn": arn}
    assert center.sso("DescribeTrustedTokenIssuer", **named) == shown | {
        "TrustedTokenIssuerConfiguration": oidc_jwt()
    }
    assert center.sso("ListTrustedTokenIssuers")["TrustedTokenIssuers"] == [shown]
    assert center.sso("ListTagsForResource", ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    center.sso("DeleteTrustedTokenIssuer", **named)
    assert center.execute("SELECT * FROM tag") == []
    for operation in ("Describe", "Update", "Delete"):
        center.refused(f"{operation}TrustedTokenIssuer", "ResourceNotFoundException", **named)


def test_an_issuers_paths_and_name_change_and_its_url_does_not(center):
    named = {"TrustedTokenIssuerArn": center.add_issuer()}
    paths = {"ClaimAttributePath": "sub", "IdentityStoreAttributePath": "userName"}
    center.sso(
        "UpdateTrustedTokenIssuer",
        **named,
        TrustedTokenIssuerConfiguration={"OidcJwtConfiguration": paths},
    )
    center.sso("UpdateTrustedTokenIssuer", **named, Name="Renamed")
    found = center.sso("DescribeTrustedTokenIssuer", **named)
    assert found["Name"] == "Renamed"
    assert found["TrustedTokenIssuerConfiguration"] == oidc_jwt(**paths)
    center.sso("UpdateTrustedTokenIssuer", **named, Name="Renamed")


def test_names_and_urls_of_issuers_are_used_once(center):
    center.add_issuer()
    other = center.add_issuer("Other", "https://other.example.com")
    for name, url, value in (("Okta", "https://new.example.com", "Okta"), ("New", ISSUER_URL, ISSUER_URL)):
        with pytest.raises(ServiceError) as caught:
            center.add_issuer(name, url)
        assert caught.value.code == "ConflictException"
        assert repr(value) in caught.value.message
    center.refused("UpdateTrustedTokenIssuer", "ConflictException", TrustedTokenIssuerArn=other, Name="Okta")


def test_ten_issuers_and_no_more(center):
    for number in range(10):
        center.add_issuer(f"Issuer{number}", f"https://{number}.example.com")
    with pytest.raises(ServiceError) as caught:
        center.add_issuer("More", "https://more.example.com")
    assert caught.value.code == "ServiceQuotaExceededException"
    pages = center.pages("ListTrustedTokenIssuers", "TrustedTokenIssuers", MaxResults=4)
    assert [len(page) for page in pages] == [4, 4, 2]


def test_the_same_client_token_gives_the_same_issuer(center):
    arn = center.add_issuer(ClientToken="token")
    assert center.add_issuer(ClientToken="token") == arn
    with pytest.raises(ServiceError, match="IdempotentParameterMismatch"):
        center.add_issuer("Other", ClientToken="token")


def test_issuers_are_the_administrators(center):
    arn = center.add_issuer()
    member = {"caller_account": DEVELOPMENT}
    center.refused("ListTrustedTokenIssuers", "AccessDeniedException", **member)
    for operation in ("Describe", "Update", "Delete"):
        center.refused(
            f"{operation}TrustedTokenIssuer", "AccessDeniedException", TrustedTokenIssuerArn=arn, **member
        )
