"""The recipes as they stand: cron's line in cron's environment, and the DAG with its operators executed.

Airflow is too heavy to be installed for this. A stand-in takes its place that accepts what the operator of
apache-airflow-providers-papermill accepts, and calls papermill with the same arguments as that operator does.
"""

import json
import runpy
import shlex
import stat
import subprocess
import sys
import types
from pathlib import Path

import jinja2
import nbformat
import papermill
import pytest
from kit_commands import KIT
from patience import PATIENCE_S

RECIPES = KIT / "recipes"
PLAN = 'jobs:\n  - name: a\n    notebook: "05"\n    set: {mode: plan}\n'


@pytest.fixture(scope="module")
def cron(commands, tmp_path_factory):
    """A kit whose .venv has `idc`, a folder of tables, and a function that does what cron does."""
    kit, batches = tmp_path_factory.mktemp("srv") / "kit", tmp_path_factory.mktemp("batches")
    program = kit / ".venv" / "bin" / "idc"
    program.parent.mkdir(parents=True)
    state = shlex.quote(str(commands.state))
    program.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(KIT))} IDC_SANDBOX_STATE={state}\n"
        f'exec {shlex.quote(sys.executable)} -m idc_runner.cli "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for name in ("notebooks", "parameters", "recipes"):
        (kit / name).symlink_to(KIT / name)

    def run():
        lines = (RECIPES / "idc-batch.crontab").read_text("utf-8").splitlines()
        said = [line for line in lines if line and not line.startswith("#")]
        variables = dict(line.split("=", 1) for line in said[:-1])
        variables |= {"IDC_KIT": str(kit), "IDC_BATCHES": str(batches)}
        # Of its own, cron sets no more than these.
        variables |= {"HOME": str(commands.folder), "LOGNAME": "ana", "PATH": "/usr/bin:/bin"}
        command = said[-1].split(maxsplit=5)[5]
        return subprocess.run(
            [variables["SHELL"], "-c", command],
            env=variables,
            cwd=commands.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    return types.SimpleNamespace(run=run, kit=kit, table=batches / "tenants.yaml")


def test_cron_runs_the_batch_says_nothing_when_all_is_well_and_goes_on_on_the_same_day(cron):
    cron.table.write_text(PLAN, "utf-8")
    done = cron.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (log,) = (cron.kit / "runs" / "scheduled").glob("tenants-*.log")
    assert "1 of 1 job passed" in log.read_text("utf-8")
    (folder,) = cron.kit.glob("runs/tenants-*")
    assert json.loads((folder / "batch.json").read_text("utf-8"))["status"] == "passed"
    assert cron.run().returncode == 0
    assert "1 job passed before with the same inputs: not run again." in log.read_text("utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_cron_mails_the_end_of_the_log_when_something_is_wrong(cron):
    cron.table.write_text(PLAN.replace('"05"', '"55"'), "utf-8")
    done = cron.run()
    assert done.returncode == 1
    assert "the batch ended with status 1" in done.stdout
    assert "no notebook is called '55'" in done.stdout


def test_cron_begins_nothing_while_the_batch_of_before_is_at_work(cron):
    lock = cron.kit / "runs" / "scheduled" / "tenants.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    cron.table.write_text(PLAN, "utf-8")
    with subprocess.Popen(["flock", lock, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdin.write(b"held\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"held\n"
        done = cron.run()
    assert done.returncode == 75
    assert "still running" in done.stdout


def test_cron_is_told_of_a_table_that_is_not_there(cron):
    cron.table.unlink(missing_ok=True)
    done = cron.run()
    assert done.returncode == 2
    assert "tenants.yaml cannot be read" in done.stderr


class Operator:
    """Stands in for `PapermillOperator`: its arguments, and the call that it makes."""

    def __init__(
        self,
        *,
        task_id,
        input_nb=None,
        output_nb=None,
        parameters=None,
        kernel_name=None,
        language_name=None,
        kernel_conn_id=None,
        log_output=False,
        nbconvert=False,
        nbconvert_args=None,
    ):
        self.task_id = task_id
        self.input_nb, self.output_nb, self.parameters = input_nb, output_nb, parameters
        DAG.now.tasks.append(self)

    def render(self, values):
        """Fill the fields that Airflow takes for templates."""

        def filled(value):
            if isinstance(value, dict):
                return {name: filled(each) for name, each in value.items()}
            return jinja2.Template(value).render(values) if isinstance(value, str) else value

        for name in ("input_nb", "output_nb", "parameters"):
            setattr(self, name, filled(getattr(self, name)))

    def execute(self, context):
        papermill.execute_notebook(
            self.input_nb,
            self.output_nb,
            parameters=self.parameters,
            progress_bar=False,
            report_mode=True,
            log_output=False,
            kernel_name=None,
            language=None,
            engine_name=None,
        )
        return self.output_nb


class DAG:
    """Stands in for Airflow's DAG: a context in which tasks are made."""

    now = None

    def __init__(
        self,
        dag_id,
        *,
        description,
        schedule,
        start_date,
        catchup,
        max_active_runs,
        max_active_tasks,
        default_args,
        tags,
    ):
        self.schedule, self.start_date, self.tasks = schedule, start_date, []

    def __enter__(self):
        DAG.now = self
        return self

    def __exit__(self, *_error):
        DAG.now = None


def test_the_airflow_dag_makes_a_task_for_each_tenant_whose_notebook_runs(commands, tmp_path, monkeypatch):
    names = ["airflow", "airflow.providers", "airflow.providers.papermill"]
    names += ["airflow.providers.papermill.operators", "airflow.providers.papermill.operators.papermill"]
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["airflow"].DAG = DAG
    sys.modules[names[-1]].PapermillOperator = Operator
    for name, value in {**commands.environment, "IDC_KIT": str(KIT), "IDC_RUNS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    dag = runpy.run_path(str(RECIPES / "airflow_identity_center.py"))["dag"]
    assert [task.task_id for task in dag.tasks] == ["tenant_a", "tenant_b"]
    assert dag.start_date.tzinfo is not None
    task = dag.tasks[1]
    task.render({"ts_nodash": "20261123T063000"})
    written = Path(task.execute({}))
    assert written == tmp_path / "airflow" / "tenant_b" / "05_permission_sets-20261123T063000.ipynb"
    document = nbformat.read(written, as_version=4)
    assert document.metadata.papermill.exception is None
    assert "create" in json.dumps(document.cells)
    assert (tmp_path / "airflow" / "tenant_b" / "events.jsonl").exists()
