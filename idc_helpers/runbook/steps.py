"""One step of the lesson in its four movements, desired, plan, apply, check, and its undo; no screen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count, zip_longest

from typing_extensions import override

from idc_aws.calls import one_look
from idc_aws.changes import Action, Change, Plan, State
from idc_aws.connection import Connection
from idc_aws.desired import Desired
from idc_aws.errors import KitError, ParametersError, Problem
from idc_aws.identifiers import no_such
from idc_aws.resource import Resource
from idc_aws.scenario.reading import refused_on_target
from idc_aws.scenario.scenario import Scenario
from idc_helpers.runbook.applying import Applier, Outcome, Progress, Reviewed, no_progress
from idc_helpers.runbook.comparing import (
    Check,
    CheckResults,
    Teach,
    check_states,
    format_state,
    plan_changes,
)
from idc_helpers.runbook.explain_failures import explain_failure
from idc_helpers.runbook.lesson import LESSON, target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.teardown import Teardown
from idc_helpers.runbook.undo import UndoPlan
from idc_helpers.runbook.words import format_thing

OWN_VALUES = "own_values"


class Step(Reviewed[Plan]):
    """A step of the lesson, bound to a run."""

    def __init__(self, context: RunContext, name: str) -> None:
        if name not in LESSON or not LESSON[name].wants:
            raise no_such("the lesson has no step", name, target_steps())
        self.entry = LESSON[name]
        super().__init__(context, self.entry.title)
        self.name = name
        self.scenario: Scenario = context.scenario
        """What it makes true: the run's scenario, or that of a form."""
        self._has_planned = False
        self.problems: Sequence[Problem] = ()
        """What is wrong with the values of a form: nothing is done until they are right."""

    @property
    def desired(self) -> tuple[Desired, ...]:
        """What the scenario wants of each resource; may read the target, to find accounts by name."""
        if self.problems:
            raise ParametersError(self.problems)
        return self._wanted(self.scenario, self.context.connection)

    def _wanted(self, scenario: Scenario, connection: Connection) -> tuple[Desired, ...]:
        wanted = tuple(want.desired(connection, scenario) for want in self.entry.wants)
        refusals = [refusal for each in wanted for refusal in each.refusals]
        refusals += [one for want in self.entry.wants for one in want.missing(connection, scenario)]
        if refusals:
            is_of_file = scenario is self.context.scenario
            raise refused_on_target(refusals, self.context.scenario_file if is_of_file else None)
        return wanted

    @override
    def resources(self, connection: Connection) -> Mapping[str, Resource]:
        resources = (want.resource(connection) for want in self.entry.wants)
        return {resource.kind: resource for resource in resources}

    @override
    def changes(self, plan: Plan) -> Plan:
        return plan

    @override
    def plan(self) -> Plan:
        for want in self.entry.wants if self._has_planned else ():
            want.look_again(self.context.connection)
        self._has_planned = True
        plan = self.compare()
        self.context.events.write("planned", step=self.name, changes=plan.counts(), by_hand=len(plan.by_hand))
        return plan

    def compare(self, desired: Sequence[Desired] | None = None) -> Plan:
        """Return desired against actual without an event, for those who only look; reads only."""
        with one_look():
            return sum((self._plan_of(wanted) for wanted in desired or self.desired), Plan())

    def _plan_of(self, wanted: Desired) -> Plan:
        resource = wanted.resource
        plan = plan_changes(
            resource.kind, wanted.states, resource.read(wanted.states), by_hand=resource.by_hand
        )
        changes = tuple(self._with_attestation(_reachable(change, wanted)) for change in plan.changes)
        return Plan(changes, wanted.notes)

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

    @override
    def apply(self, plan: Plan | None = None, *, progress: Progress = no_progress) -> Outcome:
        # What only a person can do is left to the person.
        plan = plan if plan is not None else self.plan()
        if plan.writes:
            self.context.require_apply()
        desired, events = self.desired, self.context.events
        events.write("applying", step=self.name, total=len(plan.writes))
        resources = {wanted.resource.kind: wanted.resource for wanted in desired}
        applier = Applier(resources, self.context.receipts, self.context.origin(self.name))
        try:
            outcome = applier.apply(plan, progress=progress)
        except KitError as error:
            events.write("failed", step=self.name, error=str(error))
            raise
        place = str(self.context.receipt_place)
        events.write("applied", step=self.name, changes=outcome.counts(), place=place)
        self._note_own_values(desired)
        return outcome

    def _note_own_values(self, desired: Sequence[Desired]) -> None:
        """Write down when what was just applied came from a form and is not what the run's scenario wants."""
        if self.scenario is self.context.scenario:
            return
        with suppress(KitError):  # what the scenario names may not be there: no reason to fail what is done
            # Of an apply that has ended, whether or not the runbook was closed meanwhile.
            connection = self.context.target_connection
            of_scenario = digest(self._wanted(self.context.scenario, connection))
            if of_scenario != digest(desired):
                place = str(self.context.receipt_place)
                self.context.events.write(OWN_VALUES, step=self.name, scenario=of_scenario, place=place)

    @override
    def changed_since(self, plan: Plan) -> Change | None:
        pairs = zip_longest(plan.changes, self.compare().changes)
        return next((shown or now for shown, now in pairs if shown != now), None)

    @override
    def check(self) -> CheckResults:
        with one_look():
            return self._check()

    def _check(self) -> CheckResults:
        # In mode "plan" with something to do there is nothing to check yet: the one check says so.
        desired = self.desired
        plan = self.compare(desired)
        if self.context.mode == "plan" and not plan.is_empty:
            detail = ". ".join(filter(None, (_nothing_written(plan), self.later())))
            checks = [Check(f"{self.title}: plan", True, detail)]
        else:
            checks = [check for wanted in desired for check in self._checks_of(wanted, plan)]
        return self.context.record(self.name, CheckResults(tuple(checks)))

    def _checks_of(self, wanted: Desired, plan: Plan) -> list[Check]:
        resource = wanted.resource
        teach = _first_ones(partial(explain_failure, context=self.context, resource=resource, step=self.name))
        changes = [
            change for change in plan.changes if change.kind == resource.kind and change.key in wanted.states
        ]
        if resource.by_hand:
            return [self._attestation_check(change, teach) for change in changes]
        skipped = {change.key: change for change in changes if change.action is Action.SKIPPED}
        actual = {change.key: change.before for change in changes if change.before is not None}
        states = {key: state for key, state in wanted.states.items() if key not in skipped}
        remedy = (
            f"Go back to the step “{self.title}”, read its plan and apply it, or do the rest in the console."
        )
        left_out = [
            Check(format_thing(resource.kind, key), True, f"skipped: {change.reason}")
            for key, change in skipped.items()
        ]
        return [*check_states(resource.kind, states, actual, remedy=remedy, teach=teach), *left_out]

    def _attestation_check(self, change: Change, teach: Teach) -> Check:
        name = format_thing(change.kind, change.key)
        if change.action is Action.UNCHANGED:
            return Check(name, True, change.reason)
        wanted = change.after or {}
        check = Check(
            name,
            False,
            f"no API shows it and nobody has attested it; wanted {format_state(wanted)}",
            "Set it in the AWS console as the step says, then record who did it and what was seen.",
            expected=f"a person's record of {format_state(wanted)}",
            found=format_state(change.before) if change.before else "no record of these values",
        )
        return teach(check, change.key, wanted, change.before)


