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
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore import xform_name

from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "operations.md"
TESTS = ROOT / "tests" / "sandbox"
# All of their operations belong to Identity Center; of other services the sandbox has what bears on it.
WHOLE_SERVICES = ("sso-admin", "identitystore", "sso-oidc", "sso", "account-access", "account-access-runtime")
_ROUNDS, _MOST_NAMED = 2, 2
# Rules that hold for many operations: the word by which the page names each, and its test; a row of the test
# is one operation's.
RULES = {
    "shape": "test_operations_by_model.py::test_a_good_request_is_answered_in_the_shape_of_the_model",
    "permission": "test_operations_by_model.py::test_it_needs_the_permission_of_its_name_and_no_other",
    "proof": "test_operations_by_model.py::test_a_program_needs_the_very_token_code_and_secret",
    "constraints": "test_operations_by_model.py::test_it_refuses_whatever_its_model_forbids",
    "absent": "test_operations_by_model.py::test_what_is_not_there_is_refused",
    "pages": "test_operations_by_model.py::test_a_list_is_read_in_pages_that_are_the_whole",
    "tokens": "test_operations_by_model.py::test_a_token_is_good_for_its_own_question_and_account_alone",
    "members": "test_operations_write_and_read.py::test_every_member_that_is_written_is_read_back",
    "gone": "test_operations_write_and_read.py::test_what_is_taken_away_is_shown_no_more",
    "again": "test_operations_write_and_read.py::test_a_request_that_is_sent_again_makes_nothing_more",
}
_NOT_OF_CALLS = (
    "test_console_",
    "test_pages_",
    "test_session_context",
)  # operations are named there as rights
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

Some rules hold for all operations, for those whose requests are signed, or for many. Each has one test, with
a row for each operation; the column *Rules* says by a word which hold it. *Tests* are others that call it.

| Word | What is tested of the operation | Test |
|---|---|---|
| shape | a good request gets an answer in the shape of AWS's model | {shape} |
| permission | it needs the permission of its name, and that is enough | {permission} |
| proof | of a program: no other token, code, client or secret in the request is taken | {proof} |
| constraints | each length, pattern, range and choice of the model; each required member | {constraints} |
| absent | each id in the request, where it names nothing | {absent} |
| pages | the list page by page, one or two at a time, is the whole list | {pages} |
| tokens | its token is refused elsewhere, and an odd one here | {tokens} |
| members | every member that a request may set is read back | {members} |
| gone | what it takes away is shown no more | {gone} |
| again | a client token makes of two requests one | {again} |

{sections}"""


def operations() -> dict[Call, str]:
    """Return every operation with the function that answers it; empty where none does."""
    names = [(service, name) for service in WHOLE_SERVICES for name in _modelled(service)]
    names += sorted(call for call in registry.handlers() if call[0] not in WHOLE_SERVICES)
    return {call: _home(call) for call in names}


def _modelled(service: str) -> list[str]:
    try:
        return sorted(service_model(service).operation_names)
    except (LookupError, OSError):  # a service that this version of botocore does not have
        return []


def _home(call: Call) -> str:
    handler: Any = registry.handlers().get(call)
    function = getattr(handler, "func", handler)  # of operations that differ by a value alone
    return (
        "" if handler is None else f"{function.__module__.removeprefix('idc_sandbox.')}.{function.__name__}"
    )


def page_text(homes: Mapping[Call, str], tests: Mapping[Call, tuple[str, ...]]) -> str:
    """Return the text of the page."""
    rows: dict[str, list[str]] = defaultdict(list)
    for call, home in homes.items():
        service, name = call
        rules = {row_of(rule, call): word for word, rule in RULES.items()}
        words = ", ".join(word for row, word in rules.items() if row in tests.get(call, ()))
        named = ", ".join(f"`{test}`" for test in tests.get(call, ()) if test not in rules)
        answers = f"`{home}`" if home else "not answered"
        rows[service].append(f"| `{name}` | {answers} | {words} | {named} |")
    sections = [
        f"## `{service}` ({len(lines)})\n\n| Operation | Answered by | Rules | Tests |\n|---|---|---|---|\n"
        + "\n".join(lines)
        for service, lines in rows.items()
    ]
    named_rules = {word: f"`{test}`" for word, test in RULES.items()}
    return _TEXT.format(count=len(homes), sections="\n\n".join(sections) + "\n", **named_rules)


def row_of(rule: str, call: Call) -> str:
    """Return the row that a rule's test has for an operation."""
    return f"{rule}[{'-'.join(call)}]"


def candidates(wanted: Iterable[Call]) -> dict[str, set[Call]]:
    """Return the tests that mention operations, by method or name, with those operations."""
    by_word: dict[str, set[Call]] = defaultdict(set)
    for call in wanted:
        for word in (xform_name(call[1]), call[1]):
            by_word[word].add(call)
    return {
        f"{path.name}::{test}": set().union(*(by_word[word] for word in words & by_word.keys()))
        for path in sorted(TESTS.glob("test_*.py"))
        if not path.name.startswith(_NOT_OF_CALLS) and "from handler_harness" not in path.read_text("utf-8")
        for test, words in _tests_of(path)
    }


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
    """Run the rules' tests, and few others that mention all operations; return which call which."""
    files = sorted({rule.partition("::")[0] for rule in RULES.values()})
    mentions = {
        test: calls for test, calls in candidates(wanted).items() if test.partition("::")[0] not in files
    }
    found: dict[Call, set[str]] = {call: set() for call in wanted}
    for _ in range(_ROUNDS):
        left = {call for call, tests in found.items() if not tests}
        for test, rows in _run(sorted(_covering(mentions, left))).items():
            for call in set().union(*rows.values()) & left:
                callers = sorted(row for row, calls in rows.items() if call in calls)
                # Of a table of rows only some of which call it, the first of those.
                found[call].add(test if len(callers) == len(rows) else callers[0])
    rules = _run(files)
    return {
        call: (
            *(row for rule in RULES.values() if call in rules[rule].get(row := row_of(rule, call), ())),
            *sorted(tests)[:_MOST_NAMED],
        )
        for call, tests in found.items()
    }


def _covering(mentions: dict[str, set[Call]], left: set[Call]) -> Iterator[str]:
    """Yield tests that together mention all these operations, and take them out of what may be run."""
    left = set(left)
    while left:
        best = max(sorted(mentions), key=lambda test: len(mentions[test] & left), default="")
        if not best or not mentions[best] & left:
            return
        left -= mentions.pop(best)
        yield best


def _run(tests: list[str]) -> dict[str, dict[str, set[Call]]]:
    """Run tests, and return for each the operations that its rows called."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "calls.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
        names = [str(TESTS / test) for test in tests]
        environment = {**os.environ, "IDC_RECORD_OPERATIONS": str(record)}
        if names:
            subprocess.run([*command, *names], cwd=ROOT, check=False, env=environment)
        text = record.read_text("utf-8") if record.exists() else ""
    lines = [json.loads(line) for line in text.splitlines()]
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
