"""Switches for tests and lessons, kept in the state file: latency, how long changes take, faults, a rate."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from idc_sandbox.errors import ServiceError, check_seconds, validation_error
from idc_sandbox.wire.models import service_model
from idc_sandbox.wire.registry import SERVICES

DEFAULTS: dict[str, Any] = {
    "latency_s": 0.0,
    "asynchronous_duration_s": 0.1,  # of the sandbox's clock, for an assignment or a provisioning
    "faults": [],
    "fail_next_assignments": [],
    "propagation_delay_s": 0.0,  # until the portal shows a change of a group's members
    "requests_per_second": 0,
    "trail": True,  # whether what happens is recorded
    "trail_delivery_s": 300.0,  # until events are in S3; 0: whoever looks finds all of them
}
_LONGEST_S = {
    "latency_s": 60.0,
    "asynchronous_duration_s": 86_400.0,
    "propagation_delay_s": 86_400.0,
    "trail_delivery_s": 86_400.0,
}
_FASTEST = 10_000
_FAULT_KEYS = ("service", "operation", "code", "message", "status", "every", "next")


def read_switches(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return every switch with its value; ``faults`` show how often they were asked (``calls``) and hit."""
    return {name: read_switch(connection, name) for name in DEFAULTS}


def write_switches(connection: sqlite3.Connection, values: Any) -> dict[str, Any]:
    """Set the named switches, leave the others, and return all of them."""
    if not isinstance(values, dict):
        raise validation_error(f"The switches must be a JSON object, found {type(values).__name__}.")
    unknown = sorted(set(values) - set(DEFAULTS))
    if unknown:
        raise validation_error(f"There is no switch {unknown[0]!r}. The switches are {', '.join(DEFAULTS)}.")
    checked = {
        name: DEFAULTS[name] if value is None else _check(name, value) for name, value in values.items()
    }
    for name, value in checked.items():
        _write(connection, name, value)
    return read_switches(connection)


def next_assignment_failure(connection: sqlite3.Connection) -> str | None:
    """Take the reason with which the next assignment must fail, or None. Writes: a reason is used once."""
    reasons = read_switch(connection, "fail_next_assignments")
    if not reasons:
        return None
    _write(connection, "fail_next_assignments", reasons[1:])
    return str(reasons[0])


def next_fault(connection: sqlite3.Connection, service_name: str, operation_name: str) -> ServiceError | None:
    """Return the error with which this call must fail, or None. Writes: matching faults count the call."""
    faults = read_switch(connection, "faults")
    hit: ServiceError | None = None
    for fault in faults:
        if fault["service"] not in ("*", service_name) or fault["operation"] not in ("*", operation_name):
            continue
        fault["calls"] += 1
        if hit is None and _is_due(fault):
            fault["hits"] += 1
            hit = ServiceError(fault["code"], fault["message"], status=fault["status"])
    if faults:
        _write(connection, "faults", faults)
    return hit


def _is_due(fault: dict[str, Any]) -> bool:
    if fault["next"] is not None:
        return bool(fault["hits"] < fault["next"])
    return bool(fault["calls"] % (fault["every"] or 1) == 0)


def read_switch(connection: sqlite3.Connection, name: str) -> Any:
    """Return the value of a switch."""
    row = connection.execute("SELECT value_json FROM switch WHERE name = ?", (name,)).fetchone()
    return json.loads(row[0]) if row else DEFAULTS[name]


def _write(connection: sqlite3.Connection, name: str, value: Any) -> None:
    connection.execute("INSERT OR REPLACE INTO switch VALUES (?, ?)", (name, json.dumps(value)))


