"""The sandbox as others see it: a port on loopback that answers AWS clients, and nobody who is none."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import anyio
import boto3
import pytest
from anyio import to_thread
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from patience import PATIENCE_S

from idc_sandbox import server
from idc_sandbox.environment import environment
from idc_sandbox.errors import FORM_CONTENT_TYPE, Request, ServiceError
from idc_sandbox.loopback import prove


def raw(sandbox, method, path, *, host=None, body=b"", **headers) -> tuple[int, dict[str, str], bytes]:
    """Send one request as a program that is no AWS client would."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.running.port, timeout=PATIENCE_S)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{sandbox.running.port}")
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body)
    answer = connection.getresponse()
    result = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return result


def test_unmodified_boto3_finds_it_by_the_environment_alone(sandbox, monkeypatch):
    for name, value in environment(sandbox.running).items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    assert session.client("sts").get_caller_identity()["Account"] == sandbox.management_account_id
    assert isinstance(session.client("sso-admin").list_instances()["Instances"], list)
    assert len(session.client("organizations").list_accounts()["Accounts"]) == 5
    assert session.client("iam").list_users()["Users"]
    bucket = session.resource("s3").create_bucket(Bucket="by-environment")
    bucket.put_object(Key="a/ü b+c.txt", Body=b"x" * 100_000)
    assert [(item.key, item.size) for item in bucket.objects.all()] == [("a/ü b+c.txt", 100_000)]
    assert bucket.Object("a/ü b+c.txt").get(Range="bytes=0-9")["Body"].read() == b"x" * 10
    bucket.Object("a/ü b+c.txt").delete()
    bucket.delete()


def test_head_answers_how_long_the_body_would_be(sandbox):
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket="heads")
    s3.put_object(Bucket="heads", Key="k", Body=b"12345")
    assert s3.head_object(Bucket="heads", Key="k")["ContentLength"] == 5
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="heads", Key="none")
    s3.delete_object(Bucket="heads", Key="k")
    s3.delete_bucket(Bucket="heads")


def test_a_body_without_a_length_is_read_whole(sandbox):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.running.port, timeout=PATIENCE_S)
    headers = {"X-Amz-Target": "SWBExternalService.ListInstances"}
    connection.request("POST", "/", body=iter([b"{", b"}"]), headers=headers, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["__type"] == "MissingAuthenticationTokenException"
    connection.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", ""]
)
@pytest.mark.parametrize("path", ["/_sandbox/health", "/"])
def test_another_host_is_refused(sandbox, host, path):
    headers = {"x_sandbox_secret": sandbox.running.control_secret}
    status, _, body = raw(sandbox, "GET", path, host=host.format(port=sandbox.running.port), **headers)
    assert status in (400, 403)  # 400: HTTP/1.1 without a Host is no HTTP
    assert status == 400 or "Host header must be" in json.loads(body)["message"]


def test_localhost_is_its_own_host_too(sandbox):
    status, _, body = raw(sandbox, "GET", "/_sandbox/health", host=f"LocalHost:{sandbox.running.port}")
    assert (status, json.loads(body)["status"]) == (200, "ok")


def test_it_listens_on_loopback_only(sandbox):
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {
        "127.0.0.1"
    }
    others.add("127.0.0.2")  # Linux routes all of 127/8 here: a server on every address would answer
    for address in others:
        with (
            pytest.raises((ConnectionError, TimeoutError)),
            socket.create_connection((address, sandbox.running.port), timeout=2),
        ):
            pass


def test_health_needs_no_secret_and_proves_that_it_knows_it(sandbox):
    challenge = "0123456789abcdef" * 2
    status, _, body = raw(sandbox, "GET", f"/_sandbox/health?challenge={challenge}")
    health = json.loads(body)
    assert (status, health["status"], health["pid"]) == (200, "ok", sandbox.running.pid)
    key = sandbox.folder.read_secrets()["health_key"]
    assert health["proof"] == prove(key, sandbox.running.port, challenge)
    assert not {sandbox.running.control_secret, key} & set(health.values())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "switches"),
        ("PUT", "switches"),
        ("POST", "clock"),
        ("GET", "console/settings"),
        ("POST", "stop"),
    ],
)
@pytest.mark.parametrize("secret", ["", "wrong", "é"])
def test_everything_else_needs_the_secret(sandbox, method, path, secret):
    headers = {"x_sandbox_secret": secret} if secret else {}
    status, _, body = raw(sandbox, method, f"/_sandbox/{path}", **headers)
    assert (status, json.loads(body)["code"]) == (403, "AccessDeniedException")
    assert raw(sandbox, "GET", "/_sandbox/health")[0] == 200


