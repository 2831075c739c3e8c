"""Which operations a test calls, as they are sent and answered: docs/operations.md names none falsely."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from idc_sandbox.gateway import Gateway
from idc_sandbox.wire import registry

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
Call = tuple[str, str]


@contextmanager
def recorded_calls(patch: Any) -> Iterator[set[Call]]:
    """Yield the set of operations that boto3 sends, or that a gateway of this process answers."""
    seen: set[Call] = set()
    inside = threading.local()
    send, handle, call = BaseClient._make_api_call, Gateway.handle, registry.call_operation

    def record_sent(client: Any, name: str, values: Any) -> Any:
        seen.add((client.meta.service_model.service_name, name))
        return send(client, name, values)

    def record_handled(gateway: Gateway, request: Any) -> Any:
        inside.gateway = True
        try:
            return handle(gateway, request)
        finally:
            inside.gateway = False

    def record_answered(context: Any, service: str, model: Any, request: Any) -> Any:
        if getattr(inside, "gateway", False):
            seen.add((service, model.name))
        return call(context, service, model, request)

    patch.setattr(BaseClient, "_make_api_call", record_sent)
    patch.setattr(Gateway, "handle", record_handled)
    patch.setattr(registry, "call_operation", record_answered)
    yield seen


_ROW = re.compile(
    r"^\| `(?P<name>\w+)` \| (?P<home>[^|]*) \| (?P<words>[^|]*) \| (?P<tests>[^|]*) \|$", re.ASCII
)
_RULE = re.compile(r"^\| (?P<word>\w+) \| [^|]* \| `(?P<test>\S+::\w+)` \|$", re.ASCII)


def read_page(text: str) -> dict[Call, tuple[str, ...]]:
    """Return the tests that the page names for each operation: ``file.py::function``, or with a row's id."""
    found: dict[Call, tuple[str, ...]] = {}
    rules: dict[str, str] = {}
    service = ""
    for line in text.splitlines():
        if line.startswith("## "):
            service = line.removeprefix("## ").split()[0].strip("`")
        elif rule := _RULE.match(line):
            rules[rule["word"]] = rule["test"]
        elif row := _ROW.match(line):
            words = [word for word in row["words"].split(", ") if word]
            of_rules = [f"{rules[word]}[{service}-{row['name']}]" for word in words]
            others = re.findall(r"`(\S+?::[^`]+)`", row["tests"])
            found[service, row["name"]] = (*of_rules, *others)
    return found


@cache
def promised() -> dict[str, set[Call]]:
    """Return the operations that the page says a test calls, by the test's name there."""
    found: dict[str, set[Call]] = {}
    for call, tests in read_page(PAGE.read_text("utf-8") if PAGE.exists() else "").items():
        for test in tests:
            found.setdefault(test, set()).add(call)
    return found


def promised_by(node_id: str) -> set[Call]:
    """Return the operations that the page says a test calls, by pytest's name of the test."""
    name = short_name(node_id)
    return promised().get(name, set()) | promised().get(name.partition("[")[0], set())


def short_name(node_id: str) -> str:
    """Return pytest's name of a test without its folder."""
    path, _, test = node_id.partition("::")
    return f"{Path(path).name}::{test}"


def note(file: str, node_id: str, calls: set[Call]) -> None:
    """Add a test's calls to a file that `tools/operations_page.py` reads."""
    with Path(file).open("a", encoding="utf-8") as record:
        record.write(json.dumps({"test": short_name(node_id), "calls": sorted(calls)}) + "\n")
