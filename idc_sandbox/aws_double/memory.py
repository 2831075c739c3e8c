"""moto's memory and the state file, kept in step.

moto's services live in globals of its modules, so one process serves one sandbox at a time: whoever is asked
next takes the globals over and loads its own state. A counter in the state file names the state that memory
must equal. It is written in the same transaction as the snapshots; when that transaction is rolled back, or
its commit fails, memory and file disagree about the counter, and the next access loads memory from the file
again.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import moto
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random
from moto.organizations.models import organizations_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

from idc_sandbox import clock
from idc_sandbox.aws_double import access_policies
from idc_sandbox.aws_double.administrator import STATE_COUNTER, state_number, write_administrator
from idc_sandbox.aws_double.moto_settings import current
from idc_sandbox.aws_double.object_bodies import ObjectBodies
from idc_sandbox.aws_double.snapshots import read_snapshot, write_snapshot
from idc_sandbox.errors import SandboxStartError
from idc_sandbox.identifiers import IdFactory

SERVICES = ("iam", "sts", "organizations", "s3")
_owner: weakref.ref[Memory] | None = None


# account id → partition → backend, of each service
_BACKENDS: dict[str, Any] = {
    "iam": iam_backends,
    "sts": sts_backends,
    "organizations": organizations_backends,
    "s3": s3_backends,
}


class Memory:
    """The memory of moto's four services, as one state file has it.

    Parameters
    ----------
    seed
        moto's ids are derived from it.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._state_number: int | None = None  # None: memory holds what no file holds

    def synchronize(self, connection: sqlite3.Connection) -> None:
        """Make moto's memory and clock those of the state file, as the current transaction sees it."""
        global _owner  # noqa: PLW0603  moto's globals have one owner, so this is a global as well
        current.clock_offset_s = clock.clock_offset_s(connection)
        is_owner = _owner is not None and _owner() is self
        if is_owner and self._state_number == state_number(connection):
            return
        _owner = weakref.ref(self)
        self._state_number = None
        for service_name in SERVICES:
            self._load(connection, service_name)
        self._state_number = state_number(connection)

    def begin_change(self, connection: sqlite3.Connection) -> None:
        """Say that memory is about to change: its ids are drawn anew, and it equals no file until `save`."""
        self._state_number = None
        mock_random.seed(IdFactory(connection, self._seed).digest("double_request"))

    def forget(self) -> None:
        """Give up what memory holds; the next access loads the state file's."""
        self._state_number = None

    def save(self, connection: sqlite3.Connection, *service_names: str) -> None:
        """Write the memory of some services into the current transaction."""
        for service_name in service_names:
            bodies = ObjectBodies(connection)
            connection.execute(
                "INSERT OR REPLACE INTO double_state VALUES (?, ?, ?)",
                (service_name, moto.__version__, write_snapshot(_collect(service_name), bodies)),
            )
            if service_name == "s3":
                bodies.drop_unnamed()
        row = connection.execute(
            "INSERT INTO id_counter VALUES (?, 1) "
            "ON CONFLICT (kind) DO UPDATE SET next_value = next_value + 1 RETURNING next_value",
            (STATE_COUNTER,),
        ).fetchone()
        self._state_number = int(row[0])
        write_administrator(connection, access_policies.find_administrator(), moto.__version__)

    @contextmanager
    def change(self, connection: sqlite3.Connection, *service_names: str) -> Iterator[None]:
        """Change memory and save it; when the change raises, the next access loads the state before it."""
        self.synchronize(connection)
        self.begin_change(connection)
        yield
        self.save(connection, *service_names)

    def _load(self, connection: sqlite3.Connection, service_name: str) -> None:
        row = connection.execute(
            "SELECT moto_version, state FROM double_state WHERE service = ?", (service_name,)
        ).fetchone()
        if row is None:
            _install(service_name, {"accounts": {}, "index": {}})
            return
        if row["moto_version"] != moto.__version__:
            raise SandboxStartError(
                f"the state of {service_name!r} was written by moto {row['moto_version']!r}, and this is "
                f"moto {moto.__version__!r}. Install that version (pip install "
                f"moto=={row['moto_version']}), or start over with `idc sandbox reset`."
            )
        try:
            memory = read_snapshot(row["state"], ObjectBodies(connection))
        except Exception as error:
            raise SandboxStartError(
                f"the state of {service_name!r} in the state file cannot be read: {error}. "
                "Take a copy of the file from before, or start over with `idc sandbox reset`."
            ) from error
        _install(service_name, memory)


def _collect(service_name: str) -> dict[str, Any]:
    """Return what a service holds: its backends, and the index beside them that some have."""
    backends = _BACKENDS[service_name]
    accounts = {account_id: dict(partitions.items()) for account_id, partitions in backends.items()}
    return {"accounts": accounts, "index": dict(_index(service_name))}


def _index(service_name: str) -> dict[str, Any]:
    if service_name == "organizations":
        return organizations_backends.master_accounts
    return s3_backends.bucket_accounts if service_name == "s3" else {}


def _install(service_name: str, memory: dict[str, Any]) -> None:
    backends = _BACKENDS[service_name]
    if service_name == "s3":
        _dispose_objects(backends)
    backends.clear()
    for account_id, partitions in memory["accounts"].items():
        for partition, backend in partitions.items():
            backends[account_id][partition] = backend
    index = _index(service_name)
    index.clear()
    index.update(memory["index"])


def _dispose_objects(backends: Any) -> None:
    """Close the files of the objects that are about to be forgotten."""
    for partitions in backends.values():
        for backend in partitions.values():
            for bucket in backend.buckets.values():
                versions = [version for _, versions in bucket.keys.lists() for version in versions]
                for item in [*versions, *bucket.multiparts.values()]:
                    if hasattr(item, "dispose"):  # a delete marker has no file
                        item.dispose()
