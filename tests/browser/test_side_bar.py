"""The lesson's side bar in JupyterLab, in a clone, which stays clean."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from accessibility import WHOLE_BODY, violations_in
from kit_lab import CloneLab
from lab_desk import IDLE, open_page_of_lab
from playwright.sync_api import Browser, Locator, Page, expect

from idc_runner.working_copy import SUMMARY

SIZE = {"width": 1400, "height": 1000}
_TABS = "Array.from(window.jupyterapp.shell.widgets('main')).map(one => one.context?.path ?? one.id)"
_LAUNCHER = "window.jupyterapp.commands.execute('launcher:create', {activate: false}).then(() => null)"
_BESIDE = """Array.from(window.jupyterapp.shell.widgets('main'))
    .find(one => one.node.dataset.identityCenterBeside)"""
_SOURCES = """window.jupyterapp.shell.currentWidget.content.widgets
    .map(one => one.model.type === 'code' ? one.model.sharedModel.getSource() : '')"""
_SHOW = """async number => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = number;
    await notebook.scrollToItem(number);
}"""
_RESTART = "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()"


class Desk:
    """A page of JupyterLab, as a learner has it in a clone."""

    def __init__(self, folder: Path, chromium: Browser) -> None:
        self.lab = CloneLab(folder)
        self.page: Page = chromium.new_page(viewport=SIZE)
        open_page_of_lab(self.page, self.lab.url("lab/tree/notebooks/00_start_here.ipynb"))
        self.bar: Locator = self.page.get_by_role("navigation", name="The lesson")
        self.is_at("00")

    def stop(self) -> None:
        self.page.close()
        self.lab.stop()

    @property
    def panel(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    @property
    def tabs(self) -> list[str]:
        found: list[str] = self.page.evaluate(_TABS)
        return found

    def command(self, name: str) -> None:
        self.page.evaluate("name => window.jupyterapp.commands.execute(name).then(() => null)", name)

    def go(self, words: str) -> None:
        """Follow a link of the side bar, and wait until its notebook is the one that is current."""
        self.bar.get_by_role("link", name=words, exact=True).click()
        self.is_at(words[:2] if words[2:4] == " ·" else "")

    def is_at(self, number: str) -> None:
        expect(self.bar.locator("a[aria-current=page]")).to_have_text(re.compile(f"^{number}"))
        self.page.wait_for_function(IDLE)

    def show(self, source: str) -> int:
        """Scroll to the first code cell whose source has some text."""
        sources: list[str] = self.page.evaluate(_SOURCES)
        number = next(number for number, one in enumerate(sources) if source in one)
        self.page.evaluate(_SHOW, number)
        return number

    def state(self, number: int) -> Locator:
        """Return what the side bar says of a step."""
        link = self.page.locator(f"[data-key=step-{number}]")
        return self.bar.locator("li li").filter(has=link).locator("small")


@pytest.fixture(scope="module")
def desk(tmp_path_factory, chromium):
    made = Desk(tmp_path_factory.mktemp("side-bar"), chromium)
    yield made
    made.stop()


def test_it_lists_the_lesson_beside_the_first_notebook(desk):
    expect(desk.bar).to_be_visible()
    expect(desk.bar.get_by_role("status").first).to_have_text("0 of 20 steps done")
    expect(desk.bar.locator("li li")).to_have_count(20)
    expect(desk.bar.locator("a[aria-current=page]")).to_have_text("00 · Start here")
    desk.page.add_style_tag(content=WHOLE_BODY)
    desk.page.set_viewport_size({"width": 1400, "height": 300 + desk.bar.evaluate("one => one.scrollHeight")})
    assert violations_in(desk.page, ".idc-lesson") == []
    desk.page.set_viewport_size(SIZE)


def test_outputs_begin_empty_with_an_example_to_unfold_that_a_run_replaces(desk):
    desk.show("open_runbook(")
    example = desk.panel.locator("summary", has_text=SUMMARY).first
    expect(example).to_be_visible()
    example.click()
    expect(desk.panel.locator("details[open]").first).to_contain_text("Region")
    desk.command("notebook:run-all-cells")
    expect(desk.panel.locator("summary", has_text=SUMMARY)).to_have_count(0)
    expect(desk.state(1)).to_have_text(re.compile("not applied"))


def test_a_step_that_was_done_by_another_door_shows_at_once(desk):
    desk.lab.idc("run", "--only", "01", where=".")  # its receipts are in a folder of its own
    expect(desk.state(1)).to_have_text("✔ done: by you")
    expect(desk.bar.get_by_role("link", name=re.compile("^Next: "))).to_be_visible()


def test_a_link_in_a_notebook_takes_the_place_of_what_is_left(desk):
    desk.page.evaluate(_LAUNCHER)  # JupyterLab shows one by itself, where the first notebook comes late
    desk.go("05 · Permission sets")
    assert desk.tabs == ["notebooks/05_permission_sets.ipynb"]
    last = desk.page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length - 1")
    desk.page.evaluate(_SHOW, last)
    desk.panel.get_by_role("link", name=re.compile("^06 · ")).last.click()
    desk.is_at("06")
    assert desk.tabs == ["notebooks/06_groups.ipynb"]
    expect(
        desk.bar.locator("li", has=desk.page.locator("[data-key='notebooks/05_permission_sets.ipynb']"))
        .locator("> small")
        .first
    ).to_have_text("visited")


def test_with_the_practice_console_in_front_the_notebook_beside_it_is_where_one_is(desk):
    desk.command("notebook:run-all-cells")
    console = desk.page.locator(".jp-ServerProxy iframe")
    desk.panel.get_by_role("link", name=re.compile("^Practice console")).first.click()
    expect(console).to_be_visible()
    expect(desk.bar.locator("a[aria-current=page]")).to_have_text("06 · Groups")
    title = desk.page.locator(".lm-TabBar-tab.lm-mod-current", has_text="Practice").first
    expect(title).to_have_text("Practice console")
    console.content_frame.locator("body").evaluate(
        "() => { location.href = '/identity-center-sandbox/start/phone' }"
    )
    expect(title).to_have_text("Practice phone")
    desk.go("05 · Permission sets")
    for one in (desk.panel, console):  # the next notebook takes the place of the last one, not the console's
        expect(one).to_be_visible()
    assert desk.tabs[0] == "notebooks/05_permission_sets.ipynb"
    desk.page.evaluate(f"{_BESIDE}.dispose()")
    desk.go("06 · Groups")


_WRITE = """source => {
    const model = window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel;
    const before = model.source;
    model.setSource(source);
    return before;
}"""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("target = sandbox", "Quotes are missing around the text that begins with sandbox"),
        ("exercise.check(answer=d-b9d057ffaa)", "Quotes are missing around the text that begins with d:"),
        ("target = \u201csandbox\u201d", "These quotes are curly"),
        ("target\u00a0= 'sandbox'", "An invisible character is in the cell"),
        ("exercise.check(answer=012345678901)", "Quotes are missing around the number"),
        ("exercise.check(answer=9067f1)", "Quotes are missing around a text that begins with a digit"),
        ("target = 'sandbox", "A quote is missing"),
    ],
)
def test_what_was_typed_or_copied_a_little_wrong_is_said_in_words(desk, source, words):
    desk.show("exercise.check()")
    before = desk.page.evaluate(_WRITE, source)
    desk.command("notebook:run-cell")
    desk.page.evaluate(_WRITE, before)
    explained = desk.panel.locator(
        ".jp-OutputArea-output", has_text="Correct it, and run this cell again"
    ).first
    expect(explained).to_contain_text(words)


def test_after_a_restart_words_say_which_cell_to_run(desk):
    desk.command("notebook:run-all-cells")
    desk.show(".take()")
    expect(desk.panel.get_by_role("button", name="Review").first).to_be_visible()
    desk.page.evaluate(f"{_RESTART}.then(() => null)")
    panel = desk.panel.locator(".idc-panel.jupyter-widgets-disconnected")
    expect(panel.first).to_be_visible()
    expect(panel.get_by_role("button", name="Review")).to_have_count(0)
    words = panel.first.evaluate("one => getComputedStyle(one, '::before').content")
    assert "Run this cell again" in words
    desk.show("exercise.check()")
    desk.command("notebook:run-cell")
    explained = desk.panel.locator(".jp-OutputArea-output", has_text="does not exist yet").first
    expect(explained).to_contain_text("exercise = runbook.try_it(")
    expect(explained).to_contain_text("above, under “")


def test_a_form_whose_kernel_ended_before_the_page_came_says_so(desk):
    desk.command("docmanager:save")
    desk.page.reload()
    desk.page.wait_for_function("window.jupyterapp !== undefined")
    desk.is_at("06")
    desk.show(".take()")
    expect(desk.panel.locator(".jp-OutputArea-output.jupyter-widgets").first).to_contain_text(
        "Run this cell again"
    )


def test_a_notebook_is_started_afresh_and_the_old_one_is_kept(desk):
    path = desk.lab.kit / "lab" / "notebooks" / "06_groups.ipynb"
    before = path.read_text("utf-8")
    assert "NameError" in before
    desk.bar.get_by_role("button", name="Start this notebook afresh").click()
    desk.bar.get_by_role("button", name="Keep mine").click()
    assert path.read_text("utf-8") == before
    desk.bar.get_by_role("button", name="Start this notebook afresh").click()
    desk.bar.get_by_role("button", name="Start afresh", exact=True).click()
    expect(desk.bar.get_by_role("status").last).to_contain_text("is clean again")
    (kept,) = (desk.lab.kit / "lab" / "earlier").rglob("*.ipynb")
    assert json.loads(kept.read_text("utf-8"))["cells"] == json.loads(before)["cells"]
    assert "NameError" not in path.read_text("utf-8")
    desk.show("exercise.check()")
    expect(desk.panel.locator("summary", has_text=SUMMARY).first).to_be_visible()


def test_a_walk_through_the_lesson_leaves_the_clone_clean_and_one_tab(desk):
    links = desk.bar.locator("> ol > li > a[data-key]")
    paths = links.evaluate_all("all => all.map(one => one.dataset.key)")
    assert paths == sorted(f"notebooks/{path.name}" for path in (desk.lab.kit / "notebooks").glob("*.ipynb"))
    titles = links.all_inner_texts()
    walked = [*titles[:-1:4], titles[-1]]
    for title in walked:
        desk.go(title)  # and waits, because a notebook that is left while a cell runs stays open
    desk.command("docmanager:save")
    assert len(desk.tabs) == 1
    for title in walked[:-1]:
        of_notebook = desk.bar.locator("> ol > li", has=desk.page.get_by_role("link", name=title, exact=True))
        expect(of_notebook.locator("> small").first).to_have_text("visited")
    assert desk.lab.git("status", "--porcelain") == ""