def test_switches_are_set_and_read(sandbox):
    assert sandbox.switches(asynchronous_duration_s=0.05)["asynchronous_duration_s"] == 0.05
    assert sandbox.control("GET", "switches")["asynchronous_duration_s"] == 0.05
    sandbox.switches(asynchronous_duration_s=None)
    with pytest.raises(ServiceError, match="no switch 'latency'") as caught:
        sandbox.switches(latency=1)
    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"\x00", b"null", b"a=b", b"[" * 5000])
def test_a_control_body_that_is_no_object_is_refused(sandbox, body):
    headers = {"x_sandbox_secret": sandbox.running.control_secret}
    status, _, answer = raw(sandbox, "PUT", "/_sandbox/switches", body=body, **headers)
    assert (status, json.loads(answer)["code"]) == (400, "ValidationException")


def test_the_clock_moves(fresh_sandbox):
    before = fresh_sandbox.control("GET", "clock")
    after = fresh_sandbox.control("POST", "clock", {"advance_s": 86_400})
    assert after["offset_s"] == before["offset_s"] + 86_400
    assert after["now"] - before["now"] >= 86_400
    created = fresh_sandbox.client("iam").create_user(UserName="tomorrow")["User"]["CreateDate"].timestamp()
    assert created - time.time() > 86_000
    assert fresh_sandbox.control("POST", "clock", {"reset": True})["offset_s"] == 0
    for wrong in ({}, {"advance_s": 1, "reset": True}, {"reset": False}, {"advance_s": -5}):
        with pytest.raises(ServiceError, match="advance_s"):
            fresh_sandbox.control("POST", "clock", wrong)


def test_what_only_the_console_can_is_done_and_seen_by_the_api(fresh_sandbox):
    settings = fresh_sandbox.console("POST", "instance", {"name": "practice"})
    (instance,) = fresh_sandbox.client("sso-admin").list_instances()["Instances"]
    assert settings["instance_arn"] == instance["InstanceArn"]
    shown = fresh_sandbox.console("GET", f"settings?instance_arn={instance['InstanceArn']}")
    assert shown == settings
    with pytest.raises(ServiceError) as caught:
        fresh_sandbox.console("POST", "nonsense", {})
    assert caught.value.code == "UnknownOperationException"


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "nothing", 404, None),
        ("GET", "switches/", 404, None),
        ("GET", "switches%2F", 404, None),
        ("GET", "Switches", 404, None),
        ("GET", "..;/switches", 404, None),
        ("GET", "../_sandbox/switches", 404, None),
        ("GET", "/switches", 404, None),
        ("PUT", "checkpoints", 404, None),
        ("GET", "health/", 404, None),
        ("GET", "health%00", 404, None),
        ("DELETE", "switches", 405, "GET, PUT"),
        ("HEAD", "switches", 405, "GET, PUT"),
        ("OPTIONS", "stop", 405, "POST"),
        ("GET", "checkpoints%2Fa", 405, "PUT, POST"),
        ("POST", "health", 405, "GET, HEAD"),
        ("HEAD", "health", 200, None),
    ],
)
def test_an_unknown_path_of_its_own_is_no_aws_request(sandbox, method, path, status, allowed):
    headers = {"x_sandbox_secret": sandbox.running.control_secret}
    found, named, body = raw(sandbox, method, f"/_sandbox/{path}", **headers)
    assert (found, named.get("allow")) == (status, allowed)
    if method == "HEAD":
        return
    said = json.loads(body)
    assert said["code"] == "UnknownOperationException"
    if allowed:
        takes = f"takes no {method}. It takes {allowed.replace(', ', ' and ')}."
        assert said["message"] == f"/_sandbox/{path} {takes}"
    else:
        known = "Below /_sandbox/ are checkpoints/, clock, console/, health, "
        assert said["message"].startswith(f"There is no /_sandbox/{path}. {known}")


