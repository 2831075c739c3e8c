"""Accounts that are closed: told, skipped, and no obstacle to the others."""

from __future__ import annotations

import dataclasses
import time

import pytest

from idc_aws.access import find_permission_set, list_all_account_assignments, list_provisioned_accounts
from idc_aws.connection import connect
from idc_aws.scenario.people import Person
from idc_aws.scenario.reading import validate_scenario
from idc_aws.signin.profiles import choose_profile
from idc_helpers.notebook.inventory import organization_tree
from idc_helpers.notebook.tables import outcome_table, plan_table
from idc_helpers.runbook.progress import StepState, read_states
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown

AWS_WORDS = "Obtaining permissions to manage your AWS account '{}' is taking longer than usual."
STEPS = ("instance", "permission_sets", "groups", "users", "account_assignments")


def scenario(accounts, **permission_set):
    return validate_scenario(
        {
            "permission_sets": [{"name": "Closed", "managed_policies": ["ReadOnlyAccess"], **permission_set}],
            "groups": [{"display_name": "Closers"}],
            "users": [
                {
                    "user_name": "ana",
                    "given_name": "Ana",
                    "family_name": "Silva",
                    "email": "ana@example.com",
                    "groups": ["Closers"],
                }
            ],
            "account_assignments": [{"permission_set": "Closed", "group": "Closers", "accounts": accounts}],
        }
    )


@pytest.fixture
def context(start_in, tmp_path):
    connection = connect(state_folder=start_in("closed"))
    return RunContext(
        connection, scenario(["Development", "Production"]), "apply", "lesson", tmp_path / "run"
    )


def close(context, name):
    organizations = context.connection.client("organizations")
    accounts = {account["Name"]: account["Id"] for account in organizations.list_accounts()["Accounts"]}
    organizations.close_account(AccountId=accounts[name])
    context.connection.cache.clear()
    return accounts[name]


def apply(context, *names):
    return [Step(context, name).apply() for name in names or STEPS]


def test_a_closed_account_is_skipped_and_the_others_go_through(context):
    closed = close(context, "Production")
    apply(context, *STEPS[:-1])
    step = Step(context, "account_assignments")
    plan = step.plan()
    assert plan.counts() == {"create": 1, "update": 0, "delete": 0, "unchanged": 0, "skipped": 1}
    shown = repr(plan_table("Account assignments", plan))
    assert "1 to create, 1 skipped" in shown
    assert "account 'Production' is SUSPENDED: AWS gives no access to it" in shown
    outcome = step.apply(plan)
    assert "1 created, 1 skipped" in repr(outcome_table("Account assignments", outcome))
    results = step.check()
    assert results.passed
    assert [check.detail.partition(":")[0] for check in results][1] == "skipped"
    again = Step(context, "account_assignments").plan()
    assert (again.is_empty, len(again.skipped)) == (True, 1)
    reading = next(one for one in read_states(context) if one.entry.name == "account_assignments")
    assert (reading.state, reading.detail) == (StepState.DONE, "1 as wanted, 1 skipped")
    assert {row.account_name for row in list_all_account_assignments(context.connection)} == {"Development"}
    assert f"Production · {closed} (suspended)" in repr(
        organization_tree(context.connection, assignments=True)
    )
    planned = dataclasses.replace(context, mode="plan", scenario=scenario(["Production", "Log archive"]))
    assert "1 to create, 1 skipped" in Step(planned, "account_assignments").check().checks[0].detail
    teardown = Teardown(context)
    teardown.apply()
    assert teardown.check().passed


def test_the_sandbox_takes_the_call_and_lets_it_fail_in_the_words_of_aws(context):
    apply(context, *STEPS[:-1])
    closed = close(context, "Production")
    sso_admin, instance = context.connection.client("sso-admin"), context.connection.instance
    group = context.connection.client("identitystore").list_groups(IdentityStoreId=instance.identity_store_id)
    arn = find_permission_set(context.connection, "Closed")
    where = {"InstanceArn": instance.instance_arn, "PermissionSetArn": arn}
    begun = sso_admin.create_account_assignment(
        TargetId=closed,
        TargetType="AWS_ACCOUNT",
        PrincipalType="GROUP",
        PrincipalId=group["Groups"][0]["GroupId"],
        **where,
    )["AccountAssignmentCreationStatus"]
    assert begun["Status"] == "IN_PROGRESS"
    deadline = time.monotonic() + 60
    while begun["Status"] == "IN_PROGRESS" and time.monotonic() < deadline:
        time.sleep(0.05)
        begun = sso_admin.describe_account_assignment_creation_status(
            InstanceArn=instance.instance_arn, AccountAssignmentCreationRequestId=begun["RequestId"]
        )["AccountAssignmentCreationStatus"]
    assert begun["Status"] == "FAILED"
    assert AWS_WORDS.format(closed) in begun["FailureReason"]


def test_an_account_that_is_closed_later_holds_nothing_up(context):
    apply(context)
    closed = close(context, "Development")
    changed = dataclasses.replace(
        context, scenario=scenario(["Development", "Production"], session_duration="PT2H")
    )
    step = Step(changed, "permission_sets")
    assert step.apply().counts()["update"] == 1
    assert step.check().passed
    arn = find_permission_set(context.connection, "Closed")
    outdated = list_provisioned_accounts(context.connection, arn, "LATEST_PERMISSION_SET_NOT_PROVISIONED")
    assert outdated == [closed]
    assert Step(changed, "account_assignments").plan().counts()["unchanged"] == 2
    assert choose_profile(context.connection, Person(user_name="ana")).account_id != closed
    teardown = Teardown(context)
    teardown.apply()
    assert teardown.check().passed
    assert context.connection.instance_or_none() is None
