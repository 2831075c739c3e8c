"""What exists on the target, as a scenario that plans as all unchanged: the inverse of `desired`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from idc_aws.access import AssignmentRow, list_assignment_rows
from idc_aws.calls import one_look
from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, AccountInstanceError, InvalidValueError
from idc_aws.failures import failed_read
from idc_aws.groups import GroupMemberships, Groups
from idc_aws.identifiers import counted, managed_policy_arn
from idc_aws.instances import Instances
from idc_aws.organization import Account, DelegatedAdministrators, list_accounts, resolve_account
from idc_aws.permission_sets import PermissionSets
from idc_aws.resource import Resource
from idc_aws.scenario.access import PermissionSet, predefined_policy
from idc_aws.scenario.people import Group, User
from idc_aws.scenario.reading import scenario_refusals
from idc_aws.scenario.scenario import Instance
from idc_aws.scenario.values import Model, Refusal
from idc_aws.scrubbing import scrub
from idc_aws.settings import KEY, AttributesForAccessControl, ConsoleSettings
from idc_aws.units import AccountGroups
from idc_aws.users import Users
from idc_aws.uses import list_application_names

LISTS = ("permission_sets", "groups", "users", "account_assignments")
PARTS = (*LISTS, "instance", "access_control_attributes", "management", "settings", "applications")
"""What `Selection.only` may name."""
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Selection:
    """Which part of what exists is wanted; empty: all of it."""

    only: tuple[str, ...] = ()  # names out of `PARTS`
    # permission sets, groups and users by name, with ``*`` and ``?``; and their assignments
    names: tuple[str, ...] = ()
    # assignments in these, in those of units or with these tags, and what they name
    accounts: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    personal_data: bool = True  # whether users, memberships and access of single users are wanted

    def __post_init__(self) -> None:
        for name in self.only:
            if name not in PARTS:
                raise InvalidValueError(
                    f"{name!r} is no part of what exists", remedy=f"Parts are: {', '.join(PARTS)}."
                )

    def has(self, part: str) -> bool:
        """Whether a part is wanted."""
        return part in (self.only or PARTS) and (self.personal_data or part != "users")

    @property
    def by_account(self) -> bool:
        """Whether assignments in some accounts are wanted, and only what they name."""
        return bool(self.accounts or self.units or self.tags)

    def names_it(self, name: str) -> bool:
        """Whether a name is wanted."""
        return not self.names or any(fnmatchcase(name, pattern) for pattern in self.names)


@dataclass
class Imported:
    """What exists: a scenario's data, and what could not be put into it."""

    data: dict[str, Any]
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By section, what exists and is not in the scenario, with the reason."""
    unread: dict[str, str] = field(default_factory=dict)
    """What could not be read, and why."""
    applications: tuple[str, ...] = ()
    settings_are_readable: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """How many things of each kind are in the scenario; assignments one by one."""
        numbers = {part: len(self.data.get(part, ())) for part in LISTS}
        rows = self.data.get("account_assignments", ())
        return {**numbers, "account_assignments": sum(len(row["accounts"]) for row in rows)}

    @property
    def remarks(self) -> list[str]:
        """What a person should know: what could not be read, and what was left out."""
        unread = [f"could not be read: {what}: {why}" for what, why in self.unread.items()]
        return unread + [f"left out: {line}" for lines in self.left_out.values() for line in lines]

    def __str__(self) -> str:
        return ", ".join(
            counted(number, part.removesuffix("s").replace("_", " ")) for part, number in self.counts.items()
        )


@dataclass
class _Existing:
    """All that was read of one instance."""

    permission_sets: dict[str, State] = field(default_factory=dict)
    groups: dict[str, State] = field(default_factory=dict)
    users: dict[str, State] = field(default_factory=dict)
    memberships: list[tuple[str, str]] = field(default_factory=list)
    rows: list[AssignmentRow] = field(default_factory=list)


def import_scenario(connection: Connection, selection: Selection | None = None) -> Imported:
    """Return what exists as a scenario; reads only."""
    with one_look():
        return _Import(connection, selection or Selection()).run()


class _Import:
    def __init__(self, connection: Connection, selection: Selection) -> None:
        connection.instance  # noqa: B018 - without one there is nothing, and the error says where one is
        self._connection, self._selection = connection, selection
        self._imported = Imported({"target": connection.target, "region": connection.region})
        self._accounts = self._read("the accounts' names", lambda: list_accounts(connection), list[Account]())

    def run(self) -> Imported:
        has, data = self._selection.has, self._imported.data
        if not self._connection.is_sandbox:
            data["expected_account"] = self._connection.caller.account_id
        for part, sections in (
            ("instance", self._instance),
            ("access_control_attributes", self._attributes),
            ("settings", self._settings),
            ("management", self._management),
        ):
            if has(part):
                data.update(sections())
        found = self._selected(self._existing())
        data.update({name: entries for name, entries in self._lists(found) if entries and has(name)})
        if has("applications"):
            names = self._read("applications", lambda: list_application_names(self._connection), list[str]())
            self._imported.applications = tuple(names)
        _leave_out_refused(self._imported)
        return self._imported

    def _read(self, what: str, read: Callable[[], _Read], nothing: _Read) -> _Read:
        """Return what can be read; what the caller may not read is named, and does not stop the rest."""
        try:
            return read()
        except AccountInstanceError:
            return nothing  # such an instance has none
        except AccessDeniedError as error:
            self._imported.unread[what] = scrub(error.message)
            return nothing

    def _read_all(self, what: str, resource: type[Resource]) -> dict[str, State]:
        return self._read(what, resource(self._connection).read_all, dict[str, State]())

    def _leave_out(self, section: str, line: str) -> None:
        self._imported.left_out[section].append(scrub(line))

    # The settings of the instance.

    def _instance(self) -> dict[str, Any]:
        kind = self._connection.instance.kind
        states = self._read(
            "the instance's tags", lambda: Instances(self._connection).read([kind]), dict[str, State]()
        )
        state = states.get(kind, {"name": self._connection.instance.name})
        return {"instance": {"kind": kind, **{name: value for name, value in state.items() if value}}}

    def _attributes(self) -> dict[str, Any]:
        state = self._read_all("attributes for access control", AttributesForAccessControl).get(KEY)
        return {"access_control_attributes": state} if state and state["attributes"] else {}

    def _settings(self) -> dict[str, Any]:
        self._imported.settings_are_readable = self._connection.console is not None
        states = ConsoleSettings(self._connection).read_all()
        authentication = {
            **states.get("standard_authentication", {}),
            "mfa": states.get("multi_factor_authentication"),
            "sessions": states.get("sessions"),
        }
        found = {name: states.get(name) for name in ("identity_source", "access_portal")}
        found["authentication"] = {name: value for name, value in authentication.items() if value is not None}
        return {name: value for name, value in found.items() if value}

    def _management(self) -> dict[str, Any]:
        first, *others = [*self._read_all("delegated administrators", DelegatedAdministrators), ""]
        for account_id in filter(None, others):
            self._leave_out("management", f"delegated administrator {account_id}: a scenario has one")
        return {"management": {"delegated_administrator": self._named(first)}} if first else {}

    def _named(self, account_id: str) -> str:
        """Return an account's name where it leads to this account alone, else its id."""
        named = [each for each in self._accounts if each.account_id == account_id]
        is_alone = named and sum(each.name == named[0].name for each in self._accounts) == 1
        trial = {"management": {"delegated_administrator": named[0].name}} if is_alone else {}
        return account_id if not trial or scenario_refusals(trial) else named[0].name

    # Permission sets, people and assignments.

    def _existing(self) -> _Existing:
        has, connection = self._selection.has, self._connection
        needs_rows = has("account_assignments") or self._selection.by_account
        found = _Existing()
        if has("permission_sets"):
            read = PermissionSets(connection).read_known
            known = self._read("permission sets", read, dict[str, State | None]())
            found.permission_sets = {name: state for name, state in known.items() if state is not None}
            for name in set(known) - set(found.permission_sets):
                self._imported.unread[f"permission set {name!r}"] = "the caller may not read it"
        if has("groups"):
            found.groups = self._read_all("groups", Groups)
        if has("users"):
            found.users = self._read_all("users", Users)
        if self._selection.personal_data and (has("groups") or has("users")):
            states = self._read_all("memberships", GroupMemberships).values()
            found.memberships = [(state["user_name"], state["group"]) for state in states]
        if needs_rows:
            found.rows = self._read("account assignments", self._rows, [])
        return found

    def _rows(self) -> list[AssignmentRow]:
        with failed_read("the account assignments"):
            rows = list_assignment_rows(self._connection)
        known = {account.account_id for account in self._accounts}
        kept = []
        for row in rows:
            what = f"{row.permission_set!r} in account {row.account_id}"
            if not row.principal_name:
                self._leave_out("account_assignments", f"{what}: its {row[0].lower()} is gone or unreadable")
            elif known and row.account_id not in known:
                who = f"{row.principal_type.lower()} {row.principal_name!r}"
                gone = "the account is in the organization no more"
                self._leave_out("account_assignments", f"{what} for {who}: {gone}")
            elif row.permission_set.startswith("arn:"):
                self._leave_out("account_assignments", f"{what}: the permission set's name is not readable")
            else:
                kept.append(row)
        return kept

    def _selected(self, found: _Existing) -> _Existing:
        chosen, wanted = self._selection, self._chosen_accounts()
        rows = [row for row in found.rows if wanted is None or row.account_id in wanted]
        rows = [row for row in rows if chosen.names_it(row[1]) or chosen.names_it(row.permission_set)]
        if not chosen.personal_data:
            single = [row for row in rows if row.principal_type == "USER"]
            rows = [row for row in rows if row.principal_type != "USER"]
            if single:
                who = counted(len(single), "account assignment")
                self._leave_out("account_assignments", f"{who} of single users: personal data")

        def kept(things: Mapping[str, State], named: Iterable[str]) -> dict[str, State]:
            reached = set(named) if wanted is not None else set(things)
            return {name: things[name] for name in things if name in reached and chosen.names_it(name)}

        groups = kept(found.groups, (row[1] for row in rows if row[0] == "GROUP"))
        reaching = {row[1] for row in rows if row[0] == "USER"}
        reaching |= {user for user, group in found.memberships if group in groups}
        narrowed = wanted is not None or chosen.names
        return replace(
            found,
            rows=rows,
            groups=groups,
            permission_sets=kept(found.permission_sets, (row.permission_set for row in rows)),
            users=kept(found.users, reaching),
            memberships=[pair for pair in found.memberships if pair[1] in groups or not narrowed],
        )

    def _chosen_accounts(self) -> set[str] | None:
        """Return the ids of the accounts that are asked for; None: all."""
        chosen, groups = self._selection, AccountGroups(self._connection)
        if not chosen.by_account:
            return None
        found: list[Account] = [resolve_account(self._connection, named) for named in chosen.accounts]
        for unit in chosen.units:
            found += groups.of_unit(unit).accounts
        if chosen.tags:
            found += groups.with_tags(chosen.tags).accounts
        return {account.account_id for account in found}

    def _lists(self, found: _Existing) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        yield "permission_sets", [_permission_set(name, found.permission_sets[name]) for name in _sorted(
            found.permission_sets
        )]  # fmt: skip
        groups = {name: {"display_name": name, **found.groups[name]} for name in _sorted(found.groups)}
        nameless = [name for name, state in found.users.items() if not state.get("display_name")]
        for name in _sorted(nameless):
            why = "has no display name, which a scenario gives to everybody"
            self._leave_out("users", f"user {name!r}: {why}; memberships are kept by name")
        users = {
            name: _user(name, found.users[name]) for name in _sorted(found.users) if name not in set(nameless)
        }
        _add_memberships(users, groups, found.memberships)
        yield "groups", list(groups.values())
        yield "users", list(users.values())
        yield "account_assignments", self._assignments(found.rows)

    def _assignments(self, rows: Sequence[AssignmentRow]) -> list[dict[str, Any]]:
        """Return one entry for each permission set and principal, with all their accounts."""
        accounts: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for row in rows:
            accounts[row.permission_set, row.principal_type.lower(), row.principal_name].add(row.account_id)
        named = {account_id: self._named(account_id) for account_id in {row.account_id for row in rows}}
        return [
            {
                "permission_set": permission_set,
                kind: principal,
                "accounts": _sorted(named[account_id] for account_id in ids),
            }
            for (permission_set, kind, principal), ids in sorted(accounts.items())
        ]


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name.casefold(), name))


