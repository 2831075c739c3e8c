"""What the side bar is told: every notebook and step in order, and how far each is."""

import json
import sqlite3
from contextlib import closing

import pytest

from idc_aws.project import RUN_FOLDER_VARIABLE, STATE_VARIABLE, project_folder
from idc_helpers.runbook.lesson import LESSON
from idc_runner.jupyterlab.outline import outline
from idc_sandbox.store import Store


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with copies of the notebooks, and one of its person's own."""
    monkeypatch.delenv(RUN_FOLDER_VARIABLE, raising=False)
    (tmp_path / "notebooks").mkdir()
    for path in (project_folder() / "notebooks").glob("*.ipynb"):
        (tmp_path / "notebooks" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "notebooks" / "12_mine.ipynb").write_text("{}", "utf-8")
    return tmp_path


def remember(folder, **steps):
    run = folder / "runs" / "notebooks"
    run.mkdir(parents=True, exist_ok=True)
    content = {"place": "here", "was_open": [], "steps": steps}
    (run / "lesson.json").write_text(json.dumps(content), "utf-8")


def steps_of(folder):
    return {step["number"]: step for each in outline(folder)["notebooks"] for step in each["steps"]}


def test_it_lists_the_steps_and_what_comes_before_and_after_them(folder):
    told = outline(folder)
    assert told["folder"] == str(folder)
    names = [path.name for path in sorted((project_folder() / "notebooks").glob("*.ipynb"))]
    assert [each["path"] for each in told["notebooks"]] == [f"notebooks/{name}" for name in names]
    assert (told["notebooks"][0]["title"], told["notebooks"][-1]["title"]) == (
        "00 · Start here",
        "99 · Teardown",
    )
    assert list(steps_of(folder)) == list(range(1, 21))
    for each in told["notebooks"]:
        for step in each["steps"]:
            (entry,) = [one for one in LESSON.values() if one.number == step["number"]]
            assert entry.link == f"{each['path'].removeprefix('notebooks/')}#{step['heading']}"


def test_a_notebook_that_is_not_there_has_no_link(folder):
    (folder / "notebooks" / "06_groups.ipynb").unlink()
    assert 11 not in steps_of(folder)


def test_before_anything_was_read_every_step_is_open_but_what_is_optional(folder):
    steps = steps_of(folder)
    optional = [entry.number for entry in LESSON.values() if entry.is_optional]
    assert {(step["done"], step["words"]) for step in steps.values()} == {(False, "")}
    assert [number for number, step in steps.items() if not step["open"]] == optional == [3]


@pytest.mark.parametrize(
    ("state", "checked", "wanted"),
    [
        ("DONE", False, (False, True, False)),
        ("DONE", True, (False, True, True)),
        ("NOT_APPLIED", True, (True, False, False)),
        ("BY_YOURSELF", False, (True, False, False)),
        ("LATER", False, (False, False, False)),
        ("NOT_ASKED", False, (False, False, False)),
        ("SOMETHING_NEWER", True, (True, False, False)),
        (["DONE"], True, (True, False, False)),
    ],
)
def test_a_step_is_open_done_or_checked(folder, state, checked, wanted):
    remember(folder, groups={"state": state, "words": "✔ words", "checked": checked})
    step = steps_of(folder)[11]
    assert (step["open"], step["done"], step["checked"]) == wanted
    assert step["words"] == "✔ words"


def test_the_environments_run_folder_counts(folder, monkeypatch, tmp_path):
    monkeypatch.setenv(RUN_FOLDER_VARIABLE, str(tmp_path / "elsewhere"))
    remember(folder, groups={"state": "DONE", "words": "", "checked": False})
    assert not steps_of(folder)[11]["done"]
    (folder / "runs" / "notebooks").rename(tmp_path / "elsewhere")
    assert steps_of(folder)[11]["done"]


def test_nothing_is_done_in_a_sandbox_that_was_reset_since(folder, monkeypatch, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv(STATE_VARIABLE, str(state))
    remember(folder, groups={"state": "DONE", "words": "✔ done", "checked": True})
    path = folder / "runs" / "notebooks" / "lesson.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"state_id": "a" * 32}), "utf-8")
    told = []
    for state_id in ("", "a" * 32, "b" * 32):
        if state_id:
            Store(state / "sandbox.db").close()
            with closing(sqlite3.connect(state / "sandbox.db")) as connection, connection:
                connection.execute("UPDATE metadata SET value = ? WHERE name = 'state_id'", (state_id,))
        step = steps_of(folder)[11]
        told.append((step["done"], step["words"]))
    assert told == [(True, "✔ done"), (True, "✔ done"), (False, "")]
