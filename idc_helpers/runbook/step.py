"""One step of the lesson in its four movements, without a screen: desired, plan, apply, check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from idc_helpers.changes import Action, Change, Plan, Resource, State, in_words
from idc_helpers.errors import KitError
from idc_helpers.runbook.applying import Applier, Outcome, Progress, no_progress
from idc_helpers.runbook.checks import Check, CheckResults, Teach, check_states
from idc_helpers.runbook.planning import plan_changes, state_in_words
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.teaching import teacher


@dataclass(frozen=True)
class Desired:
    """What one resource of a step should hold: states by key.

    Attributes
    ----------
    out_of_reach
        Why some of them cannot be made now, by key, such as those in a closed account.
    """

    resource: Resource
    states: Mapping[str, State]
    out_of_reach: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Step:
    """A step bound to a run; the same object serves the button and the cell.

    Attributes
    ----------
    context
        The run.
    name, title
        ``"permission_sets"`` and what a heading says.
    desired
        In the order in which it is applied; replaced when a form changes.
    """

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

        Raises
        ------
        ApplyRefusedError, WrongAccountError
            Before anything is changed.
        KitError
            When a write fails; what was made before has its receipts.
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
