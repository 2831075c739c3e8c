"""An edited cell is reported, and does not write to AWS unattended unless a person said so."""

import io
import os
import shutil
import subprocess

import pytest
from tiny_notebooks import make_project, write_notebook

from idc_aws.errors import RunFailedError
from idc_runner import run as runs
from idc_runner.batch.batch import BatchRequest, run_batch
from idc_runner.notebooks import LessonNotebook, find_notebooks
from idc_runner.run import RunRequest, prepare_run
from idc_runner.working_copy import edited_notebooks

AWS = "target: aws\nregion: eu-west-1\nexpected_account: '111122223333'\n"


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run([*command, "-C", str(folder), *words], check=True, capture_output=True, env=environment)


@pytest.fixture
def kit(tmp_path):
    """Return a repository of a kit, committed."""
    project = make_project(tmp_path / "kit", AWS)
    (project / "idc_aws").mkdir()
    (project / "idc_aws" / "project.py").touch()
    for name in ("05_a", "06_b"):
        write_notebook(project / "notebooks", name, "1 + 1")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "All")
    return project


def edit(kit, name="06_b"):
    write_notebook(kit / "notebooks", name, "1 + 2")


def names(found):
    return [os.path.basename(each) for each in found]  # noqa: PTH119


def add_outputs(kit):
    path = kit / "notebooks" / "06_b.ipynb"
    path.write_text(path.read_text("utf-8").replace('"outputs": []', '"outputs": [ ]'), "utf-8")


def add_notebook(kit):
    write_notebook(kit / "notebooks", "12_mine")


def stage(kit):
    edit(kit)
    git(kit, "add", ".")


def commit(kit):
    edit(kit)
    git(kit, "commit", "-qam", "Mine")


def forget(kit):
    edit(kit)
    shutil.rmtree(kit / ".git")


CASES = {
    "as committed": (lambda kit: None, []),
    "outputs": (add_outputs, []),
    "an edited cell": (edit, ["06_b.ipynb"]),
    "staged": (stage, ["06_b.ipynb"]),
    "committed": (commit, []),
    "new": (add_notebook, ["12_mine.ipynb"]),
    "both": (lambda kit: [edit(kit), edit(kit, "05_a")], ["05_a.ipynb", "06_b.ipynb"]),
    "no repository": (forget, []),
}


@pytest.mark.parametrize("case", CASES)
def test_which_notebooks_differ_from_what_the_repository_holds(kit, case):
    change, expected = CASES[case]
    change(kit)
    found = edited_notebooks(find_notebooks(kit / "notebooks"), kit)
    assert names(found) == expected


def test_a_git_of_somewhere_else_is_not_asked(kit, tmp_path, monkeypatch):
    edit(kit)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    assert names(edited_notebooks(find_notebooks(kit / "notebooks"), kit)) == ["06_b.ipynb"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert edited_notebooks(find_notebooks(kit / "notebooks"), kit) == (), "without git nothing is known"


def test_a_copy_of_the_kits_notebook_is_compared_with_it_and_ones_own_with_nothing(kit, tmp_path):
    theirs = [write_notebook(tmp_path, "06_b", "1 + 3"), write_notebook(tmp_path, "05_a", "1 + 1")]
    theirs.append(write_notebook(tmp_path, "probe", "1 + 3"))
    found = edited_notebooks([LessonNotebook(path.stem, path) for path in theirs], kit)
    assert found == (str(theirs[0]),)


@pytest.mark.parametrize(
    ("target", "mode", "allowed", "refused"),
    [
        ("aws", "apply", False, True),
        ("aws", "apply", True, False),
        ("aws", "plan", False, False),
        ("aws", None, False, False),
        ("sandbox", "apply", False, False),
    ],
)
def test_an_edited_cell_writes_to_aws_only_when_that_was_said(kit, target, mode, allowed, refused):
    request = RunRequest(kit, target=target, mode=mode, edited_notebooks=allowed)
    assert prepare_run(request).edited == ()
    edit(kit)
    if refused:
        with pytest.raises(RunFailedError, match=r"(?s)06_b\.ipynb.*--edited-notebooks"):
            prepare_run(request)
        assert not (kit / "runs").exists()
    else:
        assert names(prepare_run(request).edited) == ["06_b.ipynb"]


def test_a_batch_refuses_an_edited_notebook_too(kit, tmp_path):
    own = write_notebook(tmp_path, "05_a", "1 + 3")
    table = tmp_path / "jobs.yaml"
    table.write_text(f"jobs:\n  - name: a\n    notebook: ./{own.name}\n    set: {{}}\n", "utf-8")
    with pytest.raises(RunFailedError, match=r"(?s)05_a\.ipynb.*--edited-notebooks"):
        run_batch(BatchRequest(kit, table, mode="apply"), io.StringIO())
    assert not (kit / "runs").exists()


def test_a_run_says_which_cells_run(kit, tmp_path):
    copy = make_project(tmp_path / "copy", AWS)
    for name, cell in {"05_a": "1 + 1", "06_b": "1 + 5"}.items():
        write_notebook(copy / "notebooks", name, cell)
    request = RunRequest(kit, work=copy)
    prepared = prepare_run(request)
    assert prepared.scenario_file == copy / "parameters" / "sandbox.yaml"
    assert request.runs_folder == copy / "runs"
    assert {each.path.parent for each in prepared.notebooks} == {kit / "notebooks"}
    (line,) = runs._about_notebooks(prepared, request)
    assert line.endswith(f"do not run: {copy / 'notebooks' / '06_b.ipynb'}")
    edit(kit)
    first, _ = runs._about_notebooks(prepare_run(request), request)
    assert str(kit / "notebooks" / "06_b.ipynb") in first
