"""``aws login``: its page, its tokens with the proof of a key, and its sessions; each over the wire."""

from __future__ import annotations

import base64
import json

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from login_client import (
    CROSS_DEVICE,
    PASSWORD,
    REDIRECT_URI,
    VERIFIER,
    DpopKey,
    LoginClient,
    add_iam_user,
    as_maria,
    credentials_of,
)

from idc_sandbox.api.signin import logins
from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model


@pytest.fixture
def maria(place):
    add_iam_user(place)
    return place.visitor()


@pytest.fixture
def login(place, maria):
    """Return a login of an IAM user, and its first tokens under ``tokens``."""
    login = LoginClient(place)
    login.tokens = login.exchange(login.allow(maria, **as_maria(place)))
    return login


def refused(call, *arguments, **options):
    """Return code, error, text and status of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    answer = caught.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return answer["Error"]["Code"], answer.get("error"), answer["Error"]["Message"], status


def who(place, output):
    return place.clients.client("sts", credentials=credentials_of(output)).get_caller_identity()["Arn"]


@pytest.mark.parametrize("remote", [False, True])
def test_an_iam_user_signs_in_and_the_keys_are_theirs(place, maria, remote):
    login = LoginClient(place, remote=remote)
    output = login.exchange(login.allow(maria, **as_maria(place)))
    arn = f"arn:aws:iam::{place.clients.management_account_id}:user/maria"
    assert who(place, output) == arn
    assert (output["tokenType"], output["expiresIn"] in range(880, 901)) == ("aws_sigv4", True)
    claims = json.loads(base64.urlsafe_b64decode(output["idToken"].split(".")[1] + "=="))
    assert claims["sub"] == arn
    assert output["refreshToken"].startswith("ASOR")
    keys = credentials_of(output)
    assert place.clients.client("iam", credentials=keys).list_users()["Users"]
    with pytest.raises(ClientError, match="AccessDenied"):
        place.clients.client("iam", credentials=keys).create_user(UserName="other")


def test_a_person_of_the_portal_signs_in_with_a_role(place, ana):
    portal = place.portal
    statement = {"Effect": "Allow", "Action": ["signin:*", "s3:*"], "Resource": "*"}
    arn = portal.add_permission_set("Developer", SessionDuration="PT2H")
    portal.sso_admin.put_inline_policy_to_permission_set(
        InstanceArn=portal.instance["InstanceArn"],
        PermissionSetArn=arn,
        InlinePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    account = portal.accounts["Development"]
    portal.assign(arn, account)
    login = LoginClient(place)
    output = login.exchange(login.allow(ana, role=f"{account}/Developer"))
    assert ":assumed-role/AWSReservedSSO_Developer_" in who(place, output)
    claims = json.loads(base64.urlsafe_b64decode(output["idToken"].split(".")[1] + "=="))
    assert claims["sub"] == who(place, output)
    assert who(place, output).endswith("/ana")
    assert place.clients.client("s3", credentials=credentials_of(output)).list_buckets()["Buckets"] == []
    place.clients.advance_clock(901)
    output = login.refresh(output["refreshToken"])
    assert who(place, output).endswith("/ana")
    signin = place.clients.client("signin", credentials=credentials_of(output))
    stay(signin)
    (session,) = signin.list_sessions()["items"]
    assert session["role"] == session["principalArn"]
    assert session["expiresAt"] - session["issuedAt"] == 2 * 3600
    place.clients.advance_clock(2 * 3600)
    assert refused(login.refresh, output["refreshToken"])[:2] == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_a_role_that_the_person_does_not_have_is_refused(place, ana):
    login = LoginClient(place)
    ana.open(login.address())
    ana.send("/v1/authorize", answer="allow", role=f"{place.portal.accounts['Development']}/Nothing")
    assert "You have no role" in ana.message


def test_who_is_not_signed_in_at_the_portal_is_led_there_and_back(place, maria):
    maria.open(LoginClient(place).address())
    assert "/start/sign-in?next=%2Fv1%2Fauthorize" in maria.page.text
    place.set_mfa(user_without_device="allow")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.open(LoginClient(place).address())
    link = visitor.page.text.partition('href="/start/sign-in?')[2].partition('"')[0]
    visitor.sign_in(path=f"/start/sign-in?{link}")
    assert visitor.heading == "Sign in for the AWS CLI"
    assert "No role is assigned to you, ana." in visitor.page.text


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "arn:aws:signin:::devtools/other"},
        {"redirect_uri": "http://127.0.0.1:45123/other"},
        {"redirect_uri": "http://evil.example/oauth/callback"},
        {"redirect_uri": None},
        {"code_challenge_method": "S256"},
        {"code_challenge": "short"},
        {"response_type": "token"},
        {"state": None},
        {"state": "s" * 513},
        {"client_id": CROSS_DEVICE},
    ],
)
def test_a_request_that_is_not_safe_is_shown_and_never_followed(place, maria, changes):
    maria.open(LoginClient(place).address(**changes), follow=False)
    assert (maria.page.status_code, maria.heading) == (400, "This request cannot be answered")


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"user_name": "nobody"},
        {"account_id": "999999999999"},
        {"user_name": "sandbox-administrator"},
    ],
)
def test_a_wrong_password_is_said_and_counted(place, maria, changes):
    login = LoginClient(place)
    for _ in range(5):
        maria.open(login.address())
        maria.send("/v1/authorize", answer="allow", **(as_maria(place) | changes))
        assert (maria.page.status_code, "is not right" in maria.message) == (400, True)
    maria.send("/v1/authorize", answer="allow", **(as_maria(place) | changes))
    assert "too many failed attempts" in maria.message


def test_a_password_that_must_be_changed_is_none(place, maria):
    place.clients.client("iam").update_login_profile(
        UserName="maria", PasswordResetRequired=True, Password="New-one-12"
    )
    maria.open(LoginClient(place).address())
    maria.send("/v1/authorize", answer="allow", **(as_maria(place) | {"password": "New-one-12"}))
    assert "must be changed first" in maria.message


@pytest.mark.parametrize("remote", [False, True])
def test_who_denies_gives_nothing(place, maria, remote):
    maria.open(LoginClient(place, remote=remote).address())
    maria.send("/v1/authorize", follow=False, answer="deny")
    if remote:
        assert maria.heading == "Nothing was allowed"
    else:
        assert maria.page.headers["location"] == f"{REDIRECT_URI}?error=access_denied&state=the-state"


def test_who_may_not_sign_in_so_is_refused_at_the_page(place, maria):
    place.clients.client("iam").delete_user_policy(UserName="maria", PolicyName="login")
    maria.open(LoginClient(place).address())
    maria.send("/v1/authorize", answer="allow", **as_maria(place))
    assert maria.page.status_code == 403
    assert "not authorized to perform: signin:AuthorizeOAuth2Access" in maria.message


def test_who_may_no_longer_is_refused_at_the_refresh(place, login):
    statement = {
        "Effect": "Deny",
        "Action": "signin:CreateOAuth2Token",
        "Resource": "arn:aws:signin:*:*:oauth2/*/localhost",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    place.clients.client("iam").put_user_policy(UserName="maria", PolicyName="no", PolicyDocument=document)
    code, error, text, status = refused(login.refresh, login.tokens["refreshToken"])
    assert (code, error, status) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS", 403)
    assert "oauth2/public-client/localhost" in text


def test_a_policy_can_name_the_client(place, maria):
    iam = place.clients.client("iam")
    statement = {
        "Effect": "Deny",
        "Action": "signin:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"signin:OAuthClientId": CROSS_DEVICE}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="maria", PolicyName="no-remote", PolicyDocument=document)
    LoginClient(place).allow(maria, **as_maria(place))
    maria.open(LoginClient(place, remote=True).address())
    maria.send("/v1/authorize", answer="allow", **as_maria(place))
    assert maria.page.status_code == 403


BAD_GRANT = "The provided authorization grant is invalid, expired, revoked, or malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "unknown"},
        {"codeVerifier": "w" * 64},
        {"redirectUri": "http://127.0.0.1:1/oauth/callback"},
        {"clientId": CROSS_DEVICE},
    ],
)
def test_a_code_needs_all_that_it_was_asked_with(place, maria, changes):
    login = LoginClient(place)
    code = login.allow(maria, **as_maria(place))
    answer = refused(login.exchange, **({"code": code} | changes))
    assert answer == ("ValidationException", "INVALID_REQUEST", BAD_GRANT, 400)
    assert login.exchange(code)["tokenType"] == "aws_sigv4"
    assert refused(login.exchange, code)[2] == BAD_GRANT


def test_a_code_lasts_ten_minutes(place, maria):
    login = LoginClient(place)
    code = login.allow(maria, **as_maria(place))
    place.clients.advance_clock(logins.LOGIN_CODE_LIFETIME_S + 1)
    assert refused(login.exchange, code)[:2] == ("AccessDeniedException", "AUTHCODE_EXPIRED")


PROOFS = {
    "none": lambda _key: "",
    "no JWT": lambda _key: "a.b",
    "other kind": lambda key: key.proof(head={"typ": "JWT"}),
    "no algorithm": lambda key: key.proof(head={"alg": "none"}),
    "another key's": lambda key: key.proof(head={"jwk": DpopKey().jwk}),
    "no point": lambda key: key.proof(head={"jwk": key.jwk | {"x": "A" * 43}}),
    "another curve": lambda key: key.proof(head={"jwk": key.jwk | {"crv": "P-384"}}),
    "a private key": lambda key: key.proof(head={"jwk": key.jwk | {"d": "A" * 43}}),
    "another method": lambda key: key.proof(htm="GET"),
    "another address": lambda key: key.proof(htu="http://127.0.0.1:8723/token"),
    "no address": lambda key: key.proof(htu=7),
    "old": lambda key: key.proof(iat=1),
    "no time": lambda key: key.proof(iat=True),
    "no number": lambda key: key.proof(iat=float("nan")),
    "beyond all numbers": lambda key: key.proof(iat=10**400),
    "no name": lambda key: key.proof(jti=""),
    "changed": lambda key: "".join([*key.proof().rpartition(".")[:2], "A" * 86]),
}


@pytest.mark.parametrize("proof", PROOFS)
def test_a_bad_proof_is_refused(login, proof):
    login.proof = PROOFS[proof](login.key)
    code, error, text, status = refused(login.refresh, login.tokens["refreshToken"])
    assert (code, error, status) == ("ValidationException", "INVALID_REQUEST", 400)
    assert "DPoP" in text
    login.proof = None
    assert login.refresh(login.tokens["refreshToken"])


def test_a_refresh_token_is_bound_to_the_key_of_its_login(login):
    login.key = DpopKey()
    assert refused(login.refresh, login.tokens["refreshToken"])[2] == BAD_GRANT


def test_a_refresh_is_idempotent_and_goes_on_with_the_next_token(place, login):
    one, again = (login.refresh(login.tokens["refreshToken"]) for _ in range(2))
    assert one["accessToken"] == again["accessToken"]
    assert one["refreshToken"] == again["refreshToken"] != login.tokens["refreshToken"]
    assert "idToken" not in one
    following = login.refresh(one["refreshToken"])
    assert following["accessToken"] != one["accessToken"]
    place.clients.advance_clock(901)
    assert refused(login.refresh, login.tokens["refreshToken"])[2] == BAD_GRANT
    assert login.refresh(following["refreshToken"])


def test_a_session_ends_after_twelve_hours_and_its_keys_after_minutes(place, login):
    token = login.tokens["refreshToken"]
    for _ in range(4):
        place.clients.advance_clock(3 * 3600 - 60)
        token = login.refresh(token)["refreshToken"]
    output = login.refresh(token)
    assert output["expiresIn"] <= 240
    place.clients.advance_clock(300)
    with pytest.raises(ClientError, match="ExpiredToken"):
        who(place, output)
    assert refused(login.refresh, output["refreshToken"])[:2] == ("AccessDeniedException", "TOKEN_EXPIRED")


@pytest.mark.parametrize("change", ["another password", "no password", "deleted"])
def test_a_changed_user_signs_in_again(place, login, change):
    iam = place.clients.client("iam")
    if change == "another password":
        iam.update_login_profile(UserName="maria", Password="Another-horse-1")
    else:
        iam.delete_login_profile(UserName="maria")
    if change == "deleted":
        iam.delete_user_policy(UserName="maria", PolicyName="login")
        iam.detach_user_policy(UserName="maria", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        iam.delete_user(UserName="maria")
    answer = refused(login.refresh, login.tokens["refreshToken"])
    assert answer[:2] == ("AccessDeniedException", "USER_CREDENTIALS_CHANGED")


def test_what_was_answered_survives_a_restart(place, login):
    place.clients.restart()
    output = LoginClient.refresh(login, login.tokens["refreshToken"])
    assert output["accessToken"]["accessKeyId"].startswith("ASIA")


# --- the session operations


def stay(client):
    """Let a client ask the sandbox: signin's own rules come before the endpoint."""
    client.meta.events.register_first(
        "before-sign",
        lambda request, **_event: setattr(
            request, "url", request.url.replace("https://signin.us-east-1.api.aws", "http://127.0.0.1:8723")
        ),
    )


