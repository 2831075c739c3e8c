"""What examinations of exercises find on the target; they only read, and say how to take a thing back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from idc_aws.access import AssignmentRow, assignment_key, list_all_account_assignments, list_permission_sets
from idc_aws.calls import once
from idc_aws.changes import State
from idc_aws.connection import Connection, management_account_id
from idc_aws.errors import ConfigFileError
from idc_aws.identifiers import describe_length, did_you_mean
from idc_aws.identity_store import find_principal_id, list_group_members, list_principal_names
from idc_aws.organization import DelegatedAdministrators, list_accounts, resolve_account
from idc_aws.permission_sets import PermissionSets
from idc_aws.scenario.values import shortened
from idc_aws.settings import KEY, AttributesForAccessControl, ConsoleSettings
from idc_aws.signin.activation import describe_person
from idc_aws.signin.config_file import read_config
from idc_aws.signin.profiles import read_profile
from idc_aws.signin.terminal import Terminal, sandbox_terminal
from idc_helpers.runbook.run import RunContext

_ON_AWS = (
    "No API shows this, so on AWS you are your own judge: look in the access portal, or on the user's page of"
    " the console."
)
_EMPTY = "nothing yet: give it as the answer, in quotes, and run the cell again"


@dataclass(frozen=True)
class Finding:
    """One thing that the task asks for."""

    words: str
    done: bool
    found: str


@dataclass(frozen=True)
class CleanUp:
    """What remains of an exercise, and the command that removes it, for a terminal of the target."""

    what: str
    command: str


@dataclass(frozen=True)
class Examination:
    """What the target shows of an exercise."""

    findings: tuple[Finding, ...] = ()
    clean_up: tuple[CleanUp, ...] = ()
    unreadable: str = ""

    @property
    def done(self) -> bool:
        """Whether the target shows everything that the task asks for."""
        return bool(self.findings) and all(finding.done for finding in self.findings)


@dataclass(frozen=True)
class Look:
    """What an examination looks with."""

    context: RunContext
    names: Mapping[str, str]
    answer: str = ""

    @property
    def connection(self) -> Connection:
        """The connection to the target."""
        return self.context.connection

    def clean_up(self, what: str, command: str, **options: str) -> CleanUp:
        """Return the command that removes a thing, as the AWS CLI has it."""
        words = [f"aws {command}"]
        words += [f"--{name.replace('_', '-')} {value}" for name, value in options.items()]
        return CleanUp(what, " ".join(words))

    def require_instance(self) -> None:
        """Return when there is an instance to look into."""
        self.connection.instance  # noqa: B018 - reading it asks AWS

    def is_receipted(self, kind: str, key: str) -> bool:
        """Return whether a receipt of this run names a thing: undo and teardown take it back."""
        return any(
            (receipt.kind, receipt.key, receipt.action) == (kind, key, "create")
            for receipt in self.context.receipts.open_receipts()
        )


def _identity_store(look: Look) -> Examination:
    instance = look.connection.instance
    words = "the identity store's id"
    if look.answer == instance.identity_store_id:
        return _answered(words, True, look.answer)
    hints = {
        "": _EMPTY,
        instance.instance_arn: "that is the ARN of the instance; the identity store has an id of its own",
        instance.owner_account_id: "that is the account which owns the instance",
    }
    otherwise = f"{shortened(look.answer)} is not it: an id starts with d- and has ten more characters"
    if look.answer.startswith("d-"):
        otherwise = (
            f"{shortened(look.answer)} is another one: was the call made in Region {instance.region!r}?"
        )
    return _answered(words, False, hints.get(look.answer, otherwise))


def _answered(words: str, done: bool, found: str) -> Examination:
    return Examination((Finding(words, done, found),))


def _mapping(look: Look) -> Examination:
    found = AttributesForAccessControl(look.connection).read([KEY]).get(KEY, {}).get("attributes", {})
    key, source = look.names["key"], look.names["source"]
    near = next((one for one in found if one.casefold() == key.casefold() and one != key), "")
    there = found.get(key) or (f"there is {near!r}: capital letters count" if near else "no such key")
    wanted = look.context.scenario.access_control_attributes
    kept = dict(wanted.attributes) if wanted else {}
    lost = sorted(name for name, value in kept.items() if found.get(name) != value)
    still = (
        "all there" if not lost else f"gone or changed: {', '.join(lost)}; the call replaces the whole list"
    )
    return Examination(
        (
            Finding(f"{key} is mapped to {source}", found.get(key) == source, str(there)),
            Finding("the mappings of before are still there", not lost, still),
        )
    )


def _portal_session(look: Look) -> Examination:
    if look.connection.console is None:
        return Examination(
            unreadable="No API shows this setting, so on AWS you are your own judge: open it again and look."
        )
    wanted = look.names["duration"]
    found = ConsoleSettings(look.connection).read(["sessions"])["sessions"]
    background = look.context.scenario.authentication.sessions.user_background
    other = found["user_background"]
    kept = describe_length(other)
    if other == wanted and found["user_interactive"] != wanted:
        kept = "that is the session of background jobs; people have the other one"
    return Examination(
        (
            Finding(
                f"a portal session lasts {describe_length(wanted)}",
                found["user_interactive"] == wanted,
                describe_length(found["user_interactive"]),
            ),
            Finding("background sessions are as they were", other == background, kept),
        )
    )


def _delegate(look: Look) -> Examination:
    accounts = {account.account_id: account for account in list_accounts(look.connection)}
    delegates = DelegatedAdministrators(look.connection).read(list(accounts))
    words = "the id of the delegated administrator's account"
    if not delegates:
        return _answered(words, False, "there is no delegated administrator yet: apply the step above")
    if look.answer in delegates:
        return _answered(words, True, f"{look.answer}, {accounts[look.answer].name}")
    if look.answer in accounts:
        is_manager = look.answer == management_account_id(look.connection)
        why = "which needs no delegation" if is_manager else "which may administer nothing here"
        return _answered(words, False, f"that is {accounts[look.answer].name!r}, {why}")
    found = f"{shortened(look.answer)} is not an account of this organization" if look.answer else _EMPTY
    return _answered(words, False, found)


def _permission_set(look: Look) -> Examination:
    name = look.names["permission_set"]
    known = list_permission_sets(look.connection)
    if name not in known:
        absent = f"there is none. {did_you_mean(name, known)}".rstrip()
        return Examination((Finding(f"permission set {name} exists", False, absent),))
    state = PermissionSets(look.connection).read([name])[name]
    remove = look.clean_up(
        f"permission set {name}",
        "sso-admin delete-permission-set",
        instance_arn=look.connection.instance.instance_arn,
        permission_set_arn=known[name],
    )
    return Examination(
        (Finding(f"permission set {name} exists", True, "yes"), *_permission_set_fields(look, state)),
        () if look.is_receipted("permission_set", name) else (remove,),
    )


def _permission_set_fields(look: Look, state: State) -> tuple[Finding, ...]:
    wanted, service = look.names["session_duration"], look.names["service"]
    duration, relay_state = state["session_duration"], str(state.get("relay_state") or "")
    policies = [arn.rpartition("/")[2] for arn in state["managed_policies"]]
    policies += [f"{one['name']} (customer managed)" for one in state["customer_managed_policies"]]
    policies += ["an inline policy"] if state.get("inline_policy") else []
    is_landing = relay_state.startswith("https://") and f"/{service}/" in relay_state
    return (
        Finding(f"a session lasts {describe_length(wanted)}", duration == wanted, describe_length(duration)),
        Finding(f"people land in the console of {service}", is_landing, relay_state or "no relay state"),
        Finding(
            "it allows something",
            bool(policies),
            ", ".join(policies) or "no policy: a person who enters may do nothing at all",
        ),
    )


def _group(look: Look) -> Examination:
    name = look.names["group"]
    group_id = find_principal_id(look.connection, "GROUP", name)
    if group_id is None:
        there = list_principal_names(look.connection, "GROUP", at_most=100)
        absent = f"there is none. {did_you_mean(name, there)}".rstrip()
        return Examination((Finding(f"group {name} exists", False, absent),))
    store_id = look.connection.instance.identity_store_id
    answer = look.connection.call("identitystore", "describe_group", GroupId=group_id)
    described = answer.get("Description", "")
    remove = look.clean_up(
        f"group {name}", "identitystore delete-group", identity_store_id=store_id, group_id=group_id
    )
    return Examination(
        (
            Finding(f"group {name} exists", True, group_id),
            Finding("a description says whom it is for", bool(described), described or "none"),
        ),
        () if look.is_receipted("group", name) else (remove,),
    )


def _assignment(look: Look) -> Examination:
    group, wanted = look.names["group"], look.names["permission_set"]
    account = resolve_account(look.connection, look.names["account"])
    where = f"{account.name or account.account_id}"
    if find_principal_id(look.connection, "GROUP", group) is None:
        return Examination((_no_group(group),))
    rows = [row for row in list_all_account_assignments(look.connection) if row.principal_name == group]
    rows = [row for row in rows if row.principal_type == "GROUP"]
    here = [row.permission_set for row in rows if row.account_id == account.account_id]
    elsewhere = [row for row in rows if row.account_id != account.account_id]
    more = [name for name in here if name != wanted]
    findings = (
        Finding(f"{group} has {wanted} in {where}", wanted in here, _reaches(here, rows, where)),
        Finding("and nothing more there", bool(here) and not more, ", ".join(more) or "nothing more"),
        Finding("and no other account", bool(rows) and not elsewhere, _elsewhere(elsewhere)),
    )
    return Examination(findings, tuple(_remove_assignment(look, row) for row in rows if not _ours(look, row)))


def _remove_assignment(look: Look, row: AssignmentRow) -> CleanUp:
    where = row.account_name or row.account_id
    return look.clean_up(
        f"assignment of {row.permission_set} to {row.principal_type.lower()} {row.principal_name} in {where}",
        "sso-admin delete-account-assignment",
        instance_arn=look.connection.instance.instance_arn,
        permission_set_arn=list_permission_sets(look.connection)[row.permission_set],
        principal_type=row.principal_type,
        principal_id=row.principal_id,
        target_type="AWS_ACCOUNT",
        target_id=row.account_id,
    )


def _no_group(group: str) -> Finding:
    return Finding(f"group {group} exists", False, "there is none: the exercise of notebook 06 makes it")


def _reaches(here: list[str], rows: list[AssignmentRow], where: str) -> str:
    if here:
        return ", ".join(here)
    return f"nothing in {where}" if rows else "no assignment at all"


def _elsewhere(rows: list[AssignmentRow]) -> str:
    listed = (f"{row.permission_set} in {row.account_name or row.account_id}" for row in rows)
    return ", ".join(listed) or "none"


def _ours(look: Look, row: AssignmentRow) -> bool:
    key = assignment_key(row.principal_type, row.principal_name, row.permission_set, row.account_id)
    return look.is_receipted("account_assignment", key)


def _members(look: Look) -> Examination:
    group = look.names["group"]
    group_id = find_principal_id(look.connection, "GROUP", group)
    if group_id is None:
        return Examination((_no_group(group),))
    members = list_group_members(look.connection, group_id)
    names = ", ".join(name for name, _ in members)
    found = f"{len(members)}: {names}" if members else "nobody"
    return Examination(
        (Finding(f"group {group} has two members or more", len(members) > 1, found),),
        _remove_members(look, group, members),
    )


def _remove_members(look: Look, group: str, members: list[tuple[str, str]]) -> tuple[CleanUp, ...]:
    # What the scenario itself wants was not left by an exercise.
    wanted = {user.user_name for user in look.context.scenario.users if group in user.groups}
    return tuple(
        look.clean_up(
            f"membership of {name} in {group}",
            "identitystore delete-group-membership",
            identity_store_id=look.connection.instance.identity_store_id,
            membership_id=membership_id,
        )
        for name, membership_id in members
        if name not in wanted and not look.is_receipted("group_membership", f"{name} in {group}")
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
    membership, clean_up = _membership(look)
    if look.connection.console is None:
        return Examination(
            clean_up=clean_up,
            unreadable="On AWS this kit does not look into your own config file: try it out.",
        )
    connection = look.connection
    # Asking for it starts several programs; it stays the same as long as the sandbox runs.
    terminal = once(connection.cache, "terminal", lambda: sandbox_terminal(connection))
    try:
        config = read_config(terminal.config_file)
    except ConfigFileError as error:
        return Examination(clean_up=clean_up, unreadable=error.message)
    first_name = look.names["profile_name"]
    first = read_profile(config, first_name)
    others = [name for name in config.profiles if name != first_name]
    if not first or not others:
        missing = (
            f"no profile {first_name!r} yet" if not first else f"only {first_name!r} is in the config file"
        )
        second_there = Finding("a second profile is in the config file", False, missing)
        return Examination((membership, second_there), clean_up)
    account = resolve_account(look.connection, look.names["account"])
    wanted = account.account_id, look.names["permission_set"]
    best = max(others, key=lambda name: _likeness(first, read_profile(config, name), wanted))
    second = read_profile(config, best)
    findings = (
        membership,
        Finding("a second profile is in the config file", True, best),
        Finding(
            "it signs in through the same session",
            second.get("sso_session") == first.get("sso_session"),
            f"sso_session = {second.get('sso_session', 'none')}",
        ),
        Finding(
            f"it is for {wanted[1]} in {look.names['account']}",
            _role(second) == wanted,
            " · ".join(filter(None, _role(second))) or "no role",
        ),
    )
    is_right = all(finding.done for finding in findings)
    return Examination((*findings, _works(terminal, best) if is_right else _NOT_TRIED), clean_up)


def _membership(look: Look) -> tuple[Finding, tuple[CleanUp, ...]]:
    """Return whether the person is in the exercise's group, and what removes them from it again."""
    user_name, group = look.names["user_name"], look.names["group"]
    group_id = find_principal_id(look.connection, "GROUP", group)
    found = list_group_members(look.connection, group_id) if group_id else []
    mine = [member for member in found if member[0] == user_name]
    otherwise = "there is no such group" if group_id is None else "not yet"
    finding = Finding(f"{user_name} is in the group {group}", bool(mine), "yes" if mine else otherwise)
    return finding, _remove_members(look, group, mine)