@pytest.mark.parametrize(
    "path",
    ["/_sandbox", "//_sandbox/switches", "/start/../_sandbox/switches", "/start/..;/_sandbox/switches"],
)
def test_what_only_looks_like_its_own_endpoint_is_another_place(sandbox, path):
    headers = {"x_sandbox_secret": sandbox.running.control_secret}
    status, named, _ = raw(sandbox, "GET", path, host=f"localhost:{sandbox.running.port}", **headers)
    assert status in (403, 404)
    assert named["content-type"] != "application/json"


def test_a_secret_that_is_nearly_right_is_wrong(sandbox):
    secret = sandbox.running.control_secret
    last = "x" if secret[-1] != "x" else "y"
    for wrong in (secret[:-1], f"{secret}x", f"{secret[:-1]}{last}", secret.swapcase(), secret[::-1]):
        assert raw(sandbox, "GET", "/_sandbox/switches", x_sandbox_secret=wrong)[0] == 403, wrong
    assert raw(sandbox, "GET", f"/_sandbox/switches?x-sandbox-secret={secret}")[0] == 403
    assert raw(sandbox, "GET", "/_sandbox/switches", x_sandbox_secret=secret)[0] == 200


def test_latency_is_waited_for_outside_of_the_lock(gateway_client, monkeypatch):
    gateway_client.switches(latency_s=12.5)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        def another_request() -> None:
            assert gateway_client.store._lock.acquire(timeout=5), "the wait holds the lock"
            gateway_client.store._lock.release()
            waits.append(seconds)

        await to_thread.run_sync(another_request)

    monkeypatch.setattr(server, "asyncio", SimpleNamespace(sleep=sleep, to_thread=asyncio.to_thread))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}
    anyio.run(server.AwsEndpoint(gateway_client.gateway), scope, receive, send)
    assert waits == [12.5]
    assert sent[0]["status"] == 403
    gateway_client.switches(latency_s=0)
    anyio.run(server.AwsEndpoint(gateway_client.gateway), scope, receive, send)
    assert waits == [12.5]


WHO = ("sts", "Action=GetCallerIdentity&Version=2011-06-15", {"Content-Type": FORM_CONTENT_TYPE})
INSTANCES = ("sso", "{}", {"X-Amz-Target": "SWBExternalService.ListInstances"})
QUERIES = ("athena", "{}", {"X-Amz-Target": "AmazonAthena.ListQueryExecutions"})
OBJECTS = ("s3", "", {"Content-Type": FORM_CONTENT_TYPE})


def signed(gateway, service, body, headers, path="/") -> Request:
    key, secret = gateway.double.administrator_credentials()
    request = AWSRequest("POST", f"http://localhost{path}", data=body.encode(), headers=headers)
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    own = {name.lower(): value for name, value in request.headers.items()}
    return Request("POST", path, "", {"host": "localhost", **own}, body.encode())


@pytest.mark.parametrize("call", [WHO, INSTANCES])
def test_what_is_answered_soon_waits_for_no_other_thread(gateway_client, call):
    gateway = gateway_client.gateway
    answer = gateway.handle_at_once(signed(gateway, *call))
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(("call", "path"), [(QUERIES, "/"), (OBJECTS, "/bucket/key")])
def test_what_may_take_long_is_left_to_another_thread(gateway_client, call, path):
    gateway = gateway_client.gateway
    assert gateway.handle_at_once(signed(gateway, *call, path)) is None
    service, body, headers = INSTANCES
    large = signed(gateway, service, body + " " * 64 * 1024, headers)
    assert gateway.handle_at_once(large) is None


def test_nobody_stands_still_while_another_thread_is_in_a_transaction(gateway_client):
    gateway, begun, done = gateway_client.gateway, threading.Event(), threading.Event()
    request = signed(gateway, *INSTANCES)

    def be_long() -> None:
        with gateway.store.transaction():
            begun.set()
            done.wait(PATIENCE_S)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(be_long)
        assert begun.wait(PATIENCE_S)
        try:
            assert gateway.handle_at_once(request) is None
        finally:
            done.set()
    assert gateway.handle_at_once(request) is not None
    with ThreadPoolExecutor(1) as pool:  # others are let in again
        assert pool.submit(gateway.read_switches).result(PATIENCE_S)


def test_latency_is_set_by_its_switch_and_kept_over_a_restart(fresh_sandbox):
    fresh_sandbox.switches(latency_s=0.01)
    fresh_sandbox.stop()
    fresh_sandbox.start()
    assert fresh_sandbox.control("GET", "switches")["latency_s"] == 0.01
    assert fresh_sandbox.client("sts").get_caller_identity()["Account"]


