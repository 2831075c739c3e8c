import io

import pytest
from tiny_notebooks import make_project

from idc_aws.sandbox import new_python, start_modules_by
from idc_runner import notebooks
from idc_runner.execution import Execution
from idc_runner.fast.engine import open_engine
from idc_runner.progress import Progress
from idc_runner.run import prepare_run


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "kit")


@pytest.fixture
def log():
    return io.StringIO()


@pytest.fixture(scope="session")
def shared_engine():
    """Return one engine for all runs for which it does not matter which one it is."""
    with open_engine() as engine:
        # Tests of other files start modules without it.
        start_modules_by(new_python)
        yield engine


@pytest.fixture
def start(log, monkeypatch, shared_engine):
    """Return a function that prepares a request as `run_lesson` does, without connecting to a target."""
    monkeypatch.setattr("idc_runner.execution.find_sandbox", lambda state=None: "address")

    def start(request, environment=None, engine=None):
        prepared = prepare_run(request)
        folder = notebooks.create_run_folder(request.runs_folder)
        progress = Progress(log, prepared.mode)
        where = "sandbox · account 111122223333"
        now = notebooks.datetime.datetime.now(notebooks.datetime.UTC)
        undo_command = f"idc undo {folder.name}"
        return Execution(
            prepared, folder, where, environment or {}, engine or shared_engine, progress, now, undo_command
        )

    return start
