"""How far the person's half of the lesson is: what the sandbox shows of it, and what no API of AWS does."""

from __future__ import annotations

from functools import cached_property

from idc_helpers.aws.activation import PersonStatus, describe_person
from idc_helpers.aws.console_settings import ConsoleSettings
from idc_helpers.aws.identity_store import find_user_id
from idc_helpers.aws.signed_in_profiles import SignedInProfiles, find_signed_in_profiles
from idc_helpers.runbook.events import read_events
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.states import StepState

_MOST_PEOPLE = 10
Reading = tuple[StepState, str]
_UNSEEN: Reading = (StepState.BY_YOURSELF, "no API shows it")


class PersonReader:
    """Reads the states of steps 14 to 19; what they share is read once.

    Parameters
    ----------
    context
        The run; the person is whoever of the scenario's ``person`` and first users has come furthest.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def read(self, number: int) -> Reading:
        """Return how far a step of the person's half is, and a detail; reads only."""
        if not self._context.connection.is_sandbox and number in (14, 15):
            return _UNSEEN
        if self._context.connection.is_sandbox and self._person is None:
            return StepState.LATER, "waits for step 13"
        readers = {
            14: self._activation,
            15: self._portal,
            16: self._profile,
            17: self._use,
            18: self._login,
            19: self._keys,
        }
        return readers[number]()

    @cached_property
    def _person(self) -> PersonStatus | None:
        connection = self._context.connection
        scenario = self._context.scenario
        users = (scenario.person.user_name, *(user.user_name for user in scenario.users[:_MOST_PEOPLE]))
        names = [str(name) for name in dict.fromkeys(users) if name]
        people = [describe_person(connection, name) for name in names if find_user_id(connection, name)]
        return max(people, key=_how_far, default=None)

    @cached_property
    def _terminal(self) -> SignedInProfiles:
        return find_signed_in_profiles(self._context.connection)

    @cached_property
    def _passed(self) -> frozenset[str]:
        """The steps whose last check passed: those leave nothing behind that could be read."""
        passed: dict[str, bool] = {}
        for entry in read_events(self._context.events.path):
            if entry.get("event") == "checked":
                passed[entry.get("step", "")] = all(check["passed"] for check in entry.get("checks", ()))
        return frozenset(step for step, all_passed in passed.items() if all_passed)

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
            return StepState.LATER, "waits for step 14"
        if not person.session_count:
            return StepState.WAITING, f"{person.user_name} is not signed in"
        return StepState.DONE, f"{person.user_name} is signed in"

    def _profile(self) -> Reading:
        if self._terminal.names:
            return StepState.DONE, f"profile {self._terminal.names[0]}"
        if not self._context.connection.is_sandbox:
            return StepState.BY_YOURSELF, "no profile here leads to this portal"
        return self._after_activation("no profile leads to the portal")

    def _use(self) -> Reading:
        if not self._terminal.names:
            return StepState.LATER, "waits for step 16"
        if "command_line" in self._passed:
            return StepState.DONE, "its check passed"
        return StepState.BY_YOURSELF, f"aws s3 ls --profile {self._terminal.names[0]}"

    def _login(self) -> Reading:
        if not self._terminal.names:
            return StepState.LATER, "waits for step 16"
        if self._terminal.has_token is None:
            return _UNSEEN
        if self._terminal.has_token:
            return StepState.DONE, "a login's token is there"
        return StepState.WAITING, f"aws sso login --profile {self._terminal.names[0]}"

    def _keys(self) -> Reading:
        if "temporary_credentials" in self._passed:
            return StepState.DONE, "its check passed"
        if not self._terminal.names:
            return StepState.LATER, "waits for step 16"
        return StepState.BY_YOURSELF, "look at the keys of the profile"

    def _after_activation(self, words: str) -> Reading:
        person = self._person
        if person is None or not person.has_password:
            return StepState.LATER, "waits for step 14"
        return StepState.WAITING, words


def _how_far(person: PersonStatus) -> tuple[bool, bool, bool]:
    return bool(person.has_password), bool(person.device_kinds), bool(person.session_count)