_NOT_TRIED = Finding("and it works", False, "not tried: first the lines above")


def _works(terminal: Terminal, profile_name: str) -> Finding:
    answer = terminal.call("sts", "get-caller-identity", profile=profile_name)
    account = str(answer.values.get("Account", ""))
    signed_out = f"nobody is signed in: aws sso login --profile {profile_name}"
    refusal = signed_out if answer.is_signed_out else answer.refusal
    return Finding("and it works", bool(account), account or refusal)


def _likeness(first: dict[str, str], other: dict[str, str], wanted: tuple[str, str]) -> int:
    return int(other.get("sso_session") == first.get("sso_session")) + int(_role(other) == wanted)


def _role(profile: dict[str, str]) -> tuple[str, str]:
    return profile.get("sso_account_id", ""), profile.get("sso_role_name", "")


def _no_session(look: Look) -> Examination:
    person = describe_person(look.connection, look.names["user_name"])
    if person.session_count is None:
        return Examination(unreadable=_ON_AWS)
    was_active = bool(person.has_password and person.device_kinds)
    count = person.session_count
    goes_on = (
        f"{count} still active: “Active sessions” of the user in the practice console"
        if count
        else "none is active"
    )
    return Examination(
        (
            Finding("the person has been active", was_active, "yes" if was_active else "not activated yet"),
            Finding("no session of the access portal is active", was_active and not count, goes_on),
        )
    )


EXAMINATIONS: Mapping[str, Callable[[Look], Examination]] = {
    "ask_for_the_instance": _identity_store,
    "one_more_mapping": _mapping,
    "shorter_portal_session": _portal_session,
    "name_the_delegate": _delegate,
    "on_call": _permission_set,
    "group_of_auditors": _group,
    "read_only_for_auditors": _assignment,
    "two_auditors": _members,
    "spare_device": _second_device,
    "second_profile": _second_profile,
    "end_every_session": _no_session,
}
"""By the exercise's name."""


def left_by(name: str, look: Look) -> tuple[CleanUp, ...]:
    """Return what an exercise left; reads only."""
    # Whether the second profile works is asked of a terminal, and that is another question.
    return _membership(look)[1] if name == "second_profile" else EXAMINATIONS[name](look).clean_up
