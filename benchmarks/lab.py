"""Time ``make lab``: from the command to JupyterLab's first answer, and to the first notebook on the screen.

    python benchmarks/lab.py [--rounds 3] [--json]

Each round starts ``idc lab`` with folders and sandbox state of its own and opens its page in Chromium, which
runs before the clock starts, as the browser of a person does. Needs ``make setup-test``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from idc_aws.project import STATE_VARIABLE
from idc_runner.summary import text_table

PROJECT = Path(__file__).resolve().parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
LONGEST_S = 120.0


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment_in(folder: Path) -> dict[str, str]:
    """Return the variables of a Lab that keeps everything in a folder."""
    names = {"CONFIG_DIR": "config", "DATA_DIR": "data", "RUNTIME_DIR": "runtime"}
    own = {f"JUPYTER_{name}": str(folder / value) for name, value in names.items()}
    own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    (folder / "config").mkdir()
    token = {"IdentityProvider": {"token": "benchmark"}}
    (folder / "config" / "jupyter_server_config.json").write_text(json.dumps(token), "utf-8")
    return {**os.environ, **own, STATE_VARIABLE: str(folder / "state"), "IDC_RUN_FOLDER": str(folder / "run")}


def wait_for_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when a page is served.

    Raises
    ------
    SystemExit
        When the process has ended, or nothing comes.
    """
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                answer.read()
            return
        except urllib.error.URLError:
            time.sleep(0.02)
    raise SystemExit("JupyterLab did not answer, so there is nothing to time")


def time_lab(folder: Path, browser: Browser) -> dict[str, float]:
    """Return the seconds from the command to Lab's page and to the notebook's heading in it."""
    port = free_port()
    command = [sys.executable, "-m", "idc_runner.cli", "lab", "--no-browser", "--port", str(port)]
    environment = environment_in(folder)
    page = browser.new_page()
    start = time.perf_counter()
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://localhost:{port}/lab/tree/notebooks/00_start_here.ipynb?token=benchmark"
        wait_for_answer(url, process)
        answered = time.perf_counter() - start
        page.goto(url)
        page.locator(".jp-NotebookPanel h1").first.wait_for(timeout=LONGEST_S * 1000)
        shown = time.perf_counter() - start
    finally:
        page.close()
        process.send_signal(signal.SIGINT)
        process.wait()
    return {"Lab answers": answered, "the first notebook is on the screen": shown}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often it is timed (default: 3)")
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON")
    options = parser.parse_args()
    times: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
                for what, seconds in time_lab(Path(name), browser).items():
                    times.setdefault(what, []).append(seconds)
        browser.close()
    if options.json:
        print(json.dumps(times, indent=2))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {options.rounds} rounds\n")
    print(as_table(times))


def as_table(times: dict[str, list[float]]) -> str:
    """Return the median, the fastest and the slowest of each."""
    rows: list[Sequence[str]] = [["from the command until", "median", "fastest", "slowest"]]
    for what, seconds in times.items():
        numbers = (statistics.median(seconds), min(seconds), max(seconds))
        rows.append([what, *(f"{value:.1f} s" for value in numbers)])
    return text_table(rows, right=frozenset({1, 2, 3}))


if __name__ == "__main__":
    main()
