"""moto's memory and the state file, kept in step by snapshots that hold only safe bytes."""

from __future__ import annotations

import copyreg
import functools
import hashlib
import importlib
import io
import pickle
import re
import sqlite3
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeVar

import moto
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.moto_api._internal import mock_random
from moto.organizations.models import organizations_backends
from moto.s3.models import FakeKey, s3_backends
from moto.s3.utils import _VersionedKeyStore
from moto.sts.models import sts_backends

from idc_sandbox import store
from idc_sandbox.aws_double import accounts
from idc_sandbox.aws_double.administrator import (
    STATE_COUNTER,
    keep_administrator,
    state_number,
    write_administrator,
)
from idc_sandbox.aws_double.moto_settings import ManagedPolicies, current, restore_aws_policy
from idc_sandbox.errors import SandboxStartError
from idc_sandbox.store import IdFactory
from idc_sandbox.wire.registry import MOTO_SERVICES

_PREFIX = "s3 object "
# Accounts whose iam was written after the row of all accounts, each in a row of its own.
_ACCOUNT_PREFIX = "iam account "
_LONGEST_INLINE = 1024  # smaller bodies stay in the snapshot: a row costs more


class ObjectBodies:
    """Bodies of objects in the current transaction; snapshots name them, so that small writes stay small."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.named: set[str] = set()

    def name(self, key: Any) -> str:
        """Return the hash under which an object's bytes are kept. Writes."""
        digest: str | None = getattr(key, "sandbox_digest", None)  # moto never gives an object other bytes
        if digest is None:
            body = key.value
            digest = key.sandbox_digest = hashlib.sha256(body).hexdigest()
        row = (_PREFIX + digest,)
        if not self._connection.execute("SELECT 1 FROM double_state WHERE service = ?", row).fetchone():
            self._connection.execute(
                "INSERT INTO double_state VALUES (?, ?, ?)", (*row, moto.__version__, key.value)
            )
        self.named.add(digest)
        return digest

    def read(self, digest: str) -> bytes:
        """Return the bytes of a hash."""
        row = self._connection.execute(
            "SELECT state FROM double_state WHERE service = ?", (_PREFIX + digest,)
        ).fetchone()
        if row is None:
            raise LookupError(f"the bytes of an object, {digest!r}, are missing")
        return bytes(row[0])

    def drop_unnamed(self) -> None:
        """Delete the bytes that no object has any more. Writes."""
        rows = self._connection.execute(
            "SELECT service FROM double_state WHERE service GLOB ?", (_PREFIX + "*",)
        ).fetchall()
        gone = [(row[0],) for row in rows if row[0].removeprefix(_PREFIX) not in self.named]
        self._connection.executemany("DELETE FROM double_state WHERE service = ?", gone)


_PLAIN_TYPES = {
    "builtins": "dict list set frozenset tuple bytearray object complex slice range",
    "collections": "OrderedDict defaultdict deque",
    "datetime": "datetime date timedelta timezone",
    "decimal": "Decimal",
    "uuid": "UUID",
    "re": "_compile",
    "copyreg": "_reconstructor",
    "requests.structures": "CaseInsensitiveDict",
}
_OURS = {
    (ManagedPolicies.__module__, "ManagedPolicies"),
    (ManagedPolicies.__module__, "restore_aws_policy"),
    (__name__, "restore_versions"),
    (__name__, "object_body"),
}


class UnsafeSnapshotError(pickle.UnpicklingError):
    """A snapshot names something that moto's memory never holds."""


def object_body(_digest: str) -> bytes:
    """Stand in a snapshot for an object's bytes; the reader calls its own `ObjectBodies.read` instead."""
    raise UnsafeSnapshotError("an object's bytes were asked for outside of a snapshot")


def restore_versions(versions: dict[str, list[Any]]) -> _VersionedKeyStore:
    """Return a store of objects with all versions of each; a plain copy of moto's keeps the last alone."""
    store = _VersionedKeyStore()
    for name, items in versions.items():
        store.setlist(name, items)
    return store


class _Body:
    def __init__(self, digest: str) -> None:
        self.digest = digest


