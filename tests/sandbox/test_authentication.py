"""Who signed a request: good signatures of every kind pass, everything else gets AWS's own refusal."""

from __future__ import annotations

import datetime
import hashlib
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from sandbox_clients import GatewayClient

from idc_sandbox.errors import Request
from idc_sandbox.wire import signatures

ENDPOINT_URL = GatewayClient.endpoint_url
IDENTITY_BODY = b"Action=GetCallerIdentity&Version=2011-06-15"
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def signed(
    gateway_client, *, body=IDENTITY_BODY, service="sts", path="/", method="POST", headers=None, auth=None
):
    """Return a request that botocore has signed for the administrator."""
    key, secret = gateway_client.double.administrator_credentials()
    request = AWSRequest(method, ENDPOINT_URL + path, {"Content-Type": FORM, **(headers or {})}, body)
    (auth or SigV4Auth)(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return from_botocore(request.prepare())


def from_botocore(prepared) -> Request:
    url = urlsplit(prepared.url)
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in prepared.headers.items()
    }
    headers.setdefault("host", url.netloc)
    body = prepared.body or b""
    return Request(
        prepared.method, url.path, url.query, headers, body if isinstance(body, bytes) else body.encode()
    )


def replaced(request: Request, *, body=None, query=None, path=None, method=None, **headers) -> Request:
    """Return a request with some parts replaced; a header given as None is taken away."""
    merged = {**request.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request(
        method or request.method,
        path or request.path,
        request.query if query is None else query,
        {name: value for name, value in merged.items() if value is not None},
        request.body if body is None else body,
    )


def code_of(gateway_client, request: Request) -> str:
    answer = gateway_client.gateway.handle(request)
    text = answer.body.decode()
    return "" if answer.status == 200 else text.partition("<Code>")[2].partition("</Code>")[0]


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    return caught.value.response["Error"]["Code"]


def test_a_signed_request_is_answered_for_its_signer(gateway_client):
    identity = gateway_client.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::111122223333:user/sandbox-administrator"
    assert identity["Account"] == "111122223333"


def test_without_a_signature_nobody_is_answered(gateway_client):
    request = signed(gateway_client)
    assert code_of(gateway_client, request) == ""
    assert code_of(gateway_client, replaced(request, authorization=None)) == "MissingAuthenticationToken"


@pytest.mark.parametrize("service", ["sso-admin", "identitystore", "organizations", "sts", "iam", "s3"])
def test_an_unknown_key_is_refused_in_every_service(gateway_client, service):
    strangers = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x" * 40}
    client = gateway_client.client(service, credentials=strangers)
    call, options = {
        "sso-admin": ("list_instances", {}),
        "identitystore": ("list_users", {"IdentityStoreId": "d-1234567890"}),
        "organizations": ("list_accounts", {}),
        "sts": ("get_caller_identity", {}),
        "iam": ("list_users", {}),
        "s3": ("list_buckets", {}),
    }[service]
    code = refusal(getattr(client, call), **options)
    expected = {"s3": "InvalidAccessKeyId", "sts": "InvalidClientTokenId", "iam": "InvalidClientTokenId"}
    assert code == expected.get(service, "UnrecognizedClientException")


def test_a_wrong_secret_is_refused(gateway_client):
    key, secret = gateway_client.double.administrator_credentials()
    wrong = {
        "aws_access_key_id": key,
        "aws_secret_access_key": secret[:-1] + ("a" if secret[-1] != "a" else "b"),
    }
    assert (
        refusal(gateway_client.client("sts", credentials=wrong).get_caller_identity)
        == "SignatureDoesNotMatch"
    )
    sso = gateway_client.client("sso-admin", credentials=wrong)
    assert refusal(sso.list_instances) == "InvalidSignatureException"


@pytest.mark.parametrize(
    "change",
    [
        {"body": b"Action=GetAccountSummary&Version=2010-05-08"},
        {"path": "/other"},
        {"query": "Action=DeleteUser"},
        {"method": "PUT"},
        {"host": "127.0.0.1:9999"},
        {"content_type": "text/plain"},
    ],
)
def test_whatever_is_changed_after_signing_breaks_the_signature(gateway_client, change):
    request = signed(gateway_client)
    assert code_of(gateway_client, replaced(request, **change)) == "SignatureDoesNotMatch"


def test_an_amz_header_that_was_not_signed_is_refused(gateway_client):
    request = signed(gateway_client)
    answer = gateway_client.gateway.handle(replaced(request, x_amz_target="AWSIdentityStore.ListUsers"))
    assert answer.status == 400
    assert b"x-amz-target" in answer.body


def test_the_account_header_of_moto_is_worth_nothing(gateway_client):
    request = signed(gateway_client, headers={"x-moto-account-id": "999999999999"})
    assert b"<Account>111122223333</Account>" in gateway_client.gateway.handle(request).body


def test_a_body_that_does_not_fit_its_stated_hash_is_refused(gateway_client):
    headers = {"x-amz-content-sha256": hashlib.sha256(b"something else").hexdigest()}
    request = signed(
        gateway_client, service="s3", path="/bucket/key", method="PUT", headers=headers, body=b"x"
    )
    assert code_of(gateway_client, request) != ""
    s3_request = signed(gateway_client, service="s3", path="/", method="GET", body=b"", auth=S3SigV4Auth)
    assert code_of(gateway_client, s3_request) == ""
    assert code_of(gateway_client, replaced(s3_request, body=b"added")) == "XAmzContentSHA256Mismatch"


def test_only_s3_may_leave_its_body_unsigned(gateway_client):
    request = signed(gateway_client, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert code_of(gateway_client, request) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_signature_of_another_time_is_refused(gateway_client, monkeypatch, minutes):
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None))
    assert code_of(gateway_client, signed(gateway_client)) == "SignatureDoesNotMatch"


