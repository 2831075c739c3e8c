"""A signature opens one door: its service, its Region, its body, its time. One row for each way around."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from email.utils import formatdate
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError

from idc_sandbox.errors import Request
from idc_sandbox.wire.models import region_names
from idc_sandbox.wire.signatures import ALGORITHM, Claim, signature_v4, signing_key

HOST = "127.0.0.1:8723"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
UNSIGNED = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
LIST_INSTANCES = ("POST", "/", {"x-amz-target": "SWBExternalService.ListInstances"}, b"{}")
LIST_STORES = ("POST", "/", {"x-amz-target": "AWSIdentityStore.ListIdentityStores"}, b"{}")
LIST_ACCOUNTS = ("POST", "/", {"x-amz-target": "AWSOrganizationsV20161128.ListAccounts"}, b"{}")
WHO_AM_I = ("POST", "/", {"content-type": FORM}, b"Action=GetCallerIdentity&Version=2011-06-15")
LIST_USERS = ("POST", "/", {"content-type": FORM}, b"Action=ListUsers&Version=2010-05-08")
LIST_BUCKETS = ("GET", "/", {"x-amz-content-sha256": hashlib.sha256(b"").hexdigest()}, b"")
DOORS = {
    "sso": LIST_INSTANCES,
    "identitystore": LIST_STORES,
    "organizations": LIST_ACCOUNTS,
    "sts": WHO_AM_I,
    "iam": LIST_USERS,
    "s3": LIST_BUCKETS,
}


def stamp(seconds: float = 0.0) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + seconds))


def signed(
    gateway_client, door, service, region="us-east-1", *, timestamp=None, leave_out=(), more=None
) -> Request:
    """Return a request with a correct signature for whatever scope, headers and time."""
    method, path, headers, body = door
    timestamp = timestamp or stamp()
    headers = {"host": HOST, "x-amz-date": timestamp, **headers, **(more or {})}
    key, secret = gateway_client.double.administrator_credentials()
    names = sorted(name for name in headers if name not in leave_out)
    claim = Claim(key, timestamp[:8], region, service, names, "", timestamp, None)
    request = Request(method, path, "", headers, body)
    payload_hash = headers.get("x-amz-content-sha256") or hashlib.sha256(body).hexdigest()
    signature = signature_v4(claim, request, payload_hash, secret)
    return with_authorization(request, key, claim.scope, names, signature)


def with_authorization(
    request: Request, key: str, scope: str, names: Sequence[str], signature: str
) -> Request:
    text = f"{ALGORITHM} Credential={key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return replace(request, headers={**request.headers, "authorization": text})


def answer(gateway_client, request: Request) -> tuple[int, str]:
    response = gateway_client.gateway.handle(request)
    return response.status, response.body.decode()


@pytest.mark.parametrize("door", DOORS)
def test_each_door_opens_for_its_own_service(gateway_client, door):
    status, text = answer(gateway_client, signed(gateway_client, DOORS[door], door))
    assert status == 200, text


@pytest.mark.parametrize("service", [*DOORS, "sso-oauth", "awsssoportal", "execute-api", "", "S3"])
@pytest.mark.parametrize("door", [door for door in DOORS if door != "s3"])
def test_a_signature_for_another_service_opens_nothing(gateway_client, door, service):
    if service == door:
        return
    for more in ({}, UNSIGNED):
        status, text = answer(gateway_client, signed(gateway_client, DOORS[door], service, more=more))
        assert status in (400, 403), text
        assert "Result" not in text.replace("MaxResults", "")
        if service in DOORS and not (more and service != "s3"):
            assert f"Credential should be scoped to correct service: '{door}'." in text
            assert "SignatureDoesNotMatch" in text or "InvalidSignatureException" in text


def test_a_signature_for_s3_with_an_unsigned_body_is_not_taken_with_another_body(gateway_client):
    """The body is not covered by such a signature: whoever saw one request could have sent any other."""
    gateway_client.console("POST", "instance")
    instance = gateway_client.client("sso-admin").list_instances()["Instances"][0]
    seen = signed(gateway_client, LIST_INSTANCES, "s3", more=UNSIGNED)
    body = json.dumps({"InstanceArn": instance["InstanceArn"], "Name": "Stolen"}).encode()
    target = {"x-amz-target": "SWBExternalService.CreatePermissionSet"}
    for request in (
        replace(seen, body=body),
        signed(gateway_client, ("POST", "/", target, body), "s3", more=UNSIGNED),
        signed(gateway_client, ("POST", "/", target, body), "sso", more=UNSIGNED),
    ):
        status, text = answer(gateway_client, request)
        assert (status, "InvalidSignatureException" in text) == (400, True), text
    sets = gateway_client.client("sso-admin").list_permission_sets(InstanceArn=instance["InstanceArn"])
    assert sets["PermissionSets"] == []


@pytest.mark.parametrize(
    "region", ["xx-nowhere-1", "us-nowhere-9", "US-EAST-1", "", "cn-north-1", "us-gov-west-1"]
)
@pytest.mark.parametrize("door", DOORS)
def test_a_region_that_aws_does_not_have_here_opens_nothing(gateway_client, door, region):
    status, text = answer(gateway_client, signed(gateway_client, DOORS[door], door, region))
    assert status in (400, 403)
    said = "the region '{}' is wrong" if door == "s3" else "scoped to a valid Region, not '{}'."
    assert said.format(region) in text
    assert ("AuthorizationHeaderMalformed" if door == "s3" else "Signature") in text


def test_the_name_of_no_region_is_for_global_services_only(gateway_client):
    for door, request in DOORS.items():
        status, text = answer(gateway_client, signed(gateway_client, request, door, "aws-global"))
        assert (status == 200) == (door in ("iam", "organizations", "sts")), text


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ap-southeast-2", "mx-central-1"])
def test_real_clients_work_in_every_region(gateway_client, region):
    calls = {
        "sts": "get_caller_identity",
        "iam": "list_users",
        "organizations": "list_accounts",
        "s3": "list_buckets",
        "sso-admin": "list_instances",
        "identitystore": "list_identity_stores",
    }
    for service, call in calls.items():
        answer = getattr(gateway_client.client(service, region), call)()
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    s3 = gateway_client.client("s3", region)
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=f"in-{region}", **where)
    s3.put_object(Bucket=f"in-{region}", Key="a/b c", Body=b"x" * 70_000)
    assert s3.get_object(Bucket=f"in-{region}", Key="a/b c")["ContentLength"] == 70_000


def test_the_regions_are_those_of_the_partition_aws():
    assert {"us-east-1", "eu-west-1", "ap-southeast-7"} <= region_names()
    assert not {"aws-global", "cn-north-1", "us-gov-west-1", "us-nowhere-9"} & region_names()


# What is done to a good request of sts, and what AWS says to it.
BROKEN = {
    "a signature that is not ASCII": (
        ("Signature=", "Signature=\u00e9"),
        "SignatureDoesNotMatch",
        "calculated",
    ),
    "no credential": (
        ("Credential=", "Credentials="),
        "IncompleteSignature",
        "requires 'Credential' parameter",
    ),
    "no signed headers": (("SignedHeaders=", "Signed="), "IncompleteSignature", "requires 'SignedHeaders'"),
    "no signature": (("Signature=", "Sign="), "IncompleteSignature", "requires 'Signature' parameter"),
    "half a scope": (("/us-east-1/", "/"), "IncompleteSignature", "exactly 5 slash-delimited elements"),
    "another end": (("aws4_request", "aws4"), "IncompleteSignature", "valid terminator: 'aws4_request'"),
    "host is not signed": (("content-type;host;", "content-type;"), "SignatureDoesNotMatch", "'Host' or"),
    "a header that is not there": (("host;", "host;x-amz-none;"), "SignatureDoesNotMatch", "does not have"),
    "an unknown key": (("Credential=AKIA", "Credential=AKIB"), "InvalidClientTokenId", "security token"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_signature_is_refused_in_the_words_of_aws(gateway_client, what):
    (old, new), code, said = BROKEN[what]
    request = signed(gateway_client, WHO_AM_I, "sts")
    authorization = request.headers["authorization"]
    assert old in authorization
    headers = {**request.headers, "authorization": authorization.replace(old, new)}
    status, text = answer(gateway_client, replace(request, headers=headers))
    assert status in (400, 403)
    assert f"<Code>{code}</Code>" in text, text
    assert said in text, text


# A moment is a text, or seconds from now: what names a test may not change from one second to the next.
@pytest.mark.parametrize(
    ("moment", "door", "code", "said"),
    [
        (-16 * 60, "sts", "SignatureDoesNotMatch", "Signature expired: "),
        (16 * 60, "sts", "SignatureDoesNotMatch", "Signature not yet current: "),
        (-16 * 60, "sso", "InvalidSignatureException", "is now earlier than"),
        (16 * 60, "identitystore", "InvalidSignatureException", "is still later than"),
        (-16 * 60, "s3", "RequestTimeTooSkewed", "is now earlier than"),
        ("20261332T000000Z", "sts", "IncompleteSignature", "no such time"),
        ("2026-01-01T00:00:00Z", "sts", "IncompleteSignature", "basic format"),
        ("\u0662\u0660260101T000000Z", "sts", "IncompleteSignature", "basic format"),
    ],
)
def test_another_time_is_refused_in_the_words_of_aws(gateway_client, moment, door, code, said):
    timestamp = moment if isinstance(moment, str) else stamp(moment)
    status, text = answer(gateway_client, signed(gateway_client, DOORS[door], door, timestamp=timestamp))
    assert status in (400, 403)
    assert code in text
    assert said in text


def test_a_scope_of_another_day_is_refused(gateway_client):
    request = signed(gateway_client, WHO_AM_I, "sts")
    today = request.headers["x-amz-date"][:8]
    authorization = request.headers["authorization"].replace(f"/{today}/", "/20200101/")
    headers = {**request.headers, "authorization": authorization}
    status, text = answer(gateway_client, replace(request, headers=headers))
    assert (status, "Date in Credential scope does not match YYYYMMDD" in text) == (400, True)


def test_a_date_header_stands_in_for_that_of_amazon(gateway_client):
    key, secret = gateway_client.double.administrator_credentials()
    moment = time.time()
    headers = {"host": HOST, "content-type": FORM, "date": formatdate(moment, usegmt=True)}
    request = Request("POST", "/", "", headers, WHO_AM_I[3])
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
    names = sorted(headers)
    claim = Claim(key, timestamp[:8], "us-east-1", "sts", names, "", timestamp, None)
    signature = signature_v4(claim, request, hashlib.sha256(request.body).hexdigest(), secret)
    status, text = answer(gateway_client, with_authorization(request, key, claim.scope, names, signature))
    assert status == 200, text


@pytest.mark.parametrize("header", ["x-amz-target", "x-amz-acl", "x-amz-security-token-x"])
def test_an_amazon_header_must_be_signed(gateway_client, header):
    for door in ("sts", "s3"):
        more = {header: "value"}
        request = signed(gateway_client, DOORS[door], door, more=more, leave_out=(header,))
        status, text = answer(gateway_client, request)
        assert status in (400, 403)
        assert header in text


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        (None, "InvalidRequest"),
        ("", "InvalidArgument"),
        ("x", "InvalidArgument"),
        ("STREAMING-AWS4-HMAC-SHA256-EVENTS", "InvalidArgument"),
        ("A" * 64, "InvalidArgument"),
        ("0" * 64, "XAmzContentSHA256Mismatch"),
    ],
)
def test_s3_wants_to_know_the_bodys_hash(gateway_client, stated, code):
    headers = {} if stated is None else {"x-amz-content-sha256": stated}
    request = signed(gateway_client, ("GET", "/", headers, b""), "s3")
    status, text = answer(gateway_client, request)
    assert (status, f"<Code>{code}</Code>" in text) == (400, True), text


def chunked(gateway_client, kind: str, pieces: Sequence[bytes], *, decoded: int | None = None) -> Request:
    """Return a request that puts an object in signed chunks, as SDKs of other languages do over http."""
    decoded = sum(map(len, pieces)) if decoded is None else decoded
    headers = {
        "x-amz-content-sha256": kind,
        "x-amz-decoded-content-length": str(decoded),
        "content-encoding": "aws-chunked",
    }
    has_trailer = kind.endswith("TRAILER")
    if has_trailer:
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    request = signed(gateway_client, ("PUT", "/chunks/key", headers, b""), "s3")
    _, secret = gateway_client.double.administrator_credentials()
    timestamp = request.headers["x-amz-date"]
    claim = Claim("", timestamp[:8], "us-east-1", "s3", [], "", timestamp, None)
    key, before = signing_key(claim, secret), request.headers["authorization"].rpartition("=")[2]
    body = b""
    for piece in [*pieces, b""]:
        if kind.startswith("STREAMING-UNSIGNED"):
            body += f"{len(piece):x}\r\n".encode()
        else:
            before = _sign(key, claim, "PAYLOAD", before, hashlib.sha256(b"").hexdigest(), piece)
            body += f"{len(piece):x};chunk-signature={before}\r\n".encode()
        body += piece + (b"\r\n" if piece or not has_trailer else b"")
    if has_trailer:
        body += b"x-amz-checksum-crc32:AAAAAA==\r\n"
    if has_trailer and not kind.startswith("STREAMING-UNSIGNED"):
        trailer = b"x-amz-checksum-crc32:AAAAAA==\n"
        body += b"x-amz-trailer-signature:" + _sign(key, claim, "TRAILER", before, None, trailer).encode()
        body += b"\r\n"
    return replace(request, body=body + (b"\r\n" if has_trailer else b""))


def _sign(key: bytes, claim: Claim, what: str, before: str, first: str | None, data: bytes) -> str:
    digests = [first] if first else []
    lines = [f"AWS4-HMAC-SHA256-{what}", claim.timestamp, claim.scope, before, *digests]
    text = "\n".join([*lines, hashlib.sha256(data).hexdigest()])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


KINDS = [
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_in_chunks_is_taken_whole(gateway_client, kind):
    s3 = gateway_client.client("s3")
    s3.create_bucket(Bucket="chunks")
    status, text = answer(gateway_client, chunked(gateway_client, kind, [b"a" * 65_536, b"the end"]))
    assert status == 200, text
    assert s3.get_object(Bucket="chunks", Key="key")["Body"].read() == b"a" * 65_536 + b"the end"


@pytest.mark.parametrize(
    ("kind", "old", "new", "code"),
    [
        (KINDS[0], b"the end", b"another", "SignatureDoesNotMatch"),
        (KINDS[1], b"the end", b"another", "SignatureDoesNotMatch"),
        (KINDS[1], b"crc32:AAAAAA", b"crc32:BBBBBB", "SignatureDoesNotMatch"),
        (KINDS[1], b"trailer-signature:", b"trailer-signature:f", "SignatureDoesNotMatch"),
        (KINDS[0], b"chunk-signature=", b"chunk-signature=\xe9", "IncompleteBody"),
        (KINDS[0], b"7;chunk", b"8;chunk", "IncompleteBody"),
        (KINDS[0], b"7;chunk", b"-7;chunk", "IncompleteBody"),
        (KINDS[0], b"7;chunk", b"ffffffffffff;chunk", "IncompleteBody"),
        (KINDS[2], b"the end", b"longer than said", "IncompleteBody"),
        (KINDS[2], b"7\r\n", b"zz\r\n", "IncompleteBody"),
    ],
)
def test_a_chunk_that_was_changed_is_refused(gateway_client, kind, old, new, code):
    s3 = gateway_client.client("s3")
    s3.create_bucket(Bucket="chunks")
    request = chunked(gateway_client, kind, [b"begin", b"the end"])
    assert old in request.body
    status, text = answer(gateway_client, replace(request, body=request.body.replace(old, new)))
    assert (status < 500, f"<Code>{code}</Code>" in text) == (True, True), text
    assert "Contents" not in s3.list_objects_v2(Bucket="chunks")


@pytest.mark.parametrize("decoded", [0, 3, 10**15])
@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_chunks_is_what_the_request_says(gateway_client, kind, decoded):
    gateway_client.client("s3").create_bucket(Bucket="chunks")
    status, text = answer(gateway_client, chunked(gateway_client, kind, [b"begin"], decoded=decoded))
    assert (status, "<Code>IncompleteBody</Code>" in text) == (400, True), text


def test_a_signed_url_of_sts_works_for_sts_alone_and_until_it_expires(gateway_client, monkeypatch):
    sts = gateway_client.client("sts", "eu-west-1")
    url = urlsplit(sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET"))
    request = Request("GET", "/", url.query, {"host": HOST}, b"")
    assert answer(gateway_client, request)[0] == 200
    parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
    for change in (
        {"Action": "GetSessionToken"},
        {"X-Amz-Expires": "86400"},
        {"X-Amz-Expires": "\u0661"},
        {"X-Amz-SignedHeaders": "date"},
        {"X-Amz-Credential": parameters["X-Amz-Credential"].replace("/sts/", "/s3/")},
        {"X-Amz-Credential": parameters["X-Amz-Credential"].replace("eu-west-1", "us-east-1")},
        {"X-Amz-Signature": "\u00e9"},
        {"X-Amz-Date": ""},
    ):
        changed = replace(request, query=urlencode({**parameters, **change}))
        assert answer(gateway_client, changed)[0] in (400, 403), change
    now = time.time()
    monkeypatch.setattr("idc_sandbox.wire.signatures.time.time", lambda: now + 61)
    assert "has expired" in answer(gateway_client, request)[1]


def test_an_older_signed_url_opens_s3_alone(gateway_client):
    s3 = gateway_client.client("s3", config={"signature_version": "s3"})
    url = urlsplit(s3.generate_presigned_url("list_buckets", ExpiresIn=60))
    assert answer(gateway_client, Request("GET", "/", url.query, {"host": HOST}, b""))[0] == 200
    for method, path, headers, body in DOORS.values():
        if path == "/" and method == "GET":
            continue
        request = Request(method, path, url.query, {"host": HOST, **headers}, body)
        assert answer(gateway_client, request)[0] in (400, 403)


def test_a_refused_scope_reaches_boto3_as_its_own_error(gateway_client):
    client = gateway_client.client("sso-admin", "xx-nowhere-1")
    with pytest.raises(ClientError, match="valid Region, not 'xx-nowhere-1'") as caught:
        client.list_instances()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