class _Writer(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, bodies: ObjectBodies) -> None:
        super().__init__(buffer, protocol=5)
        self._bodies = bodies
        self._plain_kinds: set[type] = set()

    def reducer_override(self, value: Any) -> Any:
        """Keep of AWS's policies what an account adds to them, and of an object's bytes the name."""
        kind = type(value)
        if kind in self._plain_kinds:
            return NotImplemented
        if kind is FakeKey:
            return self._reduce_object(value)
        if kind is AWSManagedPolicy:
            state = {"attachment_count": value.attachment_count}
            return restore_aws_policy, (value.account_id, value.arn), state
        if kind is _Body:
            return object_body, (value.digest,)
        if kind is _VersionedKeyStore:
            return restore_versions, (dict(value.lists()),)
        self._check(value)
        return NotImplemented

    def _reduce_object(self, key: FakeKey) -> Any:
        if key.disposed:
            return NotImplemented
        # As moto's own `__getstate__`, but without a lock and a copy for each: every write to S3 saves all.
        kept: dict[str, Any] = dict(vars(key))
        buffer = kept.pop("_value_buffer")
        del kept["lock"]
        if key.contentsize > _LONGEST_INLINE:
            kept["value"] = _Body(self._bodies.name(key))
        else:
            buffer.seek(0)
            kept["value"] = buffer.read()
        return copyreg.__newobj__, (FakeKey,), kept  # type: ignore[attr-defined]

    def _check(self, value: Any) -> None:
        is_global = isinstance(value, (type, FunctionType, BuiltinFunctionType))
        named = value if is_global else type(value)
        if named is not re.Pattern and not _may_be_named(named.__module__, named.__qualname__):
            raise UnsafeSnapshotError(f"moto's memory holds a {named.__module__}.{named.__qualname__}")
        if not is_global:
            self._plain_kinds.add(type(value))


@functools.cache
def _may_be_named(module: str, name: str) -> bool:
    """Tell whether a snapshot may name something: plain types, and classes that moto itself defines."""
    if name in _PLAIN_TYPES.get(module, "").split() or (module, name) in _OURS:
        return True
    if not module.startswith("moto."):
        return False
    found = getattr(sys.modules.get(module) or importlib.import_module(module), name, None)
    return isinstance(found, type) and found.__module__.startswith("moto.")


class _Reader(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, bodies: ObjectBodies) -> None:
        super().__init__(buffer)
        self._bodies = bodies

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that a snapshot may name."""
        if (module, name) == (__name__, "object_body"):
            return self._bodies.read
        if _may_be_named(module, name):
            return super().find_class(module, name)
        raise UnsafeSnapshotError(f"the snapshot names {module}.{name}, which moto's memory never holds")


def write_snapshot(memory: Any, bodies: ObjectBodies) -> bytes:
    """Return the bytes of a service's memory; those of large objects go to `bodies`."""
    buffer = io.BytesIO()
    _Writer(buffer, bodies).dump(memory)
    return buffer.getvalue()


def read_snapshot(state: bytes, bodies: ObjectBodies) -> Any:
    """Return the memory that `write_snapshot` was given."""
    return _Reader(io.BytesIO(state), bodies).load()


# moto's services live in globals of its modules, so one process serves one sandbox at a time: the one that is
# asked next takes the globals over and loads its own state. A counter in the state file names the state that
# memory must equal. It is written in the same transaction as the snapshots; when that transaction is rolled
# back, or its commit fails, memory and file disagree about the counter, and the next access loads memory from
# the file again.
_owner: weakref.ref[Memory] | None = None
_MOST_RECALLED = 1000
_BESIDE_CALLERS = ("s3",)  # has neither keys nor policies of callers: what is known of them stays
A = TypeVar("A")
R = TypeVar("R")


# account id → partition → backend, of each service
_BACKENDS: dict[str, Any] = {
    "iam": iam_backends,
    "sts": sts_backends,
    "organizations": organizations_backends,
    "s3": s3_backends,
}


