"""Carry out a plan's file: exactly what it says, where it says, while the target is as it says; writes."""

from __future__ import annotations

import datetime
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from typing_extensions import override

from idc_aws.calls import one_look
from idc_aws.changes import Action, Change, Plan, State
from idc_aws.connection import Connection, connect, require_apply_allowed, require_home_region
from idc_aws.desired import Desired
from idc_aws.errors import ApplyRefusedError, InstanceNotFoundError, KitError
from idc_aws.files import write_explained
from idc_aws.identifiers import counted, first_of
from idc_aws.identity_store import find_principal_ids
from idc_aws.project import STATE_VARIABLE
from idc_aws.resource import Resource
from idc_aws.scenario.reading import validate_scenario
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import clean, masking, scrub_values
from idc_helpers.runbook.comparing import Check, differing_fields
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_runner.engine import NotebookFailure
from idc_runner.execution import signals_as_exceptions
from idc_runner.notebooks import RunRecord, create_run_folder, write_record
from idc_runner.plans.document import LessonPlan, PlannedChange, StepPlan
from idc_runner.plans.words import Thing, change_between, name_of, plan_page, thing_of, widening_words
from idc_runner.run import with_people_there
from idc_runner.summary import NotebookResult, RunSummary, notebook_result, time_words

DONE, DONE_BEFORE, NOT_DONE = "✔ done", "✔ done already", "✘ not done"
_MOST_TOLD = 50
_Say = Callable[[str], None]


class FrozenStep(Step):
    """A step of the lesson that wants what a plan says, whatever scenario and organization say by now."""

    def __init__(self, context: RunContext, planned: StepPlan) -> None:
        super().__init__(context, planned.name)
        self._planned = planned

    @override
    def _wanted(self, scenario: Scenario, connection: Connection) -> tuple[Desired, ...]:
        resources = (want.resource(connection) for want in self.entry.wants)
        return tuple(
            Desired(resource, self._planned.wanted(resource.kind), self._out_of_reach(resource.kind))
            for resource in resources
        )

    def _out_of_reach(self, kind: str) -> dict[str, str]:
        return {
            each.change.key: each.change.reason
            for each in self._planned.changes
            if each.change.kind == kind and each.change.action is Action.SKIPPED
        }


@dataclass
class Carried:
    """What applying a plan came to."""

    plan: LessonPlan
    folder: Path  # the run's
    results: dict[Thing, str] = field(default_factory=dict)  # what became of each change that the plan writes
    checks: list[Check] = field(default_factory=list)  # what was looked at afterwards
    # notebooks whose steps were begun, to apply or to check; the last one is under way
    begun: list[str] = field(default_factory=list)
    error: BaseException | None = None  # what ended it early

    @property
    def failed(self) -> list[Check]:
        """The checks that did not pass."""
        return [check for check in self.checks if not check.passed]

    @property
    def passed(self) -> bool:
        """Whether all that the plan says is there now."""
        return self.error is None and not self.failed

    @property
    def exit_status(self) -> int:
        """0 only if all that the plan says is there; 128 and its number after a signal, as in shells."""
        if isinstance(self.error, KeyboardInterrupt):
            return 128 + int(getattr(self.error, "signal_number", signal.SIGINT))
        return 0 if self.passed else 1

    @property
    def sentence(self) -> str:
        """What was done, in a sentence."""
        words = list(self.results.values())
        parts = [
            f"{words.count(word):,} {said}"
            for word, said in ((DONE, "done"), (DONE_BEFORE, "done already"), (NOT_DONE, "not done"))
            if word in words
        ]
        checks = f"{counted(len(self.checks), 'check')}, {len(self.failed)} failed" if self.checks else ""
        return f"{'; '.join(filter(None, [', '.join(parts) or 'nothing to write', checks]))}."


