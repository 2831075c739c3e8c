"""How far the lesson is: each step's state, what changed outside, and what the side bar shows of it."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from idc_aws.changes import Action, Plan, State
from idc_aws.errors import KitError
from idc_aws.files import read_object, write_whole
from idc_aws.identity_store import find_principal_ids
from idc_aws.resource import Resource
from idc_aws.sandbox import current_state_id
from idc_aws.scrubbing import clean_values
from idc_aws.settings import ConsoleSettings
from idc_aws.signin.activation import PersonStatus, describe_person
from idc_aws.signin.profiles import SignedInProfiles, find_signed_in_profiles
from idc_helpers.runbook.comparing import differing_fields
from idc_helpers.runbook.lesson import EVERYBODY, LESSON, PERSON, LessonStep
from idc_helpers.runbook.records import Receipt, read_events
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import OWN_VALUES, Step, digest
from idc_helpers.runbook.words import format_field, format_thing


class StepState(Enum):
    """How far a step of the lesson is; a symbol and a word, so that no colour is needed."""

    DONE = ("✔", "done")
    WAITING = ("✎", "waiting for you")
    """Only a person can do it, and can do it now."""
    NOT_APPLIED = ("○", "not applied")
    CHANGED_OUTSIDE = ("≠", "changed outside")
    """The receipts name what this kit made; the target holds something else now."""
    LATER = ("…", "later")
    """Another step comes first."""
    BY_YOURSELF = ("☐", "by yourself")
    """Nothing that the kit can read shows whether it is done."""
    NOT_ASKED = ("–", "not asked for")
    UNREADABLE = ("?", "cannot be read")

    @property
    def symbol(self) -> str:
        """One character."""
        return self.value[0]

    @property
    def word(self) -> str:
        """What the symbol means."""
        return self.value[1]

    @property
    def is_open(self) -> bool:
        """Whether there is something to do now."""
        return self in (StepState.WAITING, StepState.NOT_APPLIED, StepState.CHANGED_OUTSIDE)


def changed_outside(step: Step) -> list[str]:
    """Return what of a step's things is not as this run's receipts left it, in words; reads only."""
    # Receipts that were undone, and those of another place or instance, say nothing.
    resources = step.resources(step.context.connection)
    return [
        words
        for (kind, key), fields in _left_by(step.context, step.name).items()
        if kind in resources
        for words in _differences(resources[kind], key, fields)
    ]


def _left_by(context: RunContext, step: str) -> Mapping[tuple[str, str], State]:
    """Return the fields that the run's open receipts set, by kind and key of the thing."""
    found: dict[tuple[str, str], State] = {}
    for receipt in reversed(context.receipts.open_receipts()):
        if receipt.step == step and receipt.status == "done" and _is_of_here(receipt, context):
            after, before = receipt.after or {}, receipt.before or {}
            fields = {name: after.get(name) for name in differing_fields(after, before)}
            found.setdefault((receipt.kind, receipt.key), {}).update(fields)
    return found


def _differences(resource: Resource, key: str, left: State) -> list[str]:
    name = format_thing(resource.kind, key)
    actual = resource.read([key]).get(key)
    if actual is None:
        return [f"{name} is gone"]
    fields = differing_fields(left, actual)
    return [f"{name}: {', '.join(map(format_field, fields))}"] if fields else []


def _is_of_here(receipt: Receipt, context: RunContext) -> bool:
    origin = context.origin(receipt.step)
    if receipt.kind == "instance":
        return True
    # A sandbox that was reset gives its next instance the same ARN: only its age tells them apart.
    instance = context.connection.instance_or_none()
    created = instance.created_at if instance else None
    is_older = created is not None and datetime.datetime.fromisoformat(receipt.at) < created
    return receipt.instance_arn == origin.instance_arn and not is_older


def has_own_values(step: Step) -> bool:
    """Return whether the last apply of a step was of a form's values and not of this scenario; reads only."""
    context = step.context
    last, here = None, str(context.receipt_place)
    for entry in read_events(context.events.path):
        is_here = entry.get("place", here) == here
        if is_here and entry.get("step") == step.name and entry.get("event") in ("applied", OWN_VALUES):
            last = entry
    is_own = bool(last and last["event"] == OWN_VALUES and last.get("scenario") == digest(step.desired))
    return is_own and not _is_taken_back(context, step.name)


def _is_taken_back(context: RunContext, step: str) -> bool:
    """Return whether the run wrote something for a step, and all of it was undone."""
    written = any(receipt.step == step for receipt in context.receipts.read())
    return written and not any(receipt.step == step for receipt in context.receipts.open_receipts())


_MOST_PEOPLE = 10
Reading = tuple[StepState, str]
_UNSEEN: Reading = (StepState.BY_YOURSELF, "no API shows it")


