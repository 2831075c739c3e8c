"""What axe finds on a page, or in a notebook's outputs, that keeps somebody from using it."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from lab_desk import OUTPUT, Notebook
from playwright.sync_api import Page, expect

WIDTH = 1400
OUTPUTS = f".jp-NotebookPanel:not(.lm-mod-hidden) {OUTPUT}"
COLOUR_RULES = ("color-contrast", "link-in-text-block")  # all that another theme changes
SCHEMES = ("light", "dark")
THEMES = {"JupyterLab Dark": "false", "JupyterLab Light": "true"}
# Lab's ``body`` is 0 high and cuts off what overflows. Browsers show it; axe takes all of it for hidden.
WHOLE_BODY = "body { height: 100vh; }"
ONE_IS_ENOUGH = {"resultTypes": ["violations"]}  # of what is well
_COLOURS_SEEN: dict[str, list[str]] = {}
_CHANGE = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme}).then(() => null)"

_ALL_IN_SIGHT = """([scrolled, outputs]) => {
    scrolled.scrollTop = 0;
    const sight = scrolled.getBoundingClientRect();
    const places = Array.from(scrolled.querySelectorAll(outputs), one => one.getBoundingClientRect());
    return places.every(place => place.top >= sight.top && place.bottom <= sight.bottom);
}"""

_RUN = "([context, options]) => axe.run(context ?? document, options)"
# Of elements with equal letters on an equal background one is enough.
_RUN_WHERE_COLOURS_ARE_NEW = """async ([outputs, options, known]) => {
    const found = new Map(), behind = new Map([[null, '']]);
    const background = one => {
        if (!behind.has(one)) {
            const {backgroundColor, backgroundImage, opacity} = getComputedStyle(one);
            const own = `${backgroundColor} ${backgroundImage} ${opacity}`;
            behind.set(one, `${background(one.parentElement)}/${own}`);
        }
        return behind.get(one);
    };
    const letters = one => {
        const {color, fontSize, fontWeight, textShadow, textDecoration} = getComputedStyle(one);
        return `${one.tagName} ${color} ${fontSize} ${fontWeight} ${textShadow} ${textDecoration}`;
    };
    const isText = node => node.nodeType === Node.TEXT_NODE && node.data.trim();
    let plain = null;
    for (const one of document.querySelectorAll(outputs.split(',').map(each => `${each} *`).join())) {
        if (one.matches('input, select, textarea') || Array.from(one.childNodes).some(isText)) {
            // Of what is disabled axe reads no colours: it may be all that is new, so a plain text is read.
            if (!plain && one.matches('h1, h2, p, th, td') && one.checkVisibility()) plain = one;
            const key = `${letters(one)} in ${letters(one.parentElement)} on ${background(one)}`;
            if (!known.includes(key) && !found.has(key) && one.checkVisibility()) found.set(key, one);
        }
    }
    const seen = Array.from(found.keys());
    if (!seen.length) return [seen, {violations: []}];
    const include = plain ? [plain, ...found.values()] : Array.from(found.values());
    return [seen, await axe.run({include}, options)];
}"""


def _inject_axe(page: Page) -> None:
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(AXE_SCRIPT)


Found = list[tuple[str, str, str, str]]
"""Theme, rule, the element's beginning, and what axe says of it."""


def violations_of_page(page: Page) -> Found:
    """Return what axe finds on a whole page: colours light and dark, where they are new to it."""
    _inject_axe(page)
    found = _structure(page, None)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += _new_colours(page, "body", scheme)
    return found


def violations(notebook: Notebook, width: int = WIDTH) -> Found:
    """Return what axe finds in outputs, unfolded, in both themes; Lab's own page is not ours."""
    for fold in notebook.panel.locator(".idc-fold").all():
        if "▸" in fold.inner_text():
            fold.click()
    details = notebook.panel.locator(f"{OUTPUT} details")
    details.evaluate_all("all => all.forEach(one => { one.open = true; })")
    show_all_at_once(notebook, width)
    return violations_in(notebook.lab.page, OUTPUTS)


def violations_in(page: Page, selector: str) -> Found:
    """Return what axe finds in one part of Lab's page: colours in both themes, where they are new to it."""
    _inject_axe(page)
    body = page.locator("body")
    now = body.get_attribute("data-jp-theme-light")
    found = _structure(page, selector)
    for theme, is_light in sorted(THEMES.items(), key=lambda one: one[1] != now):  # changing takes its time
        if is_light != now:
            page.evaluate(_CHANGE, theme)
        expect(body).to_have_attribute("data-jp-theme-light", is_light)
        expect(page.locator("#jupyterlab-splash")).to_have_count(0)  # it lies above the colours
        found += _new_colours(page, selector, theme)
    return found


def _structure(page: Page, selector: str | None) -> Found:
    """Return what axe finds by all rules that no theme changes."""
    rules = {name: {"enabled": False} for name in COLOUR_RULES}
    return _nodes("", page.evaluate(_RUN, [selector, {**ONE_IS_ENOUGH, "rules": rules}]))


def _new_colours(page: Page, selector: str, theme: str) -> Found:
    known = _COLOURS_SEEN.setdefault(theme, [])
    options = {**ONE_IS_ENOUGH, "runOnly": list(COLOUR_RULES)}
    new, response = page.evaluate(_RUN_WHERE_COLOURS_ARE_NEW, [selector, options, known])
    assert not new or "'fgColor': '#" in str(response), "axe has read colours"
    known += new
    return _nodes(theme, response)


def _nodes(theme: str, response: dict[str, Any]) -> Found:
    return [
        (theme, one["id"], node["html"][:160], node["failureSummary"])
        for one in response["violations"]
        for node in one["nodes"]
    ]


def show_all_at_once(notebook: Notebook, width: int) -> None:
    """Make the page as high as the notebook: of what is out of sight, or seems so, axe reads no colours."""
    page = notebook.lab.page
    page.add_style_tag(content=WHOLE_BODY)
    scrolled = notebook.panel.locator(".jp-WindowedPanel-outer")
    height = scrolled.evaluate("one => one.scrollHeight")
    page.set_viewport_size({"width": width, "height": height + 400})
    page.wait_for_function(_ALL_IN_SIGHT, arg=[scrolled.element_handle(), OUTPUT])