def sessions_client(place, **options):
    client = place.clients.client("signin", **options)
    stay(client)
    return client


def of_all(place):
    return f"arn:aws:iam::{place.clients.management_account_id}:*"


def test_sessions_are_listed_described_and_revoked(place, login):
    own = sessions_client(place, credentials=credentials_of(login.tokens))
    admin = sessions_client(place)
    assert admin.list_sessions()["items"] == []
    (session,) = own.list_sessions()["items"]
    assert (session["status"], session["clientType"], session["clientId"]) == (
        "ACTIVE",
        "CLI",
        login.client_id,
    )
    assert session["sessionArn"].startswith(
        f"arn:aws:signin:us-east-1:{place.clients.management_account_id}:session/"
    )
    assert admin.list_sessions(principalArn=session["principalArn"])["items"] == [session]
    described = own.get_session(sessionArn=session["sessionArn"])
    assert described["issuedInRegion"] == "us-east-1"
    assert "Boto3" in described["userAgent"]
    assert described["lastUsedAt"] >= described["issuedAt"]
    arn = session["sessionArn"]
    assert refused(admin.get_session, sessionArn=arn)[:2] == (
        "ResourceNotFoundException",
        "RESOURCE_NOT_FOUND",
    )
    (error,) = admin.batch_revoke_sessions(sessionArns=[arn])["errors"]
    assert (error["sessionArn"], error["code"]) == (arn, "ResourceNotFoundException")
    for _ in range(2):
        answer = admin.batch_revoke_sessions(sessionArns=[arn], principalArn=of_all(place), reason="left")
        assert (answer["revokedSessions"], answer["errors"]) == ([{"sessionArn": arn}], [])
    assert admin.get_session(sessionArn=arn, principalArn=of_all(place))["status"] == "REVOKED"
    assert refused(login.refresh, login.tokens["refreshToken"])[:2] == (
        "AccessDeniedException",
        "TOKEN_EXPIRED",
    )
    assert who(place, login.tokens).endswith("/maria"), "keys that are out live on for their minutes"


