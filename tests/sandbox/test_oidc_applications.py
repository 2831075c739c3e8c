"""CreateTokenWithIAM over the wire: who may ask, what each grant needs, and what the tokens are good for."""

from __future__ import annotations

import base64
import json
import socket
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from application_center import CUSTOM, JWT_BEARER, TOKEN_EXCHANGE
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from patience import PATIENCE_S
from portal_harness import CHALLENGE, VERIFIER
from token_issuer import TokenIssuer

from idc_sandbox.api.oidc import applications, authorizations
from idc_sandbox.sign_in import people
from idc_sandbox.sign_in.people import Refusal

ACCOUNT = "111122223333"
DEEP = b"[" * 200_000
REDIRECT_URI = "https://reports.example.com/callback?tenant=1"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token"
DEFAULT_SCOPES = ["openid", "aws", "sts:identity_context"]


class Application:
    """An application to which ana is assigned, and as which the administrator's key may act."""

    def __init__(self, portal, issuer: TokenIssuer, name: str = "Reports") -> None:
        self.portal, self.admin, self.issuer = portal, portal.sso_admin, issuer
        self.instance = {"InstanceArn": portal.instance["InstanceArn"]}
        self.arn = self.admin.create_application(**self.instance, ApplicationProviderArn=CUSTOM, Name=name)[
            "ApplicationArn"
        ]
        self.named = {"ApplicationArn": self.arn}
        self.assign(portal.user_id)
        self.grant("refresh_token", {"RefreshToken": {}})
        self.allow({"AWS": f"arn:aws:iam::{ACCOUNT}:user/sandbox-administrator"})
        self.oidc = portal.oidc

    def assign(self, user_id: str, kind: str = "USER") -> None:
        self.admin.create_application_assignment(**self.named, PrincipalType=kind, PrincipalId=user_id)

    def grant(self, grant_type: str, grant: dict) -> None:
        self.admin.put_application_grant(**self.named, GrantType=grant_type, Grant=grant)

    def scope(self, scope: str, *targets: str) -> None:
        given = {"AuthorizedTargets": list(targets)} if targets else {}
        self.admin.put_application_access_scope(**self.named, Scope=scope, **given)

    def trust(self, **changes: str) -> str:
        """Trust the issuer and let the application take its tokens."""
        configuration = {
            "IssuerUrl": self.issuer.url,
            "ClaimAttributePath": "email",
            "IdentityStoreAttributePath": "emails.value",
            "JwksRetrievalOption": "OPEN_ID_DISCOVERY",
        } | changes
        arn = self.admin.create_trusted_token_issuer(
            **self.instance,
            Name="Issuer",
            TrustedTokenIssuerType="OIDC_JWT",
            TrustedTokenIssuerConfiguration={"OidcJwtConfiguration": configuration},
        )["TrustedTokenIssuerArn"]
        issuers = [{"TrustedTokenIssuerArn": arn, "AuthorizedAudiences": ["reports", "other"]}]
        self.grant(JWT_BEARER, {"JwtBearer": {"AuthorizedTokenIssuers": issuers}})
        return arn

    def allow(self, principal, **changes) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sso-oauth:CreateTokenWithIAM",
            "Resource": "*",
        } | changes
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.admin.put_application_authentication_method(
            **self.named,
            AuthenticationMethodType="IAM",
            AuthenticationMethod={"Iam": {"ActorPolicy": policy}},
        )

    def client_of(self, role: str, *statements: dict):
        """Return the client of a role of the management account with these permissions, or none."""
        iam = self.portal.clients.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        if statements:
            policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy)
        sts = self.portal.clients.client("sts")
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="application")["Credentials"]
        credentials = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        return self.portal.clients.client("sso-oidc", credentials=credentials)

    def token(self, grant_type: str, **request) -> dict:
        return self.oidc.create_token_with_iam(**{"clientId": self.arn, "grantType": grant_type} | request)

    def exchange(self, assertion: str = "", **request) -> dict:
        return self.token(JWT_BEARER, assertion=assertion or self.issuer.sign(), **request)

    def refused(self, code: str, *arguments, **request) -> str:
        """Ask for a token by an assertion, which must be refused, and return why."""
        return refusal(code, self.exchange, *arguments, **request)


def refusal(expected: str, call, *arguments, **request) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **request)
    error = caught.value.response["Error"]
    assert error["Code"] == expected, error
    return error["Message"]


