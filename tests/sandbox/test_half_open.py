"""Requests that never become whole, and bodies that are too large: the server ends them, serves others."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import tracemalloc
from contextlib import ExitStack, contextmanager
from threading import Thread

import anyio
import h11
import pytest
import uvicorn
from botocore.auth import UNSIGNED_PAYLOAD, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from page_visitor import PORT
from sandbox_clients import GatewayClient

from idc_sandbox import server
from idc_sandbox.wire import connections
from idc_sandbox.wire.connections import LARGEST_UNSIGNED_BODY

PATIENCE_S = 60
LARGE = 3 * LARGEST_UNSIGNED_BODY


@contextmanager
def served(application):
    """Serve an application as the sandbox does, on a port of its own, and yield the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(application, http=connections.PatientProtocol, lifespan="off", log_config=None)
    running = uvicorn.Server(config)
    thread = Thread(target=lambda: asyncio.run(running.serve(sockets=[listener])))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        running.should_exit = True
        thread.join(PATIENCE_S)


@pytest.fixture
def hasty(monkeypatch):
    """Let the server wait for moments only."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    monkeypatch.setattr(connections, "BODY_PAUSE_S", 0.5)
    monkeypatch.setattr(connections, "BODY_S", 1.5)


async def read_everything(scope, receive, send):
    """Answer what was read, as an application does that waits for the whole body."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


ENDLESS = [
    b"",
    b"G",
    b"GET / HTTP/1.1\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost:",
    b"\r\n\r\n",
]


def test_an_answer_is_written_in_one_piece():
    written: list[bytes] = []
    connection = connections.AnsweringConnection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [type(connection.next_event()) for _ in range(2)] == [h11.Request, h11.EndOfMessage]
    for event in (
        h11.Response(status_code=200, headers=[("content-length", "4")]),
        h11.Data(data=b"once"),
        h11.EndOfMessage(),
    ):
        written.append(connection.send(event))
    assert written[0] == written[2] == b""
    assert written[1].startswith(b"HTTP/1.1 200 ")
    assert written[1].endswith(b"\r\n\r\nonce")


def test_what_never_becomes_a_request_ends(hasty):
    with served(read_everything) as port, ExitStack() as opened:
        connections = {}
        for sent in ENDLESS:  # all wait at the same time
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.settimeout(PATIENCE_S)
            connection.sendall(sent)
            connections[sent] = connection
        for sent, connection in connections.items():
            try:
                while connection.recv(4096):
                    pass  # an answer to the whole first one of two, and then the end
            except TimeoutError:
                pytest.fail(f"the connection did not end after {sent!r}")
            except ConnectionError:
                continue


@pytest.mark.parametrize("beginning", [b"GET / HTTP/1.1\r\nX-A: ", ENDLESS[4]])
def test_a_byte_now_and_then_does_not_draw_it_out(hasty, beginning):
    with served(read_everything) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(0.1)
        connection.sendall(beginning)
        for _ in range(PATIENCE_S * 10):
            try:
                connection.sendall(b"x")
                if connection.recv(10) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    pytest.fail("the connection did not end")


def test_whole_requests_on_one_connection_are_answered_however_long_they_take(hasty):
    async def slow(scope, receive, send):
        await asyncio.sleep(2)  # longer than any wait for a request
        await read_everything(scope, receive, send)

    with served(slow) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(PATIENCE_S)
        for _ in range(2):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
            answer = b""
            while not answer.endswith(b"ok"):
                answer += (piece := connection.recv(4096))
                assert piece
            assert answer.startswith(b"HTTP/1.1 200")


def test_the_sandboxs_own_server_is_patient_so_far(tmp_path):
    made = server._make_server(read_everything, lambda: None)
    assert made.config.http is connections.PatientProtocol


# --- bodies


