"""A run whose target is memory: the steps, values and gates of a notebook without AWS or a sandbox."""

import copy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from memory_resource import MemoryResource

from idc_aws import desired
from idc_aws.calls import Call, about_to_send
from idc_aws.connection import Place
from idc_aws.desired import Want
from idc_aws.errors import CancelledError, NotFoundError
from idc_aws.organization import Account
from idc_aws.project import INTERACTIVE_VARIABLE
from idc_aws.scenario.scenario import Scenario
from idc_helpers.notebook import steps as notebook_steps
from idc_helpers.notebook.forms import values
from idc_helpers.runbook import applying
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.run import RunContext


class WatchedResource(MemoryResource):
    """Tells of each write before it is made, as the calls of boto3 do; `calls_kept` keeps them unsent."""

    calls_kept = None
    before_writing = staticmethod(lambda change: None)

    def write_all(self, changes, on_start):
        for change in changes:
            name = f"{change.action.value}_{self.kind}"
            call = Call("memory", _operation(name), {"Name": change.key})
            if self.calls_kept is not None:
                self.calls_kept.append(call)

            def start(change, call=call):
                on_start(change)
                if self.calls_kept is None:
                    self.before_writing(change)
                    _tell(call)

            yield from super().write_all([change], start)


def _tell(call):
    try:
        about_to_send(call)
    except CancelledError as error:
        error.nothing_written = True
        raise


def _operation(name):
    return "".join(part.capitalize() for part in name.split("_"))


@dataclass
class MemoryConnection:
    target: str = "sandbox"
    region: str = "us-east-1"
    is_sandbox: bool = True
    state_id: str = ""
    endpoint_url: str = ""
    account_name: str = "Management"
    cache: dict = field(default_factory=dict)
    console: object = None
    resources: dict = field(default_factory=dict)

    class caller:
        account_id = "111122223333"

    instance: None = None

    def instance_or_none(self):
        return None

    def refresh_instance(self):
        return None

    def client(self, service_name, *_method, **_request):
        raise NotFoundError(f"memory has no service {service_name!r}")

    call = items = client

    def resource(self, kind):
        return self.resources.setdefault(kind, WatchedResource(kind))

    @property
    def place(self):
        return Place(self.is_sandbox, self.caller.account_id, self.region)

    def __str__(self):
        return f"{self.target} · account 111122223333 (Management) · Region {self.region}"


def rehearsal_in_memory(connection):
    calls = []
    copied = replace(connection, resources=copy.deepcopy(connection.resources))
    for resource in copied.resources.values():
        resource.calls_kept = calls
    return SimpleNamespace(connection=copied, calls=calls)


def _assignments(scenario):
    return desired.account_assignment_states(scenario, lambda named: Account(named, named))


STATES = {
    "permission_sets": ("permission_set", desired.permission_set_states),
    "groups": ("group", desired.group_states),
    "users": ("user", desired.user_states),
    "account_assignments": ("account_assignment", _assignments),
    "instance": ("instance", lambda s: {s.instance.kind: {"name": s.instance.name, "tags": {}}}),
    "multi_factor_authentication": ("console_setting", desired.multi_factor_authentication_states),
}


def in_memory(name):
    """Return what a step of the lesson wants, of memory; nothing where it is not one of these tests'."""
    if name not in STATES:
        return ()
    kind, states = STATES[name]
    return (Want(lambda connection: connection.resource(kind), states),)


@pytest.fixture(autouse=True)
def outside_of_a_notebook(monkeypatch):
    """What is shown is printed: a kernel that another test left in this process would take it."""
    monkeypatch.setattr(InteractiveShell, "initialized", lambda: False)


@pytest.fixture
def memory(monkeypatch):
    """A connection to nothing but memory, with the lesson's steps bound to it."""
    connection = MemoryConnection()
    for name, entry in LESSON.items():
        monkeypatch.setitem(LESSON, name, replace(entry, wants=in_memory(name)))
    monkeypatch.setattr(values, "TYPED", {})
    monkeypatch.setattr(notebook_steps, "TYPED", values.TYPED)
    monkeypatch.setattr(applying, "Rehearsal", rehearsal_in_memory)
    return connection


@pytest.fixture
def context(memory, tmp_path):
    """A run in mode apply that wants two permission sets and a group."""
    scenario = Scenario(
        permission_sets=[
            {"predefined": "AdministratorAccess"},
            {"name": "Auditor", "managed_policies": ["ReadOnlyAccess"]},
        ],
        groups=[{"display_name": "Auditors"}],
        users=[{"user_name": "ana", "given_name": "Ana", "family_name": "Example"}],
    )
    return RunContext(memory, scenario, "apply", "05_permission_sets", tmp_path / "run")


@pytest.fixture
def guided(monkeypatch):
    monkeypatch.setenv(INTERACTIVE_VARIABLE, "guided")


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    monkeypatch.setenv(INTERACTIVE_VARIABLE, "headless")
