"""Runs on the standing sandbox, in order: planned, applied, again, a notebook by papermill, undone."""

import re

import nbformat
import pytest
from kit_commands import KIT, steps_that_come_later, what_is_there

from idc_aws.project import DEFAULT_SCENARIO


def total(summary, action):
    return sum(notebook["changes"][action] for notebook in summary["notebooks"])


def outputs(folder, name):
    cells = nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4).cells
    return [cell.outputs for cell in cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def planned(commands):
    done, summary = commands.run("--mode", "plan")
    return done, summary, commands.latest, what_is_there(commands)


@pytest.fixture(scope="module")
def first(commands, planned):
    # As on most fresh machines, there is no AWS CLI: notebooks 10 and 11 sign in by boto3.
    done, summary = commands.run("--no-teardown", command_line=False)
    return done, summary, commands.latest, what_is_there(commands)


@pytest.fixture(scope="module")
def second(commands, first):
    # The variation: the person who has several accounts, and the first of them.
    scenario = (KIT / DEFAULT_SCENARIO).read_text("utf-8")
    before, person = scenario.split("\nperson:\n")
    assert "user_name: mary.major" in person
    variation = commands.folder / "richard.yaml"
    variation.write_text(f"{before}\nperson:\n  user_name: richard.roe\n", "utf-8")
    done, summary = commands.run("--no-teardown", "--parameters", str(variation), command_line=False)
    return done, summary, commands.latest, what_is_there(commands)


@pytest.fixture(scope="module")
def by_papermill(commands, second):
    return commands.papermill("05_permission_sets", "-f", "parameters/sandbox.yaml", "--no-progress-bar")


@pytest.fixture(scope="module")
def undone(commands, first, by_papermill):
    done = commands.idc("undo", first[2].name, "--out", str(commands.runs), "--yes")
    return done, what_is_there(commands)


def test_mode_plan_says_what_would_change_and_writes_nothing(planned):
    done, summary, folder, there = planned
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary["mode"] == "plan"
    assert total(summary, "create") > 0
    assert "to create" in done.stdout
    assert not (folder / "receipts.jsonl").exists()
    assert there == {}


def test_a_plan_of_the_whole_lesson_ends_well_before_there_is_an_instance(planned):
    _, summary, folder, _ = planned
    assert len(summary["notebooks"]) == 14
    assert {notebook["status"] for notebook in summary["notebooks"]} == {"passed"}
    after_01 = dict.fromkeys(("02", "03", "04", "05", "06", "07", "08"), True)
    assert steps_that_come_later(summary) == {"01": False, "99": False} | after_01
    executed = (folder / "notebooks" / "05_permission_sets.ipynb").read_text("utf-8")
    assert "Later: there is no instance yet. Notebook 01 enables it; this step comes after it." in executed


def test_the_first_run_makes_what_was_planned_and_leaves_it_there(first, planned):
    done, summary, _, there = first
    assert done.returncode == 0, done.stdout + done.stderr
    assert [notebook["notebook"] for notebook in summary["notebooks"]][-1] == "12_what_you_have"
    assert 0 < total(summary, "create") <= total(planned[1], "create")
    assert set(there) == {
        "instance",
        "permission sets",
        "groups",
        "users",
        "delegated administrators",
        "roles",
    }


def test_the_second_run_finds_everything_unchanged(first, second):
    done, summary, folder, there = second
    assert done.returncode == 0, done.stdout + done.stderr
    assert [total(summary, action) for action in ("create", "update", "delete")] == [0, 0, 0]
    made = sum(total(first[1], action) for action in ("create", "update", "unchanged"))
    assert total(summary, "unchanged") == made
    assert not (folder / "receipts.jsonl").exists()
    assert there == first[3]


def results(notebook):
    """Return what was checked, and whether it is so; who signs in is in the details."""
    return [(check["name"], check["passed"]) for check in notebook["checks"]]


def test_for_another_person_the_lesson_has_the_same_checks(first, second):
    one, other = first[1]["notebooks"], second[1]["notebooks"]
    assert [each["checks"] for each in one[:-4]] == [each["checks"] for each in other[:-4]]
    assert [results(each) for each in one[-4:]] == [results(each) for each in other[-4:]]
    # The person's role has a relay state, and her way into the console shows it.
    for name in ("09_activate_user", "11_temporary_credentials"):
        assert "https://console.aws.amazon.com/ec2/" in str(outputs(first[2], name)), name
    for run, role in ((first, "AdministratorAccess"), (second, "ReadOnlyAccess")):
        assert run[1]["notebooks"][-3]["checks"][0]["detail"] == role
        shown = outputs(run[2], "10_aws_configure_sso")
        assert "The same login is done with boto3 here." in str(shown)
        assert f"The profile is written for {role} in " in str(shown)


def test_plain_papermill_runs_a_notebook_from_the_scenario_file(commands, by_papermill):
    assert by_papermill.returncode == 0, by_papermill.stderr
    document = nbformat.read(commands.folder / "out.ipynb", as_version=4)
    assert not [cell for cell in document.cells if "application/vnd.jupyter.widget-view+json" in str(cell)]
    assert "widgets" not in document.metadata


def test_plain_papermill_refuses_a_parameter_that_the_notebook_does_not_know(commands, second):
    done = commands.papermill("05_permission_sets", "-p", "permision_sets", "x", "--no-progress-bar")
    assert done.returncode != 0
    assert "Did you mean 'permission_sets'?" in done.stderr


def test_an_unknown_key_of_a_scenario_is_refused_before_anything_starts(commands, planned):
    scenario = commands.folder / "mine.yaml"
    scenario.write_text("target: sandbox\npermision_sets: []\n", "utf-8")
    before = sorted(commands.runs.iterdir())
    done, _ = commands.run("--parameters", str(scenario))
    assert done.returncode == 1
    assert "mine.yaml:2: permision_sets: " in done.stderr
    assert "Did you mean 'permission_sets'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(commands.runs.iterdir()) == before


def test_undo_asks_first_and_no_means_that_nothing_is_done(commands, first, by_papermill):
    for answer in ("n\n", ""):  # no, and nobody there to answer
        done = commands.idc("undo", str(first[2]), given=answer)
        assert done.returncode == 1
        assert "permission set" in done.stdout
        assert "nothing was undone: nobody said yes\nAnswer y, or add --yes" in done.stderr
    assert what_is_there(commands) == first[3]


def test_undo_leaves_nothing_of_the_run_and_again_finds_nothing_to_do(commands, first, undone):
    done, there = undone
    assert done.returncode == 0, done.stdout + done.stderr
    assert there == {}
    assert re.search(r"^delete +account assignment +group ", done.stdout, re.M)
    assert re.search(r" group ReadOnlyAccess · ReadOnlyAccess · Production \(\d{12}\)  ", done.stdout)
    assert re.search(r": delete account assignment 'group .* · Production \(\d{12}\)'$", done.stdout, re.M)
    again = commands.idc("undo", first[2].name, "--out", str(commands.runs))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Undo " not in again.stdout