class Memory:
    """The memory of moto's four services, as one state file has it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._recalled: dict[Any, Any] = {}
        self._state_number: int | None = None  # None: memory holds what no file holds

    def synchronize(self, connection: sqlite3.Connection) -> None:
        """Make moto's memory and clock those of the state file, as the current transaction sees it."""
        global _owner  # noqa: PLW0603  moto's globals have one owner, so this is a global as well
        current.clock_offset_s = store.clock_offset_s(connection)
        is_owner = _owner is not None and _owner() is self
        if is_owner and self._state_number == state_number(connection):
            return
        _owner = weakref.ref(self)
        self.forget()
        for service_name in MOTO_SERVICES:
            self._load(connection, service_name)
        self._state_number = state_number(connection)

    def begin_change(
        self, connection: sqlite3.Connection, *service_names: str, ids: str = "double_request"
    ) -> None:
        """Say that memory is about to change: its ids are drawn anew, and it equals no file until `save`."""
        self._state_number = None
        if service_names != _BESIDE_CALLERS:
            self._recalled.clear()
        mock_random.seed(IdFactory(connection, self._seed).digest(ids))

    def forget(self) -> None:
        """Give up what memory holds; the next access loads the state file's."""
        self._state_number = None
        self._recalled.clear()

    def recall(self, read: Callable[[A], R], argument: A) -> R:
        """Return what a read finds in memory: request after request asks the same until memory changes."""
        if self._state_number is None:
            return read(argument)
        if (read, argument) not in self._recalled:
            if len(self._recalled) >= _MOST_RECALLED:  # anybody can ask for keys that are not there
                self._recalled.clear()
            self._recalled[read, argument] = read(argument)
        found: R = self._recalled[read, argument]
        return found

    def save(
        self, connection: sqlite3.Connection, *service_names: str, account_id: str | None = None
    ) -> None:
        """Write the memory of some services in the current transaction; of iam one account's, where given."""
        for service_name in service_names:
            bodies, backends = ObjectBodies(connection), _BACKENDS[service_name]
            held = {one: dict(partitions.items()) for one, partitions in backends.items()}
            row = service_name
            if service_name == "iam" and account_id in held:
                # A role in each of sixty accounts: writing all of them each time would take their square.
                row, held = f"{_ACCOUNT_PREFIX}{account_id}", {account_id: held[account_id]}
            elif service_name == "iam":
                connection.execute("DELETE FROM double_state WHERE service GLOB ?", (f"{_ACCOUNT_PREFIX}*",))
            memory = {"accounts": held, "index": dict(_index(service_name))}
            connection.execute(
                "INSERT OR REPLACE INTO double_state VALUES (?, ?, ?)",
                (row, moto.__version__, write_snapshot(memory, bodies)),
            )
            if service_name == "s3":
                bodies.drop_unnamed()
        self._state_number = store.next_number(connection, STATE_COUNTER)
        if service_names == _BESIDE_CALLERS:
            keep_administrator(connection)
        else:
            write_administrator(connection, accounts.find_administrator(), moto.__version__)

    @contextmanager
    def change(
        self,
        connection: sqlite3.Connection,
        *service_names: str,
        account_id: str | None = None,
        ids: str = "double_request",
    ) -> Iterator[None]:
        """Change memory and save it; when the change raises, the next access loads the state before it."""
        self.synchronize(connection)
        self.begin_change(connection, *service_names, ids=ids)
        yield
        self.save(connection, *service_names, account_id=account_id)

    def _load(self, connection: sqlite3.Connection, service_name: str) -> None:
        memory: dict[str, Any] = {"accounts": {}, "index": {}}
        later = f"{_ACCOUNT_PREFIX}*" if service_name == "iam" else ""
        for row in connection.execute(
            "SELECT moto_version, state FROM double_state WHERE service = ? OR service GLOB ?"
            " ORDER BY service",  # the row of all accounts is the first
            (service_name, later),
        ).fetchall():
            read = self._read(connection, service_name, row)
            memory = {"accounts": memory["accounts"] | read["accounts"], "index": read["index"]}
        _install(service_name, memory)

    def _read(self, connection: sqlite3.Connection, service_name: str, row: sqlite3.Row) -> dict[str, Any]:
        if row["moto_version"] != moto.__version__:
            raise SandboxStartError(
                f"the state of {service_name!r} was written by moto {row['moto_version']!r}, and this is "
                f"moto {moto.__version__!r}. Install that version (pip install "
                f"moto=={row['moto_version']}), or start over with `idc sandbox reset`."
            )
        try:
            memory: dict[str, Any] = read_snapshot(row["state"], ObjectBodies(connection))
        except Exception as error:
            raise SandboxStartError(
                f"the state of {service_name!r} in the state file cannot be read: {error}. "
                "Take a copy of the file from before, or start over with `idc sandbox reset`."
            ) from error
        return memory


def _index(service_name: str) -> dict[str, Any]:
    """Return what some services hold beside their backends."""
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
