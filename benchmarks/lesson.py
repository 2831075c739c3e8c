"""Time the lesson: the sandbox's start to its first answer, and each notebook of ``make run``.

    python benchmarks/lesson.py [--rounds 3] [--json]
    python benchmarks/lesson.py --papermill [--rounds 1] [--json]

Each round starts a sandbox of its own in a temporary folder and runs every notebook headless, applying. The
numbers are wall-clock seconds on this machine: compare ratios of one sitting, not numbers of two.

The second compares ways of running the whole lesson: the papermill command for each notebook in turn, on a
sandbox that runs, and the command ``idc run --fresh-sandbox``, once before papermill and once after it. It
does so without an AWS CLI, where notebooks 10 and 11 use boto3, and with the one on the path, if there is
one: it takes most of a second a call, whichever tool runs the notebooks. A round takes about five minutes on
two quiet cores.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

from idc_aws.project import STATE_VARIABLE
from idc_aws.sandbox import sandbox_of_its_own
from idc_runner.fast.engine import open_engine
from idc_runner.run import RunRequest, run_lesson
from idc_runner.summary import text_table

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
    with open_engine() as engine:
        outcome = run_lesson(request, log, engine)
    total = time.perf_counter() - start
    if outcome.exit_status:
        raise SystemExit(f"the run did not succeed, so there is nothing to time:\n{log.getvalue()}")
    return {result.notebook: result.wall_s for result in outcome.summary.notebooks} | {"the whole run": total}


def timed(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return the seconds of a command that succeeds, from the project's folder."""
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=PROJECT, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} failed, so there is nothing to time:\n{done.stdout}{done.stderr}"
        )
    return time.perf_counter() - start


def time_idc_run(folder: Path, environment: Mapping[str, str]) -> float:
    """Return the seconds of `idc run`: its own start, a fresh sandbox's, all notebooks, and the report."""
    out = str(folder / "runs")
    command = [sys.executable, "-m", "idc_runner.cli", "run", "--fresh-sandbox", "--out", out]
    return timed(command, environment)


def time_papermill(folder: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Return the seconds of the papermill command for each notebook, and their sum."""
    times = {}
    with sandbox_of_its_own(folder / "papermill"):
        own = {
            STATE_VARIABLE: str(folder / "papermill"),
            "IDC_RUN_FOLDER": str(folder / "papermill-run"),
        }
        for path in sorted((PROJECT / "notebooks").glob("*.ipynb")):
            words = [str(path), str(folder / path.name), "--no-progress-bar", "--cwd", str(path.parent)]
            command = [sys.executable, "-m", "papermill", *words]
            times[f"papermill {path.stem}"] = timed(command, {**environment, **own})
    return {"papermill for each notebook": sum(times.values()), **times}


def environments() -> dict[str, dict[str, str]]:
    """Return the variables of a machine without an AWS CLI, and of this one if it has one."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    without = os.pathsep.join(one for one in folders if shutil.which("aws", path=one) is None)
    found = {"no AWS CLI": {**os.environ, "PATH": without}}
    return found | ({"an AWS CLI": dict(os.environ)} if shutil.which("aws") else {})


def compare(rounds: int) -> Times:
    """Return the seconds of both ways, one number for each round, and their ratio."""
    times: Times = {}
    for number, (machine, environment) in product(range(1, rounds + 1), environments().items()):
        with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
            before = time_idc_run(Path(name), environment)
            found = time_papermill(Path(name), environment)
            found["idc run"] = (before + time_idc_run(Path(name), environment)) / 2
        found["papermill ÷ idc run"] = found["papermill for each notebook"] / found["idc run"]
        for what, value in found.items():
            times.setdefault(f"{machine}: {what}", []).append(value)
        print(f"round {number} of {rounds}, {machine}: {found}", file=sys.stderr, flush=True)
    return times


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
        unit = "" if "÷" in what else " s"
        numbers = (statistics.median(seconds), min(seconds), max(seconds))
        rows.append([what, *(f"{value:.2f}{unit}" for value in numbers)])
    return text_table(rows, right=frozenset({1, 2, 3}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, help="how often everything is timed (default: 3, with papermill 1)"
    )
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    parser.add_argument("--papermill", action="store_true", help="compare with the papermill command")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a kit that is installed has its byte code
    rounds = options.rounds or (1 if options.papermill else 3)
    times = compare(rounds) if options.papermill else measure(rounds)
    if options.json:
        print(json.dumps(times, indent=2))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {rounds} rounds\n")
    print(as_table(times))


if __name__ == "__main__":
    main()