@pytest.fixture
def issuer(monkeypatch):
    monkeypatch.setattr(applications, "_KEYS_OF_ISSUER", {})
    monkeypatch.setattr(applications, "_LONGEST_WAIT_S", PATIENCE_S)  # a busy machine answers late
    made = TokenIssuer()
    yield made
    made.close()


@pytest.fixture
def application(portal, issuer) -> Application:
    return Application(portal, issuer)


def test_an_assertion_gets_tokens_of_the_user_whom_it_means(application, portal):
    issuer_arn = application.trust()
    answer = application.exchange()
    assert (answer["tokenType"], answer["expiresIn"]) == ("Bearer", 3600)
    assert answer["issuedTokenType"] == REFRESH_TOKEN
    assert answer["scope"] == DEFAULT_SCOPES
    claims = jwt.decode(answer["idToken"], options={"verify_signature": False})
    instance_arn = portal.instance["InstanceArn"]
    assert claims["iss"] == f"https://identitycenter.amazonaws.com/{instance_arn.rpartition('/')[2]}"
    assert claims["sub"] == portal.user_id
    assert claims["act"] == {"sub": issuer_arn}
    assert claims["aws:identity_store_id"] == portal.instance["IdentityStoreId"]
    assert claims["aws:identity_store_arn"] == portal.instance["IdentityStoreArn"]
    assert claims["aws:instance_arn"] == instance_arn
    assert claims["aws:instance_account"] == ACCOUNT
    assert claims["sts:identity_context"] == answer["awsAdditionalDetails"]["identityContext"]
    assert claims["exp"] - claims["iat"] == 3600


def test_the_event_names_the_user_and_none_of_the_tokens(application, portal, issuer):
    application.trust()
    assertion = issuer.sign()
    answer = application.exchange(assertion)
    records = [json.loads(text) for text in portal.clients.trail_texts()]
    (record,) = [one for one in records if one["eventName"] == "CreateTokenWithIAM"]
    assert record["eventSource"] == "sso-oauth.amazonaws.com"
    assert record["userIdentity"]["arn"].endswith("/sandbox-administrator")
    assert record["requestParameters"]["clientId"] == application.arn
    additional = record["additionalEventData"]
    assert additional["identitystore:UserId"] == portal.user_id
    assert additional["identitystore:IdentityStoreArn"] == portal.instance["IdentityStoreArn"]
    claims = jwt.decode(answer["idToken"], options={"verify_signature": False})
    assert additional["identitycenter:CredentialId"] == claims["aws:credential_id"]
    secrets = [assertion, *(answer[name] for name in ("accessToken", "refreshToken", "idToken"))]
    secrets.append(answer["awsAdditionalDetails"]["identityContext"])
    assert not [secret for secret in secrets if secret in json.dumps(records)]


def test_with_the_scope_for_accounts_the_token_gets_role_credentials(application, portal):
    application.trust()
    application.scope("sso:account:access")
    account_id = portal.accounts["Development"]
    portal.assign(portal.add_permission_set("Readers", "ReadOnlyAccess"), account_id)
    portal.clients.advance_clock(1)
    token = application.exchange()["accessToken"]
    (account,) = portal.portal.list_accounts(accessToken=token)["accountList"]
    assert account["accountId"] == account_id
    keys = portal.portal.get_role_credentials(accessToken=token, accountId=account_id, roleName="Readers")[
        "roleCredentials"
    ]
    credentials = {
        "aws_access_key_id": keys["accessKeyId"],
        "aws_secret_access_key": keys["secretAccessKey"],
        "aws_session_token": keys["sessionToken"],
    }
    who = portal.clients.client("sts", credentials=credentials).get_caller_identity()
    assert who["Arn"].endswith("/ana")


def test_a_token_without_that_scope_gets_none(application, portal):
    application.trust()
    application.scope("sso:account:access")
    for token in (
        application.exchange(scope=["openid"])["accessToken"],
        portal.log_in(scopes=["codewhisperer:completions"])["accessToken"],
    ):
        refusal("UnauthorizedException", portal.portal.list_accounts, accessToken=token)


