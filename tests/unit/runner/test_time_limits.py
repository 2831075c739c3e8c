import re
from types import SimpleNamespace

import pytest

from idc_aws.errors import InvalidValueError
from idc_runner.engine import TimeLeft, TimeLimits, cut_note

CELL = SimpleNamespace(source="sleep()")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("name", ["cell_s", "notebook_s", "most_printed"])
@pytest.mark.parametrize("given", [0, -1, -0.5])
def test_no_time_and_no_output_at_all_are_refused(name, given):
    with pytest.raises(InvalidValueError, match=f"{name} is {given}"):
        TimeLimits(**{name: given})


def test_the_least_time_and_output_are_taken_and_nan_is_no_time():
    assert TimeLimits(cell_s=0.5, notebook_s=0.5, most_printed=1).most_printed == 1
    with pytest.raises(InvalidValueError, match="cell_s is nan"):
        TimeLimits(cell_s=float("nan"))


def test_without_limits_no_cell_has_one():
    assert TimeLeft(TimeLimits()).for_cell(CELL) is None


def test_a_cell_has_its_own_time_and_at_most_what_is_left_for_the_notebook():
    clock = Clock()
    left = TimeLeft(TimeLimits(cell_s=10, notebook_s=25), clock=clock)
    given = []
    for _ in range(3):
        given.append(left.for_cell(CELL))
        clock.now += 9
    assert given == [10, 10, 7]
    assert left.for_cell(CELL) == pytest.approx(0.001)


@pytest.mark.parametrize(("passed_s", "words"), [(10, "the cell .* 10 s"), (25, "the notebook .* 25 s")])
def test_the_failure_names_the_limit_that_was_reached_and_the_cell(passed_s, words):
    clock = Clock()
    left = TimeLeft(TimeLimits(cell_s=10, notebook_s=25), clock=clock)
    left.for_cell(CELL)
    left.for_cell(CELL)
    clock.now += passed_s
    failure = left.failure()
    assert (failure.error_name, failure.cell, failure.source) == ("TimeLimitError", 2, "sleep()")
    assert re.match(words, failure.message)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (TimeLimits(cell_s=10), "the cell took longer than its limit of 10 s"),
        (TimeLimits(notebook_s=0.5), "the notebook took longer than its limit of 0.5 s"),
    ],
)
@pytest.mark.parametrize("passed_s", [0, 100])
def test_with_one_limit_the_failure_is_about_that_one(limits, words, passed_s):
    clock = Clock()
    left = TimeLeft(limits, clock=clock)
    clock.now += passed_s
    assert left.failure().message.startswith(words)
    assert left.cell_number is None
    assert str(left.failure()).startswith("TimeLimitError: the ")
    left.for_cell(CELL)
    assert str(left.failure()).startswith(f"cell [1]: TimeLimitError: {words}")


def test_what_was_cut_is_counted():
    note = cut_note("output", 1_234_567, 1_000_000)
    assert note.startswith("\n[1,234,567 characters of this cell's output were cut here: 1,000,000 are kept.")
    assert note.endswith("]\n")