def test_a_signature_of_a_few_minutes_ago_still_holds(gateway_client, monkeypatch):
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=10)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None))
    assert code_of(gateway_client, signed(gateway_client)) == ""


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c",
        "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/sts/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0",
    ],
)
def test_half_a_signature_is_refused_as_such(gateway_client, authorization):
    request = replaced(signed(gateway_client), authorization=authorization)
    assert code_of(gateway_client, request) == "IncompleteSignature"


def session_of(gateway_client, name="Development") -> tuple[str, dict[str, str]]:
    account_id = gateway_client.member_account_ids()[name]
    return account_id, gateway_client.credentials(account_id)


def test_a_session_works_until_it_expires_by_the_sandboxs_clock(gateway_client):
    account_id, credentials = session_of(gateway_client)
    sts = gateway_client.client("sts", credentials=credentials)
    assert sts.get_caller_identity()["Arn"] == (
        f"arn:aws:sts::{account_id}:assumed-role/OrganizationAccountAccessRole/tests"
    )
    gateway_client.advance_clock(3500)
    assert sts.get_caller_identity()["Account"] == account_id
    gateway_client.advance_clock(200)
    assert refusal(sts.get_caller_identity) == "ExpiredToken"
    sso = gateway_client.client("sso-admin", credentials=credentials)
    assert refusal(sso.list_instances) == "ExpiredTokenException"


@pytest.mark.parametrize("token", [None, "another token"])
def test_a_session_needs_its_token(gateway_client, token):
    _, credentials = session_of(gateway_client)
    credentials = {**credentials, "aws_session_token": token}
    sts = gateway_client.client("sts", credentials=credentials)
    assert refusal(sts.get_caller_identity) == "InvalidClientTokenId"


def test_an_inactive_or_deleted_key_opens_nothing(gateway_client):
    iam = gateway_client.client("iam")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    sts = gateway_client.client(
        "sts",
        credentials={
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        },
    )
    assert sts.get_caller_identity()["Arn"].endswith(":user/ana")
    iam.update_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refusal(sts.get_caller_identity) == "InvalidClientTokenId"
    iam.update_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"], Status="Active")
    assert sts.get_caller_identity()["Arn"].endswith(":user/ana")
    iam.delete_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"])
    assert refusal(sts.get_caller_identity) == "InvalidClientTokenId"


def test_a_users_session_token_has_keys_of_its_own_that_expire(gateway_client):
    first, second = (gateway_client.client("sts").get_session_token()["Credentials"] for _ in range(2))
    assert first["AccessKeyId"] != second["AccessKeyId"]
    sts = gateway_client.client("sts", credentials=as_options(first))
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/sandbox-administrator"
    gateway_client.client("iam", credentials=as_options(first)).list_users()
    assert refusal(sts.get_session_token) == "AccessDenied"
    gateway_client.advance_clock(43_300)
    assert refusal(sts.get_caller_identity) == "ExpiredToken"


def as_options(credentials) -> dict[str, str]:
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def test_a_federated_user_may_only_do_what_its_policy_allows(gateway_client):
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:List*","Resource":"*"}]}'
    credentials = gateway_client.client("sts").get_federation_token(Name="guest", Policy=policy)[
        "Credentials"
    ]
    iam = gateway_client.client("iam", credentials=as_options(credentials))
    assert iam.list_users()["Users"]
    assert refusal(iam.create_user, UserName="no") == "AccessDenied"
    bare = gateway_client.client("sts").get_federation_token(Name="guest")["Credentials"]
    assert refusal(gateway_client.client("iam", credentials=as_options(bare)).list_users) == "AccessDenied"


@pytest.mark.parametrize("operation", ["assume_role_with_saml", "assume_role_with_web_identity"])
def test_nobody_gets_a_role_by_an_assertion_that_is_not_checked(gateway_client, operation):
    account_id, _ = session_of(gateway_client)
    role_arn = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
    options = {
        "assume_role_with_saml": {
            "PrincipalArn": f"arn:aws:iam::{account_id}:saml-provider/x",
            "SAMLAssertion": "YWJj",
        },
        "assume_role_with_web_identity": {"RoleSessionName": "guest", "WebIdentityToken": "abcd"},
    }[operation]
    call = getattr(gateway_client.client("sts"), operation)
    with pytest.raises(
        ClientError, match=r"AccessDenied.*does not offer sts:AssumeRole.*use sts:AssumeRole;"
    ):
        call(RoleArn=role_arn, **options)


