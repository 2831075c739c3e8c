"""Time the lesson: the sandbox's start to its first answer, and each notebook of ``make run``.

    python benchmarks/lesson.py [--rounds 3] [--json]

Each round starts a sandbox of its own in a temporary folder and runs every notebook headless, applying. The
numbers are wall-clock seconds on this machine: compare ratios of one sitting, not numbers of two.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from idc_helpers.runner.preparing import RunRequest
from idc_helpers.runner.run import run_lesson
from idc_helpers.runner.sandboxes import sandbox_of_its_own
from idc_helpers.runner.tables import text_table

PROJECT = Path(__file__).resolve().parents[1]
Times = dict[str, list[float]]


def time_sandbox_start(folder: Path) -> float:
    """Return the seconds from giving the command to the first answer, with new state."""
    start = time.perf_counter()
    with sandbox_of_its_own(folder / "start"):
        return time.perf_counter() - start


def time_run(folder: Path) -> dict[str, float]:
    """Return the seconds of each notebook and of the whole run."""
    request = RunRequest(PROJECT, runs=folder / "runs", fresh_sandbox=True)
    log = io.StringIO()
    start = time.perf_counter()
    outcome = run_lesson(request, log)
    total = time.perf_counter() - start
    if outcome.exit_status:
        raise SystemExit(f"the run did not succeed, so there is nothing to time:\n{log.getvalue()}")
    return {result.notebook: result.wall_s for result in outcome.summary.notebooks} | {"the whole run": total}


def measure(rounds: int) -> Times:
    """Return the seconds of everything, one number for each round."""
    times: Times = {}
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
            found = {"sandbox: start to first answer": time_sandbox_start(Path(name)), **time_run(Path(name))}
        for what, seconds in found.items():
            times.setdefault(what, []).append(seconds)
    return times


def as_table(times: Mapping[str, Sequence[float]]) -> str:
    """Return the median, the fastest and the slowest of each."""
    rows = [["what", "median", "fastest", "slowest"]]
    for what, seconds in times.items():
        rows.append(
            [what, *(f"{value:.2f} s" for value in (statistics.median(seconds), min(seconds), max(seconds)))]
        )
    return text_table(rows, right=frozenset({1, 2, 3}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is timed (default: 3)")
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    options = parser.parse_args()
    times = measure(options.rounds)
    if options.json:
        print(json.dumps(times, indent=2))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {options.rounds} rounds\n")
    print(as_table(times))


if __name__ == "__main__":
    main()
