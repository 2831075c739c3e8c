"""Steps 1 to 13 of the lesson by clicks on the practice console, in Chromium: the state is the kit's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from console_steps import STEPS, Clicker, take_each
from lesson_states import default_scenario
from patience import PATIENCE_MS
from playwright.sync_api import Browser, Locator, Page
from sandbox_clients import SandboxProcess

from idc_aws.scenario.scenario import Scenario

_OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
# A radio button is left by choosing another one.
_NOT_YET_SO = """(all, values) => all.flatMap(({type, value, checked}, number) => {
    const wanted = values.includes(value);
    return (type === 'radio' ? wanted && !checked : wanted !== checked) ? [number] : [];
})"""


class Answer:
    """What the browser shows, with the names that an answer has where there is no browser."""

    def __init__(self, page: Page, status_code: int) -> None:
        self.text, self.status_code, self.url = page.content(), status_code, httpx.URL(page.url)


class ChromiumClicker(Clicker):
    """The owner at the practice console in Chromium."""

    def __init__(self, sandbox: SandboxProcess, scenario: Scenario, page: Page) -> None:
        self.browser_page, self.site = page, f"http://localhost:{sandbox.running.port}"
        self.scenario, self.state_folder = scenario, sandbox.folder.path
        self.accounts = sandbox.member_account_ids()
        self._goes_to(lambda: page.goto(sandbox.control("GET", "pages")["console_url"]))

    def open(self, path: str, **_: object) -> None:
        self._goes_to(lambda: self.browser_page.goto(f"{self.site}{path}"))

    def click(self, label: str, **changes: object) -> None:
        page = self.browser_page
        page.evaluate(_OPEN_ALL)
        button = page.get_by_role("button", name=label, exact=True).first
        form = page.locator("form").filter(has=button)
        owner = button.get_attribute("form")
        form = page.locator(f"form[id='{owner}']") if owner else form
        for name, value in changes.items():
            fill(form.locator(f"[name='{name}']"), value if isinstance(value, list) else [value])
        self._goes_to(button.click)

    def _goes_to(self, act: Callable[[], object]) -> None:
        with self.browser_page.expect_navigation() as navigation:
            act()
        self.page = Answer(self.browser_page, navigation.value.status)


def fill(fields: Locator, values: list[object]) -> None:
    """Give the fields of a name their values: type, choose, or tick exactly these."""
    kind = fields.first.evaluate("one => one.tagName === 'SELECT' ? 'select' : one.type")
    if kind in ("checkbox", "radio"):
        for number in fields.evaluate_all(_NOT_YET_SO, values):
            fields.nth(number).click()
    else:
        for field, value in zip(fields.all(), values, strict=True):
            field.select_option(str(value)) if kind == "select" else field.fill(str(value))


@pytest.fixture
def clicker(tmp_path: Path, chromium: Browser) -> Iterator[ChromiumClicker]:
    """Return the owner at a sandbox in which nothing was done yet."""
    sandbox = SandboxProcess(tmp_path / "state")
    sandbox.switches(asynchronous_duration_s=0)
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    yield ChromiumClicker(sandbox, default_scenario(), page)
    page.close()
    sandbox.stop()


def test_by_clicks_it_is_the_same_as_by_the_kit(clicker, tmp_path):
    take_each(clicker, tmp_path, lambda _, name: STEPS[name](clicker))