def test_a_body_that_is_too_large_is_refused(gateway_client, monkeypatch):
    monkeypatch.setattr(server, "LARGEST_BODY", 10)
    pieces = iter([b"12345", b"67890", b"1"])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        piece = next(pieces)
        return {"type": "http.request", "body": piece, "more_body": piece != b"1"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "raw_path": b"/b/k", "query_string": b"", "headers": []}
    anyio.run(server.AwsEndpoint(gateway_client.gateway), scope, receive, send)
    assert sent[0]["status"] == 413
    assert b"EntityTooLarge" in sent[1]["body"]


def test_many_clients_at_once_get_right_answers(sandbox):
    def work(number: int) -> str:
        iam = sandbox.client("iam")
        name = f"worker-{number}"
        iam.create_user(UserName=name, Tags=[{"Key": "number", "Value": str(number)}])
        tags = iam.list_user_tags(UserName=name)["Tags"]
        iam.delete_user(UserName=name)
        return tags[0]["Value"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == [str(number) for number in range(24)]


def test_a_client_that_hangs_up_half_way_harms_nobody(sandbox):
    with socket.create_connection(("127.0.0.1", sandbox.running.port)) as connection:
        head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{sandbox.running.port}\r\nContent-Length: 100\r\n\r\nhalf"
        connection.sendall(head.encode())
    assert raw(sandbox, "GET", "/_sandbox/health")[0] == 200


def test_no_secret_and_no_body_is_in_the_log(fresh_sandbox):
    fresh_sandbox.client("iam").create_user(UserName="in-a-body")
    raw(fresh_sandbox, "POST", "/", body=b"nonsense-in-a-body", Authorization="nonsense-in-a-header")
    with socket.create_connection(("127.0.0.1", fresh_sandbox.running.port)) as connection:
        connection.sendall(b"this is no HTTP secret-words\r\n\r\n")
        connection.recv(1000)
    fresh_sandbox.stop()
    log = fresh_sandbox.folder.log.read_text()
    for word in ("in-a-body", "in-a-header", "secret-words", *fresh_sandbox.folder.read_secrets().values()):
        assert word not in log
    assert oct(fresh_sandbox.folder.log.stat().st_mode)[-3:] == "600"


@pytest.fixture
def slow_server():
    """Yield a server in a thread, how it is asked, when it has begun to answer, and what lets it answer."""
    begun, may_answer = threading.Event(), threading.Event()

    async def answer(scope, receive, send):
        if scope["path"] == "/slow":
            begun.set()
            await to_thread.run_sync(may_answer.wait, abandon_on_cancel=True)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    listens = threading.Event()
    made = server._make_server(answer, listens.set)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(2) as pool:
        port = listener.getsockname()[1]
        ended = pool.submit(made.run, sockets=[listener])
        assert listens.wait(PATIENCE_S)
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        idle.request("GET", "/")
        assert idle.getresponse().read() == b"ok"  # it stays connected, and holds up nobody
        slow = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        slow.request("GET", "/slow")
        assert begun.wait(PATIENCE_S)
        yield SimpleNamespace(made=made, slow=slow, may_answer=may_answer, ended=ended)
        may_answer.set()
        idle.close()
        slow.close()


def test_what_has_begun_is_answered_before_the_end(slow_server):
    slow_server.made.stop()
    slow_server.may_answer.set()
    assert slow_server.slow.getresponse().read() == b"ok"
    slow_server.ended.result(PATIENCE_S)


def test_what_takes_too_long_is_cut_by_the_end(slow_server, monkeypatch):
    monkeypatch.setattr(server, "GRACE_S", 0.05)
    slow_server.made.stop()
    slow_server.ended.result(PATIENCE_S)
    assert slow_server.slow.getresponse().status == 500


def test_where_a_client_is_it_does_not_say_itself(fresh_sandbox):
    client = fresh_sandbox.client("iam")

    def pretend(request, **_event):
        request.headers["X-Forwarded-For"] = "192.0.2.7"
        request.headers["X-Forwarded-Proto"] = "https"

    client.meta.events.register("before-send", pretend)
    client.create_user(UserName="ana")
    found = fresh_sandbox.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}]
    )
    (event,) = [json.loads(one["CloudTrailEvent"]) for one in found["Events"]]
    assert event["sourceIPAddress"] == "127.0.0.1"
