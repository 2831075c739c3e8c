"""Account assignments: who may use which permission set in which account.

Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import ClassVar

from idc_helpers.aws.access import AssignmentRow, list_all_account_assignments
from idc_helpers.aws.assignment_keys import (
    assignment_identifier,
    assignment_key,
    assignment_parts,
    assignment_state,
)
from idc_helpers.aws.assignment_lists import list_assignments_of_pair, list_assignments_of_principal
from idc_helpers.aws.assignment_window import AssignmentWindow
from idc_helpers.aws.calls import in_threads
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import failed_read
from idc_helpers.aws.identity_store import find_principal_id
from idc_helpers.aws.organization import is_management_account
from idc_helpers.aws.permission_set_names import find_permission_set, list_permission_sets
from idc_helpers.changes import Action, Change, State, Use, WriteResult
from idc_helpers.errors import AccessDeniedError, NotFoundError, WriteFailedError

__all__ = ["AccountAssignments", "AssignmentRow", "assignment_key", "list_all_account_assignments"]

# principal id, permission set ARN, account id
_Triple = tuple[str, str, str]


class AccountAssignments:
    """The account assignments of the instance, by `assignment_key`.

    A state has ``principal_type``, ``principal_name``, ``permission_set`` and ``account_id``: the key's own
    parts, so an assignment is there or not, and never changed. What names something that does not exist is
    not there.

    Parameters
    ----------
    connection
        Where to read and write.
    """

    kind: ClassVar[str] = "account_assignment"
    derived_fields: ClassVar[Collection[str]] = ()

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def by_hand(self) -> bool:
        """Whether only a person can write it here: never."""
        return False

    def read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of those of the named assignments that exist; reads only.

        Reads by principal or by pair of permission set and account, whichever takes fewer calls; the former
        is the management account's alone.

        Raises
        ------
        KitError
            When AWS refuses.
        """
        return {key: assignment_state(key) for key in self._read_triples(keys)}

    def _read_triples(self, keys: Collection[str]) -> dict[str, _Triple]:
        """Return the ids of those of the named assignments that exist."""
        if not keys or self._connection.instance_or_none() is None:
            return {}
        states = {key: assignment_state(key) for key in keys}
        with failed_read("the account assignments"):
            triples = self._resolve(states)
            existing = self._existing(states, triples) if triples else set()
        return {key: triple for key, triple in triples.items() if triple in existing}

    def _resolve(self, states: Mapping[str, State]) -> dict[str, _Triple]:
        permission_sets = list_permission_sets(self._connection)
        principals = list({(state["principal_type"], state["principal_name"]) for state in states.values()})
        ids = in_threads(lambda principal: find_principal_id(self._connection, *principal), principals)
        id_of = dict(zip(principals, ids, strict=True))
        found = {}
        for key, state in states.items():
            principal_id = id_of[state["principal_type"], state["principal_name"]]
            permission_set_arn = permission_sets.get(state["permission_set"])
            if principal_id and permission_set_arn:
                found[key] = (principal_id, permission_set_arn, state["account_id"])
        return found

    def _existing(self, states: Mapping[str, State], triples: Mapping[str, _Triple]) -> set[_Triple]:
        pairs = {triple[1:] for triple in triples.values()}
        principals = list({(states[key]["principal_type"], triple[0]) for key, triple in triples.items()})
        existing: set[_Triple] | None = None
        if len(principals) < len(pairs) and is_management_account(self._connection):
            existing = self._by_principal(principals)
        return self._by_pair(triples.values()) if existing is None else existing

    def _by_principal(self, principals: list[tuple[str, str]]) -> set[_Triple] | None:
        try:
            lists = in_threads(lambda one: list_assignments_of_principal(self._connection, *one), principals)
        except AccessDeniedError:
            return None  # Reading by pair needs another permission.
        return {row[1:] for found in lists for row in found}

    def _by_pair(self, triples: Collection[_Triple]) -> set[_Triple]:
        pairs = list({triple[1:] for triple in triples})
        lists = in_threads(lambda pair: list_assignments_of_pair(self._connection, *pair), pairs)
        return {row[1:] for found in lists for row in found}

    def identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return `assignment_identifier` of those of the named assignments that exist; reads only.

        Raises
        ------
        KitError
            When AWS refuses.
        """
        triples = self._read_triples(keys)
        return {key: assignment_identifier(*triple) for key, triple in triples.items()}

    def read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of the very assignments that had these identifiers; reads only.

        A user or a group that was deleted leaves its assignments behind, and no name leads to them.

        Parameters
        ----------
        named
            Pairs of a key and an identifier, as `identifiers` gave it once.

        Raises
        ------
        KitError
            When AWS refuses.
        """
        if not named or self._connection.instance_or_none() is None:
            return {}
        states = {key: assignment_state(key) for key, _ in named}
        with failed_read("the account assignments"):
            triples = {
                (key, identifier): (*assignment_parts(identifier), states[key]["account_id"])
                for key, identifier in named
                if all(assignment_parts(identifier))
            }
            existing = self._by_pair(triples.values())
        return {pair: states[pair[0]] for pair, triple in triples.items() if triple in existing}

    def uses(
        self,
        named: Mapping[str, str],  # noqa: ARG002 - of the protocol
        ours: Collection[tuple[str, str]],  # noqa: ARG002
        *,
        again: bool = False,  # noqa: ARG002
    ) -> dict[str, tuple[Use, ...]]:
        """Return what hangs on assignments: nothing; reads nothing."""
        return {}

    def irreversible(self, change: Change) -> dict[str, str]:  # noqa: ARG002 - of the protocol
        """Return what of a change AWS offers no way to make: nothing."""
        return {}

    def write_all(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        """Make the changes, ten at a time, and yield each when AWS has done it; writes.

        Raises
        ------
        WriteFailedError
            When AWS failed any: raised after the others are done, naming each with its reason.
        KitError
            When a request is refused.
        """
        for action, same in groupby(changes, key=lambda change: change.action):
            if action not in (Action.CREATE, Action.DELETE):
                raise WriteFailedError(
                    f"{action.value} is not a write of an account assignment; nothing was done"
                )
            yield from AssignmentWindow(self._connection, action, self._request).run(list(same), on_start)

    def _request(self, change: Change) -> State:
        state = assignment_state(change.key)
        principal_type, principal_name = state["principal_type"], state["principal_name"]
        if change.identifier:  # the very one that a receipt names, whatever the names lead to now
            return self._request_of(state, *assignment_parts(change.identifier))
        principal_id = find_principal_id(self._connection, principal_type, principal_name)
        if principal_id is None:
            raise NotFoundError(
                f"there is no {principal_type.lower()} {principal_name!r} to assign {change.key!r} to",
                remedy="Create it first (groups in notebook 06, users in notebook 08), or correct the name.",
            )
        permission_set_arn = find_permission_set(self._connection, state["permission_set"])
        return self._request_of(state, principal_id, permission_set_arn)

    def _request_of(self, state: State, principal_id: str, permission_set_arn: str) -> State:
        return {
            "InstanceArn": self._connection.instance.instance_arn,
            "TargetId": state["account_id"],
            "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": permission_set_arn,
            "PrincipalType": state["principal_type"],
            "PrincipalId": principal_id,
        }
