import io
from contextlib import contextmanager

import pytest
from batch_tools import CountingEngine
from tiny_notebooks import PARAMETERS, make_project, write_notebook

from idc_runner.batch import workers
from idc_runner.batch.batch import BatchRequest, run_batch


@pytest.fixture
def engine(monkeypatch):
    engine = CountingEngine()

    @contextmanager
    def open_engine(_name=None):
        engine.opened += 1
        try:
            yield engine
        finally:
            engine.end()
            engine.closed += 1

    monkeypatch.setattr(workers, "open_engine", open_engine)
    monkeypatch.setattr(workers, "_reached", lambda run, _state: (f"sandbox · {run.scenario.region}", ""))
    monkeypatch.setattr("idc_runner.execution.find_sandbox", lambda state=None: "address")
    workers._known_targets.clear()
    return engine


@pytest.fixture
def kit(tmp_path):
    """The folder of a kit with three notebooks, of which the last takes a parameter of its own."""
    project = make_project(tmp_path / "kit", "target: sandbox\ngroups:\n  - display_name: Readers\n")
    for name in ("05_a", "06_b"):
        write_notebook(project / "notebooks", name)
    write_notebook(project / "notebooks", "09_person", parameters=PARAMETERS + 'user_name = ""\n')
    return project


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table of jobs and returns its path."""

    def write(text, name="jobs.yaml"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def run(kit, tmp_path):
    """Return a function that runs a batch; `run.told` is what it said last."""

    def run(table, **options):
        stream = io.StringIO()
        try:
            return run_batch(BatchRequest(kit, table, **{"out": tmp_path / "out", **options}), stream)
        finally:
            run.told = stream.getvalue()

    return run
