"""The forms for everybody: an accessibility check in light and dark, and a whole step by keyboard alone."""

import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from test_guided_notebooks import OUTPUT, Lab, apply_by_hand

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, chromium):
    started = Lab(tmp_path_factory.mktemp("access"), chromium)
    apply_by_hand(started, started.open("01_enable_identity_center"), "Enable IAM Identity Center")
    yield started
    started.stop()


def violations(lab):
    """What axe finds inside of panels; Lab's own page is not ours."""
    found = Axe().run(lab.page, context=".jp-NotebookPanel:not(.lm-mod-hidden) .idc-panel").response
    return [
        (one["id"], one["impact"], [node["html"][:160] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


def unfold(panel):
    for fold in panel.locator(".idc-fold").all():
        if "▸" in fold.inner_text():
            fold.click()


@pytest.mark.parametrize("name", ["05_permission_sets", "08_users"])
def test_nothing_serious_is_found_in_the_largest_forms(lab, name):
    panel = lab.open(name)
    lab.run_all()
    review = panel.get_by_role("button", name="Review").first
    expect(review).to_be_visible(timeout=60_000)
    unfold(panel)
    review.click()
    expect(panel.locator(".idc-calls summary").first).to_be_visible(timeout=30_000)
    copy = panel.get_by_role("button", name="Copy the commands").first
    deadline = time.monotonic() + 30
    while not copy.is_visible():  # the plan's cell may still run, and shows the calls anew, folded
        assert time.monotonic() < deadline
        panel.locator(".idc-calls summary").filter(has_text="AWS CLI").first.click()
        lab.page.wait_for_timeout(500)
    copy.click()
    expect(panel.get_by_role("button", name="Copied").first).to_be_visible()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.command("apputils:change-theme", theme=theme)
        is_light = "true" if theme.endswith("Light") else "false"
        expect(lab.page.locator(f"body[data-jp-theme-light={is_light}]")).to_have_count(1, timeout=30_000)
        assert violations(lab) == []


def test_a_step_is_filled_in_reviewed_and_applied_by_keyboard_alone(lab):
    panel = lab.open("06_groups")
    lab.run_all()
    name = panel.get_by_label("Group name", exact=True)
    expect(name).to_be_visible(timeout=60_000)
    panel.get_by_label("Shown", exact=True).focus()
    press = lab.page.keyboard.press
    for _ in range(2):
        press("Tab")
    expect(panel.get_by_role("button", name="Remove this one")).to_be_focused()
    press("Tab")
    expect(name).to_be_focused()
    press("ControlOrMeta+a")
    lab.page.keyboard.type("Operators")
    press("Tab")
    expect(panel.get_by_label("Description – optional")).to_be_focused()
    press("Tab")
    review = panel.get_by_role("button", name="Review")
    expect(review).to_be_focused()
    press("Enter")
    expect(panel.locator(OUTPUT).filter(has_text="Operators").first).to_be_visible(timeout=30_000)
    apply = panel.get_by_role("button", name="Apply", exact=True)
    expect(apply).to_be_enabled(timeout=30_000)
    # What was locked while the plan was made has lost the focus: back to where one was.
    review.focus()
    press("Tab")
    expect(apply).to_be_focused()
    press("Space")
    expect(panel.locator(OUTPUT).filter(has_text="Done: 3 created").first).to_be_visible(timeout=60_000)