class Client:
    """A client in this process that counts how much of its body was asked for."""

    def __init__(
        self, gateway, body_bytes, *, headers=(), declared=True, path=b"/token", query=b"", method="POST"
    ):
        self.asked, self.answers = 0, []
        self._left = body_bytes
        length = [(b"content-length", str(body_bytes).encode())] if declared else []
        scope = {"type": "http", "method": method, "raw_path": path, "path": path.decode()}
        host = (b"host", f"127.0.0.1:{PORT}".encode())
        scope |= {"query_string": query, "headers": [host, *length, *headers]}
        anyio.run(server.AwsEndpoint(gateway), scope, self._receive, self._send)

    async def _receive(self):
        size = min(self._left, 65_536)
        self._left -= size
        self.asked += size
        return {"type": "http.request", "body": bytes(size), "more_body": self._left > 0}

    async def _send(self, message):
        self.answers.append(message)

    @property
    def status(self):
        return self.answers[0]["status"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    client = GatewayClient(tmp_path_factory.mktemp("bodies"))
    yield client.gateway
    client.store.close()


def credential(name):
    scope = f"{name}/20260101/us-east-1/s3/aws4_request"
    value = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    return [(b"authorization", value.encode())]


UNSIGNED = [
    {},
    {"declared": False},
    {"headers": credential("AKIAINVENTED")},
    {"headers": credential("AKIAINVENTED"), "declared": False},
    {"headers": credential("")},
    {"path": b"/start/../b/k", "declared": False},
    {"query": b"X-Amz-Credential=AKIANONE/x&X-Amz-Signature=0"},
    {"query": b"AWSAccessKeyId=AKIANONE&Signature=0&Expires=9", "declared": False},
]


@pytest.mark.parametrize("options", UNSIGNED, ids=str)
def test_of_a_stranger_no_more_than_a_little_is_kept(gateway, options):
    tracemalloc.start()
    client = Client(gateway, 60 * LARGEST_UNSIGNED_BODY, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert client.status == 413
    assert b"EntityTooLarge" in client.answers[1]["body"]
    assert (b"connection", b"close") in client.answers[0]["headers"]
    assert client.asked <= 10 * LARGEST_UNSIGNED_BODY
    assert peak < 4 * LARGEST_UNSIGNED_BODY


def test_a_client_that_asks_first_sends_nothing(gateway):
    client = Client(gateway, 60 * LARGEST_UNSIGNED_BODY, headers=[(b"expect", b"100-continue")])
    assert (client.status, client.asked) == (413, 0)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("stated", [UNSIGNED_PAYLOAD, hashlib.sha256(bytes(LARGE)).hexdigest(), "0" * 64])
def test_who_signs_with_a_key_of_ours_may_send_much_and_is_checked_then(gateway, declared, stated):
    key, secret = gateway.double.administrator_credentials()
    url = f"http://127.0.0.1:{PORT}/bucket/key"
    request = AWSRequest("PUT", url, headers={"x-amz-content-sha256": stated})
    SigV4Auth(Credentials(key, secret), "s3", "us-east-1").add_auth(request)
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    signed = Client(gateway, LARGE, headers=headers, declared=declared, path=b"/bucket/key", method="PUT")
    assert signed.asked == LARGE
    assert signed.status == (400 if stated == "0" * 64 else 404)  # not the body's hash; no such bucket
    forged = [(name, value[:-1] + b"x" if name == b"authorization" else value) for name, value in headers]
    assert Client(gateway, LARGE, headers=forged, declared=declared, path=b"/bucket/key").status == 413


def test_who_only_names_a_key_of_ours_is_a_stranger(gateway):
    key, _ = gateway.double.administrator_credentials()
    for options in ({}, {"declared": False}):
        client = Client(gateway, LARGE, headers=credential(key), path=b"/bucket/key", **options)
        assert client.status == 413


def test_at_the_limit_it_is_taken(gateway):
    assert Client(gateway, LARGEST_UNSIGNED_BODY).status == 400  # no JSON
    assert Client(gateway, LARGEST_UNSIGNED_BODY + 1).status == 413


def test_a_large_object_is_stored(gateway_client):
    s3 = gateway_client.client("s3")
    s3.create_bucket(Bucket="large")
    s3.put_object(Bucket="large", Key="k", Body=b"x" * (2 * connections.LARGEST_UNSIGNED_BODY))
    assert s3.head_object(Bucket="large", Key="k")["ContentLength"] == 2 * LARGEST_UNSIGNED_BODY