def carry_out_plan(
    plan: LessonPlan,
    runs: Path,
    say: _Say,
    *,
    accepted: Sequence[str] = (),
    profile: str | None = None,
    mask_personal_data: bool = False,
) -> Carried:
    """Look whether everything is as the plan says, write what it says, check it, and leave a run's folder."""
    connection = _connect(plan, profile)
    # Masked before anything is refused: a refusal names things and their values.
    with masking(_people_of(plan, connection)) if mask_personal_data else nullcontext():
        _require_accepted(plan, accepted)
        scenario = _scenario_of(plan, profile)
        require_apply_allowed(connection, scenario.expected_account)
        context = RunContext(connection, scenario, "apply", "", Path(os.devnull), Path(plan.scenario.file))
        with one_look():
            ready = _ready(plan, context)
        return _carry_out(plan, ready, context, runs, say)


def _carry_out(
    plan: LessonPlan, ready: Sequence[PlannedChange], context: RunContext, runs: Path, say: _Say
) -> Carried:
    """Write what is ready, check all, and leave a run's folder, whatever happens."""
    connection = context.connection
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    folder = create_run_folder(runs, now=started)
    carried = Carried(plan, folder)
    record = RunRecord(
        target=connection.target,
        mode="apply",
        region=connection.region,
        profile=context.scenario.profile,
        scenario_file=plan.scenario.file,
        sandbox_state=os.environ.get(STATE_VARIABLE, ""),
        sandbox_state_id=connection.state_id,
    )
    write_record(folder, record)
    plan.write(folder / "plan.json")
    say(f"Run {folder.name}: {connection}")
    say(f"The plan was made on {time_words(plan.made_at)}, by {plan.place.caller}")
    contexts = {
        step.notebook: replace(context, notebook=step.notebook, run_folder=folder) for step in plan.steps
    }
    to_write = {thing_of(each.change) for each in ready}
    carried.results = {
        thing_of(each.change): NOT_DONE if thing_of(each.change) in to_write else DONE_BEFORE
        for each in plan.changes
        if each.change.writes
    }
    with signals_as_exceptions():
        try:
            _apply_and_check(plan, to_write, contexts, carried, say)
        except (KitError, KeyboardInterrupt) as error:
            carried.error = error
            say(f"error: {error}" if isinstance(error, KitError) else "It was asked to end.")
        except BaseException as error:
            carried.error = error
            raise
        finally:
            for check in carried.failed:
                say(f"✘ failed: {check}")
            _write_report(carried, contexts, started, time.monotonic() - clock)
    return carried


def _require_accepted(plan: LessonPlan, accepted: Sequence[str]) -> None:
    needed = plan.to_accept()
    unknown = sorted(set(accepted) - {widening.rule for widening in plan.widenings})
    missing = [rule for rule in needed if rule not in accepted]
    if missing:
        told = [widening_words(plan, each) for each in plan.widenings if each.rule in missing]
        raise ApplyRefusedError(
            f"the plan gives more access than before, and nobody has accepted that:\n{_listed(told)}",
            remedy=f"If it is meant, add {' '.join(f'--accept {rule}' for rule in missing)}.",
        )
    if unknown:
        names = ", ".join(sorted({widening.rule for widening in plan.widenings})) or "none"
        raise ApplyRefusedError(
            f"the plan has nothing to accept of {', '.join(map(repr, unknown))}",
            remedy=f"Leave it out. What the plan names: {names}.",
        )


