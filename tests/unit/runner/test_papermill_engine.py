"""papermill's engine ``identity-center-fast``, used as people without the kit's commands use it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.engines import NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError
from tiny_notebooks import write_notebook

from idc_runner import outputs
from idc_runner.fast.papermill_engine import ENGINE_NAME, PapermillFastEngine, look_ahead

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(papermill_engines._engines, ENGINE_NAME, PapermillFastEngine)


def execute(folder, *cells, **options):
    source, output = write_notebook(folder, "05_x", *cells), folder / "out.ipynb"
    papermill.execute_notebook(
        str(source), str(output), {"mode": "plan"}, engine_name=ENGINE_NAME, progress_bar=False, **options
    )
    return nbformat.read(output, as_version=4)


def test_the_package_tells_papermill_of_it():
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    named = entry_points["papermill.engine"][ENGINE_NAME]
    assert named == f"{PapermillFastEngine.__module__}:{PapermillFastEngine.__name__}"


def test_papermill_imports_nothing_more_for_it():
    code = (
        "import sys, papermill; before = set(sys.modules)\n"
        "import idc_runner.fast.papermill_engine\n"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('idc_')))\n"
        "print(len([name for name in sys.modules if name.startswith('idc_')]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    outside, own = done.stdout.split("\n")[:2]
    assert outside == ""
    assert int(own) <= 4


def test_a_notebook_runs_in_papermills_own_process_which_stays_as_it_was(tmp_path):
    main, variables, streams = sys.modules["__main__"], dict(os.environ), (sys.stdout, sys.stderr)
    document = execute(tmp_path, "import os\nprint(mode); os.system('echo below'); print(os.getpid())")
    assert document.cells[-1].outputs[0].text == f"plan\nbelow\n{os.getpid()}\n"
    assert document.metadata.papermill.exception is None
    assert (sys.modules["__main__"], dict(os.environ), (sys.stdout, sys.stderr)) == (main, variables, streams)


def test_a_second_notebook_knows_nothing_of_the_first(tmp_path):
    execute(tmp_path, "left = 1")
    document = execute(tmp_path, "print('left' in dir(), len(In), mode)")
    assert document.cells[-1].execution_count == 3
    assert document.cells[-1].outputs[0].text == "False 4 plan\n"


def test_an_error_ends_it_as_ever(tmp_path):
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError"):
        execute(tmp_path, "1 / 0", "print('never')")


def test_a_time_limit_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(PapermillException, match="leave the execution timeout out"):
        execute(tmp_path, "1", execution_timeout=5)


def test_what_was_looked_at_ahead_is_remembered_by_the_first_save_and_nothing_is_written(
    tmp_path, monkeypatch
):
    looks = []
    look = outputs._scrubbed_cell
    monkeypatch.setattr(outputs, "_scrubbed_cell", lambda *given: looks.append(1) or look(*given))
    notebook = papermill.iorw.load_notebook_node(str(write_notebook(tmp_path, "05_x", "a = 1", "print(a)")))
    before = sorted(tmp_path.rglob("*"))
    look_ahead(notebook)
    assert (len(looks) >= 2, sorted(tmp_path.rglob("*"))) == (True, before)
    looks.clear()
    path = outputs.scrubbed_path(tmp_path / "out.ipynb")
    NotebookExecutionManager(notebook, output_path=path, progress_bar=False).notebook_start()
    assert (looks, (tmp_path / "out.ipynb").exists()) == ([], True)
