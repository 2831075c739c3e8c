"""What every engine does alike; the kernel engine alone is at the end."""

import json
import os
import sys

import pytest
from tiny_notebooks import RAISES, write_notebook

from idc_aws.signin.command_server import fits
from idc_runner.engine import NO_LIMITS, NotebookOrder, TimeLimits
from idc_runner.fast.engine import open_engine
from idc_runner.kernel_engine import KernelEngine
from idc_runner.notebooks import LessonNotebook

SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module", params=["fast", "kernel"])
def engine(request):
    with open_engine(request.param) as engine:
        yield engine


def execute(engine, folder, *cells, parameters=None, environment=None, limits=NO_LIMITS):
    notebook = LessonNotebook("05_x", write_notebook(folder, "05_x", *cells))
    output = folder / "out" / "05_x.ipynb"
    output.parent.mkdir()
    order = NotebookOrder(notebook, output, parameters or {}, environment or {}, limits)
    return engine.execute(order), output


def cells_of(output):
    return [cell for cell in json.loads(output.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def texts(output):
    return ["".join(part.get("text", "")) for cell in cells_of(output) for part in cell["outputs"]]


def test_it_runs_in_this_python_in_its_own_folder_with_its_parameters(engine, tmp_path):
    code = (
        "import os, sys; print(sys.executable); print(os.getcwd()); print(os.environ['IDC_X'], target, mode)"
    )
    failure, output = execute(
        engine, tmp_path, code, parameters={"mode": "plan"}, environment={"IDC_X": "ours"}
    )
    assert failure is None
    assert texts(output)[-1].splitlines() == [sys.executable, str(tmp_path), "ours sandbox plan"]


def test_what_a_notebook_adds_to_the_environment_is_nothing_that_an_import_of_the_aws_cli_reads(
    engine, tmp_path
):
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    failure, output = execute(engine, tmp_path, code, environment={"IDC_RUN_FOLDER": "folder"})
    assert failure is None
    own, of_notebook = ({**found, "TERM": "dumb"} for found in (os.environ, json.loads(texts(output)[-1])))
    assert fits(own, of_notebook | {"BROWSER": "sh"}), "commands would not be forks"
    assert not fits(own, of_notebook | {"HOME": "/other"})


def test_a_cell_that_prints_without_end_is_cut_with_a_note_and_the_next_one_prints_again(engine, tmp_path):
    floods = "import sys\nfor _ in range(30): print('x' * 99_999)\nprint('late', file=sys.stderr)"
    at_once = "_ = sys.stdout.write('y' * 3_000_001)"
    limits = TimeLimits(most_printed=250_000)
    failure, output = execute(engine, tmp_path, floods, at_once, "print('fine')", limits=limits)
    assert failure is None
    first, second, third = _printed(output)[-3:]
    assert first.startswith("x" * 99_999 + "\n")
    assert len(first.split("\n[")[0]) == 250_000
    assert "[2,750,000 characters of this cell's stdout were cut here: 250,000 are kept. " in first
    assert "--max-output" in first
    assert "late\n" in first
    assert second.startswith("y" * 250_000 + "\n[2,750,001 characters")
    assert third == "fine\n"


def _printed(output):
    return ["".join("".join(part["text"]) for part in cell["outputs"]) for cell in cells_of(output)]


def test_a_module_beside_the_notebook_is_found(engine, tmp_path):
    (tmp_path / "beside_it.py").write_text("word = 'found'", "utf-8")
    failure, output = execute(engine, tmp_path, "import beside_it; print(beside_it.word)")
    assert failure is None
    assert texts(output) == ["found\n"]


def test_an_error_of_the_kit_keeps_its_words_and_the_cells_before_it(engine, tmp_path):
    failure, output = execute(engine, tmp_path, "print('kept')", RAISES, "print('never')")
    assert failure.error_name == "WriteFailedError"
    assert failure.message == "the write 'x' failed\nDo this next."
    assert failure.cell == 3
    assert "kept\n" in texts(output)
    assert "never\n" not in texts(output)


def test_a_kernel_that_dies_is_told_in_plain_words(engine, tmp_path):
    failure, output = execute(engine, tmp_path, "print('before')", "import os; os._exit(1)")
    assert failure.error_name == "DeadKernelError"
    assert "kernel ended by itself" in failure.message
    assert texts(output)[0] == "before\n"
    assert cells_of(output)[-1]["outputs"][-1]["ename"] == "DeadKernelError"


def test_exit_in_a_cell_ends_the_kernel_as_a_death_does(engine, tmp_path):
    failure, _ = execute(engine, tmp_path, "exit()", "import time; time.sleep(5)", "print('never')")
    assert failure.error_name == "DeadKernelError"


@pytest.mark.parametrize("braces", ["a{b}c"])
def test_braces_in_a_folder_are_letters_like_others(engine, tmp_path, braces):
    (tmp_path / braces).mkdir()
    failure, output = execute(engine, tmp_path / braces, "print('here')", parameters={"mode": "plan"})
    assert failure is None
    assert texts(output)[-1] == "here\n"


def test_secrets_are_in_no_file_while_it_runs_and_none_after_it(engine, tmp_path):
    looks = (
        "from pathlib import Path; path = Path('out/05_x.ipynb')\n"
        "print(path.exists(), 'wJalrXUtnFEMIxK7' + 'MDENGxbPxRfiCYEXAMPLEKEY' in path.read_text())"
    )
    cells = [
        looks,
        f"print({{'SecretAccessKey': '{SECRET}'}})",
        looks,
        f"raise ValueError('secret_access_key={SECRET}')",
    ]
    failure, output = execute(engine, tmp_path, *cells, parameters={"groups": [f"password={SECRET}"]})
    assert texts(output)[0] == texts(output)[2] == "True False\n"
    assert not [path for path in output.parent.iterdir() if SECRET in path.read_text("utf-8", "replace")]
    assert SECRET not in str(failure)
    assert SECRET not in failure.source


def test_a_cell_that_takes_too_long_is_ended_and_what_it_printed_is_kept(engine, tmp_path):
    sleeps = "print('begun', flush=True); import time; time.sleep(600)"
    failure, output = execute(engine, tmp_path, sleeps, "print('never')", limits=TimeLimits(cell_s=1))
    assert failure.error_name == "TimeLimitError"
    assert failure.message.startswith("the cell took longer than its limit of 1 s")
    assert (failure.cell, failure.source) == (2, sleeps)
    assert [text for text in texts(output) if text] == ["begun\n"]
    ended = cells_of(output)[1]
    assert (ended["metadata"]["papermill"]["status"], ended["outputs"][-1]["ename"]) == (
        "failed",
        "TimeLimitError",
    )


def test_a_notebook_that_cannot_be_saved_says_so(engine, tmp_path):
    notebook = LessonNotebook("05_x", write_notebook(tmp_path, "05_x", "1"))
    failure = engine.execute(NotebookOrder(notebook, tmp_path / "no" / "such" / "x.ipynb"))
    assert "No such file or directory" in failure.message


def test_a_kernel_specification_of_another_python_changes_nothing(tmp_path, monkeypatch):
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    specification = {"argv": ["/bin/false"], "display_name": "Not ours", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(specification), "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    failure, _ = execute(KernelEngine(), tmp_path, "1 + 1")
    assert failure is None


def test_secrets_are_in_no_save_of_the_notebook(tmp_path, monkeypatch):
    saves = []
    monkeypatch.setattr("idc_runner.outputs.write_whole", lambda path, text: saves.append((path, text)))
    cells = [f"print({{'SecretAccessKey': '{SECRET}'}})", f"raise ValueError('secret_access_key={SECRET}')"]
    failure, output = execute(KernelEngine(), tmp_path, *cells, parameters={"groups": [f"password={SECRET}"]})
    assert len(saves) > 3
    assert all(path == output for path, _ in saves)
    assert not [text for _, text in saves if SECRET in text]
    assert SECRET not in str(failure)
    assert SECRET not in failure.source