def test_scopes_are_those_of_the_application(application):
    application.trust()
    application.scope("s3:access_grants:read_write")
    assert application.exchange(scope=["openid"])["scope"] == ["openid"]
    assert application.exchange()["scope"] == [*DEFAULT_SCOPES, "s3:access_grants:read_write"]
    message = application.refused("InvalidScopeException", scope=["sso:account:access"])
    assert "'sso:account:access'" in message


def test_a_refresh_token_is_replaced_and_cannot_gain_scopes(application):
    application.trust()
    application.scope("a:b")
    tokens = application.exchange(scope=["openid"])
    application.grant("refresh_token", {"RefreshToken": {}})
    again = application.token("refresh_token", refreshToken=tokens["refreshToken"])
    assert again["scope"] == ["openid"]
    assert again["refreshToken"] != tokens["refreshToken"]
    request = {"refreshToken": again["refreshToken"], "scope": ["a:b"]}
    refusal("InvalidScopeException", application.token, "refresh_token", **request)


def test_who_has_lost_all_that_was_allowed_does_not_gain_accounts(web, portal):
    """A token without any scope is one for accounts: that of an old profile."""
    web.scope("a:b")
    request = {"redirectUri": REDIRECT_URI, "codeVerifier": VERIFIER}
    tokens = web.token("authorization_code", code=code_of(web, scopes="a:b"), **request)
    code = code_of(web, scopes="a:b")
    web.admin.delete_application_access_scope(**web.named, Scope="a:b")
    refresh = {"refreshToken": tokens["refreshToken"]}
    assert "a:b" in refusal("InvalidGrantException", web.token, "refresh_token", **refresh)
    refusal("InvalidGrantException", web.token, "authorization_code", code=code, **request)
    refusal("UnauthorizedException", portal.portal.list_accounts, accessToken=tokens["accessToken"])
    web.scope("a:b")
    assert web.token("refresh_token", **refresh)["scope"] == ["a:b"]


def test_an_id_token_is_no_registration_of_a_client(application):
    application.trust()
    signed, _, signature = application.exchange()["idToken"].rpartition(".")
    digest = base64.urlsafe_b64decode(signature + "=").hex()
    asked = {"clientId": "x", "clientSecret": f"{signed}.{digest}", "grantType": "refresh_token"}
    refusal("InvalidClientException", application.oidc.create_token, **asked, refreshToken="x")


def test_without_the_refresh_grant_there_is_no_refresh_token(application):
    application.trust()
    application.admin.delete_application_grant(**application.named, GrantType="refresh_token")
    answer = application.exchange()
    assert "refreshToken" not in answer
    assert answer["issuedTokenType"] == ACCESS_TOKEN
    refusal("UnauthorizedClientException", application.token, "refresh_token", refreshToken="x")


def test_one_session_a_user_and_application_however_often_it_asks(application, portal):
    application.trust()
    application.exchange()
    token = application.exchange()["refreshToken"]
    (session,) = portal.do(people.list_sessions, portal.user_id)
    portal.do(people.end_session, session.session_id)
    refusal("InvalidGrantException", application.token, "refresh_token", refreshToken=token)
    assert application.exchange()["accessToken"]


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"aud": "somebody-else"}, "Audience"),
        ({"aud": None}, "aud"),
        ({"email": None}, "no claim 'email'"),
        ({"email": ["ana@example.com"]}, "no claim 'email'"),
        ({"email": "nobody@example.com"}, "must lead to one user by 'emails.value', found 0"),
        ({"iss": "http://127.0.0.1:1"}, "trusts no issuer 'http://127.0.0.1:1'"),
        ({"iss": None}, "trusts no issuer"),
        ({"kid": "two"}, "has no key 'two'"),
    ],
)
def test_an_assertion_that_is_not_good(application, issuer, claims, why):
    application.trust()
    assert why in application.refused("InvalidGrantException", issuer.sign(**claims))


def test_an_assertion_that_somebody_else_signed(application, issuer):
    application.trust()
    forged = issuer.sign(key=rsa.generate_private_key(65_537, 2048))
    assert "Signature" in application.refused("InvalidGrantException", forged)
    secret = "x" * 64
    for assertion in (
        issuer.sign(key=secret, algorithm="HS512"),
        jwt.encode({"iss": issuer.url, "email": "ana@example.com", "aud": "reports"}, None, "none"),
        "x",
        "a.b.c",
        issuer.sign()[:-4],
        issuer.sign(exp=float("inf")),
        ".".join(base64.urlsafe_b64encode(part).decode() for part in (b'{"alg": "RS256"}', DEEP, b"x")),
        ".".join(base64.urlsafe_b64encode(part).decode() for part in (DEEP, b"{}", b"x")),
    ):
        application.refused("InvalidGrantException", assertion)