def _add_memberships(
    users: Mapping[str, dict[str, Any]],
    groups: Mapping[str, dict[str, Any]],
    pairs: Iterable[tuple[str, str]],
) -> None:
    """Put each membership where its user is described, else as an existing member of its group."""
    for user_name, group in sorted(pairs):
        if user_name in users:
            users[user_name].setdefault("groups", []).append(group)
        elif group in groups:
            groups[group].setdefault("members", []).append(user_name)


def _permission_set(name: str, state: State) -> dict[str, Any]:
    """Return a permission set as a scenario has it."""
    policies = [_policy_name(policy_arn) for policy_arn in state["managed_policies"]]
    is_predefined = state["managed_policies"] == [predefined_policy(name)]
    entry: dict[str, Any] = {"predefined": name} if is_predefined else {"name": name}
    given = {
        "description": state.get("description"),
        "session_duration": state["session_duration"],
        "relay_state": state.get("relay_state"),
        "managed_policies": None if is_predefined else policies,
        "customer_managed_policies": [_reference(policy) for policy in state["customer_managed_policies"]],
        "inline_policy": state["inline_policy"],
        "permissions_boundary": _boundary(state["permissions_boundary"]),
        "tags": state["tags"],
    }
    return entry | {key: value for key, value in given.items() if value}


