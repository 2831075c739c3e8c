"""A window of account assignments that AWS is working on: never too many at a time, watched by one list call.

AWS takes 15 outstanding requests and refuses more; each takes some seconds. One after the other is slow,
and asking for each one's status uses up the request rate.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from idc_helpers.aws.assignment_keys import assignment_identifier
from idc_helpers.aws.calls import Writer, pages
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import error_code, failed_read, failed_write
from idc_helpers.aws.waiting import is_spreading
from idc_helpers.changes import Action, Change, State, WriteResult
from idc_helpers.errors import KitError, WaitTimeoutError, WriteFailedError

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
    """Makes account assignments of one action, creations or deletions.

    Parameters
    ----------
    connection
        Where to write.
    action
        `Action.CREATE` or `Action.DELETE`.
    request_of
        Gives AWS's request of a change; reads only.
    """

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

        Raises
        ------
        WriteFailedError
            At the end; it names every change that failed, and AWS's reasons.
        KitError
            When a request is refused, after those under way have ended.
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
