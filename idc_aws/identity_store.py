"""The identity store: its users and groups found by name, listed for people, and written."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, ClassVar

from typing_extensions import override

from idc_aws.calls import NO_SUCH_ID, by_key, found_or_none, grouped, in_threads, known_or_none
from idc_aws.changes import Action, Change, State
from idc_aws.clients import Page
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError
from idc_aws.failures import failed_read
from idc_aws.resource import Existing, SideBySide, Writer

NAME_FIELDS = {"USER": "UserName", "GROUP": "DisplayName"}
"""What AWS calls the name of a principal, by its type."""
ENTERPRISE = "aws:identitystore:enterprise"
DESCRIPTION_OPTIONS: dict[str, dict[str, Any]] = {"USER": {"Extensions": [ENTERPRISE]}, "GROUP": {}}
"""What descriptions and lists are asked for with."""

MOST_ON_A_PAGE = 100
"""How many users, groups or memberships AWS lists at once."""

Principal = tuple[str, str]
"""A principal's type, and its name or its id."""


def page_count(number: int, size: int = MOST_ON_A_PAGE) -> int:
    """Return on how many pages AWS lists so many things."""
    return -(-number // size)


def find_principal_id(connection: Connection, principal_type: str, principal_name: str) -> str | None:
    """Return the id of a ``"USER"`` or ``"GROUP"`` by its name, or None where there is none; reads only."""
    answer = _look_up(connection, principal_type, principal_name)
    return str(answer[id_field(principal_type)]) if answer else None


def _look_up(connection: Connection, principal_type: str, principal_name: str) -> dict[str, Any] | None:
    name_field = NAME_FIELDS[principal_type]
    path = name_field[0].lower() + name_field[1:]
    unique = {"AttributePath": path, "AttributeValue": principal_name}
    return found_or_none(
        connection.call,
        "identitystore",
        f"get_{principal_type.lower()}_id",
        AlternateIdentifier={"UniqueAttribute": unique},
    )


def id_field(principal_type: str) -> str:
    """Return what AWS calls the id of a principal of a type, such as ``"GroupId"``."""
    return f"{principal_type.capitalize()}Id"


def _describe(connection: Connection, principal_type: str, principal_id: str) -> dict[str, Any]:
    request = {id_field(principal_type): principal_id, **DESCRIPTION_OPTIONS[principal_type]}
    return connection.call("identitystore", f"describe_{principal_type.lower()}", **request)


def list_principals(connection: Connection, principal_type: str) -> Iterator[dict[str, Any]]:
    """Yield the instance's users or groups as AWS lists them, users with extensions; reads only."""
    return chain.from_iterable(page.entries for page in _pages_of(connection, principal_type))


def _pages_of(connection: Connection, principal_type: str) -> Iterator[Page]:
    # Always the same request: within one look a list is read once, whatever it is read for.
    method_name = f"list_{principal_type.lower()}s"
    return connection.pages("identitystore", method_name, **DESCRIPTION_OPTIONS[principal_type])


def find_principals(
    connection: Connection, principal_type: str, principal_names: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return what AWS says of those that exist, by name; reads only."""

    def describe(name: str) -> dict[str, Any] | None:
        one = find_principal_id(connection, principal_type, name)
        return found_or_none(_describe, connection, principal_type, one) if one else None

    name_field = NAME_FIELDS[principal_type]
    return _find(connection, principal_type, name_field, principal_names, describe, calls_of_one=2)


def find_principal_ids(connection: Connection, principals: Iterable[Principal]) -> dict[Principal, str]:
    """Return the ids of those that exist, by type and name; reads only."""
    found: dict[Principal, str] = {}
    for principal_type, names in grouped(dict.fromkeys(principals)).items():
        ask = partial(_look_up, connection, principal_type)
        entries = _find(connection, principal_type, NAME_FIELDS[principal_type], names, ask)
        field = id_field(principal_type)
        found |= {(principal_type, name): str(entry[field]) for name, entry in entries.items()}
    return found


def find_principal_names(connection: Connection, principals: Iterable[Principal]) -> dict[Principal, str]:
    """Return names by type and id; one that is gone or may not be read has none; reads only."""
    found: dict[Principal, str] = {}
    for principal_type, ids in grouped(dict.fromkeys(principals)).items():
        ask = partial(known_or_none, _describe, connection, principal_type)
        entries = _find(connection, principal_type, id_field(principal_type), ids, ask)
        field = NAME_FIELDS[principal_type]
        found |= {
            (principal_type, one): str(entry[field]) for one, entry in entries.items() if entry.get(field)
        }
    return found


def _find(
    connection: Connection,
    principal_type: str,
    field: str,
    wanted: Collection[str],
    ask: Callable[[str], dict[str, Any] | None],
    *,
    calls_of_one: int = 1,
) -> dict[str, dict[str, Any]]:
    """Return what AWS says of those that exist, by a field: listed, or asked for one by one."""
    calls = calls_of_one * len(wanted)
    found, others = _find_listed(connection, principal_type, field, wanted, calls)
    return found | {one: entry for one, entry in by_key(ask, others).items() if entry}


def list_page_limit(calls: int, known: tuple[int, bool] = (0, False)) -> int:
    """Return how many pages of a list are worth reading where asking one by one takes so many calls.

    `known` says how many pages were read before, and whether these were all.
    """
    pages, is_whole = known
    if is_whole and pages <= calls:
        return calls
    return 0 if pages >= calls / 2 else calls // 2


_NEVER_LISTED = 2**31


def _find_listed(
    connection: Connection, principal_type: str, field: str, wanted: Collection[str], calls: int
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return entries of a list by a field, and what must be asked for one by one (`calls`, if all of it is).

    What is in neither does not exist.
    """
    # A directory may hold 200,000 users, and only a list tells how many. So a list is read for no more pages
    # than half of the calls that asking takes: not to know the size costs half as much again, at most. How
    # far a list went is remembered: it decides what the next look costs, not what it finds.
    sizes: dict[str, tuple[int, bool]] = connection.cache.setdefault("pages of a directory", {})
    known, is_whole = sizes.get(principal_type, (0, False))
    most = list_page_limit(calls, (known, is_whole))
    missing, alike = set(wanted), set[str]()
    found: dict[str, dict[str, Any]] = {}
    try:
        for pages, page in enumerate(_pages_of(connection, principal_type) if most else (), start=1):
            for entry in page.entries:
                value = str(entry.get(field, ""))
                if value in missing:
                    found[value] = entry
                    missing.discard(value)
                else:
                    alike.add(value.casefold())
            if page.is_last:
                sizes[principal_type] = pages, True
                # Another spelling may be the same name for AWS: only asking tells.
                return found, [one for one in wanted if one in missing and one.casefold() in alike]
            if not missing:
                break
            if pages >= most:
                sizes[principal_type] = max(pages, known), False
                break
    except AccessDeniedError:  # asking needs another permission
        sizes[principal_type] = _NEVER_LISTED, False
    return found, [one for one in wanted if one in missing]


class Principals(SideBySide):
    """The users or the groups of the identity store, by name: what both are alike in."""

    principal_type: ClassVar[str]

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._ids: dict[str, str] = {}

    @override
    def _prepare(self, changes: Sequence[Change]) -> None:
        self._ids = self.identifiers([one.key for one in changes if one.action is Action.UPDATE])

    @override
    def _existing_identifier(self, key: str) -> str:
        return self._ids.get(key) or super()._existing_identifier(key)

    @abstractmethod
    def _state(self, answer: dict[str, Any]) -> State:
        """Return the state of one that AWS described."""

    @abstractmethod
    def _attributes(self, state: State) -> dict[str, Any]:
        """Return the attributes of a state as AWS takes them for a new one."""

    def _describe(self, identifier: str) -> dict[str, Any]:
        return _describe(self._connection, self.principal_type, identifier)

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        return {key: found.state for key, found in self._existing(keys).items()}

    @override
    def _existing(self, keys: Collection[str]) -> dict[str, Existing]:
        answers = find_principals(self._connection, self.principal_type, keys)
        name = id_field(self.principal_type)
        found = ((key, answers[key]) for key in keys if key in answers)
        return {key: Existing(str(answer[name]), self._state(answer)) for key, answer in found}

    @override
    def _read_all(self) -> dict[str, State]:
        name = NAME_FIELDS[self.principal_type]
        listed = list_principals(self._connection, self.principal_type)
        return {str(answer[name]): self._state(answer) for answer in listed if answer.get(name)}

    @override
    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        named = [(self.principal_type, key) for key in keys]
        return {key: one for (_, key), one in find_principal_ids(self._connection, named).items()}

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        answer = found_or_none(self._describe, identifier, codes=NO_SUCH_ID)
        if answer is None:
            return None
        name = answer.get(NAME_FIELDS[self.principal_type], "")
        return self._state(answer) | ({"new_name": name} if name != key else {})

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        request = {NAME_FIELDS[self.principal_type]: key, **self._attributes(state)}
        answer = writer.send("identitystore", f"create_{self.kind}", **request)
        return str(answer[id_field(self.principal_type)])

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        # AWS deletes the memberships along; somebody else may have deleted it a moment ago.
        which = {id_field(self.principal_type): identifier}
        found_or_none(writer.send, "identitystore", f"delete_{self.kind}", **which)


@dataclass(frozen=True)
class ListedUser:
    """A user as a list shows one."""

    user_name: str
    display_name: str
    email: str
    user_status: str
    groups: tuple[str, ...]


def list_users(connection: Connection, *, at_most: int) -> tuple[list[ListedUser], bool]:
    """Return users sorted by name, and whether these are all."""
    with failed_read("the users"):
        found = list(islice(list_principals(connection, "USER"), at_most + 1))
        memberships = memberships_by_user(connection, [str(user["UserId"]) for user in found[:at_most]])
        groups = {("GROUP", str(one["GroupId"])) for some in memberships.values() for one in some}
        names = find_principal_names(connection, sorted(groups))
    users = [
        ListedUser(
            user_name=str(user.get("UserName", "")),
            display_name=str(user.get("DisplayName", "")),
            email=str((user.get("Emails") or [{}])[0].get("Value", "")),
            user_status=str(user.get("UserStatus", "")),
            groups=tuple(
                sorted(
                    names.get(("GROUP", one["GroupId"]), one["GroupId"])
                    for one in memberships.get(user["UserId"], ())
                )
            ),
        )
        for user in found[:at_most]
    ]
    return sorted(users, key=lambda user: user.user_name.casefold()), len(found) <= at_most


def list_memberships(connection: Connection, group_id: str) -> list[dict[str, Any]]:
    """Return a group's memberships as AWS lists them; none where it is gone; reads only."""
    listed = connection.items("identitystore", "list_group_memberships", GroupId=group_id)
    return found_or_none(list[Any], listed) or []


def memberships_by_user(
    connection: Connection, user_ids: Collection[str], *, again: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Return memberships by user, from the lists of groups or of users (`again`: always); reads only."""
    by_group = None if again else _memberships_by_group(connection, len(user_ids) // 2)
    if by_group is not None:
        return by_group

    def of_user(user_id: str) -> list[dict[str, Any]]:
        member = {"UserId": user_id}
        listed = connection.items("identitystore", "list_group_memberships_for_member", MemberId=member)
        return found_or_none(list[Any], listed) or []

    return by_key(of_user, user_ids)


def _memberships_by_group(connection: Connection, most_calls: int) -> dict[str, list[dict[str, Any]]] | None:
    """Return all memberships by user, from the groups' lists; None where that takes more calls."""
    left = iter(range(most_calls))  # a directory may have 100,000 groups, and a group as many members

    def members(group_id: str) -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = []
        for page in connection.pages("identitystore", "list_group_memberships", GroupId=group_id):
            if next(left, None) is None:
                return None
            found += page.entries
        return found

    try:
        groups = [str(one["GroupId"]) for one in islice(list_principals(connection, "GROUP"), most_calls)]
        if len(groups) >= most_calls:
            return None
        listed = in_threads(partial(found_or_none, members), groups)
    except AccessDeniedError:
        return None
    if None in listed:  # too many, or deleted a moment ago
        return None
    memberships = [one for some in listed for one in some or ()]
    return grouped((one.get("MemberId", {}).get("UserId", ""), one) for one in memberships)


def list_principal_names(connection: Connection, principal_type: str, *, at_most: int) -> list[str]:
    """Return names of users or groups, in AWS's order and no more than `at_most`; reads only."""
    with failed_read(f"the {principal_type.lower()}s"):
        found = islice(list_principals(connection, principal_type), at_most)
        names = (one.get(NAME_FIELDS[principal_type]) for one in found)
        return [str(name) for name in names if name]


_MOST_MEMBERS_READ = 100


def list_group_members(connection: Connection, group_id: str) -> list[tuple[str, str]]:
    """Return (user name, membership id) of a group's members, sorted; no more than a hundred are read."""
    with failed_read("the group's members"):
        listed = connection.items("identitystore", "list_group_memberships", GroupId=group_id)
        members = {
            one["MembershipId"]: ("USER", str(one.get("MemberId", {}).get("UserId", "")))
            for one in islice(listed, _MOST_MEMBERS_READ)
        }
        names = find_principal_names(connection, members.values())
    return sorted((names[user], membership) for membership, user in members.items() if user in names)
