"""Time warm calls with the trail and without it.

    python benchmarks/trail.py [--rounds 10] [--calls 50]

The switch is turned round after round, so that what disturbs the one disturbs the other.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import sandbox_starts as starts
from sandbox_calls import calls_of, seconds_each

from idc_aws.connection import connect
from idc_aws.sandbox import start_sandbox
from idc_runner.summary import text_table

_CALLS = (
    "identitystore DescribeUser",
    "identitystore CreateUser",
    "identitystore CreateGroup",
    "sso-admin CreatePermissionSet",
)


def measure(rounds: int, count: int) -> list[list[str]]:
    """Return a row for each call: milliseconds without and with the trail, and the difference."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
        state = Path(name) / "state"
        address = start_sandbox(state, port=0, seed=1)
        console = connect(state_folder=state).console
        try:
            console.enable_organization_instance(region="us-east-1")
            offered = calls_of(address.endpoint_url, address.access_key_id, address.secret_access_key)
            calls = {name: offered[name] for name in _CALLS}
            times: dict[tuple[str, bool], list[float]] = {
                (one, on): [] for one in calls for on in (False, True)
            }
            for number in range(rounds):
                for is_on in (number % 2 == 0, number % 2 == 1):
                    console.call("PUT", "switches", {"trail": is_on})
                    for one, call in calls.items():
                        times[one, is_on] += seconds_each(call, count)
            return [_row(one, times[one, False], times[one, True]) for one in calls]
        finally:
            starts.stop(state)


def _row(name: str, without: list[float], with_trail: list[float]) -> list[str]:
    one, other = (statistics.median(times) * 1000 for times in (without, with_trail))
    return [name, f"{one:.2f}", f"{other:.2f}", f"{(other / one - 1) * 100:+.1f} %"]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--calls", type=int, default=50, metavar="N", help="of each operation in a round")
    options = parser.parse_args()
    os.environ.pop("AWS_PROFILE", None)
    headings = ["warm call (milliseconds, median)", "without", "with the trail", "difference"]
    rows = measure(options.rounds, options.calls)
    print(text_table([headings, *rows], right=frozenset({1, 2, 3})))


if __name__ == "__main__":
    sys.exit(main())
