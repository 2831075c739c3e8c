"""Take the pictures of JupyterLab for the documentation, in Chromium: the lesson from step 1 to the portal.

Run it after notebooks or forms have changed, with the test extra installed and a `chromium` on the path:

    .venv/bin/python tools/take_lab_pictures.py             # into docs/pictures/
    .venv/bin/python tools/take_lab_pictures.py /tmp/look   # elsewhere
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

import pyotp
from playwright.sync_api import FrameLocator, Locator, expect, sync_playwright

from idc_helpers.runbook.lesson import LESSON

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]  # the tests know how to work in a Lab

from lab_desk import OUTPUT, Lab, Notebook  # noqa: E402
from patience import PATIENCE_MS  # noqa: E402

PASSWORD = "Practice-makes-1"  # noqa: S105  of a practice user in a sandbox that is gone afterwards
SIZE, WHOLE_MAP = {"width": 1500, "height": 900}, {"width": 1500, "height": 1500}
STEPS = [one for one in LESSON.values() if one.section and not (one.is_optional or one.only_reads)]
PAGES = ".jp-MainAreaWidget.jp-ServerProxy:not(.lm-mod-hidden) iframe"
_CLOSE_PAGES = """Array.from(window.jupyterapp.shell.widgets('main'))
    .filter(one => one.node.classList.contains('jp-ServerProxy')).forEach(one => one.dispose())"""


def main(arguments: list[str]) -> None:
    """Take the pictures."""
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        flags = ["--no-sandbox", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        lab = Lab(Path(name), chromium)
        try:
            lab.page.set_viewport_size(SIZE)
            for notebook in sorted({one.notebook for one in STEPS}):
                titles = {one.number: one.title for one in STEPS if one.notebook == notebook}
                take_steps(lab, notebook, titles, folder)
            activate(lab, folder)
            picture_of_the_map(lab, folder)
        finally:
            lab.stop()
            chromium.close()


def take_steps(lab: Lab, name: str, titles: dict[int, str], folder: Path) -> None:
    """Apply a notebook's steps, and keep pictures: of its beginning, and of what was done."""
    notebook = lab.open(name)
    notebook.run_all()
    for number, title in titles.items():
        form = notebook.form(title)
        form.review()
        form.apply()
        expect(state(lab, number)).to_contain_text("checked")
    if name.startswith("05"):
        picture(lab, notebook.panel.locator("h1"), folder / "side-bar.png")
    if name.startswith("06"):
        picture(lab, form.box, folder / "guided-notebook.png")
    lab.close(notebook)


def state(lab: Lab, number: int) -> Locator:
    """Return what the side bar says of a step."""
    link = lab.page.locator(f"[data-key=step-{number}]")
    bar = lab.page.get_by_role("navigation", name="The lesson")
    return bar.locator("li li").filter(has=link).locator("small")


def picture(lab: Lab, what: Locator, path: Path) -> None:
    """Keep a picture of the page with something in sight."""
    what.first.evaluate("one => one.scrollIntoView()")
    lab.page.screenshot(path=path, animations="disabled")


def activate(lab: Lab, folder: Path) -> None:
    """Go the way of the person in notebook 09, and keep a picture of the portal beside it."""
    notebook = lab.open("09_activate_user")
    lab.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")  # it waits for her
    notebook.panel.get_by_role("link", name="Open the mailbox").click()
    accept(lab.page.frame_locator(PAGES))
    lab.run("application:toggle-left-area")
    ticks = notebook.panel.locator(OUTPUT).filter(has_text="✔ invited").first
    expect(ticks).to_contain_text("✔ signed in")
    picture(lab, notebook.panel.get_by_role("heading", name="Your turn"), folder / "pages-beside.png")
    lab.run("application:toggle-left-area")
    lab.close(notebook)
    lab.page.evaluate(_CLOSE_PAGES)


def accept(pages: FrameLocator) -> None:
    """Accept the invitation, choose a password, and register an authenticator app."""
    pages.get_by_role("link", name=re.compile("Invitation")).first.click()
    pages.get_by_role("link", name="Accept invitation").click()
    pages.get_by_label("New password", exact=True).fill(PASSWORD)
    pages.get_by_label("New password, once more").fill(PASSWORD)
    pages.get_by_role("button", name="Set the password").click()
    pages.get_by_label("User name").fill("mary.major")
    pages.get_by_role("button", name="Next").click()
    pages.get_by_label("Password").fill(PASSWORD)
    pages.get_by_role("button", name="Sign in", exact=True).click()
    secret = pages.locator("[data-value=totp_secret]").inner_text()
    pages.get_by_label("Code from the app").fill(pyotp.TOTP(secret).now())
    pages.get_by_role("button", name="Register the app").click()
    expect(pages.get_by_role("heading", level=1)).to_have_text("Access portal")


def picture_of_the_map(lab: Lab, folder: Path) -> None:
    """Keep a picture of the lesson's map, with what is done until then."""
    notebook: Notebook = lab.open("00_start_here")
    notebook.run_all()
    lab.page.set_viewport_size(WHOLE_MAP)
    steps = notebook.panel.locator(OUTPUT).filter(has_text="steps done").last
    steps.screenshot(path=folder / "lesson-map.png", animations="disabled")


if __name__ == "__main__":
    main(sys.argv[1:])
