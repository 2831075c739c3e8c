"""Time the sandbox beside moto's own server: starts to the first answer, and warm calls.

    python benchmarks/sandbox.py [--rounds 5] [--calls 30] [--json] [--beside ../OTHER/.venv/bin/python]

What is compared is measured in turn, call after call, on this machine: ratios of one sitting count, seconds
of two do not. Starts also tell the processor's time, which others that share the machine disturb less. With
`--beside` the sandbox of another checkout stands in moto's place.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sandbox_starts as starts
from sandbox_calls import Call, calls_a_second, calls_of, read_beside_writes, seconds_in_turn

from idc_aws.connection import connect
from idc_runner.summary import text_table

Rows = list[list[str]]


class Sandbox(NamedTuple):
    """A server that is measured: its process, the sandbox's console, and calls by name."""

    pid: int
    console: Any
    calls: dict[str, Call]


def time_starts(rounds: int, other: str | None) -> Rows:
    """Return a row for each kind of start."""
    pythons = {"sandbox": sys.executable} | ({"the other": other} if other else {})
    found: dict[str, list[starts.Start]] = defaultdict(list)
    with ExitStack() as stack:
        processes = {who: stack.enter_context(starts.preloaded(python)) for who, python in pythons.items()}
        for _ in range(rounds):
            if other is None:
                found["cold, sts GetCallerIdentity: moto_server"].append(starts.moto())
            for service, first in (("sso", "sso-admin ListInstances"), ("sts", "sts GetCallerIdentity")):
                for who, python in pythons.items():
                    found[f"cold, {first}: {who}"].append(starts.cold(python, service))
                    found[f"forked, {first}: {who}"].append(starts.forked(processes[who], service))
    return [[name, *(f"{number:.3f}" for number in _summed(times))] for name, times in sorted(found.items())]


def _summed(times: Sequence[starts.Start]) -> tuple[float, float, float]:
    walls = [each.wall_s for each in times]
    return min(walls), statistics.median(walls), min(each.processor_s for each in times)


def time_calls(rounds: int, count: int, other: str | None) -> tuple[Rows, Rows]:
    """Return a row for each warm call, and rows about many at once."""
    with sandbox(sys.executable) as ours, _moto() if other is None else sandbox(other) as theirs:
        return _latencies(ours.calls, theirs.calls, rounds, count), _at_once(ours.calls, theirs.calls)


@contextmanager
def sandbox(python: str) -> Iterator[Sandbox]:
    """Hold a sandbox of a Python's packages, with an instance, for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
        state = Path(name) / "state"
        about = starts.start_sandbox(python, state)
        try:
            console = connect(state_folder=state).console
            console.enable_organization_instance(region="us-east-1")
            calls = calls_of(about["endpoint_url"], about["access_key_id"], about["secret_access_key"])
            yield Sandbox(about["pid"], console, calls)
        finally:
            starts.stop(state)


@contextmanager
def _moto() -> Iterator[Sandbox]:
    with starts.moto_server() as (url, process):
        yield Sandbox(process.pid, None, calls_of(url, "AKIAIOSFODNN7EXAMPLE", "none"))


def _latencies(ours: dict[str, Call], theirs: dict[str, Call], rounds: int, count: int) -> Rows:
    rows = []
    for name, call in ours.items():
        times = seconds_in_turn([call, theirs[name]], rounds * count)
        one, other = (statistics.median(each) * 1000 for each in times)
        rows.append([name, f"{one:.2f}", f"{other:.2f}", f"{one / other:.2f}"])
    return rows


def _at_once(ours: dict[str, Call], theirs: dict[str, Call]) -> Rows:
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
    parser.add_argument(
        "--beside",
        type=os.path.abspath,
        metavar="PYTHON",
        help="whose sandbox is measured in place of moto's server",
    )
    options = parser.parse_args()
    os.environ.pop("AWS_PROFILE", None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a kit that is installed has its byte code
    tables = {"starts": time_starts(options.rounds, options.beside)}
    tables["calls"], tables["at once"] = time_calls(options.rounds, options.calls, options.beside)
    if options.json:
        print(json.dumps(tables, indent=2))
        return
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors\n")
    beside = "the other" if options.beside else "moto"
    headings = {
        "starts": ["start to first answer (seconds)", "best", "median", "processor"],
        "calls": ["warm call (milliseconds, median)", "sandbox", beside, "ratio"],
        "at once": ["several at once", "sandbox", beside],
    }
    for name, rows in tables.items():
        print(text_table([headings[name], *rows], right=frozenset({1, 2, 3})), end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
