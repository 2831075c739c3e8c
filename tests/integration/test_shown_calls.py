"""What a review shows is what applying sends: every step of the lesson, its changes, and the way back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from patience import PATIENCE_S

from idc_aws.calls import CONSOLE, watched_writes
from idc_aws.connection import connect
from idc_aws.project import DEFAULT_SCENARIO, project_folder
from idc_aws.rehearsal import Target, as_python
from idc_aws.scenario.reading import load_scenario, scenario_parameters, validate_scenario
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown

READS = ("List", "Describe", "Get", "IsMember")
SERVICES = ("sso-admin", "identitystore", "organizations")


@pytest.fixture(scope="module")
def shown_folder(start_in):
    return start_in("shown")


@pytest.fixture
def context(shown_folder, tmp_path):
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    # One write after another: at the same time they have no order that could be compared.
    connection = replace(connect(state_folder=shown_folder), writers=1)
    return RunContext(connection, scenario, "apply", "lesson", tmp_path / "run")


@pytest.fixture
def sent(context):
    """Every write that botocore is about to send, as botocore itself was given it."""
    calls = []

    def keep(params, model, **_event):
        if not model.name.startswith(READS):
            calls.append((model.service_model.service_name, model.name, dict(params)))

    for service_name in SERVICES:
        context.connection.client(service_name).meta.events.register_first("provide-client-params", keep)
    return calls


def shown_as_sent(planned, sent, console):
    """Whether what was shown is what was sent; a placeholder stands for anything, but always for the same."""
    real = {}

    def same(shown, found):
        if isinstance(shown, dict) and isinstance(found, dict):
            return shown.keys() == found.keys() and all(same(shown[key], found[key]) for key in shown)
        if isinstance(shown, list) and isinstance(found, list):
            return len(shown) == len(found) and all(map(same, shown, found))
        if isinstance(shown, str) and shown.startswith("‹"):
            return real.setdefault(shown, found) == found
        return shown == found

    assert planned.stopped_by == ""
    calls = planned.calls
    api = [call for call in calls if call.service_name != CONSOLE]
    assert [(call.service_name, call.operation_name) for call in api] == [call[:2] for call in sent]
    for call, (_, _, request) in zip(api, sent, strict=True):
        given = {name: value for name, value in call.request.items() if value is not None}
        assert same(given, request), (call, request)
    by_hand = [(call.operation_name, call.request) for call in calls if call.service_name == CONSOLE]
    assert by_hand == [(call.operation_name, call.request) for call in console]
    return len(calls)


def watched(console, work):
    with watched_writes(lambda call: console.append(call) if call.service_name == CONSOLE else None):
        return work()


def apply_as_shown(context, name, sent):
    step = Step(context, name)
    plan = step.plan()
    planned = step.calls(plan)
    assert sent == [], "a rehearsal sends nothing that writes"
    assert Step(context, name).plan() == plan, "a rehearsal changes nothing"
    console = []
    watched(console, lambda: step.apply(plan))
    count = shown_as_sent(planned, sent, console)
    sent.clear()
    return count


def changed(scenario):
    """The lesson's scenario with a change of every kind of thing that can be updated."""
    values = scenario_parameters(scenario)
    values["instance"] |= {"name": "renamed", "tags": {"Purpose": "other", "New": "yes"}}
    values["access_control_attributes"]["attributes"]["Title"] = "${path:title}"
    values["authentication"] |= {"send_email_otp": False}
    values["authentication"]["mfa"]["prompt"] = "always-on"
    values["authentication"]["sessions"]["user_interactive"] = "PT4H"
    first, second, third = values["permission_sets"]
    first |= {"session_duration": "PT3H", "tags": {"Purpose": "practice"}}
    first["managed_policies"] = ["PowerUserAccess"]
    del first["predefined"]
    second |= {"permissions_boundary": {"managed_policy": "ViewOnlyAccess"}, "description": "Look"}
    third |= {
        "customer_managed_policies": [{"name": "ReadLedger", "path": "/finance/"}],
        "managed_policies": [],
    }
    values["groups"][0]["description"] = "Others"
    values["users"][0] |= {"title": "Lead", "email": "mary@example.com"}
    values["users"][0]["enterprise"]["cost_center"] = "CC-2"
    values["users"][0]["groups"] = ["AdministratorAccess", "BillingAuditor"]
    return validate_scenario(values)


