"""What looks at colours finds a wrong one, and takes a page on which only something disabled is new."""

import accessibility
import pytest
from playwright.sync_api import Browser, Page

PAGE = """<!doctype html><html lang="en"><head><title>Colours</title></head><body><main><h1>A heading</h1>
<p>Black on white.</p>{}</main></body></html>"""


@pytest.fixture
def page(chromium: Browser, monkeypatch):
    monkeypatch.setattr(accessibility, "_COLOURS_SEEN", {})
    page = chromium.new_page()
    page.set_content(PAGE.format(""))
    assert accessibility.violations_of_page(page) == []
    yield page
    page.close()


def test_a_colour_that_is_hard_to_read_is_found(page: Page):
    page.set_content(PAGE.format('<p style="color: #ccc">Light grey on white.</p>'))
    found = accessibility.violations_of_page(page)
    assert [rule for _scheme, rule, _html, _why in found] == ["color-contrast"] * 2


def test_only_something_disabled_may_be_new(page: Page):
    page.set_content(PAGE.format('<button disabled style="color: #767676">Not now</button>'))
    assert accessibility.violations_of_page(page) == []
