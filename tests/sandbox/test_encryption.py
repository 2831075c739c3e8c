"""TLS on the one port: a certificate for loopback alone, and everything in clear as it was."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading

import pytest
from cryptography import x509
from patience import PATIENCE_S

from idc_sandbox.environment import ensure_certificates, environment, variables_to_unset
from idc_sandbox.loopback import ask


def trusting(sandbox):
    return ssl.create_default_context(cafile=environment(sandbox.running)["AWS_CA_BUNDLE"])


def health(sandbox, context, host="127.0.0.1"):
    connection = http.client.HTTPSConnection(host, sandbox.running.port, context=context, timeout=PATIENCE_S)
    connection.request("GET", "/_sandbox/health")
    answer = json.loads(connection.getresponse().read())
    connection.request("GET", "/_sandbox/health")  # the connection is kept
    assert json.loads(connection.getresponse().read()) == answer
    connection.close()
    return answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_one_port_speaks_both(sandbox, host):
    assert health(sandbox, trusting(sandbox), host)["service"] == "idc-sandbox"
    assert ask(sandbox.running.port, "GET", "/_sandbox/health")["status"] == "ok"


def test_strict_verification_takes_it(sandbox):
    context = trusting(sandbox)
    context.verify_flags |= getattr(ssl, "VERIFY_X509_STRICT", 0)
    assert health(sandbox, context)["status"] == "ok"


def test_who_does_not_trust_the_authority_gets_nothing(sandbox):
    with pytest.raises(ssl.SSLCertVerificationError):
        health(sandbox, ssl.create_default_context())
    assert health(sandbox, trusting(sandbox))["status"] == "ok"


def test_a_large_body_comes_whole_in_both(sandbox):
    """One of many pieces, also right behind the handshake."""
    key = ssl.create_default_context(cafile=environment(sandbox.running)["AWS_CA_BUNDLE"])
    body = b"x" * 700_000
    for connection in (
        http.client.HTTPConnection("127.0.0.1", sandbox.running.port, timeout=PATIENCE_S),
        http.client.HTTPSConnection("127.0.0.1", sandbox.running.port, context=key, timeout=PATIENCE_S),
    ):
        connection.request("POST", "/client/register", body=body)
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"not JSON" in answer.read()
        connection.close()


@pytest.mark.parametrize("rest", [b"", b"\x03\x01", b"\x16" * 400, b"\x03\x01\x00\x05hello" * 9])
def test_a_broken_handshake_ends_that_connection_alone(sandbox, rest):
    before = sandbox.folder.log.stat().st_size  # tests before this one may have left errors there
    with socket.create_connection(("127.0.0.1", sandbox.running.port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"\x16" + rest)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert health(sandbox, trusting(sandbox))["status"] == "ok"
    assert b"Traceback" not in sandbox.folder.log.read_bytes()[before:]


def test_many_shake_hands_at_once(sandbox):
    context, answers = trusting(sandbox), []
    threads = [
        threading.Thread(target=lambda: answers.append(health(sandbox, context)["status"])) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert answers == ["ok"] * 12


def test_the_certificate_is_for_loopback_alone_and_its_authoritys_key_is_nowhere(tmp_path):
    path = ensure_certificates(tmp_path)
    authority = x509.load_pem_x509_certificate(path.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = [str(one.value) for one in constraints.value.permitted_subtrees]
    assert permitted == ["localhost", "127.0.0.1/32", "::1/128"]
    files = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert files == {"ca.pem": 0o600, "server.pem": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    key = x509.load_pem_x509_certificate((path.parent / "server.pem").read_bytes()).public_key()
    assert authority.public_key() != key
    assert b"PRIVATE" not in path.read_bytes()
    assert (path.parent / "server.pem").read_bytes().count(b"PRIVATE KEY-----") == 2  # the server's alone
    before = path.read_bytes()
    assert ensure_certificates(tmp_path).read_bytes() == before


def test_two_who_make_it_at_once_agree(tmp_path):
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(ensure_certificates(tmp_path).read_bytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(set(found)) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["tls"]


def test_it_stays_when_the_state_is_reset(fresh_sandbox):
    before = ensure_certificates(fresh_sandbox.folder.path).read_bytes()
    fresh_sandbox.stop()
    fresh_sandbox.folder.delete_files()
    assert fresh_sandbox.folder.is_sandbox()
    fresh_sandbox.start()
    assert ensure_certificates(fresh_sandbox.folder.path).read_bytes() == before
    assert health(fresh_sandbox, trusting(fresh_sandbox))["status"] == "ok"


BEARER = """
import boto3
runtime = boto3.client("account-access-runtime")
try:
    runtime.list_roles(tenantId="aa-gyxmap389")
except runtime.exceptions.UnauthorizedException as error:
    print(error.response["ResponseMetadata"]["HTTPStatusCode"], error)
"""


def test_boto3_sends_a_bearer_token_there_with_the_environment_as_it_is(sandbox):
    given = environment(sandbox.running)
    kept = {name: value for name, value in os.environ.items() if name not in variables_to_unset(given)}
    variables = kept | given | {"AWS_BEARER_TOKEN_ACCOUNT_ACCESS": "a token that nobody gave"}
    done = subprocess.run(
        [sys.executable, "-c", BEARER],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.startswith("401 "), done.stderr
    assert "The bearer token is missing, invalid, or expired" in done.stdout
