"""Links to the sandbox's pages: inside JupyterLab beside the notebook, elsewhere in a browser's tab.

In a JupyterLab that shows the pages, its server has said where in the environment; such a link holds no
secret, because only who is signed in at that JupyterLab gets there. Elsewhere a link carries a key that works
once, within minutes: what is saved with the notebook opens nothing.
"""

from __future__ import annotations

import os
from html import escape
from urllib.parse import urlencode

from idc_helpers.aws.sandbox_console import SandboxConsole
from idc_helpers.display.tables import Line

PAGES_VARIABLE = "IDC_SANDBOX_PAGES_PATH"
_TITLES = {"mailbox": "Open the mailbox", "portal": "Open the access portal", "settings": "Open the settings"}
_PATHS = {"mailbox": "/start/mailbox", "portal": "/start", "settings": "/start/settings"}
_BESIDE = "They open beside the notebook; with Ctrl (or ⌘) held, in a tab of the browser."
_ONCE = (
    "Mailbox and settings open with a link that works once, within 10 minutes; run the cell again for more."
)


class PageLinks(Line):
    """A line with links to pages; as text it names the pages without their addresses."""

    def __init__(self, text: str, links: tuple[tuple[str, str], ...], note: str = "") -> None:
        super().__init__(text)
        object.__setattr__(self, "links", links)
        object.__setattr__(self, "note", note)

    def _repr_html_(self) -> str:
        links: tuple[tuple[str, str], ...] = getattr(self, "links", ())
        note: str = getattr(self, "note", "")
        anchors = " · ".join(
            f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(words)}</a>'
            for words, address in links
        )
        return f'{super()._repr_html_()}<p class="idc-note">{anchors}<br>{escape(note)}</p>'


def pages_path() -> str:
    """Return the path of the pages in this JupyterLab, such as ``"/user/ana/identity-center-sandbox"``.

    Empty where the kernel was started by no Jupyter Server that shows them.
    """
    return os.environ.get(PAGES_VARIABLE, "")


def page_links(
    console: SandboxConsole, *pages: str, text: str = "The sandbox's pages.", address: str = ""
) -> PageLinks:
    """Return links to pages of the sandbox.

    Parameters
    ----------
    pages
        ``"mailbox"``, ``"portal"`` or ``"settings"``; none: all of them.
    text
        What the links are for.
    address
        Whose mailbox it is; empty: all practice users'.
    """
    named, path = pages or tuple(_TITLES), pages_path()
    if path:
        query = {"mailbox": f"?{urlencode({'address': address})}"} if address else {}
        found = {name: f"{path}{_PATHS[name]}{query.get(name, '')}" for name in named}
    else:
        urls = console.pages(address or None)
        found = {name: urls[f"{name}_url"] for name in named}
    note = _BESIDE if path else _ONCE
    return PageLinks(text, tuple((_TITLES[name], found[name]) for name in named), note)