def _policy_name(policy_arn: str) -> str:
    """Return a policy's name where it leads back to the ARN, as in a file that a person writes."""
    name = policy_arn.rpartition("/")[2]
    try:
        return name if managed_policy_arn(name) == policy_arn else policy_arn
    except InvalidValueError:
        return policy_arn


def _reference(policy: State) -> dict[str, Any]:
    return {"name": policy["name"]} if policy["path"] == "/" else dict(policy)


def _boundary(state: State | None) -> dict[str, Any] | None:
    if not state:
        return None
    if "managed_policy" in state:
        return {"managed_policy": _policy_name(state["managed_policy"])}
    return {"customer_managed_policy": _reference(state["customer_managed_policy"])}


def _user(user_name: str, state: State) -> dict[str, Any]:
    """Return a user as a scenario has it: without what follows from other fields."""
    state = {"user_name": user_name, **state}
    entry = {name: state[name] for name in User.model_fields if name in state}
    if entry.get("display_name") == f"{entry.get('given_name')} {entry.get('family_name')}":
        del entry["display_name"]
    if entry.get("email_type") == "work":
        del entry["email_type"]
    return entry


# What the scenario's own rules refuse: left out and named, because a plan touches only what is in it.

_MAY_GO: Mapping[type[Model], Collection[str]] = {
    PermissionSet: ("description", "relay_state", "tags"),
    Group: ("description", "members"),
    User: set(User.model_fields) - {"user_name", "given_name", "family_name", "display_name"},
    Instance: ("name", "tags"),
}
"""The fields that a plan leaves alone where a scenario does not name them."""
_MODELS = dict(zip((*LISTS[:3], "instance"), _MAY_GO, strict=True))
_NAMES = ("user_name", "display_name", "name", "predefined")


