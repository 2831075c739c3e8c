"""Time warm calls with the trail and without it.

    python benchmarks/trail.py [--rounds 8] [--calls 100]

Two sandboxes are asked in turn, call after call: what disturbs the one disturbs the other. The trail is on in
one of them, and the other way round in the next round: what one process has of its own counts on both sides.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from sandbox import Sandbox, sandbox

from idc_runner.summary import text_table

_CALLS = (
    "identitystore DescribeUser",
    "identitystore CreateUser",
    "identitystore CreateGroup",
    "sso-admin CreatePermissionSet",
)


def measure(rounds: int, count: int) -> list[list[str]]:
    """Return a row for each call: milliseconds without and with the trail, on the clock and of processor."""
    times: dict[tuple[str, bool], list[tuple[float, float]]] = {
        (name, is_on): [] for name in _CALLS for is_on in (False, True)
    }
    with ExitStack() as stack:
        both = [stack.enter_context(sandbox(sys.executable)) for _ in range(2)]
        for number in range(2 * rounds):
            for index, one in enumerate(both):
                one.console.call("PUT", "switches", {"trail": (number + index) % 2 == 0})
            for name in _CALLS:
                for _ in range(count):
                    for index, one in enumerate(both):
                        times[name, (number + index) % 2 == 0].append(_seconds(one, one.calls[name]))
    return [_row(name, times[name, False], times[name, True]) for name in _CALLS]


def _seconds(one: Sandbox, call: Callable[[], Any]) -> tuple[float, float]:
    """Return how long a call took on the clock, and on the server's processors."""
    clock = ~one.pid << 3 | 2  # as clock_getcpuclockid(3) names that of another process on Linux
    start, processor_start = time.perf_counter(), time.clock_gettime(clock)
    call()
    return time.perf_counter() - start, time.clock_gettime(clock) - processor_start


def _row(name: str, without: list[tuple[float, float]], with_trail: list[tuple[float, float]]) -> list[str]:
    row = [name]
    for kind in (0, 1):
        one, other = (
            statistics.median(each[kind] for each in times) * 1000 for times in (without, with_trail)
        )
        row += [f"{one:.3f}", f"{other:.3f}", f"{(other / one - 1) * 100:+.1f} %"]
    return row


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=8, metavar="N")
    parser.add_argument("--calls", type=int, default=100, metavar="N", help="of each operation in a round")
    options = parser.parse_args()
    os.environ.pop("AWS_PROFILE", None)
    headings = ["warm call (milliseconds, median)", "without", "with the trail", "difference"]
    headings += ["server's processor: without", "with", "difference"]
    rows = measure(options.rounds, options.calls)
    print(text_table([headings, *rows], right=frozenset(range(1, 7))))


if __name__ == "__main__":
    sys.exit(main())
