"""Make `docs/operations.md`: every operation, what answers it, and the tests that call it.

.venv/bin/python tools/operations_page.py

A look at the tests finds candidates; they are run, and only what they really send counts. Afterwards each of
the tests fails by itself when it no longer calls what the page says (`tests/sandbox/conftest.py`).
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore import xform_name

import idc_sandbox.athena.operations
import idc_sandbox.gateway  # noqa: F401  importing both registers all operations
from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "operations.md"
TESTS = ROOT / "tests" / "sandbox"
# All of their operations belong to Identity Center; of other services the sandbox has what bears on it.
WHOLE_SERVICES = ("sso-admin", "identitystore", "sso-oidc", "sso", "account-access", "account-access-runtime")
_MOST_CANDIDATES, _MOST_NAMED = 3, 2
Call = tuple[str, str]
_TEXT = """\
# All operations

This page is made by `tools/operations_page.py`: {count} operations, each with the function that answers it
and tests that call it. In `sso-admin`, `identitystore`, `sso-oidc`, `sso`, `account-access` and
`account-access-runtime` these are all that AWS's service models have; of other services the sandbox has what
bears on Identity Center. [moto](https://docs.getmoto.org) answers `sts`, `iam`, `organizations` and `s3`.

The tests are in `tests/sandbox/`. They send requests as boto3 or another client does, signed and in the
service's protocol, to the sandbox as a process of its own or inside the test's. A test that no longer calls
what this page says of it fails.

{sections}"""


def operations() -> dict[Call, str]:
    """Return every operation with the function that answers it; empty where none does."""
    names = [(service, name) for service in WHOLE_SERVICES for name in _modelled(service)]
    names += sorted(call for call in registry._HANDLERS if call[0] not in WHOLE_SERVICES)
    return {call: _home(call) for call in names}


def _modelled(service: str) -> list[str]:
    try:
        return sorted(service_model(service).operation_names)
    except (LookupError, OSError):  # a service that this version of botocore does not have
        return []


def _home(call: Call) -> str:
    handler: Any = registry._HANDLERS.get(call)
    function = getattr(handler, "func", handler)  # of operations that differ by a value alone
    return (
        "" if handler is None else f"{function.__module__.removeprefix('idc_sandbox.')}.{function.__name__}"
    )


def page_text(homes: Mapping[Call, str], tests: Mapping[Call, tuple[str, ...]]) -> str:
    """Return the text of the page."""
    rows: dict[str, list[str]] = defaultdict(list)
    for (service, name), home in homes.items():
        named = ", ".join(f"`{test}`" for test in tests.get((service, name), ()))
        answers = f"`{home}`" if home else "not answered"
        rows[service].append(f"| `{name}` | {answers} | {named} |")
    sections = [
        f"## `{service}` ({len(lines)})\n\n| Operation | Answered by | Tests |\n|---|---|---|\n"
        + "\n".join(lines)
        for service, lines in rows.items()
    ]
    return _TEXT.format(count=len(homes), sections="\n\n".join(sections) + "\n")


def candidates() -> dict[str, list[str]]:
    """Return tests that mention an operation's method or name, those that mention the fewest others first."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for path in sorted(TESTS.glob("test_*.py")):
        for test, words in _tests_of(path):
            for word in words:
                found[word].append((len(words), f"{path.name}::{test}"))
    return {word: [test for _, test in sorted(tests)] for word, tests in found.items()}


def _tests_of(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield the tests of a file with the words of each and of what it uses of its own file."""
    tree = ast.parse(path.read_text("utf-8"))
    parts: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts[node.name] = node
        elif isinstance(node, ast.Assign):
            parts |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    for name in parts:
        if name.startswith("test_"):
            words: set[str] = set()
            waiting, looked_at = [name], set()
            while waiting:
                part = waiting.pop()
                if part not in looked_at:
                    looked_at.add(part)
                    mentioned = set(_words(parts[part]))
                    words |= mentioned
                    waiting += mentioned & parts.keys()
            yield name, words


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and len(part.value) < 100:
            yield part.value.rpartition(".")[2].rpartition(":")[2].rpartition("/")[2]


def confirmed(wanted: Mapping[Call, str]) -> dict[Call, tuple[str, ...]]:
    """Run the candidates and return which of them call which operation."""
    mentions = candidates()
    chosen = {
        call: [*mentions.get(xform_name(call[1]), []), *mentions.get(call[1], [])][:_MOST_CANDIDATES]
        for call in wanted
    }
    seen = _run(sorted({test for tests in chosen.values() for test in tests}))
    found: dict[Call, tuple[str, ...]] = {}
    for call in wanted:
        names: dict[str, int] = {}
        for test, rows in seen.items():
            callers = [row for row, calls in rows.items() if call in calls]
            width = min((len(rows[row]) for row in callers), default=0)
            if callers and len(callers) == len(rows):
                names[test] = width
            elif callers:  # a table of rows of which some call it: the first of those
                names[callers[0]] = width + 1
        preferred = [name for name in names if name.partition("[")[0] in chosen[call]]
        best = sorted(preferred or names, key=lambda name: (names[name], name))
        found[call] = tuple(best[:_MOST_NAMED])
    return found


def _run(tests: list[str]) -> dict[str, dict[str, set[Call]]]:
    """Run tests, and return for each the operations that its rows called; a failed one counts for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "calls.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
        names = [str(TESTS / test) for test in tests]
        environment = {**os.environ, "IDC_RECORD_OPERATIONS": str(record)}
        subprocess.run([*command, *names], cwd=ROOT, check=False, env=environment)
        lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    seen: dict[str, dict[str, set[Call]]] = defaultdict(dict)
    for line in lines:
        row = line["test"]
        seen[row.partition("[")[0]][row] = {(service, name) for service, name in line["calls"]}
    return seen


def main() -> int:
    """Write the page, and return 1 when an operation has no test."""
    homes = operations()
    tests = confirmed(homes)
    PAGE.write_text(page_text(homes, tests), "utf-8")
    without = [call for call, home in homes.items() if home and not tests[call]]
    print(f"{PAGE}: {len(homes)} operations; without a test: {without or 'none'}")
    return 1 if without else 0


if __name__ == "__main__":
    sys.exit(main())
