"""docs/operations.md: it has every operation, and names no test that does not call it."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest
from operation_calls import PAGE, promised_by, read_page

ROOT = Path(__file__).parents[2]
page = runpy.run_path(str(ROOT / "tools" / "operations_page.py"))
HOMES = page["operations"]()


def test_the_page_is_made_from_the_operations_of_today():
    text = PAGE.read_text("utf-8")
    made = page["page_text"](HOMES, read_page(text))
    assert text == made, "make it anew with tools/operations_page.py"


def test_every_operation_is_answered_and_has_a_test():
    named = read_page(PAGE.read_text("utf-8"))
    assert [call for call, home in HOMES.items() if not home] == []
    assert [call for call in HOMES if not named[call]] == []


def test_every_test_that_is_named_is_there():
    there = {
        f"{path.name}::{node.name}"
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    named = {test for tests in read_page(PAGE.read_text("utf-8")).values() for test in tests}
    assert {test for test in named if test.partition("[")[0] not in there} == set()


def test_a_test_that_does_not_call_what_the_page_says_fails(pytester, monkeypatch):
    """The fixture of this folder's conftest holds it; here it holds a test that does something else."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take longer than the test
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{Path(__file__).parent}:{ROOT / 'tests'}")
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text("utf-8"))
    pytester.makepyfile(
        test_yours="""
        import operation_calls
        operation_calls.promised = lambda: {
            "test_yours.py::test_calls_it": {("sso-admin", "ListInstances")},
            "test_yours.py::test_calls_another": {("sso-admin", "ListInstances")},
        }

        def test_calls_it(gateway_client):
            gateway_client.client("sso-admin").list_instances()

        def test_calls_another(gateway_client):
            gateway_client.client("sts").get_caller_identity()
    """
    )
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=2, errors=1)
    outcome.stdout.fnmatch_lines(["*docs/operations.md says that this test calls*ListInstances*"])


@pytest.mark.parametrize(
    "node_id", ["tests/sandbox/test_a.py::test_b", "tests/sandbox/test_a.py::test_b[x/y]"]
)
def test_a_row_of_a_table_is_found_by_its_name(monkeypatch, node_id):
    known = {"test_a.py::test_b": {("sso", "Logout")}}
    monkeypatch.setattr("operation_calls.promised", lambda: known)
    assert promised_by(node_id) == {("sso", "Logout")}


pytest_plugins = ["pytester"]
