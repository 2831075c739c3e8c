"""What the sandbox's tests stand on: a gateway in this process, and sandboxes that are processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_clients import GatewayClient


@pytest.fixture
def gateway_client(tmp_path) -> Iterator[GatewayClient]:
    """Return clients of a fresh gateway in this process; for rules of the API."""
    client = GatewayClient(tmp_path)
    yield client
    client.store.close()
