"""Chromium and a sandbox for all, and browsers whose pages must not complain in their console."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from accessibility import WIDTH, violations
from lab_desk import Lab, Notebook
from patience import PATIENCE_MS
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)
from scene import Scene, Visitor

# Two hidden pages below the address bar, which each new context would start anew, a renderer process each.
_HIDDEN_PAGES = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
# Of several such switches the last one counts: this is what Playwright turns off too.
_OF_PLAYWRIGHT = (
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints"),
    *("NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
)
FLAGS = [
    f"--disable-features={','.join((*_OF_PLAYWRIGHT, *_HIDDEN_PAGES))}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# The first is Chromium without the parts that nobody sees here: a page costs half as much there.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


class SharedBrowser:
    """Chromium for all files here that one process runs one after another."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._browser: Browser | None = None

    def browser(self) -> Browser:
        if self._browser is None:
            path = next(filter(None, map(shutil.which, BROWSERS)), None)
            if path is None:
                reason = "no chromium is on the path; install it, such as with `apt-get install chromium`"
                if os.environ.get("CI"):
                    pytest.fail(reason)
                pytest.skip(reason)
            playwright = self._running.enter_context(sync_playwright())
            expect.set_options(timeout=PATIENCE_MS)
            self._browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            self._running.callback(self._browser.close)
        return self._browser

    def close(self) -> None:
        self._browser = None
        self._running.close()


_SHARED = SharedBrowser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """Close the browser behind the last test here: Playwright's event loop would keep others from theirs."""
    yield
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _SHARED.close()


@pytest.fixture(scope="module")
def chromium() -> Browser:
    """Return the machine's Chromium; without one tests are skipped, but never where tests must run."""
    return _SHARED.browser()


@pytest.fixture(scope="session")
def scene(tmp_path_factory) -> Iterator[Scene]:
    """Return one sandbox for all tests; each test has users of its own."""
    made = Scene(tmp_path_factory.mktemp("browser") / "state")
    yield made
    made.stop()


@pytest.fixture
def new_visitor(chromium: Browser, scene: Scene) -> Iterator[object]:
    """Return a function that opens a browser without history; no page may complain in its console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", note_error)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", note_failure)

    def note_error(message: ConsoleMessage) -> None:
        asked = message.location.get("url", "")
        # The page of a program that waits for the browser: it has ended when its icon is asked for.
        is_icon_of_program = asked.endswith("/favicon.ico") and not asked.startswith(scene.site)
        if message.type == "error" and not is_icon_of_program:
            complaints.append(message.text)

    def note_failure(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # who goes on quickly leaves pictures unloaded
            complaints.append(f"{request.url}: {request.failure}")

    def make(**options: object) -> Visitor:
        context = chromium.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        listen(page)
        return Visitor(page, scene, complaints)

    yield make
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def visitor(new_visitor) -> Visitor:
    """Return a person at a browser without history."""
    return new_visitor()


@pytest.fixture
def mfa(scene: Scene) -> Iterator[object]:
    """Return a function that sets the MFA settings; they are a new instance's again afterwards."""
    yield scene.set_mfa
    scene.set_mfa()


BEFORE_AND_AFTER = "09_activate_user"  # it shows how far the person is twice, and here nobody was there


@pytest.fixture
def opened(lab: Lab, request: pytest.FixtureRequest) -> Iterator[object]:
    """Return a function that opens a notebook; it is looked at, saved and closed afterwards.

    With ``look=False`` axe does not run: another test shows it the same.
    """
    notebooks: dict[Notebook, bool] = {}
    wrong: list[object] = []
    failed = request.session.testsfailed

    def open_notebook(name: str, *, look: bool = True) -> Notebook:
        notebook = lab.open(name)
        notebooks[notebook] = look
        return notebook

    yield open_notebook
    for notebook, look in notebooks.items():
        lab.open(notebook.name)
        if request.session.testsfailed > failed:
            notebook.picture()
        if notebook.name != BEFORE_AND_AFTER:
            wrong += notebook.tables_shown_twice()
        if look:
            wrong += violations(notebook)
        notebook.save()
        lab.close(notebook)
        lab.page.set_viewport_size({"width": WIDTH, "height": 1000})
    assert wrong == []
