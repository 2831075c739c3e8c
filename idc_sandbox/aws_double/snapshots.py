"""How the memory of one of moto's services becomes bytes, and how only safe bytes become memory again.

A snapshot is a pickle, because moto's objects are what they are. Reading one makes objects of moto's own classes and of
the few plain types listed here, and calls nothing else: a state file that was tampered with is refused.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from moto.iam.models import AWSManagedPolicy

from idc_sandbox.aws_double.managed_policies import ManagedPolicies, restore_aws_policy

_PLAIN_TYPES = {
    ("builtins", name)
    for name in ("dict", "list", "set", "frozenset", "tuple", "bytearray", "object", "complex", "slice", "range")
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
_OURS = {"ManagedPolicies": ManagedPolicies, "restore_aws_policy": restore_aws_policy}


class UnsafeSnapshotError(pickle.UnpicklingError):
    """A snapshot names something that moto's memory never holds."""


class _Writer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Keep of AWS's own policies what an account adds to them: how often they are attached."""
        if isinstance(value, AWSManagedPolicy):
            state = {"attachment_count": value.attachment_count}
            return restore_aws_policy, (value.account_id, value.arn), state
        return NotImplemented


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a class that a snapshot may name.

        Raises
        ------
        UnsafeSnapshotError
            For everything else.
        """
        if module == ManagedPolicies.__module__ and name in _OURS:
            return _OURS[name]
        if (module, name) in _PLAIN_TYPES:
            return super().find_class(module, name)
        if module.startswith("moto.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__.startswith("moto."):
                return found
        raise UnsafeSnapshotError(f"the snapshot names {module}.{name}, which moto's memory never holds")


def write_snapshot(memory: Any) -> bytes:
    """Return the bytes of a service's memory."""
    buffer = io.BytesIO()
    _Writer(buffer, protocol=5).dump(memory)
    return buffer.getvalue()


def read_snapshot(state: bytes) -> Any:
    """Return the memory that `write_snapshot` was given.

    Raises
    ------
    UnsafeSnapshotError
        When the bytes name anything but moto's classes and plain types.
    """
    return _Reader(io.BytesIO(state)).load()
