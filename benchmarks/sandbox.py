"""Time the sandbox beside moto's own server: starts to the first answer, and warm calls.

    python benchmarks/sandbox.py [--rounds 5] [--calls 100] [--json]

What is compared is measured in turn, round after round, on this machine: ratios of one sitting count, seconds
of two do not. Starts also tell the processor's time, which others that share the machine disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sandbox_starts as starts
from sandbox_calls import calls_a_second, calls_of, read_beside_writes, seconds_each

from idc_aws.connection import connect
from idc_aws.sandbox import start_sandbox
from idc_runner.summary import text_table

Rows = list[list[str]]


def time_starts(rounds: int) -> Rows:
    """Return a row for each kind of start."""
    with starts.preloaded() as process:
        kinds: dict[str, Callable[[], starts.Start]] = {
            "moto_server, sts GetCallerIdentity": starts.moto,
            "sandbox cold, sso-admin ListInstances": lambda: starts.cold("sso"),
            "sandbox cold, sts GetCallerIdentity": lambda: starts.cold("sts"),
            "sandbox forked, sso-admin ListInstances": lambda: starts.forked(process, "sso"),
            "sandbox forked, sts GetCallerIdentity": lambda: starts.forked(process, "sts"),
        }
        found: dict[str, list[starts.Start]] = {name: [] for name in kinds}
        for _ in range(rounds):
            for name, kind in kinds.items():
                found[name].append(kind())
    return [[name, *(f"{number:.3f}" for number in _summed(times))] for name, times in found.items()]


def _summed(times: Sequence[starts.Start]) -> tuple[float, float, float]:
    walls = [each.wall_s for each in times]
    return min(walls), statistics.median(walls), min(each.processor_s for each in times)


def time_calls(rounds: int, count: int) -> tuple[Rows, Rows]:
    """Return a row for each warm call, and rows about many at once."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name, starts.moto_server() as (moto_url, _):
        state = Path(name) / "state"
        address = start_sandbox(state, port=0, seed=1)
        connect(state_folder=state).console.enable_organization_instance(region="us-east-1")
        try:
            ours = calls_of(address.endpoint_url, address.access_key_id, address.secret_access_key)
            theirs = calls_of(moto_url, "AKIAIOSFODNN7EXAMPLE", "none")
            return _latencies(ours, theirs, rounds, count), _at_once(ours, theirs)
        finally:
            starts.stop(state)


def _latencies(ours: dict[str, Any], theirs: dict[str, Any], rounds: int, count: int) -> Rows:
    rows = []
    for name, call in ours.items():
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(rounds):  # in turn: what disturbs the one disturbs the other
            times["ours"] += seconds_each(call, count)
            times["theirs"] += seconds_each(theirs[name], count)
        one, other = (statistics.median(times[key]) * 1000 for key in ("ours", "theirs"))
        rows.append([name, f"{one:.1f}", f"{other:.1f}", f"{one / other:.2f}"])
    return rows


def _at_once(ours: dict[str, Any], theirs: dict[str, Any]) -> Rows:
    rows = []
    for name in ("identitystore DescribeUser", "identitystore CreateUser"):
        rates = [calls_a_second(calls[name], threads=4, seconds=2.0) for calls in (ours, theirs)]
        rows.append([f"{name}, 4 threads: calls a second", *(f"{rate:.0f}" for rate in rates)])
    for way, write in (("CreateUser", "identitystore CreateUser"), ("iam CreateUser", "iam CreateUser")):
        for calls, column in ((ours, 1), (theirs, 2)):
            alone, beside = read_beside_writes(calls["identitystore DescribeUser"], calls[write], count=100)
            if column == 1:
                rows.append([f"DescribeUser beside a thread of {way}: times as long as alone", "", ""])
            rows[-1][column] = f"{beside / alone:.1f}"
    return rows


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--calls", type=int, default=30, metavar="N", help="of each operation in a round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ.pop("AWS_PROFILE", None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a kit that is installed has its byte code
    tables = {"starts": time_starts(options.rounds)}
    tables["calls"], tables["at once"] = time_calls(options.rounds, options.calls)
    if options.json:
        print(json.dumps(tables, indent=2))
        return
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors\n")
    headings = {
        "starts": ["start to first answer (seconds)", "best", "median", "processor"],
        "calls": ["warm call (milliseconds, median)", "sandbox", "moto", "ratio"],
        "at once": ["several at once", "sandbox", "moto"],
    }
    for name, rows in tables.items():
        print(text_table([headings[name], *rows], right=frozenset({1, 2, 3})), end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
