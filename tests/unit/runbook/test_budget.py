"""The calls that are made stay within what was computed before, for companies of all sizes."""

import dataclasses
import uuid

import pytest
from companies import Company

from idc_aws.budget import Budget, Sizes, known_sizes, reading_budget, writing_budget
from idc_aws.calls import Timing
from idc_aws.changes import Action, Change, Plan
from idc_aws.scenario.reading import validate_scenario
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown

COMPANIES = {
    "small": Company(),
    "few people": Company(accounts=20, permission_sets=3, groups=3, users=50, assignments=60),
    "many groups": Company(accounts=15, permission_sets=12, groups=120, users=150, groups_of_a_user=1),
    "one account each": Company(accounts=60, permission_sets=40, groups=80, users=400, assignments=80),
    "large": Company(accounts=60, permission_sets=40, groups=80, users=2000, assignments=1500),
    "large and others": Company(accounts=40, permission_sets=10, groups=30, users=500, assignments=300),
    "few of many": Company(accounts=10, permission_sets=2, groups=2, users=12, assignments=9),
}
OTHERS = {"large and others": (700, 90), "few of many": (5000, 400)}
STEPS = ("permission_sets", "groups", "users", "account_assignments")


def write(context, step, plan):
    """Apply without receipts, which cost more time than the calls."""
    for kind, resource in step.resources(context.connection).items():
        changes = [change for change in plan.writes if change.kind == kind]
        list(resource.write_all(changes, lambda _change: None)) if changes else None


def within(made, budget, factor=1.05):
    """Return whether so many calls were made as computed: not 5 % more, and not far fewer."""
    return 0.9 * budget.total - 2 <= sum(made.values()) <= budget.total * factor


def quick(company):
    """Return a connection to an AWS in memory on which nobody waits."""
    return dataclasses.replace(company.connection(), timing=Timing(sleep=lambda _duration_s: None))


@pytest.mark.parametrize("name", COMPANIES)
def test_the_calls_stay_within_the_budget(name, tmp_path):
    company = COMPANIES[name]
    connection = quick(company)
    clients = connection.clients
    users, groups = OTHERS.get(name, (0, 0))
    for number in range(users):
        clients.do_create_user(UserName=f"other{number}")
    for number in range(groups):
        clients.do_create_group(DisplayName=f"Other {number}")
    context = RunContext(connection, company.validated(), "apply", "lesson", tmp_path)
    connection.instance_or_none()

    def counted(act):
        clients.calls.clear()
        return act(), dict(clients.calls)

    for name_of_step in STEPS:
        step = Step(context, name_of_step)
        plan, made = counted(step.plan)
        there = Sizes(
            len(clients.users), len(clients.groups), len(clients.permission_sets), len(clients.account_ids)
        )
        unknown = 1.5 if name == "few of many" else 1.05  # not to know the size costs that much, once
        assert within(made, reading_budget(plan.changes, there), unknown), (name_of_step, made)
        _, made = counted(lambda step=step, plan=plan: write(context, step, plan))
        assert within(made, writing_budget(plan.changes, there)), (name_of_step, made)
        results, made = counted(step.check)
        assert results.passed
        budget = reading_budget(plan.changes, there, applied=True)
        assert within(made, budget), (name_of_step, made, budget)
        again, made = counted(step.plan)
        assert again.is_empty
        budget = reading_budget(again.changes, known_sizes(connection))
        assert within(made, budget), (name_of_step, made, budget)


@pytest.mark.parametrize("name", ["small", "many groups"])
def test_the_calls_of_updates_stay_within_the_budget(name, tmp_path):
    company = COMPANIES[name]
    connection = quick(company)
    context = RunContext(connection, company.validated(), "apply", "lesson", tmp_path)
    for name_of_step in STEPS[:3]:
        step = Step(context, name_of_step)
        write(context, step, step.plan())
    for part, field in (("permission_sets", "description"), ("groups", "description"), ("users", "title")):
        named = company.scenario[part]
        changed = {**company.scenario, part: [{**one, field: "another one"} for one in named]}
        step = Step(dataclasses.replace(context, scenario=validate_scenario(changed)), part)
        plan = step.plan()
        assert plan.counts()["update"] == len(named)
        connection.clients.calls.clear()
        write(context, step, plan)
        budget = writing_budget(plan.changes, known_sizes(connection))
        assert within(connection.clients.calls, budget), (part, connection.clients.calls, budget)
        assert step.plan().is_empty


def test_the_plan_of_an_undo_reads_assignments_once(tmp_path):
    company = Company(users=60, permission_sets=10, assignments=200)
    connection = quick(company)
    context = RunContext(connection, company.validated(), "apply", "lesson", tmp_path)
    for name_of_step in STEPS:
        Step(context, name_of_step).apply()
    connection.clients.calls.clear()
    plan = Teardown(context).plan()
    assert len(plan.plan.writes) == 10 + 8 + 60 * 3 + 200
    # What is assigned by the permission sets tells what users and groups have, too.
    calls = connection.clients.calls
    assert calls["sso-admin:ListAccountAssignments"] == len(connection.clients.assignments)
    assert calls["sso-admin:ListAccountAssignmentsForPrincipal"] <= company.groups


def change(action, kind, key, **state):
    before, after = (None, state) if action is Action.CREATE else (state, None)
    return Change(action, kind, key, before, after, "", uuid.uuid4().hex)


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ({}, "0 calls, less than a second at AWS's 20 a second"),
        ({"sso-admin:ListPermissionSets": 1}, "1 call, less than a second at AWS's 20 a second"),
        ({"sso-admin:A": 200, "sso-admin:B": 112}, "312 calls, about 16 s at AWS's 20 a second"),
        # The identity store counts each operation for itself.
        ({"identitystore:A": 200, "identitystore:B": 112}, "312 calls, about 10 s at AWS's 20 a second"),
        ({"organizations:A": 2000, "identitystore:B": 40}, "2,040 calls, about 2 s at AWS's 20 a second"),
        ({"sso-admin:A": 6000}, "6,000 calls, about 5 min at AWS's 20 a second"),
    ],
)
def test_a_budget_in_words(calls, words):
    assert str(Budget(calls)) == words


def test_the_calls_of_an_undo():
    plan = Plan(
        (
            change(Action.DELETE, "account_assignment", "GROUP A · B · 111122223333"),
            *(change(Action.DELETE, "group_membership", f"u{one} in A") for one in range(3)),
            change(Action.DELETE, "user", "u1"),
            change(Action.DELETE, "permission_set", "B"),
            change(Action.UNCHANGED, "user", "u2"),
        )
    )
    assert dict(writing_budget(plan.changes).calls) == {
        "sso-admin:DeleteAccountAssignment": 1,
        "sso-admin:ListAccountAssignmentDeletionStatus": 1,
        "identitystore:DeleteGroupMembership": 3,
        "identitystore:ListGroupMembershipsForMember": 1,
        "sso-admin:ListAccountAssignmentsForPrincipal": 1,
        "identitystore:DeleteUser": 1,
        "sso-admin:ListAccountsForProvisionedPermissionSet": 1,
        "sso-admin:DeletePermissionSet": 1,
    }
