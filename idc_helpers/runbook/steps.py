"""The steps that read or write the target: what each wants, its four movements, and its rehearsal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from idc_aws.assignments import AccountAssignments
from idc_aws.calls import Call
from idc_aws.changes import Action, Change, Plan, Resource, State, in_words
from idc_aws.connection import Connection
from idc_aws.errors import KitError, NotFoundError
from idc_aws.groups import GroupMemberships, Groups
from idc_aws.identifiers import did_you_mean
from idc_aws.instances import Instances
from idc_aws.organization import Account, DelegatedAdministrators, resolve_account
from idc_aws.permission_sets import PermissionSets
from idc_aws.rehearsal import Rehearsal
from idc_aws.scenario.scenario import Scenario
from idc_aws.settings import AttributesForAccessControl, ConsoleSettings
from idc_aws.users import Users
from idc_helpers.runbook import desired
from idc_helpers.runbook.applying import Applier, Outcome, Progress, no_progress
from idc_helpers.runbook.checks import Check, CheckResults, Teach, check_states
from idc_helpers.runbook.desired import Observed
from idc_helpers.runbook.planning import plan_changes, state_in_words
from idc_helpers.runbook.records import Receipt, ReceiptBook
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.teaching import teacher
from idc_helpers.runbook.undo import Teardown

# One step of the lesson in its four movements, without a screen: desired, plan, apply, check.


@dataclass(frozen=True)
class Desired:
    """What one resource of a step should hold: states by key."""

    resource: Resource
    states: Mapping[str, State]
    out_of_reach: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Step:
    """A step bound to a run; the same object serves the button and the cell."""

    context: RunContext
    name: str
    title: str
    desired: tuple[Desired, ...]
    outcome: Outcome | None = field(default=None)

    def plan(self) -> Plan:
        """Return desired against actual; reads only."""
        plan = self.compare()
        self.context.events.write("planned", step=self.name, changes=plan.counts(), by_hand=len(plan.by_hand))
        return plan

    def compare(self) -> Plan:
        """Return desired against actual without an event, for those who only look; reads only."""
        return sum((self._plan_of(wanted) for wanted in self.desired), Plan())

    def _plan_of(self, wanted: Desired) -> Plan:
        resource = wanted.resource
        plan = plan_changes(
            resource.kind, wanted.states, resource.read(wanted.states), by_hand=resource.by_hand
        )
        return Plan(tuple(self._with_attestation(_reachable(change, wanted)) for change in plan.changes))

    def _with_attestation(self, change: Change) -> Change:
        if change.action is not Action.BY_HAND or change.after is None:
            return change
        wanted = {**change.after}
        instance_arn = self.context.origin(self.name).instance_arn
        attestation = self.context.attestations.find(change.key, wanted, instance_arn)
        if attestation is None:
            return change
        reason = f"attested by {attestation.by} on {attestation.on}: {attestation.seen}"
        return Change(Action.UNCHANGED, change.kind, change.key, wanted, wanted, reason)

    def later(self) -> str:
        """Return why none of it can be made yet; empty where it can; reads only."""
        if self.name == "instance" or self.context.connection.instance_or_none() is not None:
            return ""
        return "Later: there is no instance yet. Notebook 01 enables it; this step comes after it."

    def apply(self, plan: Plan | None = None, *, progress: Progress = no_progress) -> Outcome:
        """Make the plan true (a fresh one, unless the caller has shown one) and return what was done.

        Writes to the target, with a receipt for each write. What only a person can do is left to the person.
        """
        plan = plan if plan is not None else self.plan()
        if plan.writes:
            self.context.require_apply()
        events = self.context.events
        events.write("applying", step=self.name, total=len(plan.writes))
        resources = {wanted.resource.kind: wanted.resource for wanted in self.desired}
        applier = Applier(resources, self.context.receipts, self.context.origin(self.name))
        try:
            self.outcome = applier.apply(plan, progress=progress)
        except KitError as error:
            events.write("failed", step=self.name, error=str(error))
            raise
        place = str(self.context.receipt_place)
        events.write("applied", step=self.name, changes=self.outcome.counts(), place=place)
        return self.outcome

    def check(self) -> CheckResults:
        """Read the target again and return a check for each thing wanted; reads only.

        In mode ``"plan"`` with something to do there is nothing to check yet: the one check says that nothing
        was written.
        """
        plan = self.compare()
        if self.context.mode == "plan" and not plan.is_empty:
            detail = ". ".join(filter(None, (_nothing_written(plan), self.later())))
            checks = [Check(f"{self.title}: plan", True, detail)]
        else:
            checks = [check for wanted in self.desired for check in self._checks_of(wanted, plan)]
        return self.context.record(self.name, CheckResults(tuple(checks)))

    def _checks_of(self, wanted: Desired, plan: Plan) -> list[Check]:
        resource = wanted.resource
        teach = teacher(self.context, resource, self.name)
        changes = [
            change for change in plan.changes if change.kind == resource.kind and change.key in wanted.states
        ]
        if resource.by_hand:
            return [self._attestation_check(change, teach) for change in changes]
        skipped = {change.key: change for change in changes if change.action is Action.SKIPPED}
        actual = {change.key: change.before for change in changes if change.before is not None}
        states = {key: state for key, state in wanted.states.items() if key not in skipped}
        remedy = f"Go back to the step “{self.title}”, read its plan and apply it."
        left_out = [
            Check(in_words(resource.kind, key), True, f"skipped: {change.reason}")
            for key, change in skipped.items()
        ]
        return [*check_states(resource.kind, states, actual, remedy=remedy, teach=teach), *left_out]

    def _attestation_check(self, change: Change, teach: Teach) -> Check:
        name = in_words(change.kind, change.key)
        if change.action is Action.UNCHANGED:
            return Check(name, True, change.reason)
        wanted = change.after or {}
        check = Check(
            name,
            False,
            f"no API shows it and nobody has attested it; wanted {change.after}",
            "Set it in the AWS console as the step says, then record who did it and what was seen.",
            expected=f"a person's record of {state_in_words(wanted)}",
            found=state_in_words(change.before) if change.before else "no record of these values",
        )
        return teach(check, change.key, wanted, change.before)


def _reachable(change: Change, wanted: Desired) -> Change:
    reason = wanted.out_of_reach.get(change.key)
    if reason is None or change.action is not Action.CREATE:
        return change
    return replace(change, action=Action.SKIPPED, reason=reason)


def _nothing_written(plan: Plan) -> str:
    counts = ", ".join(
        f"{number} skipped" if action == Action.SKIPPED else f"{number} to {action}"
        for action, number in plan.counts().items()
        if number and action != Action.UNCHANGED
    )
    by_hand = f"{len(plan.by_hand)} by hand" if plan.by_hand else ""
    return f"mode is 'plan', nothing was written: {', '.join(part for part in (counts, by_hand) if part)}"


Build = Callable[[Connection, Scenario], tuple[Desired, ...]]


@dataclass(frozen=True)
class StepDefinition:
    """One step that reads or writes the target."""

    name: str
    title: str
    notebook: str
    lesson_step: int
    section: str
    build: Build


def _instance(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    return (Desired(Instances(connection), desired.instance_states(scenario)),)


def _access_control(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    return (
        Desired(AttributesForAccessControl(connection), desired.access_control_attribute_states(scenario)),
    )


def _identity_source(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    states = desired.console_setting_states(scenario, "identity_source")
    return (Desired(Observed(ConsoleSettings(connection)), states),)


def _console_setting(name: str) -> Build:
    def build(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
        return (Desired(ConsoleSettings(connection), desired.console_setting_states(scenario, name)),)

    return build


def _delegated_administrator(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    named = scenario.management.delegated_administrator
    account_id = resolve_account(connection, named).account_id if named else None
    return (Desired(DelegatedAdministrators(connection), desired.delegated_administrator_states(account_id)),)


def _permission_sets(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    return (Desired(PermissionSets(connection), desired.permission_set_states(scenario.permission_sets)),)


def _groups(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    return (Desired(Groups(connection), desired.group_states(scenario.groups)),)


def _account_assignments(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    found: dict[str, Account] = {}

    def account_id_of(named: str) -> str:
        account = resolve_account(connection, named)
        return found.setdefault(account.account_id, account).account_id

    states = desired.account_assignment_states(scenario.account_assignments, account_id_of)
    closed = {
        key: f"account {account.name or account.account_id!r} is {account.status}: AWS gives no access to it"
        for key, state in states.items()
        if not (account := found[state["account_id"]]).is_active
    }
    return (Desired(AccountAssignments(connection), states, closed),)


def _users(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    return (
        Desired(Users(connection), desired.user_states(scenario.users)),
        Desired(GroupMemberships(connection), desired.membership_states(scenario.users)),
    )


_ENABLE, _SETTINGS, _AUTHENTICATION = "01_enable_identity_center", "02_settings", "03_authentication"

STEPS: dict[str, StepDefinition] = {
    step.name: step
    for step in (
        StepDefinition("instance", "Enable IAM Identity Center", _ENABLE, 1, "instance", _instance),
        StepDefinition(
            "access_control_attributes",
            "Attributes for access control",
            _SETTINGS,
            3,
            "access_control_attributes",
            _access_control,
        ),
        StepDefinition(
            "identity_source", "Identity source", _SETTINGS, 4, "identity_source", _identity_source
        ),
        StepDefinition(
            "access_portal",
            "AWS access portal",
            _SETTINGS,
            5,
            "access_portal",
            _console_setting("access_portal"),
        ),
        StepDefinition(
            "standard_authentication",
            "Standard authentication",
            _AUTHENTICATION,
            6,
            "authentication",
            _console_setting("standard_authentication"),
        ),
        StepDefinition(
            "multi_factor_authentication",
            "Multi-factor authentication",
            _AUTHENTICATION,
            7,
            "authentication",
            _console_setting("multi_factor_authentication"),
        ),
        StepDefinition(
            "sessions", "Sessions", _AUTHENTICATION, 8, "authentication", _console_setting("sessions")
        ),
        StepDefinition(
            "delegated_administrator",
            "Delegated administrator",
            "04_management",
            9,
            "management",
            _delegated_administrator,
        ),
        StepDefinition(
            "permission_sets",
            "Permission sets",
            "05_permission_sets",
            10,
            "permission_sets",
            _permission_sets,
        ),
        StepDefinition("groups", "Groups", "06_groups", 11, "groups", _groups),
        StepDefinition(
            "account_assignments",
            "Account assignments",
            "07_account_assignments",
            12,
            "account_assignments",
            _account_assignments,
        ),
        StepDefinition("users", "Users", "08_users", 13, "users", _users),
    )
}


def make_step(context: RunContext, name: str) -> Step:
    """Return a step of the lesson bound to a run."""
    if name not in STEPS:
        raise NotFoundError(
            f"the lesson has no step {name!r}. {did_you_mean(name, STEPS)}",
            remedy=f"One of: {', '.join(STEPS)}.",
        )
    definition = STEPS[name]
    return Step(context, name, definition.title, definition.build(context.connection, context.scenario))


def make_teardown(
    context: RunContext, steps: frozenset[str] = frozenset(), *, include_used: bool = False
) -> Teardown:
    """Return the undo of a run's receipts, of all its steps or of some."""
    connection = context.connection
    resources: tuple[Resource, ...] = (
        Instances(connection),
        AttributesForAccessControl(connection),
        ConsoleSettings(connection),
        DelegatedAdministrators(connection),
        PermissionSets(connection),
        Groups(connection),
        AccountAssignments(connection),
        Users(connection),
        GroupMemberships(connection),
    )
    return Teardown(context, {resource.kind: resource for resource in resources}, steps, include_used)


