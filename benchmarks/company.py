"""Time a company of 100 to 3,000 people on the sandbox: plan, apply, check, plan again, undo, and the report.

    python benchmarks/company.py [--users 100 300 1000 3000] [--latency-ms 0 40] [--notebooks] [--json]
    python benchmarks/company.py --access-table [--latency-ms 40]

Each company gets a sandbox and a process of its own: 60 accounts, 40 permission sets, 80 groups, two groups a
person, and one and a half account assignments for each. The steps are the lesson's own (`Step` and
`Teardown`), with receipts; calls are counted as they are sent. ``--notebooks`` plans the same company by
notebooks 05 to 08 too, and times the report of that run. ``--access-table`` reads who has access to what, as
`list_all_account_assignments` does: 50 accounts, 20 permission sets, 30 groups, 200 users, 1,000 assignments.
Calls are not paced: the last column says how long AWS's 20 calls a second would take.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]

from companies import Company  # noqa: E402 - of the tests

from idc_aws.access import list_all_account_assignments  # noqa: E402
from idc_aws.budget import Budget  # noqa: E402
from idc_aws.connection import Connection, connect  # noqa: E402
from idc_aws.project import STATE_VARIABLE  # noqa: E402
from idc_aws.sandbox import sandbox_of_its_own  # noqa: E402
from idc_aws.scenario.reading import validate_scenario  # noqa: E402
from idc_helpers.runbook.run import RunContext  # noqa: E402
from idc_helpers.runbook.steps import Step  # noqa: E402
from idc_helpers.runbook.teardown import Teardown  # noqa: E402
from idc_runner.fast.engine import open_engine  # noqa: E402
from idc_runner.report import write_report  # noqa: E402
from idc_runner.run import RunRequest, run_lesson  # noqa: E402
from idc_runner.summary import text_table  # noqa: E402

STEPS = ("permission_sets", "groups", "users", "account_assignments")
SERVICES = ("sso-admin", "identitystore", "organizations")


def company_of(users: int) -> Company:
    """Return the company of the benchmark with so many people."""
    return Company(60, 40, 80, users, assignments=users * 3 // 2)


@dataclass
class Meter:
    """What was done, with the calls and the seconds of each."""

    connection: Connection
    latency_s: float
    rows: list[dict[str, Any]] = field(default_factory=list)
    _calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for service_name in SERVICES:
            events = self.connection.client(service_name).meta.events
            events.register("before-send", self._send)

    def _send(self, event_name: str, **_event: Any) -> None:
        self._calls[":".join(event_name.split(".")[1:])] += 1
        if self.latency_s:
            time.sleep(self.latency_s)

    def measure(self, what: str, act: Callable[[], Any]) -> Any:
        """Do something and note how long it took."""
        self._calls.clear()
        wall_s, processor_s = time.perf_counter(), time.process_time()
        result = act()
        budget = Budget(dict(self._calls))
        self.rows.append(
            {
                "what": what,
                "wall_s": time.perf_counter() - wall_s,
                "processor_s": time.process_time() - processor_s,
                "calls": dict(self._calls.most_common()),
                "total": budget.total,
                "paced_s": budget.duration_s,
            }
        )
        return result


def organization_file(company: Company, folder: Path) -> Path:
    """Write the company's accounts as the sandbox takes them, and return the file's path."""
    accounts = [{"name": f"Account {one}", "id": one} for one in company.account_ids]
    path = folder / "organization.json"
    path.write_text(json.dumps({"accounts": accounts}), encoding="utf-8")
    return path


@contextmanager
def opened(company: Company) -> Iterator[RunContext]:
    """Yield a run of a company's scenario, on a sandbox of its own that has the accounts and an instance."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
        folder = Path(name)
        with sandbox_of_its_own(folder / "state", organization=organization_file(company, folder)):
            connection = connect(state_folder=folder / "state")
            assert connection.console is not None
            connection.console.enable_organization_instance(region="us-east-1")
            scenario = validate_scenario(values_of(company), source="the benchmark's company")
            yield RunContext(connection, scenario, "apply", "benchmark", folder / "run")


def values_of(company: Company) -> dict[str, Any]:
    """Return what a scenario file of a company in the sandbox says."""
    return {**company.scenario, "target": "sandbox", "expected_account": None}


def measure(company: Company, latency_s: float, *, notebooks: bool) -> dict[str, Any]:
    """Return the rows of one company, and the memory that it took."""
    with opened(company) as context:
        meter = Meter(context.connection, latency_s)
        _measure_steps(meter, context)
        if notebooks:
            _measure_notebooks(meter, values_of(company), context.run_folder.parent)
        _measure_teardown(meter, Teardown(context))
    return _measured(meter)


