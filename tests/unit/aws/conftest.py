import dataclasses
from types import SimpleNamespace

import botocore.session
import pytest
from stub_transport import MEMBER_ID, FakeClock, StubTransport

from idc_aws.calls import Timing
from idc_aws.connection import Caller, connect

_AWS_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")


def _without_the_users_aws(patch, folder):
    for name in _AWS_VARIABLES:
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(folder))
    patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "example")


@pytest.fixture(scope="session", autouse=True)
def models_are_parsed_once():
    """Keep botocore's parsed models: a connection of each test's own would parse them anew."""
    loader = botocore.session.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda *_arguments: loader)
        yield


@pytest.fixture(autouse=True)
def no_aws_of_the_user(monkeypatch, tmp_path):
    _without_the_users_aws(monkeypatch, tmp_path)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def transport(monkeypatch, clock):
    """AWS, as a stub, for all clients of the test; botocore's pauses between retries pass on the clock."""
    stub = StubTransport()
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", lambda _self, request: stub.send(request))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=clock.sleep, time=clock))
    monkeypatch.setattr("idc_aws.connection.AWS_RATE_PER_S", None)
    return stub


@pytest.fixture(scope="session")
def connected_once(models_are_parsed_once, tmp_path_factory):
    """A connection whose clients all tests share: they hold nothing of a test."""
    stub = StubTransport()
    with pytest.MonkeyPatch.context() as patch:
        _without_the_users_aws(patch, tmp_path_factory.mktemp("home"))
        patch.setattr("botocore.httpsession.URLLib3Session.send", lambda _self, request: stub.send(request))
        patch.setattr("idc_aws.connection.AWS_RATE_PER_S", None)
        return connect(target="aws")


@pytest.fixture
def connection(connected_once, transport, clock):
    """A connection to the stub, as the management account."""
    return dataclasses.replace(
        connected_once, timing=Timing(clock, clock.sleep, lambda: 1.0), cache={}, _instance=None
    )


@pytest.fixture
def member_connection(connection):
    """A connection to the stub, as a member account."""
    return dataclasses.replace(
        connection, caller=Caller(MEMBER_ID, f"arn:aws:iam::{MEMBER_ID}:user/ben", "AIDA1"), cache={}
    )
