"""A part of a form that is folded away behind a button: a calm form shows what matters first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets


class Fold:
    """A button, and what it shows and hides; keyboards and screen readers take it for the button that it is.

    Parameters
    ----------
    title
        What is inside.
    boxes
        The widgets inside.
    summary
        Returns a few words about what is inside, for the button while it is folded.
    """

    def __init__(self, title: str, boxes: Sequence[Any], summary: Callable[[], str]) -> None:
        self._title, self._summary = title, summary
        self._is_open = False
        self._button = widgets.Button(layout=widgets.Layout(width="auto", min_width="16em"))
        self._button.add_class("idc-fold")
        self._inside = widgets.VBox(list(boxes))
        self._inside.add_class("idc-inside")
        self._button.on_click(lambda _: self._turn())
        self.box = widgets.VBox([self._button, self._inside])
        self.refresh()

    def open(self) -> None:
        """Show what is inside."""
        self._is_open = True
        self.refresh()

    def refresh(self) -> None:
        """Say on the button what is inside."""
        summary = self._summary()
        words = f" ({summary})" if summary and not self._is_open else ""
        self._button.description = f"{'▾' if self._is_open else '▸'} {self._title}{words}"
        self._button.tooltip = f"{'Hide' if self._is_open else 'Show'} {self._title}"
        self._inside.layout.display = "" if self._is_open else "none"

    def _turn(self) -> None:
        self._is_open = not self._is_open
        self.refresh()