# The calls that applying a plan would make, in order: applying it on a connection that sends no write.


@dataclass(frozen=True)
class PlannedCalls:
    """What applying a plan would call."""

    calls: tuple[tuple[Change, Call], ...]
    stopped_by: str = ""


def calls_of_step(context: RunContext, name: str, plan: Plan) -> PlannedCalls:
    """Return the calls that applying a step's plan would make; reads only."""

    def resources(rehearsed: RunContext) -> Mapping[str, Resource]:
        desired = STEPS[name].build(rehearsed.connection, rehearsed.scenario)
        return {wanted.resource.kind: wanted.resource for wanted in desired}

    return _rehearse(context, plan, resources)


def calls_of_undo(context: RunContext, plan: Plan) -> PlannedCalls:
    """Return the calls that an undo or a teardown would make; reads only."""
    return _rehearse(context, plan, lambda rehearsed: make_teardown(rehearsed).resources)


def _rehearse(
    context: RunContext, plan: Plan, resources_of: Callable[[RunContext], Mapping[str, Resource]]
) -> PlannedCalls:
    rehearsal = Rehearsal(context.connection)
    rehearsed = replace(context, target_connection=rehearsal.connection)
    calls: list[tuple[Change, Call]] = []

    def keep(change: Change) -> None:
        calls.extend((change, call) for call in rehearsal.calls[len(calls) :])

    current: list[Change] = []

    def progress(event: str, change: Change, made: int, total: int) -> None:  # noqa: ARG001
        for earlier in current:
            keep(earlier)
        current[:] = [change]

    stopped_by = ""
    try:
        applier = Applier(resources_of(rehearsed), _Unwritten(), context.origin("rehearsal"))
        applier.apply(plan, progress=progress)
    except KitError as error:
        stopped_by = str(error)
    for change in current:
        keep(change)
    return PlannedCalls(tuple(calls), stopped_by)


class _Unwritten(ReceiptBook):
    """Receipts of what is not done: not written."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def _append(self, receipt: Receipt) -> None:
        """Write nothing."""


def only_calls(planned: PlannedCalls) -> list[Call]:
    """Return the calls alone, in order."""
    return [call for _, call in planned.calls]
