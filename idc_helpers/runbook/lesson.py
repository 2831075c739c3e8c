"""The lesson's steps: what each is called, which notebook holds it, and how it is bound to a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idc_helpers.aws.access_control import AccessControlAttributes
from idc_helpers.aws.assignments import AccountAssignments
from idc_helpers.aws.connection import Connection
from idc_helpers.aws.console_settings import ConsoleSettings
from idc_helpers.aws.groups import GroupMemberships, Groups
from idc_helpers.aws.instances import Instances
from idc_helpers.aws.organization import Account, DelegatedAdministrators, resolve_account
from idc_helpers.aws.permission_sets import PermissionSets
from idc_helpers.aws.users import Users
from idc_helpers.changes import Resource
from idc_helpers.errors import NotFoundError
from idc_helpers.identifiers import did_you_mean
from idc_helpers.models import Scenario
from idc_helpers.runbook import desired
from idc_helpers.runbook.observed import Observed
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.step import Desired, Step
from idc_helpers.runbook.teardown import Teardown

Build = Callable[[Connection, Scenario], tuple[Desired, ...]]


@dataclass(frozen=True)
class StepDefinition:
    """One step that reads or writes the target.

    Attributes
    ----------
    name, title
        ``"permission_sets"`` and the heading's words.
    notebook
        The notebook that holds it, such as ``"05_permission_sets"``.
    lesson_step
        Its number in the lesson, 1 to 20.
    section
        The scenario's key that a form or a parameter fills, such as ``"permission_sets"``.
    build
        What it wants of which resources.
    """

    name: str
    title: str
    notebook: str
    lesson_step: int
    section: str
    build: Build


def _instance(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    return (Desired(Instances(connection), desired.instance_states(scenario)),)


def _access_control(connection: Connection, scenario: Scenario) -> tuple[Desired, ...]:
    return (Desired(AccessControlAttributes(connection), desired.access_control_attribute_states(scenario)),)


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
    """Return a step of the lesson bound to a run.

    Raises
    ------
    NotFoundError
        When the lesson has no such step.
    """
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
        AccessControlAttributes(connection),
        ConsoleSettings(connection),
        DelegatedAdministrators(connection),
        PermissionSets(connection),
        Groups(connection),
        AccountAssignments(connection),
        Users(connection),
        GroupMemberships(connection),
    )
    return Teardown(context, {resource.kind: resource for resource in resources}, steps, include_used)
