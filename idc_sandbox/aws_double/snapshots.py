"""How the memory of one of moto's services becomes bytes, and how only safe bytes become memory again.

A snapshot is a pickle, because moto's objects are what they are. Reading one makes objects of moto's own
classes and of the few plain types listed here, and calls nothing else: a state file that was tampered with is
refused.
"""

from __future__ import annotations

import copyreg
import functools
import importlib
import io
import pickle
import re
import sys
from types import BuiltinFunctionType, FunctionType
from typing import Any

from moto.iam.models import AWSManagedPolicy
from moto.s3.models import FakeKey
from moto.s3.utils import _VersionedKeyStore

from idc_sandbox.aws_double.managed_policies import ManagedPolicies, restore_aws_policy
from idc_sandbox.aws_double.object_bodies import ObjectBodies

_PLAIN_TYPES = {
    ("builtins", name)
    for name in (
        "dict",
        "list",
        "set",
        "frozenset",
        "tuple",
        "bytearray",
        "object",
        "complex",
        "slice",
        "range",
    )
} | {
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("collections", "deque"),
    ("datetime", "datetime"),
    ("datetime", "date"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
    ("re", "_compile"),
    ("copyreg", "_reconstructor"),
    ("requests.structures", "CaseInsensitiveDict"),
}
_OPEN_FILES = ("_value_buffer", "lock")  # attributes of an object that are made anew
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
        """Keep of AWS's policies what an account adds to them, and of an object's bytes the name.

        Raises
        ------
        UnsafeSnapshotError
            For what the reader would refuse: one request fails, and the state stays readable.
        """
        kind = type(value)
        if kind in self._plain_kinds:
            return NotImplemented
        if kind is AWSManagedPolicy:
            state = {"attachment_count": value.attachment_count}
            return restore_aws_policy, (value.account_id, value.arn), state
        if kind is _Body:
            return object_body, (value.digest,)
        if kind is _VersionedKeyStore:
            return restore_versions, (dict(value.lists()),)
        if kind is FakeKey:
            return self._reduce_object(value)
        self._check(value)
        return NotImplemented

    def _reduce_object(self, key: FakeKey) -> Any:
        digest = self._bodies.name(key)
        if digest is None:
            return NotImplemented
        kept: dict[str, Any] = {name: item for name, item in vars(key).items() if name not in _OPEN_FILES}
        kept["value"] = _Body(digest)
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
    if (module, name) in _PLAIN_TYPES or (module, name) in _OURS:
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
        """Return a class that a snapshot may name.

        Raises
        ------
        UnsafeSnapshotError
            For everything else.
        """
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
    """Return the memory that `write_snapshot` was given.

    Raises
    ------
    UnsafeSnapshotError
        When the bytes name anything but moto's classes and plain types.
    LookupError
        When an object's bytes are missing.
    """
    return _Reader(io.BytesIO(state), bodies).load()
