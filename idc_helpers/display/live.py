"""Progress that is live in JupyterLab and one clean final line in an executed notebook.

A display that is updated in place is the only form that is both. Progress is said in words: bars are mute to
screen readers.
"""

from __future__ import annotations

from typing import Any, Protocol

from idc_helpers.changes import Change
from idc_helpers.display.movements import change_in_words
from idc_helpers.display.tables import Line


class Handle(Protocol):
    """What IPython's ``display(..., display_id=True)`` returns."""

    def update(self, shown: Any) -> None:
        """Replace what is shown."""


class LiveLine:
    """One line of progress; made by the first word, updated in place.

    Parameters
    ----------
    show
        Shows an object and returns its handle; IPython's display where none is given.
    """

    def __init__(self, show: Any = None) -> None:
        self._show = show or show_updatable
        self._handle: Handle | None = None

    def say(self, text: str) -> None:
        """Show a line in place of the one before."""
        if self._handle is None:
            self._handle = self._show(Line(text))
        else:
            self._handle.update(Line(text))

    def progress(self, event: str, change: Change, made: int, total: int) -> None:
        """Say how far an apply is; fits ``Step.apply(progress=...)``."""
        self.say(progress_in_words(event, change, made, total))


def progress_in_words(event: str, change: Change, made: int, total: int) -> str:
    """Return such as ``"▶ 1 of 3 done · create group 'Auditors' …"``."""
    if event == "done" and made == total:
        return f"✔ {made} of {total} done"
    ending = " …" if event == "started" else " ✔"
    return f"▶ {made} of {total} done · {change_in_words(change)}{ending}"


def show_updatable(shown: Any) -> Handle:
    """Show an object and return the handle that replaces it; outside a notebook it is printed."""
    from IPython.display import display  # noqa: PLC0415 - only where something is shown

    handle: Handle | None = display(shown, display_id=True)
    return handle or _NoHandle()


class _NoHandle:
    def update(self, shown: Any) -> None:
        """Drop it: outside a notebook nothing can be replaced."""
