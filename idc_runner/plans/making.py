"""Make one plan of the whole lesson without executing a notebook; reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from idc_aws.access import LONE_ACCOUNT_ID
from idc_aws.budget import known_sizes, reading_budget, writing_budget
from idc_aws.changes import Action, Change, State
from idc_aws.connection import Connection, connect, management_account_id, require_home_region
from idc_aws.desired import USERS_FIRST, Desired
from idc_aws.errors import InvalidValueError, KitError, RunFailedError, TargetError, ThrottledError
from idc_aws.organization import list_accounts
from idc_aws.permissions import (
    MANAGEMENT_ACCOUNT_ACTIONS,
    check_permissions,
    required_actions,
)
from idc_aws.resource import Resource
from idc_aws.scenario.reading import scenario_parameters
from idc_aws.scenario.scenario import Scenario
from idc_aws.settings import CONSOLE_SETTINGS
from idc_helpers.runbook.comparing import undo_creation, undo_update
from idc_helpers.runbook.lesson import LESSON, LessonStep, steps_of_notebook
from idc_helpers.runbook.records import ReceiptPlace
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_runner.notebooks import find_notebooks, select_notebooks
from idc_runner.plans.document import LessonPlan, PlannedChange, PlanPlace, PlanScenario, StepPlan
from idc_runner.plans.widening import Rules, find_widenings
from idc_runner.run import RunRequest, chosen_scenario

_STOPS = (TargetError, ThrottledError)


@dataclass(frozen=True)
class ReadStep:
    """What a step of the lesson wants of which resource, and its plan."""

    desired: tuple[Desired, ...]
    planned: StepPlan


@dataclass(frozen=True)
class ReadLesson:
    """All steps that were asked for, read from one target."""

    connection: Connection
    scenario: Scenario
    scenario_file: Path
    receipt_place: ReceiptPlace
    steps: tuple[ReadStep, ...]


def read_lesson(request: RunRequest) -> ReadLesson:
    """Connect, and compare each step's wish with what is there; names all that cannot be planned at once."""
    scenario, scenario_file = chosen_scenario(request)
    entries = list(_entries(request))
    connection = connect(target=scenario.target, region=scenario.region, profile=scenario.profile)
    require_home_region(connection, scenario.instance.kind)
    read, obstacles = [], []
    # No notebook runs, so nothing is written into a folder, and what people recorded in other runs is not
    # looked at: as in `idc run`, the scenario's attestations count.
    context = RunContext(connection, scenario, "plan", "", request.runs_folder / "-", scenario_file)
    for entry in entries:
        try:
            read.append(_read_step(Step(replace(context, notebook=entry.notebook), entry.name)))
        except _STOPS:
            raise
        except KitError as error:
            obstacles.append((entry, error))
    if len(obstacles) == 1:
        raise obstacles[0][1]
    if obstacles:
        told = "\n".join(f"- {entry.notebook}, {entry.title}: {error}" for entry, error in obstacles)
        raise RunFailedError(f"{len(obstacles)} steps cannot be planned:\n{told}")
    return ReadLesson(connection, scenario, scenario_file, context.receipt_place, tuple(read))


def _entries(request: RunRequest) -> Iterator[LessonStep]:
    """Yield the steps that read or write the target, of the notebooks that are asked for."""
    notebooks = select_notebooks(find_notebooks(request.project / "notebooks"), only=request.only)
    found = [step for notebook in notebooks for step in steps_of_notebook(notebook.name) if step.wants]
    if not found:
        names = dict.fromkeys(step.notebook for step in LESSON.values() if step.wants)
        raise InvalidValueError(
            f"nothing is planned in {', '.join(notebook.name for notebook in notebooks)}",
            remedy=f"Ask for some of: {', '.join(names)}.",
        )
    yield from found


def _read_step(step: Step) -> ReadStep:
    desired = step.desired
    states = {(part.resource.kind, key): state for part in desired for key, state in part.states.items()}
    resources = {part.resource.kind: part.resource for part in desired}
    changes = []
    plan = step.compare(desired)
    for change in plan.changes:
        wanted = states[change.kind, change.key]
        stays = tuple(stays_for_good(change, resources[change.kind]))
        changes.append(PlannedChange(change, wanted, stays))
    planned = StepPlan(step.name, step.entry.notebook, step.title, tuple(changes), step.later(), plan.notes)
    return ReadStep(desired, planned)


def stays_for_good(change: Change, resource: Resource) -> Iterator[str]:
    """Yield what of a change AWS offers no way back from: why, in words."""
    after = change.after or {}
    if change.action is Action.CREATE:
        back = undo_creation(change.kind, change.key, "-", after, "-")
        yield from dict.fromkeys(filter(None, [resource.irreversible(back).get("")]))
    elif change.action is Action.UPDATE:
        before: State = change.before or {}
        back = undo_update(change.kind, change.key, before, after, after, derived=resource.derived_fields)
        restored = {name for name in after if (back.after or {}).get(name) != after[name]}
        why = resource.irreversible(back)
        yield from dict.fromkeys(words for name, words in why.items() if name in ("", *restored))


