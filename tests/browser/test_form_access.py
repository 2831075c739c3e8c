"""Forms and outputs for everybody: an accessibility check of every notebook, and a step by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from lab_desk import OUTPUT, Lab, Notebook
from playwright.sync_api import Browser, expect
from test_lab_lesson import FORMS

from idc_aws.project import DEFAULT_SCENARIO, project_folder
from idc_aws.scenario.reading import load_scenario
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

SERIOUS = ("serious", "critical")
OUTPUTS = f".jp-NotebookPanel:not(.lm-mod-hidden) {OUTPUT}"
COLOUR_RULES = ("color-contrast", "link-in-text-block")  # all that another theme changes
THEMES = {"JupyterLab Dark": "false", "JupyterLab Light": "true"}
WITHOUT_FORM = ("00_start_here", "09_activate_user")

_ALL_IN_SIGHT = """([scrolled, outputs]) => {
    scrolled.scrollTop = 0;
    const sight = scrolled.getBoundingClientRect();
    const places = Array.from(scrolled.querySelectorAll(outputs), one => one.getBoundingClientRect());
    return places.every(place => place.top >= sight.top && place.bottom <= sight.bottom);
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Lab]:
    """Return a Lab in which the lesson is applied: cells run to the end, and show all that they can."""
    started = Lab(tmp_path_factory.mktemp("access"), chromium)
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    context = RunContext(started.connect(), scenario, "apply", "lesson", started.run_folder)
    for name in target_steps():
        Step(context, name).apply()
    yield started
    started.stop()


@pytest.fixture
def opened(lab: Lab) -> Iterator[object]:
    """Return a function that opens a notebook and runs it; it is closed afterwards."""
    notebooks: list[Notebook] = []

    def open_and_run(name: str) -> Notebook:
        notebooks.append(lab.open(name))
        notebooks[-1].run_all()
        return notebooks[-1]

    yield open_and_run
    for notebook in notebooks:
        lab.close(notebook)
    lab.page.set_viewport_size({"width": 1400, "height": 1000})


def violations(notebook: Notebook) -> list[tuple[str, str, str, str]]:
    """Return what axe finds in outputs, unfolded, in both themes; Lab's own page is not ours."""
    for fold in notebook.panel.locator(".idc-fold").all():
        if "▸" in fold.inner_text():
            fold.click()
    details = notebook.panel.locator(f"{OUTPUT} details")
    details.evaluate_all("all => all.forEach(one => { one.open = true; })")
    show_all_at_once(notebook)
    found = []
    body = notebook.lab.page.locator("body")
    now = body.get_attribute("data-jp-theme-light")
    for theme, is_light in sorted(THEMES.items(), key=lambda one: one[1] != now):  # changing takes its time
        if is_light != now:
            notebook.lab.set_theme(theme)
        expect(body).to_have_attribute("data-jp-theme-light", is_light)
        expect(notebook.lab.page.locator("#jupyterlab-splash")).to_have_count(0)  # it lies above the colours
        rules = {} if is_light == now else {"runOnly": list(COLOUR_RULES)}
        response = Axe().run(notebook.lab.page, OUTPUTS, rules).response
        assert "'fgColor': '#" in str(response), "axe has read colours"
        found += [
            (theme, one["id"], node["html"][:160], node["failureSummary"])
            for one in response["violations"]
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]
    return found


def show_all_at_once(notebook: Notebook) -> None:
    """Make the page as high as the notebook: of what is out of sight, or seems so, axe reads no colours.

    Lab's ``body`` is 0 high and cuts off what overflows. Browsers show it; axe takes all of it for hidden.
    """
    page = notebook.lab.page
    page.add_style_tag(content="body { height: 100vh; }")
    scrolled = notebook.panel.locator(".jp-WindowedPanel-outer")
    height = scrolled.evaluate("one => one.scrollHeight")
    page.set_viewport_size({"width": 1400, "height": height + 400})
    page.wait_for_function(_ALL_IN_SIGHT, arg=[scrolled.element_handle(), OUTPUT])


@pytest.mark.parametrize("name", FORMS)
def test_nothing_serious_is_found_in_forms_with_a_review_and_in_what_cells_show(opened, name):
    notebook = opened(name)
    for case in FORMS[name]:
        form = notebook.form(case.title)
        if case.label:
            form.fill(case.label, case.value)
        form.review()
    assert violations(notebook) == []


def test_nothing_serious_is_found_in_the_teardown(opened):
    notebook = opened("99_teardown")
    assert "to delete" in notebook.form("Teardown").review()
    assert violations(notebook) == []


@pytest.mark.parametrize("name", WITHOUT_FORM)
def test_nothing_serious_is_found_in_notebooks_without_a_form(opened, name):
    assert violations(opened(name)) == []


def test_nothing_serious_is_found_in_what_an_undo_shows(opened):
    notebook = opened("07_account_assignments")
    assert "to delete" in notebook.form("Account assignments").review_undo()
    assert violations(notebook) == []


def test_nothing_serious_is_found_in_what_is_wrong_and_in_what_an_undo_leaves_alone(opened):
    notebook = opened("06_groups")
    form = notebook.form("Groups")
    assert "3 unchanged" in form.review_undo()  # they have members and assignments
    form.fill("Group name", "")
    expect(form.beside("Group name").get_by_role("alert")).to_be_visible()
    assert violations(notebook) == []


def test_a_step_is_filled_in_reviewed_and_applied_by_keyboard_alone(opened):
    notebook = opened("06_groups")
    form, keyboard = notebook.form("Groups"), notebook.lab.page.keyboard
    form.field("Shown").focus()
    for focused in (form.button("Add another"), form.button("Remove this one"), form.field("Group name")):
        keyboard.press("Tab")
        expect(focused).to_be_focused()
    keyboard.press("ControlOrMeta+a")
    keyboard.type("Operators")
    for focused in (form.field("Description"), form.button("Review")):
        keyboard.press("Tab")
        expect(focused).to_be_focused()
    assert "1 to create" in form.press_focused("Plan: ", "Reading the target")[-1]
    expect(form.box).to_contain_text("Operators")
    commands = form.box.locator(".idc-calls summary").filter(has_text="AWS CLI")
    commands.press("Enter")
    form.button("Copy the commands").press("Enter")
    expect(form.button("Copied")).to_be_visible()
    # What was locked while the plan was made has lost the focus: back to where one was.
    form.button("Review").focus()
    keyboard.press("Tab")
    expect(form.apply_button).to_be_focused()
    assert "1 created" in form.press_focused("✔ Done: ", "Applying")[-1]
