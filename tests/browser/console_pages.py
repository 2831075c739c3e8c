"""How tests look at a page of the practice console, and use it without a mouse."""

from __future__ import annotations

import functools
from contextlib import nullcontext

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

SIZES = ({"width": 390, "height": 800}, {"width": 700, "height": 450}, {"width": 1400, "height": 900})


@functools.cache
def _axe() -> Axe:
    return Axe()


def look(page: Page) -> None:
    """Look at a page in every way: one heading, axe in both themes, nothing lost when it is narrow."""
    assert page.get_by_role("heading", level=1).count() == 1
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = _axe().run(page).response["violations"]
        assert not [(one["id"], one["nodes"][0]["html"][:160]) for one in found], (page.url, scheme)
    for size in SIZES:  # the second is 1400 pixels at 200 %
        page.set_viewport_size(size)
        element = "document.documentElement"
        wide, seen = page.evaluate(f"[{element}.scrollWidth, {element}.clientWidth]")
        assert wide <= seen, (page.url, size)


def press_on(page: Page, role: str, name: str, *, opens_elsewhere: bool = False) -> None:
    """Use a link or button by the keyboard alone."""
    there = page.get_by_role(role, name=name, exact=True)
    there.focus()
    expect(there).to_be_focused()
    with nullcontext() if opens_elsewhere else page.expect_navigation():
        page.keyboard.press("Enter")