class PersonReader:
    """Reads the states of the person's steps; what they share is read once."""

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def read(self, name: str) -> Reading:
        """Return how far a step is, and a detail, by the method that is called like the step; reads only."""
        is_sandbox = self._context.connection.is_sandbox
        if not is_sandbox and name in ("activation", "portal"):
            return _UNSEEN
        if is_sandbox and self._person is None:
            return _waits_for("users")
        reading: Reading = getattr(self, f"_{name}")()
        return reading

    @cached_property
    def _person(self) -> PersonStatus | None:
        connection = self._context.connection
        scenario = self._context.scenario
        users = (scenario.person.user_name, *(user.user_name for user in scenario.users[:_MOST_PEOPLE]))
        names = [str(name) for name in dict.fromkeys(users) if name]
        there = find_principal_ids(connection, [("USER", name) for name in names])
        people = [describe_person(connection, name) for name in names if ("USER", name) in there]
        return max(people, key=_how_far, default=None)

    @cached_property
    def _terminal(self) -> SignedInProfiles:
        return find_signed_in_profiles(self._context.connection)

    @property
    def _profile_name(self) -> str:
        """The profile of the lesson's person, or the first of the portal's."""
        names, own = self._terminal.names, self._context.scenario.person.profile_name
        return own if own in names else names[0]

    @cached_property
    def _passed(self) -> frozenset[str]:
        """The steps whose last check passed: those leave nothing behind that could be read."""
        return frozenset(step for step, all_passed in _checked(self._context).items() if all_passed)

    def _activation(self) -> Reading:
        person = self._person
        assert person is not None
        if not person.has_password:
            return StepState.WAITING, "no password yet"
        if not person.device_kinds and self._asks_for_device:
            return StepState.WAITING, f"{person.user_name} has no MFA device yet"
        return StepState.DONE, person.user_name

    @property
    def _asks_for_device(self) -> bool:
        name = "multi_factor_authentication"
        settings = ConsoleSettings(self._context.connection).read([name]).get(name, {})
        return settings.get("prompt") != "never"

    def _portal(self) -> Reading:
        person = self._person
        if person is None or not person.has_password:
            return _waits_for("activation")
        if not person.session_count:
            return StepState.WAITING, f"{person.user_name} is not signed in"
        return StepState.DONE, f"{person.user_name} is signed in"

    def _command_line(self) -> Reading:
        if self._terminal.names:
            return StepState.DONE, f"profile {self._profile_name}"
        if not self._context.connection.is_sandbox:
            return StepState.BY_YOURSELF, "no profile here leads to this portal"
        person = self._person
        if person is None or not person.has_password:
            return _waits_for("activation")
        return StepState.WAITING, "no profile leads to the portal"

    def _use_profile(self) -> Reading:
        if not self._terminal.names:
            return _waits_for("command_line")
        if "command_line" in self._passed:
            return StepState.DONE, "its check passed"
        return StepState.BY_YOURSELF, f"aws s3 ls --profile {self._profile_name}"

    def _sign_in(self) -> Reading:
        if not self._terminal.names:
            return _waits_for("command_line")
        if self._terminal.has_token is None:
            return _UNSEEN
        if self._terminal.has_token:
            return StepState.DONE, "a login's token is there"
        return StepState.WAITING, f"aws sso login --profile {self._profile_name}"

    def _temporary_credentials(self) -> Reading:
        if "temporary_credentials" in self._passed:
            return StepState.DONE, "its check passed"
        if not self._terminal.names:
            return _waits_for("command_line")
        return StepState.BY_YOURSELF, "look at the keys of the profile"


def _waits_for(name: str) -> Reading:
    return StepState.LATER, f"waits for step {LESSON[name].number}"


def _how_far(person: PersonStatus) -> tuple[bool, bool]:
    # A password does not count: an administrator may have made it, and nobody has come yet.
    return bool(person.device_kinds), bool(person.session_count)


@dataclass(frozen=True)
class StepReading:
    """One step and how far it is."""

    entry: LessonStep
    state: StepState
    detail: str = ""

    @property
    def words(self) -> str:
        """Symbol, word and detail, such as ``"○ not applied: 3 to create"``."""
        return f"{self.state.symbol} {self.state.word}" + (f": {self.detail}" if self.detail else "")


_WORDS = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.DELETE: "to delete",
    Action.BY_HAND: "to set in the console",
    Action.UNCHANGED: "as wanted",
    Action.SKIPPED: "skipped",
}


def read_states(context: RunContext, numbers: Collection[int] = ()) -> tuple[StepReading, ...]:
    """Return the lesson's steps with their states, in order; reads only."""
    entries = [entry for entry in LESSON.values() if not numbers or entry.number in numbers]
    # Another notebook may have made or deleted the instance since.
    has_instance = context.connection.refresh_instance() is not None
    person = PersonReader(context)
    return tuple(StepReading(entry, *_read(context, entry, has_instance, person)) for entry in entries)


