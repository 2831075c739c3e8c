import json
import sys

import pytest
from tiny_notebooks import RAISES, write_notebook

from idc_helpers.runner.engines import NO_LIMITS, TimeLimits
from idc_helpers.runner.kernel_engine import KernelEngine
from idc_helpers.runner.notebooks import LessonNotebook

SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"


def execute(folder, *cells, parameters=None, environment=None, limits=NO_LIMITS):
    notebook = LessonNotebook("05_x", write_notebook(folder, "05_x", *cells))
    output = folder / "out" / "05_x.ipynb"
    output.parent.mkdir()
    return KernelEngine().execute(notebook, output, parameters or {}, environment or {}, limits), output


def texts(output):
    cells = json.loads(output.read_text("utf-8"))["cells"]
    return ["".join(part.get("text", "")) for cell in cells for part in cell.get("outputs", ())]


def test_it_runs_in_this_python_in_its_own_folder_with_its_parameters(tmp_path):
    code = (
        "import os, sys; print(sys.executable); print(os.getcwd()); print(os.environ['IDC_X'], target, mode)"
    )
    failure, output = execute(tmp_path, code, parameters={"mode": "plan"}, environment={"IDC_X": "ours"})
    assert failure is None
    assert texts(output)[-1].splitlines() == [sys.executable, str(tmp_path), "ours sandbox plan"]


def test_a_kernel_specification_of_another_python_changes_nothing(tmp_path, monkeypatch):
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    specification = {"argv": ["/bin/false"], "display_name": "Not ours", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(specification), "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    failure, _ = execute(tmp_path, "1 + 1")
    assert failure is None


def test_an_error_of_the_kit_keeps_its_words_and_the_cells_before_it(tmp_path):
    failure, output = execute(tmp_path, "print('kept')", RAISES, "print('never')")
    assert failure.error_name == "WriteFailedError"
    assert failure.message == "the write 'x' failed\nDo this next."
    assert failure.cell == 3
    assert "kept\n" in texts(output)
    assert "never\n" not in texts(output)


def test_a_kernel_that_dies_is_told_in_plain_words(tmp_path):
    failure, _ = execute(tmp_path, "import os; os._exit(1)")
    assert "kernel ended by itself" in failure.message


@pytest.mark.parametrize("braces", ["a{b}c"])
def test_braces_in_a_folder_are_letters_like_others(tmp_path, braces):
    (tmp_path / braces).mkdir()
    failure, output = execute(tmp_path / braces, "print('here')", parameters={"mode": "plan"})
    assert failure is None
    assert texts(output)[-1] == "here\n"


def test_secrets_are_in_no_save_of_the_notebook(tmp_path, monkeypatch):
    saves = []
    monkeypatch.setattr(
        "idc_helpers.runner.scrubbed_files.write_whole", lambda path, text: saves.append((path, text))
    )
    cells = [f"print({{'SecretAccessKey': '{SECRET}'}})", f"raise ValueError('secret_access_key={SECRET}')"]
    failure, output = execute(tmp_path, *cells, parameters={"groups": [f"password={SECRET}"]})
    assert len(saves) > 3
    assert all(path == output for path, _ in saves)
    assert not [text for _, text in saves if SECRET in text]
    assert SECRET not in str(failure)
    assert SECRET not in failure.source


def test_a_cell_that_takes_too_long_is_ended_and_what_it_printed_is_kept(tmp_path):
    sleeps = "print('begun', flush=True); import time; time.sleep(600)"
    failure, output = execute(tmp_path, sleeps, "print('never')", limits=TimeLimits(cell_s=1))
    assert failure.error_name == "TimeLimitError"
    assert failure.message.startswith("the cell took longer than its limit of 1 s")
    assert (failure.cell, failure.source) == (2, sleeps)
    assert texts(output) == ["begun\n"]
