"""What goes wrong under way: refusals that pass, a sandbox that dies, permissions that are missing."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import threading
from contextlib import suppress

import pytest
from resource_cycle import apply, delete, plan

from idc_aws.clients import Pacing, sandbox_clients
from idc_aws.connection import connect
from idc_aws.errors import InstanceNotFoundError, SandboxError, ThrottledError
from idc_aws.failures import Failures
from idc_aws.groups import Groups
from idc_aws.permissions import required_actions
from idc_aws.sandbox import start_sandbox
from idc_aws.scenario.scenario import Scenario
from idc_aws.settings import KEY
from idc_helpers.runbook.lesson import LESSON, target_steps
from idc_helpers.runbook.run import open_run

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
SERVICES = {"sso-admin": "sso"}


def set_switches(connection, **values):
    console = connection.console
    answer = console._pool.request(
        "PUT",
        f"{connection.endpoint_url}/_sandbox/switches",
        body=json.dumps(values).encode(),
        headers={"x-sandbox-secret": console._control_secret},
    )
    assert answer.status == 200, answer.data


@pytest.fixture
def faults(connection):
    yield lambda *faults: set_switches(connection, faults=list(faults))
    set_switches(connection, faults=[])


def test_throttling_of_every_fourth_call_is_not_noticed(connection, faults):
    faults({"service": "identitystore", "operation": "*", "code": "ThrottlingException", "every": 4})
    groups = Groups(connection)
    delete(groups, apply(groups, {f"Throttled{number}": {} for number in range(2)}))


def test_throttling_of_every_call_is_told(connection, faults):
    faults({"service": "identitystore", "operation": "ListGroups", "code": "ThrottlingException", "every": 1})
    with pytest.raises(ThrottledError, match="ListGroups"):
        Groups(connection).read(["Anything"])


def test_a_write_that_has_not_spread_yet_is_repeated(connection, faults):
    fault = {
        "service": "identitystore",
        "operation": "CreateGroup",
        "code": "ConflictException",
        "message": "An earlier write has not spread yet.",
        "next": 2,
    }
    faults(fault)
    groups = Groups(connection)
    delete(groups, apply(groups, {"Spreading": {}}))


def test_a_sandbox_that_dies_is_told_and_running_again_finishes(start_in):
    folder = start_in("dying")
    connection = connect(state_folder=folder)
    connection.console.enable_organization_instance(region="us-east-1")
    groups, wanted = Groups(connection), {f"Dying{number}": {} for number in range(40)}
    changes = plan(groups, wanted).writes
    done = []
    with pytest.raises(SandboxError, match="stopped answering"):  # noqa: PT012 - it dies half-way
        for change, _ in groups.write_all(changes, lambda _change: None):
            done.append(change.key)
            if len(done) == 2:
                os.kill(start_sandbox(folder).pid, signal.SIGKILL)
    assert 2 <= len(done) < 40
    again = Groups(connect(state_folder=folder))
    there = set(again.read(wanted))
    assert there >= set(done)
    assert set(apply(again, wanted)) == set(wanted) - there


def scenario():
    return Scenario.model_validate(
        {
            "instance": {"kind": "organization", "name": "practice", "tags": {"a": "1"}},
            "access_control_attributes": {"attributes": {"CostCenter": "${path:enterprise.costCenter}"}},
            "access_portal": {"subdomain": "troubles-portal"},
            "management": {"delegated_administrator": "Security tooling"},
            "permission_sets": [{"predefined": "ReadOnlyAccess", "inline_policy": POLICY}],
            "groups": [{"display_name": "Auditors"}],
            "account_assignments": [
                {"permission_set": "ReadOnlyAccess", "group": "Auditors", "accounts": ["Development"]}
            ],
            "users": [
                {"user_name": "ana", "given_name": "Ana", "family_name": "Lima", "groups": ["Auditors"]}
            ],
        }
    )


def called(connection, calls):
    for service_name in ("sts", "organizations", "sso-admin", "identitystore"):
        prefix = SERVICES.get(service_name, service_name)
        events = connection.client(service_name).meta.events
        events.register(
            "before-call",
            lambda model, prefix=prefix, **_event: calls.add(f"{prefix}:{model.name}"),
        )


def test_no_notebook_calls_what_its_permissions_do_not_name(empty_connection):
    calls = set()
    called(empty_connection, calls)
    identifiers = []
    for definition in map(LESSON.get, target_steps()):
        calls.clear()
        # Each notebook has a connection of its own, which knows nothing yet.
        connection = dataclasses.replace(empty_connection, cache={}, _instance=None)
        for want in definition.wants:
            wanted = want.desired(connection, scenario())
            resource = wanted.resource
            for key, identifier in apply(resource, wanted.states).items():
                identifiers.append((resource, key, identifier))
        unnamed = calls - set(required_actions(definition.notebook))
        assert not unnamed, definition.notebook
        assert calls
    calls.clear()
    for resource, key, identifier in reversed(identifiers):
        resource._connection.refresh_instance()
        if resource.kind not in ("console_setting",):
            delete(resource, {key: identifier})
    assert not calls - set(required_actions("99_teardown"))
    assert "sso:DeleteAccountAssignment" in calls
    assert KEY in {key for _, key, _ in identifiers}


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_a_notebook_in_another_region_than_the_instance_does_not_open(
    connection, sandbox_folder, monkeypatch, tmp_path, mode
):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(sandbox_folder))
    with pytest.raises(InstanceNotFoundError, match="There is one in us-east-1"):
        open_run("05_permission_sets", region="eu-west-1", mode=mode, run_folder=str(tmp_path))
    assert open_run("05_permission_sets", region="us-east-1", mode=mode, run_folder=str(tmp_path))


@pytest.fixture
def clients_of():
    """Return a function that returns clients of a server, which answers each request with some bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def answering(sent):
            def answer():
                with suppress(OSError):
                    while True:
                        connection, _ = server.accept()
                        with connection:
                            connection.recv(100_000)
                            connection.sendall(sent)

            threading.Thread(target=answer, daemon=True).start()
            return sandbox_clients(
                endpoint_url=url,
                region="us-east-1",
                failures=Failures("sandbox", "us-east-1", endpoint_url=url),
                pacing=Pacing(None),
                access_key_id="AKIATEST",
                secret_access_key="none",
            )

        yield answering


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n",
        b'HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{"GroupId": ',
        b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{"GroupId": ',
    ],
)
def test_an_answer_that_breaks_off_is_no_answer_wherever_it_does(clients_of, sent):
    directory = clients_of(sent).client("identitystore")
    with pytest.raises(SandboxError, match="stopped answering"):
        directory.create_group(IdentityStoreId="d-1234567890", DisplayName="A")


def test_an_answer_that_has_no_body_is_whole(clients_of):
    storage = clients_of(b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n").client("s3")
    assert storage.head_object(Bucket="practice", Key="a")["ContentLength"] == 60