def _read(context: RunContext, entry: LessonStep, has_instance: bool, person: PersonReader) -> Reading:
    if entry.name != "instance" and not has_instance:
        return _waits_for("instance")
    try:
        if entry.wants:
            return _state_of(Step(context, entry.name))
        if entry.who == PERSON:
            return person.read(entry.name)
        if entry.who == EVERYBODY and person.read("temporary_credentials")[0] is not StepState.DONE:
            return _waits_for("temporary_credentials")
    except KitError as error:
        return StepState.UNREADABLE, error.message.splitlines()[0]
    return StepState.DONE, "there to read"


def _state_of(step: Step) -> Reading:
    plan = step.compare()
    if not plan.changes:
        return StepState.NOT_ASKED, "the scenario says nothing of it"
    if plan.is_empty:
        return StepState.DONE, _in_words(plan) if plan.skipped else ""
    outside = changed_outside(step)
    if outside:
        return StepState.CHANGED_OUTSIDE, "; ".join(outside)
    if has_own_values(step):
        return StepState.DONE, "with values of your own, not the scenario's"
    return (StepState.NOT_APPLIED if plan.writes else StepState.WAITING), _in_words(plan)


def _in_words(plan: Plan) -> str:
    found = Counter(change.action for change in plan.changes)
    return ", ".join(f"{found[action]} {words}" for action, words in _WORDS.items() if found[action])


def count_done(readings: Iterable[StepReading]) -> int:
    """Return how many steps are done."""
    return sum(reading.state is StepState.DONE for reading in readings)


def next_step(readings: Iterable[StepReading]) -> StepReading | None:
    """Return the first step at which there is something to do, for the kit or by oneself; or None."""
    return next((each for each in readings if is_to_do(each.entry, each.state)), None)


def is_to_do(step: LessonStep, state: StepState) -> bool:
    """Return whether a step may be what comes next: those that are optional never are."""
    return (state.is_open or state is StepState.BY_YOURSELF) and not step.is_optional


BY_YOU, ALREADY_SO = "by you", "already so"
_MEMORY = "lesson.json"


def remember(context: RunContext, readings: Iterable[StepReading]) -> tuple[StepReading, ...]:
    """Return what was read, with who made it so; writes down what the side bar shows."""
    # A step that was open once, or has a receipt, is done by the person, by whatever door. What is so from
    # the first reading on, or since the instance was enabled, was so already. A sandbox that was reset is
    # another place, and begins anew.
    readings, place = tuple(readings), clean_values(str(context.receipt_place))
    before = _remembered(context.run_folder)
    known = before if before.get("place") == place else {}
    was_open = set(known.get("was_open", ()))
    was_open |= {reading.entry.name for reading in readings if reading.state.is_open}
    by_you = was_open | {receipt.step for receipt in context.receipts.open_receipts()}
    told = tuple(_told(reading, by_you) for reading in readings)
    checked = _checked(context)
    steps = {
        reading.entry.name: {
            "state": reading.state.name,
            "words": reading.words,
            "checked": checked.get(reading.entry.name, False),
        }
        for reading in told
    }
    now = {
        "place": place,
        "state_id": context.receipt_place.state_id,
        "was_open": sorted(was_open),
        "steps": {**known.get("steps", {}), **steps},
    }
    if now != before:
        _write(context.run_folder, now)
    return told


def remembered_steps(run_folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what was written down last, by the step's name: ``state``, ``words`` and ``checked``.

    Nothing when it was written of a sandbox that was reset since.
    """
    known = _remembered(run_folder)
    state_id = known.get("state_id")
    is_gone = state_id and current_state_id() not in ("", state_id)
    return {} if is_gone else known.get("steps", {})


def _told(reading: StepReading, by_you: set[str]) -> StepReading:
    if reading.state is not StepState.DONE or not reading.entry.wants:
        return reading
    who = BY_YOU if reading.entry.name in by_you else ALREADY_SO
    return replace(reading, detail=", ".join(filter(None, (who, reading.detail))))


def _checked(context: RunContext) -> dict[str, bool]:
    """Return whether all of a step's last checks passed, for the steps that were checked at this place."""
    place = clean_values(str(context.receipt_place))
    return {
        str(event.get("step")): all(check["passed"] for check in event.get("checks", ()))
        for event in read_events(context.events.path)
        if event.get("event") == "checked" and event.get("place", place) == place
    }


def _remembered(run_folder: Path) -> dict[str, Any]:
    content = read_object(run_folder / _MEMORY)
    is_whole = isinstance(content.get("was_open"), list) and isinstance(content.get("steps"), dict)
    return content if is_whole else {}


def _write(run_folder: Path, content: Mapping[str, Any]) -> None:
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        write_whole(run_folder / _MEMORY, json.dumps(clean_values(content), indent=1))
    except OSError:
        return  # a folder that cannot be written costs the side bar its marks, and nothing else
