"""What axe finds on a page, or in a notebook's outputs, that keeps somebody from using it."""

from __future__ import annotations

import functools
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from lab_desk import OUTPUT, Notebook
from playwright.sync_api import Page, expect

WIDTH = 1400
OUTPUTS = f".jp-NotebookPanel:not(.lm-mod-hidden) {OUTPUT}"
COLOUR_RULES = ("color-contrast", "link-in-text-block")  # all that another theme changes
SCHEMES = ("light", "dark")
THEMES = {"JupyterLab Dark": "false", "JupyterLab Light": "true"}
# Lab's ``body`` is 0 high and cuts off what overflows. Browsers show it; axe takes all of it for hidden.
WHOLE_BODY = "body { height: 100vh; }"
_CHANGE = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme}).then(() => null)"

_ALL_IN_SIGHT = """([scrolled, outputs]) => {
    scrolled.scrollTop = 0;
    const sight = scrolled.getBoundingClientRect();
    const places = Array.from(scrolled.querySelectorAll(outputs), one => one.getBoundingClientRect());
    return places.every(place => place.top >= sight.top && place.bottom <= sight.bottom);
}"""


@functools.cache
def _axe() -> Axe:
    return Axe()


def _run(page: Page, context: str | None = None, *, only_colours: bool = False) -> dict[str, Any]:
    """Run axe; of what is well, one element is enough."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only_colours:
        options["runOnly"] = list(COLOUR_RULES)
    return _axe().run(page, context, options).response


def violations_of_page(page: Page) -> list[tuple[str, str, str, str]]:
    """Return what axe finds on a whole page, light and dark: scheme, rule, impact, the first element."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        response = _run(page, only_colours=scheme != SCHEMES[0])
        found += [
            (scheme, one["id"], one["impact"], one["nodes"][0]["html"][:160])
            for one in response["violations"]
        ]
    return found


def violations(notebook: Notebook, width: int = WIDTH) -> list[tuple[str, str, str, str]]:
    """Return what axe finds in outputs, unfolded, in both themes; Lab's own page is not ours."""
    for fold in notebook.panel.locator(".idc-fold").all():
        if "▸" in fold.inner_text():
            fold.click()
    details = notebook.panel.locator(f"{OUTPUT} details")
    details.evaluate_all("all => all.forEach(one => { one.open = true; })")
    show_all_at_once(notebook, width)
    return violations_in(notebook.lab.page, OUTPUTS)


def violations_in(page: Page, selector: str) -> list[tuple[str, str, str, str]]:
    """Return what axe finds in one part of Lab's page, in both themes."""
    found = []
    body = page.locator("body")
    now = body.get_attribute("data-jp-theme-light")
    for theme, is_light in sorted(THEMES.items(), key=lambda one: one[1] != now):  # changing takes its time
        if is_light != now:
            page.evaluate(_CHANGE, theme)
        expect(body).to_have_attribute("data-jp-theme-light", is_light)
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)  # it lies above the colours
        response = _run(page, selector, only_colours=is_light != now)
        assert "'fgColor': '#" in str(response), "axe has read colours"
        found += [
            (theme, one["id"], node["html"][:160], node["failureSummary"])
            for one in response["violations"]
            for node in one["nodes"]
        ]
    return found


def show_all_at_once(notebook: Notebook, width: int) -> None:
    """Make the page as high as the notebook: of what is out of sight, or seems so, axe reads no colours."""
    page = notebook.lab.page
    page.add_style_tag(content=WHOLE_BODY)
    scrolled = notebook.panel.locator(".jp-WindowedPanel-outer")
    height = scrolled.evaluate("one => one.scrollHeight")
    page.set_viewport_size({"width": width, "height": height + 400})
    page.wait_for_function(_ALL_IN_SIGHT, arg=[scrolled.element_handle(), OUTPUT])
