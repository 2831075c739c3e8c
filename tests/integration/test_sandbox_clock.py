"""A clock that is moved ahead for a while goes back to where it was, whatever happens meanwhile."""

from __future__ import annotations

import pytest


def offset_s(connection) -> float:
    return connection.console.call("GET", "clock")["offset_s"]


@pytest.mark.parametrize("before_s", [0, 3600])
def test_the_clock_is_ahead_within_the_block_alone(empty_connection, before_s):
    console = empty_connection.console
    console.reset_clock()
    if before_s:
        console.advance_clock(before_s)
    with pytest.raises(ZeroDivisionError), console.clock_ahead(7200):
        0 / (before_s + 7200 - offset_s(empty_connection))
    assert offset_s(empty_connection) == before_s
    console.reset_clock()
