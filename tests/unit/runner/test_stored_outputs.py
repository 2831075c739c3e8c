import nbformat
import pytest
from tiny_notebooks import write_notebook

from idc_aws.errors import RunFailedError
from idc_runner.notebooks import find_notebooks
from idc_runner.stored_outputs import (
    check_stored_outputs,
    main,
    make_stored_outputs,
    without_volatile_metadata,
)

SAYS = "import os; print(sorted(name for name in os.environ if name.startswith('IDC_'))); 2 + 2"
COUNTS = """\
path = Path(os.environ["IDC_RUN_FOLDER"]) / "count"
path.write_text(str(int(path.read_text()) + 1 if path.exists() else 1))
path.read_text()
"""
PARAMETERS = 'run_folder = ""'


def write(folder, name, *cells):
    return write_notebook(folder, name, "import os\nfrom pathlib import Path", *cells, parameters=PARAMETERS)


def outputs(path):
    document = nbformat.read(path, as_version=4)
    return [out.get("text") or out["data"]["text/plain"] for cell in document.cells for out in cell.outputs]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    for name in ("01_a", "02_b"):
        write(folder, name, SAYS, COUNTS)
    make_stored_outputs(find_notebooks(folder))
    return folder


@pytest.fixture
def sanitize_file(tmp_path):
    path = tmp_path / "sanitize.cfg"
    path.write_text("[none]\nregex: never-there\nreplace: x\n", "utf-8")
    return path


def test_outputs_are_stored_in_order_on_one_state_without_what_differs(stored):
    first, second = (outputs(stored / f"{name}.ipynb") for name in ("01_a", "02_b"))
    assert first == ["['IDC_INTERACTIVE', 'IDC_RUN_FOLDER', 'IDC_SANDBOX_STATE']\n", "4", "'1'"]
    assert second == [*first[:-1], "'2'"]
    document = nbformat.read(stored / "02_b.ipynb", as_version=4)
    assert [cell.execution_count for cell in document.cells] == [1, 2, 3, 4]
    assert [dict(cell.metadata) for cell in document.cells] == [{"tags": ["parameters"]}, {}, {}, {}]
    assert set(document.metadata) == {"kernelspec", "language_info"}
    assert "version" not in document.metadata.language_info


def test_made_again_the_files_are_the_same(stored):
    before = {path.name: path.read_bytes() for path in stored.glob("*.ipynb")}
    make_stored_outputs(find_notebooks(stored))
    assert {path.name: path.read_bytes() for path in stored.glob("*.ipynb")} == before


def test_when_one_notebook_fails_no_file_is_changed(tmp_path):
    write(tmp_path, "01_a", "'fine'")
    write(tmp_path, "02_b", "1 / 0")
    before = [path.read_bytes() for path in sorted(tmp_path.glob("*.ipynb"))]
    with pytest.raises(RunFailedError, match=r"'02_b' failed.*ZeroDivisionError"):
        make_stored_outputs(find_notebooks(tmp_path))
    assert [path.read_bytes() for path in sorted(tmp_path.glob("*.ipynb"))] == before


def test_a_difference_from_stored_outputs_is_found(stored, sanitize_file):
    # That there is none is found for the kit's own notebooks.
    _, second = find_notebooks(stored)
    assert check_stored_outputs([second], sanitize_file) == 1  # without the first it counts 1; 2 is stored


def test_what_other_machines_write_into_notebooks_is_dropped():
    metadata = {"tags": ["x"], "execution": {"iopub.execute_input": "2026-11-23T05:45:00Z"}, "papermill": {}}
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", metadata=metadata)])
    document.metadata["widgets"] = {"state": {}}
    kept = without_volatile_metadata(document)
    assert dict(kept.cells[0].metadata) == {"tags": ["x"]}
    assert set(kept.metadata) == {"kernelspec", "language_info"}


def test_no_secret_is_stored():
    secret = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
    cell = nbformat.v4.new_code_cell(
        "x", outputs=[nbformat.v4.new_output("stream", text=f"password={secret}")]
    )
    document = nbformat.v4.new_notebook(cells=[cell])
    assert secret not in nbformat.writes(without_volatile_metadata(document))


def test_another_word_than_make_or_check_is_refused(capsys):
    assert main(["mend"]) == 2
    assert "make|check" in capsys.readouterr().err
