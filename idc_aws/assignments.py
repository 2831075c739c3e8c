"""Account assignments: who may use which permission set in which account."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_aws.access import (
    assignment_identifier,
    assignment_key,
    assignment_parts,
    assignment_state,
    assignments_of_pair,
    find_permission_set,
    list_assignment_rows,
    list_assignments_of_pairs,
    list_assignments_of_principals,
    list_permission_sets,
)
from idc_aws.calls import found_or_none, is_spreading, is_whole_look, wait_until
from idc_aws.changes import Action, Change, State, WriteResult
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, KitError, NotFoundError, WaitTimeoutError, WriteFailedError
from idc_aws.failures import error_code, failed_read, failed_write
from idc_aws.identity_store import MOST_ON_A_PAGE, find_principal_id, find_principal_ids
from idc_aws.organization import is_management_account
from idc_aws.resource import Existing, Resource, Writer

WINDOW = 10
"""AWS's limit of 15, less a margin for others who assign at the same time."""
_TIMEOUT_S = 900.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_MOST_PAGES, _MOST_MISSES = 10, 3
_GONE_ALREADY = ("ResourceNotFoundException",)

Request = Callable[[Change], State]


class _Begun(NamedTuple):
    """A change that AWS was asked for."""

    change: Change
    writer: Writer
    identifier: str


_FAILED = {"Status": "FAILED"}


