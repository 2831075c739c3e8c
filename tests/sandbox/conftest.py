"""What the sandbox's tests stand on: a gateway in this process, and sandboxes that are processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_clients import GatewayClient, SandboxProcess


@pytest.fixture(autouse=True)
def no_aws_of_the_user(monkeypatch, tmp_path):
    """Keep the tests away from the user's own AWS configuration."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "IDC_SANDBOX_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no_config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no_credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


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
