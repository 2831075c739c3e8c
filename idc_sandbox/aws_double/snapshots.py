"""How the memory of one of moto's services becomes bytes, and how only safe bytes become memory again.

A snapshot is a pickle, because moto's objects are what they are. Reading one makes objects of moto's own
classes and of the few plain types listed here, and calls nothing else: a state file that was tampered with is
refused.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from typing import Any

from moto.iam.models import AWSManagedPolicy
from moto.s3.models import FakeKey

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
}
_MANAGED_POLICIES = {"ManagedPolicies": ManagedPolicies, "restore_aws_policy": restore_aws_policy}


class UnsafeSnapshotError(pickle.UnpicklingError):
    """A snapshot names something that moto's memory never holds."""


def object_body(_digest: str) -> bytes:
    """Stand in a snapshot for an object's bytes; the reader calls its own `ObjectBodies.read` instead."""
    raise UnsafeSnapshotError("an object's bytes were asked for outside of a snapshot")


class _Body:
    def __init__(self, digest: str) -> None:
        self.digest = digest


class _Writer(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, bodies: ObjectBodies) -> None:
        super().__init__(buffer, protocol=5)
        self._bodies = bodies

    def reducer_override(self, value: Any) -> Any:
        """Keep of AWS's policies what an account adds to them, and of an object's bytes the name."""
        if isinstance(value, AWSManagedPolicy):
            state = {"attachment_count": value.attachment_count}
            return restore_aws_policy, (value.account_id, value.arn), state
        if isinstance(value, _Body):
            return object_body, (value.digest,)
        if isinstance(value, FakeKey) and (digest := self._bodies.name(value)):
            kept = {name: item for name, item in vars(value).items() if name not in ("_value_buffer", "lock")}
            return copyreg.__newobj__, (type(value),), {**kept, "value": _Body(digest)}  # type: ignore[attr-defined]
        return NotImplemented


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
        if module == ManagedPolicies.__module__ and name in _MANAGED_POLICIES:
            return _MANAGED_POLICIES[name]
        if (module, name) == (__name__, object_body.__name__):
            return self._bodies.read
        if (module, name) in _PLAIN_TYPES:
            return super().find_class(module, name)
        if module.startswith("moto.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__.startswith("moto."):
                return found
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