def _leave_out_refused(imported: Imported) -> None:
    """Take out what is refused: the value where the plan then leaves it alone, else the whole thing."""
    data = imported.data
    while refusals := scenario_refusals(data):
        whole: dict[str, set[int]] = defaultdict(set)
        reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
        # The last first, so that places in a list stay right.
        for refusal in sorted(refusals, key=_in_order, reverse=True):
            section, *way = str(refusal.location[0]), *refusal.location[1:]
            is_listed = section in LISTS and bool(way)
            thing = data[section][way[0]] if is_listed else data.get(section, {})
            key, *inside = [*(way[1:] if is_listed else way), None]
            reasons[section, _called(section, thing)].insert(0, _why(refusal))
            if section in _MODELS and key in _MAY_GO[_MODELS[section]]:
                if key in ("groups", "members") and isinstance(inside[0], int):
                    thing[key].pop(inside[0])
                else:
                    thing.pop(key, None)
            elif is_listed:
                whole[section].add(int(way[0]))
            else:
                data.pop(section, None)
        for section, numbers in whole.items():
            _take_out(data, section, numbers)
        for (section, called), parts in reversed(reasons.items()):
            imported.left_out[section].append(scrub(called + ";".join(parts).replace(";,", ";")))


def _in_order(refusal: Refusal) -> list[str]:
    return [f"{step:09}" if isinstance(step, int) else step for step in refusal.location]


def _take_out(data: dict[str, Any], section: str, numbers: Collection[int]) -> None:
    taken = [data[section][number] for number in sorted(numbers)]
    data[section] = [each for number, each in enumerate(data[section]) if number not in numbers]
    if section == "users":
        # They stay members of their groups, by name.
        groups = {group["display_name"]: group for group in data.get("groups", ())}
        pairs = ((user["user_name"], group) for user in taken for group in user.get("groups", ()))
        for user_name, group in pairs:
            if group in groups:
                groups[group].setdefault("members", []).append(user_name)


def _called(section: str, entry: Mapping[str, Any]) -> str:
    noun = section.removesuffix("s").replace("_", " ")
    if section not in LISTS:
        return noun
    if section != "account_assignments":
        return f"{noun} {next((entry[name] for name in _NAMES if name in entry), '')!r}"
    who = "group" if "group" in entry else "user"
    return f"{noun} of {entry.get('permission_set')!r} to {who} {entry.get(who)!r}"


def _why(refusal: Refusal) -> str:
    at = ".".join(str(step) for step in refusal.location[2 if refusal.location[0] in LISTS else 1 :])
    return f"{f', {at}' if at else ''}: {refusal.message}"