def test_lists_are_filtered_and_paged(place, maria):
    for remote in (False, True, False):
        login = LoginClient(place, remote=remote)
        login.exchange(login.allow(maria, **as_maria(place)))
        place.clients.advance_clock(10)
    LoginClient(place).allow(maria, **as_maria(place))  # a code that nobody exchanged is no session
    admin = sessions_client(place)
    pages = admin.get_paginator("list_sessions").paginate(
        principalArn=of_all(place), PaginationConfig={"PageSize": 1}
    )
    items = [item for page in pages for item in page["items"]]
    assert len({item["sessionArn"] for item in items}) == len(items) == 3
    middle = items[1]

    def ask(**filters):
        return [
            one["sessionArn"] for one in admin.list_sessions(principalArn=of_all(place), **filters)["items"]
        ]

    assert ask(clientId=CROSS_DEVICE) == [middle["sessionArn"]]
    assert len(ask(issuedAfter=middle["issuedAt"])) == 2
    assert len(ask(issuedBefore=middle["issuedAt"])) == 1
    assert ask(status="REVOKED") == []
    admin.batch_revoke_sessions(sessionArns=[middle["sessionArn"]], principalArn=of_all(place))
    assert ask(status="REVOKED") == [middle["sessionArn"]]
    assert len(ask(status="ACTIVE")) == 2


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("list_sessions", {"principalArn": "arn:aws:iam::999999999999:*"}),
        ("get_session", {"principalArn": "arn:aws:iam::999999999999:*", "sessionArn": "x"}),
        ("batch_revoke_sessions", {"principalArn": "arn:aws:iam::999999999999:root", "sessionArns": ["x"]}),
    ],
)
def test_another_accounts_sessions_are_not_shown(place, operation, options):
    answer = refused(getattr(sessions_client(place), operation), **options)
    assert (answer[0], answer[1], answer[3]) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS", 403)


