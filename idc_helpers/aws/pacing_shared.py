"""One pacer for many processes: whoever works on one AWS organization at a time shares its limits.

The processes of a machine take their slots from one small file for each limit, under a lock. A batch names
the folder of these files in ``IDC_PACING_FOLDER``. Machines cannot share a file's lock safely, so each gets a
fixed part of the rate: ``IDC_PACING_MACHINES`` says among how many it is shared out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import ClientError

from idc_helpers.aws.connected import Connection
from idc_helpers.aws.pacing import AWS_RATE_PER_S, Pacer
from idc_helpers.errors import AccessDeniedError, InvalidValueError, RunFailedError
from idc_helpers.file_locks import lock_file

FOLDER_VARIABLE = "IDC_PACING_FOLDER"
MACHINES_VARIABLE = "IDC_PACING_MACHINES"
# No queue is that long: the file is of a time before the machine was started anew, and its clock with it.
_FARTHEST_S = 3600.0


class SharedPacer(Pacer):
    """Lets the calls of all processes that use one file pass one by one, evenly spaced.

    Parameters
    ----------
    rate_per_s
        Of all of them together.
    path
        The file; made when missing.
    clock, sleep
        As for `Pacer`; the clock must be the same for all processes of the machine.
    """

    def __init__(
        self,
        rate_per_s: float,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(rate_per_s, clock=clock, sleep=sleep)
        self._path = path

    def _take_slot(self, length_s: float) -> float:
        try:
            with lock_file(self._path, wait=True) as descriptor:
                assert descriptor is not None
                now = self._clock()
                slot = max(now, _read(descriptor, now))
                os.pwrite(descriptor, f"{slot + length_s:32.9f}".encode(), 0)
        except OSError as error:
            raise RunFailedError(
                f"the pace of the calls cannot be kept in {str(self._path)!r}: {error.strerror or error}",
                remedy=f"See that the folder in {FOLDER_VARIABLE} can be written, or unset the variable.",
            ) from error
        return slot - now


def _read(descriptor: int, now: float) -> float:
    try:
        slot = float(os.pread(descriptor, 64, 0))
    except ValueError:
        return now  # new
    return slot if slot < now + _FARTHEST_S else now


def share_pacing(connection: Connection) -> None:
    """Let a connection to AWS take its slots from files, where the environment names their folder.

    Raises
    ------
    InvalidValueError
        When the environment does not name a number of machines.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return
    rate_per_s = AWS_RATE_PER_S / _machines(os.environ.get(MACHINES_VARIABLE, "1"))
    start = f"{_management_account_id(connection)}-{connection.region}"
    connection.pacing.share(lambda limit: SharedPacer(rate_per_s, Path(folder) / f"{start}-{limit}.slot"))


def _machines(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise InvalidValueError(
            f"{MACHINES_VARIABLE} is {text!r}", remedy="It is the number of machines that share the rate."
        )
    return int(text)


def _management_account_id(connection: Connection) -> str:
    """Return whose limits they are: the organization's, or the caller's account where it cannot be read.

    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html
    """
    try:
        organization = connection.clients.client("organizations").describe_organization()["Organization"]
    except (ClientError, AccessDeniedError):
        return connection.caller.account_id
    return str(organization["MasterAccountId"])
