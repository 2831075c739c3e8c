"""Exercises of notebooks 09 to 11, done by the person who signs in, and what exercises left behind."""

from __future__ import annotations

from contextlib import suppress

from idc_aws.connection import Connection
from idc_aws.errors import ConfigFileError, KitError
from idc_aws.signin.activation import describe_person
from idc_aws.signin.config_file import read_config
from idc_aws.signin.profiles import read_profile
from idc_aws.signin.terminal import Terminal, sandbox_terminal
from idc_helpers.runbook.exercises.administrator import ACCESS_EXERCISES
from idc_helpers.runbook.exercises.exercise import CleanUp, Examination, Exercise, Finding, Look
from idc_helpers.runbook.run import RunContext

_ON_AWS = (
    "No API shows this, so on AWS you are your own judge: look in the access portal, or on the user's page of"
    " the console."
)


def _second_device(look: Look) -> Examination:
    person = describe_person(look.connection, look.names["user_name"])
    if person.device_kinds is None:
        return Examination(unreadable=_ON_AWS)
    count = len(person.device_kinds)
    found = (
        f"{count}: {', '.join(sorted(person.device_kinds))}" if count else "none yet: activate the user first"
    )
    return Examination(
        (Finding(f"{person.user_name} has two MFA devices or more", count > 1, found),),
    )


def _second_profile(look: Look) -> Examination:
    if look.connection.console is None:
        return Examination(unreadable="On AWS this kit does not look into your own config file: try it out.")
    terminal = _terminal(look.connection)
    try:
        config = read_config(terminal.config_file)
    except ConfigFileError as error:
        return Examination(unreadable=error.message)
    first_name = look.names["profile_name"]
    first = read_profile(config, first_name)
    others = [name for name in config.profiles if name != first_name]
    if not first or not others:
        missing = (
            f"no profile {first_name!r} yet" if not first else f"only {first_name!r} is in the config file"
        )
        return Examination((Finding("a second profile is in the config file", False, missing),))
    best = max(others, key=lambda name: _likeness(first, read_profile(config, name)))
    second = read_profile(config, best)
    findings = (
        Finding("a second profile is in the config file", True, best),
        Finding(
            "it signs in through the same session",
            second.get("sso_session") == first.get("sso_session"),
            f"sso_session = {second.get('sso_session', 'none')}",
        ),
        Finding(
            "for another account or permission set", _role(second) != _role(first), _role_in_words(second)
        ),
    )
    is_right = all(finding.done for finding in findings)
    return Examination((*findings, _works(terminal, best) if is_right else _NOT_TRIED))


_NOT_TRIED = Finding("and it works", False, "not tried: first the lines above")


def _works(terminal: Terminal, profile_name: str) -> Finding:
    answer = terminal.call("sts", "get-caller-identity", profile=profile_name)
    account = str(answer.values.get("Account", ""))
    return Finding("and it works", bool(account), account or answer.refusal)


def _role_in_words(profile: dict[str, str]) -> str:
    return " · ".join(part for part in _role(profile) if part) or "no role"


def _terminal(connection: Connection) -> Terminal:
    # Asking for it starts several programs; it stays the same as long as the sandbox runs.
    if "terminal" not in connection.cache:
        connection.cache["terminal"] = sandbox_terminal(connection)
    terminal: Terminal = connection.cache["terminal"]
    return terminal


def _likeness(first: dict[str, str], other: dict[str, str]) -> int:
    return int(other.get("sso_session") == first.get("sso_session")) + int(_role(other) != _role(first))


def _role(profile: dict[str, str]) -> tuple[str, str]:
    return profile.get("sso_account_id", ""), profile.get("sso_role_name", "")


def _no_session(look: Look) -> Examination:
    person = describe_person(look.connection, look.names["user_name"])
    if person.session_count is None:
        return Examination(unreadable=_ON_AWS)
    was_active = bool(person.has_password and person.device_kinds)
    count = person.session_count
    goes_on = f"{count} still active" if count else "none is active"
    return Examination(
        (
            Finding("the person has been active", was_active, "yes" if was_active else "not activated yet"),
            Finding("no session of the access portal is active", was_active and not count, goes_on),
        )
    )


PEOPLE_EXERCISES = (
    Exercise(
        name="spare_device",
        notebook="09_activate_user",
        title="a spare key",
        task=(
            "Telephones fall into lakes. Register a second MFA device for `{user_name}`, before the first one"
            " does."
        ),
        hint=(
            "As the person: open the access portal, sign in, “My devices” at the top, “Register a device”."
            " An authenticator app on the same telephone is not a spare; a passkey of your computer is one."
        ),
        afterwards="The device goes with the user; on the same page it can be removed.",
        examine=_second_device,
        names={"user_name": "richard.roe"},
    ),
    Exercise(
        name="second_profile",
        notebook="10_aws_configure_sso",
        title="two profiles, one sign-in",
        task=(
            "Work in two accounts without signing in twice: add a second profile to the config file that uses"
            " the same `sso_session` as `{profile_name}`, for another account or permission set, and call"
            " something with it."
        ),
        hint=(
            "In a terminal of the lab, give the session name that is there already; the CLI then asks for"
            " account and role only:\n"
            "    aws configure sso --profile second\n"
            "    aws sts get-caller-identity --profile second"
        ),
        afterwards="Two sections of a config file: delete the lines of the second profile when you are done.",
        examine=_second_profile,
        names={"profile_name": "practice"},
    ),
    Exercise(
        name="end_every_session",
        notebook="11_temporary_credentials",
        title="the last one turns off the light",
        task=(
            "End every session of `{user_name}`: in the browser and in the terminal. Then find out what a"
            " profile still answers, and for how long."
        ),
        hint=(
            "In the access portal: Sign out. In a terminal:\n"
            "    aws sso logout\n"
            "    aws sts get-caller-identity --profile practice\n"
            "Keys that are out already live on to their end: ending a session stops new ones."
        ),
        afterwards="Nothing remains: a new sign-in begins a new session.",
        examine=_no_session,
        names={"user_name": "richard.roe"},
    ),
)
"""In the order of the notebooks."""


def list_leftovers(context: RunContext) -> tuple[CleanUp, ...]:
    """Return what exercises left that no receipt names: memberships, assignments, groups, permission sets."""
    # They are known by the names that the exercises give them: on AWS one may be somebody else's.
    found: list[CleanUp] = []
    if context.connection.instance_or_none() is None:
        return ()
    # People before groups, assignments before the sets that they stand on.
    for exercise in reversed(ACCESS_EXERCISES):
        # What cannot be read here, such as the permission sets of an account instance, is not there either.
        with suppress(KitError):
            found += exercise.examine(Look(context, exercise.names)).clean_up
    return tuple(found)