def _connect(plan: LessonPlan, profile: str | None) -> Connection:
    """Connect to where the plan was made; names all that is different there at once."""
    place = plan.place
    connection = connect(
        target="aws" if place.target == "aws" else "sandbox",
        region=place.region,
        profile=None if place.target == "sandbox" else profile or plan.scenario.profile,
    )
    require_home_region(connection, plan.scenario.instance_kind)
    instance = connection.instance_or_none()
    compared = {
        "account": (place.account_id, connection.caller.account_id),
        "Region": (place.region, connection.region),
        "instance": (place.instance_arn or "none", instance.instance_arn if instance else "none"),
        "state of the sandbox": (place.state_id, connection.state_id),
        "endpoint": (
            ("", "")
            if connection.is_sandbox
            else (place.endpoint_url or "AWS's", connection.endpoint_url or "AWS's")
        ),
    }
    if not place.instance_arn and instance is not None and _makes_the_instance(plan):
        del compared["instance"]  # that the plan's own has been made since shows in the comparison of changes
    wrong = [
        f"{name}: {planned} → {found}" for name, (planned, found) in compared.items() if planned != found
    ]
    if wrong:
        raise ApplyRefusedError(
            f"this is not where the plan was made (plan → now):\n{_listed(wrong)}",
            remedy="Nothing was written. Use the credentials of that place, or make a new plan here.",
        )
    if instance is None and plan.plan.writes and not _makes_the_instance(plan):
        raise InstanceNotFoundError(
            "the plan was made where there is no instance of Identity Center, and it makes none",
            remedy="Enable it in the console first (notebook 01 shows where), then make a new plan.",
        )
    return connection


def _makes_the_instance(plan: LessonPlan) -> bool:
    return any(each.kind == "instance" and each.action is Action.CREATE for each in plan.plan.writes)


def _scenario_of(plan: LessonPlan, profile: str | None) -> Scenario:
    """Return as much of the scenario as applying needs: the rest is in the changes."""
    values = {
        "target": plan.place.target,
        "mode": "apply",
        "region": plan.place.region,
        "expected_account": plan.scenario.expected_account,
        "profile": profile or plan.scenario.profile,
        "instance": {"kind": plan.scenario.instance_kind},
        "attestations": list(plan.scenario.attestations),
    }
    given = {name: value for name, value in values.items() if value not in (None, "", [])}
    return validate_scenario(given, source="the plan")


def _listed(lines: Sequence[str]) -> str:
    """Return lines as a list without secrets, and without people where they are masked; the rest counted."""
    return "\n".join(map(clean, first_of([f"- {line}" for line in lines], _MOST_TOLD)))


def _ready(plan: LessonPlan, context: RunContext) -> list[PlannedChange]:
    """Return the changes that are still to be made; refuses where the target is not as the plan says."""
    ready: list[PlannedChange] = []
    changed: list[str] = []
    for step in plan.steps:
        resources = FrozenStep(context, step).resources(context.connection)
        for kind, resource in resources.items():
            writes = [each for each in step.changes if each.change.writes and each.change.kind == kind]
            found = resource.read([each.change.key for each in writes])
            for each in writes:
                now = found.get(each.change.key)
                if now is not None and not differing_fields(each.wanted, now):
                    continue  # done already
                if difference := _difference(each, now, resource):
                    changed.append(f"{plan.name_accounts(name_of(each.change))}: {difference}")
                else:
                    ready.append(each)
    changed += _gone(plan, ready, context.connection)
    if changed:
        raise ApplyRefusedError(
            f"{counted(len(changed), 'thing')} that the plan changes or needs differ from what it shows "
            f"(when planned → now):\n{_listed(changed)}",
            remedy="Nothing was written. Make a new plan with `idc plan --out FILE`, and read it.",
        )
    return ready


def _gone(plan: LessonPlan, ready: Sequence[PlannedChange], connection: Connection) -> list[str]:
    """Return what is no longer there of the users and groups that get something, and are not the plan's own.

    Otherwise the first that is missed would end the writing in the middle.
    """
    written = {thing_of(each.change) for each in plan.changes if each.change.writes}
    needed: set[tuple[str, str]] = set()
    for each in ready:
        if each.change.action is not Action.CREATE:
            continue
        if each.change.kind == "group_membership":
            needed |= {("USER", str(each.wanted["user_name"])), ("GROUP", str(each.wanted["group"]))}
        elif each.change.kind == "account_assignment":
            needed.add((str(each.wanted["principal_type"]), str(each.wanted["principal_name"])))
    needed = {(kind, name) for kind, name in needed if (kind.lower(), name) not in written}
    gone = sorted(needed - find_principal_ids(connection, sorted(needed)).keys()) if needed else []
    return [f"{kind.lower()} {name}: was there → is gone" for kind, name in gone]


