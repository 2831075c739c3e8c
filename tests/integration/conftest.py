"""The AWS side of the kit against a real sandbox: one process for all, so each test uses its own names."""

from __future__ import annotations

import botocore.session
import forked_sandboxes
import pytest

from idc_aws.connection import connect
from idc_sandbox import launcher
from idc_sandbox.state_folder import StateFolder


@pytest.fixture(scope="session", autouse=True)
def no_aws_of_the_user(tmp_path_factory):
    """Keep the tests away from the user's own AWS configuration and standing sandbox."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "IDC_SANDBOX_STATE"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(folder))
        yield


@pytest.fixture(scope="session")
def start_in(tmp_path_factory, no_aws_of_the_user):
    """Start sandboxes, each with state of its own, and stop them all at the end.

    What AWS does after its answer they do at once: waiting for it has tests of its own.
    """
    folders = []

    def start(name):
        folder = tmp_path_factory.mktemp(name) / "state"
        folders.append(folder)
        forked_sandboxes.start(StateFolder(folder))
        connect(state_folder=folder).console.call("PUT", "switches", {"asynchronous_duration_s": 0})
        return folder

    yield start
    for folder in folders:
        launcher.stop(StateFolder(folder))


@pytest.fixture(scope="module")
def models_are_parsed_once():
    """Keep botocore's parsed models: each command would parse them anew."""
    loader = botocore.session.create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda *_arguments: loader)
        yield


@pytest.fixture(scope="session")
def sandbox_folder(start_in):
    folder = start_in("shared")
    connect(state_folder=folder).console.enable_organization_instance(region="us-east-1")
    return folder


@pytest.fixture(scope="session")
def connection(sandbox_folder):
    """A connection to a sandbox that has the organization's instance."""
    return connect(state_folder=sandbox_folder)


@pytest.fixture(scope="session")
def empty_folder(start_in):
    return start_in("empty")


@pytest.fixture
def empty_connection(empty_folder):
    """A connection to a sandbox without any instance; a test that makes one deletes it."""
    connection = connect(state_folder=empty_folder)
    assert connection.instance_or_none() is None
    return connection