def test_an_assertion_for_any_of_the_audiences_and_without_a_key_id(application, issuer):
    application.trust()
    assert application.exchange(issuer.sign(aud=["x", "other"], kid=None))["accessToken"]


def test_a_claim_inside_of_another_leads_to_a_user_name(application, issuer):
    application.trust(ClaimAttributePath="person.login", IdentityStoreAttributePath="userName")
    assert application.exchange(issuer.sign(person={"login": "ANA"}))["accessToken"]


def test_keys_are_read_once_and_again_when_they_are_new(application, issuer, monkeypatch):
    application.trust()
    for _ in range(3):
        application.exchange()
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    issuer.replace_key("two")
    monkeypatch.setattr(applications, "_NEWEST_LAST_S", 0.0)
    assert application.exchange()["accessToken"]


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [
        ("/.well-known/openid-configuration", (404, b""), "answers 404"),
        ("/.well-known/openid-configuration", (302, b"/keys"), "answers 302"),
        ("/.well-known/openid-configuration", (200, b"no JSON"), "openid-configuration"),
        ("/.well-known/openid-configuration", (200, b"[]"), "is no JSON object"),
        ("/.well-known/openid-configuration", (200, b'{"issuer": "other"}'), "names the issuer 'other'"),
        ("/.well-known/openid-configuration", (200, b" " * 300_000), "too much"),
        ("/keys", (200, b'{"keys": []}'), "keys"),
        ("/keys", (200, b'{"keys": [{"kty": "oct", "k": "eA", "kid": "one"}]}'), ""),
        ("/keys", (200, b'{"keys": [{"kty": "RSA", "alg": ["RS256"]}]}'), "cannot be read"),
        ("/keys", (500, b""), "answers 500"),
    ],
)
def test_an_issuer_whose_keys_cannot_be_read(application, issuer, path, answer, why):
    application.trust()
    issuer.answers[path] = answer
    assert why in application.refused("InvalidGrantException")