def _difference(planned: PlannedChange, now: State | None, resource: Resource) -> str:
    """Return how a thing differs from what it was when it was planned; empty: it does not."""
    before = planned.change.before
    if before is None or now is None:
        return "" if before is now else "was not there → exists" if before is None else "was there → is gone"
    # A file holds no secrets, and others may keep some in what they wrote.
    derived = resource.derived_fields
    old, new = (
        {name: value for name, value in one.items() if name not in derived}
        for one in (before, scrub_values(now))
    )
    return "" if old == new else change_between(old, new)


def _people_of(plan: LessonPlan, connection: Connection) -> list[dict[str, object]]:
    named = (
        {"user_name": each.change.key, **each.wanted} for each in plan.changes if each.change.kind == "user"
    )
    return with_people_there(named, connection)


def _apply_and_check(
    plan: LessonPlan,
    to_write: Set[Thing],
    contexts: Mapping[str, RunContext],
    carried: Carried,
    say: _Say,
) -> None:
    steps = [(planned, FrozenStep(contexts[planned.notebook], planned)) for planned in plan.steps]
    total, made = len(to_write), 0
    every = max(1, total // 100)

    def progress(event: str, change: Change, _made: int, _total: int) -> None:
        nonlocal made
        if event != "done":
            return
        made += 1
        carried.results[thing_of(change)] = DONE
        if made % every == 0 or made == total:
            say(f"{made:,} of {total:,}: {change.action.value} {plan.name_accounts(name_of(change))}")

    for planned, step in steps:
        carried.begun.append(planned.notebook)
        rest = Plan(
            tuple(
                change for change in planned.plan.changes if not change.writes or thing_of(change) in to_write
            )
        )
        counts, by_hand = rest.counts(), len(rest.by_hand)
        step.context.events.write("planned", step=planned.name, changes=counts, by_hand=by_hand)
        if rest.writes:
            step.apply(rest, progress=progress)
    with one_look():
        for planned, step in steps:
            carried.begun.append(planned.notebook)
            # What is left to a person is in the plan, and no failure of what was applied.
            left = {name_of(each.change) for each in planned.changes if each.change.action is Action.BY_HAND}
            named = {step.context.name_accounts(name) for name in left} | left
            results = step.check()
            carried.checks += [check for check in results if check.passed or check.name not in named]


def _write_report(
    carried: Carried, contexts: Mapping[str, RunContext], started: datetime.datetime, wall_s: float
) -> None:
    error = carried.error
    verdict = "applied" if carried.passed else "failed"
    why = f" {type(error).__name__}: {error}" if error is not None else ""
    page = plan_page(
        carried.plan,
        verdict=verdict,
        results=carried.results,
        checks=carried.checks,
        sentence=f"{carried.sentence}{why}",
    )
    write_explained(carried.folder / "index.html", page)
    failure = NotebookFailure(type(error).__name__, str(error)) if error is not None else None
    failures = {carried.begun[-1]: failure} if carried.begun else {}
    results = [
        notebook_result(carried.folder, notebook, mode="apply", wall_s=0.0, failure=failures.get(notebook))
        if notebook in carried.begun
        else NotebookResult(notebook, "not run")
        for notebook in contexts
    ]
    summary = RunSummary(
        run_id=carried.folder.name,
        target=carried.plan.place.target,
        mode="apply",
        started=started.isoformat(timespec="seconds"),
        wall_s=wall_s,
        notebooks=tuple(results),
    )
    summary.write(carried.folder / "summary.json")
