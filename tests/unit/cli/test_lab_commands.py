"""``idc lab`` and ``idc init``: which folder is opened, and what becomes of it; without JupyterLab itself."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from idc_aws import project
from idc_aws.errors import InvalidValueError
from idc_runner.notebooks import find_run_folder
from idc_runner.working_copy import with_examples

KIT = Path(__file__).parents[3]
FIFTH = Path("notebooks") / "05_permission_sets.ipynb"


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """Return a clone of the kit, committed, in which one stands."""
    clone = tmp_path / "clone"
    for name in ("notebooks", "parameters", "docs", "recipes"):
        shutil.copytree(KIT / name, clone / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (clone / "idc_aws").mkdir()
    (clone / "idc_aws" / "project.py").touch()
    shutil.copy(KIT / ".gitignore", clone / ".gitignore")
    git(clone, "init", "-q")
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "All")
    monkeypatch.setattr(project, "_PACKAGE", clone / "idc_aws")
    monkeypatch.chdir(clone)
    return clone


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(folder), *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.fixture
def lab(idc, monkeypatch, tmp_path):
    """Return what gives `idc lab` and returns its answer and the folder that JupyterLab would open."""
    sandbox = SimpleNamespace(endpoint_url="http://127.0.0.1:1", state_folder=str(tmp_path))
    lab = SimpleNamespace(ran_before=True, done=[], status=0)
    done = lab.done
    monkeypatch.setattr("idc_aws.sandbox.find_sandbox", lambda: sandbox if lab.ran_before else None)
    monkeypatch.setattr("idc_aws.sandbox.start_sandbox", lambda: sandbox)
    monkeypatch.setattr("idc_aws.sandbox.stop_sandbox", lambda state: done.append(("stop", state)))
    monkeypatch.setattr("idc_runner.cli.lab.lab_environment", lambda programs: {"here": "yes"})

    def run_lab(*given, meanwhile):
        meanwhile()
        done.append(given)
        return lab.status

    def give(*options):
        answer = idc("lab", "--no-browser", "--port", "8899", *options)
        if answer.exception and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        root = next(word for word in done[-1][0] if word.startswith("--ServerApp.root_dir="))
        return answer, Path(root.partition("=")[2])

    monkeypatch.setattr("idc_runner.cli.lab.run_lab", run_lab)
    lab.give = give
    return lab


def edit(notebook):
    """Change a cell and save, as JupyterLab does."""
    document = json.loads(notebook.read_text("utf-8"))
    document["cells"][0]["source"] = "# My title"
    notebook.write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize("ran_before", [True, False])
def test_the_lab_ends_the_sandbox_that_it_started_and_no_other(idc, lab, kit, tmp_path, ran_before):
    lab.ran_before, lab.status = ran_before, 3
    answer = idc("lab", "--no-browser", "--port", "8899")
    assert answer.exit_code == 3
    assert "http://127.0.0.1:1" in answer.output
    (command, environment), *rest = lab.done
    assert f"--ServerApp.root_dir={kit / 'lab'}" in command
    assert {"--no-browser", "--port=8899"} <= set(command)
    assert environment == {"here": "yes"}
    assert rest == ([] if ran_before else [("stop", tmp_path)])
    assert ("stays" if ran_before else "ends with JupyterLab") in answer.output


@pytest.mark.parametrize("place", [".", "notebooks", "lab/notebooks", "/"])
def test_in_a_clone_the_lab_is_a_copy_and_the_clone_stays_clean(lab, kit, monkeypatch, place):
    lab.give()
    monkeypatch.chdir(kit / place)
    answer, root = lab.give()
    assert (answer.exit_code, root) == (0, kit / "lab")
    edit(root / FIFTH)
    (root / "parameters" / "mine.yaml").write_text("target: sandbox\n", "utf-8")
    assert git(kit, "status", "--porcelain") == ""


def test_undo_finds_what_notebooks_of_the_copy_did_from_both_folders(lab, kit, monkeypatch):
    _, root = lab.give()
    monkeypatch.chdir(root / "notebooks")  # where their kernels stand
    receipts = project.runs_folder() / "notebooks" / "receipts.jsonl"
    receipts.parent.mkdir()
    receipts.touch()
    for place in (root, kit, Path("/")):
        monkeypatch.chdir(place)
        assert find_run_folder("notebooks", project.runs_folder()) == receipts.parent
    assert (root / "runs" / "notebooks" / "receipts.jsonl").is_file(), "seen in JupyterLab too"


def test_a_newer_kit_is_followed_and_what_one_changed_is_reported(lab, kit):
    _, root = lab.give()
    edit(root / FIFTH)
    answer, _ = lab.give()
    assert "kit" not in answer.output.partition("Ctrl-C")[0], "there is nothing to tell"
    for name in ("05_permission_sets", "06_groups"):
        path = kit / "notebooks" / f"{name}.ipynb"
        path.write_text(path.read_text("utf-8").replace("# ", "# Newer: ", 1), "utf-8")
    answer, _ = lab.give()
    assert "The kit was updated, and so was your copy: notebooks/06_groups.ipynb." in answer.output
    assert f"newer versions of files that you changed: {FIFTH}." in answer.output
    assert "My title" in (root / FIFTH).read_text("utf-8")
    answer, _ = lab.give("--fresh")
    assert (root / FIFTH).read_bytes() == with_examples((kit / FIFTH).read_bytes())
    assert "the earlier ones are in" in answer.output
    kept = [path.read_text("utf-8") for path in (root / "earlier").rglob(FIFTH.name)]
    assert any("My title" in text for text in kept)


def test_a_copy_that_was_made_by_hand_is_opened_as_it_is(idc, lab, kit, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    for name in ("notebooks", "parameters"):
        shutil.copytree(kit / name, copy / name)
    edit(copy / FIFTH)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    monkeypatch.chdir(copy / "notebooks")
    _, root = lab.give()
    assert root == copy
    with pytest.raises(InvalidValueError, match="is not a working copy"):
        lab.give("--fresh")
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    assert idc("init", str(copy), "--update").exit_code == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    assert "the earlier ones are in" in lab.give("--fresh")[0].output


def test_a_folder_of_somebody_elses_called_lab_is_left_alone(lab, kit):
    (kit / "lab").mkdir()
    (kit / "lab" / "README.md").write_text("mine", "utf-8")
    with pytest.raises(InvalidValueError, match="nothing was changed"):
        lab.give()
    assert [path.name for path in (kit / "lab").iterdir()] == ["README.md"]


def test_an_installed_kit_lays_a_copy_out_in_the_home(lab, kit, tmp_path, monkeypatch):
    (kit / "idc_aws" / "project.py").unlink()  # no repository any more
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir("/")
    answer, root = lab.give()
    assert root == tmp_path / "home" / "identity-center"
    assert str(root) in answer.output
    assert not (root / "runs").is_symlink()
    assert lab.give()[1] == root


def test_init_lays_out_updates_and_starts_afresh(idc, kit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert idc("init", "mine").exit_code == 0
    copy = tmp_path / "mine"
    assert (copy / FIFTH).read_bytes() == with_examples((kit / FIFTH).read_bytes())
    edit(copy / FIFTH)
    again = idc("init", "mine")
    assert isinstance(again.exception, InvalidValueError)
    assert "--fresh" in str(again.exception)
    for options in ([], ["--update"]):
        idc("init", "mine", *options)
        assert "My title" in (copy / FIFTH).read_text("utf-8")
    assert idc("init", "mine", "--fresh").exit_code == 0
    assert (copy / FIFTH).read_bytes() == with_examples((kit / FIFTH).read_bytes())
    assert idc("init", "new", "--update").exit_code == 0, "a class's start-up gives it every time"
    assert (tmp_path / "new" / FIFTH).is_file()
    monkeypatch.chdir(copy / "notebooks")
    assert project.work_folder() == copy
    (copy / "parameters" / "sandbox.yaml").unlink()
    assert project.work_folder() == copy, "whatever they delete in it"
    assert project.find_scenario() == kit / "parameters" / "sandbox.yaml"


@pytest.mark.parametrize("options", [[], ["--update"], ["--fresh"]])
def test_init_refuses_the_clone_itself(idc, kit, options):
    assert isinstance(idc("init", ".", *options).exception, InvalidValueError)
    assert git(kit, "status", "--porcelain") == ""