@pytest.mark.parametrize("operation", ["ListSessions", "GetSession", "BatchRevokeSessions"])
def test_each_needs_its_permission(place, login, operation):
    iam = place.clients.client("iam")
    statement = {"Effect": "Deny", "Action": f"signin:{operation}", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="maria", PolicyName="no", PolicyDocument=document)
    own = sessions_client(place, credentials=credentials_of(login.tokens))
    calls = {
        "ListSessions": own.list_sessions,
        "GetSession": lambda: own.get_session(sessionArn="x"),
        "BatchRevokeSessions": lambda: own.batch_revoke_sessions(sessionArns=["x"]),
    }
    for name, call in calls.items():
        if name == operation:
            assert refused(call)[0] == "AccessDeniedException"
        elif name != "GetSession":
            call()


NOT_ANSWERED = sorted(
    name for name in service_model("signin").operation_names if ("signin", name) not in registry.handlers()
)


@pytest.mark.parametrize("name", NOT_ANSWERED)
def test_what_is_not_aws_logins_says_that_it_is_missing(place, name):
    client = sessions_client(place, config={"parameter_validation": False})
    shape = service_model("signin").operation_model(name).input_shape
    options = {member: EXAMPLES.get(member, "x") for member in (shape.required_members if shape else ())}
    if name.endswith("TokenExchange"):
        options["grantType"] = "urn:ietf:params:oauth:grant-type:token-exchange"
    with pytest.raises(ClientError, match=f"does not answer signin:{name} yet") as caught:
        getattr(client, xform_name(name))(**options)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_so_many_operations_are_not_answered():
    assert len(NOT_ANSWERED) == 12


