"""Time batches: against papermill, and how they grow.

    python benchmarks/batch.py [--rounds 3] [--runs 20] [--json]
    python benchmarks/batch.py --scale 100 300 1000

The first runs one notebook (boto3, pandas and a plan against a sandbox) 20 times in three ways, one after
another in each round: `idc batch` with two workers, the papermill command for each run, and papermill's API
in one process that has imported everything and run once. The second runs batches of those sizes and looks at
the parent process and at what is left behind. Compare ratios of one sitting, not numbers of two.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from idc_aws.project import STATE_VARIABLE
from idc_aws.sandbox import sandbox_of_its_own
from idc_runner.summary import text_table

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOK = PROJECT / "notebooks" / "05_permission_sets.ipynb"
WORKERS = 2
# Papermill's API when it is warm: one run before the clock starts.
WARM = """\
import sys, time, papermill
notebook, folder, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(-1, runs):
    if number == 0:
        start = time.perf_counter()
    given = {"mode": "plan", "run_folder": f"{folder}/run"}
    papermill.execute_notebook(notebook, f"{folder}/{number}.ipynb", given, progress_bar=False)
print(time.perf_counter() - start)
"""


@contextlib.contextmanager
def place() -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder with a sandbox that runs, and the variables of processes that use both."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        with sandbox_of_its_own(folder / "sandbox"):
            own = {STATE_VARIABLE: str(folder / "sandbox"), "TMPDIR": str(folder / "tmp")}
            yield folder, {**os.environ, **own, "PYTHONPATH": str(PROJECT)}


def write_table(folder: Path, jobs: int) -> Path:
    """Write a table of so many jobs of the notebook, each planning."""
    lines = "".join(f"  - {{name: job-{number}}}\n" for number in range(jobs))
    table = folder / f"jobs-{jobs}.yaml"
    table.write_text(f'defaults:\n  notebook: "05"\n  set: {{mode: plan}}\njobs:\n{lines}', "utf-8")
    return table


def batch_command(table: Path, out: Path) -> list[str]:
    """Return the command that runs a table."""
    words = ["batch", str(table), "--out", str(out), "--workers", str(WORKERS)]
    return [sys.executable, "-m", "idc_runner.cli", *words]


def run(command: Sequence[str], environment: dict[str, str]) -> str:
    """Run a command from the project's folder and return what it printed."""
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} failed, so there is nothing to time:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def time_batch(folder: Path, environment: dict[str, str], runs: int) -> float:
    """Return the seconds of one `idc batch`, its start and reports included."""
    out = folder / "out"
    start = time.perf_counter()
    run(batch_command(write_table(folder, runs), out), environment)
    seconds = time.perf_counter() - start
    shutil.rmtree(out)
    return seconds


def time_command(folder: Path, environment: dict[str, str], runs: int) -> float:
    """Return the seconds of the papermill command, given so many times one after another."""
    own = {**environment, "IDC_RUN_FOLDER": str(folder / "run")}
    output = str(folder / "output.ipynb")
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(NOTEBOOK),
        output,
        "-p",
        "mode",
        "plan",
        "--no-progress-bar",
    ]
    start = time.perf_counter()
    for _ in range(runs):
        run(command, own)
    return time.perf_counter() - start


def time_warm_api(folder: Path, environment: dict[str, str], runs: int) -> float:
    """Return the seconds of so many runs by papermill's API in one warm process."""
    return float(run([sys.executable, "-c", WARM, str(NOTEBOOK), str(folder), str(runs)], environment))


def processor_s() -> float:
    """Return the processor's seconds of all processes so far that this one has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


Times = dict[str, list[tuple[float, float]]]


def compare(rounds: int, runs: int) -> Times:
    """Return the seconds of each way and the processor's among them, a pair for each round."""
    ways = {
        f"idc batch, {WORKERS} workers": time_batch,
        "papermill command, one after another": time_command,
        "papermill API, warm, one after another": time_warm_api,
    }
    times: Times = {name: [] for name in ways}
    with place() as (folder, environment):
        for number in range(1, rounds + 1):
            for name, way in ways.items():
                before = processor_s()
                seconds = way(folder, environment, runs)
                times[name].append((seconds, processor_s() - before))
                told = f"{seconds:.1f} s, of the processor {times[name][-1][1]:.1f} s"
                print(f"round {number} of {rounds}: {name}: {told}", file=sys.stderr, flush=True)
    return times