def plan_of(lesson: ReadLesson, rules: Rules) -> LessonPlan:
    """Return the plan of what was read, with what a reviewer should know; reads a little more."""
    connection, scenario = lesson.connection, lesson.scenario
    instance = connection.instance_or_none()
    steps = _users_first(_with_their_instance(tuple(read.planned for read in lesson.steps)))
    denied, unknown = _permissions(connection, steps)
    return LessonPlan(
        place=PlanPlace(
            target=connection.target,
            account_id=connection.caller.account_id,
            account_name=connection.account_name,
            region=connection.region,
            caller=connection.caller.principal_arn,
            instance_arn=instance.instance_arn if instance else "",
            state_id=connection.state_id,
            endpoint_url=connection.endpoint_url,
        ),
        scenario=PlanScenario(
            file=str(lesson.scenario_file),
            instance_kind=scenario.instance.kind,
            expected_account=scenario.expected_account,
            profile=scenario.profile,
            attestations=tuple(scenario_parameters(scenario)["attestations"]),
        ),
        steps=steps,
        widenings=find_widenings(connection, (each for step in steps for each in step.changes), rules),
        denied=denied,
        unknown=unknown,
        accounts=_account_names(connection, steps),
        effort=_effort(connection, [change for step in steps for change in step.plan.changes]),
    )


def _with_their_instance(steps: tuple[StepPlan, ...]) -> tuple[StepPlan, ...]:
    """Return steps without what is true no longer where the same plan makes their instance."""
    if not any(change.kind == "instance" for step in steps for change in step.plan.writes):
        return steps
    return tuple(
        replace(step, later="", changes=tuple(map(_going_with_the_instance, step.changes))) for step in steps
    )


def _users_first(steps: tuple[StepPlan, ...]) -> tuple[StepPlan, ...]:
    """Return steps in which access is given to users whom the same plan makes: they are made before it."""
    made = {change.key for step in steps for change in step.plan.writes if change.kind == "user"}
    waiting = {
        each.change.key
        for step in steps
        for each in step.changes
        if each.change.action is Action.SKIPPED
        and each.change.reason.endswith(USERS_FIRST)
        and each.wanted["principal_name"] in made
    }
    if not waiting:
        return steps
    promoted = [
        replace(
            step,
            changes=tuple(_created(each) if each.change.key in waiting else each for each in step.changes),
        )
        for step in steps
    ]
    return tuple(sorted(promoted, key=lambda step: step.name == "account_assignments"))


def _created(planned: PlannedChange) -> PlannedChange:
    change = replace(
        planned.change, action=Action.CREATE, reason="does not exist yet; the user is made first"
    )
    return replace(planned, change=change)


def _going_with_the_instance(planned: PlannedChange) -> PlannedChange:
    setting = CONSOLE_SETTINGS.get(planned.change.key)
    is_created = planned.change.action is Action.CREATE
    goes = planned.change.kind == "console_setting" and setting and not setting.is_irreversible and is_created
    return replace(planned, stays=()) if goes else planned


def _effort(connection: Connection, changes: list[Change]) -> str:
    """Return how many calls applying takes, and how long: look, writes and checks."""
    writes = [change for change in changes if change.writes]
    if not writes:
        return ""
    sizes = known_sizes(connection)
    checking = reading_budget(changes, sizes, applied=True)
    return f"{reading_budget(writes, sizes) + writing_budget(writes, sizes) + checking}, to apply and check"


def _account_names(connection: Connection, steps: Iterable[StepPlan]) -> dict[str, str]:
    """Return the names of the accounts that the changes name, where the caller may know them."""
    named = {
        found for step in steps for each in step.changes for found in LONE_ACCOUNT_ID.findall(each.change.key)
    }
    try:
        accounts = list_accounts(connection) if named else []
    except KitError:
        return {}
    return {one.account_id: one.name for one in accounts if one.account_id in named and one.name}


def _permissions(
    connection: Connection, steps: Sequence[StepPlan]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the IAM actions of the changes that the caller lacks, and those that nobody may ask about."""
    writing = [step for step in steps if step.plan.writes]
    actions = {action for step in writing for action in required_actions(step.notebook)}
    in_charge = management_account_id(connection) if writing else ""
    if any(
        change.kind == "account_assignment" and (change.after or {}).get("account_id") == in_charge
        for step in writing
        for change in step.plan.writes
    ):
        actions |= set(MANAGEMENT_ACCOUNT_ACTIONS)
    if not actions:
        return (), ()
    answers = check_permissions(connection, sorted(actions))
    denied = tuple(action for action, answer in answers.items() if answer == "denied")
    unknown = tuple(action for action, answer in answers.items() if answer == "unknown")
    return denied, () if connection.is_sandbox else unknown