class _StatusList:
    """The list of requests with their status, read from where the outstanding ones were found last."""

    # One call watches all. Where AWS puts new requests, and how many old ones it keeps, is UNCONFIRMED: where
    # the list does not lead to ours within a few pages, only those in progress are listed.

    def __init__(self, connection: Connection, method_name: str) -> None:
        self._connection, self._method_name = connection, method_name
        self._start: str | None = None
        self._misses = 0

    def read(self, outstanding: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return the status of those of the outstanding requests that the list tells."""
        if self._misses < _MOST_MISSES:
            found = self._read_on(outstanding)
            self._misses = 0 if found else self._misses + 1
            return found
        only = {"Filter": {"Status": "IN_PROGRESS"}}
        listed = self._connection.items("sso-admin", self._method_name, **only)
        return {one["RequestId"]: {"Status": "IN_PROGRESS"} for one in listed}

    def _read_on(self, outstanding: Collection[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        token, first = self._start, None
        for _ in range(_MOST_PAGES):
            request = {"MaxResults": MOST_ON_A_PAGE} | ({"NextToken": token} if token else {})
            answer = self._connection.call("sso-admin", self._method_name, **request)
            (listed,) = (entries for entries in answer.values() if isinstance(entries, list))
            here = {
                one["RequestId"]: {"Status": one["Status"]}
                for one in listed
                if one["RequestId"] in outstanding
            }
            if here and not found:
                first = token
            found |= here
            token = answer.get("NextToken")
            if len(found) == len(outstanding) or not token:
                break
        if found:
            self._start = first
        return found


class AssignmentWindow:
    """Creates or deletes assignments: never too many at a time, watched by one list call."""

    def __init__(self, connection: Connection, action: Action, request_of: Request) -> None:
        self._connection = connection
        self._action = action
        self._request_of = request_of
        self._word = "creation" if action is Action.CREATE else "deletion"
        self._status = f"AccountAssignment{self._word.capitalize()}Status"
        self._statuses = _StatusList(connection, f"list_account_assignment_{self._word}_status")
        self._outstanding: dict[str, _Begun] = {}
        self._failures: list[tuple[Change, str]] = []

    def run(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        """Make the changes and yield each when AWS has done it; writes."""
        # What AWS fails does not stop the others; after a refusal only those end that are under way.
        waiting, refusal = deque(changes), None
        while waiting or self._outstanding:
            while waiting and refusal is None and len(self._outstanding) < WINDOW:
                try:
                    yield from self._start(waiting.popleft(), on_start)
                except KitError as error:
                    refusal = error
            if self._outstanding:
                yield from self._wait_for_some()
            elif refusal is not None:
                break
        if refusal is not None:
            raise refusal
        if self._failures:
            raise _assignments_failed(self._failures)

    def _start(
        self, change: Change, on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        writer = Writer(self._connection)
        with failed_write(change):
            request = self._request_of(change)
            on_start(change)
            answer = found_or_none(
                writer.send,
                "sso-admin",
                f"{self._action.value}_account_assignment",
                codes=_GONE_ALREADY if self._action is Action.DELETE else (),
                is_retryable=_is_passing,
                **request,
            )
        status = (answer or {}).get(self._status) or {"Status": "SUCCEEDED"}
        identifier = assignment_identifier(
            request["PrincipalId"], request["PermissionSetArn"], request["TargetId"]
        )
        begun = _Begun(change, writer, identifier)
        if status["Status"] == "IN_PROGRESS":
            self._outstanding[status["RequestId"]] = begun
        else:
            yield from self._ended(begun, status)

    def _ended(self, begun: _Begun, status: dict[str, Any]) -> Iterator[tuple[Change, WriteResult]]:
        if status["Status"] == "SUCCEEDED" or self._went_with_its_principal(begun.change, status):
            yield begun.change, begun.writer.result(begun.identifier)
        else:
            self._failures.append((begun.change, status.get("FailureReason") or "AWS gives no reason"))

    def _went_with_its_principal(self, change: Change, status: dict[str, Any]) -> bool:
        """Tell whether a deletion failed because its principal is gone, and the assignment is gone too."""
        reason = status.get("FailureReason") or ""
        if change.action is not Action.DELETE or "was not found in directory" not in reason:
            return False
        with failed_read("the account assignments"):
            left = assignments_of_pair(self._connection, status["PermissionSetArn"], status["TargetId"])
        return all(each.principal_id != status["PrincipalId"] for each in left)

    def _wait_for_some(self) -> Iterator[tuple[Change, WriteResult]]:
        timing = self._connection.timing
        timing.sleep(_FIRST_PAUSE_S)
        try:
            ended = wait_until(
                self._read_ended,
                bool,
                timeout_s=_TIMEOUT_S,
                what="an account assignment",
                longest_pause_s=_LONGEST_PAUSE_S,
                timing=timing,
            )
        except WaitTimeoutError:
            keys = ", ".join(repr(begun.change.key) for begun in self._outstanding.values())
            raise WaitTimeoutError(
                f"waited {_TIMEOUT_S:g} s and AWS is still IN_PROGRESS with {keys}",
                remedy="Run again in a few minutes: completed work is kept.",
            ) from None
        for request_id, status in ended.items():
            yield from self._ended(self._outstanding.pop(request_id), status)

    def _read_ended(self) -> dict[str, dict[str, Any]]:
        with failed_read("the status of the account assignments"):
            found = self._statuses.read(self._outstanding)
            # Not being in the list is no proof: a new request may not show yet. Nor has the list reasons.
            statuses = {
                one: found[one] if found.get(one, _FAILED) != _FAILED else self._describe(one)
                for one in self._outstanding
            }
        return {
            request_id: status for request_id, status in statuses.items() if status["Status"] != "IN_PROGRESS"
        }

    def _describe(self, request_id: str) -> dict[str, Any]:
        describe = f"describe_account_assignment_{self._word}_status"
        which = {f"AccountAssignment{self._word.capitalize()}RequestId": request_id}
        return dict(self._connection.call("sso-admin", describe, **which)[self._status])


def _is_passing(error: ClientError) -> bool:
    # Somebody else may have filled AWS's window.
    return is_spreading(error) or error_code(error) == "ServiceQuotaExceededException"


def _assignments_failed(failures: list[tuple[Change, str]]) -> WriteFailedError:
    listed = "\n".join(f"  {change.action.value} {change.key!r}: {reason}" for change, reason in failures)
    return WriteFailedError(
        f"{len(failures)} account assignment{'s' if len(failures) > 1 else ''} failed:\n{listed}",
        remedy="The others are done. Fix what AWS reports, then plan and apply again.",
    )


_Ids = tuple[str, str, str]
"""A principal's id, a permission set's ARN, and an account's id."""


class AccountAssignments(Resource):
    """The account assignments of the instance, by `assignment_key`; ten are written at a time.

    A state has ``principal_type``, ``principal_name``, ``permission_set`` and ``account_id``: the key's own
    parts, so an assignment is there or not, and never changed. What names something that does not exist is
    not there.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
    """

    kind: ClassVar[str] = "account_assignment"

    @override
    def _named(self, keys: Collection[str]) -> str:
        return "the account assignments"

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        return {key: assignment_state(key) for key in self._ids(keys)}

    @override
    def _read_all(self) -> dict[str, State]:
        # What a deleted principal left behind gives nobody access, and has no name.
        rows = [row for row in list_assignment_rows(self._connection) if row.principal_name]
        keys = [assignment_key(*row[:4]) for row in sorted(rows)]
        return {key: assignment_state(key) for key in keys}

    @override
    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        return {key: assignment_identifier(*ids) for key, ids in self._ids(keys).items()}

    @override
    def _existing(self, keys: Collection[str]) -> dict[str, Existing]:
        found = self._identifiers(keys)
        return {key: Existing(identifier, assignment_state(key)) for key, identifier in found.items()}

    def _ids(self, keys: Collection[str]) -> dict[str, _Ids]:
        """Return the ids of those that exist."""
        ids = self._named_ids(keys)
        existing = self._read_whole() if is_whole_look() else self._read_by_principal(ids)
        if existing is None:
            existing = self._read_by_pair(ids.values())
        return {key: one for key, one in ids.items() if one in existing}

    def _named_ids(self, keys: Collection[str]) -> dict[str, _Ids]:
        """Return the ids of those whose principal and permission set exist."""
        states = {key: assignment_state(key) for key in keys}
        permission_sets = list_permission_sets(self._connection) if keys else {}
        principals = {(state["principal_type"], state["principal_name"]) for state in states.values()}
        id_of = find_principal_ids(self._connection, sorted(principals))
        ids: dict[str, _Ids] = {}
        for key, state in states.items():
            principal_id = id_of.get((state["principal_type"], state["principal_name"]))
            permission_set_arn = permission_sets.get(state["permission_set"])
            if principal_id and permission_set_arn:
                ids[key] = (principal_id, permission_set_arn, state["account_id"])
        return ids

    def _read_whole(self) -> set[_Ids] | None:
        """Return all assignments, or None where the caller may not read so much."""
        try:
            rows = list_assignment_rows(self._connection)
        except AccessDeniedError:
            return None
        arns = list_permission_sets(self._connection)
        return {
            (row.principal_id, arns.get(row.permission_set, row.permission_set), row.account_id)
            for row in rows
        }

    def _read_by_principal(self, ids: Mapping[str, _Ids]) -> set[_Ids] | None:
        """Return the principals' assignments, or None where reading by pair is cheaper or the only way."""
        principals = {(assignment_state(key)["principal_type"], one[0]) for key, one in ids.items()}
        if len(principals) >= len({one[1:] for one in ids.values()}):
            return None
        if not is_management_account(self._connection):
            return None
        try:
            return {row[1:] for row in list_assignments_of_principals(self._connection, principals)}
        except AccessDeniedError:
            return None  # reading by pair needs another permission

    def _read_by_pair(self, ids: Iterable[_Ids]) -> set[_Ids]:
        pairs = {one[1:] for one in ids}
        return {row[1:] for row in list_assignments_of_pairs(self._connection, pairs)}

    @override
    def _read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        # A user or a group that was deleted leaves its assignments behind, and no name leads to them.
        states = {(key, identifier): assignment_state(key) for key, identifier in named}
        ids = {
            pair: (*assignment_parts(pair[1]), state["account_id"])
            for pair, state in states.items()
            if all(assignment_parts(pair[1]))
        }
        existing = self._read_by_pair(ids.values())
        return {pair: states[pair] for pair, one in ids.items() if one in existing}

    @override
    def write_all(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        # Ten at a time. What AWS fails is raised after the others are done, each with its reason.
        for action, same in groupby(changes, key=lambda change: change.action):
            if action not in (Action.CREATE, Action.DELETE):
                raise WriteFailedError(
                    f"{action.value} is not a write of an account assignment; nothing was done"
                )
            several = list(same)
            with failed_read("what the account assignments name"):
                ids = self._named_ids([change.key for change in several if not change.identifier])
            request_of = partial(self._request, ids)
            yield from AssignmentWindow(self._connection, action, request_of).run(several, on_start)

    def _request(self, ids: Mapping[str, _Ids], change: Change) -> State:
        state = assignment_state(change.key)
        if change.identifier:  # the very one that a receipt names, whatever the names lead to now
            principal_id, permission_set_arn = assignment_parts(change.identifier)
        else:
            principal_id, permission_set_arn, _ = ids.get(change.key) or self._require_ids(change.key)
        return {
            "TargetId": state["account_id"],
            "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": permission_set_arn,
            "PrincipalType": state["principal_type"],
            "PrincipalId": principal_id,
        }

    def _require_ids(self, key: str) -> _Ids:
        """Return the ids that a key names, after one more look; says what is not there."""
        state = assignment_state(key)
        principal_type, principal_name = state["principal_type"], state["principal_name"]
        principal_id = find_principal_id(self._connection, principal_type, principal_name)
        if principal_id is None:
            raise NotFoundError(
                f"there is no {principal_type.lower()} {principal_name!r}; an assignment names it: {key!r}",
                remedy="Create it first (groups in notebook 06, users in notebook 08), or correct the name.",
            )
        permission_set_arn = find_permission_set(self._connection, state["permission_set"])
        return principal_id, permission_set_arn, state["account_id"]