def _reachable(change: Change, wanted: Desired) -> Change:
    reason = wanted.out_of_reach.get(change.key)
    if reason is None or change.action not in (Action.CREATE, Action.UPDATE):
        return change
    return replace(change, action=Action.SKIPPED, reason=reason)


_MOST_EXPLAINED = 25


def _first_ones(teach: Teach) -> Teach:
    """Explain the first failures of many: each takes calls, and hundreds have the same cause."""
    numbers = count()

    def explain(check: Check, key: str, wanted: State, found: State | None) -> Check:
        return teach(check, key, wanted, found) if next(numbers) < _MOST_EXPLAINED else check

    return explain


def _nothing_written(plan: Plan) -> str:
    counts = ", ".join(
        f"{number} skipped" if action == Action.SKIPPED else f"{number} to {action}"
        for action, number in plan.counts().items()
        if number and action != Action.UNCHANGED
    )
    by_hand = f"{len(plan.by_hand)} by hand" if plan.by_hand else ""
    return f"mode is 'plan', nothing was written: {', '.join(part for part in (counts, by_hand) if part)}"


def digest(desired: Iterable[Desired]) -> str:
    """Return a text that is the same for the same desired states, and tells nothing of them."""
    states = [[part.resource.kind, part.states] for part in desired]
    return hashlib.sha256(json.dumps(states, sort_keys=True, default=dict).encode()).hexdigest()


class StepUndo(Teardown):
    """The undo of one step: what the step has applied counts no more after it."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.context, frozenset({step.name}), title=f"{step.title}: undo")
        self._step = step

    @override
    def apply(self, plan: UndoPlan | None = None, *, progress: Progress = no_progress) -> Outcome:
        outcome = super().apply(plan, progress=progress)
        self._step.changed()
        return outcome