def _check(name: str, value: Any) -> Any:
    if name in _LONGEST_S:
        return check_seconds(name, value, _LONGEST_S[name])
    if name == "requests_per_second":
        if not _is_whole(value, 0, _FASTEST):
            raise validation_error(
                f"requests_per_second must be a whole number from 0 (no limit) to {_FASTEST}, found "
                f"{value!r}; AWS's limit is 20."
            )
        return value
    if name == "trail":
        if not isinstance(value, bool):
            raise validation_error(f"trail must be true or false, found {value!r}.")
        return value
    if not isinstance(value, list):
        raise validation_error(f"{name} must be a list, found {value!r}.")
    if name == "faults":
        return [_check_fault(fault) for fault in value]
    for reason in value:
        if not isinstance(reason, str) or not reason:
            raise validation_error(
                f"fail_next_assignments holds reasons, each a non-empty text; found {reason!r}."
            )
    return value


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_fault(fault: Any) -> dict[str, Any]:
    if not isinstance(fault, dict):
        raise validation_error(f"A fault must be an object with service and code, found {fault!r}.")
    unknown = sorted(set(fault) - {*_FAULT_KEYS, "calls", "hits"})
    if unknown:
        raise validation_error(f"A fault has no key {unknown[0]!r}. Its keys are {', '.join(_FAULT_KEYS)}.")
    for key in ("service", "code"):
        if not isinstance(fault.get(key), str) or not fault[key]:
            raise validation_error(f"A fault needs {key}, a text; found {fault.get(key)!r}.")
    if not fault["code"].replace(".", "").isalnum() or not fault["code"].isascii():
        raise validation_error(
            f"A fault's code must be an error code such as 'ThrottlingException', found {fault['code']!r}."
        )
    for key in ("operation", "message"):
        if fault.get(key) is not None and not isinstance(fault[key], str):
            raise validation_error(f"A fault's {key} must be a text, found {fault[key]!r}.")
    if fault.get("every") is not None and fault.get("next") is not None:
        raise validation_error(
            "A fault has either every (each Nth call fails) or next (the next N calls fail)."
        )
    _require_calls(fault["service"], fault.get("operation") or "*")
    return {
        "service": fault["service"],
        "operation": fault.get("operation") or "*",
        "code": fault["code"],
        "message": fault.get("message") or "A fault of the sandbox, made on purpose by its switches.",
        "status": _check_count("status", fault.get("status"), 400, 599),
        "every": _check_count("every", fault.get("every"), 1, 1_000_000),
        "next": _check_count("next", fault.get("next"), 1, 1_000_000),
        "calls": 0,
        "hits": 0,
    }


def _require_calls(service_name: str, operation_name: str) -> None:
    """Refuse a fault that no call can meet: a misspelt one would let every test pass."""
    if service_name != "*":
        _require_one_of("service", service_name, SERVICES)
    if operation_name != "*":
        services = SERVICES if service_name == "*" else (service_name,)
        names = [name for service in services for name in service_model(service).operation_names]
        _require_one_of("operation", operation_name, names)


def _require_one_of(key: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        import difflib  # noqa: PLC0415  no start waits for what only mistakes need

        near = difflib.get_close_matches(value, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Take '*' or one of {', '.join(known[:20])}."
        raise validation_error(
            f"A fault's {key} must be one that the sandbox answers, found {value!r}. {hint}"
        )


def _check_count(key: str, value: Any, low: int, high: int) -> int | None:
    if value is not None and not _is_whole(value, low, high):
        raise validation_error(
            f"A fault's {key} must be a whole number from {low} to {high}, found {value!r}."
        )
    return value


_WINDOW_S = 1.0
LIMITED_TOGETHER = ("sso-admin", "account-access")


class RateLimiter:
    """AWS's limit of requests a second, for drills: sso-admin's together, others by operation."""

    def __init__(self, requests_per_second: int) -> None:
        self.requests_per_second = requests_per_second
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def take(self, service_name: str, operation_name: str) -> None:
        """Count a request, or refuse it."""
        if not self.requests_per_second:
            return
        is_shared = service_name in LIMITED_TOGETHER
        with self._lock:
            taken = self._taken[service_name if is_shared else f"{service_name}:{operation_name}"]
            now = time.monotonic()
            while taken and taken[0] <= now - _WINDOW_S:
                taken.popleft()
            if len(taken) < self.requests_per_second:
                taken.append(now)
                return
        raise ServiceError(
            "ThrottlingException",
            f"Rate exceeded. More than {self.requests_per_second} requests in a second: wait, and try again.",
            RetryAfterSeconds=None if is_shared else 1,
        )
