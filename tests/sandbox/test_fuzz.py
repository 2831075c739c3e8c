"""Bad input never gets a 500: that is for the sandbox's own defects, and so a 500 here is one.

Thousands of odd requests from a seed go to the whole port, in this process, and some over a socket; what was
once answered with a 500 is a row of its own.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
from collections import Counter
from dataclasses import replace

import pytest
from fuzz import FORM, Fuzz
from page_visitor import client_of

from idc_sandbox.errors import Request

SEED, COUNT = 20_261_129, 3_000
NESTED = "[" * 20_000
HALF_A_CHARACTER = '{"NextToken": "\\ud800"}'
DEEP_POLICY = '{"Version": "2012-10-17", "Statement": ' + '{"a": ' * 3_000 + "1" + "}" * 3_000 + "}"


DEEP_OBJECT = '{"a":' * 900 + "1" + "}" * 900


def prepared(gateway_client):
    gateway_client.switches(asynchronous_duration_s=0.0)
    gateway_client.console("POST", "instance")
    gateway_client.store._connection.execute("PRAGMA synchronous=OFF")  # durability has tests of its own
    s3 = gateway_client.client("s3")
    s3.create_bucket(Bucket="fuzz")
    s3.put_object(Bucket="fuzz", Key="key", Body=b"hello")
    return Fuzz(SEED, gateway_client.administrator_key())


def test_no_odd_request_gets_a_500(gateway_client, caplog):
    caplog.set_level(logging.ERROR, "idc_sandbox")
    defects, statuses = [], Counter()
    for what, request in prepared(gateway_client).requests(COUNT):
        answer = gateway_client.gateway.handle(request)
        statuses[answer.status] += 1
        if answer.status >= 500 and answer.status != 501:  # S3 says 501 to what the sandbox does not have
            defects.append((what, request.method, request.path, request.query, request.body[:200]))
    assert not defects, caplog.text[-4000:]
    assert sum(statuses.values()) == COUNT
    assert statuses[200] > COUNT / 20, "most of it was refused at the door: the fuzz reaches nothing"
    assert gateway_client.client("sts").get_caller_identity()["Account"]


def test_the_fuzz_sees_a_defect(gateway_client, monkeypatch):
    def broken(*_arguments, **_options):
        raise LookupError("a defect of ours")

    fuzz = prepared(gateway_client)
    monkeypatch.setattr("idc_sandbox.aws_double.double.require_permission", broken)
    monkeypatch.setattr("idc_sandbox.wire.registry.validate_request", broken)
    statuses = {gateway_client.gateway.handle(request).status for _, request in fuzz.requests(40)}
    assert 500 in statuses


# service, what the request says (target or action), body, code. One row for each kind that was a 500.
ROWS = [
    ("sso", "SWBExternalService.ListInstances", NESTED, "SerializationException"),
    ("sso", "SWBExternalService.ListInstances", b"\xff\xfe{", "SerializationException"),
    ("identitystore", "AWSIdentityStore.ListUsers", NESTED, "SerializationException"),
    ("identitystore", "AWSIdentityStore.ListUsers", HALF_A_CHARACTER, "SerializationException"),
    ("sso", "SWBExternalService.ListInstances", HALF_A_CHARACTER, "SerializationException"),
    ("organizations", "AWSOrganizationsV20161128.ListRoots", HALF_A_CHARACTER, "SerializationException"),
    (
        "identitystore",
        "AWSIdentityStore.ListUsers",
        "{" + '"a":{' * 900 + "}" * 901,
        "SerializationException",
    ),
    ("organizations", "AWSOrganizationsV20161128.ListRoots", NESTED, "SerializationException"),
    ("organizations", "AWSOrganizationsV20161128.ListRoots", b"\xff\xfe{", "SerializationException"),
    ("organizations", "AWSOrganizationsV20161128.ListRoots", "7", "SerializationException"),
    ("organizations", "AWSOrganizationsV20161128.MoveAccount", "{}", "ValidationException"),
    ("organizations", "AWSOrganizationsV20161128.TagResource", '{"Tags": []}', "ValidationException"),
    ("organizations", "AWSOrganizationsV20161128.None", "{}", "UnknownOperationException"),
    ("iam", "CreateUser", "", "ValidationError"),
    ("iam", "CreateOpenIDConnectProvider", "", "ValidationError"),
    ("iam", "ListUsers", "&MaxItems=many", "ValidationError"),
    ("iam", "ListUsers", "&MaxItems=1001", "ValidationError"),
    ("iam", "None", "", "InvalidAction"),
    ("sts", "AssumeRole", "", "ValidationError"),
    ("sts", "AssumeRole", "&RoleArn=x&RoleSessionName=y", "ValidationError"),
    ("sts", "GetFederationToken", "&Name=ana&DurationSeconds=1e3", "ValidationError"),
    ("sts", "GetScopedCredentials", "", "InvalidAction"),
    ("sts", "ListUsers", "", "InvalidAction"),
]


def named(fuzz: Fuzz, service: str, name: str, body: str | bytes) -> Request:
    data = body if isinstance(body, bytes) else body.encode()
    if service in ("iam", "sts"):
        version = {"iam": "2010-05-08", "sts": "2011-06-15"}[service]
        data = f"Action={name}&Version={version}".encode() + data
        return fuzz.signed("POST", "/", "", {"content-type": FORM}, data, service)
    return fuzz.signed("POST", "/", "", {"x-amz-target": name}, data, service)


@pytest.mark.parametrize(("service", "name", "body", "code"), ROWS)
def test_each_kind_of_bad_request_has_its_own_refusal(gateway_client, service, name, body, code):
    answer = gateway_client.gateway.handle(named(prepared(gateway_client), service, name, body))
    assert (answer.status, code in answer.body.decode()) == (400, True), answer.body


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "code"),
    [
        ("PUT", "/fuzz", "cors", b"", "MalformedXML"),
        ("PUT", "/fuzz", "cors", b"<a><b></a>", "MalformedXML"),
        ("PUT", "/fuzz", "tagging", b"<VersioningConfiguration/>", "MalformedXML"),
        ("PUT", "/fuzz", "tagging", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "MalformedXML"),
        ("PUT", "/fuzz", "lifecycle", b"<a>" * 2_000, "MalformedXML"),
        ("PUT", "/new", "", b"{}", "MalformedXML"),
        ("POST", "/fuzz", "delete", b"\xff", "MalformedXML"),
        ("GET", "/fuzz", "max-keys=many", b"", "InvalidArgument"),
        ("PUT", "/fuzz/key", "partNumber=x&uploadId=y", b"", "InvalidArgument"),
        ("GET", "/", "max-buckets=many", b"", "InvalidArgument"),
    ],
)
def test_s3_refuses_what_it_cannot_read(gateway_client, method, path, query, body, code):
    answer = gateway_client.gateway.handle(
        prepared(gateway_client).signed(method, path, query, {}, body, "s3")
    )
    assert (answer.status, f"<Code>{code}</Code>" in answer.body.decode()) == (400, True), answer.body


def test_a_policy_of_3000_levels_is_no_policy(gateway_client):
    """As an inline policy it is refused; an IAM policy of that kind allows nothing and breaks nothing."""
    fuzz = prepared(gateway_client)
    sso = gateway_client.client("sso-admin")
    instance_arn = sso.list_instances()["Instances"][0]["InstanceArn"]
    set_arn = sso.create_permission_set(InstanceArn=instance_arn, Name="Deep")["PermissionSet"][
        "PermissionSetArn"
    ]
    body = {"InstanceArn": instance_arn, "PermissionSetArn": set_arn, "InlinePolicy": DEEP_POLICY}
    request = named(fuzz, "sso", "SWBExternalService.PutInlinePolicyToPermissionSet", json.dumps(body))
    assert gateway_client.gateway.handle(request).status == 400
    iam = gateway_client.client("iam")
    for name, call in {
        "user": lambda: iam.put_user_policy(
            UserName="sandbox-administrator", PolicyName="deep", PolicyDocument=DEEP_POLICY
        ),
        "managed": lambda: iam.create_policy(PolicyName="deep", PolicyDocument=DEEP_POLICY),
        "trust": lambda: iam.create_role(RoleName="deep", AssumeRolePolicyDocument=DEEP_POLICY),
    }.items():
        with pytest.raises(iam.exceptions.ClientError) as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400, name
    token = base64.urlsafe_b64encode(NESTED.encode()).decode()
    body = {"InstanceArn": instance_arn, "NextToken": token}
    request = named(fuzz, "sso", "SWBExternalService.ListPermissionSets", json.dumps(body))
    assert gateway_client.gateway.handle(request).status == 400


PAGES = [
    "/start",
    "/start/sign-in",
    "/start/sign-in/password",
    "/start/device",
    "/start/device/answer",
    "/authorize",
    "/v1/authorize",
    "/start/console",
    "/start/invitation/x",
    "/start/devices",
    "/start/devices/x/delete",
    "/start/devices/register/app",
    "/start/mailbox",
    "/start/mailbox/x",
    "/start/practice-console",
    "/start/practice-console/settings/authentication/mfa",
    "/start/practice-console/x",
    "/start/%00",
    "/start/%ff",
]


def test_nothing_odd_at_the_pages_gets_a_500(place):
    client = client_of(place.application, base_url="http://localhost:8723", raise_app_exceptions=False)
    texts = ("\u00fc", "%", "\x00", "x" * 9_000, NESTED, "${x}", "<a>", "-1", "")
    names = ("user_code", "state", "scopes", "client_id", "account_id", "token", "key")
    for path in PAGES:
        for text in texts:
            pairs = dict.fromkeys(names, text[:800])
            answers = [
                client.get(path, params=pairs, follow_redirects=False),
                client.post(path, data=dict.fromkeys(names, text), follow_redirects=False),
            ]
            assert max(answer.status_code for answer in answers) < 500, (path, text[:20])


def test_nothing_odd_over_a_socket_gets_a_500(sandbox):
    """The same requests as they pass the server: what the gateway never sees is refused before."""
    host = sandbox.endpoint_url.removeprefix("http://")
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket="fuzz")
    s3.put_object(Bucket="fuzz", Key="key", Body=b"hello")
    statuses: Counter[int] = Counter()
    for what, request in Fuzz(SEED + 1, sandbox.administrator_key(), host).requests(300):
        status = send(host, request)
        statuses[status] += 1
        assert status < 500 or status == 501, (what, request)
    assert statuses[200] > 300 / 40, statuses
    assert sandbox.client("sts").get_caller_identity()["Account"]


def send(host: str, request: Request) -> int:
    """Send a request's very characters, and return the status; 0 when the connection was closed."""
    connection = http.client.HTTPConnection(host, timeout=120)
    path = request.path + (f"?{request.query}" if request.query else "")
    headers = {**request.headers, "content-length": str(len(request.body)), "connection": "close"}
    lines = [f"{request.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    connection.connect()
    connection.sock.sendall("\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + request.body)
    answer = http.client.HTTPResponse(connection.sock, method=request.method)
    try:
        answer.begin()
        answer.read()
    except (http.client.HTTPException, ConnectionError):
        return 0
    finally:
        connection.close()
    return answer.status


def test_a_moto_error_leaves_its_memory_as_it_was(gateway_client):
    fuzz = prepared(gateway_client)
    before = gateway_client.client("s3").list_buckets()["Buckets"]
    request = fuzz.signed("PUT", "/another", "", {}, b"<broken", "s3")
    assert gateway_client.gateway.handle(request).status == 400
    assert gateway_client.gateway.handle(replace(request, body=b"<other")).status == 400
    gateway_client.restart()
    assert gateway_client.client("s3").list_buckets()["Buckets"] == before