def put_object(gateway_client, key="a folder/ü+&.txt", body=b"hello"):
    s3 = gateway_client.client("s3")
    s3.create_bucket(Bucket="signed-urls")
    s3.put_object(Bucket="signed-urls", Key=key, Body=body)
    return s3


def fetch(gateway_client, url: str, method="GET", body=b"", **headers):
    parts = urlsplit(url)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(method, parts.path, parts.query, {"host": parts.netloc, **headers}, body)
    return gateway_client.gateway.handle(request)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("who", ["administrator", "session"])
def test_signed_urls_of_both_kinds_work_for_reading_and_writing(gateway_client, version, who):
    put_object(gateway_client)
    credentials = gateway_client.credentials()
    if who == "session":
        credentials = as_options(gateway_client.client("sts").get_session_token()["Credentials"])
    s3 = gateway_client.client("s3", credentials=credentials, config={"signature_version": version})
    where = {"Bucket": "signed-urls", "Key": "a folder/ü+&.txt"}
    url = s3.generate_presigned_url(
        "get_object", Params={**where, "ResponseContentType": "text/x y"}, ExpiresIn=60
    )
    answer = fetch(gateway_client, url)
    assert (answer.status, answer.body) == (200, b"hello")
    assert {name.lower(): value for name, value in answer.headers.items()}["content-type"] == "text/x y"
    target = s3.generate_presigned_url("put_object", Params={**where, "Key": "new"}, ExpiresIn=60)
    assert fetch(gateway_client, target, "PUT", b"written").status == 200
    assert fetch(gateway_client, target, "GET").status == 403
    written = gateway_client.client("s3").get_object(Bucket="signed-urls", Key="new")
    assert written["Body"].read() == b"written"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_signed_url_holds_for_its_own_object_and_time_only(gateway_client, version, monkeypatch):
    put_object(gateway_client, key="mine")
    s3 = gateway_client.client("s3", config={"signature_version": version})
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "signed-urls", "Key": "mine"}, ExpiresIn=60
    )
    assert fetch(gateway_client, url).status == 200
    assert fetch(gateway_client, url.replace("/mine", "/other")).status == 403
    assert (
        fetch(gateway_client, url.replace("ires=", "ires=1") if version == "s3" else url + "0").status == 403
    )
    later = time.time() + 61
    monkeypatch.setattr("idc_sandbox.wire.signatures.time.time", lambda: later)
    assert fetch(gateway_client, url).status == 403


def test_a_signed_url_lasts_a_week_at_most(gateway_client):
    key, secret = gateway_client.double.administrator_credentials()
    request = AWSRequest("GET", ENDPOINT_URL + "/signed-urls/mine")
    S3SigV4QueryAuth(Credentials(key, secret), "s3", "us-east-1", expires=604_801).add_auth(request)
    assert code_of(gateway_client, from_botocore(request.prepare())) == "AuthorizationQueryParametersError"


def test_an_unsigned_bucket_request_is_refused(gateway_client):
    put_object(gateway_client, key="mine")
    answer = fetch(gateway_client, ENDPOINT_URL + "/signed-urls/mine")
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body


def test_a_signature_for_one_service_opens_no_other(gateway_client):
    request = signed(gateway_client, service="iam")
    answer = gateway_client.gateway.handle(request)
    assert b"Credential should be scoped to correct service: 'sts'." in answer.body
    assert answer.status == 403


@pytest.mark.parametrize("service", ["ec2", "moto-api", "lambda", "kms"])
def test_other_services_of_moto_are_not_reachable(gateway_client, service):
    answer = gateway_client.gateway.handle(signed(gateway_client, service=service))
    assert answer.status >= 400
    assert b"does not answer" in answer.body


@pytest.mark.parametrize("service", ["s3", "iam", "sts"])
def test_the_control_pages_of_moto_are_not_reachable(gateway_client, service):
    iam = gateway_client.client("iam")
    iam.create_user(UserName="survivor")
    for path in ("/moto-api/reset", "/moto-api/data.json", "/moto-api/seed?a=1"):
        gateway_client.gateway.handle(signed(gateway_client, service=service, path=path, body=b""))
    assert iam.get_user(UserName="survivor")["User"]["UserName"] == "survivor"


def test_a_query_signs_the_same_however_its_parameters_are_ordered_and_encoded():
    claim = signatures.Claim("K", "20260101", "us-east-1", "s3", ["host"], "", "20260101T000000Z", None)

    def canonical(query: str) -> str:
        request = Request("GET", "/b/k", query, {"host": "h"}, b"")
        return signatures.canonical_request(claim, request, "hash")

    assert canonical("b=2&a=%7e&a=1") == canonical("a=1&a=~&b=2")
    assert canonical("a=1") != canonical("a=2")
    assert urlencode(parse_qsl("prefix=a%2Fb")) in canonical("prefix=a/b")