def test_the_calls_shown_are_the_calls_sent_for_every_step_its_update_and_the_teardown(context, sent):
    counts = {name: apply_as_shown(context, name, sent) for name in target_steps()}
    as_wanted_from_the_start = ["identity_source", "sessions"]
    assert [name for name, count in counts.items() if not count] == as_wanted_from_the_start
    again = {name: apply_as_shown(context, name, sent) for name in target_steps()}
    assert set(again.values()) == {0}

    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}'
    context.connection.client("iam").create_policy(
        PolicyName="ReadLedger", Path="/finance/", PolicyDocument=document
    )
    other = replace(context, scenario=changed(context.scenario))
    updates = {name: apply_as_shown(other, name, sent) for name in target_steps()}
    untouched = ["identity_source", "access_portal", "delegated_administrator", "account_assignments"]
    assert [name for name, count in updates.items() if not count] == untouched

    teardown = Teardown(context)
    undo = teardown.plan()
    planned = teardown.calls(undo)
    console = []
    watched(console, lambda: teardown.apply(undo))
    shown_as_sent(planned, sent, console)
    assert context.connection.instance_or_none() is None


def test_a_rehearsal_says_where_applying_would_stop(context):
    Step(context, "instance").apply()
    step = Step(context, "users")
    planned = step.calls(step.plan())
    assert "there is no group 'AdministratorAccess'" in planned.stopped_by
    assert [str(call) for call in planned.calls] == ["identitystore: CreateUser"] * 2
    assert step.plan().counts()["create"] == 5
    Teardown(context).apply()


@pytest.fixture
def steps_before(context):
    """The instance, its permission sets and groups: users and assignments build on them."""
    for name in ("instance", "permission_sets", "groups"):
        Step(context, name).apply()
    yield
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    assignments_have_settled(context)
    for kind in ("account_assignments", "users", "groups", "permission_sets", "instance"):
        _delete(context, kind, scenario)


def assignments_have_settled(context):
    """AWS answers before an account assignment is made: what a shown call began may still be under way."""
    sso_admin, instance = context.connection.client("sso-admin"), context.connection.instance
    for _ in range(300):
        listed = sso_admin.list_account_assignment_creation_status(
            InstanceArn=instance.instance_arn, Filter={"Status": "IN_PROGRESS"}
        )
        if not listed["AccountAssignmentsCreationStatus"]:
            return
        time.sleep(0.1)
    raise AssertionError(listed)


def _delete(context, kind, scenario):
    from idc_aws.assignments import AccountAssignments
    from idc_aws.changes import Action, Change
    from idc_aws.groups import Groups
    from idc_aws.instances import Instances
    from idc_aws.permission_sets import PermissionSets
    from idc_aws.users import Users

    connection = connect(state_folder=context.connection.console.state_folder)
    assignments = Step(context, "account_assignments").desired[0].states
    resource, keys = {
        "account_assignments": (AccountAssignments, assignments),
        "users": (Users, [user.user_name for user in scenario.users]),
        "groups": (Groups, [group.display_name for group in scenario.groups]),
        "permission_sets": (PermissionSets, [one.name for one in scenario.permission_sets]),
        "instance": (Instances, ["organization"]),
    }[kind]
    door = resource(connection)
    states = door.read(keys)
    identifiers = door.identifiers(states)
    uses = door.uses({one: key for key, one in identifiers.items()}, ())
    going = frozenset(use.name for used in uses.values() for use in used if kind == "users")
    changes = [
        Change(Action.DELETE, door.kind, key, states[key], None, "", identifier, going)
        for key, identifier in identifiers.items()
    ]
    list(door.write_all(changes, lambda _change: None))


def sandbox_variables(context):
    state = context.connection.console.state_folder
    command = [sys.executable, "-m", "idc_sandbox", "env", "--json", "--state", state]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run(command, context, text):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **sandbox_variables(context),
    }
    done = subprocess.run(
        command, input=text, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, (text, done.stdout, done.stderr)


def calls_of(context, name):
    step = Step(context, name)
    return step.calls(step.plan()).calls


def target_of(context):
    connection = context.connection
    return Target(connection.region, None, connection.endpoint_url)


@pytest.mark.usefixtures("steps_before")
def test_the_python_shown_does_what_applying_does(context):
    for name in ("users", "account_assignments"):
        calls = calls_of(context, name)
        run([sys.executable, "-"], context, as_python(calls, target_of(context)))
        assignments_have_settled(context)
        assert Step(context, name).check().passed
