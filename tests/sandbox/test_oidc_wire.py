"""The wire of sso-oidc and of the portal: shapes, names of errors, and what no client would send."""

from __future__ import annotations

import json

import pytest

from idc_sandbox.errors import Request


def send(portal, method, path, body=b"{}", query="", **headers):
    given = {"host": "127.0.0.1:8723", **headers}
    answer = portal.clients.gateway.handle(Request(method, path, query, given, body))
    return answer, json.loads(answer.body)


def test_errors_carry_their_name_in_header_and_body_and_oauths_words(portal):
    answer, body = send(portal, "POST", "/token", json.dumps(
        {"clientId": "x", "clientSecret": "y", "grantType": "refresh_token"}).encode())  # fmt: skip
    assert answer.status == 401
    assert answer.headers["x-amzn-ErrorType"] == body["__type"] == "InvalidClientException"
    assert body["error"] == "invalid_client"
    assert "Register it again" in body["error_description"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"not json", b"\xff\xfe", b'{"clientName": 1}', b"[" * 100_000,
     b'{"clientName": null, "clientType": "public"}', b'{"clientName": ["x"], "clientType": {}}'],
)  # fmt: skip
def test_a_body_that_is_no_request_is_refused_as_one(portal, body):
    answer, error = send(portal, "POST", "/client/register", body)
    assert (answer.status, error["__type"]) == (400, "InvalidRequestException")
    assert error["error"] == "invalid_request"


def test_a_body_without_end_is_refused(portal):
    body = json.dumps({"clientName": "x" * 2_000_000, "clientType": "public"}).encode()
    assert send(portal, "POST", "/client/register", body)[1]["__type"] == "InvalidRequestException"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/assignment/accounts"), ("GET", "/assignment/roles"), ("GET", "/federation/credentials")],
)
def test_the_portal_refuses_who_shows_no_token_or_a_wrong_one(portal, method, path):
    query = "role_name=x&account_id=111122223333"
    assert send(portal, method, path, b"", query)[1]["__type"] == "InvalidRequestException"
    for token in ("wrong", "x" * 10_000, "日本".encode().decode("latin-1")):
        answer, body = send(portal, method, path, b"", query, **{"x-amz-sso_bearer_token": token})
        assert (answer.status, body["__type"]) == (401, "UnauthorizedException")
        assert body["message"].startswith("Session token not found or invalid")


@pytest.mark.parametrize("maximum", ["0", "101", "x", "-1", "9" * 40])
def test_page_sizes_are_held_against_the_model(portal, maximum):
    header = {"x-amz-sso_bearer_token": portal.log_in()["accessToken"]}
    assert send(portal, "GET", "/assignment/accounts", b"", "max_result=1", **header)[0].status == 200
    answer, body = send(portal, "GET", "/assignment/accounts", b"", f"max_result={maximum}", **header)
    assert (answer.status, body["__type"]) == (400, "InvalidRequestException")
    assert "maxResults" in body["message"]


def test_an_unsigned_request_of_no_operation_still_needs_a_signature(portal):
    for method, path in (("GET", "/token"), ("POST", "/tokens"), ("POST", "/"), ("DELETE", "/logout")):
        request = Request(method, path, "", {"host": "127.0.0.1:8723"}, b"{}")
        answer = portal.clients.gateway.handle(request)
        assert answer.status in (400, 403)
        assert b"MissingAuthentication" in answer.body or b"AccessDenied" in answer.body


def test_a_bucket_named_like_a_path_of_the_front_door_is_a_bucket(portal):
    s3 = portal.clients.client("s3")
    s3.create_bucket(Bucket="logout")
    s3.create_bucket(Bucket="assignment")
    s3.put_object(Bucket="assignment", Key="accounts", Body=b"an object")
    assert s3.get_object(Bucket="assignment", Key="accounts")["Body"].read() == b"an object"


def test_faults_on_purpose_reach_these_services_too(portal):
    fault = {"service": "sso-oidc", "operation": "RegisterClient", "code": "SlowDownException", "next": 1}
    portal.clients.switches(faults=[fault])
    with pytest.raises(portal.oidc.exceptions.SlowDownException):
        portal.register()
    portal.register()


def test_a_defect_is_answered_in_the_protocol_without_its_details(portal, monkeypatch):
    from idc_sandbox.wire import registry

    def fail(_context, _request):
        raise RuntimeError("a secret detail")

    monkeypatch.setitem(registry._HANDLERS, ("sso-oidc", "RegisterClient"), fail)
    with pytest.raises(portal.oidc.exceptions.InternalServerException) as caught:
        portal.register()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "detail" not in str(caught.value)


def test_tokens_for_applications_need_a_signature_and_an_application(portal):
    application = "arn:aws:sso::111122223333:application/ssoins-1234567890abcdef/apl-1234567890abcdef"
    oidc = portal.clients.client("sso-oidc")
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    with pytest.raises(oidc.exceptions.InvalidClientException, match="no enabled application"):
        oidc.create_token_with_iam(clientId=application, grantType=grant, assertion="x")
    with pytest.raises(oidc.exceptions.UnsupportedGrantTypeException):
        oidc.create_token_with_iam(clientId=application, grantType="password")
    body = json.dumps({"clientId": application, "grantType": grant}).encode()
    answer, error = send(portal, "POST", "/token", body, "aws_iam=t")
    assert error["__type"] == "MissingAuthenticationTokenException"
    assert answer.status >= 400
