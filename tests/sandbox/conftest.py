"""What the sandbox's tests stand on: a gateway in this process, and sandboxes that are processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from forked_engines import ForkedEngine
from front_door_harness import FrontDoor, MachineTime
from operation_calls import note, promised_by, recorded_calls
from page_visitor import Place, Visitor
from portal_harness import Portal
from sandbox_clients import GatewayClient, SandboxProcess

from idc_sandbox.sign_in import passwords


@pytest.fixture(autouse=True)
def no_aws_of_the_user(monkeypatch, tmp_path):
    """Keep the tests away from the user's own AWS configuration."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "IDC_SANDBOX_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no_config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no_credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def docs_name_this_test_rightly(request):
    """Fail a test that no longer calls an operation for which docs/operations.md names it."""
    promised, record = promised_by(request.node.nodeid), os.environ.get("IDC_RECORD_OPERATIONS")
    if not (promised or record):
        yield
        return
    with pytest.MonkeyPatch.context() as patch, recorded_calls(patch) as calls:
        yield
    if record:
        note(record, request.node.nodeid, calls)
    else:
        left = sorted(promised - calls)
        assert not left, (
            f"docs/operations.md says that this test calls {left}, and it does not: "
            "make the page anew with tools/operations_page.py"
        )


@pytest.fixture(scope="session", autouse=True)
def engines_are_forks():
    """Have forks run the queries of a gateway in this process; a sandbox of its own starts Pythons."""
    with pytest.MonkeyPatch.context() as patch:
        if hasattr(os, "pidfd_open"):
            patch.setattr("idc_sandbox.athena.queue.Engine", ForkedEngine)
        yield


@pytest.fixture
def gateway_client(tmp_path) -> Iterator[GatewayClient]:
    """Return clients of a fresh gateway in this process; for rules of the API."""
    client = GatewayClient(tmp_path)
    yield client
    client.store.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory) -> Iterator[SandboxProcess]:
    """Return one process that all tests share: a test leaves switches and clock as it found them."""
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "state")
    yield process
    process.stop()


@pytest.fixture
def fresh_sandbox(tmp_path) -> Iterator[SandboxProcess]:
    """Return a process of the test's own, which it may stop, kill and start again."""
    process = SandboxProcess(tmp_path / "state")
    yield process
    process.stop()


@pytest.fixture(autouse=True, scope="session")
def passwords_take_less_work() -> Iterator[PasswordHasher]:
    """Hash the passwords of this process with less work; return what hashes them for people."""
    for_people = passwords._HASHER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield for_people
    passwords._dummy_hash.cache_clear()


@pytest.fixture
def door(tmp_path, monkeypatch) -> Iterator[FrontDoor]:
    """Return the front door of a fresh instance, without moto; for rules of signing in.

    The sandbox's clock stands still until a test moves it.
    """
    monkeypatch.setattr("idc_sandbox.store.time", MachineTime())
    door = FrontDoor(tmp_path)
    yield door
    door.store.close()


@pytest.fixture
def machine_time(monkeypatch) -> MachineTime:
    """Return the time by which authenticator apps go; it stands still until a test moves it."""
    time = MachineTime()
    monkeypatch.setattr("idc_sandbox.sign_in.devices.time", time)
    return time


@pytest.fixture
def portal(tmp_path, monkeypatch) -> Iterator[Portal]:
    """Return a whole sandbox in this process with a user; its clock stands still until a test moves it."""
    real = MachineTime()
    real.now = time.time()  # signatures go by the machine's time
    monkeypatch.setattr("idc_sandbox.store.time", real)
    portal = Portal(tmp_path)
    yield portal
    portal.clients.store.close()


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    """Return the whole application in this process, with a user who has not signed in yet."""
    made = Place(tmp_path)
    yield made
    made.clients.store.close()


@pytest.fixture
def ana(place: Place) -> Visitor:
    """Return the user's browser, signed in; no MFA device is asked for."""
    place.set_mfa(user_without_device="allow")
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in()
    assert visitor.heading == "Access portal"
    return visitor
