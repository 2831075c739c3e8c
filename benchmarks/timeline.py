"""Show where the time of one run of the lesson goes: its cells, their programs, and what is between.

    python benchmarks/timeline.py [--without-aws-cli] [--least 0.05]

It runs ``idc run --fresh-sandbox`` once, and looks meanwhile a hundred times a second at the processes below
it (on Linux). Each line says when something began and how long it took, in seconds: a notebook, with what
passed since the one before; a cell, its code in a few words; a program, with its words. A line that begins
with ``+`` is a program: those that overlap ran at once. What is shorter than ``--least`` is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lesson import PROJECT, environments

_LOOK_EVERY_S = 0.01
_WORDS = 90  # of a cell's code, of a program's command line


@dataclass
class Program:
    """A process below the run, as long as it was seen."""

    words: str
    first_s: float
    last_s: float


def below(pid: int) -> Iterator[int]:
    """Yield the processes that a process started, and those that they did, but for what a program starts."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return
    for child in children:
        yield child
        # The preloaded process, a notebook's, and that of which commands of the AWS CLI are forks.
        if any(name in command_of(child) for name in ("idc_runner", "command_server")):
            yield from below(child)


def command_of(pid: int) -> str:
    """Return the command line of a process; empty: it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return " ".join(word.decode(errors="replace") for word in words).strip()


def watched_run(folder: Path, environment: dict[str, str]) -> tuple[list[Program], float, float]:
    """Run the lesson; return its programs, and when it began and ended, in seconds since 1970."""
    command = [sys.executable, "-m", "idc_runner.cli", "run", "--fresh-sandbox", "--out", str(folder)]
    began_s = time.time()
    run = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
    seen: dict[tuple[int, str], Program] = {}
    while run.poll() is None:
        now_s = time.time()
        for pid in below(run.pid):
            words = command_of(pid)
            seen.setdefault((pid, words), Program(words, now_s, now_s)).last_s = now_s
        time.sleep(_LOOK_EVERY_S)
    if run.returncode:
        raise SystemExit(f"the run ended with {run.returncode}: there is nothing to show")
    return list(seen.values()), began_s, time.time()


def lines(
    folder: Path, programs: list[Program], began_s: float, least_s: float
) -> Iterator[tuple[float, str]]:
    """Yield each notebook, cell and program of a run: when it began, and what to print."""
    end_s = began_s
    for path in sorted(folder.glob("latest/notebooks/*.ipynb")):
        document = json.loads(path.read_text("utf-8"))
        about = document["metadata"]["papermill"]
        start_s, seconds = _epoch(about["start_time"]), about["duration"]
        yield start_s, f"{seconds:8.2f}  {path.stem}, {start_s - end_s:.2f} after what was before"
        end_s = start_s + seconds
        for number, cell in enumerate(document["cells"]):
            about = cell["metadata"].get("papermill", {})
            if (about.get("duration") or 0) >= least_s:
                code = " ".join("".join(cell["source"]).split())[:_WORDS]
                yield _epoch(about["start_time"]), f"{about['duration']:8.2f}    [{number}] {code}"
    for one in programs:
        if one.words and one.last_s - one.first_s >= least_s:
            yield one.first_s, f"{one.last_s - one.first_s:8.2f}      + {one.words[:_WORDS]}"


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--without-aws-cli", action="store_true", help="as on a machine without an AWS CLI")
    parser.add_argument("--least", type=float, default=0.05, help="seconds (default: 0.05)")
    options = parser.parse_args()
    environment = environments()["no AWS CLI"] if options.without_aws_cli else dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="idc-timeline-") as name:
        programs, began_s, ended_s = watched_run(Path(name), environment)
        found = sorted(lines(Path(name), programs, began_s, options.least))
    print("   began   seconds")
    for at_s, text in found:
        print(f"{at_s - began_s:8.2f}  {text}")
    print(f"{ended_s - began_s:8.2f}            the end")


if __name__ == "__main__":
    main()
