"""Where the kit is does not depend on where one stands; where a person works does."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from idc_aws import project
from idc_aws.errors import RunFailedError
from idc_helpers.runbook.run import open_run
from idc_runner.checkup import folder_finding

KIT = Path(__file__).parents[2]


def make_copy(folder):
    (folder / "notebooks").mkdir(parents=True)
    (folder / "parameters").mkdir()
    (folder / "parameters" / "sandbox.yaml").write_text("target: sandbox\nregion: eu-west-1\n", "utf-8")
    return folder


@pytest.fixture
def copy(tmp_path):
    return make_copy(tmp_path / "copy")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Let the kit be an installed package, without a repository around it."""
    package = tmp_path / "site-packages" / "idc_aws"
    make_copy(package / "data" / "kit")
    monkeypatch.setattr(project, "_PACKAGE", package)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return package / "data" / "kit"


@pytest.mark.parametrize("place", ["/", "notebooks", "tests/unit", "idc_aws/data"])
def test_the_kit_and_its_runs_are_found_from_anywhere(monkeypatch, place):
    monkeypatch.chdir(KIT / place)
    assert (project.project_folder(), project.work_folder()) == (KIT, KIT)
    assert project.runs_folder() == KIT / "runs"
    assert project.lab_folder() == KIT / "lab"
    assert project.find_scenario() == KIT / "parameters" / "sandbox.yaml"
    assert folder_finding().status == "ok"


@pytest.mark.parametrize("place", [".", "notebooks"])
def test_in_a_copy_its_scenarios_come_first_and_it_gets_the_runs(copy, monkeypatch, place):
    monkeypatch.chdir(copy / place)
    assert (project.project_folder(), project.work_folder(), project.lab_folder()) == (KIT, copy, copy)
    assert project.runs_folder() == copy / "runs"
    assert project.find_scenario() == copy / "parameters" / "sandbox.yaml"
    assert str(copy) in folder_finding().detail


def test_an_installed_kit_works_in_the_home_where_there_is_no_copy(installed, copy, monkeypatch):
    monkeypatch.chdir("/")
    home = Path.home() / "identity-center"
    assert (project.project_folder(), project.work_folder(), project.lab_folder()) == (installed, home, home)
    assert project.find_scenario() == installed / "parameters" / "sandbox.yaml"
    assert folder_finding().status == "ok"
    monkeypatch.chdir(copy)
    assert (project.project_folder(), project.work_folder()) == (installed, copy)


def test_a_kit_without_its_notebooks_says_so(installed, monkeypatch):
    (installed / "notebooks").rmdir()
    monkeypatch.chdir("/")
    with pytest.raises(RunFailedError, match="notebooks are missing"):
        project.project_folder()
    assert folder_finding().status == "fail"


@pytest.mark.parametrize(
    ("given", "place", "found"),
    [
        ("mine.yaml", "copy/notebooks", "copy/notebooks/mine.yaml"),
        ("parameters/sandbox.yaml", "copy/notebooks", "copy/parameters/sandbox.yaml"),
        ("parameters/aws-organization.yaml", "copy", KIT / "parameters/aws-organization.yaml"),
        ("parameters/none.yaml", "copy", "copy/parameters/none.yaml"),
        (KIT / "parameters/aws-individual.yaml", "copy", KIT / "parameters/aws-individual.yaml"),
    ],
)
def test_a_relative_scenario_is_looked_for_here_then_where_one_works_then_in_the_kit(
    tmp_path, copy, monkeypatch, given, place, found
):
    (copy / "notebooks" / "mine.yaml").write_text("target: sandbox\n", "utf-8")
    monkeypatch.chdir(tmp_path / place)
    assert project.find_scenario(given) == tmp_path / found


def test_a_notebook_opens_with_any_working_folder(tmp_path, monkeypatch):
    """`papermill --cwd`, and a kernel of another editor, start anywhere."""
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("IDC_RUN_FOLDER", raising=False)
    caller = SimpleNamespace(account_id="111122223333")
    connected = SimpleNamespace(caller=caller, instance_or_none=lambda: "an instance")
    monkeypatch.setattr("idc_helpers.runbook.run.connect", lambda **_: connected)
    monkeypatch.chdir(tmp_path)
    run = open_run("05_permission_sets", scenario_file="parameters/aws-organization.yaml", target="sandbox")
    assert run.connection is connected
    assert run.scenario_file == KIT / "parameters" / "aws-organization.yaml"
    assert run.run_folder == KIT / "runs" / "notebooks"
