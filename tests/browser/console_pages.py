"""How tests look at a page of the practice console, and use it without a mouse."""

from __future__ import annotations

from contextlib import nullcontext

from accessibility import violations_of_page
from playwright.sync_api import Page, expect

SIZES = ({"width": 390, "height": 800}, {"width": 700, "height": 450}, {"width": 1400, "height": 900})


def look(page: Page) -> None:
    """Look at a page in every way: one heading, axe in both themes, nothing lost when it is narrow."""
    assert page.get_by_role("heading", level=1).count() == 1
    assert violations_of_page(page) == [], page.url
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