def test_an_issuer_that_never_answers_holds_nobody_up(application, issuer, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        application.trust(IssuerUrl=url)
        monkeypatch.setattr(applications, "_LONGEST_WAIT_S", 0.05)
        assert "timed out" in application.refused("InvalidGrantException", issuer.sign(iss=url))


@pytest.mark.parametrize(
    "keys", ["http://127.0.0.1:9/keys", "https://idp.example.com/keys", "file:///x", None]
)
def test_keys_are_read_at_the_issuers_own_address_only(application, issuer, keys):
    application.trust()
    issuer.answer("/.well-known/openid-configuration", {"issuer": issuer.url, "jwks_uri": keys})
    assert "is not at the issuer's own address" in application.refused("InvalidGrantException")


@pytest.mark.parametrize(
    "url", ["https://idp.example.com", "http://169.254.169.254", "http://127.0.0.1.nip.io"]
)
def test_the_network_is_never_asked(application, issuer, url):
    application.trust(IssuerUrl=url)
    message = application.refused("InvalidGrantException", issuer.sign(iss=url))
    assert "the sandbox reaches no network" in message


def test_an_issuer_that_is_trusted_no_more(application):
    arn = application.trust()
    application.exchange()
    application.admin.delete_trusted_token_issuer(TrustedTokenIssuerArn=arn)
    assert "trusts no issuer" in application.refused("InvalidGrantException")


def test_only_who_is_assigned_gets_tokens(application, portal, issuer):
    application.trust()
    ben = portal.add_user("ben")
    assertion = issuer.sign(email="ben@example.com")
    assert "is not assigned" in application.refused("InvalidGrantException", assertion)
    application.assign(portal.add_group("Analysts", ben), "GROUP")
    assert application.exchange(assertion)["accessToken"]
    portal.add_user("cleo")
    application.admin.put_application_assignment_configuration(**application.named, AssignmentRequired=False)
    assert application.exchange(issuer.sign(email="cleo@example.com"))["accessToken"]


def test_who_is_assigned_no_more_cannot_refresh(application, portal):
    application.trust()
    token = application.exchange()["refreshToken"]
    application.admin.delete_application_assignment(
        **application.named, PrincipalType="USER", PrincipalId=portal.user_id
    )
    message = refusal("InvalidGrantException", application.token, "refresh_token", refreshToken=token)
    assert "is not assigned" in message


def test_a_disabled_user_gets_none(application, portal):
    application.trust()
    portal.clients.console("POST", f"users/{portal.user_id}/disable")
    assert "is disabled" in application.refused("InvalidGrantException")


def test_a_disabled_or_deleted_application_gets_none(application):
    application.trust()
    token = application.exchange()["refreshToken"]
    application.admin.update_application(**application.named, Status="DISABLED")
    application.refused("InvalidClientException")
    application.admin.update_application(**application.named, Status="ENABLED")
    assert application.token("refresh_token", refreshToken=token)["accessToken"]
    application.admin.delete_application(**application.named)
    application.refused("InvalidClientException")


def test_deleting_an_application_ends_its_tokens(application, portal):
    application.trust()
    application.scope("sso:account:access")
    token = application.exchange()["accessToken"]
    assert portal.portal.list_accounts(accessToken=token)["accountList"] == []
    application.admin.delete_application(**application.named)
    refusal("UnauthorizedException", portal.portal.list_accounts, accessToken=token)


def test_the_application_is_where_its_instance_is(application, portal):
    application.trust()
    elsewhere = portal.clients.client("sso-oidc", "eu-west-1")
    message = refusal(
        "InvalidClientException",
        elsewhere.create_token_with_iam,
        clientId=application.arn,
        grantType=JWT_BEARER,
        assertion="x",
    )
    assert "'eu-west-1'" in message


# Who may ask: the actor policy must let a caller in; unless it names them, their own policies must as well.
CALL = {"Action": "sso-oauth:CreateTokenWithIAM", "Resource": "*"}
ALLOW, DENY = {"Effect": "Allow"} | CALL, {"Effect": "Deny"} | CALL


@pytest.mark.parametrize(
    ("principal", "own", "is_allowed"),
    [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/caller"}, [], True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/caller"}, [DENY], False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, [ALLOW], False),
        ({"AWS": ACCOUNT}, [], False),
        ({"AWS": ACCOUNT}, [ALLOW], True),
        ("*", [ALLOW], True),
        ({"Service": "lambda.amazonaws.com"}, [ALLOW], False),
        (None, [ALLOW], False),
    ],
)
def test_who_may_ask(application, principal, own, is_allowed):
    application.trust()
    if principal is None:
        application.admin.delete_application_authentication_method(
            **application.named, AuthenticationMethodType="IAM"
        )
    else:
        application.allow(principal)
    application.oidc = application.client_of("caller", *own)
    if is_allowed:
        assert application.exchange()["accessToken"]
    else:
        message = application.refused("AccessDeniedException")
        assert "sso-oauth:CreateTokenWithIAM" in message


def test_own_permissions_may_name_the_application(application):
    application.trust()
    application.allow({"AWS": ACCOUNT})
    application.oidc = application.client_of("caller", ALLOW | {"Resource": application.arn})
    assert application.exchange()["accessToken"]
    application.oidc = application.client_of("stranger", ALLOW | {"Resource": f"{application.arn[:-4]}0000"})
    application.refused("AccessDeniedException")


def test_what_is_asked_must_be_a_grant_of_the_application(application, portal):
    message = application.refused("UnauthorizedClientException", "x")
    assert "PutApplicationGrant" in message
    refusal("UnsupportedGrantTypeException", application.token, "password")
    missing = f"{application.arn[:-4]}0000"
    refusal("InvalidClientException", application.token, JWT_BEARER, clientId=missing, assertion="x")
    refusal("InvalidClientException", application.token, JWT_BEARER, clientId="nonsense", assertion="x")
    refusal("InvalidRequestException", application.token, "refresh_token")


# The browser's half: the portal asks the person, and leads to a redirect URI of the application's grant.


def parameters(application, **changes: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": application.arn,
        "redirect_uri": REDIRECT_URI,
        "state": "a state",
        "code_challenge_method": "S256",
        "code_challenge": CHALLENGE,
    } | changes


@pytest.fixture
def web(application) -> Application:
    application.grant("authorization_code", {"AuthorizationCode": {"RedirectUris": [REDIRECT_URI]}})
    return application


