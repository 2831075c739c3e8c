from types import SimpleNamespace

import pytest

from idc_aws.project import PAGES_VARIABLE
from idc_helpers.notebook.console_guide import page_links
from idc_helpers.notebook.runbook import Runbook
from idc_helpers.runbook.run import Opening

HUB = "/user/ana/identity-center-sandbox"


class Console:
    def __init__(self):
        self.asked = []

    def pages(self, address=None):
        self.asked.append(address)
        return {
            f"{name}_url": f"http://localhost:8723/{name}?key=k"
            for name in ("mailbox", "portal", "phone", "console")
        }


@pytest.fixture
def console():
    return Console()


def test_in_a_lab_that_shows_the_pages_links_are_paths_and_hold_no_key(console, monkeypatch):
    monkeypatch.setenv(PAGES_VARIABLE, HUB)
    shown = page_links(console, "mailbox", "portal", text="Go.", address="ana+1@example.com")
    html = shown._repr_html_()
    assert f'href="{HUB}/start/mailbox?address=ana%2B1%40example.com"' in html
    assert f'href="{HUB}/start"' in html
    assert "beside the notebook" in html
    assert console.asked == []  # no key is made, so none can be saved


def test_elsewhere_links_work_once_and_say_so(console, monkeypatch):
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    html = page_links(console, address="ana@example.com")._repr_html_()
    assert html.count('href="http://localhost:8723/') == 4
    assert "once, within 10 minutes" in html
    assert console.asked == ["ana@example.com"]


def test_as_text_there_is_no_address(console, monkeypatch):
    monkeypatch.delenv(PAGES_VARIABLE, raising=False)
    assert repr(page_links(console, text="Go <on>.")) == "Go <on>."
    assert "Go &lt;on&gt;." in page_links(console, text="Go <on>.")._repr_html_()


@pytest.mark.parametrize(("console", "word"), [(None, "On AWS"), (Console(), "idc sandbox pages")])
def test_a_notebook_that_runs_headless_stores_no_link(console, word, monkeypatch):
    monkeypatch.setenv("IDC_INTERACTIVE", "headless")
    context = SimpleNamespace(connection=SimpleNamespace(console=console), opening=Opening())
    shown = Runbook(context).pages()
    assert word in repr(shown)
    assert "href" not in shown._repr_html_()
    assert console is None or console.asked == []
