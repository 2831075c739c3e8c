from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys

import pytest

from idc_aws import errors
from idc_aws.errors import InvalidValueError, KitError, ParametersError, Problem, TargetError

ALL_ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


def test_a_message_its_remedy_and_its_link_stand_on_lines_of_their_own():
    error = KitError("'x' failed", remedy="Do y.", link="https://example.com/z")
    assert str(error) == "'x' failed\nDo y.\nhttps://example.com/z"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KitError("only a message"), "only a message"),
        (KitError("a message", link="https://example.com"), "a message\nhttps://example.com"),
    ],
)
def test_empty_parts_leave_no_empty_line(error, text):
    assert str(error) == text


def test_every_error_says_what_it_means():
    assert [kind.__name__ for kind in ALL_ERRORS if not vars(kind).get("__doc__")] == []


def test_everything_descends_from_one_error():
    assert {kind for kind in ALL_ERRORS if not issubclass(kind, KitError)} == set()


@pytest.mark.parametrize(
    "name", ["SandboxError", "CredentialsError", "WrongAccountError", "LeftSandboxError"]
)
def test_errors_of_the_target_are_caught_together(name):
    assert issubclass(getattr(errors, name), TargetError)


def test_an_invalid_value_is_a_value_error_too():
    assert issubclass(InvalidValueError, ValueError)


def test_ipython_shows_the_error_and_no_traceback(tmp_path):
    # A process of its own: a shell is one for its process, and other tests have shells too.
    cell = "from idc_aws.errors import NotFoundError\nraise NotFoundError('no x', remedy='make x')"
    program = "import sys; from IPython.core.interactiveshell import InteractiveShell as Shell;"
    program += "Shell.instance(colors='nocolor').run_cell(sys.argv[1])"
    run = subprocess.run(
        [sys.executable, "-c", program, cell],
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout + run.stderr).strip().splitlines()[-2:] == ["NotFoundError: no x", "make x"]
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (
            Problem("a.yaml", 3, "users[0].email", "'x' is wrong", "Mend it"),
            "a.yaml:3: users[0].email: 'x' is wrong. Mend it.",
        ),
        (Problem("parameters", None, "mode", "'x'?", "Mend it."), "parameters: mode: 'x'? Mend it."),
        (Problem("a.yaml", 1, "", "is empty", ""), "a.yaml:1: is empty."),
    ],
)
def test_a_problem_is_one_line_that_editors_can_follow(problem, line):
    assert str(problem) == line


def test_a_parameters_error_lists_every_problem_in_order():
    problems = [Problem("a.yaml", line, "x", f"wrong {line}", "Mend") for line in (1, 2)]
    error = ParametersError(problems)
    assert error.problems == problems
    assert str(error).splitlines() == ["a.yaml:1: x: wrong 1. Mend.", "a.yaml:2: x: wrong 2. Mend."]


@pytest.mark.parametrize(
    "error",
    [KitError("m", remedy="r", link="l"), ParametersError([Problem("a.yaml", 1, "x", "m", "r")])],
    ids=["kit", "parameters"],
)
def test_an_error_survives_the_way_out_of_a_worker_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, vars(again)) == (type(error), error.args, vars(error))