EXAMPLES = {
    "grantType": "client_credentials",
    "resource": "https://example.com",
    "statementId": "A" * 64,
    "token": "ASORx",
}


def test_the_trail_has_each_call_and_nothing_secret(place, maria):
    login = LoginClient(place)
    code = login.allow(maria, **as_maria(place))
    output = login.refresh(login.exchange(code)["refreshToken"])
    texts = place.clients.trail_texts()
    records = [json.loads(text) for text in texts]
    mine = [one for one in records if one["eventSource"] == "signin.amazonaws.com"]
    assert [one["eventName"] for one in mine] == [
        "AuthorizeOAuth2Access",
        "CreateOAuth2Token",
        "CreateOAuth2Token",
    ]
    arn = f"arn:aws:iam::{place.clients.management_account_id}:user/maria"
    assert {one["userIdentity"]["arn"] for one in mine} == {arn}
    text = json.dumps(records)
    keys = output["accessToken"]
    for secret in (
        code,
        output["refreshToken"],
        keys["secretAccessKey"],
        keys["sessionToken"],
        VERIFIER,
        PASSWORD,
    ):
        assert secret not in text


def test_nothing_secret_lies_in_the_state_in_clear(place, login):
    rows = place.clients.store._connection.execute("SELECT * FROM login_session").fetchall()
    rows += place.clients.store._connection.execute("SELECT * FROM login_refresh_token").fetchall()
    kept = " ".join(str(value) for row in rows for value in tuple(row))
    token = login.tokens["accessToken"]
    secrets = (
        login.tokens["refreshToken"],
        token["secretAccessKey"],
        token["sessionToken"],
        as_maria(place)["password"],
    )
    assert not [secret for secret in secrets if secret in kept]
