import io

import pytest
from tiny_notebooks import make_project

from idc_helpers.runner import run_folder
from idc_helpers.runner.carrying_out import Execution
from idc_helpers.runner.kernel_engine import KernelEngine
from idc_helpers.runner.preparing import prepare_run
from idc_helpers.runner.progress import Progress


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "kit")


@pytest.fixture
def log():
    return io.StringIO()


@pytest.fixture
def start(log, monkeypatch):
    """Return a function that prepares a request as `run_lesson` does, without connecting to a target."""
    monkeypatch.setattr("idc_helpers.runner.carrying_out.sandbox_runs", lambda state=None: True)

    def start(request, environment=None, engine=None):
        prepared = prepare_run(request)
        folder = run_folder.create_run_folder(request.runs_folder)
        progress = Progress(log, prepared.mode)
        where = "sandbox · account 111122223333"
        now = run_folder.datetime.datetime.now(run_folder.datetime.UTC)
        undo_command = f"idc undo {folder.name}"
        return Execution(
            prepared, folder, where, environment or {}, engine or KernelEngine(), progress, now, undo_command
        )

    return start
