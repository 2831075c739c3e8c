import hashlib
import hmac
import http.server
import json
import os
import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from idc_aws.sandbox import default_state_folder, find_sandbox

SECRET = "a health key"


class Health(http.server.BaseHTTPRequestHandler):
    """Answers a challenge as the sandbox does, with the server's secret."""

    def do_GET(self):
        challenge = parse_qs(urlsplit(self.path).query)["challenge"][0]
        said = f"{self.server.server_port} {challenge}".encode()
        proof = hmac.new(self.server.secret.encode(), said, hashlib.sha256).hexdigest()
        body = json.dumps({"service": "idc-sandbox", "proof": proof}).encode() if self.server.secret else b"?"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.asked.append(self.headers)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        server.secret, server.asked = SECRET, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path, server):
    about = {"port": server.server_port, "pid": os.getpid(), "region": "us-east-1"}
    write(tmp_path, "server", {**about, "account_id": "111122223333", "started": "now", "state_id": "one"})
    keys = {"control_secret": "the control secret", "health_key": SECRET}
    write(tmp_path, "secrets", {**keys, "access_key_id": "AKIA", "secret_access_key": "hush"})
    return tmp_path


def write(folder, name, values):
    (folder / f"{name}.json").write_text(json.dumps(values), "utf-8")


def change(folder, name, **values):
    write(folder, name, {**json.loads((folder / f"{name}.json").read_text("utf-8")), **values})


def test_it_is_found_by_what_its_folder_says_and_what_it_proves(folder, server):
    address = find_sandbox(folder)
    assert address.endpoint_url == f"http://127.0.0.1:{server.server_port}"
    assert (address.state_folder, address.secret_access_key) == (str(folder), "hush")
    assert "hush" not in repr(address)
    assert SECRET not in str(server.asked)
    assert "the control secret" not in str(server.asked)


def test_a_proof_of_another_port_is_not_taken(folder, server):
    """A program on the stale port passes the question on to the sandbox, which is on another one now."""
    server.server_port += 1
    assert find_sandbox(folder) is None


def test_a_folder_without_the_key_of_proofs_is_not_believed(folder):
    change(folder, "secrets", health_key="")
    assert find_sandbox(folder) is None


def test_the_standing_one_is_found_by_its_variable(folder, monkeypatch):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(folder))
    assert find_sandbox().pid == os.getpid()


def test_without_the_variable_it_is_where_the_platform_keeps_state(monkeypatch):
    monkeypatch.delenv("IDC_SANDBOX_STATE", raising=False)
    assert default_state_folder().name == "idc-sandbox"


@pytest.mark.parametrize("secret", ["another secret", ""])
def test_what_does_not_prove_that_it_knows_the_secret_is_not_it(folder, server, secret):
    server.secret = secret
    assert find_sandbox(folder) is None


def test_a_stale_address_is_not_it(folder, server):
    change(folder, "server", pid=2**22 + 1)
    assert find_sandbox(folder) is None
    assert server.asked == []


def test_a_port_where_nothing_listens_is_not_it(folder):
    change(folder, "server", port=1)
    assert find_sandbox(folder) is None


@pytest.mark.parametrize("text", ["", "[]", "{"])
@pytest.mark.parametrize("name", ["server.json", "secrets.json"])
def test_a_damaged_file_is_left_to_the_sandbox_to_explain(folder, name, text):
    (folder / name).write_text(text, "utf-8")
    assert find_sandbox(folder) is None


def test_somebody_elses_folder_is_not_believed(folder, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert find_sandbox(folder) is None


def test_no_folder_is_no_sandbox(tmp_path):
    assert find_sandbox(tmp_path / "none") is None
