import re
from types import SimpleNamespace

import pytest

from idc_aws.errors import InvalidValueError
from idc_runner.engine import TimeLeft, TimeLimits

CELL = SimpleNamespace(source="sleep()")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("given", [0, -1])
def test_no_time_at_all_is_refused(given):
    with pytest.raises(InvalidValueError, match="notebook_s is"):
        TimeLimits(notebook_s=given)


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