def comparison_table(times: Times, runs: int) -> str:
    """Return the medians, and how many times as long as the batch of the same round each way takes."""
    batch = next(iter(times.values()))
    rows = [[f"{runs} runs", "median", "each", "processor", "÷ batch, each round", "processor ÷ batch"]]
    for name, pairs in times.items():
        wall, used = ([pair[which] for pair in pairs] for which in (0, 1))
        ratios = [f"{pair[0] / own[0]:.1f}" for pair, own in zip(pairs, batch, strict=True)]
        processor = statistics.median(pair[1] / own[1] for pair, own in zip(pairs, batch, strict=True))
        median = statistics.median(wall)
        times_of_one = [f"{median:.1f} s", f"{median / runs:.2f} s", f"{statistics.median(used):.1f} s"]
        rows.append([name, *times_of_one, ", ".join(ratios), f"{processor:.1f}"])
    return text_table(rows, right=frozenset(range(1, 6)))


class Watched(NamedTuple):
    """What a process had from its start to its end, looked at five times a second.

    Attributes
    ----------
    memory_mb
        Of the process alone, each time.
    most_descriptors
        How many files and sockets it had open at most.
    """

    memory_mb: list[float]
    most_descriptors: int

    @property
    def grown_mb(self) -> float:
        """How much more memory it had at nine tenths of its time than at one tenth."""
        return self.memory_mb[len(self.memory_mb) * 9 // 10] - self.memory_mb[len(self.memory_mb) // 10]


def watch(process: subprocess.Popen[bytes]) -> Watched:
    """Return what a process had until its end."""
    memory_mb, most_descriptors = [], 0
    while process.poll() is None:
        with contextlib.suppress(OSError, StopIteration):
            status = Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
            line = next(line for line in status if line.startswith("VmRSS:"))
            memory_mb.append(int(line.split()[1]) / 1024)
            open_now = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            most_descriptors = max(most_descriptors, open_now)
        time.sleep(0.2)
    return Watched(memory_mb, most_descriptors)


def processes_of(environment_value: str) -> int:
    """Return how many processes carry a value in their environment, as all that a batch starts do."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            found += environment_value.encode() in path.read_bytes()
    return found


def grow(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return for each size of batch: seconds for each job, the parent's memory, and what is left behind."""
    measured = []
    with place() as (folder, environment):
        time_batch(folder, environment, 2)  # the disk's cache is warm for all of them
        for size in sizes:
            out, mark = folder / "out", f"idc-benchmark-mark-{size}"
            start = time.perf_counter()
            process = subprocess.Popen(
                batch_command(write_table(folder, size), out),
                cwd=PROJECT,
                env={**environment, "IDC_BENCHMARK_MARK": mark},
                stdout=subprocess.DEVNULL,
            )
            watched = watch(process)
            seconds = time.perf_counter() - start
            if process.returncode:
                raise SystemExit(f"the batch of {size} jobs failed")
            measured.append(
                {
                    "jobs": size,
                    "seconds": seconds,
                    "seconds for each": seconds / size,
                    "most memory of the parent, MB": max(watched.memory_mb),
                    "grown while jobs ran, MB": watched.grown_mb,
                    "most descriptors": watched.most_descriptors,
                    "processes left": processes_of(mark),
                    "temporary files left": len(list((folder / "tmp").iterdir())),
                }
            )
            print(measured[-1], file=sys.stderr, flush=True)
            shutil.rmtree(out)
    return measured


def growth_table(measured: Sequence[dict[str, Any]]) -> str:
    """Return a line for each size."""
    rows = [list(measured[0])]
    for entry in measured:
        rows.append([f"{value:.3f}" if isinstance(value, float) else str(value) for value in entry.values()])
    return text_table(rows, right=frozenset(range(len(rows[0]))))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is timed (default: 3)")
    parser.add_argument("--runs", type=int, default=20, help="runs of the notebook in each way (default: 20)")
    parser.add_argument(
        "--scale", type=int, nargs="+", metavar="JOBS", help="sizes of batches to look at instead"
    )
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    options = parser.parse_args()
    found: Any = grow(options.scale) if options.scale else compare(options.rounds, options.runs)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print(growth_table(found) if options.scale else comparison_table(found, options.runs))


if __name__ == "__main__":
    main()
