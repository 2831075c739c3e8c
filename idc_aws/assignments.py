"""Account assignments: who may use which permission set in which account.

Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

from botocore.exceptions import ClientError

from idc_aws.access import (
    assignment_identifier,
    assignment_parts,
    assignment_state,
    find_permission_set,
    list_assignments_of_pair,
    list_assignments_of_principal,
    list_permission_sets,
)
from idc_aws.calls import Writer, in_threads, is_spreading, pages
from idc_aws.changes import Action, Change, State, Use, WriteResult
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, KitError, NotFoundError, WaitTimeoutError, WriteFailedError
from idc_aws.failures import error_code, failed_read, failed_write
from idc_aws.identity_store import find_principal_id
from idc_aws.organization import is_management_account

# A window of account assignments that AWS is working on: never too many at a time, watched by one list call.

WINDOW = 10
"""AWS's limit of 15, less a margin for others who assign at the same time."""
_TIMEOUT_S = 900.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0

Request = Callable[[Change], State]


class _Begun(NamedTuple):
    """A change that AWS was asked for."""

    change: Change
    writer: Writer
    identifier: str


class AssignmentWindow:
    """Makes account assignments of one action, creations or deletions."""

    def __init__(self, connection: Connection, action: Action, request_of: Request) -> None:
        self._connection = connection
        self._instance_arn = connection.instance.instance_arn
        self._request_of = request_of
        word = "creation" if action is Action.CREATE else "deletion"
        self._word = word.capitalize()
        self._sso_admin = connection.client("sso-admin")
        self._start_call = getattr(self._sso_admin, f"{action.value}_account_assignment")
        self._list_operation = f"list_account_assignment_{word}_status"
        self._describe_call = getattr(self._sso_admin, f"describe_account_assignment_{word}_status")
        self._outstanding: dict[str, _Begun] = {}
        self._failures: list[tuple[Change, str]] = []

    def run(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        """Make the changes and yield each when AWS has done it; writes.

        A change that AWS fails does not stop the others; one that AWS refuses lets only those end that are
        under way.
        """
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
            try:
                answer = writer.send(self._start_call, is_retryable=_is_passing, **request)
            except ClientError as error:
                if change.action is not Action.DELETE or error_code(error) != "ResourceNotFoundException":
                    raise
                answer = {}  # It is gone already.
        status = answer.get(f"AccountAssignment{self._word}Status") or {"Status": "SUCCEEDED"}
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
            listed = pages(
                self._sso_admin,
                "list_account_assignments",
                "AccountAssignments",
                InstanceArn=self._instance_arn,
                AccountId=status["TargetId"],
                PermissionSetArn=status["PermissionSetArn"],
            )
            return all(each["PrincipalId"] != status["PrincipalId"] for each in listed)

    def _wait_for_some(self) -> Iterator[tuple[Change, WriteResult]]:
        timing = self._connection.timing
        deadline, pause_s = timing.clock() + _TIMEOUT_S, _FIRST_PAUSE_S
        while True:
            timing.sleep(pause_s)
            ended = self._read_ended()
            for request_id, status in ended.items():
                yield from self._ended(self._outstanding.pop(request_id), status)
            if ended:
                return
            if timing.clock() >= deadline:
                raise self._still_outstanding()
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def _read_ended(self) -> dict[str, dict[str, Any]]:
        with failed_read("the status of the account assignments"):
            listed = pages(
                self._sso_admin,
                self._list_operation,
                f"AccountAssignments{self._word}Status",
                InstanceArn=self._instance_arn,
                Filter={"Status": "IN_PROGRESS"},
            )
            in_progress = {status["RequestId"] for status in listed}
            left_the_list = [each for each in self._outstanding if each not in in_progress]
            # Not being in the list is no proof: a new request may not show yet. Nor has the list reasons.
            statuses = {request_id: self._describe(request_id) for request_id in left_the_list}
        return {
            request_id: status for request_id, status in statuses.items() if status["Status"] != "IN_PROGRESS"
        }

    def _describe(self, request_id: str) -> dict[str, Any]:
        answer = self._describe_call(
            InstanceArn=self._instance_arn,
            **{f"AccountAssignment{self._word}RequestId": request_id},
        )
        return dict(answer[f"AccountAssignment{self._word}Status"])

    def _still_outstanding(self) -> WaitTimeoutError:
        keys = ", ".join(repr(begun.change.key) for begun in self._outstanding.values())
        return WaitTimeoutError(
            f"waited {_TIMEOUT_S:g} s and AWS is still IN_PROGRESS with {keys}",
            remedy="Run again in a while: what is done is kept.",
        )


def _is_passing(error: ClientError) -> bool:
    # Somebody else may have filled AWS's window.
    return is_spreading(error) or error_code(error) == "ServiceQuotaExceededException"


def _assignments_failed(failures: list[tuple[Change, str]]) -> WriteFailedError:
    listed = "\n".join(f"  {change.action.value} {change.key!r}: {reason}" for change, reason in failures)
    return WriteFailedError(
        f"{len(failures)} account assignment{'s' if len(failures) > 1 else ''} failed:\n{listed}",
        remedy="The others are done. Fix what AWS reports, then plan and apply again.",
    )


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
