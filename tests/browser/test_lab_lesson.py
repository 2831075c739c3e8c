"""The lesson at JupyterLab, as a person goes it: each notebook's forms, plans, Apply, checks, Undo.

At a test's end its notebooks are also looked at for everybody's access and for tables that are shown twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lab_desk import OUTPUT, Lab
from lesson_forms import FORMS, filled
from lesson_states import context_of, state_by_kit, states_of
from playwright.sync_api import Browser, expect


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Lab]:
    """Return a Lab whose sandbox is empty when the first test begins."""
    started = Lab(tmp_path_factory.mktemp("lab"), chromium)
    yield started
    started.stop()


def test_the_start_shows_the_way_before_anything_is_done(opened):
    notebook = opened("00_start_here")
    notebook.run_all()
    assert notebook.red() == []
    links = notebook.panel.locator(f"{OUTPUT} a[href*='.ipynb']")
    expect(links.filter(has_text=re.compile("Enable")).first).to_be_visible()


@pytest.mark.parametrize("name", FORMS)
def test_fill_review_apply_check_undo_and_apply_again(opened, name):
    notebook = opened(name)
    notebook.run_all()
    assert notebook.red() == [], "running all cells before anything is applied ends well"
    for case in FORMS[name]:
        form = notebook.form(case.title)
        if case.label:
            form.fill(case.label, case.value)
        plan = form.review()
        assert "to create" in plan or "to update" in plan
        expect(form.box).to_contain_text(case.shown or case.value)
        assert notebook.tables_shown_twice() == []
        said = form.apply()
        assert any(re.search(r"\d+ of \d+", text) for text in said), said
        assert re.search(r"(\d+) of \1 checks passed", said[-1]), said
        for table in ("Done for", "Checks of"):
            expect(form.box.get_by_text(re.compile(f"{table} “{case.title}”"))).to_have_count(1)
        assert notebook.tables_shown_twice() == []
        if case.can_be_undone:
            undone = form.undo()[-1]
            assert "deleted" in undone or "updated" in undone
            assert form.review() == plan
            form.apply()
        else:
            expect(form.button("Undo this step …")).to_be_hidden()
        assert re.search(r"(\d+) of \1 checks passed", form.check())
    notebook.run_all()
    for case in FORMS[name]:
        if case.label:
            assert notebook.form(case.title).value(case.label).startswith(case.value)
    assert notebook.red() == []
    assert notebook.tables_shown_twice() == []
    for case in FORMS[name]:
        form = notebook.form(case.title)
        if name == "07_account_assignments":  # what an undo shows is looked at too
            assert "to delete" in form.review_undo()
        else:
            form.review()


def test_by_the_forms_it_is_the_same_as_by_the_kit_and_the_clone_is_clean(lab, tmp_path):
    scenario = filled()
    found = states_of(context_of(lab.state_folder, scenario, tmp_path / "run"))
    assert all(found.values())
    assert found == state_by_kit(scenario, tmp_path / "kit")
    assert lab.changed_files() == ""