def code_of(web, **changes: str) -> str:
    asked = web.portal.do(authorizations.check_authorize, parameters(web, **changes))
    url = web.portal.do(authorizations.approve_authorize, asked, web.portal.sign_in())
    assert url.startswith(f"{REDIRECT_URI}&code=")
    return parse_qs(urlsplit(url).query)["code"][0]


def test_a_code_is_good_once_for_the_application_that_asked(web):
    web.scope("a:b")
    request = {"code": code_of(web), "redirectUri": REDIRECT_URI, "codeVerifier": VERIFIER}
    answer = web.token("authorization_code", **request)
    assert answer["scope"] == [*DEFAULT_SCOPES, "a:b"]
    assert "act" not in jwt.decode(answer["idToken"], options={"verify_signature": False})
    refusal("InvalidGrantException", web.token, "authorization_code", **request)
    refusal("InvalidGrantException", web.token, "refresh_token", refreshToken=answer["refreshToken"])
    narrow = request | {"code": code_of(web, scopes="openid")}
    assert web.token("authorization_code", **narrow)["scope"] == ["openid"]
    for change in ({"redirectUri": "https://x.example"}, {"codeVerifier": "x" * 43}):
        wrong = request | {"code": code_of(web)} | change
        refusal("InvalidGrantException", web.token, "authorization_code", **wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:45123/oauth/callback"},
        {"redirect_uri": ""},
        {"code_challenge": ""},
        {"response_type": "token"},
    ],
)
def test_nobody_is_led_to_a_strangers_site(web, change):
    with pytest.raises(Refusal) as caught:
        web.portal.do(authorizations.check_authorize, parameters(web, **change))
    assert caught.value.code == "authorize-invalid"


def test_without_the_grant_or_assignment_there_is_nothing_to_allow(web):
    ben = web.portal.add_user("ben")
    asked = web.portal.do(authorizations.check_authorize, parameters(web))
    with pytest.raises(Refusal) as caught:
        web.portal.do(authorizations.approve_authorize, asked, web.portal.sign_in(ben))
    assert caught.value.code == "application-not-assigned"
    web.admin.delete_application_grant(**web.named, GrantType="authorization_code")
    with pytest.raises(Refusal) as caught:
        web.portal.do(authorizations.check_authorize, parameters(web))
    assert caught.value.code == "application-grant"
    web.admin.update_application(**web.named, Status="DISABLED")
    with pytest.raises(Refusal):
        web.portal.do(authorizations.check_authorize, parameters(web))


def test_a_token_of_one_application_is_exchanged_for_another(application, portal, issuer):
    application.trust()
    target = Application(portal, issuer, "Warehouse")
    target.grant(TOKEN_EXCHANGE, {"TokenExchange": {}})
    subject = application.exchange()["accessToken"]
    request = {"subjectToken": subject, "subjectTokenType": ACCESS_TOKEN}
    message = refusal("InvalidGrantException", target.token, TOKEN_EXCHANGE, **request)
    assert "AuthorizedTargets" in message
    application.scope("warehouse:connect", target.arn)
    request["subjectToken"] = application.exchange()["accessToken"]
    answer = target.token(TOKEN_EXCHANGE, **request)
    claims = jwt.decode(answer["idToken"], options={"verify_signature": False})
    assert claims["sub"] == portal.user_id
    assert "refreshToken" in answer
    only_access = target.token(TOKEN_EXCHANGE, **request, requestedTokenType=ACCESS_TOKEN)
    assert "refreshToken" not in only_access
    for change in ({"subjectTokenType": REFRESH_TOKEN}, {"requestedTokenType": "x"}):
        refusal("InvalidRequestException", target.token, TOKEN_EXCHANGE, **request | change)
    own = request | {"subjectToken": answer["accessToken"]}
    refusal("InvalidGrantException", target.token, TOKEN_EXCHANGE, **own)
    persons = request | {"subjectToken": portal.log_in()["accessToken"]}
    refusal("InvalidGrantException", target.token, TOKEN_EXCHANGE, **persons)


def test_tokens_survive_a_restart(application, portal):
    application.trust()
    token = application.exchange()["refreshToken"]
    portal.clients.restart()
    assert application.token("refresh_token", refreshToken=token)["accessToken"]