def _measured(meter: Meter) -> dict[str, Any]:
    return {"rows": meter.rows, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _measure_steps(meter: Meter, context: RunContext) -> None:
    steps = [Step(context, name) for name in STEPS]
    for what, act in (
        ("plan", Step.compare),
        ("apply", Step.apply),
        ("check", _check),
        ("plan again", Step.compare),
    ):
        for step in steps:
            meter.measure(f"{what} {step.name.replace('_', ' ')}", lambda step=step, act=act: act(step))
    again = [step.compare() for step in steps]
    if not all(plan.is_empty for plan in again):
        raise SystemExit(f"a second plan is not empty: {[plan.counts() for plan in again]}")


def _check(step: Step) -> None:
    failed = [check for check in step.check() if not check.passed]
    if failed:
        raise SystemExit(f"{step.name}: {len(failed)} checks failed, such as {failed[0]}")


def _measure_teardown(meter: Meter, teardown: Teardown) -> None:
    undo = meter.measure("plan the undo", teardown.plan)
    meter.measure("undo", lambda: teardown.apply(undo))
    checks = meter.measure("check the undo", teardown.check)
    if not checks.passed:
        raise SystemExit(f"the undo left something: {[str(check) for check in checks if not check.passed]}")


def _measure_notebooks(meter: Meter, values: dict[str, Any], folder: Path) -> None:
    """Plan the company by notebooks 05 to 08, and write that run's report once more."""
    scenario_file = folder / "company.yaml"
    scenario_file.write_text(json.dumps({**values, "mode": "plan"}), encoding="utf-8")
    os.environ[STATE_VARIABLE] = str(folder / "state")
    request = RunRequest(
        PROJECT, scenario_file=scenario_file, only=("05", "06", "07", "08"), runs=folder / "runs"
    )
    with open_engine() as engine:
        outcome = meter.measure("notebooks 05 to 08", lambda: run_lesson(request, io.StringIO(), engine))
    run_folder = outcome.folder
    for page in run_folder.rglob("*.html"):
        page.unlink()
    meter.measure(
        "report", lambda: write_report(run_folder, outcome.summary, where="the sandbox", undo_command="")
    )


def measure_access_table(latency_s: float) -> dict[str, Any]:
    """Return the calls and seconds of reading who has access to what, by the reader that is compared."""
    company = Company(50, 20, 30, 200, 1000)
    with opened(company) as context:
        for step in STEPS:
            Step(context, step).apply()
        connection = context.connection
        connection.cache.clear()
        meter = Meter(connection, latency_s)
        rows = meter.measure("access table", lambda: list_all_account_assignments(connection))
        assert len(rows) == len({*rows}) == 1000, len(rows)
    return _measured(meter)


def as_table(found: dict[str, dict[str, Any]]) -> str:
    """Return the seconds and calls of each measurement, one row for each thing that was done."""
    rows = [["company", "what", "wall", "processor", "calls", "at AWS's pace"]]
    for company, measured in found.items():
        rows += [
            [
                company,
                row["what"],
                f"{row['wall_s']:.2f} s",
                f"{row['processor_s']:.2f} s",
                f"{row['total']:,}",
                f"{row['paced_s']:.0f} s",
            ]
            for row in measured["rows"]
        ]
        rows.append([company, "memory", f"{measured['memory_mb']:.0f} MB", "", "", ""])
    return text_table(rows, right=frozenset({2, 3, 4, 5}))


def _in_a_process(options: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, *options, "--one"], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, nargs="+", default=[100, 300, 1000, 3000])
    parser.add_argument("--latency-ms", type=float, nargs="+", default=[0, 40])
    parser.add_argument("--notebooks", action="store_true", help="plan by the notebooks too, and the report")
    parser.add_argument("--access-table", action="store_true", help="only read who has access to what")
    parser.add_argument("--json", action="store_true", help="print all numbers as JSON, with the operations")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        latency_s = options.latency_ms[0] / 1000
        if options.access_table:
            print(json.dumps(measure_access_table(latency_s)))
        else:
            company = company_of(options.users[0])
            print(json.dumps(measure(company, latency_s, notebooks=options.notebooks)))
        return
    found = {}
    for latency_ms in options.latency_ms:
        for users in [200] if options.access_table else options.users:
            name = f"{users} people, {latency_ms:g} ms"
            print(name, file=sys.stderr, flush=True)
            arguments = ["--users", str(users), "--latency-ms", str(latency_ms)]
            arguments += ["--notebooks"] if options.notebooks and not latency_ms else []
            arguments += ["--access-table"] if options.access_table else []
            found[name] = _in_a_process(arguments)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print(as_table(found))


if __name__ == "__main__":
    main()
