"""Cells as an author writes them, in a real kernel under papermill, against a sandbox of their own."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

ROOT = Path(__file__).parents[3]
OPEN = """from idc_helpers import open_runbook
runbook = open_runbook("05_permission_sets", target=target, region=region, run_folder=run_folder)
runbook"""
PARAMETERS = 'target = None\nregion = None\nrun_folder = ""'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for notebooks and runs, whose sandbox is stopped in the end."""
    folder = tmp_path_factory.mktemp("papermill")
    sandbox = [sys.executable, "-m", "idc_sandbox"]
    state = ["--state", str(folder / "state")]
    subprocess.run([*sandbox, "start", *state, "--port", "0"], cwd=ROOT, check=True, capture_output=True)
    yield folder
    subprocess.run([*sandbox, "stop", *state], cwd=ROOT, check=True, capture_output=True)


def run(folder, name, cells, *, interactive="headless", **parameters):
    """Run cells and return the executed notebook, with what stopped it under ``"error"``."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in [PARAMETERS, OPEN, *cells]]
    )
    notebook.cells[0].metadata.tags = ["parameters"]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    source, out = folder / f"{name}.ipynb", folder / f"{name}.out.ipynb"
    nbformat.write(notebook, source)
    environment = {
        "IDC_INTERACTIVE": interactive,
        "IDC_SANDBOX_STATE": str(folder / "state"),
        "IDC_RUN_FOLDER": str(folder / "run"),
        "PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        options = {"cwd": ROOT, "progress_bar": False, "kernel_name": "python3"}
        with contextlib.suppress(papermill.PapermillExecutionError):
            papermill.execute_notebook(source, out, parameters, **options)
    return nbformat.read(out, as_version=4)


def outputs(notebook, source):
    """Return the outputs of the cell that holds this source."""
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source == source]
    return cell.outputs


def text(notebook, source):
    parts = outputs(notebook, source)
    return "\n".join(part.get("text") or part["data"]["text/plain"] for part in parts)


def error(notebook):
    (found,) = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]
    return found


STEPS = """instance = runbook.step("instance")
instance.apply()
[runbook.step(name).apply() for name in ("groups", "users")]
step = runbook.step("permission_sets")"""
READ = [
    "runbook.lesson_map()",
    "runbook.instance_details()",
    "runbook.settings()",
    "runbook.organization_tree()",
]
READ += ["runbook.permission_sets()", "runbook.users()", "runbook.who_reaches_what()"]
READ += [
    "runbook.who_reaches_what(people=True)",
    "runbook.delegated_administrators()",
    "runbook.what_deleting_destroys()",
]


@pytest.fixture(scope="module")
def applied(folder):
    movements = [STEPS, "step.take()"]
    again = ["runbook.step('account_assignments').apply()", "runbook.step('permission_sets').apply()"]
    widgets = ["import sys\n[name for name in sys.modules if name.startswith('ipywidgets')]"]
    return run(folder, "applied", [*movements, *again, *READ, *widgets])


def test_the_runbook_says_where_one_works_and_how_far_the_lesson_is(applied):
    (output,) = outputs(applied, OPEN)
    assert output["data"]["text/plain"] == (
        "sandbox · account 111122223333 (Management) · sandbox-administrator · Region us-east-1"
        " · mode apply (what you apply is written)\n"
        "Step 10 of 20 · … 10 later (waits for step 1)"
    )
    assert "text/html" in output["data"]


def test_a_step_shows_what_is_wanted_planned_called_done_and_checked_each_once(applied):
    shown = [output["data"]["text/plain"] for output in outputs(applied, "step.take()")]
    words = (
        "Wanted for",
        "Plan for",
        "aws sso-admin create-permission-set",
        "Done for",
        "Checks of",
    )
    assert len(shown) == len(words)
    for one, word in zip(shown, words, strict=True):
        assert word in one
    assert "3 to create" in shown[1]
    assert "3 of 3 passed" in shown[4]
    assert "created" not in text(applied, "runbook.step('permission_sets').apply()")


@pytest.mark.parametrize("source", READ)
def test_what_is_there_is_shown(applied, source):
    (output,) = outputs(applied, source)
    assert "text/plain" in output["data"]
    assert "0x" not in output["data"]["text/plain"]
    assert set(output["data"]) & {"text/html", "text/vnd.mermaid"}


def test_who_reaches_what_names_principals_accounts_and_permission_sets(applied):
    (output,) = outputs(applied, "runbook.who_reaches_what()")
    assert "group AdministratorAccess" in output["data"]["text/plain"]
    assert "Management (111122223333)" in output["data"]["text/html"]


def test_groups_unfold_into_their_people(applied):
    shown = text(applied, "runbook.who_reaches_what(people=True)")
    assert "user " in shown
    assert "group " not in shown


def test_settings_are_told_in_the_consoles_words(applied):
    shown = text(applied, "runbook.settings()")
    assert "Prompt users for MFA" in shown
    assert "Every time they sign in (always-on)" in shown


def test_users_are_shown_with_their_groups(applied):
    assert "AdministratorAccess" in text(applied, "runbook.users()")


def test_what_deleting_destroys_is_counted(applied):
    rows = text(applied, "runbook.what_deleting_destroys()").splitlines()
    counts = {row.rsplit(maxsplit=1)[0].strip(): row.split()[-1] for row in rows[3:-1]}
    assert counts["permission sets"] == "3"
    assert int(counts["account assignments"]) > 0


def test_the_lesson_map_reads_the_target(applied):
    rows = text(applied, "runbook.lesson_map()").splitlines()
    assert [row.split()[0] for row in rows[3:]] == [str(number) for number in range(1, 21)]
    assert rows[12].endswith("✔ done")
    assert rows[5].endswith("○ not applied: 1 to create")


def test_no_widget_was_made(applied):
    assert (
        text(applied, "import sys\n[name for name in sys.modules if name.startswith('ipywidgets')]") == "[]"
    )
    assert "widgets" not in applied.metadata
    assert "application/vnd.jupyter.widget-view+json" not in json.dumps(applied)


def test_no_path_and_no_port_is_in_an_output(applied, folder):
    shown = json.dumps([cell.outputs for cell in applied.cells if cell.cell_type == "code"])
    port = json.loads((folder / "state" / "server.json").read_text())["port"]
    assert str(folder) not in shown
    assert f":{port}" not in shown


def test_an_unknown_parameter_is_refused_before_anything_is_called(folder):
    found = error(run(folder, "unknown", [], regoin="eu-west-1"))
    assert found["ename"] == "ParametersError"
    assert "Did you mean 'region'?" in "\n".join(found["traceback"])
    assert "Traceback" not in "\n".join(found["traceback"])


def test_a_scenario_key_that_the_notebook_passes_over_counts(folder):
    done = run(folder, "passed_over", ["runbook.context.mode"], mode="plan")
    assert text(done, "runbook.context.mode") == "'plan'"


def test_guided_running_all_cells_writes_nothing_and_ends_without_an_error(folder, applied):
    groups = [{"display_name": "Nobody has this one"}]
    cells = ['step = runbook.step("groups")\nstep.take()', "runbook.who_reaches_what()"]
    receipts = folder / "run" / "receipts.jsonl"
    before = receipts.read_text("utf-8")
    notebook = run(folder, "guided", cells, interactive="guided", groups=groups)
    assert "who reaches what" in text(notebook, "runbook.who_reaches_what()").casefold()
    assert receipts.read_text("utf-8") == before


def test_a_secret_in_an_exception_is_not_stored(folder):
    secret = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvb" + "EXAMPLEKEY"
    cell = "raise ValueError('je7MtGbClwBF/2Zp9Utk/h3yCo8nvb' + 'EXAMPLEKEY')"
    found = error(run(folder, "secret", [cell]))
    assert found["ename"] == "ValueError"
    assert secret not in json.dumps(found)


def test_the_teardown_leaves_nothing(folder, applied):
    opened = OPEN.replace("05_permission_sets", "99_teardown")
    done = run(folder, "teardown", [opened, "runbook.teardown().take()"])
    assert "✔ passed" in text(done, "runbook.teardown().take()")
